"""`TracedText` is a `str` in every operation, and moves the origins as the operation moves the characters.

Two oracles: `str` itself for the text, and for the origins a model that keeps
one *cell* (character, origin, offset) per character and does each operation the obvious way.
"""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from maskspec.rendering.origins import PENDING_LITERAL, Origin, OriginKind
from maskspec.rendering.traced import TracedText, concatenate, make_traced, percent, runs_of, sole_owner
from tests.unit.rendering.notation import stands_for

Cell = tuple[str, Origin, int | None]

ALPHABET = "abBxyZ01, .;-\t\n\r\v\x1c\u2028\u00a0ßİŉΣσςǆﬁéı'\"&<>%{}👍中"
LETTERS = st.text(ALPHABET, max_size=9)
SETTINGS = settings(deadline=None, max_examples=120)


class Sources:
    """Texts by origin, from which traced texts are cut."""

    def __init__(self) -> None:
        self.values: dict[Origin, str] = {}

    def cut(self, value: str, start: int, end: int, message: int) -> TracedText:
        origin = Origin(OriginKind.MESSAGE, message, ("part", len(self.values)))
        self.values[origin] = value
        piece = value[start:end]
        return make_traced(piece, ((len(piece), origin, start),) if piece else ())


SOURCES = Sources()


@st.composite
def traced_texts(draw: st.DrawFn, max_pieces: int = 4) -> TracedText:
    """Texts of several runs: cut from sources, literals, and parts whose place in their source is not known."""
    pieces: list[str] = []
    for _ in range(draw(st.integers(0, max_pieces), label="pieces")):
        text = draw(LETTERS, label="text")
        kind = draw(st.sampled_from(["source", "literal", "no place"]), label="kind")
        if not text or kind == "literal":
            pieces.append(text)
        elif kind == "source":
            start = draw(st.integers(0, len(text)), label="start")
            end = draw(st.integers(start, len(text)), label="end")
            pieces.append(SOURCES.cut(text, start, end, draw(st.integers(0, 2), label="message")))
        else:
            pieces.append(make_traced(text, ((len(text), Origin(OriginKind.MESSAGE, 1, ("content",)), None),)))
    return concatenate(pieces)


def cells(text: str) -> list[Cell]:
    """One cell per character; checks that the runs add up to the text."""
    assert isinstance(text, str)
    plain = str.__str__(text)
    runs = runs_of(text)
    assert all(length > 0 for length, _, _ in runs)
    assert sum(length for length, _, _ in runs) == len(plain)
    result: list[Cell] = []
    for length, origin, offset in runs:
        for step in range(length):
            result.append((plain[len(result)], origin, None if offset is None else offset + step))
    return result


def check_sound(value: Any) -> None:
    """Whatever came out: runs add up, and an offset leads to the same character, up to its case."""
    if isinstance(value, (list, tuple)):
        for item in value:
            check_sound(item)
    elif isinstance(value, str):
        for character, origin, offset in cells(value):
            if offset is not None and origin in SOURCES.values:
                assert stands_for(character, SOURCES.values[origin][offset])


def outcome(function: Callable[[], Any]) -> tuple[type, Any]:
    """The result with its type made plain, or the kind of error."""
    try:
        value = function()
    except Exception as error:  # noqa: BLE001 - str decides what is raised
        return type(error), None
    return str, plain(value)


def plain(value: Any) -> Any:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (list, tuple)):
        return type(value)(plain(item) for item in value)
    return value


def same_cells(text: str, expected: Sequence[Cell]) -> None:
    assert cells(text) == list(expected)


SMALL = st.integers(-12, 12)
MAYBE = st.none() | SMALL
SEPARATORS = st.sampled_from(["a", "b", ",", " ", "\n", "ab", "ß", ", ", "aa", "xy", "👍", "zz"])

OPERATIONS: dict[str, st.SearchStrategy[tuple[Any, ...]]] = {
    "capitalize": st.just(()),
    "casefold": st.just(()),
    "center": st.tuples(SMALL, st.sampled_from(" a-")) | st.tuples(SMALL),
    "count": st.tuples(SEPARATORS),
    "encode": st.just(()),
    "endswith": st.tuples(SEPARATORS),
    "expandtabs": st.tuples(st.integers(0, 6)) | st.just(()),
    "find": st.tuples(SEPARATORS, SMALL),
    "index": st.tuples(SEPARATORS),
    "isalpha": st.just(()),
    "join": st.tuples(st.lists(LETTERS, max_size=4)) | st.tuples(LETTERS),
    "ljust": st.tuples(SMALL, st.sampled_from(" a-")) | st.tuples(SMALL),
    "lower": st.just(()),
    "lstrip": st.just(()) | st.tuples(st.none() | LETTERS),
    "partition": st.tuples(SEPARATORS) | st.tuples(st.just("")),
    "removeprefix": st.tuples(LETTERS),
    "removesuffix": st.tuples(LETTERS),
    "replace": st.tuples(SEPARATORS | st.just(""), LETTERS) | st.tuples(SEPARATORS, LETTERS, st.integers(-2, 3)),
    "rjust": st.tuples(SMALL, st.sampled_from(" a-")) | st.tuples(SMALL),
    "rpartition": st.tuples(SEPARATORS) | st.tuples(st.just("")),
    "rsplit": st.just(()) | st.tuples(st.none() | SEPARATORS | st.just(""), st.integers(-1, 3)),
    "rstrip": st.just(()) | st.tuples(st.none() | LETTERS),
    "split": st.just(()) | st.tuples(st.none() | SEPARATORS | st.just(""), st.integers(-1, 3)),
    "splitlines": st.just(()) | st.tuples(st.booleans()),
    "startswith": st.tuples(SEPARATORS),
    "strip": st.just(()) | st.tuples(st.none() | LETTERS),
    "swapcase": st.just(()),
    "title": st.just(()),
    "translate": st.tuples(st.just({97: "long", 98: None, 0xDF: 0x78})) | st.tuples(st.just(str.maketrans("xy", "yx"))),
    "upper": st.just(()),
    "__mod__": st.tuples(st.tuples()) | st.tuples(LETTERS),
    "zfill": st.tuples(SMALL),
    "__add__": st.tuples(LETTERS),
    "__mul__": st.tuples(st.integers(-1, 3)),
    "__rmul__": st.tuples(st.integers(-1, 3)),
    "__getitem__": st.tuples(SMALL | st.builds(slice, MAYBE, MAYBE, MAYBE.filter(lambda step: step != 0))),
    "__contains__": st.tuples(SEPARATORS),
    "__eq__": st.tuples(LETTERS),
    "__hash__": st.just(()),
    "__len__": st.just(()),
    "__repr__": st.just(()),
    "__str__": st.just(()),
    "__format__": st.tuples(st.sampled_from(["", "5", "<9", "^9", "a>9", ".2", "9.3", "d"])),
}


@pytest.mark.parametrize("name", OPERATIONS)
@SETTINGS
@given(data=st.data())
def test_every_operation_gives_what_str_gives(name: str, data: st.DataObject) -> None:
    text = data.draw(traced_texts(), label="traced")
    arguments = data.draw(OPERATIONS[name], label="arguments")
    expected = outcome(lambda: getattr(str, name)(str.__str__(text), *arguments))
    assert outcome(lambda: getattr(TracedText, name)(text, *arguments)) == expected
    if expected[0] is str:
        result = getattr(text, name)(*arguments)
        check_sound(result)


def test_every_public_method_of_str_is_covered() -> None:
    elsewhere = {"format", "format_map", "maketrans"}
    predicates = {name for name in dir(str) if name.startswith("is")} | {"rfind", "rindex"}
    assert {name for name in dir(str) if not name.startswith("_")} - predicates - elsewhere <= set(OPERATIONS)


def test_templates_see_the_public_attributes_of_str_and_no_others() -> None:
    assert {n for n in dir(TracedText) if not n.startswith("_")} == {n for n in dir(str) if not n.startswith("_")}


@SETTINGS
@given(text=traced_texts(), key=SMALL | st.builds(slice, MAYBE, MAYBE, MAYBE.filter(lambda step: step != 0)))
def test_subscripts(text: TracedText, key: Any) -> None:
    try:
        expected = cells(text)[key]
    except IndexError:
        with pytest.raises(IndexError):
            text[key]
        return
    same_cells(text[key], expected if isinstance(key, slice) else [expected])


def test_subscripts_by_name_raise_as_for_str() -> None:
    with pytest.raises(TypeError):
        make_traced("ab", ((2, PENDING_LITERAL, None),))["strip"]  # type: ignore[index]


@SETTINGS
@given(text=traced_texts())
def test_iteration_in_both_directions(text: TracedText) -> None:
    for character, cell in zip(text, cells(text), strict=True):
        same_cells(character, [cell])
    for character, cell in zip(reversed(text), reversed(cells(text)), strict=True):
        same_cells(character, [cell])


@SETTINGS
@given(text=traced_texts(), characters=st.none() | LETTERS)
def test_stripping(text: TracedText, characters: str | None) -> None:
    everything = cells(text)

    def gone(cell: Cell) -> bool:
        return cell[0].isspace() if characters is None else cell[0] in characters

    start, end = 0, len(everything)
    while start < end and gone(everything[start]):
        start += 1
    last = end
    while last > start and gone(everything[last - 1]):
        last -= 1
    same_cells(text.strip(characters), everything[start:last])
    same_cells(text.lstrip(characters), everything[start:])
    while end and gone(everything[end - 1]):
        end -= 1
    same_cells(text.rstrip(characters), everything[:end])


def words(everything: list[Cell], limit: int) -> list[list[Cell]]:
    """`split()` by white space, the obvious way."""
    found: list[list[Cell]] = []
    position = 0
    while True:
        while position < len(everything) and everything[position][0].isspace():
            position += 1
        if position == len(everything):
            return found
        start = position
        if limit >= 0 and len(found) == limit:
            return [*found, everything[start:]]
        while position < len(everything) and not everything[position][0].isspace():
            position += 1
        found.append(everything[start:position])


def fields(everything: list[Cell], separator: str, limit: int) -> list[list[Cell]]:
    """`split(separator)`, the obvious way."""
    found: list[list[Cell]] = [[]]
    position = 0
    while position < len(everything):
        ahead = "".join(cell[0] for cell in everything[position : position + len(separator)])
        if ahead == separator and (limit < 0 or len(found) <= limit):
            found.append([])
            position += len(separator)
        else:
            found[-1].append(everything[position])
            position += 1
    return found


@SETTINGS
@given(text=traced_texts(), separator=st.none() | SEPARATORS, limit=st.integers(-1, 3))
def test_splitting(text: TracedText, separator: str | None, limit: int) -> None:
    everything = cells(text)
    split = words if separator is None else lambda these, most: fields(these, separator or "", most)
    parts = text.split(separator, limit)
    assert [cells(part) for part in parts] == split(everything, limit)
    backwards = [cell[::-1] for cell in split(everything[::-1], limit)][::-1]
    if separator is None or separator == separator[::-1]:
        assert [cells(part) for part in text.rsplit(separator, limit)] == backwards


@SETTINGS
@given(text=traced_texts(), separator=SEPARATORS)
def test_partitions(text: TracedText, separator: str) -> None:
    everything = cells(text)
    size = len(separator)
    first, last = str.find(text, separator), str.rfind(text, separator)
    ahead = [everything[:first], everything[first : first + size], everything[first + size :]]
    behind = [everything[:last], everything[last : last + size], everything[last + size :]]
    assert [cells(part) for part in text.partition(separator)] == (ahead if first >= 0 else [everything, [], []])
    assert [cells(part) for part in text.rpartition(separator)] == (behind if last >= 0 else [[], [], everything])


@SETTINGS
@given(text=traced_texts(), keep=st.booleans())
def test_lines(text: TracedText, keep: bool) -> None:
    everything = cells(text)
    position = 0
    expected: list[list[Cell]] = []
    for line in str.__str__(text).splitlines(True):
        shown = line if keep else line.splitlines()[0]
        expected.append(everything[position : position + len(shown)])
        position += len(line)
    assert [cells(line) for line in text.splitlines(keep)] == expected


@SETTINGS
@given(text=traced_texts(), affix=LETTERS)
def test_removed_affixes(text: TracedText, affix: str) -> None:
    everything = cells(text)
    front = everything[len(affix) :] if str.startswith(text, affix) else everything
    back = everything[: len(everything) - len(affix)] if str.endswith(text, affix) else everything
    same_cells(text.removeprefix(affix), front)
    same_cells(text.removesuffix(affix), back)


@SETTINGS
@given(text=traced_texts(), old=SEPARATORS, new=traced_texts(2) | LETTERS, count=st.integers(-1, 3))
def test_replacing(text: TracedText, old: str, new: str, count: int) -> None:
    parts = fields(cells(text), old, count)
    expected = parts[0]
    for part in parts[1:]:
        expected = [*expected, *cells(new), *part]
    same_cells(text.replace(old, new, count), expected)


@SETTINGS
@given(separator=traced_texts(2), parts=st.lists(traced_texts(2) | LETTERS, max_size=4))
def test_joining_and_concatenating(separator: TracedText, parts: list[str]) -> None:
    expected: list[Cell] = []
    for position, part in enumerate(parts):
        expected += (cells(separator) if position else []) + cells(part)
    same_cells(separator.join(parts), expected)
    same_cells(separator.join(iter(parts)), expected)
    same_cells(concatenate(parts), [cell for part in parts for cell in cells(part)])


@SETTINGS
@given(left=traced_texts(2), right=traced_texts(2) | LETTERS, count=st.integers(-1, 3))
def test_adding_and_multiplying(left: TracedText, right: str, count: int) -> None:
    same_cells(left + right, cells(left) + cells(right))
    same_cells(right + left, cells(right) + cells(left))
    same_cells(left * count, cells(left) * count)
    same_cells(count * left, cells(left) * count)


@pytest.mark.parametrize("other", [5, None, b"x", [1]])
def test_operands_that_str_refuses_are_refused(other: Any) -> None:
    text = make_traced("ab", ((2, PENDING_LITERAL, None),))
    with pytest.raises(TypeError):
        text + other
    with pytest.raises(TypeError):
        other + text
    with pytest.raises(TypeError):
        text * "x"  # type: ignore[operator]
    with pytest.raises(TypeError):
        text.join([other])


CASES: list[Callable[[str], str]] = [str.lower, str.upper, str.casefold, str.swapcase, str.title, str.capitalize]


@pytest.mark.parametrize("change", CASES, ids=lambda change: change.__name__)
@SETTINGS
@given(text=traced_texts())
@example(text=SOURCES.cut("aßİ", 0, 3, 0))
@example(text=SOURCES.cut("İßa ßİ", 0, 6, 0))
@example(text=SOURCES.cut("ŉǆﬁ İİ", 0, 6, 0))
def test_changes_of_case(change: Callable[[str], str], text: TracedText) -> None:
    result = getattr(text, change.__name__)()
    assert str.__str__(result) == change(str.__str__(text))
    check_sound(result)
    if len(result) == len(text):
        assert [cell[1:] for cell in cells(result)] == [cell[1:] for cell in cells(text)]


@pytest.mark.parametrize(
    ("change", "source", "offsets"),
    [
        ("upper", "Straße", [0, 1, 2, 3, 4, 4, 5]),
        ("casefold", "Straße", [0, 1, 2, 3, 4, 4, 5]),
        ("lower", "İa", [0, 0, 1]),
        ("upper", "ŉx", [0, 0, 1]),
        ("swapcase", "ßA", [0, 0, 1]),
    ],
)
def test_a_character_that_becomes_several_is_the_origin_of_all_of_them(
    change: str, source: str, offsets: list[int]
) -> None:
    text = SOURCES.cut(source, 0, len(source), 0)
    assert [cell[2] for cell in cells(getattr(text, change)())] == offsets


@pytest.mark.parametrize(
    ("method", "arguments", "text", "start"),
    [
        ("center", (8,), "    ab  ", 2),
        ("ljust", (6, "-"), "  ab--", 0),
        ("rjust", (6, "-"), "--  ab", 2),
        ("zfill", (6,), "00  ab", 2),
        ("expandtabs", (), "  ab", 0),
        ("translate", ({120: "y"},), "  ab", 0),
        ("replace", ("", ""), "  ab", 0),
        ("replace", ("zz", "y"), "  ab", 0),
        ("__format__", ("^8",), "    ab  ", 2),
    ],
)
def test_where_the_text_survives_whole_it_keeps_its_origins(
    method: str, arguments: tuple[Any, ...], text: str, start: int
) -> None:
    source = SOURCES.cut("  ab", 0, 4, 0)
    result = getattr(source, method)(*arguments)
    assert str.__str__(result) == text == getattr(str, method)("  ab", *arguments)
    found = cells(result)
    assert found[start : start + 4] == cells(source)
    assert all(cell[1] is PENDING_LITERAL for cell in found[:start] + found[start + 4 :])


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("translate", ({97: "q"},)),
        ("expandtabs", (3,)),
        ("zfill", (9,)),
        ("replace", ("", "-")),
        ("__format__", (".1",)),
    ],
)
def test_where_the_text_is_rewritten_all_of_it_belongs_to_its_main_source(
    method: str, arguments: tuple[Any, ...]
) -> None:
    value = "-ab\tc"
    source = SOURCES.cut(value, 0, len(value), 0)
    result = concatenate([getattr(concatenate([source, "x"]), method)(*arguments)])
    assert {cell[1] for cell in cells(result)} == {source._runs[0][1]}
    assert {cell[2] for cell in cells(result)} == {None}


ARGUMENTS = st.one_of(
    traced_texts(2), LETTERS, st.integers(-99, 99), st.sampled_from([1.5, None, True, [1, "a"], {"k": "v"}])
)
CONVERSIONS = st.sampled_from(
    ["%s", "%r", "%a", "%5s", "%-7s", "%.2s", "%8.3s", "%d", "%05d", "%x", "%.1f", "%%", "%c", "%ld"]
)
LITERALS = st.text("ab%{} \n", max_size=4).map(lambda text: text.replace("%", "%%"))


@settings(deadline=None, max_examples=400)
@given(
    pieces=st.lists(st.tuples(LITERALS, CONVERSIONS), max_size=4),
    values=st.lists(ARGUMENTS, max_size=4),
    traced=st.booleans(),
    single=st.booleans(),
)
def test_percent_formatting(pieces: list[tuple[str, str]], values: list[Any], traced: bool, single: bool) -> None:
    pattern: str = "".join(literal + conversion for literal, conversion in pieces)
    given_values = values[0] if single and values else tuple(values)
    expected = outcome(lambda: pattern % plain(given_values))
    if traced:
        pattern = SOURCES.cut(pattern, 0, len(pattern), 2)
    assert outcome(lambda: percent(pattern, given_values)) == expected
    if expected[0] is str:
        check_sound(percent(pattern, given_values))
        for value in values:
            # Printed whole by %s, a text keeps every origin it had.
            if isinstance(value, TracedText) and [c for _, c in pieces] == ["%s"] and len(values) == 1:
                kept = cells(percent(pattern, given_values))
                assert cells(value) == kept[len(kept) - len(value) :]


@SETTINGS
@given(values=st.dictionaries(st.sampled_from(["a", "b c"]), ARGUMENTS, min_size=2), literal=LITERALS)
def test_percent_formatting_with_names(values: dict[str, Any], literal: str) -> None:
    pattern = literal + "%(a)s" + literal + "%(b c)r%(a)5s"
    plain_values = {key: plain(value) for key, value in values.items()}
    assert outcome(lambda: percent(pattern, values)) == outcome(lambda: pattern % plain_values)
    check_sound(percent(pattern, values))


@pytest.mark.parametrize("pattern", ["%*d", "%.*f", "%(a(b))s", "%5%", "% d%+d%#x", "%", "%q", "%s %s", "100%"])
@pytest.mark.parametrize("values", [(), (5,), (4, 2), {"a(b)": 1}, "x"], ids=repr)
def test_percent_formatting_of_odd_patterns(pattern: str, values: Any) -> None:
    assert outcome(lambda: percent(pattern, values)) == outcome(lambda: pattern % values)


@SETTINGS
@given(text=traced_texts())
def test_interpolation_keeps_the_text_whole(text: TracedText) -> None:
    assert f"{text}" == str.__str__(text)
    assert str(text) == str.__str__(text)
    assert (text.format_map({}) if not re.search("[{}]", text) else text) == str.__str__(text)


@SETTINGS
@given(text=traced_texts())
def test_copies_and_pickles_are_plain_text(text: TracedText) -> None:
    for copied in (pickle.loads(pickle.dumps(text)), copy.deepcopy(text)):
        assert copied == text
        assert type(copied) is str


@SETTINGS
@given(text=traced_texts())
def test_it_is_equal_to_its_text_and_hashes_alike(text: TracedText) -> None:
    assert {str.__str__(text): 1}[text] == 1
    assert sorted([text, "b"]) == sorted([str.__str__(text), "b"])


def test_made_from_other_values() -> None:
    source = SOURCES.cut("ab", 0, 2, 0)
    assert cells(TracedText(source)) == cells(source)
    assert cells(TracedText("x")) == [("x", PENDING_LITERAL, None)]
    assert str.__str__(TracedText(5)) == "5"
    assert str.__str__(TracedText()) == ""
    assert str.__str__(TracedText(b"ab", "ascii")) == "ab"


@SETTINGS
@given(text=traced_texts())
def test_the_sole_owner_is_the_one_message_of_all_characters(text: TracedText) -> None:
    owners = {cell[1].message if cell[1].kind is OriginKind.MESSAGE else None for cell in cells(text)}
    assert sole_owner(text) == (owners.pop() if len(owners) == 1 else None)
    assert sole_owner(str.__str__(text)) is None
