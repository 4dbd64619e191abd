"""Puts the fixed shapes of a pair to a masker and collects what it breaks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from maskspec.conformance.cases import Case
from maskspec.conformance.examination import Examiner
from maskspec.corpus import Pair, load_pair
from maskspec.rules import Finding, select_rules
from maskspec.shapes import shapes_for_pair


@cache
def pair(name: str) -> Pair:
    return load_pair(name)


@cache
def cases(name: str) -> tuple[Case, ...]:
    shapes = enumerate(shape.fresh() for shape in shapes_for_pair(pair(name), flags=False))
    return tuple(Case(messages=messages, tools=tools, number=number) for number, (messages, tools) in shapes)


def conversation(*turns: str) -> Case:
    """Turns of user and assistant, one after the other."""
    roles = ("user", "assistant")
    return Case(messages=[{"role": roles[k % 2], "content": content} for k, content in enumerate(turns)])


def findings(masker: Any, name: str, rules: Iterable[str], asked: Iterable[Case] | None = None) -> dict[str, Finding]:
    """The first finding of each rule."""
    examiner = Examiner(masker, pair(name), select_rules(rules))
    found: dict[str, Finding] = {}
    for case in cases(name) if asked is None else asked:
        result = examiner.examine(case)
        assert result.crash is None, result.crash
        for rule, violation in result.violations.items():
            found.setdefault(rule, violation.finding)
    return found


def outcomes(masker: Any, name: str, rule: str, asked: Iterable[Case] | None = None) -> set[str]:
    """What became of a rule over all cases: `passed`, or the reason of an exclusion."""
    examiner = Examiner(masker, pair(name), select_rules([rule]))
    seen: set[str] = set()
    for case in cases(name) if asked is None else asked:
        result = examiner.examine(case)
        assert result.crash is None, result.crash
        assert not result.violations
        seen |= {"passed"} if rule in result.passed else {result.excluded[rule]}
    return seen
