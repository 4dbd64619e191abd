"""Maskers that lose something between the template's text and the tokenizer, or between two tokenizers.

Slow tokenizers have no offsets. What a masker does about that is a path of its own, which
is run seldom and compared with the other one never.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskspec import Labelled, Request, Unsupported
from tests.mutants.mutant import Mutant
from tests.mutants.toolkit import (
    IGNORE,
    Span,
    TurnMasker,
    check_messages,
    cut,
    encode,
    render,
)
from tests.mutants.turns import FormatMasker

__all__ = ["MUTANTS"]


@dataclass(frozen=True)
class BosDoubled(TurnMasker):
    """The template's text, which begins with the beginning-of-sequence token, is encoded with special tokens added.

    trl#1400 and #1114, OpenRLHF#393: the tokenizer adds the token once more. To be caught
    by RENDER-2.
    """

    name: str = "beginning-of-sequence-doubled"

    def mask(self, request: Request) -> Labelled:
        check_messages(request.messages)
        text = render(request)
        encoded = encode(request, text, add_special_tokens=True)
        return cut(Labelled(encoded.ids, self.labels(request, text, encoded)), request)


@dataclass(frozen=True)
class PathForSlowTokenizers(TurnMasker):
    """The right one, where both tokenizers agree: a slow one gets the turns from the renders before and after each."""

    name: str = "path-for-slow-tokenizers"

    def mask(self, request: Request) -> Labelled:
        if getattr(request.tokenizer, "is_fast", False):
            return super().mask(request)
        check_messages(request.messages)
        text = render(request)
        return cut(self.without_offsets(request, text, self.spans(request, text)), request)

    def without_offsets(self, request: Request, text: str, spans: list[Span]) -> Labelled:
        """Ids and labels of the text, by the number of tokens in front of each edge of a span."""
        ids = encode(request, text).ids
        labels = [IGNORE] * len(ids)
        for start, end in spans:
            first, behind = (self.count(request, text, ids, edge) for edge in (start, end))
            labels[first:behind] = ids[first:behind]
        return Labelled(ids, labels)

    def count(self, request: Request, text: str, ids: list[int], edge: int) -> int:
        """How many tokens a text has up to a character."""
        count = len(encode(request, text[:edge]).ids)
        if encode(request, text[:edge]).ids != ids[:count]:
            raise Unsupported("a token that spans the edge of a turn, without offsets to see it")
        return count


def in_pieces(request: Request, text: str, spans: list[Span]) -> Labelled:
    """Context and answers encoded one by one and joined: each begins like a text of its own."""
    ids: list[int] = []
    labels: list[int] = []
    position = 0
    for start, end in [*spans, (len(text), len(text))]:
        context, answer = (
            encode(request, part).ids if part else [] for part in (text[position:start], text[start:end])
        )
        ids += context + answer
        labels += [IGNORE] * len(context) + answer
        position = end
    return Labelled(ids, labels)


@dataclass(frozen=True)
class PiecesForSlowTokenizers(PathForSlowTokenizers):
    """Without offsets, context and answers are encoded one by one and joined.

    What the fast tokenizer gets in one piece, the slow one gets in several, and its ids
    are others where tokens merge over an edge. To be caught by TOKEN-1.
    """

    name: str = "pieces-for-slow-tokenizers"

    def without_offsets(self, request: Request, text: str, spans: list[Span]) -> Labelled:
        return in_pieces(request, text, spans)


@dataclass(frozen=True)
class LastTurnForSlowTokenizers(PathForSlowTokenizers):
    """Without offsets, only the last answer is looked for.

    The path for slow tokenizers was written when conversations had one round. To be
    caught by TOKEN-2.
    """

    name: str = "last-turn-only-for-slow-tokenizers"

    def without_offsets(self, request: Request, text: str, spans: list[Span]) -> Labelled:
        return super().without_offsets(request, text, spans[-1:])


@dataclass(frozen=True)
class MessagesWithPrefixSpace(FormatMasker):
    """Messages are encoded one by one, by a tokenizer that puts a space in front of every text.

    The space is not in the text of the conversation, and the token for it spells nothing.
    To be caught by TOKEN-3 and RENDER-1.
    """

    name: str = "messages-encoded-with-a-prefix-space"


MUTANTS = (
    Mutant(
        name="beginning-of-sequence-doubled",
        rows=(18,),
        summary="The tokenizer adds a beginning-of-sequence token to a text that has one.",
        expected=("RENDER-2",),
        allowed=("RENDER-1", "RENDER-3"),
        masker=BosDoubled,
        control=TurnMasker,
        pairs=("llama-3+tiktoken", "alpaca+sentencepiece-bpe"),
    ),
    Mutant(
        name="pieces-for-slow-tokenizers",
        summary="Without offsets, the parts of the text are encoded one by one and joined.",
        expected=("TOKEN-1",),
        allowed=("RENDER-1", "RENDER-3", "TOKEN-3"),
        masker=PiecesForSlowTokenizers,
        control=PathForSlowTokenizers,
        pairs=("alpaca+sentencepiece-bpe-legacy", "vicuna+sentencepiece-bpe-legacy"),
    ),
    Mutant(
        name="last-turn-only-for-slow-tokenizers",
        summary="Without offsets, only the last answer is trained.",
        expected=("TOKEN-2",),
        masker=LastTurnForSlowTokenizers,
        control=PathForSlowTokenizers,
        pairs=("zephyr+sentencepiece-bpe", "chatml+sentencepiece-bpe"),
    ),
    Mutant(
        name="messages-encoded-with-a-prefix-space",
        summary="Messages are encoded one by one, each with a space in front that the conversation does not have.",
        expected=("TOKEN-3",),
        allowed=("RENDER-1", "RENDER-3", "SPAN"),
        masker=MessagesWithPrefixSpace,
        control=TurnMasker,
        pairs=("chatml+sentencepiece-unigram", "zephyr+sentencepiece-unigram"),
    ),
)
