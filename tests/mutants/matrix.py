"""Writes what catches what: `python -m tests.mutants.matrix` runs all mutants, for some minutes.

`counterexamples.json` keeps what was found: for each mutant the rules that fired and
after how many conversations, the smallest conversation that shows it, and one that a
reader takes in at a glance. `matrix.md` is made from that, and so is the specification's
appendix (`python -m tests.mutants.appendix`). How many conversations it takes over
several seeds is measured by `python -m tests.benchmarks detection`.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from maskspec.conformance import PROFILES
from maskspec.conformance.pairrun import shrink_pair
from maskspec.conformance.profiles import Plan
from maskspec.conformance.report import Failure
from maskspec.conformance.reports.markdown import fence
from maskspec.conformance.reports.plain import plain
from maskspec.conformance.timelimit import TimeLimit
from maskspec.rules import checked_rules
from tests.mutants.asking import still_caught
from tests.mutants.catalogue import MUTANTS, NOT_REPRODUCED
from tests.mutants.history import HISTORY
from tests.mutants.markdown import code, escaped, message_lines
from tests.mutants.measuring import loaded, measure
from tests.mutants.telling import tell

__all__ = ["COUNTEREXAMPLES", "TABLE", "Outcome", "Outcomes", "main", "observe", "table"]

TABLE = Path(__file__).with_name("matrix.md")
COUNTEREXAMPLES = Path(__file__).with_name("counterexamples.json")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one mutant.

    `fired` are the rules that accused it, with the fewest conversations that each took on
    a pair. `smallest` is the smallest counterexample found, without its token table, and
    `told` a readable one with it, for bugs that history knows.
    """

    name: str
    fired: Mapping[str, int]
    smallest: Failure | None
    told: Failure | None

    def as_json(self) -> dict[str, Any]:
        """The outcome as JSON data."""
        return {
            "mutant": self.name,
            "fired": dict(self.fired),
            "smallest": None if self.smallest is None else {**self.smallest.as_json(), "tokens": []},
            "told": None if self.told is None else self.told.as_json(),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Outcome:
        """The outcome that `as_json` described."""
        smallest, told = (
            None if record[key] is None else Failure.from_json(record[key]) for key in ("smallest", "told")
        )
        return cls(record["mutant"], record["fired"], smallest, told)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """All outcomes of a run, in the order of the catalogue, and how the run was made."""

    profile: str
    seed: int
    mutants: tuple[Outcome, ...]

    @classmethod
    def read(cls) -> Outcomes:
        """What the last run found."""
        record = json.loads(COUNTEREXAMPLES.read_text(encoding="utf-8"))
        return cls(record["profile"], record["seed"], tuple(Outcome.from_json(each) for each in record["mutants"]))

    def write(self) -> None:
        """Keep it: one line for each mutant, ASCII only."""
        lines = ",\n".join(json.dumps(plain(outcome.as_json())) for outcome in self.mutants)
        text = f'{{"profile": {json.dumps(self.profile)}, "seed": {self.seed}, "mutants": [\n{lines}\n]}}\n'
        COUNTEREXAMPLES.write_text(text, encoding="utf-8")


def observe(name: str, *, profile: str, seed: int) -> Outcome:
    """Run a mutant on its pairs, and make the first expected failure small."""
    mutant = MUTANTS[name]
    fired: dict[str, int] = {}
    smallest: Failure | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told = tell(mutant) if mutant.rows else None
        for pair in mutant.pairs:
            if loaded(pair).lacking:
                continue
            found = measure(mutant.masker(), pair, profile=profile, seed=seed)
            for rule, asked in found.fired.items():
                fired[rule] = min(asked, fired.get(rule, asked))
            wanted = [failure for failure in found.failures if failure.rule.id in mutant.expected]
            if wanted and smallest is None:
                first = min(wanted, key=lambda failure: mutant.expected.index(failure.rule.id))
                smallest = _shrunk(name, pair, first, profile=profile, seed=seed)
        if smallest is not None and not still_caught(mutant, smallest):
            # What a masker remembers from earlier conversations is not there when only one is asked about.
            smallest = told or tell(mutant)
    return Outcome(name, fired, smallest, told)


def _shrunk(name: str, pair: str, failure: Failure, *, profile: str, seed: int) -> Failure:
    plan = Plan.make(rules=[failure.rule.id], profile=profile, seed=seed)
    masker = MUTANTS[name].masker()
    result = measure(masker, pair, profile=profile, seed=seed, rules=[failure.rule.id]).result
    small = shrink_pair(masker, loaded(pair), plan, result, {}, guard=TimeLimit(plan.time_limit), only=[failure.key])
    return next((each for each in small.failures if each.key == failure.key), failure)


def table(outcomes: Outcomes) -> str:
    """The Markdown file."""
    return "\n".join(_lines(outcomes)) + "\n"


def _lines(outcomes: Outcomes) -> Iterator[str]:
    yield "# What catches what"
    yield ""
    yield f"Made by `python -m tests.mutants.matrix --profile {outcomes.profile} --seed {outcomes.seed}`; do not edit."
    yield "A number behind a rule says after how many conversations of a pair, the fixed ones included, it first accused"
    yield "the mutant. Bold rules were expected to; any other one is allowed to, by its id or its family."
    yield ""
    yield "## Mutants and the rules that catch them"
    yield ""
    yield "| mutant | caught by | also accused by |"
    yield "|---|---|---|"
    for outcome in outcomes.mutants:
        expected = MUTANTS[outcome.name].expected
        by = [f"**{rule}** {outcome.fired[rule]}" for rule in expected if rule in outcome.fired]
        also = [f"{rule} {asked}" for rule, asked in outcome.fired.items() if rule not in expected]
        yield f"| [{outcome.name}](#{outcome.name}) | {', '.join(by) or 'nothing'} | {', '.join(also)} |"
    yield ""
    yield "## Rules and the mutants that they catch"
    yield ""
    yield "| rule | catches, as expected | accuses beside others |"
    yield "|---|---|---|"
    for rule in checked_rules():
        caught = [each for each in outcomes.mutants if rule.id in each.fired]
        named = [each for each in caught if rule.id in MUTANTS[each.name].expected]
        names = ", ".join(f"[{each.name}](#{each.name}) {each.fired[rule.id]}" for each in named)
        yield f"| {rule.id} | {names} | {len(caught) - len(named) or ''} |"
    yield ""
    yield "## The smallest conversations"
    for outcome in outcomes.mutants:
        yield from _section(outcome)
    yield ""
    yield "## Historical bugs without a mutant"
    yield ""
    for row, reason in sorted(NOT_REPRODUCED.items()):
        yield f"- {', '.join(HISTORY[row].threads) or 'met in many places'}: {HISTORY[row].defect} {reason}"


def _section(outcome: Outcome) -> Iterator[str]:
    mutant, smallest = MUTANTS[outcome.name], outcome.smallest
    yield ""
    yield f"### {mutant.name}"
    yield ""
    yield f"{mutant.summary} {'Reported in ' + ', '.join(mutant.threads) + '.' if mutant.threads else 'A bug of our own.'}"
    yield ""
    if smallest is None:
        yield "Not caught."
        return
    yield f"{smallest.rule.id} on {code(smallest.pair)}: {escaped(smallest.explanation)}."
    yield ""
    yield from fence(list(message_lines(smallest.case)), language="json")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write both files, or print a part of the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.matrix", description=__doc__)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="quick")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=None, help="names of mutants; nothing is then written")
    options = parser.parse_args(arguments)
    names = list(MUTANTS) if options.only is None else [name for name in MUTANTS if name in options.only]
    with ProcessPoolExecutor(options.jobs) as pool:
        observed = pool.map(partial(observe, profile=options.profile, seed=options.seed), names)
        outcomes = Outcomes(options.profile, options.seed, tuple(observed))
    if options.only is None:
        outcomes.write()
        TABLE.write_text(table(outcomes), encoding="utf-8")
    else:
        print(table(outcomes))


if __name__ == "__main__":
    main()
