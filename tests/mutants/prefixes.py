"""Turns by the difference of two renders: before and after, alone, with and without the generation prompt.

The commonest way to find a turn without knowing the format. It holds as long as every
render is the beginning of the next one, in characters and in tokens, and each masker
here relies on that in another place where it does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from jinja2 import TemplateError

from maskspec import Labelled, Policy, Request, Unsupported
from maskspec.policy import Verdict
from tests.mutants.mutant import Mutant
from tests.mutants.toolkit import (
    IGNORE,
    PLAIN,
    Encoded,
    Span,
    TurnMasker,
    check_messages,
    cut,
    encode,
    render,
    selected,
)

__all__ = ["MUTANTS"]

KNOWN = ("role", "content", "reasoning_content", "tool_calls")

THINKING = "qwen3+bytelevel-qwen"


def closing(request: Request) -> str:
    """The end token that the template puts behind every conversation that does not ask for an answer, or nothing."""
    question = [{"role": "user", "content": "a"}]
    end = str(request.special_tokens.get("eos_token", ""))
    without = render(request, question)
    asked = render(request, question, add_generation_prompt=True)
    return end if end and without.endswith(end) and not asked.startswith(without) else ""


def before(request: Request, index: int) -> str:
    """The prompt of an answer; declined where there is none."""
    if not index:
        raise Unsupported("an answer before which nothing is rendered")
    return render(request, request.messages[:index], add_generation_prompt=True)


class StrictPrefixes(TurnMasker):
    """The right masker of this style: it declines every conversation in which a render is not the next one's beginning."""

    def spans(self, request: Request, text: str) -> list[Span]:
        end = closing(request)
        found = []
        for index in selected(request.messages, self.policy):
            prompt = before(request, index)
            whole = render(request, request.messages[: index + 1])
            self.check(index, text, prompt, whole, end)
            found.append((len(prompt), len(whole) - len(end)))
        return found

    def check(self, index: int, text: str, prompt: str, whole: str, end: str) -> None:
        """Say what is to become of conversations in which the renders do not grow."""
        if not text.startswith(prompt) or not text.startswith(whole.removesuffix(end)):
            raise Unsupported(f"a template that prints message {index} otherwise when more follows")


SHARED = Policy(flags=False, straddling=Verdict.TRAIN)
"""For those who train a token that the end of a header and the beginning of an answer share."""


@dataclass(frozen=True)
class StrictPrefixesShared(StrictPrefixes):
    """The same for those who train a token that header and answer share."""

    policy: Policy = SHARED

    def labels(self, request: Request, text: str, encoded: Encoded) -> list[int]:
        if encoded.offsets is None:
            raise Unsupported("a slow tokenizer, which has no offsets")
        spans = self.spans(request, text)
        inside = [any(start < behind and first < end for start, end in spans) for first, behind in encoded.offsets]
        return [identifier if flag else IGNORE for identifier, flag in zip(encoded.ids, inside, strict=True)]


@dataclass(frozen=True)
class TurnsRenderedAlone:
    """Renders each message as a conversation of its own, takes off the default system prompt, and joins the ids.

    verl#3477 and verl#7807: every answer is the last one of its conversation, so a thinking
    template gives each its think block, and history keeps the reasoning that it drops
    otherwise. Expected: RENDER-1.
    """

    name: str = "turns-rendered-alone"
    policy: Policy = PLAIN

    def mask(self, request: Request) -> Labelled:
        """One message after the other."""
        check_messages(request.messages, keys=KNOWN)
        if request.messages[0]["role"] == "assistant":
            raise Unsupported("an answer without a question before it")
        ids: list[int] = []
        labels: list[int] = []
        for index, message in enumerate(request.messages):
            alone = request if index == 0 else replace(request, tools=None)
            part = encode(alone, self.rendered(alone, message)).ids
            trained = message["role"] in self.policy.roles
            header = min(self.header(alone), len(part)) if trained else len(part)
            ids += part
            labels += [IGNORE] * header + part[header:]
        return Labelled(ids, labels)

    def rendered(self, request: Request, message: Mapping[str, Any]) -> str:
        """The text of one message."""
        return render(request, [message])

    def header(self, request: Request) -> int:
        """How many tokens the generation prompt has, by a conversation of one question."""
        question = [{"role": "user", "content": "a"}]
        without = render(request, question)
        asked = render(request, question, add_generation_prompt=True)
        return len(encode(request, asked[len(without) :]).ids)


@dataclass(frozen=True)
class TurnsRenderedBehindAQuestion(TurnsRenderedAlone):
    """Where a message cannot be rendered alone, puts a question before it, which no system message may follow.

    verl#7378: one check of the template demands a question, another one the system message
    in first place, so that no conversation with a system message can be masked at all.
    Expected: TOTAL-1.
    """

    name: str = "turns-rendered-behind-a-question"

    def rendered(self, request: Request, message: Mapping[str, Any]) -> str:
        question = [{"role": "user", "content": "a"}]
        try:
            return render(request, [message])
        except TemplateError:
            return render(request, [*question, message])[len(render(request, question)) :]


@dataclass(frozen=True)
class LengthsUsedElsewhere(TurnMasker):
    """Counts the tokens before each turn and of the turn in renders that end with it, and marks as many in the whole.

    OpenRLHF#1227, which was to repair #1080: in the whole conversation earlier turns have
    lost their reasoning, so everything measured with it reaches into the user's turn.
    Expected: ROLE-1.
    """

    name: str = "lengths-used-elsewhere"

    def mask(self, request: Request) -> Labelled:
        check_messages(request.messages, keys=KNOWN)
        ids = encode(request, render(request)).ids
        labels = [IGNORE] * len(ids)
        for index in selected(request.messages, self.policy):
            prompt = before(request, index)
            answer = render(request, request.messages[: index + 1])[len(prompt) :]
            start = len(encode(request, prompt).ids)
            for k in range(start, min(len(ids), start + len(encode(request, answer.rstrip("\n")).ids))):
                labels[k] = ids[k]
        return cut(Labelled(ids, labels), request)


@dataclass(frozen=True)
class RefusesWhatIsNoPrefix(StrictPrefixes):
    """Demands that the render up to each turn is a beginning of the whole text, and fails where it is not.

    open-instruct#1800: a template that closes the conversation with an end token closes
    every part of it as well, so no dialogue of several turns passes. The check is right to
    fail rather than guess; the conversations are valid all the same. Expected: TOTAL-1.
    """

    name: str = "refuses-what-is-no-prefix"

    def check(self, index: int, text: str, prompt: str, whole: str, end: str) -> None:
        if not text.startswith(prompt) or not text.startswith(whole):
            raise ValueError(f"cannot compute the span of message {index}: the template is not prefix-stable")


@dataclass(frozen=True)
class DropsWhatDoesNotGrow:
    """Encodes the conversation message by message, and drops it where the ids do not continue those of before.

    prime-rl#2470: with a template that rewrites history that is every conversation of more
    than one turn. The sample is skipped and training goes on with what is left.
    Expected: TOTAL-3, RENDER-1.
    """

    name: str = "drops-what-does-not-grow"
    policy: Policy = PLAIN

    def mask(self, request: Request) -> Labelled:
        """The sample, or an empty one, as a data set gives that skips it."""
        check_messages(request.messages, keys=KNOWN)
        ids: list[int] = []
        labels: list[int] = []
        for index, message in enumerate(request.messages):
            following = request.messages[index + 1 : index + 2]
            asked = bool(following) and following[0]["role"] == "assistant"
            if message["role"] == "assistant" and (asked or not index):
                raise Unsupported("an answer without a question before it")
            text = render(request, request.messages[: index + 1], add_generation_prompt=asked)
            grown = encode(request, text).ids
            if not self.grows(ids, grown):
                return self.skipped(request)
            added = grown[len(ids) :]
            labels += added if message["role"] in self.policy.roles else [IGNORE] * len(added)
            ids = grown
        return Labelled(ids, [label if label == IGNORE else ids[k] for k, label in enumerate(labels[: len(ids)])])

    def grows(self, ids: list[int], grown: list[int]) -> bool:
        """Whether the ids of a step are the beginning of the next one's."""
        return grown[: len(ids)] == ids

    def skipped(self, request: Request) -> Labelled:
        """What becomes of a sample that cannot be masked."""
        return Labelled([], [])


@dataclass(frozen=True)
class KeepsWhatDoesNotGrowUntrained(DropsWhatDoesNotGrow):
    """The same for a data set that must not lose rows: the sample stays, with nothing to train.

    prime-rl#2470 in the form that other data sets give it. Expected: TOTAL-3.
    """

    name: str = "keeps-what-does-not-grow-untrained"

    def skipped(self, request: Request) -> Labelled:
        ids = encode(request, render(request)).ids
        return Labelled(ids, [IGNORE] * len(ids))


@dataclass(frozen=True)
class MaskGrownInSteps(DropsWhatDoesNotGrow):
    """Adds as many entries to the mask as each step adds tokens, and never looks whether the others stayed.

    prime-rl#1103: an answer that begins with a newline merges with the end of its header,
    so that the header has other tokens than it had a step before. Expected: SPAN-1.
    """

    name: str = "mask-grown-in-steps"
    policy: Policy = SHARED

    def grows(self, ids: list[int], grown: list[int]) -> bool:
        return True


@dataclass(frozen=True)
class RefusesWhatDoesNotGrow(DropsWhatDoesNotGrow):
    """The same with an assertion instead of a silent skip, on a template that never rewrites anything.

    prime-rl#1103: an answer that begins with a newline merges with the newline of its
    header, and the ids of the header alone are no beginning of the whole. The repair,
    stripping all content, trains on other text (`content-stripped`). Expected: TOTAL-1.
    """

    name: str = "refuses-a-leading-newline"

    def skipped(self, request: Request) -> Labelled:
        raise ValueError("the tokens of the conversation so far are no prefix of the conversation's")


MUTANTS = (
    Mutant(
        name="turns-rendered-alone",
        rows=(38,),
        summary="Each message is rendered as a conversation of its own, and the ids are joined.",
        expected=("RENDER-1",),
        allowed=("RENDER-3", "SPAN", "STOP", "TOTAL-3", "ROLE"),
        masker=TurnsRenderedAlone,
        no_control="a template that looks at neighbours cannot be rendered message by message",
        pairs=(THINKING,),
    ),
    Mutant(
        name="turns-rendered-behind-a-question",
        rows=(39,),
        summary="Each message is rendered alone or behind a question, and a system message is refused in both places.",
        expected=("TOTAL-1",),
        allowed=("RENDER", "SPAN", "STOP", "TOTAL-3", "ROLE", "INJECT-2"),
        masker=TurnsRenderedBehindAQuestion,
        no_control="a template that looks at neighbours cannot be rendered message by message",
        pairs=("qwen3.5",),
    ),
    Mutant(
        name="lengths-used-elsewhere",
        rows=(41,),
        summary="Lengths measured in renders that still hold the reasoning are used in the one that dropped it.",
        expected=("ROLE-1",),
        allowed=("ROLE-2", "OPEN-1", "STOP", "META", "SPAN", "INJECT"),
        masker=LengthsUsedElsewhere,
        control=StrictPrefixes,
        pairs=(THINKING,),
    ),
    Mutant(
        name="refuses-what-is-no-prefix",
        rows=(42,),
        summary="A conversation is refused when the render up to a turn is no beginning of the whole.",
        expected=("TOTAL-1",),
        masker=RefusesWhatIsNoPrefix,
        control=StrictPrefixes,
        pairs=("phi-3+bytelevel-gpt2",),
    ),
    Mutant(
        name="drops-what-does-not-grow",
        rows=(44,),
        summary="A conversation whose ids do not continue from message to message is skipped without a word.",
        expected=("TOTAL-3",),
        allowed=("RENDER-1", "RENDER-3", "SPAN-5"),
        masker=DropsWhatDoesNotGrow,
        control=StrictPrefixes,
        pairs=(THINKING,),
    ),
    Mutant(
        name="keeps-what-does-not-grow-untrained",
        rows=(44,),
        summary="A conversation whose ids do not continue from message to message is kept with nothing to train.",
        expected=("TOTAL-3",),
        allowed=("SPAN", "STOP-1", "META-1"),
        masker=KeepsWhatDoesNotGrowUntrained,
        control=StrictPrefixes,
        pairs=(THINKING,),
    ),
    Mutant(
        name="mask-grown-in-steps",
        rows=(45,),
        summary="A mask grows by as many entries as there are more tokens, though a newline has changed the earlier ones.",
        expected=("SPAN-1",),
        allowed=("OPEN-1",),
        masker=MaskGrownInSteps,
        control=StrictPrefixesShared,
        pairs=("alpaca+bytelevel-gpt2",),
    ),
    Mutant(
        name="refuses-a-leading-newline",
        rows=(45,),
        summary="An answer whose first newline merges with its header's is refused.",
        expected=("TOTAL-1",),
        masker=RefusesWhatDoesNotGrow,
        control=TurnMasker,
        pairs=("chatml+bytelevel-gpt2",),
    ),
)
