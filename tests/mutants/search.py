"""Maskers that look for each turn in the finished conversation, by its content or by a difference of two renders.

A turn's own encoding is not what stands in the conversation: neighbours merge with its
edges, templates trim it, and it may occur more than once. The right way to search is to
change the turn and to see where the render changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maskspec import Labelled, Policy, Request
from maskspec.policy import Verdict
from tests.mutants.mutant import Mutant
from tests.mutants.toolkit import (
    IGNORE,
    PLAIN,
    Encoded,
    Span,
    check_messages,
    encode,
    label_spans,
    occurrences,
    render,
    selected,
    stop_ids,
    token_id,
)

__all__ = ["MUTANTS", "WITHOUT_SCAFFOLD", "PlaceholderMasker", "common_prefix", "common_suffix"]

WITHOUT_SCAFFOLD = Policy(flags=False, scaffold=Verdict.EITHER)
"""A masker that finds what the message says does not find the template's own words around it."""

_PARTS = ("role", "content", "reasoning_content")


def common_prefix(left: str, right: str) -> int:
    """How many characters two texts have in common from the start."""
    length = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        length += 1
    return length


def common_suffix(left: str, right: str) -> int:
    """How many characters two texts have in common from the end."""
    return common_prefix(left[::-1], right[::-1])


@dataclass(frozen=True)
class PlaceholderMasker:
    """The right one: a turn is where the render changes when the turn's text is replaced; its stop comes next."""

    name: str = "placeholder"
    policy: Policy = WITHOUT_SCAFFOLD

    def mask(self, request: Request) -> Labelled:
        """Find each selected turn and the first stop behind it."""
        check_messages(request.messages, keys=_PARTS)
        text = render(request)
        encoded = encode(request, text)
        labels = [IGNORE] * len(encoded.ids)
        for index in self.chosen(request):
            found = self.find(request, text, index)
            turn = label_spans(encoded, [found])
            labels = [new if new != IGNORE else old for new, old in zip(turn, labels, strict=True)]
            stop = self.stop(request, encoded, found[1])
            if stop is not None:
                labels[stop] = encoded.ids[stop]
        return Labelled(encoded.ids, labels)

    def chosen(self, request: Request) -> list[int]:
        """The messages to train."""
        return selected(request.messages, self.policy)

    def find(self, request: Request, text: str, index: int) -> Span:
        """The characters of the whole text that a message changes."""
        changed = render(request, self.replaced(request, text, index))
        start = common_prefix(text, changed)
        return start, max(start, len(text) - common_suffix(text, changed))

    def replaced(self, request: Request, text: str, index: int) -> list[Mapping[str, Any]]:
        """The messages with other text in one of them: a character that occurs nowhere."""
        placeholder = next(character for character in map(chr, range(0xE000, 0xF8FF)) if character not in text)
        message = request.messages[index]
        other = {key: placeholder if key != "role" and value is not None else value for key, value in message.items()}
        return [*request.messages[:index], other, *request.messages[index + 1 :]]

    def stop(self, request: Request, encoded: Encoded, end: int) -> int | None:
        """The index of the first stop token behind the turn's last character."""
        wanted = stop_ids(request)
        assert encoded.offsets is not None
        for index, (first, _) in enumerate(encoded.offsets):
            if first >= end and encoded.ids[index] in wanted:
                return index
        return None


@dataclass(frozen=True)
class StopSearchEndsEarly(PlaceholderMasker):
    """The search for a turn's stop goes up to the last token, and not over it.

    axolotl#2287: where the conversation ends with the stop of the last answer, that one
    was missing from the labels. To be caught by STOP-1.
    """

    name: str = "stop-search-ends-before-the-last-token"

    def stop(self, request: Request, encoded: Encoded, end: int) -> int | None:
        body = Encoded(encoded.ids[:-1], None if encoded.offsets is None else encoded.offsets[:-1])
        return super().stop(request, body, end)


@dataclass(frozen=True)
class OnlyEosStops(PlaceholderMasker):
    """One terminator is known, the end-of-sequence token, and trained where it directly follows the turn.

    axolotl#2364: newer templates end turns with a token of their own, which was not
    looked for and so never trained. To be caught by STOP-1.
    """

    name: str = "only-eos-ends-a-turn"

    def stop(self, request: Request, encoded: Encoded, end: int) -> int | None:
        eos = token_id(request, str(request.special_tokens["eos_token"]))
        assert encoded.offsets is not None
        following = [index for index, (first, _) in enumerate(encoded.offsets) if first >= end]
        return following[0] if following and encoded.ids[following[0]] == eos else None


@dataclass(frozen=True)
class RoleNamesNotMapped(PlaceholderMasker):
    """The roles to train are compared under the data set's names, and messages have the template's.

    axolotl#2123: `roles_to_train: ["gpt"]` matched no message once `gpt` had become
    `assistant`, and everything was ignored. To be caught by TOTAL-3 and SPAN-5.
    """

    name: str = "role-names-not-mapped"
    roles_to_train: frozenset[str] = frozenset({"gpt"})

    def chosen(self, request: Request) -> list[int]:
        return [index for index, message in enumerate(request.messages) if message["role"] in self.roles_to_train]


@dataclass(frozen=True)
class TokenizedContentSearch:
    """Every turn's content is encoded by itself and searched in the ids of the conversation, from the last hit on.

    axolotl#2089: in context the content is encoded differently, so that it is not found
    and the turn is silently skipped; or it is found where somebody else said the same.
    To be caught by SPAN-1, SPAN-5 and STOP-1.
    """

    name: str = "tokenised-content-searched-in-the-ids"
    policy: Policy = PLAIN

    def mask(self, request: Request) -> Labelled:
        """Search, from behind the turn before, the ids of each turn's content."""
        check_messages(request.messages)
        ids = encode(request, render(request)).ids
        labels = [IGNORE] * len(ids)
        stops, chosen, behind = stop_ids(request), selected(request.messages, self.policy), 0
        for index, message in enumerate(request.messages):
            wanted = encode(request, message["content"]).ids
            hits = occurrences(wanted, ids, start=self.first(request, ids, index, behind))
            if not hits:
                continue
            start, behind = hits[0], hits[0] + len(wanted)
            if index in chosen:
                end = behind + 1 if behind < len(ids) and ids[behind] in stops else behind
                labels[start:end] = ids[start:end]
        return Labelled(ids, labels)

    def first(self, request: Request, ids: list[int], index: int, behind: int) -> int:
        """From where a message is searched."""
        return behind


@dataclass(frozen=True)
class TurnsCountedByEos(TokenizedContentSearch):
    """The search for an answer starts behind as many end-of-sequence tokens as there are answers before it.

    axolotl#1916: in a template that prints that token only at the very end, every answer
    but the first is searched behind the end of the conversation. The last turn and its
    stop were untrained. To be caught by SPAN-1, SPAN-5 and STOP-1.
    """

    name: str = "turns-counted-by-eos"

    def first(self, request: Request, ids: list[int], index: int, behind: int) -> int:
        eos = token_id(request, str(request.special_tokens["eos_token"]))
        before = sum(message["role"] == "assistant" for message in request.messages[:index])
        ends = [at + 1 for at, identifier in enumerate(ids) if identifier == eos]
        if not before or not ends:
            return behind
        return ends[min(before, len(ends)) - 1]


@dataclass(frozen=True)
class OnlyContentReplaced(PlaceholderMasker):
    """The search for a turn changes its content and leaves its reasoning as it is.

    Where the template prints both, the reasoning in front of the content is the same in
    both renders and taken for context. To be caught by SPAN-2.
    """

    name: str = "reasoning-not-searched-for"

    def replaced(self, request: Request, text: str, index: int) -> list[Mapping[str, Any]]:
        messages = super().replaced(request, text, index)
        kept = {key: value for key, value in request.messages[index].items() if key != "content"}
        return [*messages[:index], {**messages[index], **kept}, *messages[index + 1 :]]


MUTANTS = (
    Mutant(
        name="tokenised-content-searched-in-the-ids",
        rows=(1,),
        summary="Each turn's content is encoded alone and searched in the ids of the conversation.",
        expected=("SPAN-1", "SPAN-5", "STOP-1"),
        allowed=("SPAN", "ROLE", "STOP", "OPEN", "META", "INJECT", "TOTAL-3"),
        masker=TokenizedContentSearch,
        control=PlaceholderMasker,
        pairs=("mistral-v3+sentencepiece-bpe-legacy", "chatml+bytelevel-gpt2", "chatml+sentencepiece-bpe"),
    ),
    Mutant(
        name="turns-counted-by-eos",
        rows=(4,),
        summary="The search for an answer starts behind the n-th end-of-sequence token, and the template has only one.",
        expected=("SPAN-1", "SPAN-5", "STOP-1"),
        allowed=("SPAN", "ROLE", "STOP", "OPEN", "META", "INJECT", "TOTAL-3"),
        masker=TurnsCountedByEos,
        control=PlaceholderMasker,
        pairs=("phi-3+bytelevel-gpt2", "phi-3+tiktoken"),
    ),
    Mutant(
        name="stop-search-ends-before-the-last-token",
        rows=(3,),
        summary="The stop of the last answer is not found where it is the last token.",
        expected=("STOP-1",),
        allowed=("META-1",),
        masker=StopSearchEndsEarly,
        control=PlaceholderMasker,
        pairs=("llama-3+tiktoken", "command-r+bytelevel-gpt2"),
    ),
    Mutant(
        name="only-eos-ends-a-turn",
        rows=(8,),
        summary="Only the end-of-sequence token is taken for a stop, and the template ends turns with another.",
        expected=("STOP-1",),
        masker=OnlyEosStops,
        control=PlaceholderMasker,
        pairs=("phi-3+bytelevel-gpt2", "phi-3+sentencepiece-bpe"),
    ),
    Mutant(
        name="role-names-not-mapped",
        rows=(2,),
        summary="The roles to train are named as the data set names them, the messages' roles as the template does.",
        expected=("TOTAL-3", "SPAN-5"),
        allowed=("SPAN", "STOP", "OPEN-1"),
        masker=RoleNamesNotMapped,
        control=PlaceholderMasker,
        pairs=("chatml+bytelevel-gpt2", "gemma+tiktoken"),
    ),
    Mutant(
        name="reasoning-not-searched-for",
        summary="The turn is found by changing its content alone, so its reasoning is taken for context.",
        expected=("SPAN-2",),
        allowed=("SPAN-5", "INJECT-2", "META"),
        masker=OnlyContentReplaced,
        control=PlaceholderMasker,
        pairs=("qwen3+bytelevel-qwen", "harmony+bytelevel-gpt2"),
    ),
)
