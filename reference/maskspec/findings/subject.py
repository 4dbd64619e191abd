"""One template that is being asked: what is known of its vocabulary, and each conversation rendered once.

No tokenizer is needed: zones are found on the text. Where nothing is declared about the
vocabulary, `<s>` and `</s>` stand for bos and eos, and what the source writes like a
special token counts as one.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from maskspec.conformance.cases import Case
from maskspec.conversation import Conversation
from maskspec.corpus import Template
from maskspec.errors import MaskspecError
from maskspec.findings.conversations import PLAIN, ROUNDS
from maskspec.hazards import Hazard, HazardKind, conversation_hazards
from maskspec.policy import Policy, Verdict, judge
from maskspec.prompts import GenerationPrompts
from maskspec.rendering import ConversationRenderer, Limits, OriginKind, Rendering, Span
from maskspec.segmentation import Segment, Segmentation, Zone, segment
from maskspec.tokens import SpecialTokens

__all__ = ["LIMITS", "NOW", "Asked", "Subject"]

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001  (templates print local dates)
"""What the clock shows while templates are asked."""

LIMITS = Limits(seconds=30.0, characters=1_000_000, items=100_000)
"""What one rendering may use: a thousand times what the conversations of a report need.

Seconds are of the clock on the wall, and a machine that does much else must not make a difference.
"""

_MARKER = re.compile(
    r"<[|｜][^<>|｜\s\"'{}]{1,60}[|｜]>|\[\|[^\[\]|\s]{1,60}\|\]|<(?:start|end)_of_[a-z_]+>|</?s>|<(?:eos|EOS|eot|EOT|EOD|im_end)>"
)
_POLICY = Policy()


@dataclass(frozen=True)
class Subject:
    """A template, with the bos and eos tokens of its vocabulary where they are known."""

    template: Template
    clock: datetime.datetime = NOW
    limits: Limits = LIMITS

    @property
    def source(self) -> str:
        """The Jinja source."""
        return self.template.source

    @property
    def eos(self) -> str | None:
        """The eos token, None where it is not known."""
        return self.template.eos

    @cached_property
    def special_tokens(self) -> SpecialTokens:
        """What is declared about the vocabulary, else what the source suggests.

        Where no stop is declared, the one of a plain answer is taken for it, so that no
        marker inside a longer answer (the end of a tool call) counts as one.
        """
        known = self._suggested
        if self.template.stops or self.template.eos:
            return known
        try:
            plain = Asked(self, PLAIN, known)
        except MaskspecError:
            return known
        found = plain.segments_of(1, Zone.STOP)
        if found:
            return replace(known, stops=(plain.text[found[-1].start : found[-1].end],))
        closing = plain.closing(1)
        if len(closing.split()) != 1 or closing.isalnum():
            return known
        # Nothing that looks like a marker, but one word that is none of the language: `[e~[`, `</assistant>`.
        stop = closing.strip()
        return replace(known, stops=(stop,), special=(*known.special, stop), added=(*known.added, stop))

    @cached_property
    def _suggested(self) -> SpecialTokens:
        declared = self.template
        bos, eos = declared.bos, declared.eos
        if bos is None and eos is None and not declared.stops:
            bos = "<s>"
        eos = eos or (None if declared.stops else "</s>")
        given = {"bos_token": bos, "eos_token": eos, "pad_token": declared.pad or eos}
        variables = {name: value for name, value in given.items() if value is not None}
        spelled = "" if declared.special else declared.source + self._printed(variables)
        special = tuple(
            dict.fromkeys(filter(None, (bos, eos, declared.pad, *declared.special, *_MARKER.findall(spelled))))
        )
        return SpecialTokens(
            bos=bos,
            eos=eos,
            pad=declared.pad,
            stops=declared.stops,
            special=special,
            added=tuple(dict.fromkeys((*special, *declared.added))),
            variables=variables,
        )

    def _printed(self, variables: Mapping[str, str]) -> str:
        """What a template prints of two rounds: it may put its markers together from pieces (`'<|' + role + '|>'`)."""
        try:
            return ConversationRenderer(
                Conversation.from_messages(list(ROUNDS.messages)),
                template=self.source,
                special_tokens=variables,
                limits=self.limits,
            ).text()
        except MaskspecError:
            return ""

    def at(self, clock: datetime.datetime) -> Subject:
        """The same at another time."""
        return replace(self, clock=clock)

    def ask(self, case: Case) -> Asked:
        """The conversation as this template renders it; raises what rendering raises."""
        return Asked(self, case, self.special_tokens)


@dataclass(frozen=True)
class Asked:
    """One conversation, rendered with the origin of every character and divided into zones."""

    subject: Subject
    case: Case
    special_tokens: SpecialTokens
    conversation: Conversation = field(init=False)
    renderer: ConversationRenderer = field(init=False)
    rendering: Rendering = field(init=False)

    def __post_init__(self) -> None:
        conversation = Conversation.from_messages(list(self.case.messages), tools=self.case.tools)
        clock = self.subject.clock
        renderer = ConversationRenderer(
            conversation,
            template=self.subject.source,
            special_tokens=self.special_tokens.variables,
            template_kwargs=self.case.template_kwargs,
            limits=self.subject.limits,
            clock=lambda: clock,
        )
        object.__setattr__(self, "conversation", conversation)
        object.__setattr__(self, "renderer", renderer)
        object.__setattr__(self, "rendering", renderer.rendering())

    @property
    def text(self) -> str:
        """The rendered text."""
        return self.rendering.text

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages as the template sees them."""
        return self.renderer.messages

    def role(self, index: int) -> str:
        """The role of a message."""
        return self.conversation.roles[index]

    def is_generated(self, index: int | None) -> bool:
        """Whether the model may be asked for this message."""
        return index is not None and self.role(index) in _POLICY.generated

    def is_empty(self, index: int) -> bool:
        """Whether a message says nothing: no content but white space, and no calls."""
        message = self.messages[index]
        content = message.get("content")
        return not message.get("tool_calls") and (not content or (isinstance(content, str) and not content.strip()))

    def reasons(self, index: int) -> bool:
        """Whether a message has reasoning, in a field of its own or inside its content."""
        message = self.messages[index]
        return bool(message.get("reasoning_content")) or "</think>" in str(message.get("content"))

    @cached_property
    def answers(self) -> tuple[int, ...]:
        """The indices of the messages that the model may be asked for."""
        return tuple(index for index in range(len(self.messages)) if self.is_generated(index))

    @cached_property
    def segmentation(self) -> Segmentation:
        """The zones of the text."""
        return segment(
            self.rendering,
            roles=self.conversation.roles,
            generated=_POLICY.generated,
            prompts=GenerationPrompts(self.renderer, template=self.subject.source, text=self.text),
            special_tokens=self.special_tokens,
        )

    def segments_of(self, index: int | None, *zones: Zone) -> list[Segment]:
        """The segments of a message, of some zones or of all."""
        return [
            part for part in self.segmentation.segments if part.message == index and (not zones or part.zone in zones)
        ]

    @cached_property
    def sources(self) -> list[Span]:
        """The spans that were copied from message texts: neither names of fields nor roles."""
        return [span for span in self.rendering.spans if _is_word(span)]

    def closing(self, index: int) -> str:
        """What the template prints behind the last word of a message, before the next one."""
        start, end = self.closing_span(index)
        return self.text[start:end]

    def closing_span(self, index: int) -> tuple[int, int]:
        """Where that stands; the end of the message where it has no words."""
        _, end = self.span_of(index)
        words = self.segments_of(index, Zone.CONTENT, Zone.REASONING, Zone.TOOL_CALL)
        return (words[-1].end if words else end), end

    def span_of(self, index: int) -> tuple[int, int]:
        """Where a message stands: from its first segment to its last; (0, 0) for one that is not printed."""
        parts = self.segments_of(index)
        return (parts[0].start, parts[-1].end) if parts else (0, 0)

    def hazards(self) -> Iterator[Hazard]:
        """The hazards that do not depend on a tokenizer."""
        yield from conversation_hazards(
            self.conversation, self.rendering, self.segmentation, _POLICY, self.special_tokens
        )
        if self.answers:
            judged = judge(self.segmentation, self.rendering, self.conversation, _POLICY)
            if not any(part.verdict is Verdict.TRAIN for part in judged):
                yield Hazard(HazardKind.NOTHING_TRAINED, "no character of the answers is to be trained")


_FIELDS_OF_HEADERS = frozenset({"role", "name", "tool_call_id", "id"})


def _is_word(span: Span) -> bool:
    origin = span.origin
    return origin.kind is OriginKind.MESSAGE and bool(origin.path) and origin.path[0] not in _FIELDS_OF_HEADERS
