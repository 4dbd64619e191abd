"""Maskers that trust the tokenizer: to give offsets, to give text back as it was, to be the same slow and fast.

Fast tokenizers have offsets and slow ones have none, some write their text in another
Unicode form, and one character may be several tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from maskspec import Labelled, Request, Unsupported
from maskspec.corpus import load_pair, sibling_pair
from tests.mutants.mutant import Mutant
from tests.mutants.own import ReasoningTurns
from tests.mutants.templates import HandWritten, Piece
from tests.mutants.toolkit import (
    IGNORE,
    Encoded,
    Span,
    TurnMasker,
    check_messages,
    encode,
    label_spans,
    render,
    selected,
)

__all__ = ["MUTANTS"]


def other_tokenizer(request: Request) -> Any:
    """The same vocabulary's fast tokenizer for its slow one, and the slow one for the fast."""
    other = sibling_pair(load_pair(request.pair))
    if other is None:
        raise Unsupported("a vocabulary with one tokenizer")
    return other.tokenizer.raw


@dataclass(frozen=True)
class OffsetsOfTheFastOne(TurnMasker):
    """The right masker that needs a fast tokenizer: it declines texts which the slow one encodes otherwise."""

    def mask(self, request: Request) -> Labelled:
        if getattr(request.tokenizer, "is_fast", False):
            return super().mask(request)
        fast = replace(request, tokenizer=other_tokenizer(request))
        return self.joined(encode(request, render(request)).ids, super().mask(fast))

    def joined(self, ids: list[int], masked: Labelled) -> Labelled:
        """Ids of the slow tokenizer with labels that were found with the fast one."""
        if tuple(ids) != masked.input_ids:
            raise Unsupported("a text that the two tokenizers encode differently")
        return masked

    truncation: tuple[str, ...] = ()


@cache
def with_prefix_space(pair: str) -> Any:
    """The fast tokenizer of a pair, made anew in the legacy way: a space before the text and after every marker."""
    from tokenizers import normalizers

    fast = deepcopy(load_pair(pair.replace(":slow", "")).tokenizer.raw)
    legacy = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    fast.backend_tokenizer.normalizer = legacy
    return fast


@dataclass(frozen=True)
class MaskOfTheLegacyOne(OffsetsOfTheFastOne):
    """Makes a fast tokenizer of the slow one for its offsets, and puts its mask over the slow one's ids.

    The conversion is the legacy one, which puts a space after every marker. The ids are
    right and every label stands a few tokens off, the more the later.
    Expected: TOKEN-2.
    """

    name: str = "mask-of-the-legacy-one"

    def mask(self, request: Request) -> Labelled:
        if getattr(request.tokenizer, "is_fast", False):
            return super().mask(request)
        legacy = super().mask(replace(request, tokenizer=with_prefix_space(request.pair)))
        ids = encode(request, render(request)).ids
        flags = [label != IGNORE for label in legacy.labels] + [False] * len(ids)
        return Labelled(ids, [identifier if flag else IGNORE for identifier, flag in zip(ids, flags, strict=False)])


@dataclass(frozen=True)
class OffsetsByDecoding(OffsetsOfTheFastOne):
    """Makes offsets for slow tokenizers by decoding one token after the other and adding the lengths up.

    A character of several tokens decodes to as many replacement characters.
    Expected: SPAN-1, TOKEN-2.
    """

    name: str = "offsets-by-decoding"

    def mask(self, request: Request) -> Labelled:
        if getattr(request.tokenizer, "is_fast", False):
            return super().mask(request)
        check_messages(request.messages)
        text = render(request)
        encoded = Encoded(encode(request, text).ids, [])
        at = 0
        for identifier in encoded.ids:
            end = at + len(request.tokenizer.decode([identifier]))
            (encoded.offsets or []).append((at, end))
            at = end
        return Labelled(encoded.ids, label_spans(encoded, self.spans(request, text)))


@dataclass(frozen=True)
class PlacesInTheDecodedText(ReasoningTurns):
    """Looks for the turns in what the ids decode to, and uses the places in the text that was encoded.

    The tokenizer writes its text in Unicode's form NFC, which is shorter where an accent
    was a character of its own. Expected: OPEN-1, STOP-1.
    """

    name: str = "places-in-the-decoded-text"

    def spans(self, request: Request, text: str) -> list[Span]:
        written = request.tokenizer.decode(encode(request, text).ids)
        if written == text:
            return super().spans(request, text)
        found = []
        for index in selected(request.messages, self.policy):
            parts = (request.messages[:index], request.messages[: index + 1])
            before, after = (render(request, part, add_generation_prompt=part is parts[0]) for part in parts)
            texts = (before, after.rstrip("\n"))
            start, end = (len(request.tokenizer.decode(encode(request, part).ids)) for part in texts)
            found.append((start, end))
        return found


@dataclass(frozen=True)
class FromEdgeToEdge(TurnMasker):
    """Trains from the token that begins where the answer begins to the first one that ends where it ends.

    A character at the end that is several tokens ends with each of them, and all but the
    first are lost. Expected: SPAN-1.
    """

    name: str = "from-edge-to-edge"

    def labels(self, request: Request, text: str, encoded: Encoded) -> list[int]:
        labels = super().labels(request, text, encoded)
        for start, end in self.spans(request, text):
            stop = next((text.rfind(stop, start, end) for stop in request.stops if stop in text[start:end]), end)
            ends = [k for k, (first, behind) in enumerate(encoded.offsets or ()) if behind == stop and first >= start]
            for k in ends[1:]:
                labels[k] = IGNORE
        return labels


@dataclass(frozen=True)
class SlowOnesGetWords(OffsetsOfTheFastOne):
    """Finds the places of a slow tokenizer's tokens by encoding one word after the other, and keeps those ids.

    Words lose the spaces that their tokens begin with, so the two tokenizers, which encode
    every text alike, train on different ids. Expected: TOKEN-1.
    """

    name: str = "slow-ones-get-words"

    def mask(self, request: Request) -> Labelled:
        if getattr(request.tokenizer, "is_fast", False):
            return super().mask(request)
        check_messages(request.messages)
        text = render(request)
        ids: list[int] = []
        offsets: list[Span] = []
        for word in re.finditer(r"\s+|\S+", text):
            pieces = encode(request, word.group()).ids
            ids += pieces
            offsets += [word.span()] * len(pieces)
        return Labelled(ids, label_spans(Encoded(ids, offsets), self.spans(request, text)))


@dataclass(frozen=True)
class DeepSeekRenderer(HandWritten):
    """The right masker of DeepSeek's format, by hand: system texts first, and no newline anywhere."""

    def pieces(self, request: Request) -> Iterator[Piece]:
        messages = request.messages
        systems = [message["content"] for message in messages if message["role"] == "system"]
        yield Piece(str(request.special_tokens["bos_token"]) + "\n\n".join(systems), None)
        for index, message in enumerate(messages):
            content = message["content"]
            if message["role"] == "user":
                yield Piece(f"<｜User｜>{content}", index)
            elif message["role"] == "assistant" and "</think>" not in content:
                yield Piece("<｜Assistant｜>", index)
                yield Piece(f"{content}<｜end▁of▁sentence｜>", index, sampled=True)
            elif message["role"] != "system":
                raise Unsupported("roles and reasoning that this renderer does not know")


@dataclass(frozen=True)
class PiecesOfTheirOwn(DeepSeekRenderer):
    """Encodes each piece alone, and a tokenizer that begins every text with a space gives each answer one.

    Where the answer begins with a newline, the space is a token that spells nothing, as
    the stray U+2581 of axolotl#2089 was. Expected: TOKEN-3.
    """

    name: str = "pieces-of-their-own"

    def labelled(self, request: Request, pieces: Sequence[Piece]) -> Labelled:
        ids: list[int] = []
        labels: list[int] = []
        for piece in pieces:
            alone = encode(request, piece.text).ids if piece.text else []
            ids += alone
            labels += alone if piece.sampled else [IGNORE] * len(alone)
        return Labelled(ids, labels)


MUTANTS = (
    Mutant(
        name="mask-of-the-legacy-one",
        rows=(63,),
        summary="The mask is made with a legacy conversion of the slow tokenizer and put over the slow one's ids.",
        expected=("TOKEN-2",),
        allowed=("SPAN", "STOP", "ROLE", "OPEN-1", "META", "INJECT", "TOTAL-3"),
        masker=MaskOfTheLegacyOne,
        control=OffsetsOfTheFastOne,
        pairs=("chatml+sentencepiece-bpe", "chatml+sentencepiece-bpe:slow"),
    ),
    Mutant(
        name="offsets-by-decoding",
        summary="Offsets are added up from the lengths of single decoded tokens.",
        expected=("SPAN-1", "TOKEN-2"),
        allowed=("SPAN-4", "SPAN-5", "STOP", "ROLE", "OPEN-1", "META", "INJECT", "TOTAL-3"),
        masker=OffsetsByDecoding,
        control=OffsetsOfTheFastOne,
        pairs=("chatml+sentencepiece-bpe", "chatml+sentencepiece-bpe:slow"),
    ),
    Mutant(
        name="places-in-the-decoded-text",
        summary="Turns are measured in the decoded text, which is another one where the tokenizer normalises.",
        expected=("OPEN-1", "STOP-1"),
        allowed=("SPAN", "ROLE", "META", "INJECT"),
        masker=PlacesInTheDecodedText,
        control=ReasoningTurns,
        pairs=("chatml+bytelevel-qwen", "llama-3+bytelevel-qwen", "gemma+bytelevel-qwen"),
    ),
    Mutant(
        name="from-edge-to-edge",
        summary="A span ends with the first token that ends where it ends, be its character several tokens.",
        expected=("SPAN-1",),
        masker=FromEdgeToEdge,
        control=TurnMasker,
        pairs=("chatml+bytelevel-gpt2",),
    ),
    Mutant(
        name="slow-ones-get-words",
        summary="Texts are encoded whole by fast tokenizers and word by word by slow ones.",
        expected=("TOKEN-1",),
        allowed=("RENDER-1", "RENDER-3"),
        masker=SlowOnesGetWords,
        control=OffsetsOfTheFastOne,
        pairs=("chatml+sentencepiece-bpe",),
    ),
    Mutant(
        name="pieces-of-their-own",
        summary="Pieces are encoded alone by a tokenizer that begins every text with a space.",
        expected=("TOKEN-3",),
        allowed=("RENDER-1", "RENDER-3", "TOKEN-1"),
        masker=PiecesOfTheirOwn,
        control=DeepSeekRenderer,
        pairs=("deepseek+sentencepiece-unigram",),
    ),
)
