"""LLaMA-Factory by its own entry points and nothing of maskspec: a conversation in, tokens and their labels out."""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.peers.alone import byte_level, needs, stretches

# It asks for an older trl than the one whose templates are among the pairs; no trl is used to prepare data.
os.environ.setdefault("DISABLE_VERSION_CHECK", "1")

needed = needs("llamafactory", "0.9.5")

MARKERS = (
    "<|endoftext|>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "[gMASK]", "<sop>",
    "<|user|>", "<|assistant|>", "<|observation|>", "[INST]", "[/INST]",
)  # fmt: skip

OPENAI_TAGS = {
    "role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant",
    "observation_tag": "tool", "function_tag": "function_call", "system_tag": "system",
}  # fmt: skip
"""The tags that data/README.md gives for the format of OpenAI, and those of its columns for tools."""


def module(name: str) -> Any:
    """A module of LLaMA-Factory, which is imported with an empty `torchaudio` where that is not installed."""
    importlib.import_module("transformers.utils")
    lacking = importlib.util.find_spec("torchaudio") is None
    if lacking:
        stub = ModuleType("torchaudio")
        stub.__spec__ = ModuleSpec("torchaudio", None)
        sys.modules["torchaudio"] = stub
    try:
        importlib.import_module("llamafactory.data.mm_plugin")
    finally:
        if lacking:
            del sys.modules["torchaudio"]
    found = importlib.import_module(name)
    logging.getLogger("llamafactory").setLevel(logging.CRITICAL)
    return found


def tokenizer(*, bos: str | None = None, eos: str = "<|endoftext|>") -> Any:
    """A tokenizer whose tokens are the bytes of UTF-8 and a few markers."""
    made = byte_level(bos_token=bos, eos_token=eos)
    made.add_tokens([marker for marker in MARKERS if marker not in (bos, eos)], special_tokens=True)
    made.chat_template = "{{ messages }}"  # there is one, so LLaMA-Factory writes none of its own
    return made


def description(formatting: str = "sharegpt") -> dict[str, Any]:
    """What stands in `dataset_info.json`."""
    columns = {"messages": "messages", "tools": "tools"}
    return {"file_name": "rows.json", "formatting": formatting, "columns": columns, "tags": OPENAI_TAGS}


def prepared(
    messages: list[dict[str, Any]],
    template: str,
    given: Any,
    *,
    formatting: str = "sharegpt",
    tools: str = "",
    **options: Any,
) -> dict[str, Any]:
    """One row, converted and encoded as `llamafactory.data.get_dataset` does; the template is left as it was."""
    arguments = module("llamafactory.hparams").DataArguments(template=template, **options)
    attributes = module("llamafactory.data.parser").DatasetAttr("file", "rows")
    attributes.join(description(formatting))
    convert = module("llamafactory.data.converter").get_dataset_converter(formatting, attributes, arguments)
    chosen = module("llamafactory.data").get_template_and_fix_tokenizer(given, arguments)
    row = convert({"messages": messages, "tools": tools})
    processor = module("llamafactory.data.processor").SupervisedDatasetProcessor(
        template=chosen, tokenizer=given, processor=None, data_args=arguments
    )
    encoded: dict[str, Any] = processor.preprocess_dataset({key: [value] for key, value in row.items()})
    return {key: encoded[key][0] for key in ("input_ids", "labels")}


def packed(rows: list[list[dict[str, Any]]], template: str, given: Any, **options: Any) -> dict[str, Any]:
    """Rows that fit together, in one row of `neat_packing`."""
    arguments = module("llamafactory.hparams").DataArguments(template=template, neat_packing=True, **options)
    attributes = module("llamafactory.data.parser").DatasetAttr("file", "rows")
    attributes.join(description())
    convert = module("llamafactory.data.converter").get_dataset_converter("sharegpt", attributes, arguments)
    chosen = module("llamafactory.data").get_template_and_fix_tokenizer(given, arguments)
    converted = [convert({"messages": messages, "tools": ""}) for messages in rows]
    processor = module("llamafactory.data.processor").PackedSupervisedDatasetProcessor(
        template=chosen, tokenizer=given, processor=None, data_args=arguments
    )
    joined = processor.preprocess_dataset({key: [row[key] for row in converted] for key in converted[0]})
    assert len(joined["input_ids"]) == 1
    return {key: joined[key][0] for key in ("input_ids", "labels", "position_ids", "attention_mask")}


def by_get_dataset(messages: list[dict[str, Any]], template: str, given: Any, folder: Path) -> dict[str, Any]:
    """The same through `get_dataset`, from a file."""
    from transformers import Seq2SeqTrainingArguments

    (folder / "dataset_info.json").write_text(json.dumps({"rows": description()}), encoding="utf-8")
    (folder / "rows.json").write_text(json.dumps([{"messages": messages, "tools": ""}]), encoding="utf-8")
    arguments = module("llamafactory.hparams").DataArguments(
        template=template, dataset="rows", dataset_dir=str(folder), overwrite_cache=True
    )
    chosen = module("llamafactory.data").get_template_and_fix_tokenizer(given, arguments)
    training = Seq2SeqTrainingArguments(output_dir=str(folder), use_cpu=True, report_to="none")
    models = module("llamafactory.hparams").ModelArguments(model_name_or_path="none", cache_dir=str(folder / "cache"))
    found = module("llamafactory.data").get_dataset(chosen, models, arguments, training, stage="sft", tokenizer=given)
    row: dict[str, Any] = found["train_dataset"][0]
    return {key: row[key] for key in ("input_ids", "labels")}


def text(given: Any, row: dict[str, Any]) -> str:
    """The text that the ids spell."""
    spelled: str = given.decode(row["input_ids"])
    return spelled


def trained(given: Any, row: dict[str, Any]) -> list[str]:
    """The stretches of labels that carry loss, each as the text that is to be predicted."""
    return stretches(given, row["labels"])
