"""A learning run: repeatable, watched at its beginning and end, and stopped where it makes no sense."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.training.lacking import REASON

pytest.importorskip("torch", reason=REASON)

from maskspec.training.devices import find_device, repeatable
from maskspec.training.examination import Examination
from maskspec.training.mutants import MUTANTS
from maskspec.training.problems import TrainingError
from maskspec.training.records import Reason
from maskspec.training.sizes import SIZES
from maskspec.training.teaching import teach
from maskspec.training.trainers import train_with, unavailable
from tests.training.factory import subject_of

if TYPE_CHECKING:
    from maskspec.training.records import Curve


def run(examination: Examination) -> Curve:
    with repeatable(examination.room.device, 0):
        _, curve = teach(examination.room, examination.pipeline(examination.room), "run")
    return curve


def test_the_same_seed_gives_the_same_curve_to_the_last_bit(examination: Examination) -> None:
    first = run(examination)
    assert first == run(examination)
    assert (first.steps[0], first.steps[-1]) == (0, 4)
    assert set(first.losses) == {"answers", "stop tokens", "user text", "template"}


def test_another_seed_gives_another_curve(examination: Examination) -> None:
    other = replace(examination.room, seed=1)
    with repeatable(other.device, 1):
        _, curve = teach(other, examination.pipeline(other), "run")
    assert curve.losses["answers"] != run(examination).losses["answers"]


def test_steps_are_told(examination: Examination) -> None:
    steps: list[int] = []
    teach(examination.room, examination.pipeline(examination.room), "run", tick=steps.append)
    assert steps == [1, 2, 3, 4]


def test_training_that_diverges_ends_with_a_remedy(examination: Examination) -> None:
    room = replace(examination.room, size=replace(examination.room.size, learning_rate=float("inf")))
    with pytest.raises(TrainingError, match="the loss is nan at step 1: training diverged"):
        teach(room, examination.pipeline(room), "run")


@pytest.mark.parametrize(("trainer", "name"), [("transformers", "transformers.Trainer"), ("trl", "trl.SFTTrainer")])
def test_the_loss_that_a_trainer_reports_is_the_one_computed_here(
    trainer: str, name: str, examination: Examination
) -> None:
    why = unavailable(trainer, examination.room)
    if why:
        pytest.skip(f"{name}: {why}")
    with repeatable(examination.room.device, 0):
        measurements, curve = train_with(trainer, examination.room, examination.pipeline(examination.room))
    first = measurements[0]
    assert (first.rule, first.what, first.reason) == ("TRAIN-1", f"{name}, a step of 2 micro-batches", None)
    assert (curve.name, curve.steps[-1]) == (name, 4)
    assert all(each.what.startswith(name) for each in measurements)


def test_a_trainer_that_weighs_micro_batches_wrongly_is_found_out(
    examination: Examination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bug of transformers before 4.46: every micro-batch had its own mean."""
    import transformers

    own = transformers.Trainer.compute_loss

    def means(self: object, model: object, inputs: object, *rest: object, **more: object) -> object:
        loss = own(self, model, inputs, return_outputs=False, num_items_in_batch=None)
        return loss / 2 if not more.get("return_outputs") else (loss / 2, None)

    why = unavailable("transformers", examination.room)
    if why:
        pytest.skip(f"transformers.Trainer: {why}")
    monkeypatch.setattr(transformers.Trainer, "compute_loss", means)
    measurements, _ = train_with("transformers", examination.room, examination.pipeline(examination.room))
    assert measurements[0].reason is Reason.ACCUMULATION


def test_the_large_size_learns_from_packed_rows_in_bfloat16() -> None:
    """The path of a GPU, at a size that a processor can take."""
    size = replace(
        SIZES["large"], hidden=32, intermediate=64, layers=1, heads=2, key_value_heads=1,
        steps=2, batch=4, rows=1, lessons=24, held_out=2, looked_at=2, row_length=512, speed_rows=1, timed=1, product=64,
    )  # fmt: skip
    examination = Examination.prepare(
        subject_of().with_stops(),
        size=size,
        device=find_device("cpu", "bfloat16"),
        architecture="llama",
        seed=0,
        progress=lambda _doing, _share: None,
    )
    examination.rules(("loop",), required=True)
    examination.speed(compiled=False)
    result = examination.result()
    assert [each.what for each in result.measurements if not each.passed and each.rule != "TRAIN-3"] == []
    assert result.curves[0].steps[-1] == 2
    (speed,) = result.speeds
    assert (speed.row_length, speed.rows) == (512, 1)
    assert speed.tokens_per_second > 0
    assert speed.utilisation > 0
    assert speed.memory > 2**20


def test_mutants_of_another_size_have_a_control_of_that_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """The large model is no control for mutants that small ones are trained for."""
    import maskspec.training.examination as module

    tiny = replace(SIZES["small"], steps=2, lessons=8, held_out=3, looked_at=3)
    monkeypatch.setattr(module, "SIZES", {"small": tiny})
    monkeypatch.setattr(module, "MUTANTS", tuple(each for each in MUTANTS if each.name == "packing leaks"))
    prepared = Examination.prepare(
        subject_of().with_stops(),
        size=replace(tiny, hidden=32, mutants="small"),
        device=find_device("cpu"),
        architecture="llama",
        seed=0,
        progress=lambda _doing, _share: None,
    )
    prepared.mutants()
    result = prepared.result()
    assert [each.what for each in result.control if each.rule != "TRAIN-3" and not each.passed] == []
    assert [curve.name for curve in result.curves] == ["control"]
    (leak,) = result.mutants
    assert leak.found_out


def test_a_memory_that_is_not_enough_for_the_speed_costs_the_speed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import maskspec.training.examination as module

    def full(*_: object) -> float:
        raise MemoryError

    tiny = replace(SIZES["small"], steps=2, lessons=8, held_out=3, looked_at=3)
    prepared = Examination.prepare(
        subject_of().with_stops(),
        size=tiny,
        device=find_device("cpu"),
        architecture="llama",
        seed=0,
        progress=lambda _doing, _share: None,
    )
    monkeypatch.setattr(module, "measure_ceiling", full)
    prepared.speed(compiled=False)
    (note,) = prepared.result().notes
    assert note.startswith("no speed: the memory of 'cpu' is not enough for measuring the speed; use --size small")
    assert prepared.result().speeds == ()
