"""TRAIN-4: broken ways of training, each with a bug that somebody had, and the reason that must find it out.

A mutant is the right pipeline with one function replaced, so nothing else differs from the control.
Its measurements are those of the rule that must see it: labels and layouts by TRAIN-1 and TRAIN-2,
what a model learns by TRAIN-3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from maskspec.conformance.protocol import Collated, Labelled, Packed, Padding
from maskspec.training.pipeline import Pipeline
from maskspec.training.records import Reason
from maskspec.training.samples import Part, Sample
from maskspec.verdicts import IGNORE_INDEX

__all__ = ["MUTANTS", "Mutant"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One broken way of training.

    It has to fail for the `expected` reason, may fail for those that it `entails` as well, and for no other.
    `learns` is whether a model has to be trained to see it, and `padded` whether it has to be trained on padded
    batches, whatever the size of the check packs.
    """

    name: str
    story: str
    expected: Reason
    entails: frozenset[Reason]
    learns: bool
    broken: Callable[[Pipeline], Pipeline]
    padded: bool = False

    def excluded(self, samples: Sequence[Sample]) -> str:
        """Why this mutant cannot be made of these samples; empty where it can."""
        if self.expected is Reason.WRITES_OPENING and not any(
            reply.opening.strip() for sample in samples for reply in sample.replies
        ):
            return "the template's generation prompt adds no text"
        return ""


def _labelling(label: Callable[[Sample], Sequence[int]]) -> Callable[[Pipeline], Pipeline]:
    return lambda pipeline: replace(pipeline, label=label)


def _without_stops(sample: Sample) -> list[int]:
    return [
        IGNORE_INDEX if part is Part.STOP else label for label, part in zip(sample.labels, sample.parts, strict=True)
    ]


def _with_users(sample: Sample) -> list[int]:
    return [
        identifier if part is Part.USER else label
        for identifier, label, part in zip(sample.ids, sample.labels, sample.parts, strict=True)
    ]


def _shifted(sample: Sample) -> list[int]:
    return [*sample.labels[1:], IGNORE_INDEX]


def _with_openings(sample: Sample) -> list[int]:
    """Everything of the template between the user's words and the answer, which holds the opening."""
    labels = list(sample.labels)
    behind_user = False
    for k, part in enumerate(sample.parts):
        behind_user = part is Part.USER or (behind_user and part is Part.TEMPLATE)
        if behind_user and part is Part.TEMPLATE:
            labels[k] = sample.ids[k]
    return labels


def _nothing(sample: Sample) -> list[int]:
    return [IGNORE_INDEX] * len(sample.ids)


def _ignoring_the_padding_id(pipeline: Pipeline) -> Pipeline:
    def collate(samples: Sequence[Labelled], padding: Padding) -> list[Collated]:
        return [
            Collated(
                row.input_ids,
                [
                    IGNORE_INDEX if identifier == padding.token_id else label
                    for identifier, label in zip(row.input_ids, row.labels, strict=True)
                ],
                row.attention_mask,
            )
            for row in pipeline.collate(samples, padding)
        ]

    return replace(pipeline, collate=collate)


def _leaking(pipeline: Pipeline) -> Pipeline:
    def pack(samples: Sequence[Labelled], length: int) -> list[Packed]:
        return [
            Packed(row.input_ids, row.labels, position_ids=range(len(row.input_ids)))
            for row in pipeline.pack(samples, length)
        ]

    return replace(pipeline, pack=pack)


def _mean_of_means(pipeline: Pipeline) -> Pipeline:
    return replace(pipeline, divisor=lambda counts, index: counts[index] * len(counts))


def _asked_without_opening(pipeline: Pipeline) -> Pipeline:
    return replace(pipeline, label=_with_openings, asks_with_opening=False)


_WRONG_LABELS = frozenset({Reason.LOSS, Reason.GRADIENT_AT_IGNORED})
_MISSING_LABELS = frozenset({Reason.LOSS, Reason.NO_GRADIENT_AT_TRAINED, Reason.NOT_LEARNT})

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="stop untrained",
        story="the token that ends the answer has no label, as where it is taken for padding or for the next turn",
        expected=Reason.DOES_NOT_STOP,
        entails=_MISSING_LABELS,
        learns=True,
        broken=_labelling(_without_stops),
    ),
    Mutant(
        name="user trained",
        story="the words of the user have labels, as where the roles to train are mapped wrongly",
        expected=Reason.USER_LEARNT,
        entails=_WRONG_LABELS,
        learns=True,
        broken=_labelling(_with_users),
    ),
    Mutant(
        name="labels shifted twice",
        story="the masker shifts the labels by one, and the model does so again",
        expected=Reason.WRONG_ANSWER,
        entails=_WRONG_LABELS | _MISSING_LABELS | {Reason.DOES_NOT_STOP},
        learns=True,
        broken=_labelling(_shifted),
    ),
    Mutant(
        name="opening trained, missing at inference",
        story="the opening is trained as if it were part of the answer, and the prompt does not hold it",
        expected=Reason.WRITES_OPENING,
        entails=_WRONG_LABELS | {Reason.NOT_LEARNT},
        learns=True,
        broken=_asked_without_opening,
    ),
    Mutant(
        name="all ignored",
        story="the turns are not found, and every label is -100",
        expected=Reason.NOTHING_TRAINED,
        entails=frozenset(),
        learns=False,
        broken=_labelling(_nothing),
    ),
    Mutant(
        name="padding is the end token",
        story="the collator ignores every token with the padding's id, which is the stop token's too",
        expected=Reason.DOES_NOT_STOP,
        entails=frozenset({Reason.PADDING, Reason.NOT_LEARNT}),
        learns=True,
        broken=_ignoring_the_padding_id,
        padded=True,
    ),
    Mutant(
        name="packing leaks",
        story="the positions of a packed row run on, so every sample sees those before it",
        expected=Reason.LEAK,
        entails=frozenset(),
        learns=False,
        broken=_leaking,
    ),
    Mutant(
        name="accumulation of means",
        story="the loss of each micro-batch is divided by its own tokens instead of those of the step",
        expected=Reason.ACCUMULATION,
        entails=frozenset(),
        learns=False,
        broken=_mean_of_means,
    ),
)
"""Every mutant; TRAIN-4 needs all that the template allows to be found out."""
