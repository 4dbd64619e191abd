"""The suite as other projects meet it: a small protocol for maskers, one function that checks them, and reports."""

from __future__ import annotations

import sys
from types import ModuleType

from maskspec.conformance.decorator import conformance
from maskspec.conformance.harness import PROFILES, Progress, check_masker
from maskspec.conformance.known import KnownFailures
from maskspec.conformance.pairs import default_pairs, find_pair
from maskspec.conformance.protocol import (
    AdapterError,
    Collated,
    Labelled,
    Masker,
    Packed,
    Padding,
    Request,
    Unsupported,
)
from maskspec.conformance.report import Conflict, ExitCode, Failure, PairResult, Report, Tally
from maskspec.conformance.reports import as_jsonl, as_markdown, as_text, save_counterexamples

__all__ = [
    "PROFILES",
    "AdapterError",
    "Collated",
    "Conflict",
    "ExitCode",
    "Failure",
    "KnownFailures",
    "Labelled",
    "Masker",
    "Packed",
    "Padding",
    "PairResult",
    "Progress",
    "Report",
    "Request",
    "Tally",
    "Unsupported",
    "as_jsonl",
    "as_markdown",
    "as_text",
    "check_masker",
    "conformance",
    "default_pairs",
    "find_pair",
    "save_counterexamples",
]


class _Decorator(ModuleType):
    """This package, which can be called: `from maskspec import conformance` finds it under the decorator's name."""

    __call__ = staticmethod(conformance)


sys.modules[__name__].__class__ = _Decorator
