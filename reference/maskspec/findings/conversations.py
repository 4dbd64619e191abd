"""The conversations that every template is asked: tiny ones for single facts, the fixed shapes, generated ones.

The tiny ones come first, so that nearly every fact is shown by one that could hardly
be smaller. A group of them asks for one ability in several forms; a template that
refuses all forms refuses the ability.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from maskspec.conformance.cases import Case
from maskspec.findings.kinds import FindingKind
from maskspec.shapes import SHAPES, WEATHER_TOOL, TemplateTraits, tool_call
from maskspec.shapes.messages import assistant, system, tool, user
from maskspec.strategies.sampling import sample_traits

__all__ = ["PLAIN", "PROBES", "ROUNDS", "SYSTEM", "Group", "Probe", "generated_cases", "shape_cases"]


@dataclass(frozen=True, slots=True)
class Group:
    """An ability, and which finding it is when a template refuses all conversations that need it."""

    kind: FindingKind
    variant: str


@dataclass(frozen=True, slots=True)
class Probe:
    """A tiny conversation, and the group of those that ask for the same ability, if its refusal is a fact."""

    case: Case
    group: Group | None = None


def _case(*messages: Mapping[str, Any], tools: bool = False) -> Case:
    return Case(messages=messages, tools=(WEATHER_TOOL,) if tools else None)


def _parts(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts]


def _as_text(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    return {**call, "function": {**function, "arguments": json.dumps(function["arguments"])}}


_K = FindingKind
_SYSTEM = Group(_K.SYSTEM_REFUSED, "")
_DEVELOPER = Group(_K.ROLE_REFUSED, "developer")
_TOOL = Group(_K.ROLE_REFUSED, "tool")
_LATE = Group(_K.ORDER_REFUSED, "a system message after the first round")
_QUESTIONS = Group(_K.ORDER_REFUSED, "two questions in a row")
_ANSWERS = Group(_K.ORDER_REFUSED, "two answers in a row")
_LEADING = Group(_K.ORDER_REFUSED, "an answer first")
_ROUNDS = Group(_K.ORDER_REFUSED, "a second round")
_CALL = Group(_K.FORM_REFUSED, "tool calls")
_PARTS = Group(_K.FORM_REFUSED, "content in parts")
_TEXT = Group(_K.FORM_REFUSED, "content as text")
_NONE = Group(_K.FORM_REFUSED, "tool calls with content None")
_EMPTY = Group(_K.FORM_REFUSED, "an empty answer")
_SCHEMAS = Group(_K.FORM_REFUSED, "tool schemas")

PLAIN = _case(user("Q"), assistant("A"))
"""One question and its answer."""

SYSTEM = _case(system("S"), user("Q"), assistant("A"))
"""The same with a system message."""

ROUNDS = _case(user("Q"), assistant("A"), user("P"), assistant("B"))
"""Two rounds."""

_OSLO = tool_call("Oslo")
_ROME = tool_call("Rome", identifier="call00002")
_THOUGHT = "<think>\nR\n</think>\n\n"

PROBES: tuple[Probe, ...] = (
    Probe(PLAIN, _TEXT),
    Probe(ROUNDS, _ROUNDS),
    Probe(_case(user("Q"), assistant("A"), user("P"), assistant("B"), user("O"), assistant("C"))),
    Probe(_case(user("Q"), assistant("A"), user("P"))),
    Probe(SYSTEM, _SYSTEM),
    Probe(_case(system(_parts("S")), user(_parts("Q")), assistant(_parts("A"))), _SYSTEM),
    Probe(_case(system("S"), user("Q"), assistant("A"), user("P"), assistant("B"))),
    Probe(_case(system("S"), user("Q"), assistant("A"), user("P"))),
    Probe(_case(system("S", role="developer"), user("Q"), assistant("A")), _DEVELOPER),
    Probe(_case(user("Q"), assistant("A"), system("S"), user("P"), assistant("B")), _LATE),
    Probe(_case(assistant("A"), user("Q"), assistant("B")), _LEADING),
    Probe(_case(user("Q"), user("P"), assistant("A")), _QUESTIONS),
    Probe(_case(user("Q"), assistant("A"), assistant("B")), _ANSWERS),
    Probe(_case(user("Q"), assistant("")), _EMPTY),
    # White space, and characters that escapes change.
    Probe(_case(user(" Q "), assistant(" A "))),
    Probe(_case(user("Q\n"), assistant("\n\nA\n"))),
    Probe(_case(system(" S "), user("Q"), assistant("A"))),
    Probe(_case(user('Ab "c" & <d>\n\té'), assistant('Ef "g" & <h>\n\tü'))),
    # Reasoning, in a field of its own and inside the content.
    Probe(_case(user("Q"), assistant("A", reasoning_content="R"))),
    Probe(
        _case(user("Q"), assistant("A", reasoning_content="R"), user("P"), assistant("B", reasoning_content="T")),
    ),
    Probe(_case(user("Q"), assistant(f"{_THOUGHT}A"))),
    Probe(_case(user("Q"), assistant(f"{_THOUGHT}A"), user("P"), assistant(f"{_THOUGHT}B"))),
    # Parts.
    Probe(_case(user(_parts("Q")), assistant(_parts("A"))), _PARTS),
    Probe(_case(user(_parts("Q", "P")), assistant(_parts("A", "B")))),
    # Tools.
    Probe(_case(user("Q"), assistant("A"), tools=True), _SCHEMAS),
    Probe(_case(user("Q"), assistant("A"), user("P"), assistant("B"), tools=True)),
    Probe(_case(user("Q"), assistant("", tool_calls=[_OSLO]), tools=True), _CALL),
    Probe(_case(user("Q"), assistant("", tool_calls=[_as_text(_OSLO)]), tools=True), _CALL),
    Probe(_case(user("Q"), assistant(None, tool_calls=[_OSLO]), tools=True), _NONE),
    Probe(_case(user("Q"), assistant(None, tool_calls=[_as_text(_OSLO)]), tools=True), _NONE),
    Probe(_case(user("Q"), assistant("", tool_calls=[_OSLO]), tool("T"), assistant("A"), tools=True), _TOOL),
    Probe(_case(user("Q"), assistant("", tool_calls=[_as_text(_OSLO)]), tool("T"), assistant("A"), tools=True), _TOOL),
    Probe(
        _case(
            user("Q"),
            assistant("", tool_calls=[_OSLO]),
            tool('{"celsius": 4}'),
            assistant("A"),
            user("P"),
            assistant("B"),
            tools=True,
        )
    ),
    Probe(_case(user("Q"), assistant("B", tool_calls=[_OSLO]), tool(" T "), assistant("A"), tools=True)),
    Probe(
        _case(
            user("Q"),
            assistant("", tool_calls=[_OSLO], reasoning_content="R"),
            tool("T"),
            assistant("A", reasoning_content="S"),
            tools=True,
        )
    ),
    Probe(
        _case(
            user("Q"),
            assistant("", tool_calls=[_OSLO, _ROME]),
            tool("T"),
            tool("U", identifier="call00002"),
            assistant("A"),
            tools=True,
        )
    ),
)
"""The tiny conversations: the plain one first."""

_FLAGS = ("train", "weight", "spans")


def shape_cases() -> Iterator[Case]:
    """The fixed shapes without training flags, for every template: what it drops or refuses is a fact, too."""
    for shape in SHAPES:
        messages, tools = shape.fresh()
        yield Case(
            messages=[{key: value for key, value in message.items() if key not in _FLAGS} for message in messages],
            tools=tools,
        )


def generated_cases(traits: TemplateTraits, *, examples: int, seed: int) -> Iterator[Case]:
    """Conversations drawn for a template whose abilities are known."""
    if examples:
        for drawn in sample_traits(traits, flags=False, examples=examples, seed=seed):
            yield Case(messages=drawn.messages, tools=drawn.tools, template_kwargs=drawn.template_kwargs, fixed=False)
