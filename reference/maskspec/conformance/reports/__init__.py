"""What a run found, in the forms that people and programs read: text, Markdown, JSON Lines, JUnit XML and HTML."""

from __future__ import annotations

from maskspec.conformance.reports.files import FORMATS, save_counterexamples, write_reports, write_whole
from maskspec.conformance.reports.html import as_html
from maskspec.conformance.reports.jsonl import as_jsonl, parse_jsonl, read_jsonl
from maskspec.conformance.reports.junit import as_junit
from maskspec.conformance.reports.markdown import as_markdown
from maskspec.conformance.reports.schemas import SCHEMAS, load_schema
from maskspec.conformance.reports.text import HEADINGS, WIDTH, as_text, failure_lines, table
from maskspec.conformance.reports.wording import MEANING

__all__ = [
    "FORMATS",
    "HEADINGS",
    "MEANING",
    "SCHEMAS",
    "WIDTH",
    "as_html",
    "as_jsonl",
    "as_junit",
    "as_markdown",
    "as_text",
    "failure_lines",
    "load_schema",
    "parse_jsonl",
    "read_jsonl",
    "save_counterexamples",
    "table",
    "write_reports",
    "write_whole",
]
