"""What a run found: a tally for every rule on every pair, folded failures, and the exit code that follows from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from functools import cached_property
from typing import Any

from maskspec.conformance.cases import Case
from maskspec.rules import Kind, Row, Rule, Subject, load_rules

__all__ = ["Category", "Conflict", "ExitCode", "Failure", "PairResult", "Report", "Tally"]


class ExitCode(IntEnum):
    """How a run ended, for shells and CI."""

    CONFORMS = 0
    """Every rule that could be asked was kept, but for accepted failures."""
    VIOLATIONS = 1
    """At least one rule was broken, or an accepted failure is no longer one."""
    USAGE = 2
    """The command or the call was wrong; nothing can be said about the masker."""
    CRASHED = 3
    """The adapter or the harness failed, so the run is incomplete."""


class Category(Enum):
    """What lies behind an accepted failure."""

    BUG = "bug"
    """The masker is wrong and will be repaired."""
    POLICY = "policy"
    """The masker does it on purpose, in a way that no policy can declare."""
    TEMPLATE = "template"
    """The chat template leaves no right answer."""
    TOKENIZER = "tokenizer"
    """The tokenizer leaves no right answer."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a rule was asked on one pair.

    `failed` counts violations by the masker, `known` those that are accepted as known
    failures, `noted` those that the tokenizer shows by itself, whatever the masker does.
    `excluded` counts the cases by reason.
    """

    passed: int = 0
    failed: int = 0
    known: int = 0
    noted: int = 0
    excluded: Mapping[str, int] = field(default_factory=dict)

    @property
    def run(self) -> int:
        """How often the rule gave an answer."""
        return self.passed + self.failed + self.known + self.noted

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            passed=self.passed + other.passed,
            failed=self.failed + other.failed,
            known=self.known + other.known,
            noted=self.noted + other.noted,
            excluded=dict(Counter(self.excluded) + Counter(other.excluded)),
        )

    def as_json(self) -> dict[str, Any]:
        """The tally as JSON data."""
        return {
            "passed": self.passed,
            "failed": self.failed,
            "known": self.known,
            "noted": self.noted,
            "excluded": dict(self.excluded),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Tally:
        """The tally that `as_json` described."""
        return cls(**record)


@dataclass(frozen=True, slots=True)
class Failure:
    """One broken rule, with the smallest conversation that shows it.

    Failures of the same rule, zone and kind are one failure: `cases` counts the
    conversations and `pairs` names every pair that showed it, `pair` the one shown here.
    `subject` says whose fault it is, `known` is the reason for which it is accepted
    (None: it is not), `category` the class of that reason, where it has one. `template` and
    `tokenizer` are the names of the parts of `pair`, `masker` what `maskspec replay` loads again.
    """

    rule: Rule
    kind: Kind
    zone: str
    explanation: str
    masker: str
    policy: str
    pair: str
    template: str
    tokenizer: str
    case: Case
    rows: tuple[Row, ...]
    cases: int
    pairs: tuple[str, ...]
    subject: Subject = Subject.MASKER
    known: str | None = None
    category: Category | None = None

    @property
    def key(self) -> tuple[str, str, Kind]:
        """What makes two failures the same one."""
        return self.rule.id, self.zone, self.kind

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        """The messages of the smallest conversation."""
        return self.case.messages

    @property
    def tools(self) -> Sequence[Mapping[str, Any]] | None:
        """The tool schemas of the smallest conversation."""
        return self.case.tools

    @property
    def identifier(self) -> str:
        """A name that is also a file name: `role-1-trained-context`."""
        parts = [self.rule.id, self.kind.value.replace(" ", "-"), self.zone]
        return "-".join(part for part in parts if part).lower().replace("_", "-")

    def as_json(self) -> dict[str, Any]:
        """The counterexample as a versioned record; `maskspec replay` and `maskspec trace` read it."""
        return {
            "maskspec_counterexample": 2,
            "rule": self.rule.id,
            "kind": self.kind.value,
            "zone": self.zone,
            "subject": self.subject.value,
            "known": self.known,
            "class": None if self.category is None else self.category.value,
            "explanation": self.explanation,
            "masker": self.masker,
            "policy": self.policy,
            "pair": self.pair,
            "template": self.template,
            "tokenizer": self.tokenizer,
            "cases": self.cases,
            "pairs": list(self.pairs),
            **self.case.as_json(),
            "tokens": [
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
            ],
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Failure:
        """The failure that `as_json` described."""
        return cls(
            rule=load_rules()[record["rule"]],
            kind=Kind(record["kind"]),
            zone=record["zone"],
            explanation=record["explanation"],
            masker=record["masker"],
            policy=record["policy"],
            pair=record["pair"],
            template=record["template"],
            tokenizer=record["tokenizer"],
            case=Case.from_json(record),
            rows=tuple(Row(**row) for row in record["tokens"]),
            cases=record["cases"],
            pairs=tuple(record["pairs"]),
            subject=Subject(record["subject"]),
            known=record["known"],
            category=Category(record["class"]) if record.get("class") is not None else None,
        )


@dataclass(frozen=True, slots=True)
class Conflict:
    """An adapter that is wired wrong, crashed or hung: what happened, how often, and where it shows."""

    pair: str
    problem: str
    count: int
    case: Case | None = None
    traceback: str = ""

    def as_json(self) -> dict[str, Any]:
        """The conflict as JSON data."""
        return {
            "pair": self.pair,
            "problem": self.problem,
            "count": self.count,
            "case": None if self.case is None else self.case.as_json(),
            "traceback": self.traceback,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Conflict:
        """The conflict that `as_json` described."""
        case = None if record["case"] is None else Case.from_json(record["case"])
        return cls(**{**record, "case": case})


@dataclass(frozen=True, slots=True)
class PairResult:
    """How one pair went, complete in itself: it can be stored, and read again by another process.

    `cases` counts the conversations, `tallies` has an entry for every rule of the run,
    `failures` are the broken rules with their smallest conversation on this pair (also
    accepted ones and those of the tokenizer), `excluded` says why the pair was left out
    (None: it was not), and `seconds` what it took, `adapter_seconds` of them in the adapter
    and `reference_seconds` in the reference.
    """

    pair: str
    template: str
    tokenizer: str
    kind: str
    cases: int
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    excluded: str | None = None
    seconds: float = 0.0
    adapter_seconds: float = 0.0
    reference_seconds: float = 0.0

    @property
    def failed_rules(self) -> tuple[str, ...]:
        """The rules that the masker broke on this pair, accepted failures left out."""
        return tuple(rule for rule, tally in self.tallies.items() if tally.failed)

    def as_json(self) -> dict[str, Any]:
        """The result as JSON data."""
        return {
            "pair": self.pair,
            "template": self.template,
            "tokenizer": self.tokenizer,
            "kind": self.kind,
            "cases": self.cases,
            "tallies": {rule: tally.as_json() for rule, tally in self.tallies.items()},
            "failures": [failure.as_json() for failure in self.failures],
            "conflicts": [conflict.as_json() for conflict in self.conflicts],
            "excluded": self.excluded,
            "seconds": round(self.seconds, 6),
            "adapter_seconds": round(self.adapter_seconds, 6),
            "reference_seconds": round(self.reference_seconds, 6),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> PairResult:
        """The result that `as_json` described."""
        return cls(
            **{
                **record,
                "tallies": {rule: Tally.from_json(tally) for rule, tally in record["tallies"].items()},
                "failures": tuple(Failure.from_json(failure) for failure in record["failures"]),
                "conflicts": tuple(Conflict.from_json(conflict) for conflict in record["conflicts"]),
            }
        )


@dataclass(frozen=True)
class Report:
    """Everything that a run found.

    `failures` are folded over all pairs; `notes` are failures of tokenizers, which decide
    nothing. `stale` says which accepted failures are no longer failures and must be removed.
    `unfinished` names the pairs that an interrupted run did not come to. `day` is when the run began
    (UTC, `2026-11-23`), empty where that was not stored.
    """

    masker: str
    policy: str
    profile: str
    seed: int
    rules: tuple[Rule, ...]
    failures: tuple[Failure, ...]
    notes: tuple[Failure, ...]
    conflicts: tuple[Conflict, ...]
    pairs: tuple[PairResult, ...]
    stale: tuple[str, ...] = ()
    missing: Sequence[str] = ()
    unfinished: tuple[str, ...] = ()
    seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)
    day: str = ""

    @cached_property
    def tallies(self) -> Mapping[str, Tally]:
        """One tally for each rule, over all pairs."""
        return {rule.id: _total(pair.tallies.get(rule.id, Tally()) for pair in self.pairs) for rule in self.rules}

    @property
    def broken(self) -> tuple[Failure, ...]:
        """The failures that are not accepted."""
        return tuple(failure for failure in self.failures if failure.known is None)

    @property
    def known(self) -> tuple[Failure, ...]:
        """The accepted failures."""
        return tuple(failure for failure in self.failures if failure.known is not None)

    @property
    def checks_run(self) -> int:
        """How many checks gave an answer, over all rules, pairs and conversations."""
        return sum(tally.run for tally in self.tallies.values())

    @property
    def exit_code(self) -> ExitCode:
        """3 when the adapter failed or the run was interrupted, else 2 without any check, else 1 for a broken rule."""
        if self.conflicts or self.unfinished:
            return ExitCode.CRASHED
        if self.checks_run == 0:
            return ExitCode.USAGE
        return ExitCode.VIOLATIONS if self.broken or self.stale else ExitCode.CONFORMS

    @property
    def verdict(self) -> str:
        """One sentence for the end of a report."""
        if self.unfinished:
            done = sum(pair.pair not in self.unfinished for pair in self.pairs)
            return f"{self.masker}: incomplete, interrupted after {done} of {done + len(self.unfinished)} pairs"
        if self.conflicts:
            return f"{self.masker}: incomplete, the adapter failed ({len(self.conflicts)} problem(s))"
        if self.checks_run == 0:
            return f"{self.masker}: no check could be run, which is an error; the reasons are listed above"
        accepted = f"; {len(self.known)} known failure(s) accepted" if self.known else ""
        if self.broken:
            broken = sorted({failure.rule.id for failure in self.broken}, key=[rule.id for rule in self.rules].index)
            return f"{self.masker}: breaks {len(broken)} rule(s): {', '.join(broken)}{accepted}"
        if self.stale:
            return f"{self.masker}: {len(self.stale)} known failure(s) no longer fail and must be removed from the file"
        return f"{self.masker}: conforms in every one of {self.checks_run} checks{accepted}"

    def exclusions(self) -> Counter[str]:
        """The reasons for which rules were not asked, with how often each was given."""
        total: Counter[str] = Counter()
        for tally in self.tallies.values():
            total.update(tally.excluded)
        return total


def _total(tallies: Iterable[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total += tally
    return total
