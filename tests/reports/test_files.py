"""Writing reports: every format, each file whole, and nothing lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maskspec.conformance.reports import read_jsonl, save_counterexamples, write_reports, write_whole
from tests.reports.factory import catalogued, failure, mixed, pair_result, report


def test_every_format_and_every_counterexample(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    paths = write_reports(catalogued(), folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "report.html", "report.jsonl", "report.md", "report.txt", "report.xml",
        "role-1-trained-content.json", "stop-1-untrained-stop.json", "stop-1-untrained-tail-known.json",
    ]  # fmt: skip
    assert sorted(paths) == sorted(folder.iterdir())
    assert read_jsonl(folder / "report.jsonl").checks_run == 44
    record = json.loads((folder / "stop-1-untrained-stop.json").read_text("utf-8"))
    assert record["rule"] == "STOP-1"
    assert record["messages"] == [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]


def test_an_accepted_and_an_open_failure_of_one_kind_have_two_files(tmp_path: Path) -> None:
    paths = save_counterexamples(report(pair_result(failures=(failure(), failure(known="on purpose")))), tmp_path)
    assert [path.name for path in paths] == ["role-1-trained-content.json", "role-1-trained-content-known.json"]


def test_a_counterexample_can_be_stored_whatever_it_holds(tmp_path: Path) -> None:
    item = failure(messages=({"role": "user", "content": "漢\ud800\u2028"},))
    (path,) = save_counterexamples(report(pair_result(failures=(item,))), tmp_path)
    assert json.loads(path.read_text("utf-8"))["messages"] == [{"role": "user", "content": "漢\ud800\u2028"}]


def test_other_scripts_stay_readable(tmp_path: Path) -> None:
    item = failure(messages=({"role": "user", "content": "漢字"},))
    (path,) = save_counterexamples(report(pair_result(failures=(item,))), tmp_path)
    assert "漢字" in path.read_text("utf-8")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.md"
    write_whole(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "new")
    assert path.read_text("utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_twice_replaces(tmp_path: Path) -> None:
    write_reports(mixed(), tmp_path)
    before = (tmp_path / "report.html").read_bytes()
    write_reports(mixed(), tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before
