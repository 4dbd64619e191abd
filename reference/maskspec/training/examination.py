"""One pair under examination: what is prepared once, and each part of the check on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from maskspec.adapters.reference import ReferenceMasker
from maskspec.errors import MissingPackageError
from maskspec.training.devices import Device
from maskspec.training.gradients import check_gradients
from maskspec.training.lessons import lessons
from maskspec.training.loss import check_losses
from maskspec.training.models import ARCHITECTURES, build_model, count_parameters, wide
from maskspec.training.mutants import MUTANTS, Mutant
from maskspec.training.pipeline import Pipeline, right_pipeline
from maskspec.training.problems import TrainingError, reporting_memory
from maskspec.training.records import Curve, Measurement, MutantResult, PairResult, Speed
from maskspec.training.samples import Sample, read_samples
from maskspec.training.sizes import SIZES, Size
from maskspec.training.subject import Subject
from maskspec.training.teaching import Classroom, teach
from maskspec.training.throughput import judge_speed, measure_ceiling, measure_speed, packed_loss
from maskspec.training.trainers import train_with, unavailable
from maskspec.training.vocabulary import choose_vocabulary

__all__ = ["Examination"]


@dataclass(slots=True)
class Examination:
    """The state of the check on one pair; `result` is what it found."""

    room: Classroom
    reference_room: Classroom
    looked_at: tuple[Sample, ...]
    progress: Callable[[str, float], None]
    measurements: list[Measurement] = field(default_factory=list)
    control: list[Measurement] = field(default_factory=list)
    found: list[MutantResult] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    speeds: list[Speed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    work: int = 1
    done: int = 0

    @classmethod
    def prepare(
        cls,
        subject: Subject,
        *,
        size: Size,
        device: Device,
        architecture: str,
        seed: int,
        progress: Callable[[str, float], None],
    ) -> Examination:
        """Mask the lessons, with the masker and with the reference, and choose a vocabulary.

        Raises:
            TrainingError: the masker, the template or the tokenizer cannot be used for this.
        """
        progress("masking the lessons", 0.0)
        reference = subject.with_masker(ReferenceMasker())
        both = [
            (
                read_samples(lessons(size.lessons, seed=seed), each),
                read_samples(_held_out(size, seed), each, asked=True),
            )
            for each in ((subject,) if subject.masker == reference.masker else (subject, reference))
        ]
        length = len(subject.tokenizer.raw) if hasattr(subject.tokenizer.raw, "__len__") else 0
        everything = [sample for pair in both for samples in pair for sample in samples]
        vocabulary = choose_vocabulary(everything, subject.stops, length=length, most=size.vocabulary)
        taught, held = (tuple(map(vocabulary.sample, samples)) for samples in both[0])
        room = Classroom(subject, taught, held, vocabulary, size, device, architecture, seed)
        right, right_held = (tuple(map(vocabulary.sample, samples)) for samples in both[-1])
        reference_room = replace(room, subject=reference, lessons=right, held_out=right_held)
        return cls(room, reference_room, held[: size.looked_at], progress)

    @property
    def checks_reference(self) -> bool:
        """Whether the masker labels every lesson as the reference does, so that its measurements are the control."""
        mine, right = ((*room.lessons, *room.held_out) for room in (self.room, self.reference_room))
        return all(one.labels == other.labels for one, other in zip(mine, right, strict=True))

    def rules(self, trainers: Sequence[str], *, required: bool) -> None:
        """TRAIN-1 to TRAIN-3 on the masker's own labels, with every trainer that is there.

        Raises:
            MissingPackageError: a trainer that is `required` is not installed.
        """
        pipeline = self.pipeline(self.room)
        usable = []
        for trainer in trainers:
            why = unavailable(trainer, self.room)
            if why and required:
                raise MissingPackageError(f"the trainer {trainer!r} cannot be used: {why}")
            if why:
                self.notes.append(f"no run with {trainer}: {why}")
            else:
                usable.append(trainer)
        self.work = len(usable) + 2 + sum(mutant.learns for mutant in MUTANTS) + self._needs_control
        self._begin("loss and gradients", 0)
        for architecture in dict.fromkeys((self.room.architecture, *ARCHITECTURES[:2])):
            self.measurements += self._static(self.room, architecture, pipeline, self.looked_at)
        self.done += 1
        if not _any_label(pipeline, self.room.lessons):
            self.notes.append("no learning run: the masker trains nothing, so there is nothing to learn from")
            return
        for trainer in usable:
            self._teach(trainer, pipeline)

    def _teach(self, trainer: str, pipeline: Pipeline) -> None:
        total = self.room.size.steps

        def tick(step: int) -> None:
            self._begin(f"learning ({trainer})", step / total)

        if trainer == "loop":
            measurements, curve = teach(self.room, pipeline, self.room.subject.masker.name, tick=tick)
        else:
            measurements, curve = train_with(trainer, self.room, pipeline, tick=tick)
        self.measurements += measurements
        self.curves.append(curve)
        self.done += 1

    def mutants(self) -> None:
        """TRAIN-4: the control, unless the masker is it, and every mutant of the reference."""
        room = self._mutant_room
        right = self.pipeline(room)
        if self._needs_control:
            self.control += self._static(room, room.architecture, right, room.held_out[: room.size.looked_at])
            measurements, curve = teach(room, right, "control", tick=self._ticking("the control"))
            self.control += measurements
            self.curves.append(curve)
            self.done += 1
        for mutant in MUTANTS:
            self.found.append(self._mutant(mutant, mutant.broken(right)))
            self.done += mutant.learns

    @property
    def _mutant_room(self) -> Classroom:
        room = self.reference_room
        return replace(room, size=SIZES[room.size.mutants]) if room.size.mutants else room

    @property
    def _needs_control(self) -> bool:
        """Whether the measurements so far are no control: other labels, another model, or something out of limits."""
        return (
            not self.checks_reference
            or bool(self.room.size.mutants)
            or not all(each.passed for each in self.measurements)
        )

    def _mutant(self, mutant: Mutant, broken: Pipeline) -> MutantResult:
        room = self._mutant_room
        excluded = mutant.excluded(room.held_out)
        if excluded:
            return MutantResult(mutant.name, mutant.story, mutant.expected, mutant.entails, excluded=excluded)
        measurements = self._static(room, room.architecture, broken, room.held_out[: room.size.looked_at])
        curve = None
        if mutant.learns:
            size = replace(room.size, packed=False) if mutant.padded else room.size
            learnt, curve = teach(replace(room, size=size), broken, mutant.name, tick=self._ticking(mutant.name))
            measurements += learnt
        return MutantResult(
            mutant.name, mutant.story, mutant.expected, mutant.entails, tuple(measurements), curve=curve
        )

    def speed(self, *, compiled: bool) -> None:
        """Time packed steps, as they are and compiled; the loss of the first step is TRAIN-1 at full length.

        A memory that is not enough for this costs the speed and not the rest of the check.
        """
        device = self.room.device
        self._begin("speed", 0.0)
        try:
            with reporting_memory(device.kind, "measuring the speed"):
                self._measure_speed((False, True) if compiled else (False,))
        except TrainingError as error:
            self.notes.append(f"no speed: {error}")
        self.done += 1

    def _measure_speed(self, ways: Sequence[bool]) -> None:
        size, device = self.room.size, self.room.device
        batch = self.pipeline(self.reference_room).packed(self.reference_room.lessons, device, length=size.row_length)
        batch = {name: tensor[: size.speed_rows] for name, tensor in batch.items()}
        ceiling = measure_ceiling(device, size.product)
        right = packed_loss(self.room.model(), batch, device)
        for each in ways:
            self._begin("speed, compiled" if each else "speed", 0.5)
            speed = measure_speed(self.room.model(), batch, size=size, device=device, compiled=each, ceiling=ceiling)
            self.speeds.append(speed)
            if not speed.excluded:
                self.measurements.append(judge_speed(speed, right, device.tolerance.layout))

    def result(self) -> PairResult:
        """What was found."""
        vocabulary = self.room.vocabulary
        return PairResult(
            pair=self.room.subject.name,
            vocabulary=vocabulary.size,
            renumbered=vocabulary.numbers is not None,
            parameters=count_parameters(self.room.model()),
            measurements=tuple(self.measurements),
            control=tuple(self.control),
            mutants=tuple(self.found),
            curves=tuple(self.curves),
            speeds=tuple(self.speeds),
            notes=tuple(self.notes),
        )

    def pipeline(self, room: Classroom) -> Pipeline:
        """The right pipeline of a room's masker.

        It pads with the stop token, which is usual and the hardest case: a collator must not go by the id.
        """
        return right_pipeline(room.subject.masker, padding=room.vocabulary.to_model(room.subject.stops)[0])

    @staticmethod
    def _static(room: Classroom, architecture: str, pipeline: Pipeline, samples: Sequence[Sample]) -> list[Measurement]:
        """TRAIN-1 and TRAIN-2 on an untrained model whose weights are wide, so that the context matters."""
        model = build_model(
            architecture,
            room.size,
            vocabulary=room.vocabulary.size,
            device=room.device,
            seed=room.seed,
            spread=wide(room.size),
        ).eval()
        found = list(check_losses(model, samples, pipeline, room.device))
        if _any_label(pipeline, samples):
            found += check_gradients(model, samples, pipeline, room.device)
        return [replace(each, what=f"{architecture}: {each.what}") for each in found]

    def _begin(self, doing: str, share: float) -> None:
        self.progress(doing, min(1.0, (self.done + share) / self.work))

    def _ticking(self, name: str) -> Callable[[int], None]:
        return lambda step: self._begin(name, step / self._mutant_room.size.steps)


def _held_out(size: Size, seed: int) -> Any:
    """Conversations that no model is trained on: another seed, one more turn."""
    return lessons(size.held_out, seed=seed + 1_000_000, rounds=(2, 3, 4))


def _any_label(pipeline: Pipeline, samples: Sequence[Sample]) -> bool:
    return any(label >= 0 for sample in samples for label in list(pipeline.label(sample))[1:])
