"""The commands: what they print at a fixed width, and the exit code of every kind of end."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from maskspec.cli import command

pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")

PAIR = "chatml+bytelevel-gpt2"

BROKEN = """
from maskspec.adapters.reference import ReferenceMasker
from maskspec.conformance import Labelled
from maskspec.policy import Policy


class AllTrained:
    name = "all trained"
    policy = Policy(flags=False)

    def mask(self, request):
        ids = ReferenceMasker().mask(request).input_ids
        return Labelled(ids, ids)


class Crashing:
    name = "crashing"
    policy = Policy()

    def mask(self, request):
        raise RuntimeError("no such tokenizer")


class MaskOfBits:
    name = "bits"
    policy = Policy()

    def mask(self, request):
        ids = ReferenceMasker().mask(request).input_ids
        return Labelled(ids, [1] * len(ids))


class NeedsArguments:
    def __init__(self, path):
        self.path = path


all_trained = AllTrained()
crashing = Crashing()
bits = MaskOfBits()
nothing = object()
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Journals of interrupted checks go to the test's own folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(command, list(arguments), input=stdin)


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    # A name of its own for each test: Python keeps imported modules.
    name = f"own_maskers_{abs(hash(request.node.nodeid))}"
    (tmp_path / f"{name}.py").write_text(BROKEN, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


@pytest.fixture
def conversation(tmp_path: Path) -> Path:
    path = tmp_path / "conversation.json"
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo!"}]
    path.write_text(json.dumps({"messages": messages}), encoding="utf-8")
    return path


# check


def test_the_reference_conforms() -> None:
    result = run("check", "reference", "--pair", PAIR)
    assert result.exit_code == 0, result.output
    assert "reference: conforms in every one of" in result.stdout


def test_a_masker_that_breaks_rules_ends_with_1_and_shows_a_small_conversation(own_module: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("check", f"{own_module}:all_trained", "--pair", PAIR, "--rules", "ROLE-1", "--output", str(out))
    assert result.exit_code == 1, result.output
    block = result.stdout.split("\n\n")[0].splitlines()
    assert block[0] == "ROLE-1 MUST  Unselected messages"
    assert "(spec/06-rules.md#role-1)" in " ".join(block[1:3])
    assert len(block) <= 25
    assert block[-2] == "  replay:"
    replayed = run(*shlex.split(block[-1])[1:])
    assert (replayed.exit_code, "ROLE-1" in replayed.stdout) == (1, True)
    record = json.loads((out / "role-1-trained-content.json").read_text(encoding="utf-8"))
    assert record["rule"] == "ROLE-1"
    assert record["messages"] == [{"role": "user", "content": "a"}]
    assert (out / "report.md").read_text(encoding="utf-8").startswith("# maskspec: all trained")
    assert run("trace", "--pair", PAIR, str(out / "role-1-trained-content.json")).exit_code == 0


def test_a_report_ends_with_what_each_broken_rule_means_and_keeps_to_its_width(own_module: str) -> None:
    result = run("check", f"{own_module}:all_trained", "--pair", PAIR, "--rules", "ROLE", "--rules", "OPEN")
    lines = result.stdout.splitlines()
    end = lines[lines.index("What this means for a model trained with these labels") :]
    assert end[1].startswith("  ROLE-1   The model learns to write the messages of other roles, such as the user's.")
    assert any(line.startswith("  OPEN-1   The model learns to write what the generation prompt") for line in end)
    assert end[-1].startswith("all trained: breaks 3 rule(s): ROLE-1, ROLE-2, OPEN-1 (profile quick, seed 0, ")
    assert [line for line in lines if len(line) > 100 and "maskspec replay" not in line] == []
    assert "\x1b[" not in result.stdout


def test_json_lines_end_with_a_footer_that_counts_the_records(own_module: str) -> None:
    result = run("check", f"{own_module}:all_trained", "--pair", PAIR, "--rules", "OPEN", "--format", "jsonl")
    records = [json.loads(line) for line in result.stdout.splitlines()]
    footer = records[-1]
    assert footer["record"] == "footer"
    assert footer["records"]["failure"] == sum(record["record"] == "failure" for record in records) == 1
    assert footer["exit_code"] == result.exit_code == 1


def test_an_adapter_that_crashes_ends_with_3(own_module: str) -> None:
    result = run("check", f"{own_module}:crashing", "--pair", PAIR)
    assert result.exit_code == 3
    assert "your adapter is wired wrong: mask() raised RuntimeError" in result.stdout
    assert "no such tokenizer" in result.stdout


def test_a_mask_of_bits_is_a_fault_of_the_adapter(own_module: str) -> None:
    result = run("check", f"{own_module}:bits", "--pair", PAIR)
    assert result.exit_code == 3
    assert "return Labelled.from_mask(input_ids, mask)" in " ".join(result.stdout.split())


def test_no_check_run_is_an_error() -> None:
    result = run("check", "transformers", "--pair", PAIR)
    assert result.exit_code == 2
    assert "no check could be run" in result.stdout
    assert "{% generation %}" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "referense"], "did you mean 'reference'?"),
        (["check", "package.module.thing"], "did you mean 'package.module:thing'?"),
        (["check", "no_such_module_anywhere:thing"], "there is no module 'no_such_module_anywhere'"),
        (["check", "maskspec.adapters.reference:maske"], "did you mean 'maskspec.adapters.reference:masker'?"),
        (["check", "reference", "--pair", "chatml+bytelevel-gtp2"], "did you mean"),
        (["check", "reference", "--template", "chatmel"], "did you mean 'chatml'?"),
        (["check", "reference", "--tokenizer", "bytelevel"], "there is no tokenizer 'bytelevel'"),
        (["check", "reference", "--pair", PAIR, "--rules", "STOP-9"], "there is no rule or family 'STOP-9'"),
        (
            ["check", "reference", "--pair", PAIR, "--rules", "TRAIN"],
            "TRAIN is checked on a model, by `maskspec train-check`",
        ),
        (["check", "reference", "--pair", PAIR, "--template", "chatml"], "leave out --template and --tokenizer"),
        (["rules", "ROLE-77"], "there is no rule 'ROLE-77'"),
        (["rules", "--family", "NOPE"], "there is no family 'NOPE'"),
    ],
)
def test_wrong_use_is_one_clear_line_and_2(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.output


def test_an_object_that_is_no_masker_and_a_class_that_needs_arguments(own_module: str) -> None:
    result = run("check", f"{own_module}:nothing", "--pair", PAIR)
    assert (result.exit_code, "it has no name, policy, mask" in result.stderr) == (2, True)
    result = run("check", f"{own_module}:NeedsArguments", "--pair", PAIR)
    assert (result.exit_code, "name an instance of it" in result.stderr) == (2, True)


# trace

TRACE = """\
chatml+bytelevel-gpt2
index    id  token         message      zone     verdict  reason
    0  1201  <|im_start|>  0 user       OPENING  ignore   user is not selected
    1   332  us            0 user       OPENING  ignore   user is not selected
    2   262  er            0 user       OPENING  ignore   user is not selected
    3   198  \\n            0 user       OPENING  ignore   user is not selected
    4    39  H             0 user       CONTENT  ignore   user is not selected
    5    72  i             0 user       CONTENT  ignore   user is not selected
    6  1200  <|im_end|>    0 user       STOP     ignore   user is not selected
    7   198  \\n            0 user       TAIL     ignore   user is not selected
    8  1201  <|im_start|>  1 assistant  OPENING  ignore   the prompt supplies it
    9   347  as            1 assistant  OPENING  ignore   the prompt supplies it
   10   599  sistant       1 assistant  OPENING  ignore   the prompt supplies it
   11   198  \\n            1 assistant  OPENING  ignore   the prompt supplies it
"""


def test_trace_shows_every_token_with_zone_verdict_and_reason(conversation: Path) -> None:
    result = run("trace", "--template", "chatml", "--tokenizer", "bytelevel-gpt2", str(conversation), "--width", "120")
    assert result.exit_code == 0, result.output
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines[: len(TRACE.splitlines())] == TRACE.splitlines()
    stop = next(line for line in reversed(lines) if "<|im_end|>" in line)
    assert stop.split()[2:6] == ["<|im_end|>", "1", "assistant", "STOP"]
    assert stop.split()[6] == "train"
    legend = lines[next(number for number, line in enumerate(lines) if line.startswith("zone ")) :]
    assert [line.split()[:3] for line in legend[1:5]] == [
        ["OPENING", "8", "0"],
        ["CONTENT", "5", "3"],
        ["STOP", "2", "1"],
        ["TAIL", "2", "0"],
    ]
    assert legend[6].startswith("17 tokens: 4 train, 12 ignore, 1 either")
    assert "\x1b[" not in result.stdout


def test_trace_keeps_every_token_on_one_line_of_a_narrow_terminal(tmp_path: Path) -> None:
    path = tmp_path / "tools.json"
    call = {"type": "function", "function": {"name": "look_up", "arguments": {"city": "Paris"}}}
    messages = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "reasoning_content": "A tool.", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "Sunny."},
        {"role": "assistant", "content": "Sunny \N{WOMAN}."},
    ]
    path.write_text(json.dumps(messages), encoding="utf-8")
    for pair in ("qwen3+bytelevel-qwen", "glm+bytelevel-gpt2", "harmony+tiktoken"):
        result = run("trace", "--pair", pair, str(path), "--width", "80")
        lines = [line.rstrip() for line in result.stdout.splitlines()]
        tokens = json.loads(run("trace", "--pair", pair, str(path), "--json").stdout)["tokens"]
        shown = lines[2 : 2 + len(tokens)]
        assert [line.split()[0] for line in shown] == [str(token["index"]) for token in tokens]
        assert all(
            line.endswith(f" {token['reason']}") for line, token in zip(shown, tokens, strict=True)
            if len(token["reason"]) <= 25
        )  # fmt: skip
        assert max(map(len, lines)) <= 80


def test_trace_as_json_has_ids_labels_and_reasons(conversation: Path) -> None:
    result = run("trace", "--pair", PAIR, str(conversation), "--json", "--role", "user")
    record = json.loads(result.stdout)
    trained = [token["text"] for token in record["tokens"] if token["verdict"] == "TRAIN"]
    assert "".join(trained) == "Hi<|im_end|>"
    assert [label for label in record["labels"] if label != -100] == [
        token["id"] for token in record["tokens"] if token["verdict"] == "TRAIN"
    ]


def test_trace_reads_sharegpt_from_standard_input_and_lists_hazards() -> None:
    turns = {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yo"}]}
    result = run("trace", "--pair", "glm+bytelevel-gpt2", "-", "--width", "120", stdin=json.dumps(turns))
    assert result.exit_code == 0, result.output
    assert "Hazards" in result.stdout
    assert "NO_STOP (message 1)" in result.stdout


def test_trace_takes_variables_tools_and_a_place_in_a_file(tmp_path: Path) -> None:
    lines = [[{"role": "user", "content": c}, {"role": "assistant", "content": "Fine."}] for c in ("One?", "Two?")]
    path = tmp_path / "two.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    tools = tmp_path / "tools.json"
    tools.write_text(
        '[{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}]',
        encoding="utf-8",
    )
    result = run(
        "trace", "--pair", "qwen3+bytelevel-qwen", str(path), "--index", "1", "--tools", str(tools),
        "--kwargs", '{"enable_thinking": false}', "--json",
    )  # fmt: skip
    text = json.loads(result.stdout)["text"]
    assert "Two?" in text
    assert "look_up" in text


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ('{"messages": [', ["--pair", PAIR], "not valid JSON"),
        ('{"messages": []}', ["--pair", PAIR], "the list of messages is empty"),
        ('{"messages": [{"content": "Hi"}]}', ["--pair", PAIR], "message 0, field 'role'"),
        ('[{"role": "user", "content": "Hi"}]', ["--pair", PAIR, "--index", "3"], "no conversation with index 3"),
        ('[{"role": "user", "content": "Hi"}]', [], "name a pair with --pair"),
        ('[{"role": "user", "content": "Hi"}]', ["--template", "chatml"], "name one with --tokenizer"),
        ('[{"role": "user", "content": "Hi"}]', ["--template", "chatmel", "--tokenizer", "tiktoken"], "chatmel"),
        ('[{"role": "user", "content": "Hi"}]', ["--pair", PAIR, "--policy", "axolottl"], "did you mean 'axolotl'?"),
        ('[{"role": "user", "content": "Hi"}]', ["--pair", PAIR, "--kwargs", "{"], "--kwargs is not valid JSON"),
        ('[{"role": "user", "content": "Hi"}]', ["--pair", PAIR, "--kwargs", "[1]"], "must be a JSON object"),
    ],
)
def test_trace_refuses_bad_input_in_one_line(content: str, arguments: list[str], message: str) -> None:
    result = run("trace", *arguments, "-", stdin=content)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_trace_of_a_missing_file() -> None:
    result = run("trace", "--pair", PAIR, "no-such-file.json")
    assert result.exit_code == 2
    assert "no-such-file.json does not exist" in result.stderr


# rules and corpus


def test_rules_lists_and_shows() -> None:
    listed = run("rules").stdout.splitlines()
    assert listed[0].split() == ["RENDER-1", "MUST", "checked", "Canonical", "ids"]
    assert any(line.startswith("TRAIN-4") and "by train-check" in line for line in listed)
    shown = run("rules", "stop-1").stdout
    assert "The stop of every selected turn MUST be trained." in shown
    assert "spec/06-rules.md#stop-1" in shown
    assert json.loads(run("rules", "STOP-1", "--json").stdout)["check"].startswith("maskspec.rules.stop:")


def test_corpus_lists_pairs_templates_and_tokenizers() -> None:
    assert any(line.split() == [PAIR, "embedded"] for line in run("corpus", "list").stdout.splitlines())
    assert "chatml.generation" in run("corpus", "list", "templates").stdout
    assert "sentencepiece-unigram" in run("corpus", "list", "tokenizers").stdout
    missing = run("corpus", "list", "--missing")
    assert missing.exit_code == 0
    assert "pip install" in missing.stdout or missing.stdout == "nothing is missing\n"


def test_every_checked_rule_says_what_breaking_it_means() -> None:
    from maskspec.conformance.consequences import CONSEQUENCES
    from maskspec.rules import checked_rules

    assert set(CONSEQUENCES) >= {rule.id for rule in checked_rules()}


def test_check_leaves_nothing_in_the_working_folder(tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    environment = {name: value for name, value in os.environ.items() if name != "HYPOTHESIS_STORAGE_DIRECTORY"}
    environment["XDG_CACHE_HOME"] = str(tmp_path / "caches")
    folder = tmp_path / "here"
    folder.mkdir()
    arguments = ["check", "reference", "--pair", PAIR, "--rules", "LABEL-1"]
    done = subprocess.run(
        [sys.executable, "-m", "maskspec", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list(folder.iterdir()) == []


def test_help_imports_no_library_behind_the_commands() -> None:
    import subprocess
    import sys

    code = (
        "import sys\nfrom maskspec.cli import command\n"
        "try:\n    command.main(['--help'], standalone_mode=False)\nexcept SystemExit:\n    pass\n"
        "heavy = {'transformers', 'tokenizers', 'torch', 'hypothesis', 'rich', 'jinja2'} & set(sys.modules)\n"
        "sys.exit(str(sorted(heavy)) if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "check" in done.stdout
