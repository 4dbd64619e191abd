"""A report about templates as one HTML page that needs nothing else: no network, no library, no other file.

The page is a frame with its style, its script and the survey as one block of JSON, and
builds the findings of a template when they are looked at. Texts that findings share,
conversations above all, are stored once.
"""

from __future__ import annotations

import html
from typing import Any

from maskspec.conformance.cases import Case
from maskspec.conformance.reports.frame import encodable, framed, part
from maskspec.conformance.reports.rundata import Table
from maskspec.findings.facts import FACTS
from maskspec.findings.records import Excerpt, Finding, Survey
from maskspec.findings.reports.wording import scope

__all__ = ["as_html"]

_HERE = "maskspec.findings.reports"


def as_html(survey: Survey) -> str:
    """The report as a page: kinds of findings with counts, all templates, and what was found about each."""
    title = survey.templates[0].template if len(survey.templates) == 1 else f"{len(survey.templates)} chat templates"
    return framed(
        part(_HERE, "page.html"),
        title=f"Findings about {title}",
        styles=[part(_HERE, "page.css")],
        scripts=[part(_HERE, "page.js")],
        data=_data(survey),
        parts={"SCOPE": html.escape(encodable(f"{scope(survey)}."))},
    )


def _data(survey: Survey) -> dict[str, Any]:
    kinds = {kind: number for number, kind in enumerate(survey.kinds)}
    cases, texts = Table(), Table()
    counts = survey.counts
    templates = [
        {
            "name": template.template,
            "origin": template.origin,
            "asked": template.asked,
            "refused": template.refused,
            "findings": [
                _finding(finding, kinds[finding.kind], cases, texts)
                for finding in template.findings
                if finding.kind in kinds
            ],
        }
        for template in survey.templates
    ]
    return {
        "kinds": [
            {
                "name": kind.value,
                "family": FACTS[kind].family.value,
                "title": FACTS[kind].title,
                "meaning": FACTS[kind].meaning,
                "remedy": FACTS[kind].remedy,
                "templates": counts[kind],
            }
            for kind in survey.kinds
        ],
        "templates": templates,
        "cases": cases.values,
        "texts": texts.values,
        "versions": dict(survey.versions),
        "missing": list(survey.missing),
    }


def _finding(finding: Finding, kind: int, cases: Table, texts: Table) -> list[Any]:
    """Kind, variant, detail, message, beginning, conversations, conversation, excerpts; texts by their numbers."""
    seen = finding.observation

    def text(value: str) -> int:
        return texts.number(value)

    return [
        kind,
        text(seen.variant),
        text(seen.detail),
        -1 if seen.message is None else seen.message,
        -1 if seen.beginning is None else seen.beginning,
        finding.conversations,
        cases.number(finding.case.text, _case(finding.case)),
        [_excerpt(excerpt, text) for excerpt in seen.excerpts],
    ]


def _excerpt(excerpt: Excerpt, text: Any) -> list[int]:
    return [text(excerpt.label), text(excerpt.before), text(excerpt.marked), text(excerpt.after)]


def _case(case: Case) -> dict[str, Any]:
    record: dict[str, Any] = {"messages": [dict(message) for message in case.messages]}
    if case.tools is not None:
        record["tools"] = [(tool.get("function") or tool).get("name", "?") for tool in case.tools]
    if case.template_kwargs:
        record["variables"] = dict(case.template_kwargs)
    return record
