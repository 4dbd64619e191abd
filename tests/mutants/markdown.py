"""Text of others in Markdown: tokens, explanations and conversations that hold pipes, backticks and line ends."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from maskspec.conformance.cases import Case
from maskspec.conformance.reports.plain import plain
from maskspec.conformance.reports.wording import visible

__all__ = ["cell", "code", "escaped", "message_lines"]

_LONGEST = 300


def escaped(text: str) -> str:
    """The text on one line, as Markdown shows it word for word."""
    return re.sub(r"[`*<>\[\]~|&]", r"\\\g<0>", visible(text))


def code(text: str) -> str:
    """The text as code on one line: invisible characters as escapes, spaces that could be overlooked as \u2423."""
    shown = re.sub(r"^ +| +$|  +", lambda match: "\u2423" * len(match.group()), visible(text))
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    mark = "`" * (longest + 1)
    edge = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{mark}{edge}{shown}{edge}{mark}"


def cell(text: str) -> str:
    """Markdown for a cell of a table, where a pipe ends the cell even inside code."""
    return text.replace("|", "\\|")


def message_lines(case: Case) -> Iterator[str]:
    """The messages of a case, one line each; a very long one is cut, and says so."""
    for message in case.messages:
        line = json.dumps(plain(message))
        yield line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ... and {len(line) - _LONGEST} characters"
