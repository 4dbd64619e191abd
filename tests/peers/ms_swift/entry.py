"""ms-swift by its own entry point and nothing of maskspec: a conversation in, the text that carries loss out."""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from typing import Any

from tests.peers.alone import byte_level, needs, stretches

os.environ.setdefault("LOG_LEVEL", "CRITICAL")

needed = needs("ms-swift", "4.6.0")

MARKERS = ("<|endoftext|>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<think>", "</think>")


def module(name: str) -> Any:
    """A module of ms-swift, quiet: on import it uses functions of torch that are deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = importlib.import_module(name)
    logging.getLogger("swift").setLevel(logging.CRITICAL)
    return found


def tokenizer(model: str, *, bos: str | None = None, eos: str = "<|im_end|>") -> Any:
    """A tokenizer whose tokens are the bytes of UTF-8 and a few markers, with what ms-swift's loader knows of a model."""
    made = byte_level(bos_token=bos, eos_token=eos)
    made.add_tokens([marker for marker in MARKERS if marker not in (bos, eos)], special_tokens=True)
    module("swift.model")
    models_of = module("swift.model.model_meta")
    made.model_meta = models_of.get_matched_model_meta(model)
    made.model_info = models_of.ModelInfo(
        model_type=made.model_meta.model_type,
        model_dir=model,
        torch_dtype=None,
        max_model_len=None,
        quant_method=None,
        quant_bits=0,
        task_type="causal_lm",
    )
    return made


def encoded(
    messages: list[dict[str, Any]], given: Any, *, tools: list[dict[str, Any]] | None = None, **options: Any
) -> dict[str, Any]:
    """One row by the template that ms-swift chooses for the tokenizer's model, in train mode."""
    template = module("swift.template").get_template(given, template_type=given.model_meta.template, **options)
    template.set_mode("train")
    given_row = {"messages": messages, **({"tools": tools} if tools else {})}
    row: dict[str, Any] = template.encode(given_row, return_length=True)
    return row


def text(given: Any, row: dict[str, Any]) -> str:
    """The text that the ids spell."""
    spelled: str = given.decode(row["input_ids"])
    return spelled


def trained(given: Any, row: dict[str, Any]) -> list[str]:
    """The stretches of labels that carry loss, each as text."""
    return stretches(given, row["labels"])
