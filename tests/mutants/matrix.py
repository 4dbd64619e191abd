"""Writes what catches what: `python -m tests.mutants.matrix` makes the table.

The table goes to `tests/mutants/matrix.md`: for each mutant the rules that fired, after
how many conversations, and the smallest conversation that shows it. How many it takes
over several seeds is measured by `python -m tests.benchmarks detection`.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from maskspec.conformance import PROFILES
from maskspec.conformance.pairrun import shrink_pair
from maskspec.conformance.profiles import Plan
from maskspec.conformance.report import Failure
from maskspec.conformance.timelimit import TimeLimit
from maskspec.rules import checked_rules
from tests.mutants.catalogue import MUTANTS, NOT_REPRODUCED
from tests.mutants.history import HISTORY
from tests.mutants.measuring import loaded, measure

__all__ = ["Outcome", "main", "observe"]

TABLE = Path(__file__).with_name("matrix.md")
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """What caught a mutant: rules with the fewest conversations each took on a pair, and the smallest counterexample."""

    name: str
    fired: dict[str, int]
    smallest: Failure | None
    seconds: float


def observe(name: str, *, profile: str, seed: int) -> Outcome:
    """Run a mutant on its pairs, and make the first expected failure small."""
    mutant, started = MUTANTS[name], time.perf_counter()
    fired: dict[str, int] = {}
    smallest: Failure | None = None
    for pair in mutant.pairs:
        if loaded(pair).lacking:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = measure(mutant.masker(), pair, profile=profile, seed=seed)
            for rule, asked in found.fired.items():
                fired[rule] = min(asked, fired.get(rule, asked))
            wanted = [failure for failure in found.failures if failure.rule.id in mutant.expected]
            if wanted and smallest is None:
                first = min(wanted, key=lambda failure: mutant.expected.index(failure.rule.id))
                smallest = _shrunk(name, pair, first, profile=profile, seed=seed)
    return Outcome(name, fired, smallest, time.perf_counter() - started)


def _shrunk(name: str, pair: str, failure: Failure, *, profile: str, seed: int) -> Failure:
    plan = Plan.make(rules=[failure.rule.id], profile=profile, seed=seed)
    masker = MUTANTS[name].masker()
    result = measure(masker, pair, profile=profile, seed=seed, rules=[failure.rule.id]).result
    small = shrink_pair(masker, loaded(pair), plan, result, {}, guard=TimeLimit(plan.time_limit), only=[failure.key])
    return next((each for each in small.failures if each.key == failure.key), failure)


def table(outcomes: Sequence[Outcome], *, profile: str, seed: int) -> Iterator[str]:
    """The lines of the Markdown file."""
    rules = [rule.id for rule in checked_rules()]
    yield "# What catches what"
    yield ""
    yield f"Made by `python -m tests.mutants.matrix --profile {profile} --seed {seed}`; do not edit."
    yield ""
    yield "A number says after how many conversations of a pair, the fixed ones included, the rule accused the mutant"
    yield "first. Bold: the rule was expected to."
    yield ""
    yield f"| mutant | {' | '.join(rules)} |"
    yield f"|---|{'---|' * len(rules)}"
    for outcome in outcomes:
        expected = MUTANTS[outcome.name].expected
        cells = (
            ""
            if rule not in outcome.fired
            else f"**{outcome.fired[rule]}**"
            if rule in expected
            else str(outcome.fired[rule])
            for rule in rules
        )
        yield f"| {outcome.name} | {' | '.join(cells)} |"
    yield f"| *mutants caught* | {' | '.join(str(sum(rule in each.fired for each in outcomes)) for rule in rules)} |"
    yield ""
    yield "## Mutants"
    for outcome in outcomes:
        yield from _section(outcome)
    yield ""
    yield "## Historical bugs without a mutant"
    yield ""
    for row, reason in sorted(NOT_REPRODUCED.items()):
        yield f"- {', '.join(HISTORY[row].threads) or 'met in many places'}: {HISTORY[row].defect} {reason}"


def _section(outcome: Outcome) -> Iterator[str]:
    mutant = MUTANTS[outcome.name]
    yield ""
    yield f"### {mutant.name}"
    yield ""
    yield f"{mutant.summary} {'Reported in ' + ', '.join(mutant.threads) + '.' if mutant.threads else 'A bug of our own.'}"
    yield ""
    if outcome.smallest is None:
        yield "Not caught."
        return
    yield f"{outcome.smallest.rule.id} on {outcome.smallest.pair}: {outcome.smallest.explanation}."
    yield ""
    yield "```json"
    for message in outcome.smallest.case.messages:
        line = json.dumps(message, ensure_ascii=True, default=str)
        yield line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."
    yield "```"


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write the table, or print a part of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.matrix", description=__doc__)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="quick")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=None, help="names of mutants; the file is then not written")
    options = parser.parse_args(arguments)
    names = list(MUTANTS) if options.only is None else [name for name in MUTANTS if name in options.only]
    with ProcessPoolExecutor(options.jobs) as pool:
        outcomes = list(pool.map(partial(observe, profile=options.profile, seed=options.seed), names))
    lines = "\n".join(table(outcomes, profile=options.profile, seed=options.seed)) + "\n"
    if options.only is None:
        TABLE.write_text(lines, encoding="utf-8")
    else:
        print(lines)


if __name__ == "__main__":
    main()
