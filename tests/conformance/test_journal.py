"""The journal of a run: what it keeps, what it refuses, and how a run goes on after it was killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")

from maskspec.conformance import Labelled, Report, Request, check_masker
from maskspec.conformance.harness import Interrupted
from maskspec.conformance.journal import Header, Journal
from maskspec.conformance.report import ExitCode
from maskspec.corpus import embedded_pair
from maskspec.errors import UsageError
from tests.conformance.maskers import PATH, Interrupting, SleepsOnLong, WithOpenings, WithoutStops, is_long, right

NAMES = ("chatml+bytelevel-gpt2", "zephyr+bytelevel-gpt2", "vicuna+bytelevel-gpt2")
PAIRS = [embedded_pair(name) for name in NAMES]
RULES = ["STOP-1", "LABEL-1", "OPEN-1"]


def run(masker: Any, journal: Path, **options: Any) -> Report:
    return check_masker(
        masker,
        **{
            "pairs": PAIRS,
            "rules": RULES,
            "profile": "quick",
            "journal": journal,
            "masker_path": "any:masker",
            **options,
        },
    )


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def whole_records(path: Path) -> list[dict[str, Any]]:
    """The records of a journal whose last line may be half-written, as kill -9 leaves it or while it grows."""
    lines = path.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def timeless(report: Report) -> dict[str, Any]:
    """Everything that a report says, but for times; as data, since a journal keeps data."""
    pairs = [pair.as_json() for pair in report.pairs]
    for pair in pairs:
        for name in ("seconds", "adapter_seconds", "reference_seconds"):
            del pair[name]
    return {
        "pairs": pairs,
        "failures": [failure.as_json() for failure in report.failures],
        "conflicts": [{**conflict.as_json(), "traceback": ""} for conflict in report.conflicts],
        "tallies": {rule: tally.as_json() for rule, tally in report.tallies.items()},
        "verdict": report.verdict,
    }


class Counting(WithOpenings):
    """Counts how often it is asked, by pair."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def mask(self, request: Request) -> Labelled:
        self.calls.append(request.pair)
        return super().mask(request)


# What it keeps.


def test_failures_are_kept_when_they_are_seen_and_pairs_when_they_are_done(tmp_path: Path) -> None:
    journal = tmp_path / "deep" / "journal.jsonl"
    report = run(WithOpenings(), journal)
    kinds = [record["record"] for record in records(journal)]
    assert kinds[:4] == ["header", "found", "found", "examined"]
    assert kinds.count("examined") == len(PAIRS)
    assert kinds.index("shrunk") > max(place for place, kind in enumerate(kinds) if kind == "examined")
    first = records(journal)[1]
    assert (first["pair"], first["rule"]) == (NAMES[0], "OPEN-1")
    assert first["case"]["messages"]
    assert len(report.failures) == 2


def test_a_finished_run_is_read_back_without_asking_again(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    first = run(Counting(), journal)
    again = Counting()
    second = run(again, journal, resume=True)
    assert again.calls == []
    assert timeless(second) == timeless(first)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.75, 0.9, 0.999])
def test_a_journal_cut_anywhere_leads_to_the_same_report(tmp_path: Path, share: float) -> None:
    journal = tmp_path / "journal.jsonl"
    whole = run(WithOpenings(), journal)
    content = journal.read_bytes()
    header = content.index(b"\n") + 1
    journal.write_bytes(content[: header + int(share * (len(content) - header))])
    masker = Counting()
    assert timeless(run(masker, journal, resume=True)) == timeless(whole)
    # The half-written line is gone: what was appended is read by the next run.
    assert timeless(run(masker, journal, resume=True)) == timeless(whole)
    assert len(masker.calls) > 0


class Late(WithoutStops):
    """Wrong on long conversations alone, and interrupted at the second of them on the second pair."""

    def __init__(self, *, interrupted: bool) -> None:
        super().__init__(name="late")
        self.interrupted = interrupted
        self.asked: list[tuple[str, Any]] = []

    def mask(self, request: Request) -> Labelled:
        self.asked.append((request.pair, request.messages))
        if not is_long(request):
            return right(request)
        if self.interrupted and sum(len(m) >= 5 for pair, m in self.asked if pair == NAMES[1]) > 1:
            raise KeyboardInterrupt
        return super().mask(request)

    def on(self, pair: str) -> list[Any]:
        return [messages for name, messages in self.asked if name == pair]


def test_pairs_that_are_done_are_not_asked_again_and_found_cases_are_asked_first(tmp_path: Path) -> None:
    journal, rules = tmp_path / "journal.jsonl", ["STOP-1"]
    with pytest.raises(Interrupted):
        run(Late(interrupted=True), journal, rules=rules)
    assert [record["result"]["pair"] for record in records(journal) if record["record"] == "examined"] == [NAMES[0]]
    (found,) = [r["case"]["messages"] for r in records(journal) if r["record"] == "found" and r["pair"] == NAMES[1]]
    whole, resumed = Late(interrupted=False), Late(interrupted=False)
    expected = run(whole, tmp_path / "other.jsonl", rules=rules)
    report = run(resumed, journal, rules=rules, resume=True)
    # After the four conversations that look at the wiring; without the journal its turn comes later.
    assert resumed.on(NAMES[1])[4] == found != whole.on(NAMES[1])[4]
    # What is asked on the first pair is for making its failure smaller alone.
    assert len(resumed.on(NAMES[0])) == len(whole.on(NAMES[0])) - 4 - report.pairs[0].cases
    assert timeless(report) == timeless(expected)


def test_an_interrupted_run_reports_what_it_found(tmp_path: Path) -> None:
    with pytest.raises(Interrupted) as caught:
        run(Interrupting(), tmp_path / "journal.jsonl")
    report = caught.value.report
    assert isinstance(caught.value, KeyboardInterrupt)
    assert report.unfinished == NAMES[1:]
    assert report.verdict == "interrupting: incomplete, interrupted after 1 of 3 pairs"
    assert report.exit_code is ExitCode.CRASHED
    # The second pair failed, too, before it was interrupted.
    (failure,) = report.failures
    assert failure.pairs == NAMES[:2]
    assert report.pairs[1].excluded == "interrupted before its end"


def test_a_pair_on_which_the_adapter_hung_is_asked_about_again(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    assert run(SleepsOnLong(), journal, time_limit=0.2).conflicts

    class Repaired(SleepsOnLong):
        def mask(self, request: Request) -> Labelled:
            return WithoutStops().mask(request)

    report = run(Repaired(), journal, resume=True)
    assert report.conflicts == ()
    assert [pair.excluded for pair in report.pairs] == [None] * 3


# What it refuses.


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 1}, "another seed (0 in the journal, 1 now)"),
        ({"profile": "default"}, "another profile ('quick' in the journal, 'default' now)"),
        ({"rules": ["STOP-1"]}, "other rules"),
        ({"pairs": PAIRS[:1]}, "other pairs"),
        ({"masker_path": "elsewhere:masker"}, "the masker was named in another way ("),
    ],
)
def test_the_journal_of_another_run_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    journal = tmp_path / "journal.jsonl"
    run(WithoutStops(), journal)
    before = journal.read_bytes()
    with pytest.raises(UsageError) as caught:
        run(WithoutStops(), journal, resume=True, **changes)
    assert said in str(caught.value)
    assert "run without --resume" in str(caught.value)
    assert journal.read_bytes() == before


HEADER = Header("m", "p:m", "Policy()", "quick", 0, ("STOP-1",), ("a+b",), {"maskspec": "1"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"masker": "n"}, "another masker ('m' in the journal, 'n' now)"),
        ({"policy": "Policy(flags=False)"}, "the masker declares another policy"),
        ({"versions": {"maskspec": "2"}}, "other versions are installed"),
    ],
)
def test_a_header_says_what_differs(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    Journal.create(tmp_path / "journal", HEADER).close()
    with pytest.raises(UsageError, match=re.escape(said)):
        Journal.resume(tmp_path / "journal", replace(HEADER, **change))
    assert replace(HEADER, **change).digest != HEADER.digest


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with pytest.raises(UsageError, match="there is no journal"):
        Journal.resume(path, HEADER)
    for content, said in (
        ("", "is no journal of this version"),
        ('{"record": "header"}\n', "is no journal of this version"),
        ("text\n", "line 1 of the journal"),
        ("[]\n", "line 1 of the journal"),
    ):
        path.write_text(content)
        with pytest.raises(UsageError, match=said):
            Journal.resume(path, HEADER)
    Journal.create(path, HEADER).close()
    with path.open("a") as file:
        file.write('{"record": "examined", "result": {}}\n')
    with pytest.raises(UsageError, match=r"line 2 of the journal .* is damaged"):
        Journal.resume(path, HEADER)


def test_two_runs_do_not_write_one_journal(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="this system has no such locks")
    path = tmp_path / "journal"
    journal = Journal.create(path, HEADER)
    assert Journal.is_busy(path)
    with pytest.raises(UsageError, match="another run is writing the journal"):
        Journal.create(path, HEADER)
    assert path.read_text().count("\n") == 1
    journal.close()
    assert not Journal.is_busy(path)


# Real processes, killed.


def start(folder: Path, repository: Path, *arguments: str, masker: str = "Slow") -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "maskspec", "check", f"{PATH}:{masker}", "--no-color", "--rules", "STOP"]
    for name in NAMES:
        command += ["--pair", name]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    return subprocess.Popen(
        [*command, *arguments],
        cwd=repository,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what runs in its background with interrupts ignored, and that is handed on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for(path: Path, record: str, process: subprocess.Popen[str]) -> None:
    """Wait until a record of that kind stands in a journal."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists() and any(each["record"] == record for each in whole_records(path)):
            return
        time.sleep(0.01)
    raise AssertionError(f"no {record} in {path}: {process.communicate()}")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_killed_check_goes_on_where_it_was(tmp_path: Path, repository: Path, jobs: str) -> None:
    output = tmp_path / "out"
    journal = output / "journal.jsonl"
    process = start(tmp_path, repository, "--output", str(output), "--jobs", jobs)
    wait_for(journal, "examined", process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = whole_records(journal)
    done = {record["result"]["pair"] for record in kept if record["record"] == "examined"}
    assert done
    assert any(record["record"] == "found" for record in kept)
    process = start(tmp_path, repository, "--output", str(output), "--jobs", jobs, "--resume")
    text, problems = process.communicate(timeout=120)
    assert process.returncode == 1, problems
    assert "STOP-1 MUST" in text
    assert f"{len(done)}/3 pairs" in problems
    everything = records(journal)
    assert everything[: len(kept)] == kept
    assert sorted(r["result"]["pair"] for r in everything if r["record"] == "examined") == sorted(NAMES)
    (report,) = [json.loads(line) for line in (output / "report.jsonl").read_text().splitlines()[-1:]]
    assert report["exit_code"] == 1


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_prints_what_was_found_and_how_to_go_on(tmp_path: Path, repository: Path, jobs: str) -> None:
    process = start(tmp_path, repository, "--jobs", jobs)
    folder = tmp_path / "cache" / "maskspec" / "campaigns"
    deadline = time.monotonic() + 60
    while not list(folder.glob("*.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.01)
    (journal,) = folder.glob("*.jsonl")
    wait_for(journal, "examined", process)
    process.send_signal(signal.SIGINT)
    text, problems = process.communicate(timeout=60)
    assert process.returncode == 3, problems
    assert "incomplete, interrupted after" in text
    assert "STOP-1 MUST" in text
    (command,) = [line for line in problems.splitlines() if line.startswith("Interrupted. To go on: ")]
    assert f" --jobs {jobs} " in command
    assert command.endswith(" --resume")
    process = start(tmp_path, repository, "--jobs", jobs, "--resume")
    text, problems = process.communicate(timeout=120)
    assert process.returncode == 1, problems
    assert "Pairs: 3 asked" in text
    assert not journal.exists()
