"""Runs the tests on mutants: everything is imported and collected once, and each mutant gets a forked process.

First every test runs twice on the right code: watched, to learn which functions it calls, and
then, in another order, to learn how long it takes and that it passes wherever it stands. A mutant
then meets the tests that call its function: those that already caught another mutant of that
function, then the tests of its module, then those of its folder, then the others, quick ones first,
until one fails or the time for one mutant is spent.
"""

from __future__ import annotations

import contextlib
import cProfile
import gc
import importlib
import os
import pickle
import resource
import select
import signal
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from tests.mutation.mutants import Mutant, exchange, source_of

__all__ = ["Attempt", "Campaign"]

MEMORY = 3_000_000_000
"""Bytes that a mutant may use beyond what is there before it runs."""

REMEMBERING = (
    "maskspec.markers",
    "maskspec.prompts",
    "maskspec.rendering.origins",
    "maskspec.rendering.render",
)
"""Modules of the reference with functions that remember their answers: compiled templates, what they look for."""


class _Outcome(Enum):
    CAUGHT = "caught"
    SURVIVED = "survived"
    LATE = "late"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of a mutant: the test that caught it, or "" for none.

    `late` says that it ran out of time or memory. What mutmut makes is not always Python; then it is not `valid`.
    """

    mutant: Mutant
    test: str
    late: bool = False
    tried: int = 0
    valid: bool = True


@dataclass
class Campaign:
    """A pytest plugin that runs mutants instead of tests.

    `seconds` are the CPU seconds of tests that one mutant may meet; `jobs` mutants run at once. `done` is
    known from an earlier run. `attempts` are in the order of `mutants` once pytest has ended.
    """

    mutants: Sequence[Mutant]
    seconds: float
    tell: Callable[[Attempt], None]
    done: Mapping[Mutant, Attempt] = field(default_factory=dict)
    jobs: int = 1
    attempts: list[Attempt] = field(default_factory=list)

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self) -> None:
        """A property that fails need not be shrunk: that it fails is all that is asked."""
        from hypothesis import Phase, settings

        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutation", derandomize=True, database=None, print_blob=False, phases=phases)
        settings.load_profile("mutation")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        made: dict[Mutant, Attempt] = {mutant: self.done[mutant] for mutant in self.mutants if mutant in self.done}
        if len(made) < len(self.mutants):
            observed = _watched(session.items, {str(source_of(mutant.module)) for mutant in self.mutants})
            gc.collect()
            gc.freeze()  # what a child does not look at need not be copied
            for attempt in self._run([mutant for mutant in self.mutants if mutant not in made], observed):
                made[attempt.mutant] = attempt
                self.tell(attempt)
        self.attempts.extend(made[mutant] for mutant in self.mutants)
        return True

    def _run(self, mutants: Sequence[Mutant], observed: _Observed) -> Iterator[Attempt]:
        waiting = list(reversed(mutants))
        running: dict[int, tuple[_Child, Mutant, int]] = {}
        while waiting or running:
            while waiting and len(running) < self.jobs:
                mutant = waiting.pop()
                chosen = observed.chosen(mutant, self.seconds)
                child = _Child(lambda m=mutant, c=chosen: _meet(m, c), patience=60 + 20 * self.seconds)  # type: ignore[misc]
                running[child.pipe] = child, mutant, len(chosen)
            select.select(list(running), [], [], 1.0)
            for pipe, (child, mutant, tried) in list(running.items()):
                if child.is_over():
                    del running[pipe]
                    outcome, test = child.answer() or (_Outcome.LATE, "out of time or memory")
                    if outcome is _Outcome.CAUGHT:
                        observed.note(mutant, test)
                    yield Attempt(mutant, test, outcome is _Outcome.LATE, tried, outcome is not _Outcome.INVALID)


@dataclass
class _Observed:
    """The tests: how long each takes, which functions it calls, which mutants of a function it caught so far."""

    items: Sequence[pytest.Item]
    seconds: Mapping[int, float]
    callers: Mapping[tuple[str, str], set[int]]
    catchers: dict[tuple[str, str], dict[int, None]] = field(default_factory=lambda: defaultdict(dict))

    def chosen(self, mutant: Mutant, seconds: float) -> list[tuple[pytest.Item, float]]:
        """What a mutant meets, in that order, with the CPU seconds that each test takes on the right code."""
        place = _place(mutant)
        *folder, module = mutant.module.split(".")

        def rank(index: int) -> tuple[bool, bool, float]:
            name = self.items[index].nodeid
            return f"/test_{module}" not in name, not all(f"/{part}/" in name for part in folder), self.seconds[index]

        first = self.catchers[place]
        others = (index for index in self.callers.get(place, ()) if index in self.seconds and index not in first)
        order = [*first, *sorted(others, key=rank)]
        chosen, spent = [], 0.0
        for index in order:
            spent += self.seconds[index]
            if spent > seconds:
                break
            chosen.append((self.items[index], self.seconds[index]))
        return chosen

    def note(self, mutant: Mutant, test: str) -> None:
        """Let the next mutants of the same function meet this test first."""
        index = next(index for index, item in enumerate(self.items) if item.nodeid == test)
        place = _place(mutant)
        self.catchers[place] = {index: None, **self.catchers[place]}


def _place(mutant: Mutant) -> tuple[str, str]:
    return str(source_of(mutant.module)), mutant.function


def _watched(items: Sequence[pytest.Item], files: set[str]) -> _Observed:
    """Run every test on the right code; what fails there is not used, and said."""
    answer = _Child(lambda: _observe(items, files), patience=2 * 3600).answer()
    if answer is None:
        raise pytest.UsageError("the tests end the process, or take more than two hours")
    callers, seconds, failing, imported = answer
    for name in imported:  # once, and not again in the process of every mutant
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    for name, failure in failing.items():
        print(f"not used, because it fails on the right code: {name}\n  {failure.splitlines()[-1][:200]}")
    print(f"{len(seconds)} tests in {sum(seconds.values()):.0f} CPU seconds", flush=True)
    return _Observed(items, seconds, callers)


def _observe(items: Sequence[pytest.Item], files: set[str]) -> tuple[Any, dict[int, float], dict[str, str], list[str]]:
    """Which tests call each function of some files; seconds of those that pass; failures of others; what they import."""
    _run_everything_here()
    before = set(sys.modules)
    callers: dict[tuple[str, str], set[int]] = defaultdict(set)
    seconds: dict[int, float] = {}
    for index, item in enumerate(items):
        started = time.process_time()
        for (
            function
        ) in _remembering():  # what a test need not call because an earlier one has, it may have to call alone
            function.cache_clear()
        profile = cProfile.Profile(builtins=False)
        profile.enable()
        _failure(item, items[index + 1] if index + 1 < len(items) else None)
        profile.disable()
        seconds[index] = time.process_time() - started
        for entry in profile.getstats():
            if not isinstance(entry.code, str) and entry.code.co_filename in files:
                callers[entry.code.co_filename, entry.code.co_qualname].add(index)
    failing: dict[str, str] = {}
    order = sorted(seconds, key=lambda index: seconds[index])
    for index, following in zip(order, [*order[1:], None], strict=True):
        started = time.process_time()
        failure = _failure(items[index], None if following is None else items[following])
        seconds[index] = time.process_time() - started
        if failure:  # one that fails only while it is watched, as tests of time limits may, is used
            failing[items[index].nodeid] = failure
            del seconds[index]
    return dict(callers), seconds, failing, [name for name in sys.modules if name not in before]


def _remembering() -> list[Any]:
    """The functions of the reference that remember their answers."""
    modules = [sys.modules[name] for name in REMEMBERING if name in sys.modules]
    return [value for module in modules for value in vars(module).values() if hasattr(value, "cache_clear")]


def _meet(mutant: Mutant, chosen: Sequence[tuple[pytest.Item, float]]) -> tuple[_Outcome, str]:
    """What becomes of a mutant, and the test that catches it; the process ends where a test is late."""
    _run_everything_here()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    allowed = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    try:
        exchange(mutant)
    except (SyntaxError, ValueError):
        return _Outcome.INVALID, ""
    signal.signal(signal.SIGPROF, lambda *_: os._exit(0))
    for position, (item, seconds) in enumerate(chosen):
        signal.setitimer(signal.ITIMER_PROF, 3 + 6 * seconds)
        if _failure(item, chosen[position + 1][0] if position + 1 < len(chosen) else None):
            return _Outcome.CAUGHT, item.nodeid
    return _Outcome.SURVIVED, ""


def _failure(item: pytest.Item, following: pytest.Item | None) -> str:
    """How a test fails; empty for a test that passes or is skipped."""
    from _pytest.runner import runtestprotocol

    for report in runtestprotocol(item, log=False, nextitem=following):
        if report.failed:
            return report.longreprtext[-3000:] or "failed"
    return ""


def _run_everything_here() -> None:
    """Let templates that are run in a process of their own be run in this one, which holds the mutant and is confined."""
    confined = sys.modules.get("tests.unit.rendering.confined")
    if confined is not None:
        confined.Confinement.attempt = lambda _, template, *, traced=True, **limits: confined.attempt(  # type: ignore[attr-defined]
            template, traced=traced, limits=limits
        )


class _Child:
    """A forked process that works something out; it may take `patience` seconds."""

    def __init__(self, work: Callable[[], object], *, patience: float) -> None:
        self._until = time.monotonic() + patience
        self._told = b""
        self._ended = False
        self.pipe, write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.close(self.pipe)
                answer = pickle.dumps(work())
                with os.fdopen(write, "wb") as pipe:
                    pipe.write(answer)
            except BaseException:  # noqa: BLE001 - a child must not return into pytest
                traceback.print_exc()
            finally:
                os._exit(0)
        os.close(write)

    def is_over(self, *, wait: float = 0.0) -> bool:
        """Whether it has ended or its time has; it is waited for some seconds."""
        while not self._ended and select.select([self.pipe], [], [], wait)[0]:
            part = os.read(self.pipe, 65536)
            self._told += part
            self._ended = not part
        return self._ended or time.monotonic() > self._until

    def answer(self) -> Any:
        """What it worked out; None where it died or took too long. The process is gone after that."""
        while not self.is_over(wait=1.0):
            pass
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self.pipe)
        return pickle.loads(self._told) if self._ended and self._told else None
