"""A lesson as tokens: the labels of the masker, the labels of the specification, and what each token is.

The labels of the specification come from the reference under the masker's own policy. Where that
leaves a choice (EITHER), the masker's choice is taken, so no declared convention is held against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from maskspec.masker import Mask, Token, mask
from maskspec.policy import Verdict
from maskspec.segmentation import Zone
from maskspec.training.lessons import Lesson
from maskspec.training.problems import TrainingError
from maskspec.training.subject import Subject
from maskspec.verdicts import IGNORE_INDEX

__all__ = ["Part", "Reply", "Sample", "read_samples"]


class Part(StrEnum):
    """What a token is to the one who reads a curve."""

    ANSWER = "answers"
    """Trained: what the assistant says."""
    STOP = "stop tokens"
    """Trained: what ends the assistant's turn."""
    USER = "user text"
    """Ignored: the words of the user, which nothing but chance decides."""
    TEMPLATE = "template"
    """Ignored: what the template writes around them."""

    @property
    def trained(self) -> bool:
        """Whether a right mask trains it."""
        return self in (Part.ANSWER, Part.STOP)


@dataclass(frozen=True, slots=True)
class Reply:
    """One question of a lesson: the ids to ask with, and the texts that are a right answer.

    A template that rewrites history teaches an answer in two forms: as it stands among later turns, and as it
    stands at the end. A model cannot know which is meant, so both are right. `bare` are the ids of the same history
    without the generation prompt, and `opening` the text that the generation prompt adds; empty where the template
    has none.
    """

    prompt: tuple[int, ...]
    bare: tuple[int, ...]
    opening: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One lesson as n tokens: the masker's labels, the specification's, and the part of each token."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    expected: tuple[int, ...]
    parts: tuple[Part, ...]
    texts: tuple[str, ...] = field(repr=False)
    replies: tuple[Reply, ...] = field(repr=False)

    @property
    def last_trained(self) -> int:
        """The index of the last token that the specification trains; -1 without one."""
        return max((k for k, label in enumerate(self.expected) if label != IGNORE_INDEX), default=-1)

    def with_labels(self, labels: Iterable[int]) -> Sample:
        """The same tokens with other labels."""
        return replace(self, labels=tuple(labels))


def read_samples(lessons: Sequence[Lesson], subject: Subject, *, asked: bool = False) -> tuple[Sample, ...]:
    """Every lesson as tokens; with its questions where they are to be `asked`.

    Raises:
        TrainingError: the masker's ids are not those of the template's text, or nothing is to be trained.
    """
    samples = tuple(_sample(lesson, subject, asked=asked) for lesson in lessons)
    if not any(part.trained for sample in samples for part in sample.parts):
        raise TrainingError(
            f"the template of {subject.name!r} renders nothing that the policy of {subject.masker.name} trains; see "
            "what it renders with `maskspec trace`, and name another template or policy"
        )
    if not any(part is Part.STOP for sample in samples for part in sample.parts):
        raise TrainingError(
            f"behind no answer does the template of {subject.name!r} write a stop token that the policy trains, so no "
            "model could learn to stop; name the token that it writes with --stop-token, or mend template or policy"
        )
    return samples


def _sample(lesson: Lesson, subject: Subject, *, asked: bool) -> Sample:
    messages = [dict(message) for message in lesson.messages]
    right = _right(messages, subject)
    answer = subject.labelled(messages)
    if answer.input_ids != right.input_ids:
        raise TrainingError(
            f"{subject.masker.name} has {len(answer.input_ids)} ids on {subject.name!r} where the template's text "
            f"has {len(right.input_ids)}, or others; run `maskspec check` on it first: RENDER-1 shows the difference"
        )
    if len(answer.labels) != len(answer.input_ids):
        raise TrainingError(
            f"{subject.masker.name} has {len(answer.labels)} labels for {len(answer.input_ids)} ids on "
            f"{subject.name!r}; run `maskspec check` on it first: LABEL-1 shows where"
        )
    expected = tuple(
        token.id
        if token.verdict is Verdict.TRAIN or (token.verdict is Verdict.EITHER and label == token.id)
        else IGNORE_INDEX
        for token, label in zip(right.tokens, answer.labels, strict=True)
    )
    return Sample(
        ids=right.input_ids,
        labels=answer.labels,
        expected=expected,
        parts=tuple(_part(token, messages) for token in right.tokens),
        texts=tuple(token.text for token in right.tokens),
        replies=tuple(_reply(lesson, number, right, subject) for number in range(lesson.rounds if asked else 0)),
    )


def _part(token: Token, messages: Sequence[Mapping[str, Any]]) -> Part:
    if token.verdict is Verdict.TRAIN:
        return Part.STOP if token.zone is Zone.STOP else Part.ANSWER
    role = "" if token.message is None else messages[token.message]["role"]
    if role == "user" and token.zone is Zone.CONTENT:
        return Part.USER
    return Part.TEMPLATE


def _right(messages: Sequence[Mapping[str, Any]], subject: Subject) -> Mask:
    return mask(
        [dict(message) for message in messages],
        template=subject.template,
        tokenizer=subject.tokenizer,
        policy=subject.masker.policy,
        template_kwargs=subject.template_kwargs,
        allow_empty=True,
    )


def _reply(lesson: Lesson, number: int, right: Mask, subject: Subject) -> Reply:
    messages = lesson.before(number)
    prompt, bare = subject.prompt(messages), subject.prompt(messages, generation_prompt=False)
    encode = subject.tokenizer.encode
    place = len(messages)
    at_the_end = _right(lesson.messages[: place + 1], subject)
    followed = _right((*lesson.messages[: place + 1], *lesson.messages[:2]), subject)
    return Reply(
        prompt=tuple(encode(prompt).ids),
        bare=tuple(encode(bare).ids),
        opening=prompt.removeprefix(bare) if prompt.startswith(bare) else "",
        answers=tuple(dict.fromkeys(_said(each, place) for each in (right, followed, at_the_end))),
    )


def _said(right: Mask, message: int) -> str:
    """What a model has to generate for a message, without the stop and the whitespace around."""
    return "".join(
        token.text
        for token in right.tokens
        if token.message == message and token.verdict is Verdict.TRAIN and token.zone is not Zone.STOP
    ).strip()
