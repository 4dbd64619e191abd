"""Several runs beside each other: one column for each masker and version, and what it is known for.

The writers in `reports/combined/` show it; nothing here knows a format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from maskspec.conformance.advice import Advice, same_name
from maskspec.conformance.report import Category, Failure, PairResult, Report, Tally
from maskspec.errors import UsageError
from maskspec.rules import Rule, load_rules

__all__ = ["Cause", "Column", "Comparison", "Standing", "masker_name", "standing"]


class Standing(Enum):
    """What a finding is, the most telling first."""

    OPEN = "not accepted"
    """Nobody has said yet what lies behind it."""
    BUG = "bug"
    """The masker is wrong."""
    UNSORTED = "accepted without a class"
    """It is accepted for a reason that has no class."""
    POLICY = "policy"
    """The masker does it on purpose, in a way that no policy can declare."""
    TEMPLATE = "template"
    """The chat template leaves no right answer."""
    TOKENIZER = "tokenizer"
    """The tokenizer leaves no right answer."""

    @property
    def is_fault(self) -> bool:
        """Whether it speaks against the masker, as far as anybody knows."""
        return self in (Standing.OPEN, Standing.BUG, Standing.UNSORTED)


_OF = {
    Category.BUG: Standing.BUG,
    Category.POLICY: Standing.POLICY,
    Category.TEMPLATE: Standing.TEMPLATE,
    Category.TOKENIZER: Standing.TOKENIZER,
}


def standing(failure: Failure) -> Standing:
    """What a failure of the masker is."""
    if failure.known is None:
        return Standing.OPEN
    return Standing.UNSORTED if failure.category is None else _OF[failure.category]


@dataclass(frozen=True, slots=True)
class Cause:
    """What is behind some findings of a masker: those that were accepted for the same reason.

    `reason` is None for the findings that are not accepted. The finding with the smallest
    conversation stands first.
    """

    standing: Standing
    reason: str | None
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class Column:
    """One masker in one version: its run, and what its users can do (None: nobody has said)."""

    name: str
    report: Report
    advice: Advice | None = None

    @cached_property
    def causes(self) -> tuple[Cause, ...]:
        """The findings by what is behind them, the most telling first."""
        groups: dict[tuple[Standing, str | None], list[Failure]] = {}
        for failure in self.report.failures:
            groups.setdefault((standing(failure), failure.known), []).append(failure)
        order = {item: number for number, item in enumerate(Standing)}
        causes = [
            Cause(kind, reason, tuple(sorted(failures, key=lambda item: (len(item.messages), len(item.case.text)))))
            for (kind, reason), failures in groups.items()
        ]
        return tuple(sorted(causes, key=lambda cause: (order[cause.standing], -len(cause.failures))))

    @cached_property
    def counts(self) -> Mapping[Standing, int]:
        """How many findings there are of each kind."""
        found = Counter(standing(failure) for failure in self.report.failures)
        return {item: found[item] for item in Standing}

    @cached_property
    def standings(self) -> Mapping[str, Standing]:
        """By its id, the most telling standing of every rule that is broken."""
        order = list(Standing)
        found: dict[str, Standing] = {}
        for failure in self.report.failures:
            new, old = standing(failure), found.get(failure.rule.id)
            found[failure.rule.id] = new if old is None else min(new, old, key=order.index)
        return found

    @cached_property
    def total(self) -> Tally:
        """One tally over all rules and pairs."""
        return sum(self.report.tallies.values(), Tally())

    @property
    def asked(self) -> tuple[PairResult, ...]:
        """The pairs that were not left out."""
        return tuple(pair for pair in self.report.pairs if pair.excluded is None)


@dataclass(frozen=True)
class Comparison:
    """Runs of several maskers, in the order in which they were given.

    `rules` are those that any run asked, in the order of the catalogue. `unused` is advice for maskers of which no
    run was given. `command` is what makes the report again, empty where nothing is known of one.
    """

    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    unused: tuple[Advice, ...] = ()
    command: str = ""

    @classmethod
    def of(cls, runs: Sequence[tuple[str, Report]], *, advice: Iterable[Advice] = (), command: str = "") -> Comparison:
        """Put runs together, each with a word for where it comes from.

        Raises:
            UsageError: none was given, two are of the same masker and version, or a required advice is for another.
        """
        if not runs:
            raise UsageError("no run was given; `maskspec check --output DIR` writes report.jsonl")
        sources: dict[str, str] = {}
        for source, report in runs:
            name = masker_name(report)
            if name in sources:
                raise UsageError(
                    f"{sources[name]} and {source} are both runs of {name}; a masker and version has one column, so "
                    "leave one of them out, or compare them one by one with `maskspec report RUN.jsonl`"
                )
            sources[name] = source
        fitting, unused = _assigned(tuple(advice), tuple(sources))
        columns = tuple(
            Column(name, report, fitting.get(name)) for name, (_, report) in zip(sources, runs, strict=True)
        )
        return cls(columns=columns, rules=_rules(columns), unused=unused, command=command)

    @property
    def families(self) -> tuple[str, ...]:
        """The families of the rules."""
        return tuple(dict.fromkeys(rule.family for rule in self.rules))

    @property
    def cells(self) -> int:
        """How many cells there are: rules on pairs, over all maskers."""
        return sum(len(column.report.rules) * len(column.report.pairs) for column in self.columns)

    @property
    def checks_run(self) -> int:
        """How many checks gave an answer."""
        return sum(column.report.checks_run for column in self.columns)

    @property
    def versions(self) -> tuple[str, ...]:
        """The names of everything that any run has a version of."""
        return tuple(dict.fromkeys(name for column in self.columns for name in column.report.versions))

    @cached_property
    def notes(self) -> tuple[Failure, ...]:
        """What tokenizers show by themselves: each once, however many maskers met it."""
        found: dict[object, Failure] = {}
        for column in self.columns:
            for note in column.report.notes:
                found.setdefault((note.key, note.explanation), note)
        return tuple(found.values())


def masker_name(report: Report) -> str:
    """The masker with its version, which it says itself or which is that of the package of its name."""
    version = report.versions.get(report.masker)
    return report.masker if version is None else f"{report.masker} {version}"


def _rules(columns: Iterable[Column]) -> tuple[Rule, ...]:
    found = {rule.id: rule for column in columns for rule in column.report.rules}
    place = {identifier: number for number, identifier in enumerate(load_rules())}
    return tuple(sorted(found.values(), key=lambda rule: place.get(rule.id, len(place))))


def _assigned(advice: Sequence[Advice], names: Sequence[str]) -> tuple[dict[str, Advice], tuple[Advice, ...]]:
    """By the name of its column, each advice; and those that are for no column."""
    fitting: dict[str, Advice] = {}
    unused = []
    for item in advice:
        name = next((name for name in names if same_name(name, item.masker)), None)
        if name is None:
            if item.required:
                raise UsageError(
                    f"{item.source} is advice for {item.masker!r}, and the runs are of {', '.join(names)}; "
                    "write the name and version as the run has them, or leave the file out"
                )
            unused.append(item)
        elif name in fitting:
            raise UsageError(f"{fitting[name].source} and {item.source} are both advice for {name}; leave one out")
        else:
            fitting[name] = item
    return fitting, tuple(unused)
