"""Filters: the origins that they keep, written by hand."""

from __future__ import annotations

import pytest

from maskspec.rendering import Rendering, render
from maskspec.rendering.render import compiled
from tests.unit.rendering.notation import noted
from tests.unit.rendering.places import places


@pytest.fixture(autouse=True)
def _nothing_compiled_before() -> None:
    """Every test compiles its template itself, whichever tests ran before it."""
    compiled.cache_clear()


def shown(content: str, expression: str) -> Rendering:
    """The rendering of an expression about `c`, the content, and `n`, a number, while their message is rendered."""
    messages = [{"role": "user", "content": content, "n": 1500}]
    template = "{% for m in messages %}{% set c, n = m.content, m.n %}{{ " + expression + " }}{% endfor %}"
    return render(messages, template=template)


ORIGINS: list[tuple[str, str, list[str]]] = [
    # Filters that follow every character.
    ("Hi", "c|string", ["0.content Hi"]),
    ("Hi", "[c]|string", ["0 ['", "0.content Hi", "0 ']"]),
    ("Hi", "c|safe", ["0.content Hi"]),
    ("Hi", "[c]|safe", ["0 ['", "0.content Hi", "0 ']"]),
    ("Hi", "n|safe", ["0.n 1500"]),
    ("a\nb", "c|indent(2)", ["0.content a", "0 \n  ", "0.content b"]),
    ("a\n\nb", "c|indent('>')", ["0.content a", "0 \n\n>", "0.content b"]),
    ("a\nb", "c|indent(1, first=true)", ["0  ", "0.content a", "0 \n ", "0.content b"]),
    ("a\n\nb", "c|indent(1, blank=true)", ["0.content a", "0 \n \n ", "0.content b"]),
    ("Hi", "[c, '-', n]|join(' ')", ["0.content Hi", "0  - ", "0.n 1500"]),
    ("Hi", "[[c], n]|join", ["0 ['", "0.content Hi", "0 ']", "0.n 1500"]),
    ("a-b", "c|replace('-', '+')", ["0.content a", "0 +", "0.content b"]),
    ("Hi", "[c]|replace(']', '.')", ["0 ['", "0.content Hi", "0 '."]),
    ("Hi", "'<%s|%d>'|format(c, n)", ["0 <", "0.content Hi", "0 |", "0.n 1500", "0 >"]),
    ("Hi", "'%(a)s'|format(a=[c])", ["0 ['", "0.content Hi", "0 ']"]),
    # Filters of text, which print their value first.
    ("hi", "[c]|upper", ["0 ['", "0.content HI", "0 ']"]),
    ("HI", "[c]|lower", ["0 ['", "0.content hi", "0 ']"]),
    ("Hi", "[c]|trim('[]')", ["0 '", "0.content Hi", "0 '"]),
    ("Hi", "[c]|trim(chars='[')", ["0 '", "0.content Hi", "0 ']"]),
    ("HI", "[c]|capitalize", ["0 ['", "0.content hi", "0 ']"]),
    ("hi", "c|capitalize", ["0.content Hi"]),
    ("Hi", "n|upper", ["0.n 1500"]),
    ("Hi", "(n / 1000)|string|upper", ["0 1.5"]),
    # Filters that are not followed: found again whole, or all of it belongs to its source.
    ("Hi", "c|center(6)", ["0   ", "0.content Hi", "0   "]),
    ("ab cd", "c|title", ["0.content Ab Cd"]),
    ("ab cd", "c|wordwrap(2)", ["0.content ab\ncd"]),
    ("a b", "c|urlencode", ["0.content a%20b"]),
    ("a <i>b</i>", "c|striptags", ["0.content a b"]),
    ("xx.org", "c|urlize", ['0 <a href="https://', "0.content xx.org", '0 " rel="noopener">xx.org</a>']),
    ("Hi", "c|pprint", ["0 '", "0.content Hi", "0 '"]),
    ("Hi", "n|filesizeformat", ["0 1.5 kB"]),
    # One that does it itself, and says what it added.
    ("abcdefgh", "c|truncate(5, true, '...', 0)", ["0.content ab", "0 ..."]),
    ("abc", "c|truncate(5)", ["0.content abc"]),
    ("a<cdefg", "c|truncate(4, true, '>'|safe, 0)", ["0.content a&lt;c", "0 >"]),
    # Escaping.
    ("a<b", "c|escape", ["0.content a&lt;b"]),
    ("Hi", "c|e", ["0.content Hi"]),
    ("a<b", "c|forceescape", ["0.content a&lt;b"]),
    ("<", "c|e|escape|e", ["0.content &lt;"]),
    ("<", "c|e|forceescape", ["0.content &amp;lt;"]),
    ("<", "c|safe|e", ["0.content <"]),
    ("<", "c|safe|forceescape", ["0.content &lt;"]),
    ("Hi", "n|e", ["0.n 1500"]),
    ("Hi", "none|e", ["0 None"]),
    ("Hi", "'<' ~ c|e", ["0 <", "0.content Hi"]),
    ("<", "(c|e) + '>' + c", ["0.content &lt;", "0 &gt;", "0.content &lt;"]),
    ("<", "'>' + (c|safe)", ["0 &gt;", "0.content <"]),
    ("<", "(c|safe) + c", ["0.content <&lt;"]),
    ("<", "[c|safe, c]|join", ["0.content <<"]),
]


@pytest.mark.parametrize(("content", "expression", "expected"), ORIGINS)
def test_filters_keep_the_origins_of_what_they_are_given(content: str, expression: str, expected: list[str]) -> None:
    assert noted(shown(content, expression)) == expected


@pytest.mark.parametrize(
    ("content", "expression", "offsets"),
    [
        ("a<b&'\">", "c|e", [0, *[1] * 4, 2, *[3] * 5, *[4] * 5, *[5] * 5, *[6] * 4]),
        ("<a", "c|e|forceescape", [*[0] * 8, 1]),
        ("<a", "c|safe|forceescape", [*[0] * 4, 1]),
        ("a<", "(c|e) + c", [0, *[1] * 4, 0, *[1] * 4]),
        ("ab", "c|safe", [0, 1]),
        ("ab", "c|e", [0, 1]),
    ],
)
def test_an_entity_stands_at_the_place_of_its_character(content: str, expression: str, offsets: list[int]) -> None:
    assert [offset for _, offset in places(shown(content, expression))] == offsets


def test_a_text_of_very_many_entities_is_escaped_as_a_whole() -> None:
    exact = shown("<" * 10_000, "c|e")
    assert [offset for _, offset in places(exact)] == [place for place in range(10_000) for _ in range(4)]
    coarse = shown("<" * 10_001, "c|e")
    assert coarse.text == "&lt;" * 10_001
    assert noted(coarse) == ["0.content " + coarse.text]
    assert {span.offset for span in coarse.spans} == {None}


MARKED = "{% autoescape true %}{% set x %}<b>{% endset %}{{ EXPRESSION }}{% endautoescape %}"
"""In a block of automatic escaping, what a `set` block captures is marked as safe by Jinja itself."""


@pytest.mark.parametrize(
    ("expression", "text"), [("x", "<b>"), ("x|e", "<b>"), ("x|forceescape", "&lt;b&gt;"), ("x|string|length", "3")]
)
def test_what_jinja_has_marked_as_safe_is_escaped_only_by_force(expression: str, text: str) -> None:
    template = MARKED.replace("EXPRESSION", expression)
    assert render([{"role": "user", "content": "Hi"}], template=template).text == text
