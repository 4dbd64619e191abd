"""Breaks the reference on purpose: `python -m tests.mutation` tells which mistakes the tests notice.

Without names of modules it runs some mutants of each, for the better part of an hour, and
writes `scores.md`; with `--all`, all of them. With names (`segmentation`,
`rendering.trace`) it prints their scores only. What is known from an interrupted run is
kept in `build/` and not run again; `--again` runs what survived without a reason,
say after writing tests.
Exit code 0: every survivor is explained in `survivors.toml`; 1: one is not;
2: something is wrong with the call or the tests.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.mutation.journal import Journal
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.running import Attempt, Campaign
from tests.mutation.survivors import ACCEPTED, Score, read_reasons, score, table

MODULES = (
    "segmentation",
    "stretches",
    "markers",
    "alignment",
    "policy",
    "verdicts",
    "masker",
    "prompts",
    "hazards",
    "rendering.trace",
    "rendering.render",
    "rendering.traced",
    "rendering.codegen",
    "rendering.environment",
    "rendering.filters",
    "rendering.guards",
    "rendering.limits",
    "rendering.values",
)

EVERY = {
    **dict.fromkeys(MODULES, 3),
    "verdicts": 1,
    **{module: 12 for module in MODULES if module.startswith("rendering.")},
}
"""Of how many mutants of a module one is run unless all are asked for: the first, and then every so many in the order
of the text."""

JOURNAL = Path("build/mutation.jsonl")

TESTS = (
    "tests/unit/rendering",
    "tests/unit/test_alignment.py",
    "tests/unit/test_alignment_properties.py",
    "tests/unit/test_hazards.py",
    "tests/unit/test_masker.py",
    "tests/unit/test_policy.py",
    "tests/unit/test_policy_reasons.py",
    "tests/unit/test_prompts.py",
    "tests/unit/test_segmentation.py",
    "tests/unit/test_segmentation_places.py",
    "tests/unit/test_segmentation_properties.py",
    "tests/unit/test_verdicts.py",
)
"""The reference's own tests. Those of rules, corpora and oracles would catch more, but take longer."""

SLOW = "million or published or takes_too_long"
"""What takes seconds, and nothing else would notice: texts of a million characters, all published templates."""

SCORES = Path(__file__).with_name("scores.md")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the mutants of some modules, or of all."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"any of {', '.join(MODULES)}; all by default")
    parser.add_argument("--tests", action="append", help="a file or folder of tests; tests/unit by default")
    parser.add_argument("--seconds", type=float, default=5.0, help="CPU seconds of tests for one mutant; default 5")
    parser.add_argument("--all", action="store_true", help="run every mutant, for some hours, instead of every few")
    parser.add_argument("--journal", type=Path, default=JOURNAL, help=f"what is known already; default {JOURNAL}")
    parser.add_argument("--again", action="store_true", help="run again what survived before without a reason")
    options = parser.parse_args(arguments)
    unknown = set(options.modules) - set(MODULES)
    if unknown:
        parser.error(f"no module {', '.join(sorted(unknown))}; known: {', '.join(MODULES)}")
    modules = tuple(dict.fromkeys(options.modules)) or MODULES
    every = {} if options.all else EVERY
    made = {module: mutants_of(module, every=every.get(module, 1)) for module in modules}
    chosen = [mutant for module in modules for mutant in made[module][0]]
    reasons = read_reasons(ACCEPTED)
    accepted = [mutant for mutant in chosen if mutant.key in reasons]
    journal = Journal(options.journal, again=options.again, accepted=accepted)
    attempts = run(chosen, options.tests or TESTS, options.seconds, journal)
    if not attempts:
        return 2
    scores = [score(module, attempts, reasons, exist=made[module][1]) for module in modules]
    print()
    for one in scores:
        _print(one)
    if not options.modules and not options.tests:
        SCORES.write_text(table(scores, origin(options.seconds, every)), encoding="utf-8")
        print(f"written: {SCORES}")
    return int(any(one.unexplained for one in scores))


def run(mutants: Sequence[Mutant], tests: Sequence[str], seconds: float, journal: Journal) -> list[Attempt]:
    """What became of every mutant; nothing where the tests cannot be run."""
    campaign = Campaign(mutants, seconds, _Progress(mutants, journal), journal.known(mutants))
    quiet = ["-q", "-s", "--no-header", "-p", "no:cacheprovider"]
    quick = ["--tb=native", "--assert=plain", "-m", "not corpus", "-k", f"not ({SLOW})"]
    pytest.main([*quiet, *quick, *tests], plugins=[campaign])
    return campaign.attempts


def origin(seconds: float, every: Mapping[str, int]) -> str:
    """How the scores were made, as prose."""
    command = "tox -e mutation" if every else "tox -e mutation -- --all"
    versions = ", ".join(f"{package} {version(package)}" for package in ("mutmut", "pytest", "hypothesis"))
    which = "*Run* are the first and then every so many, in their order." if every else "All of them are run."
    return (
        f"Written by `{command}` with Python {sys.version.split()[0]}, {versions}.\n\n"
        f"*Mutants* are all that mutmut makes of a module. {which} A mutant meets the reference's own tests\n"
        f"(`tests/unit`) that call the changed function, for {seconds:g} CPU seconds at most, those of its module first.\n"
        "*Killed* is one on which a test fails, or takes six times as long as it should or too much memory (*late*)."
    )


class _Progress:
    """Prints every survivor at once, and how far the run has come each minute."""

    def __init__(self, mutants: Sequence[Mutant], journal: Journal) -> None:
        self._journal = journal
        self._whole = len(mutants)
        self._done = 0
        self._told = time.monotonic()

    def __call__(self, attempt: Attempt) -> None:
        self._done += 1
        self._journal.write(attempt)
        if not attempt.test:
            print(f"survived {attempt.tried} tests: {attempt.mutant.title}", flush=True)
        if time.monotonic() - self._told > 60:
            self._told = time.monotonic()
            print(f"{self._done} of {self._whole}", flush=True)


def _print(one: Score) -> None:
    print(f"{one.module}: {one.killed} of {one.mutants} killed ({one.percent:.1f} %), of {one.exist} that there are")
    for mutant in one.unexplained:
        print(f"  not explained: {mutant.function}: {mutant.was!r} -> {mutant.now!r}")
    for entry in one.stale:
        print(f"  no survivor any more, remove it from {ACCEPTED.name}: {entry}")


if __name__ == "__main__":
    sys.exit(main())
