"""Bounds on what a template may spend, because templates are untrusted code.

The sandbox keeps a template away from Python; these limits keep it from
taking the machine's time and memory. Time is checked at every loop iteration
and every operation that can be long; sizes are checked before the string or
list is built.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from maskspec.errors import TemplateLimitExceeded

__all__ = ["Budget", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one rendering may use: `seconds` of wall time, `characters` in any one string, `items` in any one list."""

    seconds: float = 20.0
    characters: int = 32_000_000
    items: int = 1_000_000


class Budget:
    """Limits that are being spent by one rendering."""

    __slots__ = ("_deadline", "characters", "items", "limits")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.characters = limits.characters
        self.items = limits.items
        self._deadline = time.monotonic() + limits.seconds

    def tick(self) -> None:
        """Raise when the time is used up; cheap enough for every loop iteration."""
        if time.monotonic() > self._deadline:
            raise TemplateLimitExceeded(
                f"the template ran longer than {self.limits.seconds:g} seconds; "
                "raise Limits(seconds=…) if that is expected"
            )

    def text(self, characters: int) -> None:
        """Raise when a string of this many characters would be too long."""
        if characters > self.characters:
            raise TemplateLimitExceeded(
                f"the template builds a text of more than {self.characters:,} characters; "
                "raise Limits(characters=…) if that is expected"
            )

    def list(self, items: int) -> None:
        """Raise when a list of this many items would be too long."""
        if items > self.items:
            raise TemplateLimitExceeded(
                f"the template builds a list of more than {self.items:,} items; "
                "raise Limits(items=…) if that is expected"
            )

    def multiply(self, left: Any, right: Any) -> None:
        """Check the size of `left * right` before it is computed."""
        for value, count in ((left, right), (right, left)):
            if not isinstance(count, int):
                continue
            if isinstance(value, str):
                self.text(len(value) * count)
            elif isinstance(value, (list, tuple)):
                self.list(len(value) * count)
            elif isinstance(value, int):
                self.text(int((value.bit_length() + count.bit_length()) * 0.302))

    def power(self, left: Any, right: Any) -> None:
        """Check the size of `left ** right` before it is computed."""
        if isinstance(left, int) and isinstance(right, int) and right > 0:
            self.text(int(left.bit_length() * right * 0.302))

    def widths(self, pattern: str) -> None:
        """Check the field widths and precisions written in a format string."""
        for digits in re.findall(r"\d+", pattern):
            if len(digits) > 3:
                self.text(int(digits[:12]))

    def string_method(self, text: str, name: str, args: Sequence[Any]) -> None:
        """Check the size of the result of a string method before it is called."""
        if name not in _GROWING_METHODS:
            return
        if name == "replace" and len(args) >= 2 and isinstance(args[0], str) and isinstance(args[1], str):
            growth = len(args[1]) - len(args[0])
            if growth > 0:
                self.text(len(text) + growth * text.count(args[0]))
        elif name in _PADDING_METHODS and args and isinstance(args[0], int):
            times = text.count("\t") if name == "expandtabs" else 1
            self.text(args[0] * times)
        elif name == "join" and args and isinstance(args[0], (list, tuple)):
            parts = [part for part in args[0] if isinstance(part, str)]
            self.text(sum(map(len, parts)) + len(text) * len(args[0]))


_GROWING_METHODS = frozenset({"replace", "join", "center", "ljust", "rjust", "zfill", "expandtabs"})
_PADDING_METHODS = frozenset({"center", "ljust", "rjust", "zfill", "expandtabs"})
