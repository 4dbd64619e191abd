"""`maskspec report`: a saved run in another form, several beside each other, and what it refuses."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from maskspec.cli import command
from maskspec.conformance.comparison import Comparison
from maskspec.conformance.report import Failure
from maskspec.conformance.reports import as_html, as_jsonl, as_junit, as_markdown, as_text
from maskspec.conformance.reports.combined import COMBINED_FORMATS
from maskspec.training.writers import file_stem
from tests.reports.factory import ADVICE, catalogued, two_versions


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


# Several runs.


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    paths = []
    for name, found in two_versions():
        paths.append(tmp_path / name)
        paths[-1].write_text(as_jsonl(catalogued(found)), encoding="utf-8")
    return paths


@pytest.mark.parametrize("format_", list(COMBINED_FORMATS))
def test_several_runs_become_one_report(two: list[Path], format_: str) -> None:
    result = run(*two, "--format", format_)
    assert result.exit_code == 0, result.output
    runs = [(name, catalogued(found)) for name, found in two_versions()]
    comparison = Comparison.of(runs, command=f"maskspec report {two[0]} {two[1]}")
    assert result.output == COMBINED_FORMATS[format_](comparison)
    assert [rule.id for rule in comparison.rules] == ["ROLE-1", "STOP-1", "TOKEN-3"]


@pytest.mark.parametrize(
    ("name", "start"), [("r.html", "<!DOCTYPE html>"), ("r.md", "# 2 maskers under"), ("r.txt", "2 maskers under")]
)
def test_the_suffix_says_the_format_of_several_too(two: list[Path], tmp_path: Path, name: str, start: str) -> None:
    result = run(*two, "--output", tmp_path / name)
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / name).read_text("utf-8").startswith(start)


@pytest.mark.parametrize("format_", ["jsonl", "junit"])
def test_a_form_of_one_run_is_refused_for_several(two: list[Path], format_: str) -> None:
    result = run(*two, "--format", format_)
    assert result.exit_code == 2
    assert f"text, markdown, html, not as {format_}, which is a form of one run" in result.output


def test_two_runs_of_one_masker_and_version_are_refused(two: list[Path]) -> None:
    result = run(two[0], two[1], two[0])
    assert result.exit_code == 2
    assert "both runs of shop masks 1.0" in result.output
    assert "leave one of them out" in result.output


def test_advice_is_shown_and_what_is_missing_is_said(two: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "advice"
    folder.mkdir()
    (folder / "shop.md").write_text(ADVICE, encoding="utf-8")
    (folder / "other.md").write_text("## nobody 1.0\nx\n", encoding="utf-8")
    result = run(*two, "--advice", folder)
    assert result.exit_code == 0, result.output
    assert "Asked as its trainer calls it" in result.stdout
    assert result.stderr.splitlines() == [
        f"{folder / 'other.md'}: no run of nobody 1.0 was given, so its advice is left out",
        "no advice for shop masks 1.0",
    ]
    refused = run(*two, "--advice", folder / "other.md")
    assert refused.exit_code == 2
    assert "is advice for 'nobody 1.0'" in refused.output


def test_one_run_with_advice_is_a_comparison_of_one(two: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "shop.md"
    path.write_text(ADVICE, encoding="utf-8")
    result = run(two[1], "--advice", path)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("1 masker under the rules of maskspec\n")
    assert "Asked as its trainer calls it" in result.output


def test_the_plots_of_a_training_check_belong_to_one_run(two: list[Path], tmp_path: Path) -> None:
    result = run(*two, "--training", tmp_path, "--format", "html")
    assert result.exit_code == 2
    assert "--training belongs to one run" in result.output


def test_of_several_runs_one_that_was_cut_off_is_refused_by_its_name(two: list[Path]) -> None:
    two[1].write_bytes(two[1].read_bytes()[:-200])
    result = run(*two)
    assert result.exit_code == 2
    assert f"{two[1]} is not complete" in result.output
    shown = run(*two, "--allow-incomplete")
    assert shown.exit_code == 0
    assert "Incomplete, the adapter failed" in shown.output


def test_a_record_without_a_class_is_read(two: list[Path]) -> None:
    lines = [json.loads(line) for line in two[1].read_text("utf-8").splitlines()]
    assert [line["class"] for line in lines if line["record"] == "failure"] == ["bug", "policy"]
    for line in lines:
        for record in (line, *line.get("failures", ())):
            record.pop("class", None)
    body = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines[:-1])
    footer = {**lines[-1], "sha256": hashlib.sha256(body.encode()).hexdigest()}
    two[1].write_text(body + json.dumps(footer) + "\n", encoding="utf-8")
    result = run(*two)
    assert result.exit_code == 0, result.output
    assert "accepted without a class: STOP-1" in result.output


def test_a_folder_stands_for_the_runs_in_it_and_the_report_says_how_it_was_made(
    two: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, path in enumerate(two):
        (tmp_path / "runs" / f"run {number}").mkdir(parents=True)
        path.rename(tmp_path / "runs" / f"run {number}" / "report.jsonl")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "shop.md").write_text(ADVICE, encoding="utf-8")
    result = run("runs", "--advice", "texts", "--output", "new folder/out.md")
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "new folder" / "out.md").read_text("utf-8").splitlines()
    assert lines[4:9] == [
        "Made with", "", "```sh", "maskspec report runs --advice texts --output 'new folder/out.md'", "```",
    ]  # fmt: skip
    assert "| [shop masks 1.0](#shop-masks-10) | ❌ 1 of 1 | ❌ 1 of 1 | ✅ 1 |" in lines
    empty = run("texts")
    assert empty.exit_code == 2
    assert "texts holds no report.jsonl" in empty.output


# Accepting anew.


def entry(item: Failure, *, reason: str, category: str, versions: str = "", pairs: str = '["*"]') -> str:
    named = f'versions = "{versions}"\n' if versions else ""
    return (
        f'[[{item.rule.id}]]\nreason = "{reason}"\nclass = "{category}"\n{named}pairs = {pairs}\n'
        f"case = '''{json.dumps(item.as_json())}'''\n"
    )


def test_reasons_that_were_written_after_the_run_are_shown(two: list[Path], tmp_path: Path) -> None:
    role, tail = catalogued().failures[:2]
    known = tmp_path / "known.toml"
    known.write_text(
        entry(role, reason="it searches for words", category="bug", versions="shop masks 1.0")
        + entry(tail, reason="of the template", category="template", versions="Shop-Masks 1.0", pairs='["other"]')
        + entry(role, reason="of another masker", category="policy", versions="shop masks 3.0"),
        encoding="utf-8",
    )
    result = run(*two, "--known-failures", known)
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines() == ["shop masks 1.0: the run shows nothing that stop-1-untrained-tail accepts"]
    old, new = result.stdout.split("\nshop masks 2.0\n")
    # Failed are the 4 of STOP-1 and the 1 that the run accepted, known the 2 of ROLE-1.
    assert "  shop masks 1.0      2   44      27       5      2     10        16" in old
    assert "  not accepted: STOP-1\n  bug: ROLE-1\n" in old
    assert "  bug: STOP-1\n" in new, "a masker that no entry is for stays as it is"
    assert run(*two, "--known-failures", tmp_path).stdout == result.stdout, "a folder of such files"
    alone = run(two[0], "--known-failures", known, "--format", "markdown")
    assert "it searches for words" in alone.output
    assert "shop masks leave empty turns alone on purpose" not in alone.output


def test_an_entry_for_nobody_is_for_the_only_run(two: list[Path], tmp_path: Path) -> None:
    role = catalogued().failures[0]
    known = tmp_path / "known.toml"
    known.write_text(entry(role, reason="it searches for words", category="bug"), encoding="utf-8")
    assert "it searches for words" in run(two[0], "--known-failures", known).output
    refused = run(*two, "--known-failures", known)
    assert refused.exit_code == 2
    assert "role-1-trained-content does not say which masker it is for" in refused.output
