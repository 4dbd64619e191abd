"""Answers looked up in the rendered text: by their content, or by the marker that precedes them.

What the conversation says may stand elsewhere as well, and what the template prints may
be said. A text search finds whatever comes first.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from maskspec import Request
from tests.mutants.mutant import Mutant
from tests.mutants.own import ReasoningTurns
from tests.mutants.toolkit import Span, TurnMasker, render, selected

__all__ = ["MUTANTS"]


@dataclass(frozen=True)
class FirstPlaceWithTheSameText(TurnMasker):
    """Looks each answer up in the text from the start, and finds the first place that reads the same.

    Met wherever a mask was added to a pipeline that had only the final text. An answer that
    repeats an earlier one, or a word of the question, is labelled there. Expected: INJECT-3.
    """

    name: str = "first-place-with-the-same-text"

    def spans(self, request: Request, text: str) -> list[Span]:
        found = []
        for index in selected(request.messages, self.policy):
            content = request.messages[index]["content"]
            start = text.find(content)
            if start >= 0:
                end = start + len(content)
                found.append((start, end + self.stop(request, text[end:])))
        return found

    def stop(self, request: Request, rest: str) -> int:
        """The length of the stop that follows."""
        return next((len(stop) for stop in request.stops if rest.startswith(stop)), 0)


@dataclass(frozen=True)
class FromMarkerToStop(TurnMasker):
    """Trains from each marker of an answer to the next stop, whoever wrote the marker.

    Met in every masker that scans for markers. A question that quotes a transcript trains
    the user's words. Expected: INJECT-1.
    """

    name: str = "from-marker-to-stop"

    def spans(self, request: Request, text: str) -> list[Span]:
        question = [{"role": "user", "content": "a"}]
        marker = render(request, question, add_generation_prompt=True)[len(render(request, question)) :]
        stop = "|".join(map(re.escape, request.stops))
        return [match.span(1) for match in re.finditer(f"{re.escape(marker)}(.*?(?:{stop}|$))", text, re.DOTALL)]


@dataclass(frozen=True)
class ReasoningByItsTags(TurnMasker):
    """Takes everything between think tags out of an answer, to leave reasoning untrained where there should be none.

    The template does not know reasoning, so tags in an answer are text that the model has
    to write. Expected: INJECT-2.
    """

    name: str = "reasoning-by-its-tags"

    def spans(self, request: Request, text: str) -> list[Span]:
        found = []
        for start, end in super().spans(request, text):
            at = start
            for match in re.compile(r"<think>.*?</think>", re.DOTALL).finditer(text, start, end):
                found.append((at, match.start()))
                at = match.end()
            found.append((at, end))
        return found


@dataclass(frozen=True)
class ArgumentsWrittenAnew(ReasoningTurns):
    """Looks the arguments of tool calls up as it would write them itself, in JSON with ASCII only.

    What is not found is left untrained: arguments with an accent, an emoji, or the spaces
    that somebody else's JSON has. Expected: SPAN-3.
    """

    name: str = "arguments-written-anew"

    def spans(self, request: Request, text: str) -> list[Span]:
        found = []
        indices = selected(request.messages, self.policy)
        for index, (start, end) in zip(indices, super().spans(request, text), strict=True):
            at = start
            for call in request.messages[index].get("tool_calls") or ():
                arguments = call.get("function", call)["arguments"]
                written = arguments if isinstance(arguments, str) else json.dumps(arguments)
                if text.find(written, at, end) < 0:
                    found.append((at, text.find("arguments", at, end)))
                    at = max(at, text.find("</tool_call>", at, end))
            found.append((at, end))
        return found


MUTANTS = (
    Mutant(
        name="first-place-with-the-same-text",
        rows=(60,),
        summary="An answer is labelled at the first place of the text that reads the same.",
        expected=("INJECT-3",),
        allowed=("SPAN", "STOP", "ROLE", "META", "OPEN-1", "TOTAL-3", "INJECT-1"),
        masker=FirstPlaceWithTheSameText,
        control=TurnMasker,
        pairs=("chatml+bytelevel-gpt2",),
    ),
    Mutant(
        name="from-marker-to-stop",
        rows=(61,),
        summary="Whatever follows the marker of an answer is trained, though the user wrote the marker.",
        expected=("INJECT-1",),
        allowed=("ROLE", "STOP", "SPAN", "INJECT-2", "META-2"),
        masker=FromMarkerToStop,
        control=TurnMasker,
        pairs=("chatml+bytelevel-gpt2",),
    ),
    Mutant(
        name="reasoning-by-its-tags",
        summary="What stands between think tags is left out, though the template prints it as any other text.",
        expected=("INJECT-2",),
        allowed=("SPAN-1",),
        masker=ReasoningByItsTags,
        control=TurnMasker,
        pairs=("chatml+bytelevel-gpt2",),
    ),
    Mutant(
        name="arguments-written-anew",
        summary="Arguments of tool calls are looked up as ASCII JSON, and not trained where they stand otherwise.",
        expected=("SPAN-3",),
        allowed=("SPAN-4",),
        masker=ArgumentsWrittenAnew,
        control=ReasoningTurns,
        pairs=("qwen2.5",),
    ),
)
