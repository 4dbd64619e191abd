"""`maskspec report`: a saved run in another form, and what it refuses."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from maskspec.cli import command
from maskspec.conformance.reports import as_html, as_jsonl, as_junit, as_markdown, as_text
from maskspec.training.writers import file_stem
from tests.reports.factory import catalogued


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, ["report", *map(str, arguments)])


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "run.jsonl"
    path.write_text(as_jsonl(catalogued()), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), as_text),
        (("--format", "text"), as_text),
        (("--format", "markdown"), as_markdown),
        (("--format", "html"), as_html),
        (("--format", "junit"), as_junit),
        (("--format", "jsonl"), as_jsonl),
    ],
)
def test_each_format_is_that_of_the_run_itself(saved: Path, arguments: tuple[str, ...], expected: object) -> None:
    result = run(saved, *arguments)
    assert result.exit_code == 0, result.output
    assert callable(expected)
    assert result.output == expected(catalogued())


@pytest.mark.parametrize(
    ("name", "start"),
    [("r.html", "<!DOCTYPE html>"), ("r.md", "# maskspec"), ("r.xml", "<testsuites"), ("r.txt", "ROLE-1 MUST")],
)
def test_the_suffix_says_the_format(saved: Path, tmp_path: Path, name: str, start: str) -> None:
    path = tmp_path / "pages" / name
    result = run(saved, "--output", path)
    assert result.exit_code == 0, result.output
    assert result.output == ""
    assert path.read_text("utf-8").startswith(start)


def test_a_suffix_that_says_nothing_is_refused(saved: Path, tmp_path: Path) -> None:
    result = run(saved, "--output", tmp_path / "page")
    assert result.exit_code == 2
    assert "does not say which format" in result.output


def test_several_runs_are_refused(saved: Path) -> None:
    result = run(saved, saved)
    assert result.exit_code == 2
    assert "one saved run at a time: 2 were given" in result.output


def test_a_run_that_was_cut_off_is_refused_unless_asked_for(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-200])
    result = run(saved)
    assert result.exit_code == 2
    assert "is not complete" in result.output
    assert "--allow-incomplete" in result.output
    shown = run(saved, "--allow-incomplete")
    assert shown.exit_code == 0
    assert "the saved run is not complete" in shown.output


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = run(tmp_path / "nothing.jsonl")
    assert result.exit_code == 2
    assert "cannot be read" in result.output


def test_the_plots_of_a_training_check_go_into_the_page_and_nowhere_else(saved: Path, tmp_path: Path) -> None:
    refused = run(saved, "--training", tmp_path, "--format", "markdown")
    assert refused.exit_code == 2
    assert "--training is for HTML" in refused.output
    empty = run(saved, "--training", tmp_path, "--format", "html")
    assert empty.exit_code == 2
    assert "holds no complete training check" in empty.output
    pair = {"pair": "chatml+x", "curves": [1], "mutants": [{"excluded": "", "found_out": True}]}
    record = {"maskspec_training_report": 1, "verdict": "Learns", "pairs": [pair]}
    (tmp_path / "training.json").write_text(json.dumps(record), encoding="utf-8")
    (tmp_path / f"training-{file_stem('chatml+x')}.svg").write_text("<svg>drawn</svg>", encoding="utf-8")
    shown = run(saved, "--training", tmp_path, "--format", "html")
    assert shown.exit_code == 0, shown.output
    assert base64.b64encode(b"<svg>drawn</svg>").decode() in shown.output
    assert "Learns. 1 of 1 broken ways of training were found out." in shown.output
