"""A report about templates as text, Markdown, JSON Lines and HTML, and the summary that this repository keeps."""

from __future__ import annotations

from maskspec.findings.reports.files import FORMATS, write_findings
from maskspec.findings.reports.html import as_html
from maskspec.findings.reports.jsonl import as_jsonl
from maskspec.findings.reports.markdown import as_markdown
from maskspec.findings.reports.summary import as_summary
from maskspec.findings.reports.text import as_text

__all__ = ["FORMATS", "as_html", "as_jsonl", "as_markdown", "as_summary", "as_text", "write_findings"]
