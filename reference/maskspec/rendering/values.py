"""How values that are not strings become text: JSON for `tojson`, Python's own notation for `{{ value }}`.

Both are written here a second time because the standard encoders return plain
strings. Each result is compared with the standard encoder's; when they differ
the standard text is used, with coarse origins.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any

from maskspec.rendering.origins import PENDING_LITERAL, Origin, Run
from maskspec.rendering.trace import Trace
from maskspec.rendering.traced import (
    TracedFloat,
    TracedInteger,
    TracedText,
    coarse,
    make_traced,
    runs_of,
    strings_within,
)

__all__ = ["json_text", "python_text"]


class _Writer:
    """Pieces of text with their origins."""

    def __init__(self, quote: Callable[[str], str]) -> None:
        self.quote = quote
        self.pieces: list[str] = []
        self.runs: list[Run] = []

    def literal(self, text: str) -> None:
        if text:
            self.pieces.append(text)
            self.runs.append((len(text), PENDING_LITERAL, None))

    def value(self, text: str, origin: Origin | None) -> None:
        self.pieces.append(text)
        self.runs.append((len(text), origin or PENDING_LITERAL, None))

    def string(self, text: str) -> None:
        """A quoted string: the quotes are literals, each escape belongs to the character it stands for."""
        quoted = self.quote(text)
        inner = quoted[1:-1]
        self.literal(quoted[:1])
        if inner:
            self.pieces.append(inner)
            if len(inner) == len(text):
                self.runs.extend(runs_of(text))
            else:
                self.runs.extend(self._escaped_runs(text, len(inner)))
        self.literal(quoted[-1:])

    def _escaped_runs(self, text: str, total: int) -> list[Run]:
        runs: list[Run] = []
        lengths = [len(self.quote(character)) - 2 for character in str.__iter__(text)]
        if sum(lengths) != total:
            return list(coarse("x" * total, text)._runs)
        position = 0
        for length, origin, offset in runs_of(text):
            for step in range(length):
                at = None if offset is None else offset + step
                runs.extend([(1, origin, at)] * lengths[position])
                position += 1
        return runs

    def finish(self) -> TracedText:
        return make_traced("".join(self.pieces), tuple(self.runs))


def json_text(
    trace: Trace,
    value: Any,
    *,
    ensure_ascii: bool,
    indent: int | str | None,
    separators: tuple[str, str] | None,
    sort_keys: bool,
) -> str:
    """What `json.dumps` gives for the value, with origins."""
    text = json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    writer = _Writer(encode_basestring_ascii if ensure_ascii else encode_basestring)
    comma, colon = separators or ((", ", ": ") if indent is None else (",", ": "))
    step = None if indent is None else indent if isinstance(indent, str) else " " * indent

    def write(item: Any, origin: Origin | None, depth: int) -> None:
        if isinstance(item, str):
            writer.string(item)
        elif isinstance(item, (TracedInteger, TracedFloat)):
            writer.value(json.dumps(item), item._origin)
        elif isinstance(item, (Mapping, list, tuple)):
            write_container(item, trace.container(item) or origin, depth)
        else:
            writer.value(json.dumps(item), origin)

    def write_container(item: Any, origin: Origin | None, depth: int) -> None:
        opening, closing = "{}" if isinstance(item, Mapping) else "[]"
        writer.literal(opening)
        members = list(item.items()) if isinstance(item, Mapping) else list(enumerate(item))
        if isinstance(item, Mapping) and sort_keys:
            members.sort()
        for position, (key, member) in enumerate(members):
            if position:
                writer.literal(comma)
            if step is not None:
                writer.literal("\n" + step * (depth + 1))
            if isinstance(item, Mapping):
                if isinstance(key, str):
                    writer.string(key)
                else:
                    writer.value(json.dumps({key: 0})[1:-4], None)
                writer.literal(colon)
            inner = None if origin is None else Origin(origin.kind, origin.message, (*origin.path, key))
            write(member, inner, depth + 1)
        if step is not None and members:
            writer.literal("\n" + step * depth)
        writer.literal(closing)

    write(value, None, 0)
    result = writer.finish()
    return result if result == text else coarse(text, *strings_within(value))


def python_text(trace: Trace, value: Any) -> str:
    """What `str()` gives for a value that is not a string, with origins."""
    text = str(value)
    if not isinstance(value, (dict, list, tuple)):
        return text
    writer = _Writer(repr)

    def write(item: Any, origin: Origin | None) -> None:
        if isinstance(item, str):
            writer.string(item)
        elif isinstance(item, (TracedInteger, TracedFloat)):
            writer.value(str(item), item._origin)
        elif isinstance(item, (dict, list, tuple)):
            origin = trace.container(item) or origin
            writer.literal("{" if isinstance(item, dict) else "[" if isinstance(item, list) else "(")
            members = item.items() if isinstance(item, dict) else enumerate(item)
            for position, (key, member) in enumerate(members):
                if position:
                    writer.literal(", ")
                if isinstance(item, dict):
                    write(key, None)
                    writer.literal(": ")
                write(member, origin and Origin(origin.kind, origin.message, (*origin.path, key)))
            writer.literal("}" if isinstance(item, dict) else "]" if isinstance(item, list) else ")")
        else:
            writer.value(repr(item), origin)

    write(value, None)
    result = writer.finish()
    return result if result == text else coarse(text, *strings_within(value))
