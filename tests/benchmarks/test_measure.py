"""The way ratios are measured, checked with a clock that the test moves by hand."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest

from tests.benchmarks.measure import Ratio, Row, interleaved_ratio, table


class Clock:
    """A clock that stands still unless some work moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def taking(self, *seconds: float) -> Callable[[], None]:
        calls = iter(seconds)

        def work() -> None:
            self.now += next(calls)

        return work


def test_a_slow_moment_that_hits_both_sides_changes_nothing() -> None:
    clock = Clock()
    measured = clock.taking(99, 3, 30, 3)
    baseline = clock.taking(99, 2, 20, 2)
    ratio = interleaved_ratio(measured, baseline, rounds=3, clock=clock)
    assert (ratio.median, ratio.lower, ratio.upper) == (1.5, 1.5, 1.5)
    assert (ratio.measured, ratio.baseline) == (3, 2)


def test_one_slow_round_does_not_move_the_median() -> None:
    clock = Clock()
    measured = clock.taking(0, 2, 2, 2000, 2, 2)
    baseline = clock.taking(0, 1, 1, 1, 1, 1)
    assert interleaved_ratio(measured, baseline, rounds=5, clock=clock).median == 2


def test_seconds_are_those_of_one_call() -> None:
    clock = Clock()
    ratio = interleaved_ratio(clock.taking(*[4] * 7), clock.taking(*[2] * 7), rounds=3, calls=2, clock=clock)
    assert (ratio.measured, ratio.baseline) == (4, 2)


def test_the_garbage_collector_is_off_during_the_rounds_and_on_after_them() -> None:
    seen: list[bool] = []
    clock = Clock()

    def work() -> None:
        clock.now += 1
        seen.append(gc.isenabled())

    interleaved_ratio(work, work, rounds=3, clock=clock)
    assert seen[2:] == [False] * 6
    assert gc.isenabled()


@pytest.mark.parametrize(("rounds", "calls"), [(2, 1), (3, 0)])
def test_too_few_rounds_are_refused(rounds: int, calls: int) -> None:
    with pytest.raises(ValueError, match=f"not {rounds} of {calls}"):
        interleaved_ratio(lambda: None, lambda: None, rounds=rounds, calls=calls)


def test_the_table_says_which_figure_is_over_its_bound() -> None:
    ratio = Ratio(median=1.5, lower=1.25, upper=2, measured=0.003, baseline=0.002, rounds=5)
    rows = [Row.of("a", ratio, bound=1.35), Row("b", 0.1, "s", 0.15), Row("c", 3)]
    assert table(rows).splitlines()[2:] == [
        "| a | 1.50 | ≤ 1.35 | **over** | 3.00 ms / 2.00 ms, quartiles 1.25 to 2.00, 5 rounds |",
        "| b | 0.10 s | ≤ 0.15 s | within |  |",
        "| c | 3.00 |  |  |  |",
    ]
