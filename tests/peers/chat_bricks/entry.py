"""chat-bricks by its own entry point and nothing of maskspec: a conversation in, tokens with and without loss out."""

from __future__ import annotations

import copy
import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

try:
    VERSION = metadata.version("chat-bricks")
except metadata.PackageNotFoundError:
    VERSION = ""

PINNED = "0.1.5"

needed = pytest.mark.skipif(VERSION != PINNED, reason=f"needs chat-bricks {PINNED}: tox -e peers-chat-bricks")

# Written here after the description of ChatML.
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# The same, whose prompt for an answer begins a think block that the text of an answer does not have.
PREFILLED = CHATML.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")

# The same with the name of a tool in a line of its own behind the header.
NAMING = CHATML.replace(
    "{{ message.content }}", "{% if message.name %}{{ message.name }}\n{% endif %}{{ message.content }}"
)


def fault(reason: str) -> pytest.MarkDecorator:
    """An expected failure of the pinned version; one that is mended ends the test with XPASS."""
    return pytest.mark.xfail(raises=AssertionError, strict=True, reason=reason)


def chat(*texts: str) -> list[dict[str, Any]]:
    """User and assistant in turn."""
    return [{"role": ("user", "assistant")[index % 2], "content": text} for index, text in enumerate(texts)]


class Model:
    """A tokenizer with a template in a model's folder, whose path is the name by which chat-bricks knows it."""

    def __init__(self, tokenizer: Any, folder: Path, template: str = CHATML) -> None:
        self.tokenizer = copy.deepcopy(tokenizer)
        self.tokenizer.chat_template = template
        self.tokenizer.eos_token, self.tokenizer.pad_token = "<|im_end|>", "<|endoftext|>"
        (folder / "config.json").write_text(json.dumps({"model_type": "llama"}), encoding="utf-8")
        self.name = str(folder)

    def rows(self, *conversations: list[dict[str, Any]], template: str = "", **options: Any) -> dict[str, Any]:
        """What `tokenize_conversations` makes of them, with a built-in template where one is named."""
        from chat_bricks import tokenize_conversations

        options = {"max_length": None, **options}
        found: dict[str, Any] = tokenize_conversations(
            list(conversations), tokenizer=self.tokenizer, template=template or self.name, **options
        )
        return found

    def row(self, messages: list[dict[str, Any]], **options: Any) -> list[tuple[str, bool]]:
        """Each token of a conversation as text, and whether it carries loss."""
        inputs = self.rows(messages, **options)
        ids, labels = (inputs[key][0].tolist() for key in ("input_ids", "labels"))
        assert all(label in (-100, item) for item, label in zip(ids, labels, strict=True))
        names = self.tokenizer.convert_ids_to_tokens(ids)
        return [(name, label != -100) for name, label in zip(names, labels, strict=True)]

    def trained(self, messages: list[dict[str, Any]], **options: Any) -> list[str]:
        """The tokens of a conversation that carry loss."""
        return [name for name, loss in self.row(messages, **options) if loss]

    def official(self, messages: list[dict[str, Any]]) -> list[str]:
        """The tokens of the template's text without added special tokens, as the documentation compares them."""
        text = self.tokenizer.apply_chat_template(messages, tokenize=False)
        names: list[str] = self.tokenizer.convert_ids_to_tokens(
            self.tokenizer(text, add_special_tokens=False)["input_ids"]
        )
        return names
