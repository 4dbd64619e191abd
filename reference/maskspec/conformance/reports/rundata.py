"""A run as the data of a page: what is said often is stored once, and what is very long only around its errors.

`page/run.js` shows it. The page of one run holds one such record, that of a comparison one for each masker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from maskspec.conformance.cases import Case
from maskspec.conformance.report import Category, Conflict, Failure, PairResult, Report
from maskspec.conformance.reports.plain import one_line
from maskspec.conformance.reports.text import replay_line
from maskspec.conformance.reports.wording import consequence, exclusions, short_policy, smallest
from maskspec.rules import Row, Rule

__all__ = ["Limits", "Shared", "Table", "rule_data", "run_data"]


class Table:
    """Numbers for values that occur often: each is stored once, and found by its key."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[str, int] = {}

    def number(self, key: str, value: Any = None) -> int:
        """The number of the value; a text is its own key."""
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(key if value is None else value)
        return self._places[key]


@dataclass(frozen=True, slots=True)
class Shared:
    """What the runs of a page have in common: reasons, words (of tokens, zones, verdicts), and conversations."""

    reasons: Table = field(default_factory=Table)
    words: Table = field(default_factory=Table)
    cases: Table = field(default_factory=Table)

    def as_json(self) -> dict[str, Any]:
        """The tables as JSON data, to be written when every run is."""
        return {"reasons": self.reasons.values, "words": self.words.values, "cases": self.cases.values}


@dataclass(frozen=True, slots=True)
class Limits:
    """How many tokens of a finding a page holds: all up to `tokens`, beyond that those within `near` of a wrong one."""

    tokens: int = 2000
    near: int = 20


def run_data(
    report: Report,
    shared: Shared,
    *,
    rules: Sequence[Rule],
    limits: Limits = Limits(),
    of_pairs: Limits | None = None,
) -> dict[str, Any]:
    """The run with its cells in the order of `rules`, which may be more than it asked.

    `limits` are those of the findings over all pairs, `of_pairs` those of the findings of single pairs.
    """
    places = {rule.id: number for number, rule in enumerate(rules)}
    pairs = {pair.pair: number for number, pair in enumerate(report.pairs)}
    findings: list[dict[str, Any]] = []
    numbers: dict[int, int] = {}

    def add(failures: Iterable[Failure], limits: Limits, *, folded: bool) -> list[int]:
        first = len(findings)
        for item in failures:
            if item.rule.id in places:
                numbers.setdefault(id(item), len(findings))
                findings.append(_finding(item, places, pairs, shared, limits, folded=folded))
        return list(range(first, len(findings)))

    broken = add(report.broken, limits, folded=True)
    known = add(report.known, limits, folded=True)
    notes = add(report.notes, limits, folded=True)
    for pair in report.pairs:
        add(pair.failures, of_pairs or limits, folded=False)
    bugs = [failure for failure in report.known if failure.category is Category.BUG]
    first = smallest(report.broken) or smallest(bugs)
    return {
        "masker": report.masker,
        "policy": short_policy(report.policy),
        "profile": report.profile,
        "seed": report.seed,
        "day": report.day,
        "seconds": round(report.seconds, 1),
        "adapterSeconds": round(sum(pair.adapter_seconds for pair in report.pairs), 1),
        "referenceSeconds": round(sum(pair.reference_seconds for pair in report.pairs), 1),
        "checks": report.checks_run,
        "versions": dict(report.versions),
        "missing": list(report.missing),
        "stale": list(report.stale),
        "unfinished": list(report.unfinished),
        "conflicts": [_conflict(conflict) for conflict in report.conflicts],
        "pairs": [_pair(pair, shared) for pair in report.pairs],
        "cells": [[_cell(pair, rule, shared) for rule in rules] for pair in report.pairs],
        "findings": findings,
        "broken": broken,
        "known": known,
        "notes": notes,
        "smallest": None if first is None else numbers.get(id(first)),
    }


def rule_data(rule: Rule) -> dict[str, str]:
    """What a page says about a rule."""
    return {
        "id": rule.id,
        "level": rule.level.value,
        "family": rule.family,
        "title": rule.title,
        "sentence": rule.sentence,
        "location": f"spec/{rule.location}",
        "consequence": consequence(rule),
    }


def _pair(pair: PairResult, shared: Shared) -> dict[str, Any]:
    return {
        "name": pair.pair,
        "template": pair.template,
        "tokenizer": pair.tokenizer,
        "kind": pair.kind,
        "cases": pair.cases,
        "seconds": round(pair.seconds, 2),
        "excluded": None if pair.excluded is None else shared.reasons.number(pair.excluded),
        "conflicts": [_conflict(conflict) for conflict in pair.conflicts],
    }


def _cell(pair: PairResult, rule: Rule, shared: Shared) -> int | list[int]:
    """How a rule stands on a pair: the number of passed checks where there is nothing else, 0 where not asked.

    Otherwise passed, failed, known, noted, and reasons of exclusions each followed by its count.
    """
    tally = pair.tallies.get(rule.id)
    excluded = exclusions(tally, pair)
    counts = (0, 0, 0, 0) if tally is None else (tally.passed, tally.failed, tally.known, tally.noted)
    if not excluded and not any(counts[1:]):
        return counts[0]
    numbers = (number for reason, count in excluded.items() for number in (shared.reasons.number(reason), count))
    return [*counts, *numbers]


def _conflict(conflict: Conflict) -> dict[str, Any]:
    return {
        "pair": conflict.pair,
        "problem": conflict.problem,
        "count": conflict.count,
        "traceback": conflict.traceback,
        "messages": [] if conflict.case is None else [dict(message) for message in conflict.case.messages],
    }


def _finding(
    failure: Failure,
    rules: Mapping[str, int],
    pairs: Mapping[str, int],
    shared: Shared,
    limits: Limits,
    *,
    folded: bool,
) -> dict[str, Any]:
    rows = _kept(failure.rows, limits)
    case = _case(failure.case)
    word = shared.words.number
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
        "case": shared.cases.number(one_line(case), case),
        "replay": replay_line(failure),
        "tokens": [
            [
                row.index,
                word(row.text),
                word(row.zone),
                -1 if row.message is None else row.message,
                word(row.expected),
                word(row.got),
                *([1] if row.wrong else []),
            ]
            for row in rows
        ],
    }
    if failure.category is not None:
        finding["class"] = failure.category.value
    if len(rows) < len(failure.rows):
        finding["omitted"] = len(failure.rows) - len(rows)
    if folded:
        finding["pairs"] = [pairs[pair] for pair in failure.pairs if pair in pairs]
    return finding


def _case(case: Case) -> dict[str, Any]:
    record: dict[str, Any] = {"messages": [dict(message) for message in case.messages]}
    if case.tools is not None:
        record["tools"] = [dict(tool) for tool in case.tools]
    if case.template_kwargs:
        record["variables"] = dict(case.template_kwargs)
    return record


def _kept(rows: tuple[Row, ...], limits: Limits) -> tuple[Row, ...]:
    """The tokens that the page holds: of a very long text, those around the wrong ones."""
    if len(rows) <= limits.tokens:
        return rows
    near = {
        place
        for position, row in enumerate(rows)
        if row.wrong
        for place in range(max(position - limits.near, 0), min(position + limits.near + 1, len(rows)))
    }
    return tuple(rows[position] for position in sorted(near)[: limits.tokens])
