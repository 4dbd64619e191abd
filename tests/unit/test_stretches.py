"""Whose stretch each span belongs to, on spans written by hand.

A span is written by its kind and its message: `s0` is a source character of message 0, `l0` a literal
of it, `l` and `v` a literal and a variable of nobody, `q0@1` a source character of message 0 that
message 1 repeats. The chapter on rendering says who owns what, the one on zones what a quotation is.
"""

from __future__ import annotations

import pytest

from maskspec.rendering import Origin, OriginKind, Span
from maskspec.stretches import stretches

KINDS = {"s": OriginKind.MESSAGE, "q": OriginKind.MESSAGE, "l": OriginKind.LITERAL, "v": OriginKind.VARIABLE}


def origin(name: str) -> Origin:
    message, _, quoted_in = name[1:].partition("@")
    return Origin(
        KINDS[name[0]],
        int(message) if message else None,
        ("content",) if name[0] in "sq" else (),
        quoted_in=int(quoted_in) if quoted_in else None,
    )


def owned(names: str) -> list[tuple[int | None, str]]:
    """Every stretch: its owner, and its spans by name."""
    written = names.split()
    spans = [Span(place, place + 1, origin(name), None) for place, name in enumerate(written)]
    found = stretches(spans)
    assert [place for one in found for place in range(one.start, one.end)] == list(range(len(written)))
    return [(one.owner, " ".join(written[span.start] for span in one.spans)) for one in found]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("", []),
        ("l", [(None, "l")]),
        ("l0 s0 l0 l1 s1 l1", [(0, "l0 s0 l0"), (1, "l1 s1 l1")]),
        ("l s0 v l s1 l", [(None, "l"), (0, "s0"), (None, "v l"), (1, "s1"), (None, "l")]),
    ],
    ids=["no text", "nobody's", "two messages", "nobody's around them"],
)
def test_spans_that_follow_each_other_belong_to_one_owner(names: str, expected: list[tuple[int | None, str]]) -> None:
    assert owned(names) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("s0 l s0", [(0, "s0 l s0")]),
        ("s0 l v l s0", [(0, "s0 l v l s0")]),
        ("s1 s0 l s0", [(1, "s1"), (0, "s0 l s0")]),
        ("l s0 l s0 l", [(None, "l"), (0, "s0 l s0"), (None, "l")]),
        ("s0 l s1 l s0", [(0, "s0"), (None, "l"), (1, "s1"), (None, "l"), (0, "s0")]),
    ],
)
def test_text_of_nobody_between_two_stretches_of_a_message_is_its_own(
    names: str, expected: list[tuple[int | None, str]]
) -> None:
    assert owned(names) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("s0 l0 q0@1 l1 s1", [(0, "s0 l0"), (1, "q0@1 l1 s1")]),
        ("s0 l1 s1 q0@1 l2 s2", [(0, "s0"), (1, "l1 s1 q0@1"), (2, "l2 s2")]),
        ("l1 q0@1 l1 s1", [(1, "l1"), (0, "q0@1"), (1, "l1 s1")]),
        ("l0 q0@1 l1 s1", [(0, "l0 q0@1"), (1, "l1 s1")]),
    ],
    ids=["first in the turn", "last in the turn", "the only place", "the only place, behind a literal of its own"],
)
def test_a_quotation_belongs_to_the_turn_that_repeats_it_unless_it_is_the_only_place(
    names: str, expected: list[tuple[int | None, str]]
) -> None:
    assert owned(names) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        # a loop inside message 1 looks back at message 0, before, between and behind its sources
        ("s0 l0 l1 l0 s1", [(0, "s0 l0"), (1, "l1 l0 s1")]),
        ("s0 l0 s1 l0 s1", [(0, "s0 l0"), (1, "s1 l0 s1")]),
        ("s0 l0 s1 l0 l1", [(0, "s0 l0"), (1, "s1 l0 l1")]),
        # one inside message 0 looks ahead at message 1
        ("s0 l1 s0 l0 s1", [(0, "s0 l1 s0 l0"), (1, "s1")]),
        # twice in one message
        ("s0 s1 l0 l1 l0 l1", [(0, "s0"), (1, "s1 l0 l1 l0 l1")]),
    ],
)
def test_a_stray_literal_belongs_to_the_message_in_whose_midst_it_stands(
    names: str, expected: list[tuple[int | None, str]]
) -> None:
    assert owned(names) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("s0 l1 l0 s1", [(0, "s0"), (1, "l1 l0 s1")]),
        ("s0 l1 s0", [(0, "s0"), (1, "l1"), (0, "s0")]),
        ("s0 l1 s2 s1", [(0, "s0"), (1, "l1"), (2, "s2"), (1, "s1")]),
        ("s0 s1 s0", [(0, "s0"), (1, "s1"), (0, "s0")]),
        ("l l0 v s1 s0", [(None, "l"), (0, "l0"), (None, "v"), (1, "s1"), (0, "s0")]),
    ],
    ids=[
        "a header that a stray literal parts from its message",
        "a message that prints nothing else",
        "between two messages",
        "sources",
        "in the midst of nobody's text",
    ],
)
def test_what_is_no_stray_literal_stays_where_it_is(names: str, expected: list[tuple[int | None, str]]) -> None:
    assert owned(names) == expected
