"""axolotl by its own entry point and nothing of maskspec: a conversation in, tokens with and without loss out."""

from __future__ import annotations

import importlib
import logging
import os
from typing import Any

import pytest

from tests.peers import alone

os.environ.setdefault("AXOLOTL_DO_NOT_TRACK", "1")
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

VERSION = alone.version_of("axolotl")
OLD, NEWEST = "0.5.2", "0.19.0"

needed = alone.needs("axolotl", OLD, NEWEST)

TEMPLATE = alone.MISTRAL


def fault_in(*versions: str, reason: str) -> pytest.MarkDecorator:
    """An expected failure in these versions; one that is mended ends the test with XPASS."""
    return pytest.mark.xfail(VERSION in versions, raises=AssertionError, strict=True, reason=reason)


def module(name: str) -> Any:
    """A module of axolotl whose loggers do not print each template."""
    found = importlib.import_module(name)
    for logger in [item for item in logging.root.manager.loggerDict if item.partition(".")[0] == "axolotl"]:
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    return found


def strategy(tokenizer: Any, template: str = TEMPLATE, *, field_messages: str = "messages", **data_set: Any) -> Any:
    """What axolotl makes of `type: chat_template` with these options of a data set."""
    module("axolotl.prompt_strategies.chat_template")
    cfg = {"train_on_inputs": False, "sequence_len": 4096, "chat_template": "jinja", "chat_template_jinja": template}
    options = {"roles_to_train": ["assistant"], "train_on_eos": "turn", **data_set, "field_messages": field_messages}
    return module("axolotl.prompt_strategies").load(
        "chat_template", tokenizer, module("axolotl.utils.dict").DictDefault(cfg), options
    )


def sharegpt(tokenizer: Any, template: str = TEMPLATE) -> Any:
    """The same for ShareGPT records, written as each version asks for it."""
    names = (
        {"message_field_role": "from", "message_field_content": "value"}
        if VERSION == OLD
        else {"message_property_mappings": {"role": "from", "content": "value"}}
    )
    return strategy(tokenizer, template, field_messages="conversations", roles_to_train=["gpt"], **names)


def spoken(tokenizer: Any, row: dict[str, Any]) -> list[tuple[str, bool]]:
    """Each token of a row as text, and whether it carries loss."""
    return alone.spoken(tokenizer, row["input_ids"], row["labels"])


def trained(tokenizer: Any, row: dict[str, Any]) -> list[str]:
    """The tokens of a row that carry loss."""
    return [name for name, loss in spoken(tokenizer, row) if loss]
