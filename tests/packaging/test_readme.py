"""What the README shows is what happens: its Python runs, and its example of a trace is the real output."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="the README's examples use the extra `suite`")

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_the_python_runs(number: int) -> None:
    # A reader has the blocks above at hand, too.
    namespace = {"__name__": "readme"}
    for program in blocks("python")[: number + 1]:
        exec(compile(program, "<README>", "exec"), namespace)


def test_there_is_python_to_run() -> None:
    assert len(blocks("python")) >= 2


def test_the_trace_is_the_real_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from maskspec.cli import command

    (conversation,) = blocks("json")
    (console,) = blocks("console")
    prompt, _, shown = console.partition("\n")
    monkeypatch.chdir(tmp_path)
    Path("conversation.json").write_text(conversation, encoding="utf-8")
    result = CliRunner().invoke(command, shlex.split(prompt.removeprefix("$ maskspec ")))
    assert result.exit_code == 0, result.output
    assert [line.rstrip() for line in shown.splitlines()] == [line.rstrip() for line in result.output.splitlines()]


def test_the_set_up_is_two_lines() -> None:
    set_up = "".join(blocks("sh"))
    assert 'python -m pip install ".[suite]"\nmaskspec check transformers\n' in set_up
    assert "python -m pip install tox && tox\n" in set_up


def test_the_replay_line_repeats_what_is_shown() -> None:
    from click.testing import CliRunner

    from maskspec.cli import command

    (identifier,) = re.findall(r"maskspec replay (ms1\.\S{20,})", README)
    result = CliRunner().invoke(command, ["replay", identifier])
    assert result.exit_code == 1, result.output
    shown = next(block for block in blocks("text") if identifier in block)
    table = shown[shown.index("  smallest conversation:") : shown.index("  replay:")]
    assert table in result.output
