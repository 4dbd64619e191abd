"""A lesson as tokens: what is an answer, a stop, the user's text, and what a model is asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

pytest.importorskip("transformers", reason="the embedded tokenizers are read with transformers")

from maskspec.conformance.protocol import Labelled
from maskspec.policy import Policy
from maskspec.tokenizers import wrap
from maskspec.training.lessons import Lesson
from maskspec.training.problems import TrainingError
from maskspec.training.samples import Part, Sample, read_samples
from maskspec.training.subject import Subject
from tests.training.factory import subject_of

LESSON = Lesson(
    (
        {"role": "user", "content": "book rain"},
        {"role": "assistant", "content": "wet"},
        {"role": "user", "content": "door sun"},
        {"role": "assistant", "content": "warm"},
    )
)
NO_THINKING = "<think>\n\n</think>\n\n"


def text(sample: Sample, part: Part) -> str:
    return "|".join("".join(run) for run in _runs(sample, part))


def _runs(sample: Sample, part: Part) -> list[list[str]]:
    runs: list[list[str]] = []
    before = None
    for piece, each in zip(sample.texts, sample.parts, strict=True):
        if each is part:
            if before is not part:
                runs.append([])
            runs[-1].append(piece)
        before = each
    return runs


def only(pair: str = "chatml+bytelevel-gpt2") -> tuple[Sample, Subject]:
    subject = subject_of(pair).with_stops()
    return read_samples([LESSON], subject, asked=True)[0], subject


def test_every_token_has_its_part() -> None:
    sample, _ = only()
    assert text(sample, Part.ANSWER) == "wet|warm"
    assert text(sample, Part.STOP) == "<|im_end|>|<|im_end|>"
    assert text(sample, Part.USER) == "book rain|door sun"
    assert "".join(sample.texts) == "".join(
        f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n" for message in LESSON.messages
    )


def test_the_labels_of_the_specification_are_those_of_answers_and_stops() -> None:
    sample, _ = only()
    for identifier, label, part in zip(sample.ids, sample.expected, sample.parts, strict=True):
        assert label == (identifier if part in (Part.ANSWER, Part.STOP) else -100)
    assert sample.labels == sample.expected
    assert sample.texts[sample.last_trained] == "<|im_end|>"


def test_a_question_is_asked_with_the_generation_prompt() -> None:
    sample, subject = only()
    first, second = sample.replies
    decode = subject.tokenizer.decode
    assert decode(first.prompt) == "<|im_start|>user\nbook rain<|im_end|>\n<|im_start|>assistant\n"
    assert decode(first.bare) == "<|im_start|>user\nbook rain<|im_end|>\n"
    assert first.opening == "<|im_start|>assistant\n"
    assert (first.answers, second.answers) == (("wet",), ("warm",))


def test_a_template_that_rewrites_history_has_two_right_answers() -> None:
    sample, _ = only("qwen3+bytelevel-qwen")
    first, second = sample.replies
    assert first.answers == ("wet", f"{NO_THINKING}wet")
    assert second.answers == (f"{NO_THINKING}warm", "warm")


@dataclass(frozen=True)
class Fixed:
    """A masker that answers what it was made with."""

    answer: Any
    name: str = "fixed"
    policy: Policy = field(default_factory=Policy)

    def mask(self, _request: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_a_choice_that_the_policy_leaves_open_is_taken_from_the_masker() -> None:
    """The newline behind the stop is EITHER: a masker that trains it is not held to have trained too much."""
    right, _ = only()
    end = right.last_trained + 1
    assert right.texts[end] == "\n"
    labels = [*right.labels[:end], right.ids[end], *right.labels[end + 1 :]]
    sample = read_samples([LESSON], subject_of(masker=Fixed(Labelled(right.ids, labels))))[0]
    assert sample.expected[end] == right.ids[end]
    assert sample.expected[:end] == right.expected[:end]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Labelled([1, 2], [-100, 2]), "fixed has 2 ids on .* RENDER-1 shows the difference"),
        (ValueError("no template"), "fixed gives no mask .* ValueError: no template; run `maskspec check` on it first"),
        (None, "fixed answered NoneType; `mask` returns a Labelled"),
    ],
)
def test_a_masker_without_a_usable_answer_is_named(answer: Any, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        read_samples([LESSON], subject_of(masker=Fixed(answer)))


def test_labels_of_another_length_are_named() -> None:
    right, _ = only()
    masker = Fixed(Labelled(right.ids, right.labels[:-1]))
    with pytest.raises(TrainingError, match="LABEL-1 shows where"):
        read_samples([LESSON], subject_of(masker=masker))


def test_a_template_that_renders_nothing_trained_is_refused() -> None:
    silent = "{% for message in messages %}{% if message.role == 'user' %}{{ message.content }}{% endif %}{% endfor %}"
    with pytest.raises(TrainingError, match="renders nothing that the policy of reference trains; see what it renders"):
        read_samples([LESSON], replace(subject_of(), template=silent))


def test_a_template_without_a_stop_behind_an_answer_is_refused() -> None:
    endless = "{% for message in messages %}{{ message.role + ': ' + message.content + '\n' }}{% endfor %}"
    with pytest.raises(TrainingError, match="write a stop token that the policy trains"):
        read_samples([LESSON], replace(subject_of(), template=endless))


def test_a_tokenizer_without_a_stop_token_is_refused() -> None:
    subject = subject_of()
    with pytest.raises(TrainingError, match="is more than one token; generation could never end: name the token"):
        replace(subject, tokenizer=wrap(subject.tokenizer.raw, stops=("no such token",))).with_stops()
