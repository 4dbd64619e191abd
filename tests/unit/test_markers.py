"""What counts as a marker, and that no place inside one is the end of anything."""

from __future__ import annotations

import re

import pytest

from maskspec.markers import Markers, markers_of, uncut


def patterns(
    *, added: tuple[str, ...] = (), special: tuple[str, ...] = (), stops: tuple[str, ...] = (), bos: str | None = None
) -> Markers:
    return markers_of(added, special, stops, ("<s>", "<pad>"), bos)


def found(pattern: re.Pattern[str], text: str) -> list[str]:
    return pattern.findall(text)


def test_every_pattern_finds_its_own_tokens() -> None:
    text = "<s>[INST] Hi [/INST] Yo</s> <pad>;;"
    markers = patterns(added=(";;",), special=("<s>", "</s>", "<pad>"), stops=("</s>",), bos="<s>")
    assert found(markers.stops, text) == ["</s>"]
    assert found(markers.special, text) == ["</s>"]  # the others never end a turn
    assert found(markers.bos, text) == ["<s>"]
    assert found(markers.cut_points, text) == ["<s>", "[INST]", "[/INST]", "</s>", "<pad>", ";;"]


def test_a_declared_stop_ends_a_turn_whatever_else_it_is() -> None:
    markers = patterns(special=("<s>", "<pad>"), stops=("<pad>",))
    assert found(markers.special, "<s><pad>") == ["<pad>"]


def test_what_nobody_declared_is_found_nowhere() -> None:
    markers = patterns()
    for text in ("", "XXXX", "<s>", " "):
        assert found(markers.stops, text) == found(markers.special, text) == found(markers.bos, text) == []
        assert markers.bos.match(text) is None


def test_a_token_of_blanks_is_no_marker() -> None:
    """Vocabularies list runs of spaces among their added tokens."""
    markers = patterns(added=(" ", "\n\n", ";"), stops=("  ",), bos=" ")
    assert found(markers.cut_points, "a  b\n\nc;") == [";"]
    assert found(markers.stops, "a  b") == found(markers.bos, " a") == []


def test_of_tokens_that_begin_alike_the_longest_is_found() -> None:
    markers = patterns(stops=("<e", "<e>", "<e>\n", "<f"))
    assert found(markers.stops, "<e><e>\n<e <f>") == ["<e>", "<e>\n", "<e", "<f"]


def test_a_token_is_text_and_no_pattern() -> None:
    assert found(patterns(stops=("[.]", "a|b")).stops, "x[.]a|b.") == ["[.]", "a|b"]


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("ab<think>cd", 2, 2),
        ("ab<think>cd", 3, 2),
        ("ab<think>cd", 8, 2),
        ("ab<think>cd", 9, 9),
        ("ab<think>cd", 1, 1),
        ("<think>", 1, 0),
        ("[TOOL_CALLS]", 5, 0),
        ("a </x><y>", 7, 6),
        ("a < b > c", 4, 4),
        ("[tools]", 3, 3),
        ("<" + "x" * 80 + ">", 40, 0),
        ("<" + "x" * 81 + ">", 40, 40),
    ],
)
def test_a_place_inside_what_looks_like_a_marker_moves_to_its_beginning(text: str, place: int, expected: int) -> None:
    assert uncut(text, place) == expected


def test_no_place_moves_further_back_than_it_may() -> None:
    assert uncut("ab<think>cd", 5, start=2) == 2
    assert uncut("ab<think>cd", 5, start=3) == 5
    assert uncut("<a<b>", 4, re.compile("<a<b>|<b>"), start=1) == 2


def test_long_markers_are_seen_whole_on_both_sides_of_a_place() -> None:
    """Two hundred characters on each side are looked at."""
    token = re.compile("<" + "x" * 300 + ">")
    text = "." * 500 + "<" + "x" * 300 + ">" + "." * 500
    assert uncut(text, 601, token) == 601  # 101 of its characters stand before, 201 behind: the last is not seen
    assert uncut(text, 602, token) == 500
    assert uncut(text, 700, token) == 500
    assert uncut(text, 701, token) == 701  # the first is not seen


def test_a_place_far_behind_a_text_that_looks_like_one_long_marker_stays() -> None:
    token = re.compile(r"<[^<>]*>")
    assert uncut("<" + "x" * 199 + ">", 200, token) == 0
    assert uncut("<" + "x" * 200 + ">", 201, token) == 201
