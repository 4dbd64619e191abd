"""From a mask to labels: off by one, shifted, of another length, with another ignore index.

A masker that knows which tokens are answers can still hand over the wrong numbers. Here
the mask is right, and what is made of it by data set, trainer or server is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from maskspec import Labelled, Policy, Request, Unsupported
from maskspec.policy import Turns
from tests.mutants.mutant import Mutant
from tests.mutants.toolkit import IGNORE, Encoded, TurnMasker, check_messages, encode, label_spans, render

__all__ = ["LAST_ANSWER", "MUTANTS", "PromptAndAnswer", "last_answer"]

LAST_ANSWER = Policy(flags=False, turns=Turns.LAST)
"""What data sets of prompts and answers train: the answer, which ends the conversation."""


def last_answer(request: Request) -> None:
    """Decline conversations that do not end with an answer: they are no prompt and answer."""
    check_messages(request.messages)
    if len(request.messages) < 2 or request.messages[-1]["role"] != "assistant":
        raise Unsupported("a conversation that does not end with an answer")


@dataclass(frozen=True)
class PromptAndAnswer(TurnMasker):
    """The right masker of prompts and answers: the last answer, which everything before it is the prompt of."""

    policy: Policy = LAST_ANSWER

    def mask(self, request: Request) -> Labelled:
        last_answer(request)
        return super().mask(request)


def flags_of(labels: Sequence[int]) -> list[bool]:
    """Labels as a mask: whether each token is an answer's."""
    return [label != IGNORE for label in labels]


def labelled_by(mask: Sequence[bool], ids: Sequence[int]) -> list[int]:
    """Labels of the tokens that a mask marks."""
    return [identifier if flag else IGNORE for identifier, flag in zip(ids, mask, strict=True)]


@dataclass(frozen=True)
class MaskOfInputsTakenForTargets(TurnMasker):
    """The trainer cuts the last entry off the mask and the first off the targets, so each token has its neighbour's.

    verl#3287: the mask marks the tokens of the answer, the slice is the one for positions
    that predict. The first token of every answer is lost and the token behind it is
    trained. Expected: SPAN-1.
    """

    name: str = "mask-of-inputs-taken-for-targets"

    def labels(self, request: Request, text: str, encoded: Encoded) -> list[int]:
        mask = flags_of(super().labels(request, text, encoded))
        targets = encoded.ids[1:]
        return [IGNORE, *labelled_by(mask[:-1], targets)]


@dataclass(frozen=True)
class SingleTurnsShiftedTwice(TurnMasker):
    """The data set for single turns shifts its mask, and so does the trainer, since it was repaired for the other one.

    verl#5362: the last token of the prompt is trained and the stop is not; dialogues of
    several turns come from another data set and are right. Expected: STOP-1, OPEN-1.
    """

    name: str = "single-turns-shifted-twice"

    def labels(self, request: Request, text: str, encoded: Encoded) -> list[int]:
        mask = flags_of(super().labels(request, text, encoded))
        answers = [message for message in request.messages if message["role"] == "assistant"]
        if len(answers) == 1 and request.messages[-1]["role"] == "assistant":
            mask = [*mask[1:], False]
        return labelled_by(mask, encoded.ids)


@dataclass(frozen=True)
class FirstTokenOfTheAnswerIsLost(PromptAndAnswer):
    """Marks the positions from the length of the prompt on, one too late for those that predict, and ends one earlier.

    OpenRLHF#973: two corrections by one, at the end of the mask and at the loss, of which
    one was due. The first token of each answer is never trained. Expected: SPAN-1.
    """

    name: str = "first-token-of-the-answer-is-lost"

    def labels(self, request: Request, text: str, encoded: Encoded) -> list[int]:
        prompt = render(request, request.messages[:-1], add_generation_prompt=True)
        length = sum(1 for _, behind in encoded.offsets or () if behind <= len(prompt))
        mask = [length <= k < len(encoded.ids) - 1 for k in range(len(encoded.ids))]
        return [IGNORE, *labelled_by(mask[:-1], encoded.ids[1:])]


@dataclass(frozen=True)
class PromptMeasuredWithAnEnd(PromptAndAnswer):
    """Encodes the prompt with the function that appends the end token, and ignores as many tokens.

    alpaca-lora#306: the prompt's length is one more than its part of the sample, so the
    first token of the answer is ignored. Expected: SPAN-1.
    """

    name: str = "prompt-measured-with-an-end"

    def labels(self, request: Request, text: str, encoded: Encoded) -> list[int]:
        prompt = encode(request, render(request, request.messages[:-1], add_generation_prompt=True))
        length = len([*prompt.ids, request.tokenizer.eos_token_id])
        return [IGNORE] * length + encoded.ids[length:]


@dataclass(frozen=True)
class MaskCutOnTheRight(TurnMasker):
    """Cuts the ids on the side that was asked for and brings the mask to their length from the right.

    vllm#54539: the lengths agree, so nothing fails; every label stands at another token.
    Expected: TRUNC-2.
    """

    name: str = "mask-cut-on-the-right"

    def mask(self, request: Request) -> Labelled:
        whole = super().mask(replace(request, max_length=None))
        if request.max_length is None or len(whole.input_ids) <= request.max_length:
            return whole
        left = request.truncation_side == "left"
        ids = whole.input_ids[-request.max_length :] if left else whole.input_ids[: request.max_length]
        mask = flags_of(whole.labels)[: len(ids)]
        return Labelled(ids, labelled_by(mask, ids))


@dataclass(frozen=True)
class LabelsShiftedByTheMasker(TurnMasker):
    """Moves the labels to the position that predicts them, which the model's loss does as well.

    Met in many collators that were written beside a loss of their own and kept when the
    loss went. Expected: LABEL-2.
    """

    name: str = "labels-shifted-by-the-masker"

    def mask(self, request: Request) -> Labelled:
        right = super().mask(request)
        return Labelled(right.input_ids, [*right.labels[1:], IGNORE][: len(right.input_ids)])


@dataclass(frozen=True)
class IgnoredTokensHaveThePaddingId(TurnMasker):
    """Fills what is not trained with the id of the padding token, for a collator that was to turn it into -100.

    The collator is another one now. Expected: LABEL-3.
    """

    name: str = "ignored-tokens-have-the-padding-id"

    def mask(self, request: Request) -> Labelled:
        right = super().mask(request)
        padding = request.tokenizer.pad_token_id
        return Labelled(right.input_ids, [padding if label == IGNORE else label for label in right.labels])


@dataclass(frozen=True)
class LabelsOfTheTextWithoutItsEnd(TurnMasker):
    """Encodes the text once for the ids, and once more, trimmed, for the labels.

    One helper trims and the other does not; the labels lack what the text ends with.
    Expected: LABEL-1.
    """

    name: str = "labels-of-the-trimmed-text"

    def mask(self, request: Request) -> Labelled:
        check_messages(request.messages)
        text = render(request)
        trimmed = encode(request, text.rstrip())
        return Labelled(encode(request, text).ids, label_spans(trimmed, self.spans(request, text)))

    truncation = ()


MUTANTS = (
    Mutant(
        name="mask-of-inputs-taken-for-targets",
        rows=(36,),
        summary="The mask is sliced as for positions that predict, so every label moves one token on.",
        expected=("SPAN-1",),
        allowed=("ROLE-2", "STOP-1", "OPEN-1", "META-1"),
        masker=MaskOfInputsTakenForTargets,
        control=TurnMasker,
        pairs=("llama-3+tiktoken", "chatml+bytelevel-gpt2"),
    ),
    Mutant(
        name="single-turns-shifted-twice",
        rows=(37,),
        summary="Samples of a single turn are shifted by the data set and again by the trainer.",
        expected=("STOP-1", "OPEN-1", "META-1"),
        masker=SingleTurnsShiftedTwice,
        control=TurnMasker,
        pairs=("llama-3+tiktoken",),
    ),
    Mutant(
        name="first-token-of-the-answer-is-lost",
        rows=(40,),
        summary="The mask of an answer begins one position too late for those that predict.",
        expected=("SPAN-1",),
        allowed=("SELECT-2", "STOP-1"),
        masker=FirstTokenOfTheAnswerIsLost,
        control=PromptAndAnswer,
        pairs=("llama-3+tiktoken",),
    ),
    Mutant(
        name="prompt-measured-with-an-end",
        rows=(56,),
        summary="The prompt is measured with an end token appended, so it is one token longer than in the sample.",
        expected=("SPAN-1",),
        allowed=("SELECT-2", "STOP-1"),
        masker=PromptMeasuredWithAnEnd,
        control=PromptAndAnswer,
        pairs=("alpaca+sentencepiece-bpe", "chatml+bytelevel-gpt2"),
    ),
    Mutant(
        name="mask-cut-on-the-right",
        rows=(57,),
        summary="Under left truncation the ids lose their first entries and the mask its last.",
        expected=("TRUNC-2",),
        masker=MaskCutOnTheRight,
        control=TurnMasker,
        pairs=("chatml+bytelevel-gpt2",),
    ),
    Mutant(
        name="labels-shifted-by-the-masker",
        rows=(59,),
        summary="The masker shifts the labels, and the model shifts them again.",
        expected=("LABEL-2",),
        allowed=("TRUNC-1",),
        masker=LabelsShiftedByTheMasker,
        control=TurnMasker,
        pairs=("chatml+bytelevel-gpt2",),
    ),
    Mutant(
        name="ignored-tokens-have-the-padding-id",
        summary="What is not trained has the padding token's id as its label instead of -100.",
        expected=("LABEL-3",),
        allowed=("SPAN-1", "INJECT-2"),
        masker=IgnoredTokensHaveThePaddingId,
        control=TurnMasker,
        pairs=("chatml+bytelevel-gpt2",),
    ),
    Mutant(
        name="labels-of-the-trimmed-text",
        summary="The labels are made from the trimmed text, the ids from the whole.",
        expected=("LABEL-1",),
        masker=LabelsOfTheTextWithoutItsEnd,
        control=TurnMasker,
        pairs=("chatml+bytelevel-gpt2",),
    ),
)
