"""Folders that stand for a model, for maskers that look into the model's configuration before they look at a text."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path

__all__ = ["model_folder"]

_KEPT: list[tempfile.TemporaryDirectory[str]] = []


@cache
def model_folder(kind: str) -> str:
    """The path of a folder whose `config.json` names this `model_type`; it is kept as long as the process runs."""
    folder = tempfile.TemporaryDirectory(prefix="maskspec-")
    _KEPT.append(folder)
    Path(folder.name, "config.json").write_text(json.dumps({"model_type": kind}), encoding="utf-8")
    return folder.name
