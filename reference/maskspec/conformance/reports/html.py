"""A report as one HTML page that needs nothing else: no network, no library, no other file.

The page is a frame (`page.html`) with its style, its script, and the run as one block of
JSON (`frame.py` puts them together). The script builds what is looked at when it is
looked at, so a run of many thousand cells opens at once, and only ever sets text.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable
from importlib import resources
from typing import Any

from maskspec.conformance.report import Conflict, Failure, PairResult, Report
from maskspec.conformance.reports.frame import encodable, framed
from maskspec.conformance.reports.text import replay_line
from maskspec.conformance.reports.wording import consequence, exclusions, smallest
from maskspec.rules import Row, Rule

__all__ = ["as_html"]


_TOKENS = 2000
_NEAR = 20


class _Names:
    """Numbers for texts that are said often: each is stored once."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self.known.setdefault(text, len(self.known))


def as_html(report: Report, *, figures: Iterable[tuple[str, str, str]] = ()) -> str:
    """The report as a page: verdict, smallest failing conversation, and every rule on every pair.

    `figures` are pictures that belong to it, each a heading, what it shows in words, and an SVG. An SVG inside an
    image runs no script and fetches nothing.
    """
    verdict, aside = _verdict(report)
    parts = {
        "TITLE": html.escape(encodable(f"{report.masker}: maskspec conformance report")),
        "MASKER": html.escape(encodable(report.masker)),
        "VERDICT": verdict,
        "ASIDE": aside,
        "STATE": report.exit_code.name.lower(),
        "FIGURES": "".join(_figure(*figure) for figure in figures),
    }
    return framed(_part("page.html"), style=_part("page.css"), script=_part("page.js"), data=_data(report), parts=parts)


def _verdict(report: Report) -> tuple[str, str]:
    """The verdict and what qualifies it, as HTML: the masker's name stands beside it, no id is broken at its hyphen."""
    sentence = encodable(report.verdict.removeprefix(f"{report.masker}: "))
    sentence = re.sub(
        r"\b(\d+)( [a-z ]+)\(s\)", lambda found: f"{found[1]}{found[2]}{'s' * (found[1] != '1')}", sentence
    )
    verdict, _, aside = (html.escape(part[:1].upper() + part[1:]) for part in sentence.partition("; "))
    return re.sub(r"\b[A-Z]+-\d+\b", r'<span class="id">\g<0></span>', verdict), aside


def _figure(title: str, caption: str, svg: str) -> str:
    heading, words = html.escape(encodable(title)), html.escape(encodable(caption), quote=True)
    picture = base64.b64encode(encodable(svg).encode()).decode("ascii")
    return (
        f'<section class="page figure"><h2>{heading}</h2><figure><img alt="{words}" '
        f'src="data:image/svg+xml;base64,{picture}"><figcaption>{words}</figcaption></figure></section>'
    )


def _part(name: str) -> str:
    return resources.files(__package__ or __name__).joinpath(name).read_text(encoding="utf-8")


def _data(report: Report) -> dict[str, Any]:
    rules = {rule.id: number for number, rule in enumerate(report.rules)}
    pairs = {pair.pair: number for number, pair in enumerate(report.pairs)}
    reasons, words = _Names(), _Names()
    findings: list[dict[str, Any]] = []

    def add(failures: Iterable[Failure], *, folded: bool) -> list[int]:
        first = len(findings)
        findings.extend(
            _finding(item, rules, pairs, words, folded=folded) for item in failures if item.rule.id in rules
        )
        return list(range(first, len(findings)))

    broken = add(report.broken, folded=True)
    known = add(report.known, folded=True)
    notes = add(report.notes, folded=True)
    for pair in report.pairs:
        add(pair.failures, folded=False)
    first = smallest(report.broken)
    return {
        "masker": report.masker,
        "policy": report.policy,
        "profile": report.profile,
        "seed": report.seed,
        "seconds": round(report.seconds, 1),
        "adapterSeconds": round(sum(pair.adapter_seconds for pair in report.pairs), 1),
        "referenceSeconds": round(sum(pair.reference_seconds for pair in report.pairs), 1),
        "checks": report.checks_run,
        "versions": dict(report.versions),
        "missing": list(report.missing),
        "stale": list(report.stale),
        "unfinished": list(report.unfinished),
        "conflicts": [_conflict(conflict) for conflict in report.conflicts],
        "rules": [_rule(rule) for rule in report.rules],
        "pairs": [_pair(pair, reasons) for pair in report.pairs],
        "cells": [[_cell(pair, rule, reasons) for rule in report.rules] for pair in report.pairs],
        "findings": findings,
        "broken": broken,
        "known": known,
        "notes": notes,
        "smallest": None if first is None else broken[report.broken.index(first)],
        "reasons": list(reasons.known),
        "words": list(words.known),
    }


def _rule(rule: Rule) -> dict[str, str]:
    return {
        "id": rule.id,
        "level": rule.level.value,
        "family": rule.family,
        "title": rule.title,
        "sentence": rule.sentence,
        "location": f"spec/{rule.location}",
        "consequence": consequence(rule),
    }


def _pair(pair: PairResult, reasons: _Names) -> dict[str, Any]:
    return {
        "name": pair.pair,
        "template": pair.template,
        "tokenizer": pair.tokenizer,
        "kind": pair.kind,
        "cases": pair.cases,
        "seconds": round(pair.seconds, 2),
        "excluded": None if pair.excluded is None else reasons.number(pair.excluded),
        "conflicts": [_conflict(conflict) for conflict in pair.conflicts],
    }


def _cell(pair: PairResult, rule: Rule, reasons: _Names) -> int | list[Any]:
    """How a rule stands on a pair: the number of passed checks where there is nothing else, 0 where not asked.

    Otherwise passed, failed, known, noted, and reasons of exclusions each followed by its count.
    """
    tally = pair.tallies.get(rule.id)
    excluded = exclusions(tally, pair)
    counts = (0, 0, 0, 0) if tally is None else (tally.passed, tally.failed, tally.known, tally.noted)
    if not excluded and not any(counts[1:]):
        return counts[0]
    return [*counts, *(number for reason, count in excluded.items() for number in (reasons.number(reason), count))]


def _conflict(conflict: Conflict) -> dict[str, Any]:
    return {
        "pair": conflict.pair,
        "problem": conflict.problem,
        "count": conflict.count,
        "traceback": conflict.traceback,
        "messages": [] if conflict.case is None else [dict(message) for message in conflict.case.messages],
    }


def _finding(
    failure: Failure, rules: dict[str, int], pairs: dict[str, int], words: _Names, *, folded: bool
) -> dict[str, Any]:
    rows = _kept(failure.rows)
    finding: dict[str, Any] = {
        "rule": rules[failure.rule.id],
        "pair": pairs.get(failure.pair, -1),
        "on": failure.pair,
        "kind": failure.kind.value,
        "zone": failure.zone,
        "explanation": failure.explanation,
        "cases": failure.cases,
        "subject": failure.subject.value,
        "known": failure.known,
        "messages": [dict(message) for message in failure.messages],
        "replay": replay_line(failure),
        "tokens": [
            [
                row.index,
                row.text,
                words.number(row.zone),
                -1 if row.message is None else row.message,
                words.number(row.expected),
                words.number(row.got),
                *([1] if row.wrong else []),
            ]
            for row in rows
        ],
    }
    if len(rows) < len(failure.rows):
        finding["omitted"] = len(failure.rows) - len(rows)
    if folded:
        finding["pairs"] = [pairs[pair] for pair in failure.pairs if pair in pairs]
    if failure.tools is not None:
        finding["tools"] = [dict(tool) for tool in failure.tools]
    if failure.case.template_kwargs:
        finding["variables"] = dict(failure.case.template_kwargs)
    return finding


def _kept(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The tokens that the page holds: of a very long text, those around the wrong ones."""
    if len(rows) <= _TOKENS:
        return rows
    near = {
        place
        for position, row in enumerate(rows)
        if row.wrong
        for place in range(max(position - _NEAR, 0), min(position + _NEAR + 1, len(rows)))
    }
    return tuple(rows[position] for position in sorted(near)[:_TOKENS])
