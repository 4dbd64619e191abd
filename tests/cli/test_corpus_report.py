"""`maskspec corpus report`: what it prints and writes, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from maskspec.cli import command

PLAIN = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"


def run(*arguments: str, input: str | None = None) -> Result:
    return CliRunner().invoke(command, ["corpus", "report", "--examples", "0", *arguments], input=input)


@pytest.fixture
def own(tmp_path: Path) -> str:
    path = tmp_path / "own.jinja"
    path.write_text(PLAIN, encoding="utf-8")
    return str(path)


def test_one_template_is_told_in_full(own: str) -> None:
    result = run(own)
    assert result.exit_code == 0
    assert "reasoning-ignored  reasoning is not printed" in result.stdout
    assert '    {"role": "assistant", "content": "A", "reasoning_content": "R"}' in result.stdout
    assert "⟦<|assistant|>A</s>⟧" in result.stdout
    assert "What to do: Put reasoning into the content" in result.stdout


def test_findings_are_facts_unless_they_are_named_as_failures(own: str) -> None:
    assert run(own, "--fail-on", "history").exit_code == 0
    failing = run(own, "--fail-on", "tools-dropped", "--fail-on", "history")
    assert failing.exit_code == 1
    assert failing.stderr.splitlines() == [f"{own}: tools-dropped"]


def test_only_the_findings_that_were_asked_for(own: str) -> None:
    records = [
        json.loads(line) for line in run(own, "--finding", "tools-dropped", "--format", "jsonl").stdout.splitlines()
    ]
    assert [record["kind"] for record in records if record["record"] in ("kind", "finding")] == ["tools-dropped"] * 2


def test_the_eos_token_can_be_told(own: str) -> None:
    written = Path(own)
    written.write_text(PLAIN.replace("{{ eos_token }}", "<|end|>"), encoding="utf-8")
    kinds = ("--finding", "stop", "--format", "jsonl")
    assert '"kind":"stop-written-out","variant":"<|end|>"' in run(own, *kinds).stdout
    assert '"kind":"stop-not-eos","variant":"<|end|>"' in run(own, *kinds, "--eos", "</s>").stdout
    assert '"record":"finding"' not in run(own, *kinds, "--eos", "<|end|>").stdout


def test_a_folder_says_its_eos_token_itself(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text(PLAIN.replace("{{ eos_token }}", "<|end|>"), encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "<|endoftext|>"}', encoding="utf-8")
    result = run(str(tmp_path), "--finding", "stop-not-eos")
    assert "the answer ends with '<|end|>', and the eos token is '<|endoftext|>'" in result.stdout


def test_every_format_is_written(own: str, tmp_path: Path) -> None:
    folder, summary = tmp_path / "out", tmp_path / "more" / "summary.md"
    result = run(own, "--output", str(folder), "--summary", str(summary), "--format", "markdown")
    assert result.stdout.startswith("# maskspec: findings about chat templates")
    assert sorted(path.name for path in folder.iterdir()) == [
        "findings.html", "findings.jsonl", "findings.md", "findings.txt",
    ]  # fmt: skip
    assert (folder / "findings.md").read_text("utf-8") == result.stdout
    assert summary.read_text("utf-8").startswith("# Findings about chat templates\n")
    assert run(own, "--format", "html").stdout == (folder / "findings.html").read_text("utf-8")


def test_several_templates_and_a_list_of_them(own: str, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text(f"embedded:chatml\n\n{own}\n", encoding="utf-8")
    result = run("embedded:llama-3", "--list", str(names), "--format", "jsonl", "--jobs", "1")
    templates = [json.loads(line)["template"] for line in result.stdout.splitlines() if '"record":"template"' in line]
    assert templates == sorted(["embedded:llama-3", "embedded:chatml", own])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "unknown template 'nowhere'"),
        (("embedded:chatml", "--finding", "stops"), "there is no kind of finding 'stops'"),
        (("embedded:chatml", "--fail-on", "nothing"), "there is no kind of finding 'nothing'"),
        (("embedded:chatml", "--finding", "stop", "--fail-on", "date"), "--fail-on date is not among"),
        (("embedded:chatml", "--examples", "-1"), "-1"),
        (("--list", "-"), "the list names no template"),
    ],
)
def test_wrong_use_ends_with_2(arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments, input="")
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_template_that_does_not_compile_is_a_finding_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "broken.jinja"
    path.write_text("{% for m in messages %}", encoding="utf-8")
    result = run(str(path), "--fail-on", "does-not-compile")
    assert result.exit_code == 1
    assert "does-not-compile  does not compile" in result.stdout
