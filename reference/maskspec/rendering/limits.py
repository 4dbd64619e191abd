"""Bounds on what a template may spend, because templates are untrusted code.

The sandbox keeps a template away from Python; these limits keep it from
taking the machine's time and memory. Time is checked at every loop iteration,
call and filter. Sizes are checked before a string, list or number is built:
once a single operation of the interpreter has started, nothing can stop it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from itertools import islice
from typing import Any

from maskspec.errors import TemplateLimitExceeded

__all__ = ["Budget", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one rendering may use: `seconds` of wall time, `characters` in any one text, `items` in any one list.

    All texts that a rendering builds along the way may together have forty
    times `characters`; a list or mapping may hold as many characters as a text.
    """

    seconds: float = 20.0
    characters: int = 16_000_000
    items: int = 1_000_000


_TOTAL = 40
"""How many times the longest text all texts together may have. Collecting a long conversation in a variable, turn by
turn, builds it many times over."""

_MOST_BITS = 20_000
"""Of an integer; six thousand digits, more than Python converts to text without being asked."""

_GROWING_METHODS = frozenset(
    {
        "replace",
        "join",
        "split",
        "rsplit",
        "splitlines",
        "translate",
        "center",
        "ljust",
        "rjust",
        "zfill",
        "expandtabs",
    }
)
_PADDING_METHODS = frozenset({"center", "ljust", "rjust", "zfill", "expandtabs"})

_STAR = re.compile(r"(?<!%)(?:%%)*%[-#0 +\d.]*\*")
"""A conversion whose width or precision is one of the values."""


class Budget:
    """Limits that are being spent by one rendering."""

    __slots__ = ("_deadline", "_left", "_weights", "characters", "items", "limits")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.characters = limits.characters
        self.items = limits.items
        self._deadline = time.monotonic() + limits.seconds
        self._left = _TOTAL * limits.characters
        self._weights: dict[int, tuple[int, Any]] = {}

    def tick(self) -> None:
        """Raise when the time is used up; cheap enough for every loop iteration."""
        if time.monotonic() > self._deadline:
            raise TemplateLimitExceeded(
                f"the template ran longer than {self.limits.seconds:g} seconds; "
                "raise Limits(seconds=…) if that is expected"
            )

    def text(self, characters: int) -> None:
        """Count a text of this many characters that is about to be built."""
        self._left -= max(0, characters)
        if characters > self.characters or self._left < 0:
            raise TemplateLimitExceeded(
                f"the template builds texts of more than {self.characters:,} characters; "
                "raise Limits(characters=…) if that is expected"
            )

    def sequence(self, items: int) -> None:
        """Raise when a list of this many items would be too long."""
        if items > self.items:
            raise TemplateLimitExceeded(
                f"the template builds a list of more than {self.items:,} items; "
                "raise Limits(items=…) if that is expected"
            )

    def integer(self, bits: float) -> None:
        """Raise when an integer of this many bits would be too large."""
        if bits > _MOST_BITS:
            raise TemplateLimitExceeded(f"the template computes an integer of more than {_MOST_BITS:,} bits")

    def bounded(self, values: Iterable[Any]) -> list[Any]:
        """A list of the values, of which there may be no more than the limit."""
        if isinstance(values, Sized):
            self.sequence(len(values))
        found = list(islice(values, self.items + 1))
        self.sequence(len(found))
        return found

    # Containers

    def collect(self, container: Any) -> Any:
        """Count a list, tuple or mapping that has just been built, with all that it holds.

        Containers can hold each other many times over, so a small one can stand
        for an endless text. Each is weighed once, from the weights of what it
        holds, and a reference keeps its identity from being reused.
        """
        weight = self._weigh(container)
        self.text(weight)
        self._weights[id(container)] = (weight, container)
        return container

    def weight(self, value: Any) -> int:
        """The number of characters and items in a value."""
        if isinstance(value, str):
            return len(value) + 1
        if isinstance(value, (list, tuple, Mapping)):
            known = self._weights.get(id(value))
            return known[0] if known is not None else self._weigh(value)
        return 1 + value.bit_length() // 3 if isinstance(value, int) else 1

    def _weigh(self, container: Any) -> int:
        members: Iterable[Any] = container
        if isinstance(container, Mapping):
            members = (part for item in container.items() for part in item)
        weight = 1
        for member in members:
            weight += self.weight(member)
        return weight

    def levels(self, value: Any) -> int:
        """How deep the items of a value stand, added up: what indenting each of them repeats."""
        known: dict[int, tuple[int, int]] = {}

        def measure(item: Any) -> tuple[int, int]:
            """How many items there are, itself among them, and how deep they stand."""
            if not isinstance(item, (list, tuple, Mapping)):
                return 1, 0
            if id(item) not in known:
                inner = [measure(member) for member in (item.values() if isinstance(item, Mapping) else item)]
                count = sum(items for items, _ in inner)
                known[id(item)] = (1 + count, count + sum(levels for _, levels in inner))
            return known[id(item)]

        return measure(value)[1]

    # Operators

    def add(self, left: Any, right: Any) -> None:
        """Check the size of `left + right`."""
        if isinstance(left, str) and isinstance(right, str):
            self.text(len(left) + len(right))
        elif isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
            self.sequence(len(left) + len(right))

    def multiply(self, left: Any, right: Any) -> None:
        """Check the size of `left * right`."""
        if isinstance(left, int) and isinstance(right, int):
            self.integer(left.bit_length() + right.bit_length())
            return
        for value, count in ((left, right), (right, left)):
            if isinstance(count, int):
                if isinstance(value, str):
                    self.text(len(value) * count)
                elif isinstance(value, (list, tuple)):
                    self.sequence(len(value) * count)
                    self.text(self.weight(value) * count)

    def power(self, left: Any, right: Any) -> None:
        """Check the size of `left ** right`."""
        if isinstance(left, int) and isinstance(right, int):
            self.integer(left.bit_length() * right)

    # Formatting

    def percent(self, pattern: str, values: Any) -> None:
        """Check the size of `pattern % values`: widths as written or passed, and the values."""
        size = len(pattern) + self.widths(pattern) + self.weight(values)
        if isinstance(values, Mapping):
            size += pattern.count("%") * max(map(self.weight, values.values()), default=0)
        elif isinstance(values, tuple) and _STAR.search(pattern):
            size += sum(abs(value) for value in values if isinstance(value, int))
        self.text(size)

    def widths(self, pattern: str) -> int:
        """The sum of the widths and precisions in a format string or specification."""
        return sum(int(digits[:12]) for digits in re.findall(r"\d+", pattern))

    def string_method(self, text: str, name: str, args: Sequence[Any]) -> None:
        """Check the size of the result of a string method before it is called."""
        if name not in _GROWING_METHODS:
            return
        if name == "replace":
            if len(args) >= 2 and isinstance(args[0], str) and isinstance(args[1], str):
                growth = max(0, len(args[1]) - len(args[0]))
                self.text(len(text) + growth * text.count(args[0]))
        elif name in _PADDING_METHODS:
            size = args[0] if args else 8
            if isinstance(size, int):
                self.text(len(text) + size * (text.count("\t") if name == "expandtabs" else 1))
        elif name == "join":
            parts = args[0] if args else ()
            self.text(sum(len(part) for part in parts if isinstance(part, str)) + len(text) * len(parts))
        elif name == "translate":
            table = args[0] if args else ()
            values = table.values() if isinstance(table, Mapping) else table if isinstance(table, (list, tuple)) else ()
            self.text(len(text) * max((len(value) for value in values if isinstance(value, str)), default=1))
        elif name == "splitlines":
            self.sequence(1 + sum(map(text.count, _LINE_BREAKS)))
        else:
            breaks = (args[0],) if args and isinstance(args[0], str) else _WHITE_SPACE
            self.sequence(1 + sum(map(text.count, breaks)))


_LINE_BREAKS = ("\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
_WHITE_SPACE = (
    *_LINE_BREAKS,
    "\t",
    "\x1f",
    " ",
    "\xa0",
    "\u1680",
    "\u202f",
    "\u205f",
    "\u3000",
    *map(chr, range(0x2000, 0x200B)),
)
