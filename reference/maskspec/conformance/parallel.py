"""Does the tasks of a run in several processes, each with a masker of its own.

Every process loads the masker by its path and pairs by their names. The processes are
started afresh (`spawn`), since libraries with threads of their own do not survive a
fork. The parent hands out tasks, listens, and ends a process whose adapter hangs in a
call that nothing inside that process can cut.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from typing import Any

from maskspec.conformance.cases import Case
from maskspec.conformance.loading import load_masker
from maskspec.conformance.pairs import find_pair
from maskspec.conformance.profiles import Plan
from maskspec.conformance.report import PairResult
from maskspec.conformance.tasks import Observer, Task, perform
from maskspec.conformance.timelimit import GRACE, CallClock, TimeLimit, is_overdue
from maskspec.corpus import Kind, Pair
from maskspec.errors import CorpusError, MaskspecError, UsageError
from maskspec.policy import Policy

__all__ = ["Processes"]

_POLL = 1.0


@dataclass(slots=True)
class _Worker:
    """One process, what it does, and which pairs it has loaded."""

    process: BaseProcess
    connection: Connection
    clock: CallClock
    ready: bool = False
    task: Task | None = None
    case: Case | None = None
    loaded: set[str] = field(default_factory=set)


class Processes:
    """Does tasks in `jobs` processes.

    Raises:
        UsageError: the masker or a pair cannot be found again by another process.
    """

    def __init__(self, jobs: int, pairs: Mapping[str, Pair], plan: Plan, *, masker: str, policy: Policy) -> None:
        if not plan.masker_path:
            raise UsageError(
                "several processes need a masker that each can load by its path (`module:object`), and this one has "
                "none; give masker_path=, or use jobs=1"
            )
        for name, pair in pairs.items():
            if not _can_be_found(pair):
                raise UsageError(f"another process cannot load the pair {name!r} by its name; use jobs=1")
        self._jobs = jobs
        self._pairs = pairs
        self._plan = plan
        self._expected = (masker, policy)
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []

    def run(self, tasks: Sequence[Task], observer: Observer) -> None:
        """Do all the tasks and tell the observer."""
        waiting = deque(tasks)
        missing = min(self._jobs, len(waiting)) - len(self._workers)
        self._workers += [self._start() for _ in range(missing)]
        while waiting or any(worker.task is not None for worker in self._workers):
            for worker in self._workers:
                if worker.ready and worker.task is None and waiting:
                    self._hand_out(worker, waiting, observer)
            if not any(worker.task is not None or not worker.ready for worker in self._workers):
                continue
            by_connection: dict[Any, _Worker] = {worker.connection: worker for worker in self._workers}
            for connection in wait(list(by_connection), timeout=_POLL):
                self._listen(by_connection[connection], observer)
            for worker in self._workers:
                if worker.task is not None and is_overdue(worker.clock, self._plan.time_limit):
                    self._lose(worker, observer, hung=True)

    def close(self) -> None:
        """End all processes, whatever they do."""
        for worker in self._workers:
            worker.connection.close()
            worker.process.kill()
            worker.process.join()
        self._workers = []

    def _start(self) -> _Worker:
        clock: Synchronized[float] = self._context.Value("d", 0.0, lock=False)
        here, there = self._context.Pipe()
        process = self._context.Process(
            target=_work, args=(there, self._plan, clock), name="maskspec worker", daemon=True
        )
        process.start()
        there.close()
        return _Worker(process=process, connection=here, clock=clock)

    def _hand_out(self, worker: _Worker, waiting: deque[Task], observer: Observer) -> None:
        while waiting:
            task = self._choose(worker, waiting)
            if task is None:
                return
            waiting.remove(task)
            ready = observer.begin(task)
            if ready is not None:
                observer.done(task, ready)
                continue
            worker.task, worker.case = task, None
            worker.loaded.add(task.pair)
            try:
                worker.connection.send(task)
            except OSError:
                pass  # the process is gone, which the next look at its connection shows
            return

    def _choose(self, worker: _Worker, waiting: deque[Task]) -> Task | None:
        """The next task for a process: on a pair that it has loaded, or one that no other process has."""
        elsewhere = {name for other in self._workers if other is not worker for name in other.loaded}
        for task in waiting:
            if task.pair in worker.loaded:
                return task
        for task in waiting:
            if task.pair not in elsewhere or self._pairs[task.pair].kind is Kind.EMBEDDED:
                return task
        return None

    def _listen(self, worker: _Worker, observer: Observer) -> None:
        try:
            what, value = worker.connection.recv()
        except (EOFError, OSError):
            self._lose(worker, observer, hung=False)
            return
        if what == "ready":
            if value != self._expected:
                raise UsageError(
                    f"{self._plan.masker_path!r} leads another process to the masker {value[0]!r} with {value[1]}, "
                    f"not to {self._expected[0]!r} with {self._expected[1]}; use jobs=1, or name a path to this one"
                )
            worker.ready = True
        elif what == "asking":
            worker.case = value
        elif what == "found":
            observer.found(value)
        elif what == "done":
            task, worker.task = worker.task, None
            assert task is not None
            observer.done(task, value)
        elif what == "interrupted":
            raise KeyboardInterrupt
        else:
            raise value if isinstance(value, MaskspecError) else RuntimeError(f"in another process:\n{value}")

    def _lose(self, worker: _Worker, observer: Observer, *, hung: bool) -> None:
        """Give up a process, tell what it was doing, and start another in its place."""
        worker.process.kill() if hung else worker.process.join(GRACE)
        worker.process.kill()
        worker.process.join()
        worker.connection.close()
        code = worker.process.exitcode
        if not worker.ready:
            raise UsageError(
                f"a further process ended with exit code {code} before it was ready (its messages are above); in a "
                "script, call check_masker() below `if __name__ == '__main__':`, or use jobs=1"
            )
        self._workers.remove(worker)
        if worker.task is not None:
            if hung:
                limit = self._plan.time_limit
                problem = f"mask() did not return within {limit:g} s, and its process had to be ended {GRACE:g} s later"
            else:
                problem = f"the adapter ended its process ({_ending(code)})"
            observer.lost(worker.task, problem, worker.case, hung=hung)
        self._workers.append(self._start())


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


def _can_be_found(pair: Pair) -> bool:
    try:
        return find_pair(pair.name) == pair
    except CorpusError:
        return False


def _work(connection: Connection, plan: Plan, clock: Any) -> None:
    """The life of one process: load the masker, do tasks until the parent closes the connection."""
    # Ctrl-C reaches every process of a terminal; the parent decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    try:
        masker = load_masker(plan.masker_path)
        connection.send(("ready", (masker.name, masker.policy)))
        guard = TimeLimit(plan.time_limit, clock=clock)
        while True:
            task: Task = connection.recv()
            result: PairResult = perform(
                masker,
                find_pair(task.pair),
                plan,
                task,
                guard=guard,
                asking=lambda case: connection.send(("asking", case)),
                found=lambda failure: connection.send(("found", failure)),
            )
            connection.send(("done", result))
    except (EOFError, OSError):
        return
    except KeyboardInterrupt:
        connection.send(("interrupted", None))
    except MaskspecError as error:
        connection.send(("failed", error))
    except Exception:  # noqa: BLE001  (whatever failed, the parent has to be told)
        connection.send(("failed", traceback.format_exc()))


def _end_with_parent() -> None:
    """End this process when its parent is gone, also when that was killed."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(3)

    threading.Thread(target=watch, name="maskspec parent", daemon=True).start()
