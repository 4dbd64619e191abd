"""Writes a report about templates into a folder, in every format, each file whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from maskspec.conformance.reports import write_whole
from maskspec.findings.records import Survey
from maskspec.findings.reports.html import as_html
from maskspec.findings.reports.jsonl import as_jsonl
from maskspec.findings.reports.markdown import as_markdown
from maskspec.findings.reports.text import as_text

__all__ = ["FORMATS", "write_findings"]

FORMATS: Mapping[str, tuple[str, Callable[[Survey], str]]] = {
    "text": ("txt", as_text),
    "markdown": ("md", as_markdown),
    "jsonl": ("jsonl", as_jsonl),
    "html": ("html", as_html),
}
"""By its name, the extension of each format and the function that writes it."""


def write_findings(survey: Survey, folder: Path) -> list[Path]:
    """Write `findings.<extension>` for every format into a folder that is made if need be; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for extension, write in FORMATS.values():
        path = folder / f"findings.{extension}"
        write_whole(path, write(survey))
        paths.append(path)
    return paths
