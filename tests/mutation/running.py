"""Runs the tests on mutants: everything is imported and collected once, and each mutant gets a forked process.

First every test runs once on the right code, to learn how long it takes and which
functions it calls. A mutant then meets the tests that call its function: those that
already caught another mutant of that function, then the tests of its module, then the
others, quick ones first, until one fails or the time for one mutant is spent.
"""

from __future__ import annotations

import gc
import os
import pickle
import resource
import select
import signal
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.mutation.mutants import Mutant, exchange, source_of

__all__ = ["Attempt", "Campaign"]

MEMORY = 3_000_000_000
"""Bytes that a mutant may use beyond what is there before it runs."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of a mutant: the test that caught it, or "" for none."""

    mutant: Mutant
    test: str
    late: bool = False
    tried: int = 0


@dataclass
class Campaign:
    """A pytest plugin that runs mutants instead of tests.

    `seconds` are the CPU seconds of tests that one mutant may meet. `done` is known from an earlier run.
    """

    mutants: Sequence[Mutant]
    seconds: float
    tell: Callable[[Attempt], None]
    done: Mapping[Mutant, Attempt] = field(default_factory=dict)
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
        if all(mutant in self.done for mutant in self.mutants):
            self.attempts.extend(self.done[mutant] for mutant in self.mutants)
            return True
        items = session.items
        files = {str(source_of(name)) for name in {mutant.module for mutant in self.mutants}}
        answer = _in_child(lambda tell: tell(_observe(items, files)), patience=3600)
        if answer is None:
            raise pytest.UsageError("the tests end the process, or take more than an hour")
        for name, failure in answer["failing"].items():
            print(f"not used, because it fails on the right code: {name}\n{failure[-500:]}")
        seconds: list[float] = answer["seconds"]
        callers: dict[tuple[str, str], set[int]] = answer["callers"]
        catchers: dict[tuple[str, str], dict[int, None]] = defaultdict(dict)
        gc.collect()
        gc.freeze()  # what a child does not look at need not be copied
        for mutant in self.mutants:
            if mutant in self.done:
                self.attempts.append(self.done[mutant])
                continue
            place = (str(source_of(mutant.module)), mutant.function)
            own = mutant.module.replace(".", "/").split("/")[0]

            def rank(index: int, own: str = own) -> tuple[bool, float]:
                return own not in items[index].nodeid, seconds[index]

            order = [*catchers[place], *sorted(callers.get(place, set()) - catchers[place].keys(), key=rank)]
            chosen, spent = [], 0.0
            for index in order:
                spent += seconds[index]
                if spent > self.seconds:
                    break
                chosen.append((items[index], seconds[index]))
            answer = _in_child(
                lambda tell, m=mutant, c=chosen: tell(_meet(m, c, tell)), patience=60 + 20 * self.seconds
            )  # type: ignore[misc]
            caught = answer if isinstance(answer, str) else "out of time or memory"
            if caught == "no function":  # what mutmut makes is not always Python
                continue
            if caught.startswith("test "):
                caught = caught.removeprefix("test ")
                index = next(index for index, item in enumerate(items) if item.nodeid == caught)
                catchers[place] = {index: None, **catchers[place]}
            attempt = Attempt(mutant, caught, caught.startswith("out of"), len(chosen))
            self.attempts.append(attempt)
            self.tell(attempt)
        return True


def _observe(items: Sequence[pytest.Item], files: set[str]) -> dict[str, Any]:
    """How long each test takes, and which functions of some files it calls; and which tests fail."""
    _run_everything_here()
    callers: dict[tuple[str, str], set[int]] = defaultdict(set)
    seconds: list[float] = []
    index = 0

    def observe(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename in files:
            callers[frame.f_code.co_filename, frame.f_code.co_qualname].add(index)

    failing: dict[str, str] = {}
    for index, item in enumerate(items):
        following = items[index + 1] if index + 1 < len(items) else None
        started = time.process_time()
        sys.settrace(observe)
        failure = _failure(item, following)
        sys.settrace(None)
        if failure:  # a test of time limits may fail because it is watched
            started = time.process_time()
            failure = _failure(item, following)
        seconds.append(time.process_time() - started)
        if failure:
            failing[item.nodeid] = failure
            for called in callers.values():
                called.discard(index)
    return {"seconds": seconds, "callers": dict(callers), "failing": failing}


def _meet(mutant: Mutant, chosen: Sequence[tuple[pytest.Item, float]], tell: Callable[[Any], None]) -> str:
    """The test that catches a mutant, or ""."""
    _run_everything_here()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    allowed = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    try:
        exchange(mutant)
    except (SyntaxError, ValueError):
        return "no function"

    def late(*_: object) -> None:
        tell("out of time")
        os._exit(0)

    signal.signal(signal.SIGPROF, late)
    for position, (item, seconds) in enumerate(chosen):
        signal.setitimer(signal.ITIMER_PROF, 3 + 6 * seconds)
        following = chosen[position + 1][0] if position + 1 < len(chosen) else None
        if _failure(item, following):
            return f"test {item.nodeid}"
    return ""


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


def _in_child(work: Callable[[Callable[[Any], None]], None], *, patience: float) -> Any:
    """What a forked process tells; None where it dies or is silent for too long (in seconds)."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)

            def tell(answer: Any) -> None:
                with os.fdopen(write, "wb", closefd=False) as pipe:
                    pickle.dump(answer, pipe)

            work(tell)
        except BaseException:  # noqa: BLE001 - a child must not return into pytest
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(write)
    told = b""
    until = time.monotonic() + patience
    with os.fdopen(read, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
            part = pipe.read(65536)
            if not part:
                break
            told += part
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return pickle.loads(told) if told else None
