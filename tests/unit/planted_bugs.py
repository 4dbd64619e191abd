"""Ten bugs as predicates on conversations, and the smallest conversation that shows each, worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TEMPLATE = """\
{%- if tools %}<tools>{{ tools | tojson }}</tools>{% endif %}
{%- for message in messages %}
{{- "<" + message.role + ">" }}
{%- if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>{% endif %}
{%- if message.content is string %}{{ message.content }}
{%- elif message.content %}{% for part in message.content %}{{ part.text }}{% endfor %}
{%- endif %}
{%- for call in message.tool_calls or [] %}<call>{{ call | tojson }}</call>{% endfor %}
{{- "</s>" }}
{%- endfor %}
{%- if add_generation_prompt %}<assistant>{% endif %}"""
"""Prints everything and refuses nothing."""

Messages = Sequence[Mapping[str, Any]]


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


def assistant(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def call(name: str, arguments: dict[str, Any], *, identifier: str = "call00001") -> dict[str, Any]:
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(name: str, text: str, *, identifier: str = "call00001") -> dict[str, Any]:
    return {"role": "tool", "content": text, "name": name, "tool_call_id": identifier}


def well_formed(messages: Messages) -> bool:
    """A strict format: system first if at all, questions and answers in turn, results right after their calls."""
    expected = {"system", "user"}
    waiting = 0
    for message in messages:
        role = message["role"]
        if role not in expected:
            return False
        calls = len(message.get("tool_calls") or ())
        waiting = waiting - 1 if role == "tool" else calls
        if role == "assistant" and not calls:
            expected = {"user"}
        elif role == "assistant" or waiting:
            expected = {"tool"}
        else:
            expected = {"user"} if role == "system" else {"assistant"}
    return bool(messages) and messages[-1]["role"] == "assistant" and not waiting


def answers(messages: Messages) -> list[Any]:
    """The contents of the answers, calls left aside."""
    return [m["content"] for m in messages if m["role"] == "assistant" and not m.get("tool_calls")]


def arguments(messages: Messages) -> list[tuple[str, Any]]:
    functions = [c.get("function", c) for m in messages for c in m.get("tool_calls") or ()]
    return [(function["name"], function["arguments"]) for function in functions]


@dataclass(frozen=True, slots=True)
class Planted:
    """One bug: what it is, when a conversation shows it, the smallest that does, and one that somebody met it in."""

    name: str
    shows: Callable[[Messages], bool]
    smallest: Messages
    met: Messages

    def fails(self, messages: Messages) -> bool:
        return well_formed(messages) and self.shows(messages)


_LONG = "A rather long answer, with two sentences. Nobody needs all of it!"
_PAIR = (user("a"), assistant("a"))
_TALK = tuple(m for n in range(6) for m in (user(f"Question number {n}?"), assistant(f"{_LONG} ({n})")))
_EMOJI = "🙂👍❤👧🇫🇷🏽\ufe0f\U000e007f"

BUGS = (
    Planted(
        "labels lost from the third pair on",
        lambda ms: sum(m["role"] == "assistant" for m in ms if not m.get("tool_calls")) >= 3,
        _PAIR * 3,
        _TALK,
    ),
    Planted(
        "an answer that holds a stop token",
        lambda ms: any("<|im_end|>" in str(content) for content in answers(ms)),
        (user("a"), assistant("<|im_end|>")),
        (*_TALK[:3], assistant("Write <|im_start|>x<|im_end|> then."), *_TALK[4:]),
    ),
    Planted(
        "an empty answer",
        lambda ms: "" in answers(ms),
        (user("a"), assistant("")),
        (*_TALK[:5], assistant(""), *_TALK[6:]),
    ),
    Planted(
        "two tool calls in one message",
        lambda ms: any(len(m.get("tool_calls") or ()) == 2 for m in ms),
        (
            user("a"),
            assistant("", tool_calls=[call("get_weather", {"city": "a"}), call("get_weather", {"city": "a"}, identifier="call00002")]),
            result("get_weather", "a"),
            result("get_weather", "a", identifier="call00002"),
            assistant("a"),
        ),
        (
            *_TALK[:2],
            user("Compare the two."),
            assistant("", reasoning_content="Ask twice.", tool_calls=[call("get_weather", {"city": "Oslo"}), call("get_weather", {"city": "Rome"}, identifier="call00002")]),
            result("get_weather", '{"celsius": 4}'),
            result("get_weather", '{"celsius": 21}', identifier="call00002"),
            assistant(_LONG),
        ),
    ),
    Planted(
        "reasoning in two answers",
        lambda ms: sum(bool(m.get("reasoning_content")) for m in ms if not m.get("tool_calls")) >= 2,
        (user("a"), assistant("a", reasoning_content="a")) * 2,
        tuple({**m, "reasoning_content": "Let me think."} if m["role"] == "assistant" else m for m in _TALK),
    ),
    Planted(
        "an answer in parts",
        lambda ms: any(isinstance(content, list) for content in answers(ms)),
        (user("a"), assistant([{"type": "text", "text": "a"}])),
        (*_TALK[:3], assistant([{"type": "text", "text": "One."}, {"type": "text", "text": _LONG}])),
    ),
    Planted(
        "an emoji at the end of an answer",
        lambda ms: any(str(content).endswith(tuple(_EMOJI)) for content in answers(ms)),
        (user("a"), assistant("🙂")),
        (*_TALK[:3], assistant("It is done 🙂"), *_TALK[4:]),
    ),
    Planted(
        "two equal rounds",
        lambda ms: any(ms[i : i + 2] == ms[j : j + 2] for i in range(len(ms)) for j in range(i + 2, len(ms) - 1) if ms[i]["role"] == "user"),
        _PAIR * 2,
        (*_TALK[:2], user("Again?"), assistant("Again."), user("Again?"), assistant("Again."), *_TALK[8:]),
    ),
    Planted(
        "whitespace at the end of an answer",
        lambda ms: any(isinstance(content, str) and content != content.rstrip() for content in answers(ms)),
        (user("a"), assistant(" ")),
        (*_TALK[:7], assistant(_LONG + " ")),
    ),
    Planted(
        "an object inside the arguments of `order`",
        lambda ms: any(name == "order" and isinstance(given, dict) and any(isinstance(v, dict) and v for v in given.values()) for name, given in arguments(ms)),
        (
            user("a"),
            assistant("", tool_calls=[call("order", {"item": {"name": "a"}})]),
            result("order", "a"),
            assistant("a"),
        ),
        (
            *_TALK[:2],
            user("Two of these."),
            assistant("", tool_calls=[call("order", {"item": {"name": "A book", "colour": "red"}, "note": "soon"})]),
            result("order", "ordered"),
            assistant(_LONG),
        ),
    ),
    Planted(
        "a flag on a question",
        lambda ms: any(m["role"] == "user" and m.get("train") is True for m in ms),
        (user("a", train=True), assistant("a")),
        (*_TALK[:4], user("Train this one.", train=True, weight=2), assistant(_LONG, train=False)),
    ),
)  # fmt: skip
