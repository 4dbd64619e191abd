"""transformers by its own entry point and nothing of maskspec: a conversation in, marked tokens out."""

from __future__ import annotations

from functools import cache
from typing import Any

from tests.peers.alone import byte_level, needs

needed = needs("transformers", "5.23.0")

TEMPLATE = (
    "{% for message in messages %}"
    "{% if message.role == 'assistant' %}{% generation %}{{ message.content + '.' }}{% endgeneration %}"
    "{% else %}{{ message.content + '?' }}{% endif %}{% endfor %}"
)


@cache
def tokenizer() -> Any:
    """A tokenizer whose tokens are the bytes of UTF-8."""
    return byte_level()


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
