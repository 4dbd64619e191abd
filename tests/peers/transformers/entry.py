"""transformers by its own entry point and nothing of maskspec: a conversation in, marked tokens out."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from typing import Any

import pytest

try:
    VERSION = metadata.version("transformers")
except metadata.PackageNotFoundError:
    VERSION = ""

PINNED = "5.23.0"

needed = pytest.mark.skipif(VERSION != PINNED, reason=f"needs transformers {PINNED}: tox -e peers-transformers")

TEMPLATE = (
    "{% for message in messages %}"
    "{% if message.role == 'assistant' %}{% generation %}{{ message.content + '.' }}{% endgeneration %}"
    "{% else %}{{ message.content + '?' }}{% endif %}{% endfor %}"
)


def fault(reason: str) -> pytest.MarkDecorator:
    """An expected failure in this version; one that is mended ends the test with XPASS."""
    return pytest.mark.xfail(VERSION == PINNED, raises=AssertionError, strict=True, reason=reason)


@cache
def tokenizer() -> Any:
    """A tokenizer whose tokens are the bytes of UTF-8."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={character: number for number, character in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend, clean_up_tokenization_spaces=False)


def chat(*contents: str) -> list[dict[str, str]]:
    """Questions and answers in turn."""
    roles = ("user", "assistant")
    return [{"role": roles[index % 2], "content": text} for index, text in enumerate(contents)]


def masked(conversation: Any, template: str = TEMPLATE, *, side: str = "right", **options: Any) -> Any:
    """What `apply_chat_template` gives, with the tokenizer's side of truncation."""
    made = tokenizer()
    made.truncation_side = side
    return made.apply_chat_template(
        conversation,
        chat_template=template,
        tokenize=True,
        return_dict=True,
        return_assistant_tokens_mask=True,
        **options,
    )


def shown(encoded: Any) -> str:
    """The text, with `_` for every character of ASCII that is not marked."""
    pairs = zip(encoded["input_ids"], encoded["assistant_masks"], strict=True)
    return "".join(tokenizer().decode([token]) if mark else "_" for token, mark in pairs)
