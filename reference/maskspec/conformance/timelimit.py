"""Cuts a call of an adapter that does not come back, so that one hang does not hold up a whole run.

In the main thread of a POSIX system an alarm interrupts the call, also one that sleeps.
Elsewhere (another thread, Windows) a watching thread raises inside it as soon as it runs
Python code again. What is raised is no `Exception`, so that an adapter which handles
every `Exception` is cut all the same. A call that hangs in C code is cut by neither;
`overdue` tells whoever can end the process.
"""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from maskspec.conformance.protocol import AdapterError
from maskspec.errors import UsageError

__all__ = ["GRACE", "TIME_LIMIT", "AdapterHung", "CallClock", "TimeLimit", "is_overdue"]

TIME_LIMIT = 30.0
"""Seconds that one call of an adapter may take, unless the caller says otherwise."""

GRACE = 10.0
"""Seconds after which a call that should have been cut counts as one that cannot be."""


class AdapterHung(AdapterError):
    """A call of the adapter did not return within the time limit and was cut."""


class CallClock(Protocol):
    """Where the beginning of the running call is kept: `time.monotonic()`, or 0 between calls."""

    value: float


class _NoClock:
    """A clock that only this process can read."""

    def __init__(self) -> None:
        self.value = 0.0


class _Cut(BaseException):
    """Raised inside the adapter; no `Exception`, because adapters catch those."""


class TimeLimit:
    """A guard for `Examiner`: calls a function and raises `AdapterHung` when it takes longer than `seconds`.

    `adapter_seconds` counts the time spent inside. `clock` is told when a call begins and
    ends, so that another thread or process can see one that hangs for good. Not for use by
    several threads at a time.

    Raises:
        UsageError: `seconds` is not a positive number.
    """

    def __init__(self, seconds: float = TIME_LIMIT, *, clock: CallClock | None = None) -> None:
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not seconds > 0:
            raise UsageError(f"the time limit must be a positive number of seconds, not {seconds!r}")
        self.seconds = float(seconds)
        self.adapter_seconds = 0.0
        self.clock: CallClock = clock if clock is not None else _NoClock()

    def __call__(self, function: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        self.clock.value = time.monotonic()
        try:
            if self.seconds > _FOREVER:
                return function()
            if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
                return self._under_alarm(function)
            return self._under_watch(function)
        finally:
            self.clock.value = 0.0
            self.adapter_seconds += time.perf_counter() - started

    @property
    def overdue(self) -> bool:
        """Whether the running call should have been cut `GRACE` seconds ago."""
        return is_overdue(self.clock, self.seconds)

    @contextmanager
    def watched(self, stuck: Callable[[], None]) -> Iterator[None]:
        """Call `stuck` from another thread when a call can be cut by nothing; it is expected to end the process."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(min(1.0, self.seconds)):
                if self.overdue:
                    stuck()
                    return

        thread = threading.Thread(target=watch, name="maskspec watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _hung(self) -> AdapterHung:
        return AdapterHung(f"did not return within {self.seconds:g} s; if it only needs longer, raise the time limit")

    def _under_alarm(self, function: Callable[[], Any]) -> Any:
        left, interval = signal.getitimer(signal.ITIMER_REAL)
        if 0 < left <= self.seconds:
            # The host's own alarm (of pytest-timeout, say) comes first and decides by itself.
            return function()
        armed, fired = True, False

        def cut(_signal: int, _frame: object) -> None:
            nonlocal fired
            if armed:
                fired = True
                raise _Cut

        started = time.monotonic()
        before = signal.signal(signal.SIGALRM, cut)
        # It fires again and again: an adapter may swallow the first one in a `finally` or an `except:`.
        signal.setitimer(signal.ITIMER_REAL, self.seconds, min(self.seconds, 1.0))
        try:
            try:
                result = function()
            finally:
                armed = False
        except _Cut:
            armed = False
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, before if before is not None else signal.SIG_DFL)
            if left:
                signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - started), 1e-6), interval)
        if fired:
            raise self._hung() from None
        return result

    def _under_watch(self, function: Callable[[], Any]) -> Any:
        identity = ctypes.c_ulong(threading.get_ident())
        done = threading.Event()
        fired = False

        def watch() -> None:
            nonlocal fired
            pause = self.seconds
            while not done.wait(pause):
                fired = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(_Cut))
                pause = 1.0

        thread = threading.Thread(target=watch, name="maskspec time limit", daemon=True)
        thread.start()
        try:
            try:
                result = function()
            finally:
                _settle(thread, done)
        except _Cut:
            _settle(thread, done)
        if fired:
            raise self._hung() from None
        return result


def _settle(thread: threading.Thread, done: threading.Event) -> None:
    """End the watching thread, and wait for what it has raised and what has not arrived yet.

    Taking it back (`PyThreadState_SetAsyncExc` with NULL) would leave CPython 3.11 with a
    request that is never answered; the next function called under a tracer then never begins.
    """
    while True:
        try:
            done.set()
            thread.join()
            for _ in range(100):  # pending exceptions arrive where a loop jumps back
                pass
        except _Cut:
            continue
        return


_FOREVER = 10**8
"""Seconds beyond which a time limit is none; timers of operating systems do not count further."""


def is_overdue(clock: CallClock, seconds: float) -> bool:
    """Whether the call that a clock shows should have been cut `GRACE` seconds ago."""
    began = clock.value
    return bool(began) and time.monotonic() - began > seconds + GRACE
