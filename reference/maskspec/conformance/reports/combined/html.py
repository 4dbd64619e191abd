"""Several runs as one HTML page: masker by rule, from there one masker's rules by pairs, from there the finding.

A masker is shown as the page of its own run shows it, by the same scripts (`page/run.js`). What
the runs have in common, conversations and tokens above all, is stored once for all of them.
"""

from __future__ import annotations

import html
from typing import Any

from maskspec.conformance.advice import Advice
from maskspec.conformance.comparison import Column, Comparison, Standing
from maskspec.conformance.report import ExitCode
from maskspec.conformance.reports.combined.wording import scope, title, verdict
from maskspec.conformance.reports.frame import encodable, framed, part, shared_part
from maskspec.conformance.reports.rundata import Limits, Shared, rule_data, run_data

__all__ = ["comparison_as_html"]

_HERE = "maskspec.conformance.reports.combined"
_OVER_ALL = Limits(tokens=400, near=12)
_OF_PAIRS = Limits(tokens=120, near=6)


def comparison_as_html(comparison: Comparison) -> str:
    """The comparison as one page that needs nothing else."""
    shared = Shared()
    runs = [_run(column, comparison, shared) for column in comparison.columns]
    return framed(
        part(_HERE, "page.html").replace("@@RUN@@", shared_part("run.html")),
        title=title(comparison),
        styles=[part(_HERE, "page.css")],
        scripts=[*map(shared_part, ("finding.js", "grid.js", "run.js")), part(_HERE, "page.js")],
        data={
            "rules": [rule_data(rule) for rule in comparison.rules],
            "versions": list(comparison.versions),
            "command": comparison.command,
            "runs": runs,
            **shared.as_json(),
        },
        parts={"SCOPE": html.escape(encodable(f"{scope(comparison)}.")), "FIGURES": ""},
    )


def _run(column: Column, comparison: Comparison, shared: Shared) -> dict[str, Any]:
    report, total = column.report, column.total
    sentence, aside = verdict(column)
    return {
        "name": column.name,
        "verdict": sentence,
        "aside": aside,
        "state": _state(column),
        "asked": len(column.asked),
        "tally": {
            "run": total.run,
            "passed": total.passed,
            "failed": total.failed,
            "known": total.known,
            "noted": total.noted,
            "excluded": sum(total.excluded.values()),
        },
        "standings": [column.counts[kind] for kind in Standing],
        "advice": None if column.advice is None else _advice(column.advice),
        **run_data(report, shared, rules=comparison.rules, limits=_OVER_ALL, of_pairs=_OF_PAIRS),
    }


def _state(column: Column) -> str:
    """As the exit code of a run, but for accepted bugs, which count as such."""
    code = column.report.exit_code
    if code in (ExitCode.CRASHED, ExitCode.USAGE):
        return code.name.lower()
    at_fault = any(standing.is_fault for standing in column.standings.values())
    return (ExitCode.VIOLATIONS if at_fault else ExitCode.CONFORMS).name.lower()


def _advice(advice: Advice) -> list[dict[str, Any]]:
    """The blocks, each with its shape and its stretches of text: words, style, address."""
    return [
        {
            "shape": block.shape.value,
            "spans": [[span.text, span.style.value, *([span.address] if span.address else [])] for span in block.spans],
        }
        for block in advice.blocks
    ]
