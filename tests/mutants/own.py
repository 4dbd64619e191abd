"""Batches, packs, caches and cuts: what is put around a masker that is right, late on a Friday.

None of these is in the list of historical bugs. Each breaks exactly one thing that the
right masker of the toolkit does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from maskspec import Labelled, Request
from maskspec.conformance import Collated, Packed, Padding
from tests.mutants.mutant import Mutant
from tests.mutants.prefixes import KNOWN, StrictPrefixes
from tests.mutants.toolkit import (
    IGNORE,
    Encoded,
    Span,
    TurnMasker,
    check_messages,
    cut,
    encode,
    pack_whole,
    pad,
    render,
    selected,
)

__all__ = ["MUTANTS"]

PAIRS = ("chatml+bytelevel-gpt2",)


@dataclass(frozen=True)
class LabelsPaddedOnTheRight(TurnMasker):
    """Pads ids and attention on the side that is asked for, and labels always on the right.

    Nobody pads on the left for training, until somebody does. Expected: COLLATE-1.
    """

    name: str = "labels-padded-on-the-right"

    def collate(self, samples: Sequence[Labelled], padding: Padding) -> list[Collated]:
        rows = pad(samples, padding)
        right = pad(samples, replace(padding, side="right"))
        return [
            Collated(row.input_ids, other.labels, row.attention_mask) for row, other in zip(rows, right, strict=True)
        ]


@dataclass(frozen=True)
class AttentionByThePaddingId(TurnMasker):
    """Attends to every token that is not the padding's id, and so not to those of an answer that are.

    Right as long as padding has a token of its own. Expected: COLLATE-1.
    """

    name: str = "attention-by-the-padding-id"

    def collate(self, samples: Sequence[Labelled], padding: Padding) -> list[Collated]:
        return [
            Collated(row.input_ids, row.labels, [identifier != padding.token_id for identifier in row.input_ids])
            for row in pad(samples, padding)
        ]


@dataclass(frozen=True)
class PositionsRunOn(TurnMasker):
    """Numbers the positions of a pack from its first token to its last.

    The samples of a row then look into each other. Expected: COLLATE-2.
    """

    name: str = "positions-run-on"

    def pack(self, samples: Sequence[Labelled], max_length: int) -> list[Packed]:
        return [
            Packed(row.input_ids, row.labels, position_ids=range(len(row.input_ids)))
            for row in pack_whole(samples, max_length)
        ]


@dataclass(frozen=True)
class FirstTokensKeepTheirLabels(TurnMasker):
    """Joins samples as they are, so that a trained first token is predicted from the sample before it.

    Samples begin with a trained token only after a cut on the left. Expected: COLLATE-2.
    """

    name: str = "first-tokens-keep-their-labels"

    def pack(self, samples: Sequence[Labelled], max_length: int) -> list[Packed]:
        rows = pack_whole(samples, max_length)
        waiting = iter(samples)
        packed = []
        for row in rows:
            labels: list[int] = []
            while len(labels) < len(row.input_ids):
                labels += next(waiting).labels
            packed.append(Packed(row.input_ids, labels, position_ids=row.position_ids))
        return packed


@dataclass(frozen=True)
class PackedAsOneStream(TurnMasker):
    """Writes all samples one after the other and cuts the stream into rows, wherever that is.

    The way of pretraining. What is left of a sample in the next row is an answer without
    its question. Expected: COLLATE-2.
    """

    name: str = "packed-as-one-stream"

    def pack(self, samples: Sequence[Labelled], max_length: int) -> list[Packed]:
        ids = list(chain.from_iterable(sample.input_ids for sample in samples))
        labels = list(chain.from_iterable(sample.labels for sample in samples))
        numbers = [number for number, sample in enumerate(samples) for _ in sample.input_ids]
        starts = range(0, len(ids), max_length)
        return [
            Packed(
                ids[at : at + max_length],
                [IGNORE, *labels[at + 1 : at + max_length]],
                sequence_ids=numbers[at : at + max_length],
            )
            for at in starts
        ]


@dataclass(frozen=True)
class BatchSortedByLength(TurnMasker):
    """Sorts a batch by length, for less padding, and returns it in that order.

    Expected: META-3.
    """

    name: str = "batch-sorted-by-length"

    def mask_batch(self, requests: Sequence[Request]) -> list[Labelled]:
        return sorted(super().mask_batch(requests), key=lambda sample: len(sample.input_ids))


@dataclass(frozen=True)
class BatchPaddedForGood(TurnMasker):
    """Pads a batch to encode it in one call and forgets to take the padding off.

    Expected: META-3.
    """

    name: str = "batch-padded-for-good"

    def mask_batch(self, requests: Sequence[Request]) -> list[Labelled]:
        rows = pad(super().mask_batch(requests), Padding(requests[0].tokenizer.pad_token_id))
        return [Labelled(row.input_ids, row.labels) for row in rows]


@dataclass(frozen=True)
class EndPutOnCutSamples(TurnMasker):
    """Puts an end token in place of the last one of a sample that is cut, and trains it.

    So that each sample ends with one, a half answer among them. Expected: TRUNC-1.
    """

    name: str = "end-put-on-cut-samples"

    def mask(self, request: Request) -> Labelled:
        whole = super().mask(replace(request, max_length=None))
        part = cut(whole, request)
        if len(part.input_ids) == len(whole.input_ids) or request.truncation_side == "left":
            return part
        end = request.tokenizer.eos_token_id
        return Labelled([*part.input_ids[:-1], end], [*part.labels[:-1], end])


@dataclass(frozen=True)
class CutBeforeItIsMasked(TurnMasker):
    """Cuts the text's tokens first and looks for the turns in what is left, keeping those that are whole.

    An answer across the cut is no turn any more, and none of it is trained.
    Expected: TRUNC-1, TRUNC-2.
    """

    name: str = "cut-before-it-is-masked"

    def mask(self, request: Request) -> Labelled:
        check_messages(request.messages)
        text = render(request)
        encoded = encode(request, text)
        if request.max_length is None or len(encoded.ids) <= request.max_length or encoded.offsets is None:
            return super().mask(replace(request, max_length=None))
        left = request.truncation_side == "left"
        kept = slice(len(encoded.ids) - request.max_length, None) if left else slice(request.max_length)
        part = Encoded(encoded.ids[kept], encoded.offsets[kept])
        first, behind = (part.offsets or [(0, 0)])[0][0], (part.offsets or [(0, 0)])[-1][1]
        whole = [(start, end) for start, end in self.spans(request, text) if first <= start and end <= behind]
        labels = super().labels(request, text, encoded)[kept]
        inside = [any(start <= at < end for start, end in whole) for at, _ in part.offsets or ()]
        return Labelled(part.ids, [label if keep else IGNORE for label, keep in zip(labels, inside, strict=True)])


@dataclass(frozen=True)
class SpansRememberedByTheAnswers(TurnMasker):
    """Keeps the spans of conversations that were seen before, under the text of their answers.

    Two questions may have one answer, and then the second has its labels where the answer
    to the first one stood. Expected: META-2.
    """

    name: str = "spans-remembered-by-the-answers"

    known: dict[tuple[str, ...], list[Span]] = field(default_factory=dict)

    def spans(self, request: Request, text: str) -> list[Span]:
        answers = tuple(request.messages[index]["content"] for index in selected(request.messages, self.policy))
        if answers not in self.known:
            self.known[answers] = super().spans(request, text)
        return self.known[answers]


class ReasoningTurns(StrictPrefixes):
    """The right masker of turns that may have reasoning and tool calls, as far as the template keeps them."""

    def mask(self, request: Request) -> Labelled:
        check_messages(request.messages, keys=KNOWN)
        text = render(request)
        encoded = encode(request, text)
        return cut(Labelled(encoded.ids, self.labels(request, text, encoded)), request)


@dataclass(frozen=True)
class TurnBeginsAtItsContent(ReasoningTurns):
    """Trains each turn from the place of its content on, which is not where the model begins.

    What it thinks before it answers is left out, and the tags of an empty thought as well.
    Expected: SPAN-2, SPAN-4.
    """

    name: str = "turn-begins-at-its-content"

    def spans(self, request: Request, text: str) -> list[Span]:
        found = []
        indices = selected(request.messages, self.policy)
        for index, (start, end) in zip(indices, super().spans(request, text), strict=True):
            content = (request.messages[index].get("content") or "").strip("\n")
            at = text.rfind(content, start, end) if content else start
            found.append((max(start, at), end))
        return found


MUTANTS = (
    Mutant(
        name="labels-padded-on-the-right",
        summary="Ids are padded on the side that is asked for, labels always on the right.",
        expected=("COLLATE-1",),
        allowed=("STOP-5",),
        masker=LabelsPaddedOnTheRight,
        control=TurnMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="attention-by-the-padding-id",
        summary="Tokens that happen to be the padding's id are not attended to.",
        expected=("COLLATE-1",),
        masker=AttentionByThePaddingId,
        control=TurnMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="positions-run-on",
        summary="The positions of a pack run on from sample to sample.",
        expected=("COLLATE-2",),
        masker=PositionsRunOn,
        control=TurnMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="first-tokens-keep-their-labels",
        summary="The first token of a packed sample is trained, predicted from the sample before it.",
        expected=("COLLATE-2",),
        masker=FirstTokensKeepTheirLabels,
        control=TurnMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="packed-as-one-stream",
        summary="Samples are joined to one stream, which is cut into rows anywhere.",
        expected=("COLLATE-2",),
        masker=PackedAsOneStream,
        control=TurnMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="batch-sorted-by-length",
        summary="A batch is sorted by length and returned so.",
        expected=("META-3",),
        masker=BatchSortedByLength,
        control=TurnMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="batch-padded-for-good",
        summary="The answers of a batch keep its padding.",
        expected=("META-3",),
        masker=BatchPaddedForGood,
        control=TurnMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="end-put-on-cut-samples",
        summary="A cut sample gets an end token in place of its last one, and it is trained.",
        expected=("TRUNC-1",),
        masker=EndPutOnCutSamples,
        control=TurnMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="cut-before-it-is-masked",
        summary="Turns are looked for in what a cut has left, and half a turn is none.",
        expected=("TRUNC-1", "TRUNC-2"),
        masker=CutBeforeItIsMasked,
        control=TurnMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="spans-remembered-by-the-answers",
        summary="Spans are remembered by the text of the answers, whatever the questions were.",
        expected=("META-2",),
        allowed=("META-1", "ROLE", "SPAN", "STOP", "INJECT", "OPEN-1", "TOTAL-3"),
        masker=SpansRememberedByTheAnswers,
        control=TurnMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="turn-begins-at-its-content",
        summary="A turn is trained from its content on, without what the model thinks before.",
        expected=("SPAN-2", "SPAN-4"),
        masker=TurnBeginsAtItsContent,
        control=ReasoningTurns,
        pairs=("qwen3+bytelevel-qwen",),
    ),
)
