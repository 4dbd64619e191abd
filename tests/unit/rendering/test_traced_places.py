"""Every operation on a traced text leaves each character at its place in its source, on texts that show it.

The characters tell their origin themselves: small letters were copied from one
source, capital letters from another, white space and punctuation from a third,
each at the place where it stands in that source, which holds it once; digits
and all others are literals. `str` is the oracle for the text.
"""

from __future__ import annotations

import copy
import operator
import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from maskspec.rendering.origins import PENDING_LITERAL, Origin, OriginKind
from maskspec.rendering.traced import (
    TracedFloat,
    TracedInteger,
    TracedText,
    coarse,
    concatenate,
    cut,
    make_traced,
    percent,
    runs_of,
    sole_owner,
    strings_within,
)

SOURCES: dict[Origin, str] = {
    Origin(OriginKind.MESSAGE, 0, ("content",)): "abcdefghijklmnopqrstuvwxyz",
    Origin(OriginKind.MESSAGE, 1, ("content",)): "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    Origin(OriginKind.VARIABLE, None, ("v",)): " \t\n\r\x1c\u2028,.;",
}
SMALL, CAPITAL, SPACE = SOURCES
PLACES = {character: (origin, place) for origin, text in SOURCES.items() for place, character in enumerate(text)}


def place_of(character: str) -> tuple[Origin, int | None]:
    return PLACES.get(character, (PENDING_LITERAL, None))


def showing(text: str) -> TracedText:
    """A traced text whose characters have the origins that they show; what is consecutive in a source is one run."""
    runs: list[tuple[int, Origin, int | None]] = []
    for character in text:
        origin, place = place_of(character)
        if runs and runs[-1][1] is origin:
            length, _, start = runs[-1]
            if place is None or (start is not None and start + length == place):
                runs[-1] = (length + 1, origin, start)
                continue
        runs.append((1, origin, place))
    return make_traced(text, tuple(runs))


def check(value: Any) -> None:
    """Every character has the origin that it shows."""
    if isinstance(value, (list, tuple)):
        for item in value:
            check(item)
    elif isinstance(value, str):
        plain, position = str.__str__(value), 0
        for length, origin, offset in runs_of(value):
            assert length > 0
            for step in range(length):
                found = (origin, None if offset is None else offset + step)
                assert (plain[position + step], *found) == (plain[position + step], *place_of(plain[position + step]))
            position += length
        assert position == len(plain)


def plain(value: Any) -> Any:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (list, tuple)):
        return type(value)(plain(item) for item in value)
    return value


TEXTS = ["", "a", "abc", "ab0CD ef", " \tab, CD\n", "0ab1", "aab.AA.a,b", "a\r\nB\x1cc\u2028", "  ", "xyz12ABC;;zz"]

KEEPING: dict[str, Callable[[Any], Any]] = {
    "itself": str,
    "format": lambda t: f"{t}",
    "plus": lambda t: t + "01" + t,
    "plus after": lambda t: "01" + t,
    "times": lambda t: [t * -1, t * 0, t * 1, t * 3, 2 * t, t * True],
    "subscripts": lambda t: [t[i] for i in range(-len(t), len(t))],
    "iteration": list,
    "backwards": lambda t: [list(reversed(t)), t[::-1]],
    "slices": lambda t: [t[i:j] for i in range(-2, len(t) + 2) for j in range(-2, len(t) + 2)],
    "open slices": lambda t: [(t[i:], t[:i]) for i in range(-2, 5)],
    "steps": lambda t: [t[i:j:k] for i in (None, 0, 1, -2) for j in (None, 2, 9, -1) for k in (1, 2, 3, -1, -2)],
    "strip": lambda t: [t.strip(), t.lstrip(), t.rstrip(), t.strip(None)],
    "strip characters": lambda t: [
        strip(c) for strip in (t.strip, t.lstrip, t.rstrip) for c in ("a", " ab", "z;c", "", "0")
    ],
    "remove affixes": lambda t: [(t.removeprefix(x), t.removesuffix(x)) for x in ("", "a", "ab", "zz", "\n", t)],
    "split": lambda t: [t.split(), t.split(None, 1), t.split(maxsplit=0), t.rsplit(), t.rsplit(None, 1)],
    "split at": lambda t: [
        cut(x, n) for cut in (t.split, t.rsplit) for x in ("a", ",", "A.", " ") for n in (-1, 0, 1, 2)
    ],
    "splitlines": lambda t: [t.splitlines(), t.splitlines(True), t.splitlines(keepends=False)],
    "partition": lambda t: [part(x) for part in (t.partition, t.rpartition) for x in ("a", " ", "A.", "zz", "q")],
    "replace": lambda t: [t.replace(x, y) for x in ("a", "zz", ", ", "q") for y in ("", "7", showing("Yz"))],
    "replace some": lambda t: [t.replace(x, "7", n) for x in ("a", "z", ";") for n in (-2, -1, 0, 1, 2, True)],
    "join": lambda t: [
        t.join(x) for x in ([], [""], ["1"], ["1", t], ("", showing("x"), "2"), "345", {"6": 1, "7": 2})
    ],
    "join a generator": lambda t: t.join(x for x in ("1", "2")),
    "joined": lambda t: [showing(x).join([t, t]) for x in ("", "; ", "0")],
    "percent": lambda t: [percent(p, (t, t)) for p in ("%s%s", "1%s2%s3", "%%%s0%s%%")],
    "percent of one": lambda t: [percent(p, t) for p in ("%s", "1%s", "%s%%2")],
    "percent with names": lambda t: percent("1%(k)s2%(k)s%%%(k j)s", {"k": t, "k j": showing("Yz")}),
    "percent with numbers": lambda t: percent("%d0%s1%03d2%o", (3, t, 4, 8)),
    "percent of a traced pattern": lambda t: percent(showing("ab%sC %s0"), (t, showing("x"))),
}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", KEEPING)
def test_every_character_keeps_its_place(name: str, text: str) -> None:
    operation = KEEPING[name]
    result, expected = operation(showing(text)), _on_plain(operation, text)
    assert plain(result) == plain(expected)
    check(result)


def _on_plain(operation: Callable[[Any], Any], text: str) -> Any:
    return operation(text)


def test_the_modulo_operator_is_percent() -> None:
    result = showing("ab%s") % showing("Cd")
    assert plain(result) == "abCd"
    check(result)


def test_results_are_traced_even_where_nothing_changes() -> None:
    text = showing("ab0 ")
    results: list[str] = [
        *(str(text), f"{text}", text[:], text.strip("q"), text.lstrip("q"), text.rstrip("q"), text.removeprefix("q")),
        *(text.removesuffix("q"), text.replace("q", "r"), text.split("q")[0], text.partition("q")[0]),
        *(text.rpartition("q")[2], text.splitlines()[0], text + "", "" + text, text * 1, text.lower()),
    ]
    for result in results:
        assert runs_of(result) == runs_of(text)
        assert type(result) is TracedText


REPEATED: list[tuple[str, Callable[[str], Sequence[str]], list[list[int]]]] = [
    ("ab ab ab", lambda t: t.split(), [[0, 1], [3, 4], [6, 7]]),
    ("ab ab ab", lambda t: t.rsplit(), [[0, 1], [3, 4], [6, 7]]),
    ("ab ab ab", lambda t: t.split(None, 1), [[0, 1], [3, 4, 5, 6, 7]]),
    ("ab ab ab", lambda t: t.rsplit(None, 1), [[0, 1, 2, 3, 4], [6, 7]]),
    ("  b b b", lambda t: t.split(None, 1), [[2], [4, 5, 6]]),
    ("xabb", lambda t: t.split("ab"), [[0], [3]]),
    ("xabb", lambda t: t.rsplit("ab", 1), [[0], [3]]),
    ("a-a--a", lambda t: t.split("-"), [[0], [2], [], [5]]),
    ("a\na\n\na", lambda t: t.splitlines(), [[0], [2], [], [5]]),
    ("a\r\na", lambda t: t.splitlines(True), [[0, 1, 2], [3]]),
    ("a.a.a", lambda t: t.partition("."), [[0], [1], [2, 3, 4]]),
    ("a.a.a", lambda t: t.rpartition("."), [[0, 1, 2], [3], [4]]),
    ("aaa", lambda t: [t.strip("b"), t.removeprefix("a"), t.removesuffix("a")], [[0, 1, 2], [1, 2], [0, 1]]),
    ("a a a", lambda t: [t.lstrip("a"), t.rstrip("a"), t.strip("a")], [[1, 2, 3, 4], [0, 1, 2, 3], [1, 2, 3]]),
    (
        "a-a-a",
        lambda t: [t.replace("a", "", 1), t.replace("a", "", 2), t.replace("-", "")],
        [[1, 2, 3, 4], [1, 3, 4], [0, 2, 4]],
    ),
]


@pytest.mark.parametrize(("text", "operation", "expected"), REPEATED)
def test_equal_characters_are_told_apart(
    text: str, operation: Callable[[str], Sequence[str]], expected: list[list[int]]
) -> None:
    result = operation(make_traced(text, ((len(text), SMALL, 0),)))
    assert plain(list(result)) == list(operation(text))
    found = [
        [start + step for length, _, start in runs_of(part) if start is not None for step in range(length)]
        for part in result
    ]
    assert found == expected


# Changes of case

CASES: list[tuple[str, str, str, list[int | None]]] = [
    ("upper", "ab", "AB", [0, 1]),
    ("lower", "AB", "ab", [0, 1]),
    ("swapcase", "aB", "Ab", [0, 1]),
    ("title", "ab cd", "Ab Cd", [0, 1, 2, 3, 4]),
    ("capitalize", "aB C", "Ab c", [0, 1, 2, 3]),
    ("casefold", "AB", "ab", [0, 1]),
    ("upper", "aßb", "ASSB", [0, 1, 1, 2]),
    ("upper", "ßŉ", "SSʼN", [0, 0, 1, 1]),
    ("lower", "aİb", "ai̇b", [0, 1, 1, 2]),
    ("swapcase", "ßA", "SSa", [0, 0, 1]),
    ("casefold", "Aß", "ass", [0, 1, 1]),
    ("upper", "", "", []),
]


@pytest.mark.parametrize(("method", "text", "changed", "places"), CASES)
def test_a_change_of_case_keeps_places(method: str, text: str, changed: str, places: list[int | None]) -> None:
    assert getattr(text, method)() == changed
    result = getattr(make_traced(text, ((len(text), SMALL, 5),) if text else ()), method)()
    assert plain(result) == changed
    found = [(origin, offset) for length, origin, start in runs_of(result) for offset in _offsets(length, start)]
    assert found == [(SMALL, place + 5) for place in places if place is not None]


def _offsets(length: int, start: int | None) -> list[int | None]:
    return [None if start is None else start + step for step in range(length)]


def test_a_longer_character_of_several_sources_keeps_them_apart() -> None:
    text = concatenate([make_traced("ß", ((1, SMALL, 4),)), "ß", make_traced("ß", ((1, CAPITAL, None),))])
    assert runs_of(text.upper()) == (
        *((1, SMALL, 4), (1, SMALL, 4), (1, PENDING_LITERAL, None), (1, PENDING_LITERAL, None)),
        *((1, CAPITAL, None), (1, CAPITAL, None)),
    )


def test_a_title_that_is_longer_belongs_to_its_main_source() -> None:
    text = make_traced("ßab", ((1, SMALL, 0), (2, CAPITAL, 0)))
    assert plain(text.title()) == "Ssab"
    assert runs_of(text.title()) == ((4, CAPITAL, None),)
    assert runs_of(text.capitalize()) == ((4, CAPITAL, None),)


# What cannot be followed exactly


@pytest.mark.parametrize(
    ("result", "inputs", "expected"),
    [
        ("", ["ab"], ()),
        ("", [], ()),
        ("12", [], ((2, PENDING_LITERAL, None),)),
        ("12", ["3", 4, None], ((2, PENDING_LITERAL, None),)),
        # An input that is there whole keeps its places, and the rest is literal.
        ("ab", ["ab"], ((2, SMALL, 0),)),
        ("0ab", ["ab"], ((1, PENDING_LITERAL, None), (2, SMALL, 0))),
        ("ab01", ["ab"], ((2, SMALL, 0), (2, PENDING_LITERAL, None))),
        ("00bc1", ["bc"], ((2, PENDING_LITERAL, None), (2, SMALL, 1), (1, PENDING_LITERAL, None))),
        ("0bB1", ["bB"], ((1, PENDING_LITERAL, None), (1, SMALL, 1), (1, CAPITAL, 1), (1, PENDING_LITERAL, None))),
        ("0bc1", [" bc\t"], ((1, PENDING_LITERAL, None), (2, SMALL, 1), (1, PENDING_LITERAL, None))),
        ("0bc1BC", ["xyz", "BC", "bc"], ((4, PENDING_LITERAL, None), (2, CAPITAL, 1))),
        ("0bc", [5, "", "bc"], ((1, PENDING_LITERAL, None), (2, SMALL, 1))),
        ("01 ", [" \t"], ((3, SPACE, None),)),
        # Otherwise everything belongs to what gives most characters.
        ("000", ["ab", "CDE"], ((3, CAPITAL, None),)),
        ("000", ["abc", "DE"], ((3, SMALL, None),)),
        ("0", ["abCdE"], ((1, SMALL, None),)),
        ("0", ["aBcDE"], ((1, CAPITAL, None),)),
        ("0", ["aB", "bC", "Dd"], ((1, SMALL, None),)),
        ("0", ["Ba", "cDe"], ((1, SMALL, None),)),
        ("0", ["a12345"], ((1, SMALL, None),)),
        ("9", ["12345"], ((1, PENDING_LITERAL, None),)),
        ("000", [5, "a", None, ["CDE"]], ((3, SMALL, None),)),
    ],
)
def test_a_computed_text_is_attributed_without_guessing(result: str, inputs: list[Any], expected: Any) -> None:
    given = [showing(one) if isinstance(one, str) else one for one in inputs]
    found = coarse(result, *given)
    assert plain(found) == result
    assert runs_of(found) == expected


def test_plain_inputs_contribute_nothing() -> None:
    assert runs_of(coarse("abc", "abc", "b")) == ((3, PENDING_LITERAL, None),)
    assert runs_of(coarse("0b0", "abc", showing("b"))) == (
        (1, PENDING_LITERAL, None),
        (1, SMALL, 1),
        (1, PENDING_LITERAL, None),
    )


LITERAL = PENDING_LITERAL
PADDED: list[tuple[str, Sequence[Any], str, str, Any]] = [
    ("center", (6,), "ab", "  ab  ", ((2, LITERAL, None), (2, SMALL, 0), (2, LITERAL, None))),
    ("center", (5, "-"), "ab", "--ab-", ((2, LITERAL, None), (2, SMALL, 0), (1, LITERAL, None))),
    ("ljust", (4,), "ab", "ab  ", ((2, SMALL, 0), (2, LITERAL, None))),
    ("ljust", (3, "-"), "ab", "ab-", ((2, SMALL, 0), (1, LITERAL, None))),
    ("ljust", (4, "a"), "a", "aaaa", ((1, SMALL, 0), (3, LITERAL, None))),
    ("rjust", (4,), "ab", "  ab", ((2, LITERAL, None), (2, SMALL, 0))),
    ("rjust", (3, "-"), "ab", "-ab", ((1, LITERAL, None), (2, SMALL, 0))),
    ("zfill", (4,), "ab", "00ab", ((2, LITERAL, None), (2, SMALL, 0))),
    ("expandtabs", (), "ab", "ab", ((2, SMALL, 0),)),
    ("expandtabs", (), "ab\tcde", "ab      cde", ((11, SMALL, None),)),
    ("expandtabs", (2,), "abc\td", "abc d", ((5, SMALL, None),)),
    ("translate", ({97: "7"},), "abC", "7bC", ((3, SMALL, None),)),
    ("translate", ({120: "7"},), "abC", "abC", ((2, SMALL, 0), (1, CAPITAL, 2))),
    ("replace", ("", "0"), "abC", "0a0b0C0", ((7, SMALL, None),)),
    ("replace", ("", "0", 1), "ab", "0ab", ((1, LITERAL, None), (2, SMALL, 0))),
    ("replace", ("", showing("CDE")), "a1", "CDEaCDE1CDE", ((3, CAPITAL, 2), (8, LITERAL, None))),
    ("__format__", ("4",), "ab", "ab  ", ((2, SMALL, 0), (2, LITERAL, None))),
    ("__format__", (".1",), "ab", "a", ((1, SMALL, None),)),
]


@pytest.mark.parametrize(("method", "arguments", "text", "changed", "expected"), PADDED)
def test_padding_is_literal_and_rewriting_belongs_to_the_main_source(
    method: str, arguments: Sequence[Any], text: str, changed: str, expected: Any
) -> None:
    result = getattr(showing(text), method)(*arguments)
    assert plain(result) == changed == getattr(text, method)(*arguments)
    assert runs_of(result) == expected


def test_a_text_that_is_repeated_very_often_belongs_to_its_main_source() -> None:
    text = showing("aBC")
    assert runs_of(text * 50_000) == runs_of(text) * 50_000
    assert runs_of(text * 50_001) == ((150_003, CAPITAL, None),)
    assert plain(text * 50_001) == "aBC" * 50_001


# Percent formatting


@pytest.mark.parametrize(
    ("pattern", "values", "expected"),
    [
        ("%5s|", "ab", ((3, LITERAL, None), (2, SMALL, 0), (1, LITERAL, None))),
        ("%-4s|", ("ab",), ((2, SMALL, 0), (2, LITERAL, None), (1, LITERAL, None))),
        ("%.1s", "ab", ((1, SMALL, None),)),
        ("%r", "ab", ((1, LITERAL, None), (2, SMALL, 0), (1, LITERAL, None))),
        ("%7s", ["ab"], ((3, LITERAL, None), (2, SMALL, 0), (2, LITERAL, None))),
        ("%r", (["ab", 1],), ((2, LITERAL, None), (2, SMALL, 0), (5, LITERAL, None))),
        ("%r", {"k": "ab"}, ((7, LITERAL, None), (2, SMALL, 0), (2, LITERAL, None))),
        ("%(k)r.", {"k": ["ab"]}, ((2, LITERAL, None), (2, SMALL, 0), (2, LITERAL, None), (1, LITERAL, None))),
        ("%(k)5s", {"k": "ab"}, ((3, LITERAL, None), (2, SMALL, 0))),
        ("%s", ("ab",), ((2, SMALL, 0),)),
        ("%%", (), ((1, LITERAL, None),)),
        ("1%%2%s", "ab", ((1, LITERAL, None), (1, LITERAL, None), (1, LITERAL, None), (2, SMALL, 0))),
        ("%*s|", (5, "ab"), ((3, LITERAL, None), (2, SMALL, 0), (1, LITERAL, None))),
        ("%d", 5, ((1, LITERAL, None),)),
        ("%.s|", "ab", ((1, LITERAL, None),)),
        ("%.3s|", "ab", ((2, SMALL, 0), (1, LITERAL, None))),
        ("%*.1f|", (4, 2.5), ((5, LITERAL, None),)),
    ],
)
def test_percent_keeps_what_it_puts_in(pattern: str, values: Any, expected: Any) -> None:
    shown = percent(pattern, _traced(values))
    assert plain(shown) == pattern % values
    assert runs_of(shown) == expected


@pytest.mark.parametrize(
    ("pattern", "values", "shown"),
    [
        ("1%s2", (["ab", "CD", 5],), "1<['ab', 'CD', 5]>2"),
        ("%s", ["ab", "CD"], "<['ab', 'CD']>"),
        ("%s", {"k": "ab"}, "<{'k': 'ab'}>"),
        ("%s", (("ab", "CD"),), "<('ab', 'CD')>"),
        ("%(k)s%(j)s", {"k": ["ab", "CD"], "j": 5}, "<['ab', 'CD']>5"),
        ("%s%s", ("ab", ["CD"]), "ab<['CD']>"),
        ("%s|%5s|%d", ("ab", "CD", 5), "ab|   CD|5"),
    ],
)
def test_lists_and_mappings_are_written_by_the_given_function(pattern: str, values: Any, shown: str) -> None:
    """What writes them knows the origin of everything inside; `<…>` is what it is asked to write."""
    written: list[Any] = []

    def as_text(value: Any) -> str:
        written.append(value)
        return str(value)

    given = _traced(values)
    assert plain(percent(pattern, given, as_text)) == pattern % values
    assert "".join(f"<{value}>" for value in written) == "".join(re.findall("<.*?>", shown))
    assert shown.replace("<", "").replace(">", "") == pattern % values


def test_what_stands_behind_a_list_keeps_its_places() -> None:
    shown = percent("%s|%s|%s", (_traced(["ab"]), showing("CD"), showing("bc")), str)
    assert plain(shown) == "['ab']|CD|bc"
    assert runs_of(shown)[1:] == ((1, LITERAL, None), (2, CAPITAL, 2), (1, LITERAL, None), (2, SMALL, 1))


def test_the_name_under_which_a_value_is_found_is_not_its_origin() -> None:
    shown = percent("%(a(b))s", {showing("a(b)"): showing("CD")})
    assert plain(shown) == "CD"
    assert SMALL not in {origin for _, origin, _ in runs_of(shown)}


def test_a_pattern_that_is_not_followed_counts_as_a_source() -> None:
    assert runs_of(percent(showing("ab%*d"), (3, 5))) == ((5, SMALL, None),)
    assert plain(percent(showing("ab%*d"), (3, 5))) == "ab  5"


def _traced(value: Any) -> Any:
    if isinstance(value, str):
        return showing(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_traced(item) for item in value)
    if isinstance(value, Mapping):
        return {key: _traced(item) for key, item in value.items()}
    return value


def test_percent_of_a_number_of_a_message_keeps_its_origin() -> None:
    number = TracedInteger(7)
    number._origin = CAPITAL
    assert runs_of(percent("%s", number)) == ((1, CAPITAL, None),)
    assert runs_of(percent("%.d", number)) == ((1, CAPITAL, None),)
    assert runs_of(percent("0%s0", (number,))) == ((1, LITERAL, None), (1, CAPITAL, None), (1, LITERAL, None))


# Strings, numbers and their parts


def test_every_traced_text_inside_a_value_is_found_in_order() -> None:
    a, b, c, d, e = map(showing, "abcde")
    value = [a, {b: (c, [d]), "plain": "x", 1: None}, 5, e, b"f"]
    assert [plain(text) for text in strings_within(value)] == ["a", "b", "c", "d", "e"]
    assert [plain(text) for text in strings_within(a)] == ["a"]
    assert list(strings_within("x")) == []


@pytest.mark.parametrize(
    ("text", "owner"),
    [("", None), ("ab", 0), ("AB", 1), ("aA", None), ("a0", None), ("0a", None), (" ", None), ("0", None)],
)
def test_a_text_has_one_owner_or_none(text: str, owner: int | None) -> None:
    assert sole_owner(showing(text)) == owner
    assert sole_owner(text) is None


def test_several_sources_of_one_message_have_one_owner() -> None:
    key = Origin(OriginKind.MESSAGE, 1, ("k",), is_key=True)
    assert sole_owner(make_traced("xy", ((1, CAPITAL, 3), (1, key, 0)))) == 1
    assert sole_owner(make_traced("xy", ((1, CAPITAL, 3), (1, Origin(OriginKind.LITERAL, 1), None)))) is None
    assert sole_owner(make_traced("xy", ((1, Origin(OriginKind.TOOL, 1), 0), (1, CAPITAL, 3)))) is None


@pytest.mark.parametrize(
    ("make", "value", "specification", "shown", "formatted"),
    [(TracedInteger, -12, "+06d", "-12", "-00012"), (TracedFloat, 2.5, ".3f", "2.5", "2.500")],
)
def test_every_character_of_a_number_has_its_origin(
    make: Any, value: float, specification: str, shown: str, formatted: str
) -> None:
    number = make(value)
    number._origin = SMALL
    for text in (str(number), repr(number)):
        assert plain(text) == shown
        assert runs_of(text) == ((len(shown), SMALL, None),)
    assert plain(format(number, specification)) == formatted
    assert runs_of(number.__format__(specification)) == ((len(formatted), SMALL, None),)
    assert number == value


def test_texts_are_made_from_values_as_str_makes_them() -> None:
    text = TracedText(b"a\xff", "ascii", "replace")
    assert plain(text) == "a\ufffd"
    assert runs_of(text) == ((2, LITERAL, None),)
    assert runs_of(TracedText(showing("aB"))) == runs_of(showing("aB"))
    assert runs_of(TracedText("")) == runs_of("") == ()
    assert operator.add(TracedText("x"), "y") == "xy"
    assert runs_of("xy") == ((2, LITERAL, None),)


def test_a_copy_is_plain_text() -> None:
    """Origins belong to one rendering and leave it neither by a pickle nor by a copy."""
    for copied in (pickle.loads(pickle.dumps(showing("aB"))), copy.deepcopy(showing("aB"))):
        assert (type(copied), copied) == (str, "aB")


def test_runs_are_cut_at_any_place() -> None:
    runs = ((2, SMALL, 3), (1, LITERAL, None), (3, CAPITAL, 0))
    assert cut(runs, 0, 6) == runs
    assert cut(runs, 1, 5) == ((1, SMALL, 4), (1, LITERAL, None), (2, CAPITAL, 0))
    assert cut(runs, 2, 3) == ((1, LITERAL, None),)
    assert cut(runs, 4, 5) == ((1, CAPITAL, 1),)
    assert cut(runs, 3, 3) == cut(runs, 4, 2) == cut((), 0, 0) == cut(runs[:1], 1, 1) == cut(runs[:1], 2, 1) == ()
    assert cut(runs[1:2], 0, 1) == runs[1:2]
    assert cut(runs[:1], 1, 2) == ((1, SMALL, 4),)
