"""Where maskspec keeps data that it was told to fetch or had to build; a file gets there whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from maskspec.corpus._manifest import Package
from maskspec.errors import CorpusError

__all__ = ["data_folder", "kept_file", "write_whole"]

_VARIABLE = "MASKSPEC_DATA"
_READABLE = 0o644


def data_folder() -> Path:
    """Return the user's data folder of maskspec; it need not exist.

    `MASKSPEC_DATA` names it; without, it is `maskspec` in `XDG_DATA_HOME`, which is
    `~/.local/share` where it is not set (`LOCALAPPDATA` on Windows).
    """
    named = os.environ.get(_VARIABLE)
    if named:
        return Path(named).expanduser()
    home = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_DATA_HOME")
    return (Path(home) if home else Path("~/.local/share").expanduser()) / "maskspec"


def kept_file(package: Package, file: str) -> Path:
    """Return where a file of a package is kept; packages and versions have folders of their own."""
    return data_folder() / f"{package.name.replace('/', '+')}-{package.version}" / Path(file).name


def write_whole(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file so that it is there complete or not at all, whatever interrupts.

    Raises:
        CorpusError: the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    except OSError as error:
        raise CorpusError(_unwritable(path, error)) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(chunks)
        temporary.chmod(_READABLE)  # mkstemp lets nobody else read it
        temporary.replace(path)
    except OSError as error:
        raise CorpusError(_unwritable(path, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> str:
    return f"{path} cannot be written: {error.strerror or error}; name another folder with {_VARIABLE}"
