"""Writes reports into a folder: every format, and every counterexample, each file whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from maskspec.conformance.report import Report
from maskspec.conformance.reports.html import as_html
from maskspec.conformance.reports.jsonl import as_jsonl
from maskspec.conformance.reports.junit import as_junit
from maskspec.conformance.reports.markdown import as_markdown
from maskspec.conformance.reports.plain import readable
from maskspec.conformance.reports.text import as_text, file_name

__all__ = ["FORMATS", "save_counterexamples", "write_reports", "write_whole"]

FORMATS: Mapping[str, tuple[str, Callable[[Report], str]]] = {
    "text": ("txt", as_text),
    "markdown": ("md", as_markdown),
    "jsonl": ("jsonl", as_jsonl),
    "junit": ("xml", as_junit),
    "html": ("html", as_html),
}
"""By its name, the extension of each format and the function that writes it."""


def write_reports(report: Report, folder: Path) -> list[Path]:
    """Write the report in every format, and each counterexample as JSON, into a folder that is made if need be.

    The files are `report.<extension>`, and one JSON file for each failure. A file that is there
    is replaced in one step, so that no reader ever sees half of one.
    """
    paths = save_counterexamples(report, folder)
    for extension, write in FORMATS.values():
        path = folder / f"report.{extension}"
        write_whole(path, as_text(report, output=folder) if write is as_text else write(report))
        paths.append(path)
    return paths


def save_counterexamples(report: Report, folder: Path) -> list[Path]:
    """Write every failure's conversation as a JSON file of its own; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for failure in report.failures:
        path = folder / file_name(failure)
        write_whole(path, readable(failure.as_json(), indent=2) + "\n")
        paths.append(path)
    return paths


def write_whole(path: Path, text: str) -> None:
    """Write a text file as UTF-8 so that either all of it is there or what was there before."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
