"""The suite as other projects meet it: a small protocol for maskers, one function that checks them, and reports."""

from __future__ import annotations

from maskspec.conformance.harness import PROFILES, Progress, check_masker
from maskspec.conformance.pairs import default_pairs, find_pair
from maskspec.conformance.protocol import AdapterError, Labelled, Masker, Request, Unsupported
from maskspec.conformance.report import Conflict, ExitCode, Failure, PairResult, Report, Tally
from maskspec.conformance.writers import as_jsonl, as_markdown, as_text, save_counterexamples

__all__ = [
    "PROFILES",
    "AdapterError",
    "Conflict",
    "ExitCode",
    "Failure",
    "Labelled",
    "Masker",
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
    "default_pairs",
    "find_pair",
    "save_counterexamples",
]
