"""What a budget counts before something is built: never less than Python then builds, and little more.

How large a result is (`real`) and what may be asked for is worked out by hand. A limit just
below the first has to stop the operation; one of the second has to let it pass, or limits would
refuse templates that stay within them.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from maskspec.errors import TemplateLimitExceeded
from maskspec.rendering.limits import Budget, Limits


def budget(**given: Any) -> Budget:
    return Budget(Limits(**given))


# Time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still: its one entry is the time."""
    now = [1000.0]
    monkeypatch.setattr("maskspec.rendering.limits.time.monotonic", lambda: now[0])
    return now


def test_the_time_may_be_used_to_its_last_moment(clock: list[float]) -> None:
    spent = budget(seconds=2.5)
    spent.tick()
    clock[0] += 2.5
    spent.tick()
    clock[0] += 0.1
    with pytest.raises(TemplateLimitExceeded) as caught:
        spent.tick()
    assert str(caught.value) == (
        "the template ran longer than 2.5 seconds; raise Limits(seconds=…) if that is expected"
    )


def test_the_time_begins_with_the_budget(clock: list[float]) -> None:
    budget(seconds=1)
    clock[0] += 50
    later = budget(seconds=1)
    later.tick()


# Texts, lists and numbers


def test_a_text_may_be_as_long_as_the_limit() -> None:
    spent = budget(characters=1000)
    spent.text(1000)
    with pytest.raises(TemplateLimitExceeded) as caught:
        spent.text(1001)
    assert str(caught.value) == (
        "the template builds texts of more than 1,000 characters; raise Limits(characters=…) if that is expected"
    )


def test_all_texts_together_may_be_forty_times_as_long() -> None:
    spent = budget(characters=10)
    for _ in range(40):
        spent.text(10)
    spent.text(0)
    with pytest.raises(TemplateLimitExceeded, match="more than 10 characters"):
        spent.text(1)


@pytest.mark.parametrize("size", [-1, -(10**12)])
def test_nothing_is_given_back(size: int) -> None:
    """What would be shorter than nothing, such as a text centred in a negative width, makes no room for others."""
    spent = budget(characters=10)
    spent.text(size)
    for _ in range(40):
        spent.text(10)
    with pytest.raises(TemplateLimitExceeded):
        spent.text(1)


def test_a_list_may_have_as_many_items_as_the_limit() -> None:
    spent = budget(items=1000)
    for _ in range(100):
        spent.sequence(1000)
    with pytest.raises(TemplateLimitExceeded) as caught:
        spent.sequence(1001)
    assert str(caught.value) == (
        "the template builds a list of more than 1,000 items; raise Limits(items=…) if that is expected"
    )


def test_an_integer_may_have_twenty_thousand_bits() -> None:
    spent = budget()
    spent.integer(20_000)
    with pytest.raises(TemplateLimitExceeded) as caught:
        spent.integer(20_001)
    assert str(caught.value) == "the template computes an integer of more than 20,000 bits"


def endless(most: int) -> Iterator[int]:
    """Numbers without end, of which no more than so many may be asked for."""
    yield from range(most)
    raise AssertionError(f"asked for more than {most}")


def test_no_more_items_are_read_than_show_that_there_are_too_many() -> None:
    assert budget(items=3).bounded(iter("abc")) == ["a", "b", "c"]
    assert budget(items=3).bounded("abc") == ["a", "b", "c"]
    assert budget(items=3).bounded({"a": 1, "b": 2}) == ["a", "b"]
    with pytest.raises(TemplateLimitExceeded, match="more than 3 items"):
        budget(items=3).bounded(endless(4))


def test_what_knows_its_length_is_not_read_at_all() -> None:
    class Unreadable(list[int]):
        def __iter__(self) -> Iterator[int]:
            raise AssertionError("read")

    with pytest.raises(TemplateLimitExceeded, match="more than 3 items"):
        budget(items=3).bounded(Unreadable([1, 2, 3, 4]))


# Containers


@pytest.mark.parametrize(
    ("value", "weight"),
    [
        (None, 1),
        (True, 1),
        (2.5, 1),
        (5, 1 + 1),
        (10**12, 1 + 13),
        (-(10**12), 1 + 13),
        ("", 1),
        ("abc", 4),
        ([], 1),
        ([2.5, None], 3),
        (("ab", 5), 1 + 3 + 2),
        ({"a": "bc", None: []}, 1 + (2 + 3) + (1 + 1)),
        ([["ab"], ["ab"]], 1 + (1 + 3) + (1 + 3)),
    ],
    ids=repr,
)
def test_a_value_weighs_its_characters_and_its_items(value: Any, weight: int) -> None:
    assert budget().weight(value) == weight


def test_a_container_counts_as_a_text_of_its_weight() -> None:
    container = ["abc", [None, None]]
    assert budget(characters=8).collect(container) is container
    with pytest.raises(TemplateLimitExceeded, match="more than 7 characters"):
        budget(characters=7).collect(container)


class Watched(list[Any]):
    """A list that counts how often it is read, and that can be referred to weakly."""

    reads = 0

    def __iter__(self) -> Iterator[Any]:
        self.reads += 1
        return super().__iter__()


def test_a_container_is_read_once_however_many_hold_it() -> None:
    spent = budget()
    inner = Watched(["abc"])
    spent.collect(inner)
    outer = spent.collect([inner, inner])
    spent.collect({"a": outer, "b": outer})
    assert inner.reads == 1
    assert spent.weight(outer) == 1 + 5 + 5


def test_a_container_that_was_weighed_stays() -> None:
    """Another one at its place in memory would be taken for it."""
    spent = budget()
    container = Watched(["abc"])
    gone = weakref.ref(container)
    spent.collect(container)
    del container
    assert gone() is not None


def test_two_containers_are_told_apart() -> None:
    spent = budget()
    small, large = [None], ["abc"]
    spent.collect(small)
    spent.collect(large)
    assert (spent.weight(small), spent.weight(large)) == (2, 5)


@pytest.mark.parametrize(
    ("value", "levels"),
    [
        (5, 0),
        ("abc", 0),
        ([], 0),
        ([5, "abc"], 1 + 1),
        ((5, [6, 7]), 1 + 1 + 2 + 2),
        ({"a": 5, "b": {"c": [6]}}, 1 + 1 + 2 + 3),
    ],
    ids=repr,
)
def test_levels_are_how_deep_all_items_stand(value: Any, levels: int) -> None:
    assert budget().levels(value) == levels


def test_the_levels_of_what_many_hold_are_counted_once() -> None:
    inner = Watched([5])
    assert budget().levels([[inner, inner], inner]) == 1 + 1 + 2 + 2 + 2 + 3 + 3
    assert inner.reads == 1


# Operators

Charge = Callable[[Budget], None]

TEXTS: list[tuple[str, Charge, int, int]] = [
    # what is built, how many characters that are, how many may be asked for
    ("'ab' + 'cde'", lambda spent: spent.add("ab", "cde"), 5, 5),
    ("'ab' * 3", lambda spent: spent.multiply("ab", 3), 6, 6),
    ("3 * 'ab'", lambda spent: spent.multiply(3, "ab"), 6, 6),
    ("'ab' * 1", lambda spent: spent.multiply("ab", 1), 2, 2),
    ("['abcd'] * 3", lambda spent: spent.multiply(["abcd"], 3), 12, 18),
    ("3 * ('abcd',)", lambda spent: spent.multiply(3, ("abcd",)), 12, 18),
]


@pytest.mark.parametrize(("charge", "real", "enough"), [case[1:] for case in TEXTS], ids=[case[0] for case in TEXTS])
def test_an_operator_that_builds_a_text(charge: Charge, real: int, enough: int) -> None:
    charge(budget(characters=enough))
    with pytest.raises(TemplateLimitExceeded, match="characters"):
        charge(budget(characters=real - 1))


LISTS: list[tuple[str, Charge, int]] = [
    ("[1, 2] + [3]", lambda spent: spent.add([1, 2], [3]), 3),
    ("(1,) + (2, 3, 4)", lambda spent: spent.add((1,), (2, 3, 4)), 4),
    ("[1, 2] * 3", lambda spent: spent.multiply([1, 2], 3), 6),
    ("3 * (1, 2)", lambda spent: spent.multiply(3, (1, 2)), 6),
]


@pytest.mark.parametrize(("charge", "real"), [case[1:] for case in LISTS], ids=[case[0] for case in LISTS])
def test_an_operator_that_builds_a_list(charge: Charge, real: int) -> None:
    charge(budget(items=real))
    with pytest.raises(TemplateLimitExceeded, match="items"):
        charge(budget(items=real - 1))


NUMBERS: list[tuple[str, Charge, bool]] = [
    ("2**9998 * 2**9998", lambda spent: spent.multiply(2**9998, 2**9998), True),
    ("2**10000 * 2**10000", lambda spent: spent.multiply(2**10000, 2**10000), False),
    ("2 ** 10000", lambda spent: spent.power(2, 10_000), True),
    ("2 ** 20000", lambda spent: spent.power(2, 20_000), False),
    ("(2**20000) ** 1", lambda spent: spent.power(2**20_000, 1), False),
    ("3 ** 10**12", lambda spent: spent.power(3, 10**12), False),
    ("2 ** -1000000", lambda spent: spent.power(2, -1_000_000), True),
    ("(10**5000) ** 0", lambda spent: spent.power(10**5000, 0), True),
]


@pytest.mark.parametrize(("charge", "fits"), [case[1:] for case in NUMBERS], ids=[case[0] for case in NUMBERS])
def test_an_operator_that_builds_a_number(charge: Charge, fits: bool) -> None:
    if fits:
        charge(budget(characters=10, items=10))
        return
    with pytest.raises(TemplateLimitExceeded, match="more than 20,000 bits"):
        charge(budget())


LEFT_TO_PYTHON: list[Charge] = [
    lambda spent: spent.add("long", 1),
    lambda spent: spent.add(1, "long"),
    lambda spent: spent.add([1], "long"),
    lambda spent: spent.add((1,), 2),
    lambda spent: spent.add(1, [2]),
    lambda spent: spent.multiply("long", "long"),
    lambda spent: spent.multiply("long", 1.5),
    lambda spent: spent.multiply(1.5, [1]),
    lambda spent: spent.multiply(1.5, 2.5),
    lambda spent: spent.multiply(None, 2),
    lambda spent: spent.multiply("long", -1),
    lambda spent: spent.multiply("long", 0),
    lambda spent: spent.power("long", 2),
    lambda spent: spent.power(2, "long"),
    lambda spent: spent.power(2.5, 100_000),
    lambda spent: spent.power(2, 0.5),
]


@pytest.mark.parametrize("charge", LEFT_TO_PYTHON)
def test_operands_that_build_nothing_cost_nothing(charge: Charge) -> None:
    charge(budget(characters=0, items=0))
