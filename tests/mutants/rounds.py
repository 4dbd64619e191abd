"""Conversations taken apart at the markers of their text, and measured piece by piece in tokens.

FastChat's way, copied into many projects: the text is split at the stop into rounds and
each round at the marker of the answer; lengths of pieces that are encoded alone are
added up, and the sum is taken for a place among the tokens of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from maskspec import Labelled, Policy, Request, Unsupported
from tests.mutants.mutant import Mutant
from tests.mutants.toolkit import (
    IGNORE,
    PLAIN,
    Span,
    check_messages,
    cut,
    encode,
    label_spans,
    refuse_markers,
    render,
)

__all__ = ["MUTANTS"]


@dataclass(frozen=True)
class RoundMasker:
    """The right masker of this style: rounds by characters, and only of texts in which no marker is quoted.

    `answer` is the marker behind which answers stand; the stop is the pair's own.
    """

    name: str = "rounds"
    answer: str = "ASSISTANT:"
    policy: Policy = PLAIN
    truncation: tuple[str, ...] = ("right", "left")

    def mask(self, request: Request) -> Labelled:
        """Render, take apart, measure."""
        check_messages(request.messages)
        refuse_markers(request, (self.answer, *request.stops))
        return cut(self.labelled(request, render(request)), request)

    def labelled(self, request: Request, text: str) -> Labelled:
        """Ids of the text, and labels of the answers."""
        encoded = encode(request, text)
        return Labelled(encoded.ids, label_spans(encoded, self.answers(request, text)))

    def answers(self, request: Request, text: str) -> Iterator[Span]:
        """The characters of the answers with their stops."""
        at = 0
        for question, answer in self.rounds(request, text):
            start = at + len(question)
            at = start + len(answer)
            yield start, at

    def rounds(self, request: Request, text: str) -> Iterator[tuple[str, str]]:
        """Each round: up to and with the marker of the answer, and the answer with its stop."""
        stop, waiting = self.stop(request), ""
        for part in text.split(stop):
            question, marker, answer = part.partition(self.answer)
            if marker:
                yield waiting + question + marker, answer + stop
            waiting = "" if marker else waiting + part + stop

    def stop(self, request: Request) -> str:
        """The text that ends an answer, and nothing else."""
        if len(request.stops) != 1:
            raise Unsupported("a format with several stops")
        return request.stops[0]


@dataclass(frozen=True)
class LaterRoundsMeasuredAsTheFirst(RoundMasker):
    """Encodes each question alone, where the tokenizer puts a space before it that only the first one has in the text.

    FastChat#2494: the length of a round was corrected for that and the length of its
    question was not, so the first token of every answer but the first is ignored.
    Expected: SPAN-1.
    """

    name: str = "later-rounds-measured-as-the-first"

    def labelled(self, request: Request, text: str) -> Labelled:
        ids = encode(request, text).ids
        labels = [IGNORE] * len(ids)
        at = 0
        for question, answer in self.rounds(request, text):
            length = len(encode(request, question).ids)
            end = min(len(ids), len(encode(request, text[: self.end(text, question, answer)]).ids))
            labels[at + length : end] = ids[at + length : end]
            at = end
        return Labelled(ids, labels)

    def end(self, text: str, question: str, answer: str) -> int:
        """The character behind a round."""
        return text.index(question + answer) + len(question + answer)


@dataclass(frozen=True)
class LengthsOfPiecesAddedUp(RoundMasker):
    """Encodes question and answer of each round alone and adds their lengths up.

    FastChat#214: a separator is one token alone and two in the text, so that every span
    lies one token further off than the one before. Expected: SPAN-1, ROLE-1.
    """

    name: str = "lengths-of-pieces-added-up"

    def labelled(self, request: Request, text: str) -> Labelled:
        ids = encode(request, text).ids
        labels = [IGNORE] * len(ids)
        at = 0
        for question, answer in self.rounds(request, text):
            start = at + len(encode(request, question).ids)
            at = min(len(ids), start + len(encode(request, answer).ids))
            labels[start:at] = ids[start:at]
        return Labelled(ids, labels)


@dataclass(frozen=True)
class ZephyrRounds(RoundMasker):
    """The same for Zephyr's format, where questions end with the stop as well."""

    answer: str = "<|assistant|>\n"


@dataclass(frozen=True)
class SeparatorLostInTheSplit(ZephyrRounds):
    """Counts the separator at which the text was split only to find the next round.

    FastChat#2996: `split` takes the separator away, and no round trains it, although it is
    the stop. Expected: STOP-1.
    """

    name: str = "separator-lost-in-the-split"

    def answers(self, request: Request, text: str) -> Iterator[Span]:
        for start, end in super().answers(request, text):
            yield start, end - len(self.stop(request))


MUTANTS = (
    Mutant(
        name="later-rounds-measured-as-the-first",
        rows=(49,),
        summary="The question of a later round is measured with the space that only the first one has.",
        expected=("SPAN-1",),
        allowed=("SPAN-4", "SPAN-5", "STOP-1", "TOKEN-2", "INJECT", "META"),
        masker=LaterRoundsMeasuredAsTheFirst,
        control=RoundMasker,
        pairs=("vicuna+sentencepiece-unigram",),
    ),
    Mutant(
        name="lengths-of-pieces-added-up",
        rows=(50,),
        summary="Lengths of pieces that are encoded alone are added up, and drift away from the text.",
        expected=("SPAN-1", "ROLE-1"),
        allowed=("ROLE-2", "OPEN-1", "SPAN-4", "SPAN-5", "STOP-1", "TOKEN-2", "INJECT", "META"),
        masker=LengthsOfPiecesAddedUp,
        control=RoundMasker,
        pairs=("vicuna+sentencepiece-unigram",),
    ),
    Mutant(
        name="separator-lost-in-the-split",
        rows=(51,),
        summary="The text is split at the stop, and what a split takes away is not trained.",
        expected=("STOP-1",),
        masker=SeparatorLostInTheSplit,
        control=ZephyrRounds,
        pairs=("zephyr+sentencepiece-bpe",),
    ),
)
