"""Lists of contexts: a format written out piece by piece, each piece with the answer whether it is trained.

So work maskers that do not use chat templates, or use them only at inference
(LLaMA-Factory, ms-swift, torchtune, VeOmni). Flags, roles, turns and stops are decided
for each piece, and one piece decided wrongly is the defect. The format is ChatML,
which keeps every text as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from typing import Any

from maskspec import Labelled, Policy, Request
from maskspec.conformance import Collated, Packed, Padding
from maskspec.policy import Stops, Turns
from tests.mutants.mutant import Mutant
from tests.mutants.toolkit import IGNORE, Span, check_messages, cut, encode, label_spans, pack_whole, pad

__all__ = ["MUTANTS", "Context", "ContextMasker", "Part", "flag_of"]

STOP = "<|im_end|>"

REASONING = ("reasoning_content", "reasoning", "thinking")

KNOWN = ("role", "content", "train", "weight", "spans", "tool_calls", *REASONING)
"""What is read of a message, and what ChatML does not print."""

PAIRS = ("chatml+bytelevel-gpt2", "chatml+tiktoken")


class Part(Enum):
    """What a piece is within its message."""

    HEADER = "header"
    BODY = "body"
    STOP = "stop"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Context:
    """A piece of text, the part of which message it is, and whether it is trained."""

    text: str
    part: Part
    message: int
    trained: bool = False


def flag_of(message: Mapping[str, Any]) -> bool | None:
    """Whether the message itself asks to be trained; None where it says nothing."""
    if message.get("train") is not None:
        return bool(message["train"])
    if message.get("weight") is not None:
        return bool(message["weight"] > 0)
    if message.get("spans"):
        return any(span.get("train", True) for span in message["spans"])
    return None


@dataclass(frozen=True)
class ContextMasker:
    """The right masker of this style: ChatML in pieces, every choice of a policy, flags and character spans."""

    name: str = "contexts"
    policy: Policy = Policy()
    truncation: tuple[str, ...] = ("right", "left")

    def with_policy(self, policy: Policy) -> ContextMasker:
        """The same under other choices of roles, turns and stops."""
        return replace(self, policy=policy)

    def mask(self, request: Request) -> Labelled:
        """Write the pieces one after the other, encode the text, and train the pieces to train."""
        check_messages(request.messages, keys=KNOWN)
        return cut(self.labelled(request, list(self.contexts(request.messages))), request)

    def labelled(self, request: Request, contexts: Sequence[Context]) -> Labelled:
        """Ids of the joined text, and the labels of the tokens that lie in pieces to train."""
        encoded = encode(request, "".join(context.text for context in contexts))
        return Labelled(encoded.ids, label_spans(encoded, trained_spans(contexts)))

    def contexts(self, messages: Sequence[Mapping[str, Any]]) -> Iterator[Context]:
        """The pieces of a conversation."""
        chosen = self.chosen(messages)
        for index, message in enumerate(messages):
            yield Context(f"<|im_start|>{message['role']}\n", Part.HEADER, index)
            yield from self.body(index, message, trained=index in chosen)
            yield Context(STOP, Part.STOP, index, self.trains_stop(index, messages, chosen))
            yield Context("\n", Part.AFTER, index)

    def chosen(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        """The messages to train: by role and turn, unless they say themselves."""
        by_role = self.turns([index for index, message in enumerate(messages) if self.has_role(message)], messages)
        flags = [flag_of(message) if self.policy.flags else None for message in messages]
        return [index for index, flag in enumerate(flags) if (index in by_role if flag is None else flag)]

    def has_role(self, message: Mapping[str, Any]) -> bool:
        """Whether the role is one of those to train."""
        return message["role"] in self.policy.roles

    def turns(self, indices: list[int], messages: Sequence[Mapping[str, Any]]) -> list[int]:
        """Those of the messages that the choice of turns leaves."""
        if self.policy.turns is Turns.LAST:
            return indices[-1:]
        if self.policy.turns is Turns.LAST_ROUND:
            last = max((index for index, message in enumerate(messages) if message["role"] == "user"), default=-1)
            return [index for index in indices if index > last]
        return indices

    def body(self, index: int, message: Mapping[str, Any], *, trained: bool) -> Iterator[Context]:
        """The text of a message, in as many pieces as it has spans."""
        content: str = message["content"]
        spans = list(self.spans(message)) if self.policy.flags and message.get("spans") else [(0, len(content))]
        edges = sorted({0, len(content), *(edge for span in spans for edge in span)})
        for start, end in pairwise(edges):
            inside = any(first <= start and end <= behind for first, behind in spans)
            yield Context(content[start:end], Part.BODY, index, trained and inside)

    def spans(self, message: Mapping[str, Any]) -> Iterator[Span]:
        """The characters that the message asks to train."""
        for span in message["spans"]:
            if span.get("train", True):
                yield span["start"], span["end"]

    def trains_stop(self, index: int, messages: Sequence[Mapping[str, Any]], chosen: Sequence[int]) -> bool:
        """Whether the stop behind a message is trained."""
        if self.policy.stop is Stops.ALL:
            return True
        if index not in chosen or self.policy.stop is Stops.NONE:
            return False
        if self.policy.stop is Stops.LAST and index != chosen[-1]:
            return False
        message = messages[index]
        spans = list(self.spans(message)) if self.policy.flags and message.get("spans") else None
        return spans is None or any(behind == len(message["content"]) for _, behind in spans)

    def mask_batch(self, requests: Sequence[Request]) -> list[Labelled]:
        """One after the other."""
        return [self.mask(request) for request in requests]

    def collate(self, samples: Sequence[Labelled], padding: Padding) -> list[Collated]:
        """Pad to the longest."""
        return pad(samples, padding)

    def pack(self, samples: Sequence[Labelled], max_length: int) -> list[Packed]:
        """Whole samples, one after the other."""
        return pack_whole(samples, max_length)


def trained_spans(contexts: Sequence[Context]) -> list[Span]:
    """The characters of the pieces to train, neighbours joined."""
    spans: list[Span] = []
    at = 0
    for context in contexts:
        end = at + len(context.text)
        if context.trained and spans and spans[-1][1] == at:
            spans[-1] = (spans[-1][0], end)
        elif context.trained:
            spans.append((at, end))
        at = end
    return spans


@dataclass(frozen=True)
class StopBetweenRoundsIsContext(ContextMasker):
    """Adds what stands between two rounds as a piece of its own kind, context, though it begins with the stop.

    ms-swift#4732: `chat_sep` was of the kind that is never trained, and only the suffix
    behind the last answer was. Models that were trained on dialogues did not stop.
    Expected: STOP-1. META-1 sees it too: a stop is trained until another turn follows.
    """

    name: str = "stop-between-rounds-is-context"

    def trains_stop(self, index: int, messages: Sequence[Mapping[str, Any]], chosen: Sequence[int]) -> bool:
        return index == len(messages) - 1 and super().trains_stop(index, messages, chosen)


@dataclass(frozen=True)
class AnswerEndsAtItsFirstStop(ContextMasker):
    """Cuts an answer into pieces at the stop's text, and takes what follows the first one for context.

    ms-swift#4732, seen from the other side: whether a terminator is trained is decided by
    its spelling, and one in the middle of an answer ends what is trained of it.
    Expected: INJECT-2.
    """

    name: str = "answer-ends-at-its-first-stop"

    def body(self, index: int, message: Mapping[str, Any], *, trained: bool) -> Iterator[Context]:
        content: str = message["content"]
        first, stop, rest = content.partition(STOP)
        if not stop or not trained or message.get("spans"):
            yield from super().body(index, message, trained=trained)
            return
        yield Context(first + stop, Part.BODY, index, trained=True)
        yield Context(rest, Part.BODY, index)


@dataclass(frozen=True)
class WeightZeroKeepsItsStop(ContextMasker):
    """Multiplies the text of a message by its weight and forgets that its stop is a token of the message as well.

    torchtune#949 and its like: the end token is added behind the masked message, with its
    own rule for the mask. Expected: STOP-3.
    """

    name: str = "weight-zero-keeps-its-stop"

    def trains_stop(self, index: int, messages: Sequence[Mapping[str, Any]], chosen: Sequence[int]) -> bool:
        if self.policy.stop is Stops.TURN and flag_of(messages[index]) is False:
            return self.has_role(messages[index])
        return super().trains_stop(index, messages, chosen)


@dataclass(frozen=True)
class WeightsOfPieces(ContextMasker):
    """Makes one weight for each token of each piece, encoded alone, and joins them beside the ids of the whole text.

    ms-swift#3036: what is done to ids and labels later (there: placeholders of images
    becoming many tokens) is not done to the weights. Here the pieces' tokens merge in the
    whole text, and the weights stay as many as before. Expected: LABEL-1.
    """

    name: str = "weights-of-pieces"

    def labelled(self, request: Request, contexts: Sequence[Context]) -> Labelled:
        ids = encode(request, "".join(context.text for context in contexts)).ids
        weights = [
            float(context.trained) for context in contexts for _ in encode(request, context.text).ids if context.text
        ]
        padded = [*ids, *[IGNORE] * len(weights)]
        return Labelled(ids, [padded[k] if weight else IGNORE for k, weight in enumerate(weights)])


@dataclass(frozen=True)
class HeaderInOnePieceWithTheAnswer(ContextMasker):
    """Encodes a message as one piece, header and all, and trains the piece.

    VeOmni#873. Expected: OPEN-1.
    """

    name: str = "header-in-one-piece-with-the-answer"

    def contexts(self, messages: Sequence[Mapping[str, Any]]) -> Iterator[Context]:
        chosen = self.chosen(messages)
        for context in super().contexts(messages):
            is_header = context.part is Part.HEADER and context.message in chosen
            yield replace(context, trained=True) if is_header else context


@dataclass(frozen=True)
class PiecesEncodedOneByOne(ContextMasker):
    """Encodes header, answer and stop each alone, so that no header is trained, and joins the ids.

    The repair of VeOmni#873: now newlines that belong in one token stand in two, and the
    model is trained on other ids than it is given. Expected: RENDER-1.
    """

    name: str = "pieces-encoded-one-by-one"

    def labelled(self, request: Request, contexts: Sequence[Context]) -> Labelled:
        ids: list[int] = []
        labels: list[int] = []
        for context in contexts:
            piece = encode(request, context.text).ids if context.text else []
            ids += piece
            labels += piece if context.trained else [IGNORE] * len(piece)
        return Labelled(ids, labels)


MUTANTS = (
    Mutant(
        name="stop-between-rounds-is-context",
        rows=(33,),
        summary="What stands between two rounds is context, and the stop of the earlier turn stands there.",
        expected=("STOP-1",),
        allowed=("META-1", "STOP-4", "SELECT"),
        masker=StopBetweenRoundsIsContext,
        control=ContextMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="answer-ends-at-its-first-stop",
        rows=(33,),
        summary="A stop spelled in the middle of an answer ends what is trained of it.",
        expected=("INJECT-2",),
        allowed=("SPAN-1", "SELECT"),
        masker=AnswerEndsAtItsFirstStop,
        control=ContextMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="weight-zero-keeps-its-stop",
        rows=(58,),
        summary="A message of weight 0 is not trained, its stop is.",
        expected=("STOP-3",),
        allowed=("SELECT",),
        masker=WeightZeroKeepsItsStop,
        control=ContextMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="weights-of-pieces",
        rows=(35,),
        summary="Weights are made for the tokens of pieces, ids for the whole text, in which pieces merge.",
        expected=("LABEL-1",),
        masker=WeightsOfPieces,
        control=ContextMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="header-in-one-piece-with-the-answer",
        rows=(54,),
        summary="A message is one piece, header and all, and the piece is trained.",
        expected=("OPEN-1",),
        allowed=("SELECT-2",),
        masker=HeaderInOnePieceWithTheAnswer,
        control=ContextMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="pieces-encoded-one-by-one",
        summary="Header, answer and stop are encoded each alone, so their newlines no longer merge.",
        expected=("RENDER-1",),
        masker=PiecesEncodedOneByOne,
        control=ContextMasker,
        pairs=PAIRS,
    ),
)
