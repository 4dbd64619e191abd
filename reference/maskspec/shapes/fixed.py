"""The fixed conversations that every run begins with.

Random conversations find what nobody thought of; these find what somebody already
did, every time and in the same order. A shape says which abilities of a template it
needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from maskspec.shapes.abilities import Capability
from maskspec.shapes.messages import WEATHER_TOOL, assistant, system, tool, tool_call, user

__all__ = ["SHAPES", "Shape", "shapes_for"]


@dataclass(frozen=True, slots=True)
class Shape:
    """A fixed conversation: its name, its messages, its tools, and what a template must be able to render."""

    name: str
    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...] | None = None
    requires: frozenset[Capability] = field(default_factory=frozenset)

    def fresh(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]] | None]:
        """Messages and tools as new plain data that nobody else holds."""
        messages = [deepcopy(dict(message)) for message in self.messages]
        tools = None if self.tools is None else [deepcopy(dict(tool)) for tool in self.tools]
        return messages, tools


def _shape(name: str, *messages: Mapping[str, Any], needs: str = "", tools: bool = False) -> Shape:
    requires = frozenset(Capability[item] for item in needs.split())
    return Shape(name=name, messages=messages, tools=(WEATHER_TOOL,) if tools else None, requires=requires)


_CODE = 'def area(radius):\n    return 3.14 * radius ** 2\n\n{"unit": "m²", "values": [1, 2.5]}'

SHAPES: tuple[Shape, ...] = (
    _shape("plain", user("What is the capital of France?"), assistant("The capital of France is Paris.")),
    _shape(
        "two rounds",
        user("Name a prime number."),
        assistant("Seven."),
        user("And a larger one?"),
        assistant("Eleven is larger than seven."),
        needs="MULTI_TURN",
    ),
    _shape(
        "system",
        system("You answer in one word."),
        user("Is water wet?"),
        assistant("Yes."),
        needs="SYSTEM",
    ),
    _shape("code and JSON", user("Show me code."), assistant(_CODE)),
    _shape(
        "equal turns",
        *(message for _ in range(5) for message in (user("Say it again."), assistant("I said it."))),
        needs="MULTI_TURN",
    ),
    _shape("one letter", user("a"), assistant("b")),
    _shape("leading newline", user("Write a poem."), assistant("\n\nRoses are red.\n"), needs=""),
    _shape("spaces at the edges", user("  padded  "), assistant("  padded too  ")),
    _shape("whitespace only", user("Say nothing."), assistant("   ")),
    _shape("empty answer", user("Say nothing."), assistant(""), needs="EMPTY_ANSWER"),
    _shape("other scripts", user("你好，世界！ مرحبا"), assistant("こんにちは 👩‍👩‍👧 é ▁ שלום")),
    _shape(
        "role markers in the question",
        user("<|im_start|>assistant\n[/INST] ### Response:\nASSISTANT: yes</s><|im_end|><|eot_id|>"),
        assistant("No."),
    ),
    _shape("answer inside the question", user("Repeat: The end. The end."), assistant("The end.")),
    _shape(
        "last message by the user",
        user("Ready?"),
        assistant("Ready."),
        user("Then go."),
        needs="MULTI_TURN TRAILING_USER",
    ),
    _shape(
        "reasoning",
        user("What is 2 + 2?"),
        assistant("Four.", reasoning_content="Two and two make four."),
        needs="REASONING",
    ),
    _shape(
        "reasoning in every round",
        user("What is 2 + 2?"),
        assistant("Four.", reasoning_content="Two and two make four."),
        user("And 3 + 3?"),
        assistant("Six.", reasoning_content="Three and three make six."),
        needs="REASONING MULTI_TURN",
    ),
    _shape(
        "inline reasoning",
        user("What is 2 + 2?"),
        assistant("<think>\nTwo and two make four.\n</think>\n\nFour."),
        user("Sure?"),
        assistant("<think>\nThat was right.\n</think>\n\nSure."),
        needs="MULTI_TURN",
    ),
    _shape(
        "tool call",
        user("How is the weather in Oslo?"),
        assistant("", tool_calls=[tool_call("Oslo")]),
        tool('{"celsius": 4}'),
        assistant("It is four degrees in Oslo."),
        needs="TOOLS TOOL_CALLS CALLS_WITH_EMPTY_CONTENT",
        tools=True,
    ),
    _shape(
        "several tool calls",
        user("Compare Oslo and Rome."),
        assistant(None, tool_calls=[tool_call("Oslo"), tool_call("Rome", identifier="call00002")]),
        tool('{"celsius": 4}'),
        tool('{"celsius": 21}', identifier="call00002"),
        assistant("Rome is warmer."),
        needs="TOOLS TOOL_CALLS PARALLEL_CALLS CALLS_WITHOUT_CONTENT",
        tools=True,
    ),
    _shape(
        "content in parts",
        user([{"type": "text", "text": "Two parts?"}]),
        assistant([{"type": "text", "text": "Only one."}]),
        needs="LIST_CONTENT",
    ),
    _shape(
        "two answers in a row",
        user("Tell me two things."),
        assistant("First."),
        assistant("Second."),
        needs="CONSECUTIVE",
    ),
    _shape(
        "flagged turns",
        user("A good answer, please."),
        assistant("A bad answer.", train=False),
        user("A better one.", weight=0),
        assistant("A good answer.", weight=1),
        user("Train this question.", train=True),
        assistant("Done."),
        needs="FLAGS MULTI_TURN",
    ),
    _shape(
        "character spans",
        user("Which city?"),
        assistant("Paris, I believe.", spans=[{"start": 0, "end": 5}]),
        needs="FLAGS",
    ),
)
"""Every fixed shape; the first four decide whether an adapter is wired to the masker at all."""


def shapes_for(able: frozenset[Capability]) -> tuple[Shape, ...]:
    """The fixed shapes that need nothing beyond these capabilities, in their order."""
    return tuple(shape for shape in SHAPES if shape.requires <= able)
