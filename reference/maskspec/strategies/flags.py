"""Training flags on generated messages: `train`, `weight` and character spans, as bytes say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["flags_of"]

_KINDS: tuple[dict[str, Any] | int, ...] = (
    {},
    {"train": True},
    {"train": False},
    {"train": False},
    {"weight": 1},
    {"weight": 0},
    {"weight": 0},
    {"weight": 0.5},
    {"train": True, "weight": 2},
    1,
    2,
)
"""What a message may ask for: flags, those that switch it off twice as often, or a number of spans."""


def flags_of(code: bytes, content: object) -> dict[str, Any]:
    """The flags that bytes stand for: any kind on any role, spans where the content is text that is not empty."""
    numbers = iter(code)
    kind = _KINDS[next(numbers, 0) % len(_KINDS)]
    if not isinstance(kind, int):
        return dict(kind)
    if not isinstance(content, str) or not content:
        return {}
    return {"spans": list(_spans(numbers, len(content), kind))}


def _spans(numbers: Iterator[int], length: int, wanted: int) -> Iterator[dict[str, Any]]:
    """Spans in order, without overlap."""
    start = 0
    for _ in range(wanted):
        if start < length:
            start += next(numbers, 0) % (length - start)
            end = start + 1 + next(numbers, 0) % (length - start)
            yield {"start": start, "end": end}
            start = end
