"""The optional libraries, imported when first needed; a missing one is an error that says how to install it.

Whether one is installed, and in which version, is found out without importing
it, so that listing works where nothing optional is installed.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from typing import Any

from maskspec.errors import MissingPackageError

__all__ = ["CORPORA", "FAST", "IN_CORPORA", "SUITE", "lacking", "need", "transformers_major"]

SUITE = 'python -m pip install "maskspec[suite]"'
"""The command that installs every optional library."""

CORPORA = 'python -m pip install "maskspec[corpora]"'
"""The command that installs what the real pairs outside a default run need, as far as pip has it."""

FAST = ("transformers", "tokenizers")
"""The modules that every fast tokenizer needs."""

IN_CORPORA = ("splintr",)
"""The modules that the extra `corpora` brings, and `suite` does not."""

_PACKAGES = {"google.protobuf": "protobuf"}
_NEWEST_MAJOR = 5


def lacking(modules: Iterable[str]) -> tuple[str, ...]:
    """Return the packages of those modules that are not installed; nothing is imported."""
    return tuple(_PACKAGES.get(module, module) for module in modules if not _importable(module))


def _importable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def need(module: str, *, purpose: str) -> Any:
    """Import and return a module.

    Raises:
        MissingPackageError: it is not installed; the message names `purpose`
            and the command that installs it.
    """
    if module.partition(".")[0] == "transformers":
        # It warns on import where torch is missing; masks need none.
        os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).partition(".")[0]
        command = CORPORA if missing in IN_CORPORA else SUITE
        raise MissingPackageError(f"{purpose} needs the package {missing!r}; install it with: {command}") from error


@cache
def transformers_major() -> int:
    """Return the major version of the installed transformers; where none is, of the one that would be installed."""
    try:
        return int(metadata.version("transformers").partition(".")[0])
    except metadata.PackageNotFoundError:
        return _NEWEST_MAJOR
