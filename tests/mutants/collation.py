"""Maskers whose samples are right and whose batches are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maskspec import Labelled, Request
from maskspec.conformance import Collated, Packed, Padding
from tests.mutants.mutant import Mutant
from tests.mutants.toolkit import IGNORE, TurnMasker, check_messages, encode, label_spans, render

__all__ = ["MUTANTS"]


@dataclass(frozen=True)
class PaddingById(TurnMasker):
    """The collator ignores every label that is the padding token, wherever it stands.

    trl#976 and transformers#23530: where the end-of-sequence token serves as padding, the
    real stops are ignored with it. To be caught by STOP-5 and COLLATE-1.
    """

    name: str = "padding-recognised-by-id"

    def collate(self, samples: Sequence[Labelled], padding: Padding) -> list[Collated]:
        return [
            Collated(
                row.input_ids,
                [IGNORE if label == padding.token_id else label for label in row.labels],
                row.attention_mask,
            )
            for row in super().collate(samples, padding)
        ]


@dataclass(frozen=True)
class PackingDropsTheMask(TurnMasker):
    """The packer joins the ids of samples, and the labels are made anew from the ids.

    trl#3728: the mask was among the columns that packing did not keep, so everything was
    trained. To be caught by COLLATE-2.
    """

    name: str = "packing-drops-the-mask"

    def pack(self, samples: Sequence[Labelled], max_length: int) -> list[Packed]:
        return [
            Packed(row.input_ids, row.input_ids, position_ids=row.position_ids)
            for row in super().pack(samples, max_length)
        ]


@dataclass(frozen=True)
class PlainCollatorForPackedRows(TurnMasker):
    """A collator without padding keeps the samples apart by positions; one that knows none takes its place.

    unsloth-zoo#1279: the replacement kept ids and labels and lost where the samples
    begin, so that they attend to each other. To be caught by COLLATE-2.
    """

    name: str = "collator-replaced-by-one-without-positions"

    def pack(self, samples: Sequence[Labelled], max_length: int) -> list[Packed]:
        return [
            Packed(row.input_ids, row.labels, position_ids=range(len(row.input_ids)))
            for row in super().pack(samples, max_length)
        ]


@dataclass(frozen=True)
class SpansOfTheLastRow(TurnMasker):
    """A batch is rendered in one loop and labelled in another, which reads the first loop's variable.

    After a loop its variable holds the last row's spans, for every row. A batch of one is
    right. To be caught by META-3.
    """

    name: str = "spans-of-the-last-row-for-every-row"

    def mask_batch(self, requests: Sequence[Request]) -> list[Labelled]:
        rows, spans = [], []
        for request in requests:
            check_messages(request.messages)
            text = render(request)
            spans = self.spans(request, text)
            rows.append(encode(request, text))
        return [Labelled(encoded.ids, label_spans(encoded, spans)) for encoded in rows]


MUTANTS = (
    Mutant(
        name="spans-of-the-last-row-for-every-row",
        summary="In a batch, every row is labelled by the spans of the last one.",
        expected=("META-3",),
        masker=SpansOfTheLastRow,
        control=TurnMasker,
        pairs=("chatml+bytelevel-gpt2", "llama-3+tiktoken"),
    ),
    Mutant(
        name="padding-recognised-by-id",
        rows=(11,),
        summary="The collator ignores every label that equals the padding token.",
        expected=("STOP-5", "COLLATE-1"),
        masker=PaddingById,
        control=TurnMasker,
        pairs=("zephyr+bytelevel-gpt2", "chatml+tiktoken"),
    ),
    Mutant(
        name="packing-drops-the-mask",
        rows=(14,),
        summary="Packed rows get their labels from their ids.",
        expected=("COLLATE-2",),
        masker=PackingDropsTheMask,
        control=TurnMasker,
        pairs=("chatml+bytelevel-gpt2",),
    ),
    Mutant(
        name="collator-replaced-by-one-without-positions",
        rows=(30,),
        summary="Packed rows lose the positions that tell the samples apart.",
        expected=("COLLATE-2",),
        masker=PlainCollatorForPackedRows,
        control=TurnMasker,
        pairs=("chatml+bytelevel-gpt2",),
    ),
)
