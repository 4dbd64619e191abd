"""Locks on files, which tell processes apart and which the system takes back when a process ends, however it ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

__all__ = ["claimed", "lock"]

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows, where processes of one run do some work twice, and two runs must not share a journal
    fcntl = None


def lock(file: int, *, shared: bool = False) -> bool:
    """Lock an open file until it is closed; False where another process has it. Always True without such locks."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Whether no other process is making the file `path`; while this lasts, none is told so but this one.

    Who claims has to look once more whether the file is there: another process may have made it just before.
    """
    if fcntl is None:
        yield True
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.lock")
    file = os.open(beside, os.O_RDWR | os.O_CREAT, 0o644)
    mine = lock(file)
    try:
        yield mine
    finally:
        if mine:
            beside.unlink(missing_ok=True)
            fcntl.flock(file, fcntl.LOCK_UN)  # also in children that the adapter left behind
        os.close(file)
