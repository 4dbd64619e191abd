"""Maskers that read the template's generation tags: characters inside them, turned into tokens by offsets.

So does transformers' own assistant mask. The steps are its steps: render, encode with
truncation, ask for the token of a span's first and last character, mark what lies between.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from maskspec import Labelled, Policy, Request, Unsupported
from tests.mutants.mutant import Mutant
from tests.mutants.toolkit import IGNORE, PLAIN, Encoded, Span, encode, generation_spans

__all__ = ["MUTANTS", "TagMasker"]

_TAG = re.compile(r"\{%-?\s*generation\s*-?%\}")


@dataclass(frozen=True)
class TagMasker:
    """The right one: each span from the token of its first character to that of its last, as far as they are there."""

    name: str = "tags"
    policy: Policy = PLAIN
    truncation: tuple[str, ...] = ("right", "left")

    def mask(self, request: Request) -> Labelled:
        """Mask one conversation."""
        return self.mask_batch([request])[0]

    def mask_batch(self, requests: Sequence[Request]) -> list[Labelled]:
        """Mask a batch, row by row."""
        rows = []
        for request in requests:
            for index, message in enumerate(request.messages):
                if not isinstance(message, dict) or not isinstance(message.get("role"), str):
                    raise ValueError(f"message {index} has no role: {message!r}")
                if not isinstance(message.get("content"), (str, list, type(None))):
                    raise ValueError(f"message {index} has {message['content']!r} as its content")
            text, spans = generation_spans(request)
            self.check(request, spans)
            rows.append((self.truncated(request, self.encoded(request, text)), spans))
        return [self.labelled(encoded, spans, rows=len(rows)) for encoded, spans in rows]

    def check(self, request: Request, spans: Sequence[Span]) -> None:
        """Refuse a template without tags: its mask would be empty."""
        if not _TAG.search(request.template):
            raise Unsupported("a template without generation tags")

    def encoded(self, request: Request, text: str) -> Encoded:
        """Ids and offsets of the whole text."""
        encoded = encode(request, text)
        if encoded.offsets is None:
            raise Unsupported("a slow tokenizer, which has no offsets")
        return encoded

    def truncated(self, request: Request, encoded: Encoded) -> Encoded:
        """What the limit leaves; offsets still count the characters of the whole text."""
        assert encoded.offsets is not None
        limit = len(encoded.ids) if request.max_length is None else request.max_length
        part = slice(max(0, len(encoded.ids) - limit), None) if request.truncation_side == "left" else slice(limit)
        return Encoded(encoded.ids[part], encoded.offsets[part])

    def labelled(self, encoded: Encoded, spans: Sequence[Span], *, rows: int) -> Labelled:
        """Labels of one row; `rows` is how many the batch has."""
        assert encoded.offsets is not None
        labels = [IGNORE] * len(encoded.ids)
        for start, end in spans:
            for index, (first, behind) in enumerate(encoded.offsets):
                if start <= first < behind <= end:
                    labels[index] = encoded.ids[index]
        return Labelled(encoded.ids, labels)


def token_at(encoded: Encoded, character: int) -> int | None:
    """The token that a character belongs to, None where it was cut off."""
    assert encoded.offsets is not None
    return next((k for k, (first, behind) in enumerate(encoded.offsets) if first <= character < behind), None)


def last_token_at(encoded: Encoded, character: int) -> int | None:
    """The last token that a character belongs to: several spell it where it was split into bytes."""
    assert encoded.offsets is not None
    found = [k for k, (first, behind) in enumerate(encoded.offsets) if first <= character < behind]
    return found[-1] if found else None


@dataclass(frozen=True)
class BatchLengthForRowLength(TagMasker):
    """Where a span's end was cut off, it ends at the number of rows instead of at the number of tokens.

    transformers#34494 and #34531: `len(input_ids)` of a batch is the number of its rows,
    so a truncated turn was masked out entirely. To be caught by TRUNC-1.
    """

    name: str = "batch-length-for-row-length"

    def labelled(self, encoded: Encoded, spans: Sequence[Span], *, rows: int) -> Labelled:
        labels = [IGNORE] * len(encoded.ids)
        for start, end in spans:
            first, last = token_at(encoded, start), last_token_at(encoded, end - 1)
            if first is None:
                continue
            behind = rows if last is None else last + 1
            labels[first:behind] = encoded.ids[first:behind]
        return Labelled(encoded.ids, labels[: len(encoded.ids)])


@dataclass(frozen=True)
class EndTokenByTruthiness(TagMasker):
    """Whether a span's last token was found is asked by its truth value; otherwise the rest of the row is the answer.

    transformers#47325: token 0 is as false as None. On the left of a cut lie the turns
    whose ends are not there, and for each of them everything that is left was marked. To
    be caught by TRUNC-2.
    """

    name: str = "end-token-by-truthiness"

    def labelled(self, encoded: Encoded, spans: Sequence[Span], *, rows: int) -> Labelled:
        labels = [IGNORE] * len(encoded.ids)
        assert encoded.offsets is not None
        beyond = encoded.offsets[-1][1] if encoded.offsets else 0
        for start, end in spans:
            first, last = token_at(encoded, start), last_token_at(encoded, end - 1)
            if first is None and start >= beyond:
                continue
            begin = first or 0
            behind = last + 1 if last else len(encoded.ids)
            labels[begin:behind] = encoded.ids[begin:behind]
        return Labelled(encoded.ids, labels)


@dataclass(frozen=True)
class NoTagsNoError(TagMasker):
    """A template without generation tags gives a mask of zeros.

    transformers#34172: no error told of it, and nothing was trained. To be caught by
    TOTAL-3 and SPAN-5.
    """

    name: str = "no-tags-no-error"

    def check(self, request: Request, spans: Sequence[Span]) -> None:
        return


@dataclass(frozen=True)
class OffsetsWithoutWidth(TagMasker):
    """The offsets of ordinary words have no width: they end where they begin.

    transformers#33091: one vocabulary's words reported such offsets, and asking for the
    token of a character found none. To be caught by SPAN-1.
    """

    name: str = "offsets-without-width"

    def encoded(self, request: Request, text: str) -> Encoded:
        encoded = super().encoded(request, text)
        special = set(request.tokenizer.all_special_ids)
        assert encoded.offsets is not None
        offsets = [
            (first, behind) if identifier in special or behind - first < 2 else (first, first)
            for identifier, (first, behind) in zip(encoded.ids, encoded.offsets, strict=True)
        ]
        return Encoded(encoded.ids, offsets)


@dataclass(frozen=True)
class IdsTimesMask(TagMasker):
    """The labels are the ids multiplied by the mask.

    A product is short to write, and 0 where the mask is: an ordinary id, which no loss
    function leaves out. To be caught by LABEL-3 or LABEL-2.
    """

    name: str = "ids-times-mask"

    def labelled(self, encoded: Encoded, spans: Sequence[Span], *, rows: int) -> Labelled:
        right = super().labelled(encoded, spans, rows=rows)
        mask = [label != IGNORE for label in right.labels]
        return Labelled(
            right.input_ids, [identifier * kept for identifier, kept in zip(encoded.ids, mask, strict=True)]
        )


MUTANTS = (
    Mutant(
        name="ids-times-mask",
        summary="Labels are ids multiplied by a mask, so what is ignored has label 0.",
        expected=("LABEL-3", "LABEL-2"),
        allowed=("SPAN-1",),
        masker=IdsTimesMask,
        control=TagMasker,
        pairs=("chatml.generation+bytelevel-gpt2", "zephyr.generation+tiktoken"),
    ),
    Mutant(
        name="batch-length-for-row-length",
        rows=(20,),
        summary="A span whose end is cut off ends at the number of rows of the batch.",
        expected=("TRUNC-1", "META-3"),
        allowed=("TRUNC-2",),
        masker=BatchLengthForRowLength,
        control=TagMasker,
        pairs=("chatml.generation+bytelevel-gpt2", "zephyr.generation+tiktoken"),
    ),
    Mutant(
        name="end-token-by-truthiness",
        rows=(21,),
        summary="Whether a span has an end token is asked by truthiness, so that the rest of the row is marked.",
        expected=("TRUNC-1", "TRUNC-2", "ROLE-1"),
        masker=EndTokenByTruthiness,
        control=TagMasker,
        pairs=("chatml.generation+bytelevel-gpt2", "zephyr.generation+tiktoken"),
    ),
    Mutant(
        name="no-tags-no-error",
        rows=(22,),
        summary="A template without generation tags gives an empty mask and no error.",
        expected=("TOTAL-3", "SPAN-5"),
        allowed=("SPAN", "STOP", "OPEN-1"),
        masker=NoTagsNoError,
        no_control="the right one declines templates without tags, so there is nothing to accuse it of",
        pairs=("chatml+bytelevel-gpt2", "mistral-v3+sentencepiece-bpe"),
    ),
    Mutant(
        name="offsets-without-width",
        rows=(23,),
        summary="Offsets of words end where they begin, so no token spells them.",
        expected=("SPAN-1",),
        allowed=("SPAN", "INJECT-2", "META", "TOTAL-3"),
        masker=OffsetsWithoutWidth,
        control=TagMasker,
        pairs=("zephyr.generation+tiktoken", "chatml.generation+bytelevel-gpt2"),
    ),
)
