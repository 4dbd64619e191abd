"""How a ratio is measured so that a busy machine does not decide it: interleaved rounds and their median.

Both sides run in turn inside every round, and the order alternates, so that a
slow moment hits both. Only ratios of one round are compared, never seconds of
different runs.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Ratio", "Row", "interleaved_ratio", "table"]

Work = Callable[[], object]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Ratio:
    """The ratio of two workloads: the median over all rounds, and the quartiles that say how sure it is.

    `measured` and `baseline` are the median seconds of one call of each.
    """

    median: float
    lower: float
    upper: float
    measured: float
    baseline: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a figure, its unit (empty for a ratio), its upper bound, and how it was got."""

    name: str
    value: float
    unit: str = ""
    bound: float | None = None
    detail: str = ""

    @classmethod
    def of(cls, name: str, ratio: Ratio, *, bound: float | None = None) -> Row:
        """Make the row of a measured ratio."""
        detail = (
            f"{ratio.measured * 1e3:.2f} ms / {ratio.baseline * 1e3:.2f} ms, "
            f"quartiles {ratio.lower:.2f} to {ratio.upper:.2f}, {ratio.rounds} rounds"
        )
        return cls(name, ratio.median, "", bound, detail)


def interleaved_ratio(
    measured: Work, baseline: Work, *, rounds: int = 15, calls: int = 1, clock: Clock = time.perf_counter
) -> Ratio:
    """Return how many times longer `measured` takes than `baseline`.

    Each of the `rounds` times `calls` calls of both, one after the other. One
    untimed call of each comes first, so that caches are as warm for both. The
    garbage collector runs before the rounds and is off during them.

    Raises:
        ValueError: fewer than three rounds, which have no quartiles, or fewer than one call.
    """
    if rounds < 3 or calls < 1:
        raise ValueError(f"at least 3 rounds of 1 call are needed, not {rounds} of {calls}")
    measured()
    baseline()
    times: list[tuple[float, float]] = []
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            if number % 2 == 0:
                first = _seconds(measured, calls, clock)
                second = _seconds(baseline, calls, clock)
            else:
                second = _seconds(baseline, calls, clock)
                first = _seconds(measured, calls, clock)
            times.append((first, second))
    finally:
        gc.enable()
    lower, median, upper = statistics.quantiles((first / second for first, second in times), n=4, method="inclusive")
    return Ratio(
        median=median,
        lower=lower,
        upper=upper,
        measured=statistics.median(first for first, _ in times) / calls,
        baseline=statistics.median(second for _, second in times) / calls,
        rounds=rounds,
    )


def _seconds(work: Work, calls: int, clock: Clock) -> float:
    start = clock()
    for _ in range(calls):
        work()
    return clock() - start


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| figure | value | bound | | how |", "|---|---:|---:|---|---|"]
    lines += [_line(row) for row in rows]
    return "\n".join(lines)


def _line(row: Row) -> str:
    value = f"{row.value:.2f} {row.unit}".strip()
    if row.bound is None:
        bound, verdict = "", ""
    else:
        bound = f"≤ {row.bound:g} {row.unit}".strip()
        verdict = "within" if row.value <= row.bound else "**over**"
    cells: Sequence[str] = (row.name, value, bound, verdict, row.detail)
    return "| " + " | ".join(cells) + " |"
