"""A string that remembers, for every character, where it came from.

`TracedText` is a `str` whose every text-preserving operation also moves the
origins. Operations that it does not follow exactly fall back to attributing
the whole result to the main source; the text is always the one that `str`
would give, because `str` computes it.

Attributes and helper functions are underscored or live outside the class:
templates can see the public attributes of their values, and must see exactly
those of `str`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, SupportsIndex

from maskspec.rendering.origins import PENDING_LITERAL, Origin, OriginKind, Run

__all__ = [
    "TracedFloat",
    "TracedInteger",
    "TracedText",
    "coarse",
    "concatenate",
    "cut",
    "make_traced",
    "percent",
    "runs_of",
    "sole_owner",
    "strings_within",
]

Runs = tuple[Run, ...]

_MOST_RUNS = 100_000
"""A repeated text with more runs than this is attributed coarsely: memory matters more than its detail."""


def runs_of(text: str) -> Runs:
    """The runs of a string; a plain one is a template literal without an owner yet."""
    if isinstance(text, TracedText):
        return text._runs
    return ((len(text), PENDING_LITERAL, None),) if text else ()


def make_traced(text: str, runs: Runs) -> TracedText:
    """A traced string with the given runs, whose lengths must add up to the text's."""
    traced = _new(TracedText, text)
    traced._runs = runs
    traced._settled = -1
    return traced


_new = str.__new__


def cut(runs: Runs, start: int, end: int) -> Runs:
    """The runs of the characters from `start` to `end`."""
    if len(runs) == 1:
        length, origin, offset = runs[0]
        if end <= start:
            return ()
        return ((end - start, origin, None if offset is None else offset + start),)
    result: list[Run] = []
    position = 0
    for length, origin, offset in runs:
        following = position + length
        if following > start:
            if position >= end:
                break
            first = start - position if start > position else 0
            last = end - position if end < following else length
            if last > first:
                result.append((last - first, origin, None if offset is None else offset + first))
        position = following
    return tuple(result)


def main_origin(texts: Iterable[Any]) -> Origin:
    """The origin that contributes most characters to the traced strings among the values."""
    weights: dict[Origin, int] = {}
    for text in texts:
        if isinstance(text, TracedText):
            for length, origin, _ in text._runs:
                if origin.kind is not OriginKind.LITERAL:
                    weights[origin] = weights.get(origin, 0) + length
    return max(weights, key=weights.__getitem__) if weights else PENDING_LITERAL


def coarse(result: str, *inputs: Any) -> TracedText:
    """Attribute a computed string to what it was computed from, as finely as can be known without guessing.

    Where an input survives whole inside the result, its origins are kept and
    the text around it is a literal; otherwise all of the result belongs to the
    main source.
    """
    for candidate in inputs:
        if isinstance(candidate, TracedText) and candidate:
            for kept in (candidate, candidate.strip()):
                position = result.find(kept) if kept else -1
                if position >= 0 and isinstance(kept, TracedText):
                    runs: list[Run] = []
                    if position:
                        runs.append((position, PENDING_LITERAL, None))
                    runs.extend(kept._runs)
                    rest = len(result) - position - len(kept)
                    if rest:
                        runs.append((rest, PENDING_LITERAL, None))
                    return make_traced(result, tuple(runs))
    return make_traced(result, ((len(result), main_origin(inputs), None),) if result else ())


def concatenate(parts: Sequence[str]) -> TracedText:
    """The parts one after the other."""
    runs: list[Run] = []
    for part in parts:
        runs.extend(runs_of(part))
    return make_traced("".join(parts), tuple(runs))


def strings_within(value: Any) -> Iterator[TracedText]:
    """Every traced string inside a value."""
    if isinstance(value, TracedText):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from strings_within(key)
            yield from strings_within(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from strings_within(item)


def sole_owner(text: object) -> int | None:
    """The message that every character of the text was copied from, or None."""
    if type(text) is not TracedText or not text._runs:
        return None
    owner = text._runs[0][1].message
    for _, origin, _ in text._runs:
        if origin.kind is not OriginKind.MESSAGE or origin.message != owner:
            return None
    return owner


class TracedText(str):
    """A `str` with runs of origins, one per stretch of characters.

    `_settled` is the message that owns every run, once that is known, else -1.
    """

    __slots__ = ("_runs", "_settled")
    _runs: Runs
    _settled: int

    def __new__(cls, value: object = "", *args: Any) -> TracedText:
        text = str(value, *args) if args else str(value)
        traced = str.__new__(cls, text)
        traced._runs = runs_of(text)
        traced._settled = -1
        return traced

    def __str__(self) -> str:
        return self

    def __format__(self, specification: str) -> str:
        if not specification:
            return self
        return coarse(str.__format__(self, specification), self)

    def __reduce__(self) -> Any:
        return (str, (str.__str__(self),))

    def __add__(self, other: str) -> str:
        text = str.__add__(self, other)
        return make_traced(text, self._runs + runs_of(other))

    def __radd__(self, other: str) -> str:
        return make_traced(str.__add__(other, self), runs_of(other) + self._runs)

    def __mul__(self, count: SupportsIndex) -> str:
        text = str.__mul__(self, count)
        if len(self._runs) * int(count) > _MOST_RUNS:
            return make_traced(text, ((len(text), main_origin((self,)), None),))
        return make_traced(text, self._runs * int(count))

    def __rmul__(self, count: SupportsIndex) -> str:
        return self.__mul__(count)

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        text = str.__getitem__(self, key)
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step == 1:
                return make_traced(text, cut(self._runs, start, stop))
            positions = range(start, stop, step)
        else:
            index = key.__index__()
            positions = range(index, index + 1) if index >= 0 else range(len(self) + index, len(self) + index + 1)
        runs: list[Run] = []
        for position in positions:
            runs.extend(cut(self._runs, position, position + 1))
        return make_traced(text, tuple(runs))

    def __iter__(self) -> Iterator[str]:
        for position, character in enumerate(str.__iter__(self)):
            yield make_traced(character, cut(self._runs, position, position + 1))

    def _part(self, start: int, end: int) -> TracedText:
        return make_traced(str.__getitem__(self, slice(start, end)), cut(self._runs, start, end))

    def strip(self, characters: str | None = None) -> str:
        return self._stripped(str.lstrip(self, characters), str.strip(self, characters))

    def lstrip(self, characters: str | None = None) -> str:
        text = str.lstrip(self, characters)
        return self._stripped(text, text)

    def rstrip(self, characters: str | None = None) -> str:
        return self._stripped(self, str.rstrip(self, characters))

    def _stripped(self, left_stripped: str, text: str) -> str:
        if len(text) == len(self):
            return self
        start = len(self) - len(left_stripped)
        return make_traced(text, cut(self._runs, start, start + len(text)))

    def removeprefix(self, prefix: str) -> str:
        return self._part(len(prefix), len(self)) if prefix and self.startswith(prefix) else self

    def removesuffix(self, suffix: str) -> str:
        return self._part(0, len(self) - len(suffix)) if suffix and self.endswith(suffix) else self

    def _located(self, parts: Iterable[str]) -> list[str]:
        """Give origins to parts that occur in this order in the text."""
        result: list[str] = []
        position = 0
        for part in parts:
            start = str.find(self, part, position)
            position = start + len(part)
            result.append(make_traced(part, cut(self._runs, start, position)))
        return result

    def _separated(self, parts: list[str], separator: str) -> list[str]:
        result: list[str] = []
        position = 0
        for part in parts:
            following = position + len(part)
            result.append(make_traced(part, cut(self._runs, position, following)))
            position = following + len(separator)
        return result

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        parts = str.split(self, sep, maxsplit)
        return self._located(parts) if sep is None else self._separated(parts, sep)

    def rsplit(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        parts = str.rsplit(self, sep, maxsplit)
        return self._located(parts) if sep is None else self._separated(parts, sep)

    def splitlines(self, keepends: bool = False) -> list[str]:
        lines: list[str] = []
        position = 0
        for kept, shown in zip(str.splitlines(self, True), str.splitlines(self, keepends), strict=True):
            lines.append(make_traced(shown, cut(self._runs, position, position + len(shown))))
            position += len(kept)
        return lines

    def partition(self, sep: str) -> tuple[str, str, str]:
        before, _, _ = str.partition(self, sep)
        return self._parted(len(before), sep) if len(before) < len(self) else (self, "", "")

    def rpartition(self, sep: str) -> tuple[str, str, str]:
        before, found, _ = str.rpartition(self, sep)
        return self._parted(len(before), sep) if found else ("", "", self)

    def _parted(self, position: int, separator: str) -> tuple[str, str, str]:
        following = position + len(separator)
        return self._part(0, position), self._part(position, following), self._part(following, len(self))

    def replace(self, old: str, new: str, count: SupportsIndex = -1) -> str:
        text = str.replace(self, old, new, count)
        if not old:
            return coarse(text, self, new)
        remaining = int(count)
        pieces: list[str] = []
        position = 0
        while remaining:
            found = str.find(self, old, position)
            if found < 0:
                break
            pieces.append(self._part(position, found))
            pieces.append(new)
            position = found + len(old)
            remaining -= 1
        if not pieces:
            return self
        pieces.append(self._part(position, len(self)))
        return concatenate(pieces)

    def join(self, parts: Iterable[str]) -> str:
        pieces: list[str] = []
        for part in parts:
            if pieces and self:
                pieces.append(self)
            pieces.append(part)
        return concatenate(pieces)

    def _mapped(self, text: str, convert: Callable[[str], str]) -> str:
        """Origins after a change of case, which can lengthen single characters."""
        if len(text) == len(self):
            return make_traced(text, self._runs)
        lengths = [len(convert(character)) for character in str.__iter__(self)]
        runs: list[Run] = []
        for position, length in enumerate(lengths):
            for _, origin, offset in cut(self._runs, position, position + 1):
                runs.extend([(1, origin, offset)] * length)
        return make_traced(text, tuple(runs))

    def lower(self) -> str:
        return self._mapped(str.lower(self), str.lower)

    def upper(self) -> str:
        return self._mapped(str.upper(self), str.upper)

    def casefold(self) -> str:
        return self._mapped(str.casefold(self), str.casefold)

    def swapcase(self) -> str:
        return self._mapped(str.swapcase(self), str.swapcase)

    def title(self) -> str:
        return self._recased(str.title(self))

    def capitalize(self) -> str:
        return self._recased(str.capitalize(self))

    def _recased(self, text: str) -> str:
        return make_traced(text, self._runs) if len(text) == len(self) else coarse(text, self)

    def center(self, width: SupportsIndex, fillchar: str = " ") -> str:
        return coarse(str.center(self, width, fillchar), self)

    def ljust(self, width: SupportsIndex, fillchar: str = " ") -> str:
        return coarse(str.ljust(self, width, fillchar), self)

    def rjust(self, width: SupportsIndex, fillchar: str = " ") -> str:
        return coarse(str.rjust(self, width, fillchar), self)

    def zfill(self, width: SupportsIndex) -> str:
        return coarse(str.zfill(self, width), self)

    def expandtabs(self, tabsize: SupportsIndex = 8) -> str:
        return coarse(str.expandtabs(self, tabsize), self)

    def translate(self, table: Any) -> str:
        return coarse(str.translate(self, table), self)

    def __mod__(self, values: Any) -> str:
        return percent(self, values)


_CONVERSION = re.compile(r"%(?:\((?P<name>[^)]*)\))?[-#0 +]*\d*(?:\.\d*)?[hlL]?(?P<kind>[a-zA-Z%])")


def percent(pattern: str, values: Any, as_text: Callable[[Any], str] = str) -> str:
    """`pattern % values`, with the origins of pattern and values; `as_text` is how a plain `%s` writes a value."""
    text = str.__mod__(pattern, values)
    traced = make_traced(pattern, runs_of(pattern))
    remaining = list(values) if isinstance(values, tuple) else [values]
    pieces: list[str] = []
    position = 0
    for found in _CONVERSION.finditer(pattern):
        pieces.append(traced._part(position, found.start()))
        position = found.end()
        if found["kind"] == "%":
            pieces.append("%")
            continue
        if found["name"] is None:
            value = remaining.pop(0)
            piece = str.__mod__(found.group(), (value,))
        else:
            value = values[found["name"]]
            piece = str.__mod__(found.group(), values)
        if found.group().endswith(("%s", ")s")) and isinstance(value, (dict, list, tuple)):
            pieces.append(as_text(value))
            continue
        pieces.append(coarse(piece, *strings_within(value if isinstance(value, (str, dict, list)) else str(value))))
    pieces.append(traced._part(position, len(traced)))
    result = concatenate(pieces)
    inputs = values if isinstance(values, tuple) else (values,)
    return result if result == text else coarse(text, *inputs, pattern)


class TracedInteger(int):
    """An integer of a message whose digits keep their origin when it is printed."""

    _origin: Origin

    def __str__(self) -> str:
        return _number(int.__repr__(self), self._origin)

    __repr__ = __str__

    def __format__(self, specification: str) -> str:
        return _number(int.__format__(self, specification), self._origin)


class TracedFloat(float):
    """A float of a message whose digits keep their origin when it is printed."""

    _origin: Origin

    def __str__(self) -> str:
        return _number(float.__repr__(self), self._origin)

    __repr__ = __str__

    def __format__(self, specification: str) -> str:
        return _number(float.__format__(self, specification), self._origin)


def _number(text: str, origin: Origin) -> TracedText:
    return make_traced(text, ((len(text), origin, None),))
