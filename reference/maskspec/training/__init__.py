"""The training check: whether a model that is trained on the labels learns what it should, and nothing else.

The rules of the other families look at labels. This room trains: it builds a small causal language
model, hands it the labels of a masker as a trainer does, and looks at the loss (TRAIN-1), at the
gradient (TRAIN-2), at what the trained model answers and whether it stops (TRAIN-3), and at
deliberately broken ways of training, each of which must be found out (TRAIN-4).

torch, transformers and matplotlib are imported when a check begins, not by importing this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maskspec.training.check import check_training as check_training
    from maskspec.training.problems import TrainingError as TrainingError
    from maskspec.training.records import TrainingReport as TrainingReport
    from maskspec.training.subject import Subject as Subject

_HOMES = {
    "Subject": "maskspec.training.subject",
    "TrainingError": "maskspec.training.problems",
    "TrainingReport": "maskspec.training.records",
    "check_training": "maskspec.training.check",
}

__all__ = ["Subject", "TrainingError", "TrainingReport", "check_training"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'maskspec.training' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
