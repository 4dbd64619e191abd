"""The conversations that oracles and reference are asked: the fixed shapes of a pair, and generated ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from maskspec.corpus import Pair
from maskspec.shapes import shapes_for_pair, traits_of_pair
from maskspec.strategies.sampling import sample_traits
from tests.oracles.harness import Asked

SEED = 20250101
_FLAGS = ("train", "weight", "spans")


def fixed(pair: Pair) -> list[Asked]:
    """The fixed shapes that a pair's template renders, without training flags."""
    return [
        Asked(
            shape.name,
            [{key: value for key, value in message.items() if key not in _FLAGS} for message in shape.messages],
            shape.tools,
        )
        for shape in shapes_for_pair(pair, flags=False)
    ]


def generated(pair: Pair, examples: int) -> list[Asked]:
    """Random conversations for a pair, always the same ones; template variables keep their defaults."""
    traits = replace(traits_of_pair(pair), variables=())
    found = sample_traits(traits, flags=False, examples=examples, seed=SEED)
    return [Asked(f"generated {number}", each.messages, each.tools) for number, each in enumerate(found)]


def text_of(content: Any) -> str:
    """Content as one text: of a list of parts, the texts one after the other."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def texts_of(conversation: Asked) -> list[str]:
    """Every text of the messages, with those inside calls."""
    found: list[str] = []

    def collect(value: Any) -> None:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                collect(key)
                collect(item)
        elif isinstance(value, Sequence):
            for item in value:
                collect(item)

    collect(list(conversation.messages))
    collect(list(conversation.tools or ()))
    return found
