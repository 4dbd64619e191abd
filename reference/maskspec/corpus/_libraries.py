"""The optional libraries, imported when first needed; a missing one is an error that says how to install it."""

from __future__ import annotations

import importlib
import os
from typing import Any

from maskspec.errors import MissingPackageError

__all__ = ["SUITE", "need", "transformers_major"]

SUITE = 'python -m pip install "maskspec[suite]"'


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
        raise MissingPackageError(f"{purpose} needs the package {missing!r}; install it with: {SUITE}") from error


def transformers_major() -> int:
    """Return the major version of the installed transformers."""
    return int(need("transformers", purpose="loading a tokenizer").__version__.partition(".")[0])
