"""From drafts to messages: spells the texts, connects calls with schemas and results, and chooses list content."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from maskspec.shapes import Capability, TemplateTraits
from maskspec.strategies.drafts import AGAIN, Call, Draft, Form
from maskspec.strategies.flags import flags_of
from maskspec.strategies.pieces import pieces_for, spell
from maskspec.strategies.tools import arguments, fresh, result_text

__all__ = ["Assembly", "in_parts"]

# Reasoning inside the content, as the models that think in tags write it.
_INLINE = "<think>\n{}\n</think>\n\n{}"


class Assembly:
    """A conversation that grows by one round after the other.

    Calls are of the functions that `schemas` describe; without `markers`, texts hold none but by accident. `edges` is
    what stands before and behind every text of the assistant that is not empty.
    """

    def __init__(
        self,
        traits: TemplateTraits,
        schemas: Sequence[dict[str, Any]],
        *,
        markers: bool = True,
        edges: tuple[str, str] = ("", ""),
    ) -> None:
        self.messages: list[dict[str, Any]] = []
        self._able = traits.capabilities
        self._pieces = pieces_for(traits, markers=markers)
        self._schemas = schemas
        self._edges = edges
        self._texts: list[str] = []
        self._calls = 0
        self._waiting: list[tuple[str, str]] = []
        self._last: list[dict[str, Any]] = []

    def add(self, drafts: tuple[Draft, ...]) -> None:
        """Append the messages of one round, or those of the round before once more."""
        if drafts is AGAIN:
            self.messages += [fresh(message) for message in self._last]
            return
        self._last = [self._message(draft) for draft in drafts]
        self.messages += self._last

    def _message(self, draft: Draft) -> dict[str, Any]:
        message: dict[str, Any] = {"role": draft.role, "content": self._content(draft)}
        if draft.reasoning is not None:
            reasoning = self._spelled(draft.reasoning)
            if draft.reasoning_form is Form.INLINE:
                message["content"] = _INLINE.format(reasoning, message["content"])
            else:
                message[draft.reasoning_form.value] = reasoning
        if draft.calls:
            self._waiting = []
            message["tool_calls"] = [self._call(call) for call in draft.calls]
        if draft.result is not None:
            name, identifier = self._waiting.pop(0)
            message["content"] = result_text(message["content"], as_object=draft.result.as_object)
            if draft.result.form is Form.PARTS:
                message["content"] = [{"type": "text", "text": message["content"]}]
            if draft.result.form is not Form.BARE:
                message |= {"name": name, "tool_call_id": identifier}
        return message | flags_of(draft.flags, message["content"]) if draft.flags else message

    def _content(self, draft: Draft) -> str | None:
        if not draft.text:
            return None if draft.text is None else ""
        empty, blank = _MAY_BE.get(draft.role, (None, None))
        text = spell(
            draft.text, self._pieces, earlier=self._texts, empty=empty in self._able, blank=blank in self._able
        )
        self._texts.append(text)
        return text.join(self._edges) if text and draft.role == "assistant" else text

    def _spelled(self, code: bytes) -> str:
        text = spell(code, self._pieces, earlier=self._texts)
        self._texts.append(text)
        return text

    def _call(self, call: Call) -> dict[str, Any]:
        schema = self._schemas[call.code[0] % len(self._schemas)]
        filled = arguments(schema, call.code[1:], self._pieces)
        name = schema.get("function", schema)["name"]
        self._calls += 1
        identifier = f"call{self._calls:05d}"
        self._waiting.append((name, identifier))
        given: Any = filled
        if call.form is Form.TEXT:
            # Data sets store calls without arguments as `{}` and as an empty text.
            given = json.dumps(filled, ensure_ascii=False) if filled or len(call.code) % 2 else ""
        function = {"name": name, "arguments": given}
        return function if call.form is Form.BARE else {"id": identifier, "type": "function", "function": function}


_MAY_BE = {
    "user": (Capability.EMPTY_QUESTION, Capability.BLANK_QUESTION),
    "assistant": (Capability.EMPTY_ANSWER, Capability.BLANK_ANSWER),
    "tool": (Capability.EMPTY_RESULTS, Capability.EMPTY_RESULTS),
}


def in_parts(messages: Iterable[dict[str, Any]], roles: frozenset[str], *, several: bool, mixed: bool) -> None:
    """Turn the content of some roles into lists of text parts, of every message or (`mixed`) of every second one.

    What has spans stays text, since they count its characters.
    """
    for number, message in enumerate(messages):
        content = message["content"]
        fixed = not isinstance(content, str) or "spans" in message
        if fixed or message["role"] not in roles or (mixed and number % 2 == 0):
            continue
        middle = len(content) // 2
        texts = (content[:middle], content[middle:]) if several and middle else (content,)
        message["content"] = [{"type": "text", "text": text} for text in texts]
