"""The guard that cuts a hang: it leaves signals, timers and threads as it found them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from maskspec.conformance.timelimit import GRACE, AdapterHung, TimeLimit, is_overdue
from maskspec.errors import UsageError

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no alarms")


class _Rang(BaseException):
    """The host's own alarm."""


@pytest.fixture
def hosts_alarm() -> Iterator[None]:
    """A handler as pytest-timeout installs one."""

    def ring(_signal: int, _frame: object) -> None:
        raise _Rang

    before = signal.signal(signal.SIGALRM, ring)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_what_returns_in_time_is_returned_and_its_time_counted() -> None:
    limit = TimeLimit(5)
    assert limit(lambda: time.sleep(0.05) or 7) == 7
    assert 0.05 <= limit.adapter_seconds < 1
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_exceptions_pass_and_the_alarm_is_off_afterwards() -> None:
    before = signal.getsignal(signal.SIGALRM)

    def fail() -> None:
        raise KeyError("x")

    for function, error in ((fail, KeyError), (lambda: time.sleep(9), AdapterHung)):
        with pytest.raises(error):
            TimeLimit(0.1)(function)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        assert signal.getsignal(signal.SIGALRM) is before


def test_an_answer_that_comes_too_late_is_a_hang_too() -> None:
    def late() -> int:
        try:
            time.sleep(9)
        except BaseException:  # noqa: BLE001  (this is its fault)
            return 7
        return 8

    with pytest.raises(AdapterHung, match=r"did not return within 0\.1 s"):
        TimeLimit(0.1)(late)


def test_the_hosts_shorter_alarm_comes_first(hosts_alarm: None) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    with pytest.raises(_Rang):
        TimeLimit(5)(lambda: time.sleep(9))


def test_the_hosts_longer_alarm_goes_on_with_what_was_left(hosts_alarm: None) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.6)
    with pytest.raises(AdapterHung):
        TimeLimit(0.2)(lambda: time.sleep(9))
    left, _ = signal.getitimer(signal.ITIMER_REAL)
    assert 0 < left < 0.5
    with pytest.raises(_Rang):
        time.sleep(9)


def test_an_alarm_of_the_host_that_was_due_meanwhile_rings_at_once(hosts_alarm: None) -> None:
    signal.setitimer(signal.ITIMER_REAL, 5.0, 0)
    limit = TimeLimit(0.1)
    with pytest.raises(AdapterHung):
        limit(lambda: time.sleep(9))
    left, _ = signal.getitimer(signal.ITIMER_REAL)
    assert 4 < left < 5


def test_in_a_thread_a_hang_is_cut_and_nothing_arrives_later() -> None:
    said: list[str] = []

    def work() -> None:
        limit = TimeLimit(0.1)
        for _ in range(3):
            try:
                limit(_spin)
            except AdapterHung:
                said.append("cut")
            # Python code in which a late interruption would show.
            deadline = time.monotonic() + 0.15
            while time.monotonic() < deadline:
                pass
        said.append(str(limit(lambda: 7)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert said == ["cut", "cut", "cut", "7"]


def _spin() -> None:
    while True:
        pass


def test_the_clock_shows_a_call_that_goes_on_and_who_watches_is_told() -> None:
    class Clock:
        value = 0.0

    clock = Clock()
    assert not is_overdue(clock, 1.0)
    clock.value = time.monotonic() - 1.0 - GRACE - 0.1
    assert is_overdue(clock, 1.0)
    assert not is_overdue(clock, 2.0)
    limit, told = TimeLimit(0.1, clock=clock), threading.Event()
    with limit.watched(told.set):
        assert told.wait(5)


def test_calls_that_end_leave_the_clock_at_nothing() -> None:
    limit = TimeLimit(5)
    assert limit(lambda: limit.clock.value) > 0
    assert limit.clock.value == 0


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), "30", True, None])
def test_what_is_no_time_is_refused(seconds: object) -> None:
    with pytest.raises(UsageError, match="positive number of seconds"):
        TimeLimit(seconds)  # type: ignore[arg-type]


def test_a_limit_beyond_all_timers_is_none() -> None:
    assert TimeLimit(float("inf"))(lambda: 7) == 7
    assert TimeLimit(1e12)(lambda: 7) == 7


def test_functions_can_be_traced_after_a_call_in_another_thread() -> None:
    # A request to raise that is taken back stays with CPython 3.11, and no traced function begins any more.
    program = (
        "import sys, threading\n"
        "from maskspec.conformance.timelimit import TimeLimit\n"
        "thread = threading.Thread(target=lambda: TimeLimit(5)(lambda: None))\n"
        "thread.start(); thread.join()\n"
        "sys.settrace(lambda *_: None)\n"
        "print((lambda: 'traced')())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "traced\n"
