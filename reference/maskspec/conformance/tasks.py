"""The units of work of a run, which any process can do, and the way to do them one after the other in this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from maskspec.conformance.cases import Case
from maskspec.conformance.pairrun import Key, examine_pair, shrink_pair
from maskspec.conformance.profiles import Plan
from maskspec.conformance.protocol import Masker
from maskspec.conformance.report import Failure, PairResult
from maskspec.conformance.timelimit import TimeLimit
from maskspec.corpus import Pair

__all__ = ["Here", "Observer", "Stuck", "Task", "Workers", "perform"]

Stuck = Callable[[str], None]
"""Told what an adapter hangs on that cannot be cut; expected to end the process."""


@dataclass(frozen=True, slots=True)
class Task:
    """One step on one pair: judge all its conversations, or, where `result` is given, make its failures smaller.

    `first` are the cases to begin with, `keys` the failures to make smaller, `hints` what
    to try for each, and `attempts` how far to search.
    """

    pair: str
    first: tuple[Case, ...] = ()
    result: PairResult | None = None
    keys: tuple[Key, ...] = ()
    hints: Mapping[Key, Sequence[Case]] = field(default_factory=dict)
    attempts: int = 0


class Observer(Protocol):
    """Who waits for tasks: told what happens, in whatever order it does."""

    def begin(self, task: Task) -> PairResult | None:
        """A task is about to be done; a result that is returned takes its place."""

    def found(self, failure: Failure) -> None:
        """A kind of failure was seen for the first time on its pair."""

    def done(self, task: Task, result: PairResult) -> None:
        """A task is done."""

    def lost(self, task: Task, problem: str, case: Case | None, *, hung: bool) -> None:
        """The process that did a task came to an end, or `hung` for good; `case` is what it asked last."""


class Workers(Protocol):
    """Whoever does tasks."""

    def run(self, tasks: Sequence[Task], observer: Observer) -> None:
        """Do all the tasks and tell the observer."""

    def close(self) -> None:
        """Let go of whatever is held."""


def perform(
    masker: Masker,
    pair: Pair,
    plan: Plan,
    task: Task,
    *,
    guard: TimeLimit,
    asking: Callable[[Case], None],
    found: Callable[[Failure], None],
) -> PairResult:
    """Do one task."""
    if task.result is None:
        return examine_pair(masker, pair, plan, guard=guard, first=task.first, asking=asking, found=found)
    return shrink_pair(masker, pair, plan, task.result, task.hints, guard=guard, only=task.keys, attempts=task.attempts)


class Here:
    """Does the tasks in this process, in their order."""

    def __init__(self, masker: Masker, pairs: Mapping[str, Pair], plan: Plan, *, stuck: Stuck | None = None) -> None:
        self._masker = masker
        self._pairs = pairs
        self._plan = plan
        self._stuck = stuck
        self._asked = ""

    def run(self, tasks: Sequence[Task], observer: Observer) -> None:
        """Do all the tasks and tell the observer; `stuck` is called when a call can be cut by nothing."""
        guard = TimeLimit(self._plan.time_limit)
        if self._stuck is None:
            self._run(tasks, observer, guard)
            return
        stuck = self._stuck
        with guard.watched(lambda: stuck(self._asked)):
            self._run(tasks, observer, guard)

    def close(self) -> None:
        """Nothing is held."""

    def _run(self, tasks: Sequence[Task], observer: Observer, guard: TimeLimit) -> None:
        for task in tasks:
            ready = observer.begin(task)
            if ready is not None:
                observer.done(task, ready)
                continue
            self._asked = f"{task.pair}, while making its failures smaller"

            def asking(case: Case, pair: str = task.pair) -> None:
                self._asked = f"{pair}: {case.text}" if self._stuck is not None else pair

            pair = self._pairs[task.pair]
            result = perform(self._masker, pair, self._plan, task, guard=guard, asking=asking, found=observer.found)
            observer.done(task, result)
