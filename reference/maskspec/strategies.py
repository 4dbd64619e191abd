"""Hypothesis strategies for conversations that a given template accepts; they construct and never filter.

Everything shrinks towards the smallest conversation: one question of one letter
and one answer of one letter, without system message, tools or reasoning.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from functools import cache
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from maskspec.shapes import WEATHER_TOOL, Capability, tool_call

__all__ = ["Generated", "conversations", "sample", "texts"]

_EDGES = (" ", "\n", "\n\n", "\t", "  ", " \n", "\u00a0")
_PROSE = (
    "yes",
    "Hello, world!",
    "The answer is 42.",
    "It isn't so; he'd've known.",
    "First line.\nSecond line.",
    "one  two   three",
    "100,000.50 + 7 = 100007.5",
)
_SCRIPTS = (
    "你好世界",
    "こんにちは",
    "안녕",
    "مرحبا",
    "שלום",
    "नमस्ते",
    "👩‍👩‍👧",
    "🇫🇷",
    "é",
    "ﬁ",
    "▁",
    "Ġ",
    "\u200b",
    "𝒳",
)
_MARKERS = (
    "assistant",
    "user",
    "<|im_start|>",
    "<|im_end|>",
    "<|im_start|>assistant\n",
    "[INST]",
    "[/INST]",
    "</s>",
    "<s>",
    "<|eot_id|>",
    "<|end|>",
    "<think>",
    "</think>",
    "<tool_call>",
    "### Response:",
    "ASSISTANT:",
    "{{ messages }}",
    "-100",
)
_CODE = (
    '{"a": [1, "b"]}',
    '{"name": "get_weather"}',
    "for i in range(3):\n    print(i)\n",
    "```python\nx = 1\n```",
    "<b>&amp;</b>",
    "C:\\new\\table",
    "'quoted' \"twice\"",
)


@dataclass(frozen=True, slots=True)
class Generated:
    """A generated conversation in plain data: message dicts and tool schemas (None without tools)."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None


@cache
def texts(*, markers: bool = True, empty: bool = False) -> st.SearchStrategy[str]:
    """Text of one message: prose, whitespace edges, other scripts, JSON and code, and what looks like markers.

    `markers` also draws role markers and stop tokens of well-known formats; `empty`
    also draws the empty text and text of nothing but whitespace.
    """
    letters = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
    words = st.text(alphabet="abcdefgh ", min_size=1, max_size=16).map(lambda text: text.strip() or "a")
    pieces = [words, st.sampled_from(_PROSE), st.sampled_from(_SCRIPTS), st.sampled_from(_CODE), letters]
    if markers:
        pieces.append(st.sampled_from(_MARKERS))
    edge = st.one_of(st.just(""), st.sampled_from(_EDGES))
    body = st.lists(st.one_of(pieces), min_size=1, max_size=4).map("".join)
    whole = st.one_of(words, st.tuples(edge, body, edge).map("".join))
    return st.one_of(whole, st.sampled_from(("", *_EDGES))) if empty else whole


@st.composite
def conversations(
    draw: st.DrawFn,
    able: Set[Capability] = frozenset(),
    *,
    content: st.SearchStrategy[str] | None = None,
    max_rounds: int = 3,
) -> Generated:
    """Conversations that use only what a template renders (`maskspec.shapes.capabilities`).

    `content` draws the text of messages (default `texts()`); `max_rounds` bounds the
    rounds of question and answer. With `FLAGS` among the capabilities, messages may
    carry `train`, `weight` and character spans.
    """
    text = content if content is not None else texts()
    answer = st.one_of(text, texts(empty=True)) if Capability.EMPTY_ANSWER in able else text
    rounds = draw(st.integers(1, max_rounds if Capability.MULTI_TURN in able else 1), label="rounds")
    tools = None
    if Capability.TOOL_CALLS in able and draw(st.booleans(), label="with tools"):
        tools = [WEATHER_TOOL]
    messages: list[dict[str, Any]] = []
    if Capability.SYSTEM in able and draw(st.booleans(), label="with system"):
        messages.append({"role": "system", "content": draw(text, label="system")})
    for number in range(rounds):
        messages.append({"role": "user", "content": draw(text, label=f"question {number}")})
        if tools is not None and draw(st.booleans(), label=f"tool round {number}"):
            messages.extend(draw(_tool_round(able, text), label=f"tools {number}"))
        messages.append(draw(_answers(able, answer), label=f"answer {number}"))
        if Capability.CONSECUTIVE in able and draw(st.integers(0, 7), label=f"second answer {number}") == 7:
            messages.append(draw(_answers(able, answer), label=f"another answer {number}"))
    if Capability.TRAILING_USER in able and draw(st.integers(0, 7), label="last by user") == 7:
        messages.append({"role": "user", "content": draw(text, label="last question")})
    if Capability.FLAGS in able and draw(st.integers(0, 3), label="with flags") == 3:
        for message in messages:
            message.update(draw(_flags(message), label="flags"))
    if Capability.LIST_CONTENT in able and draw(st.integers(0, 7), label="content in parts") == 7:
        for message in messages:
            if isinstance(message["content"], str) and "spans" not in message and message["role"] != "tool":
                message["content"] = [{"type": "text", "text": message["content"]}]
    return Generated(messages=messages, tools=tools)


@st.composite
def _answers(draw: st.DrawFn, able: Set[Capability], text: st.SearchStrategy[str]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": draw(text, label="content")}
    if Capability.REASONING in able and draw(st.booleans(), label="with reasoning"):
        message["reasoning_content"] = draw(texts(), label="reasoning")
    return message


@st.composite
def _tool_round(draw: st.DrawFn, able: Set[Capability], text: st.SearchStrategy[str]) -> list[dict[str, Any]]:
    """An assistant message that calls the tool once or twice, followed by the results."""
    number = draw(st.integers(1, 2 if Capability.PARALLEL_CALLS in able else 1), label="calls")
    identifiers = [f"call{position:05d}" for position in range(1, number + 1)]
    calls = [tool_call(draw(text, label="argument"), identifier=identifier) for identifier in identifiers]
    results = [
        {"role": "tool", "name": "get_weather", "tool_call_id": identifier, "content": draw(text, label="result")}
        for identifier in identifiers
    ]
    return [{"role": "assistant", "content": "", "tool_calls": calls}, *results]


@st.composite
def _flags(draw: st.DrawFn, message: dict[str, Any]) -> dict[str, Any]:
    """Nothing, a `train` flag, a `weight`, or (for an answer of text) one character span."""
    kinds = ["none", "train", "weight"]
    if message["role"] == "assistant" and isinstance(message["content"], str) and message["content"]:
        kinds.append("span")
    kind = draw(st.sampled_from(kinds), label="kind of flag")
    if kind == "train":
        return {"train": draw(st.booleans(), label="train")}
    if kind == "weight":
        return {"weight": draw(st.sampled_from([1, 0]), label="weight")}
    if kind == "span":
        end = draw(st.integers(1, len(message["content"])), label="end of span")
        start = draw(st.integers(0, end - 1), label="start of span")
        return {"spans": [{"start": start, "end": end}]}
    return {}


def sample(able: Set[Capability], *, examples: int, seed: int) -> list[Generated]:
    """Up to `examples` conversations that a template renders.

    The same seed gives the same ones on the same versions and code: Hypothesis
    also draws constants that it finds in the modules of the program under test.
    For harnesses that judge every conversation and go on. The settings are complete,
    so the Hypothesis profile of a host program neither matters nor changes.
    """
    found: list[Generated] = []

    @seeded(seed)
    @settings(
        max_examples=examples,
        phases=(Phase.generate,),
        deadline=None,
        database=None,
        derandomize=False,
        print_blob=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(conversations(frozenset(able)))
    def collect(generated: Generated) -> None:
        found.append(generated)

    collect()
    return found
