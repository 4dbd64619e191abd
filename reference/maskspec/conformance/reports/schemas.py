"""The JSON Schemas of everything that maskspec stores: found by name, for whoever wants to validate a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from maskspec.data import data_path
from maskspec.errors import UsageError

__all__ = ["SCHEMAS", "load_schema"]

SCHEMAS: tuple[str, ...] = (
    "case",
    "conflict",
    "counterexample",
    "findings",
    "journal",
    "pair-result",
    "report",
    "training-report",
)
"""The names of the schemas in `spec/schemas/`; each is JSON Schema 2020-12 and has an `$id` that others refer to."""


@cache
def load_schema(name: str) -> Mapping[str, Any]:
    """Return one schema as data. `report` describes one line of a saved report.

    Raises:
        UsageError: there is no schema of that name.
    """
    if name not in SCHEMAS:
        raise UsageError(f"there is no schema {name!r}; known are {', '.join(SCHEMAS)}")
    schema: Mapping[str, Any] = json.loads(data_path("spec", "schemas", f"{name}.schema.json").read_text("utf-8"))
    return schema
