"""Ten planted bugs and one more: what Hypothesis and the suite's own reducer make of a failing conversation."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, find, settings

from maskspec.conformance.cases import Case
from maskspec.conformance.shrinking import shrink, size
from maskspec.shapes import traits
from maskspec.strategies import Generated, conversations
from maskspec.strategies.sampling import sample_traits
from tests.unit.planted_bugs import BUGS, TEMPLATE, Planted, assistant, user, well_formed

ATTEMPTS = 300

each_bug = pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)


def smallest(bug: Planted) -> list[dict[str, Any]]:
    return [deepcopy(dict(message)) for message in bug.smallest]


@each_bug
def test_what_is_expected_and_what_was_met_show_the_bug(bug: Planted) -> None:
    assert bug.fails(bug.smallest)
    assert bug.fails(bug.met)
    assert not bug.fails([user("a"), assistant("a")])


# Now and then Hypothesis stops at a conversation that only two changes at once make smaller; then it begins anew.
SEARCHES = 3


@each_bug
def test_hypothesis_shrinks_to_the_smallest_conversation(bug: Planted) -> None:
    expected = Generated(smallest(bug), None, {})
    found: list[Generated] = []
    while expected not in found and len(found) < SEARCHES:
        found.append(
            find(
                conversations(TEMPLATE, flags=True),
                lambda generated: bug.fails(generated.messages),
                settings=settings(
                    max_examples=5000, deadline=None, database=None, phases=(Phase.generate, Phase.shrink)
                ),
                random=Random(len(found)),
            )
        )
    assert expected in found


def reduced(bug: Planted, case: Case) -> tuple[Case, int]:
    tried = []

    def still_fails(candidate: Case) -> bool:
        tried.append(candidate)
        return bug.fails(candidate.messages)

    return shrink(case, still_fails, attempts=ATTEMPTS), len(tried)


@each_bug
def test_the_reducer_ends_there_from_what_was_met(bug: Planted) -> None:
    before = deepcopy(bug.met)
    case, tried = reduced(bug, Case(messages=list(bug.met), template_kwargs={"enable_thinking": False}, number=7))
    assert case == Case(messages=smallest(bug), number=7)
    assert tried <= ATTEMPTS
    assert bug.met == before


@cache
def generated() -> list[Generated]:
    return sample_traits(traits(TEMPLATE), flags=True, examples=800, seed=11)


@each_bug
def test_the_reducer_ends_as_small_from_generated_conversations(bug: Planted) -> None:
    failing = [each for each in generated() if bug.fails(each.messages)][:3]
    assert failing
    for each in failing:
        case, _ = reduced(bug, Case(messages=each.messages, tools=each.tools, template_kwargs=each.template_kwargs))
        assert size(case) <= size(Case(messages=smallest(bug))), case.messages
        assert [message["role"] for message in case.messages] == [message["role"] for message in bug.smallest]


def test_the_number_of_attempts_is_kept() -> None:
    bug = BUGS[0]
    tried = 0

    def still_fails(candidate: Case) -> bool:
        nonlocal tried
        tried += 1
        return bug.fails(candidate.messages)

    shrink(Case(messages=list(bug.met)), still_fails, attempts=5)
    assert tried == 5


def test_a_strict_format_is_told_from_others() -> None:
    assert well_formed([user("a"), assistant("a")])
    assert not well_formed([assistant("a")])
    assert not well_formed([user("a"), user("a"), assistant("a")])
    assert not well_formed([user("a"), assistant("a"), user("a")])
