"""The conversations that oracles and reference are asked: the fixed shapes of a pair, and random ones made for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from maskspec.corpus import Pair
from maskspec.shapes import shapes_for_pair, traits_of_pair
from maskspec.strategies.sampling import sample_traits

SEED = 20250101
_FLAGS = ("train", "weight", "spans")
_AT_ONCE = 500


def user(text: str) -> dict[str, Any]:
    """A message by the user."""
    return {"role": "user", "content": text}


def assistant(text: str, **more: Any) -> dict[str, Any]:
    """An answer, with further fields."""
    return {"role": "assistant", "content": text, **more}


@dataclass(frozen=True, slots=True)
class Asked:
    """One conversation of a comparison."""

    name: str
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] | None = None

    def fresh(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]] | None]:
        """Messages and tools as new plain data."""
        tools = None if self.tools is None else [dict(tool) for tool in deepcopy(self.tools)]
        return [dict(message) for message in deepcopy(self.messages)], tools

    def changed(self, messages: Sequence[Mapping[str, Any]]) -> Asked:
        """The same with other messages."""
        return Asked(self.name, messages, self.tools)


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


def generated(pair: Pair, examples: int, *, seed: int = SEED) -> list[Asked]:
    """Random conversations for a pair, always the same ones; template variables keep their defaults."""
    traits = replace(traits_of_pair(pair), variables=())
    found = sample_traits(traits, flags=False, examples=examples, seed=seed)
    return [Asked(f"generated {number}", each.messages, each.tools) for number, each in enumerate(found)]


def drawn(pair: Pair, most: int) -> Iterator[Asked]:
    """Random conversations for a pair, always the same ones, drawn as they are asked for."""
    for start in range(0, most, _AT_ONCE):
        yield from generated(pair, min(_AT_ONCE, most - start), seed=SEED + start)


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
