"""How soon are the mutants caught? `python -m tests.benchmarks detection`, or with options `... tests.benchmarks.detection`.

Every mutant is put to the suite with ten seeds, once as a run asks (the fixed shapes of a
pair, then the generated conversations) and once as if there were no shapes, which shows
what the generators find by themselves. The report says how many conversations it took.
"""

from __future__ import annotations

import argparse
import math
import platform
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from maskspec.conformance import PROFILES
from maskspec.conformance.profiles import versions
from tests.benchmarks.measure import Row
from tests.mutants.catalogue import MUTANTS
from tests.mutants.detection import Detection, detect

__all__ = ["detection", "report", "summary"]

SEEDS = 10
_ASKED = 20
"""The bound of a median: the number of conversations that profile quick generates for a pair."""

Found = Mapping[str, Sequence[Detection]]


def detection() -> Iterator[Row]:
    """Measure ten seeds in one process and compare with the targets."""
    started = time.perf_counter()
    found = measured(list(MUTANTS), seeds=SEEDS, jobs=1)
    yield from summary(found)
    yield Row("seconds for all mutants and seeds", time.perf_counter() - started, "s", None, f"{len(found)} mutants")


def measured(names: Sequence[str], *, seeds: int, jobs: int) -> dict[str, list[Detection]]:
    """The detections of some mutants; those of a pair one after the other, since they share its conversations.

    Raises MissingPackageError where the package of a pair is not installed: the figures would be of fewer mutants.
    """
    order = sorted(names, key=lambda name: MUTANTS[name].pairs)
    if jobs == 1:
        results = [_detected(name, seeds=seeds) for name in order]
    else:
        with ProcessPoolExecutor(jobs) as pool:
            results = list(pool.map(partial(_detected, seeds=seeds), order, chunksize=8))
    found = dict(zip(order, results, strict=True))
    return {name: found[name] for name in names}


def _detected(name: str, *, seeds: int) -> list[Detection]:
    return detect(MUTANTS[name], profile="default", seeds=range(seeds))


def summary(found: Found) -> Iterator[Row]:
    """The figures over all mutants, beside the targets where there is one."""
    for fixed, what in ((True, "with the fixed shapes"), (False, "without the fixed shapes")):
        numbers = {name: _numbers(results, "default", fixed=fixed) for name, results in found.items()}
        medians = {name: statistics.median(each) for name, each in numbers.items()}
        bound = float(_ASKED) if fixed else None
        slowest = max(medians, key=medians.__getitem__)
        yield Row(
            f"conversations until a mutant is caught, {what}: median of the medians",
            statistics.median(medians.values()),
            detail=f"{sum(median <= _ASKED for median in medians.values())} of {len(medians)} medians are at most {_ASKED}",
        )
        yield Row(f"the highest median, {what}", medians[slowest], "", bound, slowest)
        for profile in ("quick", "default"):
            missed = {
                name: count
                for name, results in found.items()
                if (count := _numbers(results, profile, fixed=fixed).count(math.inf))
            }
            runs = sum(len(results) for results in found.values())
            yield Row(
                f"mutants not caught with every seed, profile {profile}, {what}",
                len(missed),
                "",
                0.0 if fixed and profile == "default" else None,
                f"{runs - sum(missed.values())} of {runs} runs catch their mutant",
            )


def _numbers(results: Sequence[Detection], profile: str, *, fixed: bool) -> list[float]:
    """For every seed, after how many conversations the mutant was caught; infinite where it was not."""
    asked = (each.asked(profile, fixed=fixed) for each in results)
    return [math.inf if number is None else number for number in asked]


_EXPLANATION = """\
Every mutant of `tests/mutants` with the seeds from 0 to {last}. A number says how many conversations were asked about until
a rule that is expected to catch the mutant did, on its pairs in their order: for each pair the fixed shapes, then the
generated conversations, {quick} in profile quick and {default} in profile default, of which the first {quick} are the
same. Medians and worst seeds are of profile default. The last four columns leave the fixed shapes out and show what the
generators find by themselves. ∞: not caught.
"""


def report(found: Found, *, command: str, seconds: float) -> Iterator[str]:
    """The lines of the Markdown file."""
    seeds = max((len(results) for results in found.values()), default=0)
    yield "# How soon mutants are caught"
    yield ""
    yield f"Written by `{command}` in {seconds:.0f} seconds, on Python {platform.python_version()} with"
    yield ", ".join(f"{name} {version}" for name, version in versions().items() if name != "maskspec") + "."
    yield ""
    yield _EXPLANATION.format(last=seeds - 1, **PROFILES)
    yield "| | | target | |"
    yield "|---|---:|---|---|"
    for row in summary(found):
        target = "" if row.bound is None else f"≤ {row.bound:g}, {'met' if row.value <= row.bound else '**missed**'}"
        yield f"| {row.name} | {row.value:g} | {target} | {row.detail} |"
    yield ""
    columns = ("quick", "default", "median", "worst")
    yield f"| mutant | {' | '.join(columns)} | {' | '.join(f'{column}, no shapes' for column in columns)} |"
    yield f"|---{'|---:' * 2 * len(columns)}|"
    for name, results in found.items():
        cells: list[str] = []
        for fixed in (True, False):
            numbers = _numbers(results, "default", fixed=fixed)
            for profile in ("quick", "default"):
                missed = _numbers(results, profile, fixed=fixed).count(math.inf)
                cells.append(f"{len(results) - missed}/{len(results)}")
            cells += [_number(statistics.median(numbers)), _number(max(numbers))]
        yield f"| {name} | {' | '.join(cells)} |"


def _number(value: float) -> str:
    return "∞" if math.isinf(value) else f"{value:g}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report or write it to a file."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.detection", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--only", nargs="*", default=None, help="names of mutants")
    parser.add_argument("--write", type=Path, help="write the report to this file")
    options = parser.parse_args(arguments)
    names = [name for name in MUTANTS if options.only is None or name in options.only]
    started = time.perf_counter()
    found = measured(names, seeds=options.seeds, jobs=options.jobs)
    given = sys.argv[1:] if arguments is None else list(arguments)
    command = " ".join(("python -m tests.benchmarks.detection", *given))
    text = "\n".join(report(found, command=command, seconds=time.perf_counter() - started)) + "\n"
    if options.write is None:
        print(text)
    else:
        options.write.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
