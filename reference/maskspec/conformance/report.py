"""What a run found: counts per rule, folded failures, crashes, and the exit code that follows from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from maskspec.rules import Kind, Row, Rule

__all__ = ["Conflict", "ExitCode", "Failure", "PairResult", "Report", "Tally"]


class ExitCode(IntEnum):
    """How a run ended, for shells and CI."""

    CONFORMS = 0
    """Every rule that could be asked was kept."""
    VIOLATIONS = 1
    """At least one rule was broken."""
    USAGE = 2
    """The command or the call was wrong; nothing can be said about the masker."""
    CRASHED = 3
    """The adapter or the harness failed, so the run is incomplete."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a rule was asked. `excluded` counts the cases by reason."""

    passed: int = 0
    failed: int = 0
    excluded: Mapping[str, int] = field(default_factory=dict)

    @property
    def run(self) -> int:
        """How often the rule gave an answer."""
        return self.passed + self.failed


@dataclass(frozen=True, slots=True)
class Failure:
    """One broken rule, with the smallest conversation that shows it.

    Failures of the same rule, zone and kind are one failure: `cases` counts the
    conversations and `pairs` names every pair that showed it, `pair` the one shown here.
    """

    rule: Rule
    kind: Kind
    zone: str
    explanation: str
    pair: str
    template: str
    tokenizer: str
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] | None
    rows: tuple[Row, ...]
    cases: int
    pairs: tuple[str, ...]
    policy: str

    @property
    def identifier(self) -> str:
        """A name that is also a file name: `role-1-trained-context`."""
        parts = [self.rule.id, self.kind.value.replace(" ", "-"), self.zone]
        return "-".join(part for part in parts if part).lower().replace("_", "-")

    def as_json(self) -> dict[str, Any]:
        """The counterexample as a versioned record; `maskspec trace` reads it as a conversation."""
        record: dict[str, Any] = {
            "maskspec_counterexample": 1,
            "rule": self.rule.id,
            "kind": self.kind.value,
            "zone": self.zone,
            "explanation": self.explanation,
            "pair": self.pair,
            "template": self.template,
            "tokenizer": self.tokenizer,
            "policy": self.policy,
            "cases": self.cases,
            "pairs": list(self.pairs),
            "messages": [dict(message) for message in self.messages],
        }
        if self.tools is not None:
            record["tools"] = [dict(tool) for tool in self.tools]
        record["tokens"] = [
            {
                "index": row.index,
                "text": row.text,
                "zone": row.zone,
                "message": row.message,
                "expected": row.expected,
                "got": row.got,
                "wrong": row.wrong,
            }
            for row in self.rows
        ]
        return record


@dataclass(frozen=True, slots=True)
class Conflict:
    """An adapter that is wired wrong or crashed: what happened, how often, and where it shows."""

    pair: str
    problem: str
    count: int
    messages: Sequence[Mapping[str, Any]] = ()
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class PairResult:
    """How one pair went: cases asked, rules that failed, and why it was left out (None: it was not)."""

    pair: str
    kind: str
    cases: int
    failed_rules: tuple[str, ...] = ()
    excluded: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a run found."""

    masker: str
    policy: str
    profile: str
    seed: int
    tallies: Mapping[str, Tally]
    rules: tuple[Rule, ...]
    failures: tuple[Failure, ...]
    conflicts: tuple[Conflict, ...]
    pairs: tuple[PairResult, ...]
    missing: Sequence[str] = ()
    seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def checks_run(self) -> int:
        """How many checks gave an answer, over all rules, pairs and conversations."""
        return sum(tally.run for tally in self.tallies.values())

    @property
    def exit_code(self) -> ExitCode:
        """3 when the adapter failed anywhere, else 2 when no check ran, else 1 when a rule was broken, else 0."""
        if self.conflicts:
            return ExitCode.CRASHED
        if self.checks_run == 0:
            return ExitCode.USAGE
        return ExitCode.VIOLATIONS if self.failures else ExitCode.CONFORMS

    @property
    def verdict(self) -> str:
        """One sentence for the end of a report."""
        if self.conflicts:
            return f"{self.masker}: incomplete, the adapter failed ({len(self.conflicts)} problem(s))"
        if self.checks_run == 0:
            return f"{self.masker}: no check could be run, which is an error; the reasons are listed above"
        if self.failures:
            broken = sorted({failure.rule.id for failure in self.failures}, key=[rule.id for rule in self.rules].index)
            return f"{self.masker}: breaks {len(broken)} rule(s): {', '.join(broken)}"
        return f"{self.masker}: conforms in every one of {self.checks_run} checks"

    def exclusions(self) -> Counter[str]:
        """The reasons for which rules were not asked, with how often each was given."""
        total: Counter[str] = Counter()
        for tally in self.tallies.values():
            total.update(tally.excluded)
        return total
