"""Arguments that match a tool's schema, and results.

As with texts, the arguments of one call are a few bytes, read from left to right, where
zeros give the smallest arguments.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from maskspec.strategies.pieces import Piece, spell

__all__ = ["arguments", "fresh", "result_text"]


_INTEGERS = (0, 1, -1, 42, 2**53)
_NUMBERS = (0, 0.5, -1.25, 100000.0, 3)
_DEEPEST = 4


def arguments(schema: Mapping[str, Any], code: bytes, pieces: Sequence[Piece]) -> dict[str, Any]:
    """Arguments for a call of the function that a schema describes; required ones always, the others by the bytes."""
    function = schema.get("function", schema)
    return _object(function.get("parameters", {}), iter(code), pieces, 0)


def _object(schema: Mapping[str, Any], numbers: Iterator[int], pieces: Sequence[Piece], depth: int) -> dict[str, Any]:
    required = schema.get("required", ())
    filled: dict[str, Any] = {}
    for name, of in schema.get("properties", {}).items():
        if name in required or next(numbers, 0) % 2 == 1:
            filled[name] = _value(of, numbers, pieces, depth + 1)
    if schema.get("additionalProperties") is True and next(numbers, 0) % 2 == 1:
        filled[_text(numbers, pieces)] = _text(numbers, pieces)
    return filled


def _value(schema: Mapping[str, Any], numbers: Iterator[int], pieces: Sequence[Piece], depth: int) -> Any:
    for alternatives in ("anyOf", "oneOf"):
        if alternatives in schema:
            options = schema[alternatives]
            return _value(options[next(numbers, 0) % len(options)], numbers, pieces, depth)
    if "enum" in schema:
        return schema["enum"][next(numbers, 0) % len(schema["enum"])]
    kind = schema.get("type", "string")
    if isinstance(kind, list):
        kind = kind[next(numbers, 0) % len(kind)]
    if kind == "object":
        return _object(schema, numbers, pieces, depth)
    if kind == "array":
        length = 0 if depth > _DEEPEST else next(numbers, 0) % 3
        return [_value(schema["items"], numbers, pieces, depth + 1) for _ in range(length)]
    if kind == "string":
        return _text(numbers, pieces)
    if kind == "null":
        return None
    number = next(numbers, 0)
    if kind == "boolean":
        return number % 2 == 1
    return (_INTEGERS if kind == "integer" else _NUMBERS)[number % 5]


def _text(numbers: Iterator[int], pieces: Sequence[Piece]) -> str:
    return spell(bytes([next(numbers, 0)]), pieces)


def result_text(text: str, *, as_object: bool) -> str:
    """The result of a tool: plain text, or an object as JSON text that holds it."""
    return json.dumps({"result": text, "code": [0, None]}, ensure_ascii=False) if as_object else text


def fresh(value: Any) -> Any:
    """A copy of plain data that shares no list and no dict with the original."""
    if isinstance(value, dict):
        return {key: fresh(item) for key, item in value.items()}
    if isinstance(value, list):
        return [fresh(item) for item in value]
    return value
