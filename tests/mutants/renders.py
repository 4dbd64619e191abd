"""Maskers that take a turn's place from a render in which the turn is the last one.

Templates that rewrite history print a turn differently when it is no longer the last:
with or without an empty think block, with or without its reasoning. What was measured in
the shorter render is then not there in the longer one.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskspec import Labelled, Policy, Request, Unsupported
from tests.mutants.mutant import Mutant
from tests.mutants.search import WITHOUT_SCAFFOLD, PlaceholderMasker, common_prefix, common_suffix
from tests.mutants.toolkit import IGNORE, Span, check_messages, encode, render, selected

__all__ = ["MUTANTS"]


@dataclass(frozen=True)
class PrefixLengths:
    """A turn goes from the length of the render before it to the length of the render that ends with it, in tokens.

    axolotl#3088 and #3098: a thinking template puts an empty think block into its last
    turn. Every earlier turn is measured with it and stands in the text without it, so
    that its labels reach into the user's next turn. To be caught by ROLE-1.
    """

    name: str = "lengths-of-renders-with-a-think-block"
    policy: Policy = WITHOUT_SCAFFOLD

    def mask(self, request: Request) -> Labelled:
        """Count tokens of the renders up to and with each turn."""
        check_messages(request.messages, keys=("role", "content", "reasoning_content"))
        ids = encode(request, render(request)).ids
        labels = [IGNORE] * len(ids)
        for index in selected(request.messages, self.policy):
            if not index:
                raise Unsupported("a first message to train, before which nothing is rendered")
            prompt = render(request, request.messages[:index], add_generation_prompt=True)
            start = len(encode(request, prompt).ids)
            end = len(encode(request, render(request, request.messages[: index + 1])).ids)
            labels[start:end] = ids[start:end]
        return Labelled(ids, labels[: len(ids)])


@dataclass(frozen=True)
class BoundariesFromTheShorterRender(PlaceholderMasker):
    """The right search for a turn, made in the conversation that ends with it and used in the whole one.

    axolotl#3114: the template shows reasoning in the last turn only. In the shorter
    conversation the turn is last and its reasoning is found; in the whole one there is
    none, and the labels cover something else. To be caught by ROLE-1 and SPAN-1.
    """

    name: str = "boundaries-of-hidden-reasoning"

    def find(self, request: Request, text: str, index: int) -> Span:
        shorter = render(request, request.messages[: index + 1])
        changed = render(request, self.replaced(request, text, index)[: index + 1])
        start = common_prefix(shorter, changed)
        return start, max(start, len(shorter) - common_suffix(shorter, changed))


MUTANTS = (
    Mutant(
        name="lengths-of-renders-with-a-think-block",
        rows=(5,),
        summary="Spans are lengths of renders in which each turn is the last and has an empty think block.",
        expected=("ROLE-1",),
        allowed=("SPAN", "ROLE", "STOP", "OPEN", "META", "INJECT", "TOTAL-3"),
        masker=PrefixLengths,
        control=PlaceholderMasker,
        pairs=("qwen3+bytelevel-qwen", "qwen3+tiktoken"),
    ),
    Mutant(
        name="boundaries-of-hidden-reasoning",
        rows=(9,),
        summary="A turn is found in the conversation that ends with it, where its reasoning is still shown.",
        expected=("ROLE-1", "SPAN-1"),
        allowed=("SPAN", "ROLE", "STOP", "OPEN", "META", "INJECT", "TOTAL-3"),
        masker=BoundariesFromTheShorterRender,
        control=PlaceholderMasker,
        pairs=("qwen3+bytelevel-qwen", "harmony+bytelevel-gpt2"),
    ),
)
