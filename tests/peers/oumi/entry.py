"""oumi by its own entry point and nothing of maskspec: a conversation in, tokens with and without loss out."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import json
import sys
import types
import warnings
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from tests.peers.alone import needs, spoken

needed = needs("oumi", "0.9")


def module(name: str) -> Any:
    """A module of oumi; services that its trainers report to are stubs where they are not installed."""
    importlib.import_module("torch.utils")
    for reporter in ("wandb", "mlflow", "torch.utils.tensorboard"):
        if reporter not in sys.modules and importlib.util.find_spec(reporter.rpartition(".")[2]) is None:
            sys.modules[reporter] = types.ModuleType(reporter)
            sys.modules[reporter].__spec__ = ModuleSpec(reporter, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def with_template(tokenizer: Any, template: str, pad_token: str) -> Any:
    """A tokenizer as a model folder holds it."""
    own = copy.deepcopy(tokenizer)
    own.chat_template, own.pad_token, own.model_max_length = template, pad_token, 4096
    return own


def collator(tokenizer: Any, folder: Path, target: str = "all_assistant_turns") -> Any:
    """What oumi builds from `train_target`; the folder stands for that of a model."""
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}), encoding="utf-8")
    configs = module("oumi.core.configs")
    train = configs.DatasetSplitParams(collator_name="text_completions_only_with_padding", train_target=target)
    config = configs.TrainingConfig(
        data=configs.DataParams(train=train), model=configs.ModelParams(model_name=str(folder))
    )
    return module("oumi.builders.collators").build_collator_from_config(config, tokenizer)


def row(
    tokenizer: Any, folder: Path, messages: list[dict[str, Any]], target: str = "all_assistant_turns"
) -> list[tuple[str, bool]]:
    """Each token of a row as text, and whether it carries loss."""
    data_set = module("oumi.datasets.sft.sft_jsonlines").TextSftJsonLinesDataset(
        data=[{"messages": messages}], tokenizer=tokenizer
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one for each row that trains nothing
        batch = collator(tokenizer, folder, target)([data_set[0]])
    ids, labels = (batch[key][0].tolist() for key in ("input_ids", "labels"))
    return spoken(tokenizer, ids, labels)


def trained(tokens: list[tuple[str, bool]]) -> list[str]:
    """The tokens that carry loss."""
    return [name for name, loss in tokens if loss]
