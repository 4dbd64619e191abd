"""What a training check writes: text, Markdown, JSON by its schema, and a plot, all from a report made by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("jsonschema", reason="the report is validated with the jsonschema package")

import jsonschema

from maskspec.data import data_path
from maskspec.errors import UsageError
from maskspec.training.embedding import read_figures
from maskspec.training.records import (
    Curve,
    Measurement,
    MutantResult,
    PairResult,
    Reason,
    Speed,
    TrainingReport,
)
from maskspec.training.writers import as_json, as_markdown, as_text, file_stem, write_training_report
from tests.training.lacking import REASON

PARTS = ("answers", "stop tokens", "user text", "template")
CURVE = Curve("mine", (0, 1, 2), {part: (7.0, 4.0, 0.1 if "t" in part[:3] else 7.5) for part in PARTS})
PASSED = Measurement("TRAIN-1", "llama: unpadded", 6.5e-08, "<= 3.8e-06", None)
LEARNT = Measurement("TRAIN-3", "loss left on answers", 0.0123, "<= 0.1", None, "7.000 to 0.086")
BROKEN = Measurement("TRAIN-2", "ignored | tokens", 2.0, "= 0", Reason.GRADIENT_AT_IGNORED, "of 9; first token 3 'a'")
DEAD = MutantResult(
    "stop untrained", "no label", Reason.DOES_NOT_STOP, frozenset({Reason.LOSS}),
    (replace(PASSED, reason=Reason.LOSS), replace(LEARNT, reason=Reason.DOES_NOT_STOP)), curve=CURVE,
)  # fmt: skip
SPEED = Speed(False, 2048, 4, tokens_per_second=120000.4, rate=2e14, product=8e14, memory=3 * 2**30, loss=7.0)
PAIR = PairResult(
    "chatml+x", 1202, False, 227904, (PASSED, LEARNT), mutants=(DEAD,), curves=(CURVE,), speeds=(SPEED,), seconds=12.0
)


def report(*pairs: PairResult) -> TrainingReport:
    return TrainingReport(
        masker="mine", device="cpu", device_name="2 processors", dtype="float32", size="small", architecture="llama",
        seed=0, pairs=pairs or (PAIR,), versions={"torch": "2.13.0"}, command="maskspec train-check mine", seconds=13.4,
    )  # fmt: skip


def schema() -> jsonschema.Draft202012Validator:
    text = data_path("spec", "schemas", "training-report.schema.json").read_text("utf-8")
    return jsonschema.Draft202012Validator(json.loads(text))


def test_the_text_says_the_verdict_every_rule_and_every_mutant() -> None:
    assert (
        as_text(report())
        == """\
mine: a model trained on the labels learns to answer and to stop, and nothing else.
llama, size small, float32 on cpu (2 processors), seed 0, 13 s.

chatml+x: a model of 227,904 parameters and 1,202 tokens, 12 s
  TRAIN-1  all 1 within limits
    largest: llama: unpadded                                 6.5e-08  <= 3.8e-06
  TRAIN-3  all 1 within limits
    loss left on answers                                       0.012  <= 0.1
  TRAIN-4  all 1 mutants found out, the control passes
    stop untrained                            found out: the model does not stop (TRAIN-1, 3)
  speed    as it is: 120,000 tokens a second in 4 packed rows of 2048, 25 % of the measured ceiling, 3,072 MiB at most

Versions: torch 2.13.0
"""
    )


def test_what_fails_is_marked_and_explained() -> None:
    text = as_text(report(replace(PAIR, measurements=(PASSED, BROKEN))))
    assert text.startswith("mine: the labels break TRAIN-2.\n")
    assert "  TRAIN-2  1 of 1 out of limits\n  > ignored | tokens" in text
    assert "      an ignored token has a gradient: of 9; first token 3 'a'\n" in text


@pytest.mark.parametrize(
    ("pair", "code", "verdict"),
    [
        (PAIR, 0, "mine: a model trained on the labels learns to answer and to stop, and nothing else"),
        (replace(PAIR, measurements=(BROKEN,)), 1, "mine: the labels break TRAIN-2"),
        (replace(PAIR, control=(BROKEN,)), 3, "mine: the check cannot be trusted here, TRAIN-4 is broken"),
        (replace(PAIR, mutants=(replace(DEAD, measurements=(PASSED,)),)), 3, "mine: the check cannot be trusted here, TRAIN-4 is broken"),
        (replace(PAIR, mutants=(replace(DEAD, measurements=(), excluded="no opening"),)), 0, "mine: a model trained on the labels learns to answer and to stop, and nothing else"),
    ],
)  # fmt: skip
def test_the_verdict_and_the_exit_code_agree(pair: PairResult, code: int, verdict: str) -> None:
    assert (report(pair).exit_code, report(pair).verdict) == (code, verdict)
    assert (report(PAIR, pair).exit_code, report(PAIR, pair).verdict) == (code, verdict)


def test_a_mutant_that_fails_for_another_reason_is_not_found_out() -> None:
    other = replace(DEAD, measurements=(*DEAD.measurements, replace(PASSED, reason=Reason.LEAK)))
    assert DEAD.found_out
    assert not other.found_out
    assert not replace(DEAD, measurements=(replace(PASSED, reason=Reason.LOSS),)).found_out
    assert "fails for another reason" in as_text(report(replace(PAIR, mutants=(other,))))


def test_the_markdown_has_every_number_and_no_broken_table() -> None:
    text = as_markdown(report(replace(PAIR, measurements=(PASSED, BROKEN))), pictures={"chatml+x": "a.svg"})
    assert "![losses by the part of a token, over steps](a.svg)" in text
    assert "| TRAIN-1 | llama: unpadded | 6.5e-08 | &lt;= 3.8e-06 |  |  |" in text
    assert (
        "| TRAIN-2 | ignored \\| tokens | 2 | = 0 | **fails** | an ignored token has a gradient: of 9; first token 3 'a' |"
        in text
    )
    assert "| off | 4 x 2048 | 120,000 | 200 | 25.0 % of 800 TFLOP/s | 3,072 MiB |" in text
    assert "```\nmaskspec train-check mine\n```" in text


@pytest.mark.parametrize(
    "pair",
    [
        PAIR,
        replace(PAIR, measurements=(BROKEN, replace(PASSED, value=float("inf"), reason=Reason.LOSS))),
        replace(PAIR, mutants=(replace(DEAD, curve=None, measurements=(), excluded="no opening"),), curves=()),
        replace(PAIR, speeds=(replace(SPEED, excluded="torch.compile failed"),), notes=("no run with trl",)),
    ],
)
def test_the_json_is_what_its_schema_says(pair: PairResult) -> None:
    record = json.loads(as_json(report(pair)))
    assert list(schema().iter_errors(record)) == []
    assert record["maskspec_training_report"] == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [(("exit_code",), 2), (("pairs",), []), (("pairs", 0, "measurements", 0, "rule"), "TRAIN-9"), (("pairs", 0, "mutants", 0, "expected"), "x"), (("more",), 1)],
)  # fmt: skip
def test_the_schema_refuses_what_is_wrong(path: tuple[str | int, ...], value: object) -> None:
    record = json.loads(as_json(report()))
    place = record
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert list(schema().iter_errors(record)) != []


def test_the_schema_knows_every_reason() -> None:
    known = json.loads(data_path("spec", "schemas", "training-report.schema.json").read_text("utf-8"))
    assert known["$defs"]["reason"]["enum"] == [reason.value for reason in Reason]


@pytest.mark.parametrize(
    ("name", "stem"), [("a+b:slow", "a-b-slow"), ("../x", "x"), ("org/name#t", "org-name-t"), ("/", "pair")]
)
def test_a_pair_makes_a_file_name(name: str, stem: str) -> None:
    assert file_stem(name) == stem


def test_the_folder_holds_every_format_and_the_same_plot_twice(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason=REASON)
    names = {path.name for path in write_training_report(report(), tmp_path / "one")}
    write_training_report(report(), tmp_path / "two")
    assert names == {"training.txt", "training.md", "training.json", "training-chatml-x.svg", "training-chatml-x.png"}
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    picture = (tmp_path / "one" / "training-chatml-x.svg").read_text("utf-8")
    assert picture.startswith("<?xml")
    assert (tmp_path / "one" / "training-chatml-x.png").read_bytes().startswith(b"\x89PNG")
    assert "(training-chatml-x.svg)" in (tmp_path / "one" / "training.md").read_text("utf-8")


def test_another_report_can_show_the_plot(tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text(as_json(report()), "utf-8")
    (tmp_path / "training-chatml-x.svg").write_text("<svg/>", "utf-8")
    (figure,) = read_figures(tmp_path)
    assert figure.title == "What a model learns from these labels: chatml+x"
    assert figure.caption == (
        "mine: a model trained on the labels learns to answer and to stop, and nothing else. "
        "1 of 1 broken ways of training were found out."
    )
    assert figure.svg == "<svg/>"


@pytest.mark.parametrize(
    "text", [None, "{", "[]", '{"maskspec_training_report": 2}', '{"maskspec_training_report": 1}']
)
def test_a_folder_without_a_training_check_is_refused(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "training.json").write_text(text, "utf-8")
    with pytest.raises(UsageError, match=r"holds no complete training check .*maskspec train-check --output"):
        read_figures(tmp_path)
