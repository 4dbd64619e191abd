"""Asks a trained model: real prompts, real decoding, and whether it answers what it was taught and stops.

A question is asked with the conversation before it. Where the model answered that rightly, its own
answers are the very text of that conversation, so all questions together are a dialogue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from maskspec.training.devices import Device
from maskspec.training.records import Measurement, Reason
from maskspec.training.samples import Reply, Sample
from maskspec.training.subject import Subject
from maskspec.training.vocabulary import Vocabulary

__all__ = ["ENOUGH", "Answered", "ask", "judge_answers"]

ENOUGH = 0.95
"""The share of questions to be answered rightly: a small model may miss a word, a wrong mask loses nearly all."""

_RULE = "TRAIN-3"
_BATCH = 16
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Answered:
    """One question with what the model generated: its text without the stop token, and whether it stopped."""

    question: Reply
    number: int
    text: str
    stopped: bool

    @property
    def right(self) -> bool:
        """Whether the text is one that was taught, whitespace around it aside."""
        return self.text.strip() in self.question.answers


def ask(
    model: Any,
    samples: Sequence[Sample],
    subject: Subject,
    vocabulary: Vocabulary,
    device: Device,
    *,
    with_opening: bool = True,
) -> list[Answered]:
    """Let the model answer every question of the samples, greedily, padded on the left in batches."""
    from transformers import GenerationConfig

    questions = [(reply, number) for sample in samples for number, reply in enumerate(sample.replies)]
    # Of equal length as far as they go, so that little is padded.
    questions.sort(key=lambda each: len(each[0].prompt))
    room = 8 + max(len(subject.tokenizer.encode(each).ids) for reply, _ in questions for each in reply.answers)
    stops = vocabulary.to_model(subject.stops)
    settings = GenerationConfig(
        do_sample=False, max_new_tokens=room, eos_token_id=list(stops), pad_token_id=stops[0], use_cache=True
    )
    model.eval()
    answered = []
    for start in range(0, len(questions), _BATCH):
        chosen = questions[start : start + _BATCH]
        prompts = [reply.prompt if with_opening else reply.bare for reply, _ in chosen]
        longest = max(map(len, prompts))
        ids = device.tensor([(*(stops[0],) * (longest - len(each)), *each) for each in prompts])
        mask = device.tensor([(*(0,) * (longest - len(each)), *(1,) * len(each)) for each in prompts])
        with torch.no_grad(), device.autocast():
            output = model.generate(input_ids=ids, attention_mask=mask, generation_config=settings)
        for (reply, number), row in zip(chosen, output[:, longest:].tolist(), strict=True):
            end = next((k for k, each in enumerate(row) if each in stops), None)
            text = subject.tokenizer.decode(vocabulary.to_tokenizer(row[:end]))
            answered.append(Answered(reply, number, text, end is not None))
    return answered


def judge_answers(answered: Sequence[Answered]) -> Iterator[Measurement]:
    """How many questions were answered rightly, and after how many the model stopped."""
    wrong = [each for each in answered if not each.right]
    endless = [each for each in answered if not each.stopped]
    openings = [each for each in wrong if each.question.opening.strip() and each.text.startswith(each.question.opening)]
    # What goes on behind a right answer is not a wrong answer but one without an end.
    running = [each for each in wrong if not each.stopped and each.text.strip().startswith(each.question.answers)]
    reason = Reason.WRITES_OPENING if 2 * len(openings) > len(wrong) else Reason.WRONG_ANSWER
    reason = Reason.DOES_NOT_STOP if 2 * len(running) > len(wrong) else reason
    turns = max(each.number for each in answered) + 1
    yield _share("questions answered rightly", answered, wrong, reason, f"over {turns} turns")
    yield _share("answers that end with the stop token", answered, endless, Reason.DOES_NOT_STOP)


def _share(
    what: str, answered: Sequence[Answered], bad: Sequence[Answered], reason: Reason, scope: str = ""
) -> Measurement:
    share = 1.0 - len(bad) / len(answered)
    detail = f"{len(answered) - len(bad)} of {len(answered)} {scope}".rstrip()
    if bad:
        first = bad[0]
        detail += f"; first {first.text[:_SHOWN]!r} for {first.question.answers[-1]!r}"
    return Measurement(_RULE, what, share, f">= {ENOUGH}", None if share >= ENOUGH else reason, detail)
