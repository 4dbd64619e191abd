"""Breaks the reference on purpose: `python -m tests.mutation` tells which mistakes the tests notice.

Without names of modules it runs every mutant of all of them, for about three quarters of an
hour of one core, and writes `scores.md`. With names (`segmentation`, `rendering.trace`), other
tests or a sample (`--every 20`) it prints scores only. What is known from an interrupted run is
kept in `build/` and not run again; `--again` runs what survived without a reason, say after
writing tests.
Exit code 0: every survivor is explained in `survivors.toml`; 1: one is not;
2: something is wrong with the call or the tests.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
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

JOURNAL = Path("build/mutation.jsonl")

TESTS = (
    "tests/unit/rendering",
    "tests/unit/test_alignment.py",
    "tests/unit/test_alignment_properties.py",
    "tests/unit/test_hazards.py",
    "tests/unit/test_markers.py",
    "tests/unit/test_masker.py",
    "tests/unit/test_policy.py",
    "tests/unit/test_policy_reasons.py",
    "tests/unit/test_prompts.py",
    "tests/unit/test_segmentation.py",
    "tests/unit/test_segmentation_places.py",
    "tests/unit/test_segmentation_properties.py",
    "tests/unit/test_stretches.py",
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
    parser.add_argument("--every", type=int, default=1, metavar="N", help="run the first and then every Nth mutant")
    parser.add_argument("--jobs", type=int, default=1, help="mutants that are run at once; default 1")
    parser.add_argument("--journal", type=Path, default=JOURNAL, help=f"what is known already; default {JOURNAL}")
    parser.add_argument("--again", action="store_true", help="run again what survived before without a reason")
    options = parser.parse_args(arguments)
    unknown = set(options.modules) - set(MODULES)
    if unknown:
        parser.error(f"no module {', '.join(sorted(unknown))}; known: {', '.join(MODULES)}")
    modules = tuple(dict.fromkeys(options.modules)) or MODULES
    made = {module: mutants_of(module, every=options.every) for module in modules}
    chosen = [mutant for module in modules for mutant in made[module][0]]
    reasons = read_reasons(ACCEPTED)
    accepted = [mutant for mutant in chosen if mutant.key in reasons]
    journal = Journal(options.journal, again=options.again, accepted=accepted)
    attempts = run(chosen, options.tests or TESTS, options.seconds, journal, jobs=options.jobs)
    if not attempts:
        return 2
    scores = [score(module, attempts, reasons, exist=made[module][1]) for module in modules]
    print()
    for one in scores:
        _print(one)
    if not options.modules and not options.tests and options.every == 1:
        SCORES.write_text(table(scores, origin(options.seconds)), encoding="utf-8")
        print(f"written: {SCORES}")
    return int(any(one.unexplained for one in scores))


def run(
    mutants: Sequence[Mutant], tests: Sequence[str], seconds: float, journal: Journal, *, jobs: int = 1
) -> list[Attempt]:
    """What became of every mutant; nothing where the tests cannot be run."""
    campaign = Campaign(mutants, seconds, _Progress(mutants, journal), journal.known(mutants), jobs)
    quiet = ["-q", "-s", "--no-header", "-p", "no:cacheprovider"]
    quick = ["--tb=native", "--assert=plain", "-m", "not corpus", "-k", f"not ({SLOW})"]
    pytest.main([*quiet, *quick, *tests], plugins=[campaign])
    return campaign.attempts


def origin(seconds: float) -> str:
    """How the scores were made, as prose."""
    versions = ", ".join(f"{package} {version(package)}" for package in ("mutmut", "pytest", "hypothesis"))
    return (
        f"Written by `python -m tests.mutation` with Python {sys.version.split()[0]}, {versions}.\n\n"
        "*Mutants* are all that mutmut makes of a module and that are Python; every one was run. A mutant meets the\n"
        "reference's own tests (`tests/unit`) that call the changed function, those of its module first, for\n"
        f"{seconds:g} CPU seconds at most. *Killed* is one on which a test fails, or takes six times as long as it\n"
        "should, or too much memory (*late*). A survivor is *equivalent* to the right code, or shows in its *speed\n"
        "only*, or in the *message text only* of an error or a warning; `survivors.toml` says why of each one."
    )


class _Progress:
    """Prints every survivor at once, and how far the run has come each minute."""

    def __init__(self, mutants: Sequence[Mutant], journal: Journal) -> None:
        self._journal = journal
        known = len(journal.known(mutants))
        print(f"{known} of {len(mutants)} known", flush=True)
        self._whole = len(mutants) - known
        self._done = 0
        self._told = time.monotonic()

    def __call__(self, attempt: Attempt) -> None:
        self._done += 1
        self._journal.write(attempt)
        if attempt.valid and not attempt.test:
            print(f"survived {attempt.tried} tests: {attempt.mutant.title}", flush=True)
        if time.monotonic() - self._told > 60:
            self._told = time.monotonic()
            print(f"{self._done} of {self._whole}", flush=True)


def _print(one: Score) -> None:
    print(f"{one.module}: {one.killed} of {one.mutants} killed ({one.percent:.1f} %), of {one.exist} that there are")
    for mutant in one.unexplained:
        print(f"  not explained: {mutant.function}: {mutant.was!r} -> {mutant.now!r}")
    for entry in one.stale if one.mutants == one.exist else ():
        print(f"  no survivor any more, remove it from {ACCEPTED.name}: {entry}")


if __name__ == "__main__":
    sys.exit(main())
