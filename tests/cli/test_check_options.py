"""`maskspec check` with journals, several processes, time limits and accepted failures: what a user sees of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")

from maskspec.cli import check, command
from tests.conformance.maskers import PATH

PAIR = "chatml+bytelevel-gpt2"
WRONG = f"{PATH}:without_stops"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "maskspec"


def run(masker: str, *arguments: str) -> Result:
    return CliRunner().invoke(command, ["check", masker, "--pair", PAIR, "--rules", "STOP-1", *arguments])


def test_the_output_folder_keeps_the_journal_and_the_cache_keeps_nothing(tmp_path: Path, cache: Path) -> None:
    out = tmp_path / "out"
    assert run(WRONG, "--output", str(out)).exit_code == 1
    first = json.loads((out / "journal.jsonl").read_text().splitlines()[0])
    assert (first["record"], first["masker_path"], first["pairs"]) == ("header", WRONG, [PAIR])
    assert run(WRONG).exit_code == 1
    assert list((cache / "campaigns").iterdir()) == []


def test_a_finished_check_is_shown_again_by_resume(tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run(WRONG, "--output", str(out))
    again = run(WRONG, "--output", str(out), "--resume")
    assert again.exit_code == first.exit_code == 1
    assert again.stdout.splitlines()[:12] == first.stdout.splitlines()[:12]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--resume"], "there is no journal"),
        (["--jobs", "0"], "is not in the range x>=1"),
        (["--time-limit", "0"], "is not in the range x>0"),
        (["--known-failures", "absent.toml"], "there is no file absent.toml of known failures"),
        (["--write-known-failures", "new.toml"], "belong together: accepted failures need a reason"),
        (["--reason", "because"], "belong together: accepted failures need a reason"),
    ],
)
def test_wrong_use_ends_with_2(arguments: list[str], said: str) -> None:
    result = run(WRONG, *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


def test_a_journal_of_another_check_says_what_differs(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    run(WRONG, "--output", out)
    result = run(WRONG, "--output", out, "--resume", "--seed", "4")
    assert result.exit_code == 2
    assert "another seed (0 in the journal, 4 now)" in result.stderr


def test_failures_are_accepted_and_then_pass_until_they_are_repaired(tmp_path: Path) -> None:
    known = str(tmp_path / "known-failures.toml")
    written = run(WRONG, "--write-known-failures", known, "--reason", "until version 2")
    assert written.exit_code == 1
    assert "added stop-1-untrained-stop" in written.stderr
    accepted = run(WRONG, "--known-failures", known)
    assert accepted.exit_code == 0, accepted.output
    assert "until version 2" in accepted.stdout
    again = run(WRONG, "--known-failures", known, "--write-known-failures", known, "--reason", "as before")
    assert (again.exit_code, "nothing to add" in again.stderr) == (0, True)
    repaired = run(f"{PATH}:Right", "--known-failures", known)
    assert repaired.exit_code == 1
    assert "no longer fail and must be removed" in repaired.stdout


def test_several_processes_find_the_same(tmp_path: Path) -> None:
    more = ("--pair", "zephyr+bytelevel-gpt2", "--format", "jsonl")
    one, two = (run(WRONG, *more, "--jobs", jobs) for jobs in ("1", "2"))
    assert one.exit_code == two.exit_code == 1
    failures = [
        [record for record in map(json.loads, result.stdout.splitlines()) if record["record"] == "failure"]
        for result in (one, two)
    ]
    assert failures[0] == failures[1] != []


def test_the_number_of_processes_follows_the_machine_and_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    for processors, pairs, jobs in ((16, 280, 8), (2, 280, 2), (1, 280, 1), (16, 5, 1)):
        monkeypatch.setattr(check.os, "sched_getaffinity", lambda _, n=processors: set(range(n)), raising=False)
        assert check._jobs(pairs) == jobs


def test_a_hang_ends_with_3_and_is_named() -> None:
    result = run(f"{PATH}:SleepsOnLong", "--time-limit", "0.3")
    assert result.exit_code == 3
    assert "mask() did not return within 0.3 s" in result.stdout


@pytest.mark.parametrize("format_", ["text", "markdown", "jsonl", "junit", "html"])
def test_every_format_can_be_printed(format_: str) -> None:
    result = run(WRONG, "--format", format_)
    assert result.exit_code == 1
    assert "STOP-1" in result.stdout
