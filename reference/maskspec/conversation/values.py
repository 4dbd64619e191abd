"""Plain JSON data, checked once and frozen, because a conversation is a value and not a place.

Everything that a message carries is JSON-like. `freeze` accepts exactly that,
names the field of anything else, and returns an immutable copy; `thaw` gives
back fresh lists and dicts for a template, a file or a caller to do with as they please.
"""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from maskspec.errors import ConversationError

__all__ = [
    "FrozenMapping",
    "checked_text",
    "described",
    "field_name",
    "freeze",
    "identity",
    "listed",
    "shown",
    "thaw",
]

# Deeper data is a cycle or an attack: the deepest tool schemas in the wild nest some twenty levels.
_MAX_DEPTH = 100
# Python refuses to write integers of more than 4,300 digits as text (14,284 bits), and so would every template.
_MAX_INTEGER_BITS = 14_284

Path = tuple[str | int, ...]


class FrozenMapping(Mapping[str, Any]):
    """An immutable JSON object: ordered as written, hashable, equal to any mapping with the same items."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        self._items: dict[str, Any] = dict(items)

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return f"FrozenMapping({self._items!r})"


def freeze(value: object, path: Path) -> Any:
    """Return an immutable copy of JSON-like data: lists become tuples, objects become `FrozenMapping`.

    `path` names the place of `value` inside its message for errors. Subclasses of
    str, int and float (enumerations, numpy's float64) become the plain type, as
    transformers does before a template sees them. Raises ConversationError for any
    other type, for NaN and infinities, for keys that are not text, for lone
    surrogates, and for data nested more than 100 levels deep.
    """
    if isinstance(value, str):
        return checked_text(value, path)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if value.bit_length() > _MAX_INTEGER_BITS:
            raise ConversationError("holds a number of more than 4300 digits; write it as text", field=field_name(path))
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConversationError(
                f"holds {float(value)!r}, which JSON cannot write; use null, text or a finite number",
                field=field_name(path),
            )
        return float(value)
    if len(path) > _MAX_DEPTH:
        raise ConversationError(
            f"holds data nested more than {_MAX_DEPTH} levels deep (or data that contains itself); flatten it",
            field=field_name(path[:1]),
        )
    if isinstance(value, Mapping):
        return FrozenMapping((_key(key, path), freeze(item, (*path, key))) for key, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(freeze(item, (*path, index)) for index, item in enumerate(value))
    raise ConversationError(
        f"holds {described(value)}, which is not JSON data; convert it to text, numbers, lists and objects first",
        field=field_name(path),
    )


def _key(key: object, path: Path) -> str:
    if isinstance(key, str):
        return checked_text(key, (*path, "(a key)"))
    raise ConversationError(f"holds the key {shown(key)}, {described(key)}; keys are text", field=field_name(path))


def checked_text(text: str, path: Path) -> str:
    """Return `text` as a plain str, or raise ConversationError naming the offset of a character UTF-8 cannot encode."""
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ConversationError(
                f"holds the lone surrogate U+{ord(text[error.start]):04X} at character {error.start}; "
                "no tokenizer can encode it, so replace it (with U+FFFD) or repair the text where it was read",
                field=field_name(path),
            ) from None
    return text if type(text) is str else str.__str__(text)


def thaw(value: Any) -> Any:
    """Return frozen data as fresh lists and dicts."""
    if isinstance(value, FrozenMapping):
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [thaw(item) for item in value]
    return value


def identity(plain: object) -> str:
    """Return the text that two pieces of plain data share exactly when every template prints them alike.

    Stricter than `==`: True, 1 and 1.0 print differently, and so do objects whose keys stand in another order.
    """
    return json.dumps(plain, ensure_ascii=False)


def field_name(path: Path) -> str | None:
    """Write a path as `tool_calls[0].function.name`; None for the message itself."""
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else str(part)
    return name or None


def described(value: object) -> str:
    """Say in words what kind of JSON value (or Python object) this is."""
    names = {str: "a string", bool: "a boolean", int: "a number", float: "a number", type(None): "null"}
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    return names.get(type(value), f"a {type(value).__name__}")


def shown(value: object) -> str:
    """Show a value in an error: short, on one line, and printable whatever it holds."""
    return reprlib.repr(value)


def listed(keys: Iterable[object]) -> str:
    """List the keys that were seen, or say that there are none."""
    names = [shown(key) for key in keys]
    return ", ".join(names[:12]) + (", …" if len(names) > 12 else "") if names else "none"
