"""Puts a masker to the suite on one pair and notes which rules fire, and after how many conversations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from maskspec.conformance import Masker
from maskspec.conformance.cases import Case
from maskspec.conformance.pairrun import examine_pair
from maskspec.conformance.profiles import Plan
from maskspec.conformance.report import Failure, PairResult
from maskspec.conformance.timelimit import TimeLimit
from maskspec.corpus import Pair, load_pair
from maskspec.rules import Subject

__all__ = ["Measurement", "loaded", "measure"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one masker showed on one pair.

    `fired` maps ids of rules to the number of conversations that had been asked about
    when the rule first accused the masker, the fixed ones included; findings about the
    tokenizer are left out. `failures` are those findings with their smallest case.
    """

    result: PairResult
    fired: Mapping[str, int] = field(default_factory=dict)
    failures: Sequence[Failure] = ()

    @property
    def trouble(self) -> str:
        """Why nothing can be said about the pair, or only about a part of it; empty where all went well."""
        if self.result.excluded is not None:
            return f"left out: {self.result.excluded}"
        return "; ".join(conflict.problem for conflict in self.result.conflicts)

    @property
    def passed(self) -> int:
        """How many checks passed."""
        return sum(tally.passed for tally in self.result.tallies.values())


@cache
def loaded(name: str) -> Pair:
    """A pair by its name, loaded once."""
    return load_pair(name)


def measure(
    masker: Masker, pair: str, *, profile: str = "quick", seed: int = 0, rules: Sequence[str] | None = None
) -> Measurement:
    """Ask about the fixed conversations of a pair and about generated ones, judged by all rules or by some."""
    plan = Plan.make(rules=rules, profile=profile, seed=seed)
    asked = 0
    fired: dict[str, int] = {}

    def asking(case: Case) -> None:
        nonlocal asked
        # The wiring check announces the first fixed case before it is asked about like the others.
        asked = case.number + 1

    def found(failure: Failure) -> None:
        if failure.subject is Subject.MASKER:
            fired.setdefault(failure.rule.id, asked)

    result = examine_pair(masker, loaded(pair), plan, guard=TimeLimit(plan.time_limit), asking=asking, found=found)
    failures = [failure for failure in result.failures if failure.subject is Subject.MASKER]
    return Measurement(result=result, fired=fired, failures=failures)
