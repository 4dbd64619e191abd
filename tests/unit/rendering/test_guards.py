"""Guarded filters: what they may build, plain and traced, and that they get their arguments.

Sizes and texts are worked out by hand. A limit one below the real size has to stop the
filter, also where it is never printed; one that leaves the room named here has to let it
pass, or limits would refuse templates that stay within them.
"""

from __future__ import annotations

from typing import Any

import pytest

from maskspec.conversation import Conversation
from maskspec.errors import TemplateLimitExceeded, TemplateRejected
from maskspec.rendering import ConversationRenderer, Limits
from maskspec.rendering.render import compiled


@pytest.fixture(autouse=True)
def _nothing_compiled_before() -> None:
    """Every test compiles its template itself, whichever tests ran before it."""
    compiled.cache_clear()


MODES = pytest.mark.parametrize("traced", [True, False], ids=["traced", "plain"])


VARIABLES: dict[str, Any] = {
    "ab": "ab",
    "aab": "aab",
    "axa": "aXa",
    "lines": "a\nb\nc",
    "link": "xx.org",
    "address": "http://x.yz/",
    "numbers": [3, 1, 2],
    "pairs": [{"k": "ab"}, {"k": "ab"}],
    "letters": {"a": 1, "b": 2},
    "one": 1,
    "forty": "x" * 40,
}
"""Jinja computes what holds nothing but constants when it compiles a template; what these are in, it does not."""


def rendered(expression: str, *, traced: bool, **limits: Any) -> str:
    """What a template prints that holds an expression about the variables and about `c`, the content "ab"."""
    renderer = ConversationRenderer(
        Conversation.coerce([{"role": "user", "content": "ab"}]),
        template="{% set c = messages[0].content %}{{ " + expression + " }}",
        template_kwargs=VARIABLES,
        limits=Limits(**limits),
    )
    return renderer.traced()[0] if traced else renderer.text()


# Texts

TEXTS: list[tuple[str, int, int]] = [
    # an expression, the length of its text, how many characters may be asked for
    ("ab|center(50)", 50, 52),
    ("c|center(width=50)", 50, 52),
    ("lines|center(20)", 20, 25),
    ("lines|indent(20)", 45, 65),
    ("lines|indent(width=20)", 45, 65),
    ("lines|indent(20, true)", 65, 65),
    ("c|indent(40, first=true)", 42, 42),
    ("ab|truncate(20)", 2, 22),
    ("ab|wordwrap(20)", 2, 22),
    ("('<' * 10)|escape", 40, 40),
    ("('>' * 10)|e", 40, 40),
    ("('&' * 10)|forceescape", 50, 50),
    ("('\"' * 10)|escape", 50, 50),
    ('("\'" * 10)|e', 50, 50),
    ("('a' * 10)|e", 10, 10),
    ("('👍' * 10)|urlencode", 120, 132),
    ("link|urlize", 50, 70),
    ("link|urlize(rel='y' * 50)", 101, 420),
    ("link|urlize(none, false, 'y' * 50)", 110, 420),
    ("(address ~ '&' * 50)|urlize", 554, 630),
    ("{'a': '&' * 10}|xmlattr", 55, 84),
    ("[ab, ab]|join('-' * 30)", 34, 66),
    ("[c, c]|join", 4, 7),
    ("ab|join('-' * 30)", 32, 64),
    ("pairs|join('-' * 30, attribute='k')", 34, 72),
    ("axa|replace('a', 'bbb')", 7, 7),
    ("axa|replace('a', 'bbb', 1)", 5, 7),
    ("axa|replace(old='a', new='bbb')", 7, 7),
    ("c|replace('', 'xy')", 8, 8),
    ("'%s-%s'|format(c, 'cd')", 5, 12),
    ("'%s%s%s'|format(forty, forty, forty)", 120, 130),
    ("'%(k)s%(k)s%(k)s'|format(k=forty)", 120, 182),
    ("'%%%s'|format(one)", 2, 8),
    ("'%50s'|format(ab)", 50, 58),
]


@MODES
@pytest.mark.parametrize(("expression", "real", "enough"), TEXTS)
def test_a_filter_that_builds_a_text(expression: str, real: int, enough: int, traced: bool) -> None:
    template = "(" + expression + ")|length"
    assert rendered(template, traced=traced, characters=enough) == str(real)
    with pytest.raises(TemplateLimitExceeded, match="characters"):
        rendered(template, traced=traced, characters=real - 1)


@MODES
def test_what_shows_nesting_may_show_little(traced: bool) -> None:
    """`pprint` writes data anew for every level: what it may show is a thousandth of what a text may hold."""
    assert rendered("[c]|pprint", traced=traced, characters=4000) == "['ab']"
    with pytest.raises(TemplateLimitExceeded, match="characters"):
        rendered("[c]|pprint", traced=traced, characters=3999)


# Lists

LISTS: list[tuple[str, str, int]] = [
    # an expression, what it prints, how many items it goes through or builds
    ("aab|list|length", "3", 3),
    ("aab|batch(2)|list|length", "2", 3),
    ("[one, 2]|batch(5, 0)|first|length", "5", 5),
    ("[one, 2]|batch(linecount=5, fill_with=0)|first|length", "5", 5),
    ("numbers|slice(2)|list|length", "2", 3),
    ("[one]|slice(5)|list|length", "5", 5),
    ("numbers|sort|first", "1", 3),
    ("numbers|sum", "6", 3),
    ("aab|unique|list|length", "2", 3),
    ("aab|map('upper')|list|last", "B", 3),
    ("pairs|groupby('k')|length", "1", 2),
    ("letters|dictsort|length", "2", 2),
    ("aab|join('-')", "a-a-b", 3),
    ("[c, c, c]|map('upper')|join('-')", "AB-AB-AB", 3),
]


@MODES
@pytest.mark.parametrize(("expression", "text", "items"), LISTS)
def test_a_filter_that_goes_through_items(expression: str, text: str, items: int, traced: bool) -> None:
    assert rendered(expression, traced=traced, items=items) == text
    with pytest.raises(TemplateLimitExceeded, match=f"more than {items - 1} items"):
        rendered(expression, traced=traced, items=items - 1)


@MODES
@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("lines|upper|length", "5"),
        ("lines|length", "5"),
        ("lines|center(2)|length", "5"),
        ("lines|first", "a"),
        ("numbers|first", "3"),
        ("(one / 4)|round(1)", "0.2"),
        ("one|center(2)", "1 "),
        ("one|e", "1"),
        ("one|forceescape", "1"),
    ],
)
def test_a_filter_that_builds_no_list_may_be_given_a_long_one(expression: str, text: str, traced: bool) -> None:
    assert rendered(expression, traced=traced, items=2) == text


@MODES
@pytest.mark.parametrize("start", ["start=[]", "start=(1,)", "none, []"])
def test_lists_are_not_summed_up(start: str, traced: bool) -> None:
    with pytest.raises(TemplateLimitExceeded) as caught:
        rendered(f"[[one], [2]]|sum({start})", traced=traced)
    assert str(caught.value) == "the template adds up lists with `sum`; use `+` on two lists at a time"


@MODES
@pytest.mark.parametrize(
    ("expression", "text"),
    [("numbers|sum(start=5)", "11"), ("numbers|sum(none, 5)", "11"), ("[letters, letters]|sum('b')", "4")],
)
def test_numbers_are_summed_up(expression: str, text: str, traced: bool) -> None:
    assert rendered(expression, traced=traced) == text


# What is repeated for every item or line

REPEATED = [
    "lines|indent({})",
    "lines|indent(width={})",
    "lines|wordwrap(1, wrapstring={})",
    "numbers|tojson(indent={})",
    "numbers|tojson(separators=({}, ':'))",
    "numbers|tojson(false, none, (',', {}))",
    "strftime_now({})",
]


@MODES
@pytest.mark.parametrize("expression", REPEATED)
def test_a_separator_may_have_a_hundred_characters(expression: str, traced: bool) -> None:
    assert rendered(expression.format("'x' * 100"), traced=traced)
    with pytest.raises(TemplateLimitExceeded) as caught:
        rendered(expression.format("'x' * 101"), traced=traced)
    assert str(caught.value) == "the template repeats a separator of more than 100 characters"


# Arguments of filters


@MODES
@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("(ab * 4)|truncate(5, true, '...', 0)", "ab..."),
        ("(ab * 4)|truncate(length=5, killwords=true, end='', leeway=0)", "ababa"),
        ("(ab ~ ' cd')|wordwrap(2)", "ab\ncd"),
        ("(ab ~ ' cd')|wordwrap(width=2, wrapstring='|')", "ab|cd"),
        ("'%s,%s'|format(one, 2)", "1,2"),
        ("'%(a)s,%(b)s'|format(a=one, b=2)", "1,2"),
        ("axa|replace('X', '+')", "a+a"),
        ("axa|replace('a', '+', count=1)", "+Xa"),
        ("[one, 2]|join", "12"),
        ("[one, 2]|join(d=', ')", "1, 2"),
        ("pairs|join('+', 'k')", "ab+ab"),
        ("[axa, 'b']|map('replace', 'a', 'x')|join", "xXxb"),
        ("[axa]|map('default', 'x')|list", "['aXa']"),
        ("axa|trim(chars='a')", "X"),
        ("(one ~ '<')|e", "1&lt;"),
        ("c|pprint", "'ab'"),
        ("(c ~ '?')|urlencode", "ab%3F"),
    ],
)
def test_filters_get_all_their_arguments(expression: str, text: str, traced: bool) -> None:
    assert rendered(expression, traced=traced) == text


@MODES
@pytest.mark.parametrize(
    "expression", ["'%s'|format(one, k=2)", "ab|replace('x')", "ab|center(2, 3)", "one|join", "'%d'|format(ab)"]
)
def test_arguments_that_a_filter_does_not_take_are_refused(expression: str, traced: bool) -> None:
    with pytest.raises(TemplateRejected, match=r"TypeError|FilterArgumentError|argument"):
        rendered(expression, traced=traced)
