"""`maskspec train-check` as it is called: the whole check on one pair, and wrong use of every kind."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from maskspec.errors import MaskspecError
from maskspec.policy import Policy
from tests.training.factory import PAIR
from tests.training.lacking import REASON

pytest.importorskip("torch", reason=REASON)
pytest.importorskip("matplotlib", reason=REASON)
pytest.importorskip("accelerate", reason=REASON)

import torch

from maskspec.adapters.reference import ReferenceMasker
from maskspec.cli.train_check import command
from maskspec.conformance.protocol import Labelled

if TYPE_CHECKING:
    from maskspec.conformance.protocol import Request


def call(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_the_whole_check_on_the_reference(tmp_path: Path) -> None:
    """The figures of TRAIN-1 to TRAIN-4, with every trainer that is installed, as somebody runs it."""
    result = call("--pair", PAIR, "--output", str(tmp_path), "--format", "json")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    record = json.loads(result.stdout)
    assert result.exit_code == 0
    assert json.loads((tmp_path / "training.json").read_text("utf-8")) == record
    assert "learning (loop)" in result.stderr
    (pair,) = record["pairs"]
    assert pair["control"] == []
    assert [each["what"] for each in pair["measurements"] if not each["passed"]] == []
    found = {each["what"]: each["value"] for each in pair["measurements"]}
    assert found["loss left on answers"] <= 0.1
    assert found["loss left on user text"] >= 0.8
    assert found["questions answered rightly"] >= 0.95
    assert found["answers that end with the stop token"] >= 0.95
    assert found["llama: ignored tokens with a gradient"] == 0
    assert {each["name"]: each["found_out"] for each in pair["mutants"]} == {
        "stop untrained": True,
        "user trained": True,
        "labels shifted twice": True,
        "opening trained, missing at inference": True,
        "all ignored": True,
        "padding is the end token": True,
        "packing leaks": True,
        "accumulation of means": True,
    }
    names = [curve["name"] for curve in pair["curves"]]
    assert names[:2] == ["reference", "transformers.Trainer"]
    assert names[2:] == ["trl.SFTTrainer"] or "no run with trl" in pair["notes"][0]


@dataclass(frozen=True)
class Forgetful:
    """A masker that leaves the stop tokens out: labels that look right in every other place."""

    name: str = "forgetful"
    policy: Policy = field(default_factory=Policy)

    def mask(self, request: Request) -> Labelled:
        answer = ReferenceMasker().mask(request)
        stops = {request.tokenizer.convert_tokens_to_ids(stop) for stop in request.stops}
        return Labelled(answer.input_ids, [-100 if label in stops else label for label in answer.labels])


def test_a_masker_that_is_wrong_is_told_what_its_model_would_do() -> None:
    result = call(f"{__name__}:Forgetful", "--pair", PAIR, "--trainer", "loop", "--no-mutants")
    assert result.exit_code == 1, result.output
    assert "forgetful: the labels break TRAIN-1, TRAIN-2, TRAIN-3." in result.stdout
    told = " ".join(result.stdout.split())
    assert "'<|im_end|>' (stop tokens) is ignored and should be trained" in told
    assert "the model does not stop: 0 of 36" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pair", PAIR, "--device", "cuda"), "there is no CUDA device: .*; use --device cpu"),
        ((), "name a pair with --pair, or a template with --template"),
        (("--pair", PAIR, "--template", "chatml"), "--pair names template and tokenizer already"),
        (("--pair", "chatlm+bytelevel-gpt2"), "did you mean"),
        (("nothing", "--pair", PAIR), "there is no masker 'nothing'"),
        (("--template", "chatml", "--tokenizer", "bytelevel-gpt2", "--stop-token", "no such"), "no stop token; 'no such' is more than one token"),
    ],
)  # fmt: skip
def test_wrong_use_says_what_to_do(arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = call(*arguments)
    assert isinstance(result.exception, MaskspecError)
    with pytest.raises(MaskspecError, match=message):
        raise result.exception


def test_a_device_without_room_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    import maskspec.training.examination as examination

    def full(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(examination, "build_model", full)
    result = call("--pair", PAIR)
    assert "the memory of 'cpu' is not enough for the size 'small'" in str(result.exception)


def test_a_folder_that_cannot_be_written_is_named_before_the_end_of_a_test(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    result = call("--pair", PAIR, "--output", str(tmp_path / "file"))
    assert result.exit_code == 2
    assert "is a file" in result.stderr
