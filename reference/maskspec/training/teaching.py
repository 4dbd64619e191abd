"""TRAIN-3: a model is taught with the labels, and must learn the answers and nothing of the user's chance words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from maskspec.training.answering import ask, judge_answers
from maskspec.training.devices import Device
from maskspec.training.learning import Watch, batches_of, learn
from maskspec.training.models import USUAL, build_model
from maskspec.training.pipeline import Pipeline
from maskspec.training.records import MOST_LEFT, MUST_STAY, Curve, Measurement, Reason
from maskspec.training.samples import Part, Sample
from maskspec.training.sizes import Size
from maskspec.training.subject import Subject
from maskspec.training.vocabulary import Vocabulary

__all__ = ["Classroom", "judge_curve", "teach"]

_RULE = "TRAIN-3"


@dataclass(frozen=True, slots=True)
class Classroom:
    """What every learning run of a check shares: the lessons, the model's shape, the device."""

    subject: Subject
    lessons: Sequence[Sample]
    held_out: Sequence[Sample]
    vocabulary: Vocabulary
    size: Size
    device: Device
    architecture: str
    seed: int

    def model(self, *, spread: float = USUAL) -> Any:
        """A fresh model, the same for every run."""
        return build_model(
            self.architecture,
            self.size,
            vocabulary=self.vocabulary.size,
            device=self.device,
            seed=self.seed,
            spread=spread,
        )

    def judge(self, model: Any, watch: Watch, pipeline: Pipeline, name: str) -> tuple[list[Measurement], Curve]:
        """What a trained model has learnt."""
        curve = watch.curve(name)
        measurements = list(judge_curve(curve))
        answers = ask(
            model, self.held_out, self.subject, self.vocabulary, self.device,
            with_opening=pipeline.asks_with_opening,
        )  # fmt: skip
        measurements += judge_answers(answers)
        return measurements, curve


def teach(
    room: Classroom, pipeline: Pipeline, name: str, *, tick: Callable[[int], None] = lambda _step: None
) -> tuple[list[Measurement], Curve]:
    """Train a fresh model with the plain loop, and judge it."""
    model = room.model()
    watch = Watch(model, room.held_out, room.device, room.size.steps)
    batches = batches_of(room.lessons, pipeline, size=room.size, device=room.device)
    learn(model, batches, size=room.size, device=room.device, watch=watch, tick=tick)
    return room.judge(model, watch, pipeline, name)


def judge_curve(curve: Curve) -> Iterator[Measurement]:
    """How far the losses fell from where they started."""
    for part in (Part.ANSWER, Part.STOP):
        losses = curve.losses.get(part.value)
        if losses:
            left = losses[-1] / losses[0]
            yield Measurement(
                _RULE, f"loss left on {part.value}", left, f"<= {MOST_LEFT}",
                None if left <= MOST_LEFT else Reason.NOT_LEARNT, f"{losses[0]:.3f} to {losses[-1]:.3f}",
            )  # fmt: skip
    losses = curve.losses[Part.USER.value]
    left = losses[-1] / losses[0]
    yield Measurement(
        _RULE, f"loss left on {Part.USER.value}", left, f">= {MUST_STAY}",
        None if left >= MUST_STAY else Reason.USER_LEARNT, f"{losses[0]:.3f} to {losses[-1]:.3f}",
    )  # fmt: skip
