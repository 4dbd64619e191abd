"""JSON that every parser takes: one line, ASCII only, no NaN, no objects of other libraries.

A conversation may hold what is legal in Python and in no file: a lone surrogate, an
infinite number, an array. Reports are read by other programs, in browsers too, so such
values become text here, in one place.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

__all__ = ["one_line", "plain", "readable"]


def plain(value: Any) -> Any:
    """The value as data that JSON can express; what it cannot becomes its text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value)


def one_line(value: Any) -> str:
    """The value as one line of ASCII, so that no program sees a line end inside a record."""
    return json.dumps(plain(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def readable(value: Any, *, indent: int | None = None) -> str:
    """The value for people: other scripts stay readable, unless the text could not be stored as UTF-8."""
    data = plain(value)
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(data, ensure_ascii=True, allow_nan=False, indent=indent)
    return text
