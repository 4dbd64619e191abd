"""A report as one HTML page that needs nothing else: no network, no library, no other file.

The page is a body (`page.html`) in the frame of all pages (`frame.py`), with the run as one
block of JSON (`rundata.py`). The script builds what is looked at when it is looked at, so a
run of many thousand cells opens at once, and only ever sets text.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable

from maskspec.conformance.report import Report
from maskspec.conformance.reports.frame import encodable, framed, part, shared_part
from maskspec.conformance.reports.rundata import Shared, rule_data, run_data
from maskspec.conformance.reports.wording import verdict_parts

__all__ = ["as_html"]

_HERE = "maskspec.conformance.reports"


def as_html(report: Report, *, figures: Iterable[tuple[str, str, str]] = ()) -> str:
    """The report as a page: verdict, smallest failing conversation, and every rule on every pair.

    `figures` are pictures that belong to it, each a heading, what it shows in words, and an SVG. An SVG inside an
    image runs no script and fetches nothing.
    """
    verdict, aside = map(encodable, verdict_parts(report))
    shared = Shared()
    run = run_data(report, shared, rules=report.rules)
    return framed(
        part(_HERE, "page.html").replace("@@RUN@@", shared_part("run.html")),
        title=f"{report.masker}: maskspec conformance report",
        scripts=[shared_part("finding.js"), shared_part("grid.js"), shared_part("run.js"), part(_HERE, "page.js")],
        data={**run, "rules": [rule_data(rule) for rule in report.rules], **shared.as_json()},
        parts={
            "MASKER": html.escape(encodable(report.masker)),
            "VERDICT": re.sub(r"\b[A-Z]+-\d+\b", r'<span class="id">\g<0></span>', html.escape(verdict)),
            "ASIDE": html.escape(aside),
            "FIGURES": "".join(_figure(*figure) for figure in figures),
        },
        state=report.exit_code.name.lower(),
    )


def _figure(title: str, caption: str, svg: str) -> str:
    heading, words = html.escape(encodable(title)), html.escape(encodable(caption), quote=True)
    picture = base64.b64encode(encodable(svg).encode()).decode("ascii")
    return (
        f'<section class="page figure"><h2>{heading}</h2><figure><img alt="{words}" '
        f'src="data:image/svg+xml;base64,{picture}"><figcaption>{words}</figcaption></figure></section>'
    )
