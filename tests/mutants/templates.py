"""Maskers that know their families: renderers written by hand, tables of mask types, headers known by their ids.

Each knows a format piece by piece, or believes that it does. What is wrong is which
message a piece is said to belong to, or which family's knowledge is used.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maskspec import Labelled, Policy, Request, Unsupported
from tests.mutants.mutant import Mutant
from tests.mutants.prefixes import StrictPrefixes
from tests.mutants.toolkit import (
    IGNORE,
    PLAIN,
    Encoded,
    Span,
    TurnMasker,
    check_messages,
    cut,
    encode,
    label_spans,
    occurrences,
    render,
    selected,
)

__all__ = ["MUTANTS", "HandWritten", "Piece"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of rendered text: the message it is attributed to (None: no message), and whether a model sampled it."""

    text: str
    message: int | None
    sampled: bool = False


@dataclass(frozen=True)
class HandWritten(ABC):
    """The right masker of this style: what a model would have sampled is trained, whoever it is attributed to."""

    name: str = "renderer-by-hand"
    policy: Policy = PLAIN
    truncation: tuple[str, ...] = ("right", "left")

    def mask(self, request: Request) -> Labelled:
        """Write the pieces, encode the text, and train the pieces to train."""
        check_messages(request.messages)
        if request.tools:
            raise Unsupported("tools")
        return cut(self.labelled(request, list(self.pieces(request))), request)

    def labelled(self, request: Request, pieces: Sequence[Piece]) -> Labelled:
        """Ids of the joined text, and the labels of the tokens that lie in pieces to train."""
        encoded = encode(request, "".join(piece.text for piece in pieces))
        return Labelled(encoded.ids, label_spans(encoded, self.spans(request.messages, pieces)))

    def spans(self, messages: Sequence[Mapping[str, Any]], pieces: Sequence[Piece]) -> list[Span]:
        """The characters of the pieces to train, neighbours joined."""
        spans: list[Span] = []
        at = 0
        for piece in pieces:
            end = at + len(piece.text)
            if self.trains(messages, piece):
                spans[-1:] = [(spans[-1][0], end)] if spans and spans[-1][1] == at else [*spans[-1:], (at, end)]
            at = end
        return spans

    def trains(self, messages: Sequence[Mapping[str, Any]], piece: Piece) -> bool:
        """Whether a piece is trained."""
        return piece.sampled

    def is_answer(self, messages: Sequence[Mapping[str, Any]], index: int | None) -> bool:
        """Whether a piece is attributed to a message that is to be trained."""
        return index is not None and messages[index]["role"] in self.policy.roles

    @abstractmethod
    def pieces(self, request: Request) -> Iterator[Piece]:
        """The pieces of a conversation."""


@dataclass(frozen=True)
class LlamaRenderer(HandWritten):
    """Llama 3 by hand: text is trimmed, nothing stands between two messages."""

    def pieces(self, request: Request) -> Iterator[Piece]:
        yield Piece(str(request.special_tokens["bos_token"]), None)
        for index, message in enumerate(request.messages):
            yield Piece(f"<|start_header_id|>{message['role']}<|end_header_id|>\n\n", index)
            yield Piece(f"{message['content'].strip()}<|eot_id|>", index, self.is_answer(request.messages, index))


@dataclass(frozen=True)
class AttributedAltogether(LlamaRenderer):
    """Trains whatever is attributed to an answer, its role header among it.

    prime-rl#2492: the renderer says of each token which message it belongs to, and the
    mask asks nothing else. Expected: OPEN-1.
    """

    name: str = "attributed-altogether"

    def trains(self, messages: Sequence[Mapping[str, Any]], piece: Piece) -> bool:
        return self.is_answer(messages, piece.message)


@dataclass(frozen=True)
class GlmRenderer(HandWritten):
    """GLM 4.5 by hand, without reasoning and tools: the marker of the next message is what the model sampled last."""

    def pieces(self, request: Request) -> Iterator[Piece]:
        yield Piece("[gMASK]<sop>", None)
        messages = request.messages
        for index, message in enumerate(messages):
            role, content = message["role"], message["content"]
            if (
                role not in ("system", "user", "assistant")
                or "</think>" in content
                or "enable_thinking" in request.template_kwargs
            ):
                raise Unsupported("roles and reasoning that this renderer does not know")
            after_answer = index > 0 and self.is_answer(messages, index - 1)
            yield Piece(f"<|{role}|>", index, sampled=after_answer and role == "user")
            if role == "assistant":
                answer = content.strip()
                yield Piece("\n<think></think>" + (f"\n{answer}" if answer else ""), index, sampled=True)
            else:
                yield Piece(f"\n{content}", index)


@dataclass(frozen=True)
class SampledAndOfAnAnswer(GlmRenderer):
    """Trains what the model sampled if the message that it is attributed to is an answer.

    renderers#66, slime#514 and slime#1742: the token that ends a turn is the marker of the next
    message and attributed to it, so nothing ever ends; models went on with dozens of
    parallel calls. Expected: STOP-2.
    """

    name: str = "sampled-and-of-an-answer"

    def trains(self, messages: Sequence[Mapping[str, Any]], piece: Piece) -> bool:
        return piece.sampled and self.is_answer(messages, piece.message)


@dataclass(frozen=True)
class EarlierTurnsByAnotherRule(StrictPrefixes):
    """Splits the last answer at the generation prompt, and the earlier ones behind their role marker and before their stop.

    tinker-cookbook#932: the last answer has a path of its own, which knows what the prompt
    supplies and where the turn ends. The earlier ones train the tag that the prompt
    supplies and lack the stop. Expected: OPEN-1, STOP-1.
    """

    name: str = "earlier-turns-by-another-rule"

    def spans(self, request: Request, text: str) -> list[Span]:
        *earlier, last = super().spans(request, text)
        return [*(self.split(request, text, start, end) for start, end in earlier), last]

    def split(self, request: Request, text: str, start: int, end: int) -> Span:
        """An earlier turn between its role marker and its stop."""
        prefill = "</think>"
        stop = next(stop for stop in request.stops if text.endswith(stop, start, end))
        return start - len(prefill) * text.endswith(prefill, 0, start), end - len(stop)


@dataclass(frozen=True)
class MaskTypeOfAnotherFamily(TurnMasker):
    """Masks every turn as ChatML's: three tokens of header, and one behind the stop, whatever the format is.

    slime#514 and slime#1742: the type of mask is an option with ChatML as its default, and
    nothing compares it with the template. Expected: STOP-1.
    """

    name: str = "mask-type-of-another-family"

    def labels(self, request: Request, text: str, encoded: Encoded) -> list[int]:
        labels = [IGNORE] * len(encoded.ids)
        edges = self.edges(request, encoded)
        for index in selected(request.messages, self.policy):
            start, end = edges[index] + 3, edges[index + 1] - 1
            labels[start:end] = encoded.ids[start:end]
        return labels[: len(encoded.ids)]

    def edges(self, request: Request, encoded: Encoded) -> list[int]:
        """Where each message begins, in tokens, and where the last one ends."""
        if encoded.offsets is None:
            raise Unsupported("a slow tokenizer, which has no offsets")
        lengths = [len(render(request, request.messages[:index])) for index in range(1, len(request.messages) + 1)]
        starts = [first for first, _ in encoded.offsets]
        return [0, *(sum(first < length for first in starts) for length in lengths)]


@dataclass(frozen=True)
class GenerationPromptZeroedEverywhere(TurnMasker):
    """Takes the generation prompt's ids out of what is trained wherever they occur in it.

    NeMo Automodel#3739: the option is meant for the header that spans of this masker
    begin with, and an answer that quotes the header loses the quotation. Expected: INJECT-2.
    """

    name: str = "generation-prompt-zeroed-everywhere"

    def labels(self, request: Request, text: str, encoded: Encoded) -> list[int]:
        labels = super().labels(request, text, encoded)
        question = [{"role": "user", "content": "a"}]
        without = render(request, question)
        prompt = encode(request, render(request, question, add_generation_prompt=True)[len(without) :]).ids
        for at in occurrences(prompt, encoded.ids):
            labels[at : at + len(prompt)] = [IGNORE] * len(prompt)
        return labels


MUTANTS = (
    Mutant(
        name="attributed-altogether",
        rows=(43,),
        summary="Every token that is attributed to an answer is trained, the role header among them.",
        expected=("OPEN-1",),
        masker=AttributedAltogether,
        control=LlamaRenderer,
        pairs=("llama-3+tiktoken",),
    ),
    Mutant(
        name="sampled-and-of-an-answer",
        rows=(46, 48),
        summary="A sampled token is trained only if the message it is attributed to is an answer.",
        expected=("STOP-2",),
        masker=SampledAndOfAnAnswer,
        control=GlmRenderer,
        pairs=("glm+bytelevel-gpt2",),
    ),
    Mutant(
        name="earlier-turns-by-another-rule",
        rows=(47,),
        summary="Earlier answers train the tag that the prompt supplies, and lack their stop.",
        expected=("OPEN-1", "STOP-1"),
        allowed=("META-1",),
        masker=EarlierTurnsByAnotherRule,
        control=StrictPrefixes,
        pairs=("deepseek-v3.1",),
    ),
    Mutant(
        name="mask-type-of-another-family",
        rows=(48,),
        summary="Every turn is masked as one of ChatML: three tokens of header and one behind the stop.",
        expected=("STOP-1",),
        allowed=("OPEN-1",),
        masker=MaskTypeOfAnotherFamily,
        control=TurnMasker,
        pairs=("llama-3+tiktoken",),
    ),
    Mutant(
        name="generation-prompt-zeroed-everywhere",
        rows=(55,),
        summary="The generation prompt is taken out of what is trained, and so is a quotation of it.",
        expected=("INJECT-2", "SPAN-1"),
        masker=GenerationPromptZeroedEverywhere,
        control=TurnMasker,
        pairs=("alpaca+bytelevel-gpt2", "chatml+bytelevel-gpt2"),
    ),
)
