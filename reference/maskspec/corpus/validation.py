"""Strict reading of the data files: a misspelt key is an error that names it, never a setting that is silently lost.

A shape says what a table may hold. It is a mapping from key to the shape of the
value: a type, `list` of strings, another mapping for a table inside, or
`TEXTS` for a table of free keys with string values. A key whose name ends in
`?` in the shape may be absent.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from maskspec.errors import CorpusError

__all__ = ["FLAGS", "STRINGS", "TEXTS", "check_table", "read_toml", "suggestion"]

STRINGS = "list of strings"
TEXTS = "table of strings"
FLAGS = "table of booleans"

Shape = Mapping[str, Any]


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x' or 'y'?` for a name that is not among the known ones, or ``""``."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    close = [by_folded[match] for match in difflib.get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.5)]
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises:
        CorpusError: the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path} is not valid TOML: {error}") from error


def check_table(table: object, shape: Shape, *, where: str) -> None:
    """Check one table against its shape.

    `where` names the table in messages ("manifest.toml, pair 'qwen3'").

    Raises:
        CorpusError: a key is unknown, a required key is missing, or a value
            has another type than the shape says.
    """
    if not isinstance(table, Mapping):
        raise CorpusError(f"{where}: a table is needed, got {table!r}")
    kinds = {key.removesuffix("?"): kind for key, kind in shape.items()}
    for key, value in table.items():
        if key not in kinds:
            raise CorpusError(f"{where}: unknown key {key!r}{suggestion(key, kinds)}")
        _check_value(value, kinds[key], where=f"{where}, {key}")
    for key in shape:
        if not key.endswith("?") and key not in table:
            raise CorpusError(f"{where}: the key {key!r} is missing")


def _check_value(value: object, kind: Any, *, where: str) -> None:
    if isinstance(kind, Mapping):
        check_table(value, kind, where=where)
    elif kind == STRINGS:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise CorpusError(f"{where}: a list of strings is needed, got {value!r}")
    elif kind in (TEXTS, FLAGS):
        wanted = str if kind == TEXTS else bool
        if not isinstance(value, Mapping) or not all(isinstance(item, wanted) for item in value.values()):
            raise CorpusError(f"{where}: a {kind} is needed, got {value!r}")
    elif type(value) is not kind:
        raise CorpusError(f"{where}: a value of type {kind.__name__} is needed, got {value!r}")
