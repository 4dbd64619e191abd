"""Strategies for rounds: a question, perhaps tool calls and their results, and an answer, as drafts.

What a round may hold depends on the template alone, so the choices are put into a
menu once per template; the first entry of every list is the plainest, and entries
stand as often as they are to be drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

from hypothesis import strategies as st

from maskspec.shapes import Capability, TemplateTraits
from maskspec.strategies.drafts import AGAIN, Call, Draft, Form, Result

__all__ = [
    "CODES",
    "NO_REASONING",
    "Reasoning",
    "Round",
    "as_first",
    "call_forms",
    "choose",
    "closings",
    "openings",
    "prints_reasoning",
    "rounds",
    "ways_of_reasoning",
]

T = TypeVar("T")
Round = tuple[Draft, ...]

CODES = st.binary(min_size=1, max_size=5)
"""The bytes of a text."""
_ARGUMENTS = st.binary(min_size=1, max_size=10)
_FLAGS = st.binary(min_size=1, max_size=5)


@lru_cache(maxsize=128)
def _up_to(limit: int) -> st.SearchStrategy[int]:
    return st.integers(0, limit)


def choose(draw: st.DrawFn, options: Sequence[T], label: str) -> T:
    """One of some options, the first of which is the smallest; no choice where there is only one."""
    return options[draw(_up_to(len(options) - 1), label=label)] if len(options) > 1 else options[0]


@dataclass(frozen=True, slots=True)
class _Menu:
    """What rounds for one template are chosen from."""

    rounds: tuple[str, ...]
    reasoning: tuple[Form | None, ...]
    call_reasoning: tuple[Form | None, ...]
    call_contents: tuple[str, ...]
    call_forms: tuple[Form, ...]
    call_counts: tuple[int, ...]
    call_steps: tuple[int, ...]
    results: tuple[Result, ...]
    both: bool
    flagged: bool


_FIELDS = (
    (Capability.REASONING, Form.REASONING_CONTENT),
    (Capability.REASONING_AS_THINKING, Form.THINKING),
    (Capability.REASONING_AS_REASONING, Form.REASONING),
)
_CALL_FORMS = (
    (Capability.TOOL_CALLS, Form.OBJECT),
    (Capability.TOOL_CALLS_AS_TEXT, Form.TEXT),
    (Capability.BARE_CALLS, Form.BARE),
)
_CALL_CONTENTS = (
    (Capability.CALLS_WITH_EMPTY_CONTENT, "empty"),
    (Capability.CALLS_WITHOUT_CONTENT, "none"),
    (Capability.CALLS_WITH_CONTENT, "text"),
)


def call_forms(traits: TemplateTraits) -> tuple[Form, ...]:
    """The forms of calls that a template prints, or else those that it ignores; () when it takes none."""
    printed = tuple(form for capability, form in _CALL_FORMS if capability in traits.capabilities)
    return printed or tuple(form for capability, form in _CALL_FORMS if capability in traits.ignored)


Reasoning = tuple[Form | None, ...]
"""Where the answers of one conversation may have their reasoning, as often as it is to be drawn; None: nowhere."""

NO_REASONING: Reasoning = (None,)
"""No answer reasons."""


def prints_reasoning(traits: TemplateTraits) -> bool:
    """Whether a template prints reasoning from a field of its own."""
    return any(traits.able(capability) for capability, _ in _FIELDS)


@lru_cache(maxsize=1024)
def ways_of_reasoning(traits: TemplateTraits) -> Sequence[Reasoning]:
    """Conversations that keep to one form of reasoning, and those that mix all of them."""
    printed = tuple(form for capability, form in _FIELDS if traits.able(capability))
    ignored = tuple(form for capability, form in _FIELDS if capability in traits.ignored)[:1]
    forms = (*printed[:1], *printed[:1], *printed, *printed, Form.INLINE, *ignored)
    return (*((None, form, form) for form in forms), (None, None, None, Form.INLINE, *printed, *printed, *ignored))


def _menu(traits: TemplateTraits, *, with_tools: bool, reasoning: Reasoning, flagged: bool) -> _Menu:
    able, weight = traits.able, traits.weight
    beside = (None, *(form for form in reasoning if form is not Form.INLINE))
    usual = 8 if any(able(capability) for capability, _ in _CALL_FORMS) else 1
    kinds = ["plain"] * 5
    kinds += ["tools"] * usual * with_tools
    kinds += ["two questions"] * weight(Capability.CONSECUTIVE_QUESTIONS)
    kinds += ["two answers"] * weight(Capability.CONSECUTIVE)
    kinds += ["again"] + ["late system"] * weight(Capability.LATE_SYSTEM)
    results = [Result(), Result(), Result(as_object=True)]
    results += [Result(Form.BARE)] * weight(Capability.BARE_RESULTS)
    results += [Result(Form.PARTS)] * weight(Capability.LIST_RESULTS)
    return _Menu(
        rounds=tuple(kinds),
        reasoning=reasoning,
        call_reasoning=beside if weight(Capability.CALLS_WITH_REASONING) else (None,),
        call_contents=tuple(content for capability, content in _CALL_CONTENTS if weight(capability)),
        call_forms=call_forms(traits),
        call_counts=(1, 1, 2, 3) if weight(Capability.PARALLEL_CALLS) else (1,),
        call_steps=(1, 1, 1, 2) if weight(Capability.SEVERAL_CALL_ROUNDS) else (1,),
        results=tuple(results),
        both=weight(Capability.CALLS_WITH_BOTH) > 0,
        flagged=flagged,
    )


def _answer(draw: st.DrawFn, menu: _Menu) -> Draft:
    form = choose(draw, menu.reasoning, "how the answer is reasoned")
    reasoning = None if form is None else draw(CODES, label="reasoning")
    return Draft("assistant", draw(CODES, label="answer"), reasoning, form or Form.INLINE)


def _calls(draw: st.DrawFn, menu: _Menu) -> Draft:
    """A message that calls tools."""
    content = choose(draw, menu.call_contents, "content beside the calls")
    text = {"empty": b"", "none": None}.get(content) if content != "text" else draw(CODES, label="text before calls")
    reasonings = menu.call_reasoning if menu.both or content != "text" else (None,)
    form = choose(draw, reasonings, "how the call is reasoned")
    reasoning = None if form is None else draw(CODES, label="reasoning")
    spelled = choose(draw, menu.call_forms, "form of the calls")
    count = choose(draw, menu.call_counts, "number of calls")
    calls = tuple(Call(draw(_ARGUMENTS, label="call"), spelled) for _ in range(count))
    return Draft("assistant", text, reasoning, form or Form.INLINE, calls)


def _results(draw: st.DrawFn, menu: _Menu, calls: Draft) -> Round:
    result = choose(draw, menu.results, "form of the results")
    return tuple(Draft("tool", draw(CODES, label="result"), result=result) for _ in calls.calls)


def _exchanges(menu: _Menu) -> st.SearchStrategy[Round]:
    """Strategy for calls and their results, once or twice."""

    @st.composite
    def one_exchange(draw: st.DrawFn) -> Round:
        calls = _calls(draw, menu)
        return (calls, *_results(draw, menu, calls))

    one = one_exchange()

    @st.composite
    def exchanges(draw: st.DrawFn) -> Round:
        steps = choose(draw, menu.call_steps, "steps of calls")
        return tuple(draft for _ in range(steps) for draft in draw(one, label="calls and results"))

    return exchanges()


def _round(draw: st.DrawFn, menu: _Menu, exchanges: st.SearchStrategy[Round], kind: str) -> Round:
    """A round of one kind.

    Calls are drawn last and in one go, though they stand in the middle: a plainer kind of round is then the same
    choices without the last ones, which is a step that Hypothesis takes when it shrinks.
    """
    if kind == "again":
        return AGAIN
    drafts = [Draft("user", draw(CODES, label="question"))]
    answers = [_answer(draw, menu)]
    if kind == "two answers":
        answers.append(_answer(draw, menu))
    if kind == "late system":
        drafts.insert(0, Draft("system", draw(CODES, label="late system message")))
    if kind == "two questions":
        drafts.append(Draft("user", draw(CODES, label="question")))
    if kind == "tools":
        drafts += draw(exchanges, label="exchanges")
    return _flagged(draw, menu, [*drafts, *answers])


def _flagged(draw: st.DrawFn, menu: _Menu, drafts: Sequence[Draft]) -> Round:
    """The same messages with training flags, where the conversation has any."""
    if not menu.flagged:
        return tuple(drafts)
    return tuple(replace(draft, flags=draw(_FLAGS, label="flags")) for draft in drafts)


@lru_cache(maxsize=1024)
def rounds(
    traits: TemplateTraits, *, with_tools: bool, reasoning: Reasoning, flagged: bool
) -> st.SearchStrategy[Round]:
    """Rounds for a template, the first one like every other, so that Hypothesis can leave out any of them.

    `as_first` makes a first round of one that leans on a round before it.
    """
    menu = _menu(traits, with_tools=with_tools, reasoning=reasoning, flagged=flagged)
    exchanges = _exchanges(menu)

    @st.composite
    def some_rounds(draw: st.DrawFn) -> Round:
        return _round(draw, menu, exchanges, choose(draw, menu.rounds, "kind of round"))

    return some_rounds()


def as_first(drafts: Round) -> Round:
    """The same round where nothing stands before it: no system message, and nothing to repeat."""
    if drafts is AGAIN:
        return Draft("user", b"\0"), Draft("assistant", b"\0")
    return drafts[1:] if drafts[0].role == "system" else drafts


@lru_cache(maxsize=1024)
def openings(traits: TemplateTraits) -> st.SearchStrategy[Round]:
    """What stands before the first round: usually nothing or a system message."""
    weight = traits.weight
    options: list[tuple[str, ...]] = [()] * 5
    options += [("system",)] * weight(Capability.SYSTEM, 4)
    options += [("developer",)] * weight(Capability.DEVELOPER)
    options += [("system", "developer")] * weight(Capability.SYSTEM_AND_DEVELOPER)
    options += [("assistant",)] * weight(Capability.LEADING_ASSISTANT)

    @st.composite
    def first_messages(draw: st.DrawFn) -> Round:
        roles = choose(draw, options, "before the first round")
        return tuple(Draft(role, draw(CODES, label=f"{role} message")) for role in roles)

    return first_messages()


@lru_cache(maxsize=1024)
def closings(
    traits: TemplateTraits, *, with_tools: bool, reasoning: Reasoning, flagged: bool
) -> st.SearchStrategy[Round]:
    """What stands after the last round: usually nothing, or else something that waits for an answer."""
    menu = _menu(traits, with_tools=with_tools, reasoning=reasoning, flagged=flagged)
    options = ["nothing"] * 8
    if traits.weight(Capability.MULTI_TURN):
        options += ["question"] * traits.weight(Capability.TRAILING_USER, 2)
        options += ["call"] * traits.weight(Capability.TRAILING_CALL) * with_tools
        options += ["result"] * traits.weight(Capability.TRAILING_RESULT) * with_tools

    @st.composite
    def last_messages(draw: st.DrawFn) -> Round:
        kind = choose(draw, options, "after the last round")
        if kind == "nothing":
            return ()
        question = Draft("user", draw(CODES, label="question"))
        if kind == "question":
            return _flagged(draw, menu, (question,))
        calls = _calls(draw, menu)
        results = () if kind == "call" else _results(draw, menu, calls)
        return _flagged(draw, menu, (question, calls, *results))

    return last_messages()
