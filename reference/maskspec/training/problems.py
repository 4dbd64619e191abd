"""What keeps a training check from being carried out: the error, the libraries that are missing, a full memory.

None of this says anything about a masker. A masker that is wrong makes a report with failed
measurements; an error says that there is nothing to report, and what to do about it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from maskspec.errors import MaskspecError, MissingPackageError

__all__ = ["INSTALL", "TrainingError", "reporting_memory", "require_libraries"]

INSTALL = 'python -m pip install "maskspec[suite,train]"'
"""The command that installs what the training check needs."""


class TrainingError(MaskspecError):
    """The training check could not be carried out; the message names what stood in its way and the remedy."""


def require_libraries(*names: str) -> None:
    """Refuse to begin without the libraries of the extras `suite` and `train`.

    Raises:
        MissingPackageError: one of them is not installed.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingPackageError(f"the training check needs {', '.join(missing)}; install with: {INSTALL}")


@contextmanager
def reporting_memory(device: str, doing: str) -> Iterator[None]:
    """Turns a device without room into an error that says what to do.

    Raises:
        TrainingError: memory ran out inside.
    """
    import torch

    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise TrainingError(_full(device, doing)) from error
    except RuntimeError as error:
        # The allocator of the processor raises no class of its own.
        if "DefaultCPUAllocator" not in str(error) and "out of memory" not in str(error):
            raise
        raise TrainingError(_full(device, doing)) from error


def _full(device: str, doing: str) -> str:
    return (
        f"the memory of {device!r} is not enough for {doing}; use --size small, "
        "a vocabulary with fewer tokens, or a device with more memory that nothing else uses"
    )
