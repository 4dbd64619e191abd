"""The strategy for whole conversations of a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from maskspec.corpus import Pair
from maskspec.errors import UsageError
from maskspec.shapes import Capability, TemplateTraits, traits, traits_of_pair
from maskspec.shapes.schemas import SCHEMAS
from maskspec.strategies.assembly import Assembly, in_parts
from maskspec.strategies.generated import Generated
from maskspec.strategies.pieces import PIECES, spell
from maskspec.strategies.rounds import (
    CODES,
    NO_REASONING,
    as_first,
    call_forms,
    choose,
    closings,
    openings,
    prints_reasoning,
    rounds,
    ways_of_reasoning,
)
from maskspec.strategies.tools import fresh

__all__ = ["conversations", "conversations_of", "texts", "tool_schemas"]


def texts(*, empty: bool = False, blank: bool = False) -> st.SearchStrategy[str]:
    """Texts of one message, of every class that maskers trip over; the smallest is `a`.

    Prose, whitespace at the edges, newlines, CJK and other scripts, emoji with joiners, combining marks, right-to-left
    text, control characters, U+2581, JSON and code, markers and stop tokens of well-known formats, think and tool
    tags, any other character, and now and then thousands of words. `empty` also draws the empty text, `blank` also
    texts of nothing but whitespace.
    """
    return CODES.map(lambda code: spell(code, PIECES, empty=empty, blank=blank))


def tool_schemas(*, max_size: int = 3) -> st.SearchStrategy[list[dict[str, Any]]]:
    """One to `max_size` different tool schemas in the OpenAI shape, from none to deeply nested parameters."""
    return _schemas(tuple(range(len(SCHEMAS))), max_size)


@st.composite
def _schemas(draw: st.DrawFn, numbers: Sequence[int], max_size: int) -> list[dict[str, Any]]:
    known = len(numbers)
    count = draw(st.integers(1, min(max_size, known)), label="number of tools")
    first = draw(st.integers(0, known - 1), label="first tool")
    return [fresh(SCHEMAS[numbers[(first + step) % known]]) for step in range(count)]


@lru_cache(maxsize=1024)
def _schemas_of(traits: TemplateTraits) -> st.SearchStrategy[list[dict[str, Any]]]:
    return _schemas(traits.schemas, 3)


def conversations(
    template: Pair | str,
    *,
    special_tokens: Mapping[str, Any] | None = None,
    template_kwargs: Mapping[str, Any] | None = None,
    flags: bool = False,
    max_rounds: int = 6,
) -> st.SearchStrategy[Generated]:
    """Conversations that a template accepts, with everything that it can render and nothing that it cannot.

    `template` is a pair of the corpus or Jinja source. What it renders is found out by rendering, once per process
    (`maskspec.shapes.traits`); nothing is drawn and thrown away. `special_tokens` and `template_kwargs` are what the
    template is rendered with (`bos_token`, …); a pair brings its own. With `flags`, messages may carry `train`,
    `weight` and character spans. `max_rounds` bounds the rounds of question and answer.

    The smallest conversation is a question `a` and an answer `a`; everything shrinks towards it.

    Raises UsageError for `special_tokens` or `template_kwargs` beside a pair and for a bound below 1.
    """
    if max_rounds < 1:
        raise UsageError(f"max_rounds is {max_rounds}; a conversation has at least one round")
    if isinstance(template, str):
        found = traits(template, special_tokens=special_tokens, template_kwargs=template_kwargs)
    elif special_tokens is None and template_kwargs is None:
        found = traits_of_pair(template)
    else:
        raise UsageError("a pair brings its own special tokens and template variables; give its template's source")
    return conversations_of(found, flags=flags, max_rounds=max_rounds)


def conversations_of(
    traits: TemplateTraits, *, flags: bool = False, max_rounds: int = 6
) -> st.SearchStrategy[Generated]:
    """Conversations for a template whose traits are known."""
    if not traits.able(Capability.MULTI_TURN):
        # Guard models print the last round only: one round before it is enough to see that.
        max_rounds = min(max_rounds, 1 + traits.weight(Capability.MULTI_TURN))
    return _conversations(traits, flags, max_rounds)


_Parts = tuple[frozenset[str], bool, bool] | tuple[()]


@lru_cache(maxsize=1024)
def _ways_of_parts(traits: TemplateTraits) -> Sequence[_Parts]:
    """For which roles content becomes a list, whether in several parts, and whether for every second message only."""
    questions = frozenset({"user"})
    turns = questions | {"assistant"}
    ways: list[_Parts] = []
    weight = traits.weight
    for several in (False, True) if weight(Capability.SEVERAL_PARTS) else (False,):
        ways += [(turns, several, True)] * weight(Capability.LIST_CONTENT)
        ways += [(questions, several, False)] * weight(Capability.LIST_QUESTIONS)
        ways += [(turns, several, False)] * weight(Capability.LIST_CONTENT)
        ways += [(questions | {"system"}, several, False)] * weight(Capability.LIST_SYSTEM)
    return ((), *ways)


@lru_cache(maxsize=1024)
def _ways_of_variables(traits: TemplateTraits) -> Sequence[tuple[str, Any] | None]:
    """None, and template variables with values."""
    return (None, *((name, value) for name, values in traits.variables for value in values))


@lru_cache(maxsize=1024)
def _tool_choices(traits: TemplateTraits) -> Sequence[str]:
    # The fewest schemas first: what fails without schemas is shrunk to a conversation without.
    options = ["none"]
    options += ["calls only"] * traits.weight(Capability.CALLS_WITHOUT_SCHEMAS)
    options += ["tools"] * traits.weight(Capability.TOOLS, 2)
    options += ["bare tools"] * traits.able(Capability.BARE_SCHEMAS)
    return options


@lru_cache(maxsize=64)
def _counts(max_rounds: int) -> Sequence[int]:
    """Numbers of rounds, from one, small ones more often."""
    return tuple(count for count in range(1, max_rounds + 1) for _ in range(_OFTEN.get(count, 1)))


_OFTEN = {1: 6, 2: 5, 3: 3}
_WITH_FLAGS = (False, False, False, True, True)

_HABITS: tuple[tuple[str, str], ...] = (
    *(("", ""),) * 24,
    *(("\n", ""),) * 2,
    ("\n\n", ""),
    (" ", ""),
    *(("  ", ""),) * 2,
    ("", "\n"),
    ("  ", " "),
)
"""What stands at the edges of every answer of a conversation; data sets often have the like throughout."""

_SCOPES: tuple[str, ...] = (
    *("",) * 4,
    *("markers",) * 5,
    *("reasoning",) * 4,
    *("markers reasoning",) * 2,
    "parts",
    "markers parts",
    "variables",
    *("tools",) * 3,
    "markers tools",
    *("reasoning tools",) * 2,
    *("markers reasoning parts variables tools",) * 3,
)
"""What a conversation may hold beyond plain text.

Conversations that may hold everything would nearly all hold something that a given masker
does not take, or that hides what is wrong with it; so most leave some of it out, each
something else (swarm testing).
"""


@lru_cache(maxsize=1024)
def _scopes(traits: TemplateTraits) -> Sequence[frozenset[str]]:
    """The scopes that a template tells apart, each as often as it is to be drawn, the narrowest first."""
    able = {"markers"}
    able |= {"parts"} if len(_ways_of_parts(traits)) > 1 else set()
    able |= {"variables"} if len(_ways_of_variables(traits)) > 1 else set()
    able |= {"reasoning"} if prints_reasoning(traits) else set()
    able |= {"tools"} if len(_tool_choices(traits)) > 1 else set()
    # What a template leaves out never stands alone.
    ignored = {"reasoning"}
    scopes = (frozenset(scope.split()) for scope in _SCOPES)
    return sorted((scope & (able | ignored if len(scope) > 1 else able) for scope in scopes), key=len)


@st.composite
def _conversations(draw: st.DrawFn, traits: TemplateTraits, flags: bool, max_rounds: int) -> Generated:
    scope = choose(draw, _scopes(traits), "scope")
    choice = choose(draw, _tool_choices(traits), "tools") if "tools" in scope else "none"
    schemas = [] if choice == "none" else draw(_schemas_of(traits), label="schemas")
    if choice == "bare tools":
        schemas = [schema["function"] for schema in schemas]
    tools = schemas if choice in ("tools", "bare tools") else None
    with_tools = choice != "none" and bool(call_forms(traits))
    flagged = flags and choose(draw, _WITH_FLAGS, "with flags")
    edges = choose(draw, _HABITS, "edges of the answers")
    assembly = Assembly(traits, schemas, markers="markers" in scope, edges=edges)
    assembly.add(draw(openings(traits), label="opening"))
    reasoning = choose(draw, ways_of_reasoning(traits), "reasoning") if "reasoning" in scope else NO_REASONING
    strategy = rounds(traits, with_tools=with_tools, reasoning=reasoning, flagged=flagged)
    # Drawn right before the rounds: lowering a number and leaving out what follows it is one step of the shrinker.
    for number in range(choose(draw, _counts(max_rounds), "number of rounds")):
        drafts = draw(strategy, label="round")
        assembly.add(as_first(drafts) if number == 0 else drafts)
    last = closings(traits, with_tools=with_tools, reasoning=reasoning, flagged=flagged)
    assembly.add(draw(last, label="closing"))
    messages = assembly.messages
    parts = choose(draw, _ways_of_parts(traits), "content in parts") if "parts" in scope else ()
    if parts:
        roles, several, mixed = parts
        in_parts(messages, roles, several=several, mixed=mixed)
    variables = _ways_of_variables(traits)
    drawn = [choose(draw, variables, "template variable")] if "variables" in scope else []
    if drawn and drawn[0] is not None and len(traits.variables) > 1:
        drawn.append(choose(draw, variables, "another template variable"))
    return Generated(messages, tools, dict(pair for pair in drawn if pair is not None))
