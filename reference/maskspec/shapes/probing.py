"""Finds out what a template can render: one small conversation per capability, rendered once and remembered.

A template's source says little about what it accepts, and its documentation less;
rendering says it. Sentinel texts tell printing from ignoring.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any

from maskspec.conversation import Conversation
from maskspec.errors import MaskspecError
from maskspec.rendering import ConversationRenderer
from maskspec.shapes.abilities import Capability
from maskspec.shapes.messages import WEATHER_TOOL, assistant, system, tool, user

__all__ = ["Outcome", "accepts", "capabilities", "probed", "refused_texts", "seams_of"]

_A = "sentinel alpha"
_B = "sentinel beta"
_Messages = list[dict[str, Any]]
_Tools = tuple[dict[str, Any], ...] | None


@dataclass(frozen=True, slots=True)
class _Probe:
    """A small conversation, and the texts that must be printed."""

    messages: _Messages
    needles: tuple[str, ...] = (_A, _B)
    tools: _Tools = None
    in_parts: bool = False


def _probe(*messages: dict[str, Any], needles: tuple[str, ...] = (_A, _B), in_parts: bool = False) -> _Probe:
    return _Probe(list(messages), needles, in_parts=in_parts)


def _parts(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts]


_PROBES: Mapping[Capability, _Probe] = {
    Capability.SYSTEM: _probe(system(_A), user("a"), assistant(_B)),
    Capability.DEVELOPER: _probe(system(_A, role="developer"), user("a"), assistant(_B)),
    Capability.SYSTEM_AND_DEVELOPER: _probe(system(_A), system(_B, role="developer"), user("a"), assistant("b")),
    Capability.LATE_SYSTEM: _probe(user("a"), assistant("b"), system(_A), user("c"), assistant(_B)),
    Capability.MULTI_TURN: _probe(user("a"), assistant(_A), user("b"), assistant(_B)),
    Capability.CONSECUTIVE: _probe(user("a"), assistant(_A), assistant(_B)),
    Capability.CONSECUTIVE_QUESTIONS: _probe(user(_A), user(_B), assistant("c")),
    Capability.LEADING_ASSISTANT: _probe(assistant(_A), user("a"), assistant(_B)),
    Capability.TRAILING_USER: _probe(user("a"), assistant(_A), user(_B)),
    Capability.REASONING: _probe(user("a"), assistant(_A, reasoning_content=_B)),
    Capability.REASONING_AS_THINKING: _probe(user("a"), assistant(_A, thinking=_B)),
    Capability.REASONING_AS_REASONING: _probe(user("a"), assistant(_A, reasoning=_B)),
    Capability.TOOLS: _Probe([user("a"), assistant(_A)], (_A, "get_weather"), (WEATHER_TOOL,)),
    Capability.BARE_SCHEMAS: _Probe([user("a"), assistant(_A)], (_A, "get_weather"), (WEATHER_TOOL["function"],)),
    Capability.LIST_CONTENT: _probe(user(_parts(_A)), assistant(_parts(_B)), in_parts=True),
    Capability.LIST_QUESTIONS: _probe(user(_parts(_A)), assistant(_B), in_parts=True),
    Capability.LIST_SYSTEM: _probe(system(_parts(_A)), user(_parts(_B)), assistant("c"), in_parts=True),
    Capability.SEVERAL_PARTS: _probe(user(_parts(_A, _B)), assistant("c"), in_parts=True),
    Capability.EMPTY_ANSWER: _probe(user(_A), assistant(""), needles=(_A,)),
    Capability.EMPTY_QUESTION: _probe(user(""), assistant(_A), needles=(_A,)),
    Capability.BLANK_ANSWER: _probe(user(_A), assistant(" \n"), needles=(_A,)),
    Capability.BLANK_QUESTION: _probe(user(" \n"), assistant(_A), needles=(_A,)),
}


def _call(form: Capability, city: str, *, identifier: str = "call00001", **more: Any) -> dict[str, Any]:
    """A call in one of its forms, with further arguments."""
    arguments: Any = {"city": city, **more}
    function = {"name": "get_weather", "arguments": arguments}
    if form is Capability.BARE_CALLS:
        return function
    if form is Capability.TOOL_CALLS_AS_TEXT:
        function["arguments"] = json.dumps(arguments)
    return {"id": identifier, "type": "function", "function": function}


def _round(call: dict[str, Any], content: Any, *, result: Any = _B, **more: Any) -> _Probe:
    """One round with a tool call: the argument and the result must be printed."""
    messages = [user("a"), assistant(content, tool_calls=[call], **more), tool(result), assistant("c")]
    return _Probe(messages, tools=(WEATHER_TOOL,))


_FORMS = (Capability.TOOL_CALLS, Capability.TOOL_CALLS_AS_TEXT, Capability.BARE_CALLS)
_CONTENTS = (("", Capability.CALLS_WITH_EMPTY_CONTENT), (None, Capability.CALLS_WITHOUT_CONTENT))


def _call_probes(form: Capability, content: Any) -> Iterator[tuple[Capability, _Probe]]:
    """What else may go with a call, asked with a form and a content that the template prints."""
    call = _call(form, _A)
    tools = (WEATHER_TOOL,)
    second = _call(form, _B, identifier="call00002")
    results = [tool("1"), tool("2", identifier="call00002")]
    called = [user("a"), assistant(content, tool_calls=[call])]
    yield (
        Capability.PARALLEL_CALLS,
        _Probe([user("a"), assistant(content, tool_calls=[call, second]), *results, assistant("c")], tools=tools),
    )
    yield Capability.CALLS_WITH_CONTENT, _round(_call(form, "x"), _A)
    yield Capability.CALLS_WITH_REASONING, _round(call, content, reasoning_content="r")
    yield Capability.CALLS_WITH_BOTH, _round(_call(form, "x"), _A, reasoning_content="r")
    yield Capability.CALLS_WITHOUT_SCHEMAS, replace(_round(call, content), tools=None)
    yield (
        Capability.NESTED_ARGUMENTS,
        _round(_call(form, _A, at={"days": [1, 2.5, None, True]}, days=[{"of": "x"}]), content),
    )
    yield (
        Capability.SEVERAL_CALL_ROUNDS,
        _Probe([*called, results[0], assistant(content, tool_calls=[second]), results[1], assistant("c")], tools=tools),
    )
    yield Capability.TRAILING_CALL, _Probe(called, needles=(_A,), tools=tools)
    yield Capability.TRAILING_RESULT, _Probe([*called, tool(_B)], tools=tools)
    yield Capability.BARE_RESULTS, _Probe([*called, {"role": "tool", "content": _B}, assistant("c")], tools=tools)
    yield Capability.LIST_RESULTS, replace(_round(call, content, result=_parts(_B)), in_parts=True)
    yield Capability.EMPTY_RESULTS, _Probe([*called, tool(""), assistant(_B)], tools=tools)


# A template that knows nothing of parts prints the list as Python spells it.
_SPELLED_OUT = "'type'"


class Outcome(Enum):
    """What a template does with a small conversation."""

    PRINTED = "printed"
    """It prints the texts in question."""
    IGNORED = "ignored"
    """It accepts the conversation and leaves a text in question out."""
    REFUSED = "refused"
    """It raises an error."""


def capabilities(
    template: str,
    *,
    special_tokens: Mapping[str, Any] | None = None,
    template_kwargs: Mapping[str, Any] | None = None,
) -> frozenset[Capability]:
    """What a template renders, found out by rendering one small conversation per capability.

    A capability is there when the template accepts the conversation and prints the
    texts in question. `FLAGS` is never among them: it belongs to a policy.
    """
    outcomes = probed(template, special_tokens=special_tokens, template_kwargs=template_kwargs)
    return frozenset(capability for capability, outcome in outcomes.items() if outcome is Outcome.PRINTED)


def probed(
    template: str,
    *,
    special_tokens: Mapping[str, Any] | None = None,
    template_kwargs: Mapping[str, Any] | None = None,
) -> Mapping[Capability, Outcome]:
    """What a template does with every probe; what was not asked because nothing depends on it is missing."""
    key = (template, repr(sorted((special_tokens or {}).items())), repr(sorted((template_kwargs or {}).items())))
    if key not in _PROBED:
        ask = partial(_outcome, template, special_tokens=special_tokens, template_kwargs=template_kwargs)
        outcomes = {capability: ask(probe) for capability, probe in _PROBES.items()}
        # Some templates take only schemas without the wrapper (Apertus).
        bare = outcomes[Capability.TOOLS] is Outcome.REFUSED and outcomes[Capability.BARE_SCHEMAS] is Outcome.PRINTED
        _PROBED[key] = outcomes | _outcomes_of_calls(
            lambda probe: ask(replace(probe, tools=(WEATHER_TOOL["function"],)) if bare and probe.tools else probe)
        )
    return _PROBED[key]


_PROBED: dict[tuple[str, str, str], Mapping[Capability, Outcome]] = {}


def _outcomes_of_calls(ask: Callable[[_Probe], Outcome]) -> dict[Capability, Outcome]:
    """Forms of calls with either content; everything else with the first form and content that are printed."""
    asked = {(form, beside): ask(_round(_call(form, _A), content)) for form in _FORMS for content, beside in _CONTENTS}
    outcomes: dict[Capability, Outcome] = {}
    for pair, outcome in asked.items():
        for capability in pair:
            outcomes[capability] = min(outcomes.get(capability, outcome), outcome, key=_PREFERENCE.index)
    best = min(asked, key=lambda pair: _PREFERENCE.index(asked[pair]))
    if asked[best] is not Outcome.REFUSED:
        content = next(content for content, beside in _CONTENTS if beside is best[1])
        outcomes |= {capability: ask(probe) for capability, probe in _call_probes(best[0], content)}
    return outcomes


_PREFERENCE = (Outcome.PRINTED, Outcome.IGNORED, Outcome.REFUSED)


def accepts(
    template: str,
    *,
    tools: _Tools = None,
    special_tokens: Mapping[str, Any] | None,
    template_kwargs: Mapping[str, Any] | None,
) -> bool:
    """Whether a template prints both turns of a plain round with these tools under these template variables."""
    probe = _Probe([user(_A), assistant(_B)], tools=tools)
    return _outcome(template, probe, special_tokens=special_tokens, template_kwargs=template_kwargs) is Outcome.PRINTED


_LONGEST_SEAM = 200


def seams_of(
    template: str,
    *,
    special_tokens: Mapping[str, Any] | None,
    template_kwargs: Mapping[str, Any] | None,
) -> tuple[str, ...]:
    """What a template prints between a question and its answer, and between that answer and a second question.

    The second is missing where a template prints no second round, and both where texts are
    not printed once each. A template that supplies dates or instructions there (more than
    200 characters) has no seam either.
    """
    sentinels = [f"sentinel {name}" for name in ("alpha", "beta", "gamma", "delta")]
    for texts in (sentinels, sentinels[:2]):
        messages = [(assistant if number % 2 else user)(text) for number, text in enumerate(texts)]
        printed = _text(template, messages, None, special_tokens, template_kwargs)
        if printed is None or any(printed.count(text) != 1 for text in texts):
            continue
        places = [printed.index(text) for text in texts]
        seams = [
            printed[start + len(text) : end] for text, start, end in zip(texts[:2], places, places[1:], strict=False)
        ]
        return tuple(seam for seam in seams if seam.strip() and len(seam) <= _LONGEST_SEAM)
    return ()


def refused_texts(
    template: str,
    texts: Sequence[str],
    *,
    special_tokens: Mapping[str, Any] | None,
    template_kwargs: Mapping[str, Any] | None,
) -> frozenset[str]:
    """Those of some texts that a template refuses inside a question, an answer or its reasoning.

    gpt-oss's template, for one, raises an error for messages that hold its channel markers.
    """

    def refused(text: str) -> bool:
        shapes = [(user(f"a{text}b"), assistant("b")), (user("a"), assistant(f"a{text}b"))]
        shapes.append((user("a"), assistant("b", reasoning_content=f"a{text}b")))
        return any(
            _text(template, list(messages), None, special_tokens, template_kwargs) is None for messages in shapes
        )

    if refused("") or not refused(" ".join(texts)):
        return frozenset()  # nothing that it takes without them, or nothing that it refuses
    return frozenset(text for text in texts if refused(text))


def _outcome(
    template: str,
    probe: _Probe,
    *,
    special_tokens: Mapping[str, Any] | None,
    template_kwargs: Mapping[str, Any] | None,
) -> Outcome:
    text = _text(template, probe.messages, probe.tools, special_tokens, template_kwargs)
    if text is None or (probe.in_parts and _SPELLED_OUT in text):
        return Outcome.REFUSED
    return Outcome.PRINTED if all(needle in text for needle in probe.needles) else Outcome.IGNORED


def _text(
    template: str,
    messages: _Messages,
    tools: _Tools,
    special_tokens: Mapping[str, Any] | None,
    template_kwargs: Mapping[str, Any] | None,
) -> str | None:
    """What a template prints, None where it refuses."""
    try:
        return ConversationRenderer(
            Conversation.from_messages(messages, tools=tools),
            template=template,
            special_tokens=special_tokens,
            template_kwargs=template_kwargs,
        ).text()
    except MaskspecError:
        return None
