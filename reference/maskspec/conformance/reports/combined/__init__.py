"""Several runs in one report: as Markdown to be committed, as one HTML page, and as a short text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from maskspec.conformance.comparison import Comparison
from maskspec.conformance.reports.combined.html import comparison_as_html
from maskspec.conformance.reports.combined.markdown import comparison_as_markdown
from maskspec.conformance.reports.combined.text import comparison_as_text

__all__ = ["COMBINED_FORMATS", "comparison_as_html", "comparison_as_markdown", "comparison_as_text"]

COMBINED_FORMATS: Mapping[str, Callable[[Comparison], str]] = {
    "text": comparison_as_text,
    "markdown": comparison_as_markdown,
    "html": comparison_as_html,
}
"""By its name, the function that writes each format."""
