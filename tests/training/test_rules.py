"""TRAIN-1 and TRAIN-2: the control passes, and whatever is wrong with loss, labels or layout is called by its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from tests.training.lacking import REASON

pytest.importorskip("torch", reason=REASON)

import torch

from maskspec.training.gradients import check_gradients
from maskspec.training.loss import check_losses
from maskspec.training.models import build_model, wide
from maskspec.training.mutants import MUTANTS, Mutant
from maskspec.training.pipeline import Pipeline
from maskspec.training.records import Measurement, Reason

if TYPE_CHECKING:
    from maskspec.training.examination import Examination

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
STATIC = {
    "stop untrained": {Reason.LOSS, Reason.NO_GRADIENT_AT_TRAINED},
    "user trained": {Reason.LOSS, Reason.GRADIENT_AT_IGNORED},
    "labels shifted twice": {Reason.LOSS, Reason.GRADIENT_AT_IGNORED, Reason.NO_GRADIENT_AT_TRAINED},
    "opening trained, missing at inference": {Reason.LOSS, Reason.GRADIENT_AT_IGNORED},
    "padding is the end token": {Reason.PADDING},
    "packing leaks": {Reason.LEAK},
    "accumulation of means": {Reason.ACCUMULATION},
}


@pytest.fixture(scope="module", params=["llama", "qwen2", "qwen3"])
def any_model(request: pytest.FixtureRequest, examination: Examination) -> Any:
    return model_of(examination, request.param)


def model_of(examination: Examination, architecture: str) -> Any:
    room = examination.room
    return build_model(
        architecture, room.size, vocabulary=room.vocabulary.size, device=room.device, seed=0, spread=wide(room.size)
    ).eval()


def measured(examination: Examination, model: Any, pipeline: Pipeline) -> list[Measurement]:
    room = examination.room
    found = list(check_losses(model, examination.looked_at, pipeline, room.device))
    return found + list(check_gradients(model, examination.looked_at, pipeline, room.device))


def reasons(measurements: Sequence[Measurement]) -> set[Reason]:
    return {each.reason for each in measurements if each.reason is not None}


def test_the_reference_passes_on_every_architecture(any_model: Any, examination: Examination) -> None:
    found = measured(examination, any_model, examination.pipeline(examination.room))
    assert [(each.what, each.value, each.detail) for each in found if not each.passed] == []
    assert {each.rule for each in found} == {"TRAIN-1", "TRAIN-2"}
    assert len(found) == 15


@pytest.mark.parametrize("name", STATIC)
def test_every_broken_way_of_training_is_called_by_its_name(name: str, examination: Examination) -> None:
    pipeline = BY_NAME[name].broken(examination.pipeline(examination.room))
    assert reasons(measured(examination, model_of(examination, "llama"), pipeline)) == STATIC[name]


def test_nothing_trained_is_found_before_anything_is_computed(examination: Examination) -> None:
    pipeline = BY_NAME["all ignored"].broken(examination.pipeline(examination.room))
    (found,) = check_losses(None, examination.looked_at, pipeline, examination.room.device)
    assert (found.reason, found.value) == (Reason.NOTHING_TRAINED, 0.0)


def with_loss(model: Any, loss: Any) -> Any:
    model.loss_function = loss
    return model


def test_a_model_whose_loss_forgets_the_mask_is_found_out(examination: Examination) -> None:
    model = model_of(examination, "llama")
    own = model.loss_function

    def forgetful(logits: Any, labels: Any, **more: Any) -> Any:
        return own(logits=logits, labels=torch.where(labels == -100, 0, labels), **more)

    found = measured(examination, with_loss(model, forgetful), examination.pipeline(examination.room))
    assert {Reason.LOSS, Reason.GRADIENT_AT_IGNORED} <= reasons(found)


def test_a_model_that_smooths_its_labels_is_found_out(examination: Examination) -> None:
    """A small part of every gradient goes to what is ignored: a millionth is not zero."""
    model = model_of(examination, "llama")
    own = model.loss_function

    def smooth(logits: Any, labels: Any, **more: Any) -> Any:
        return own(logits=logits, labels=labels, **more) + 1e-6 * logits.float().pow(2).mean()

    found = measured(examination, with_loss(model, smooth), examination.pipeline(examination.room))
    assert Reason.GRADIENT_AT_IGNORED in reasons(found)


def test_a_model_that_does_not_shift_is_found_out(examination: Examination) -> None:
    model = model_of(examination, "llama")
    own = model.loss_function

    def unshifted(logits: Any, labels: Any, **more: Any) -> Any:
        return own(logits=logits, labels=None, shift_labels=labels, **more)

    found = measured(examination, with_loss(model, unshifted), examination.pipeline(examination.room))
    assert {Reason.LOSS, Reason.GRADIENT_AT_IGNORED, Reason.NO_GRADIENT_AT_TRAINED} <= reasons(found)


def test_a_wrong_label_is_named_with_its_token(examination: Examination) -> None:
    pipeline = BY_NAME["stop untrained"].broken(examination.pipeline(examination.room))
    unpadded = measured(examination, model_of(examination, "llama"), pipeline)[0]
    assert unpadded.what == "unpadded"
    assert "'<|im_end|>' (stop tokens) is ignored and should be trained" in unpadded.detail


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_changes_one_thing(mutant: Mutant, examination: Examination) -> None:
    right = examination.pipeline(examination.room)
    broken = mutant.broken(right)
    changed = [
        name
        for name in ("label", "collate", "pack", "divisor", "padding", "asks_with_opening")
        if getattr(right, name) != getattr(broken, name)
    ]
    expected = ["label", "asks_with_opening"] if mutant.expected is Reason.WRITES_OPENING else 1
    assert changed == expected or len(changed) == expected
