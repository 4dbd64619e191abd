"""A report about templates as one HTML page that needs nothing else: no network, no library, no other file.

The page is a frame with its style, its script and the survey as one block of JSON, and
builds the findings of a template when they are looked at. Texts that findings share,
conversations above all, are stored once.
"""

from __future__ import annotations

import html
from importlib import resources
from typing import Any

from maskspec.conformance.cases import Case
from maskspec.conformance.reports.frame import encodable, framed
from maskspec.findings.facts import FACTS
from maskspec.findings.records import Excerpt, Finding, Survey
from maskspec.findings.reports.wording import scope

__all__ = ["as_html"]


def as_html(survey: Survey) -> str:
    """The report as a page: kinds of findings with counts, all templates, and what was found about each."""
    title = survey.templates[0].template if len(survey.templates) == 1 else f"{len(survey.templates)} chat templates"
    return framed(
        _part("page.html"),
        style=_shared("page.css") + _part("page.css"),
        script=_part("page.js"),
        data=_data(survey),
        parts={
            "TITLE": html.escape(encodable(f"Findings about {title}")),
            "SCOPE": html.escape(encodable(f"{scope(survey)}.")),
        },
    )


def _part(name: str) -> str:
    return resources.files(__package__ or __name__).joinpath(name).read_text(encoding="utf-8")


def _shared(name: str) -> str:
    """A part of the page about maskers, which this one looks like."""
    return resources.files("maskspec.conformance.reports").joinpath(name).read_text(encoding="utf-8")


class _Table:
    """Numbers for values that occur often: each is stored once."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._known: dict[str, int] = {}

    def number(self, key: str, value: Any) -> int:
        if key not in self._known:
            self._known[key] = len(self.values)
            self.values.append(value)
        return self._known[key]


def _data(survey: Survey) -> dict[str, Any]:
    kinds = {kind: number for number, kind in enumerate(survey.kinds)}
    cases, texts = _Table(), _Table()
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


def _finding(finding: Finding, kind: int, cases: _Table, texts: _Table) -> list[Any]:
    """Kind, variant, detail, message, beginning, conversations, conversation, excerpts; texts by their numbers."""
    seen = finding.observation

    def text(value: str) -> int:
        return texts.number(value, value)

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
