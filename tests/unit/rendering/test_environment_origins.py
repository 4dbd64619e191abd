"""The environment of templates: the origins that `format`, operators, methods and blocks keep, written by hand."""

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


def shown(content: str, template: str) -> Rendering:
    """A rendering of two messages, the first with this content; `c` and `d` are the contents."""
    messages = [{"role": "user", "content": content, "n": 7}, {"role": "assistant", "content": "Yo"}]
    return render(messages, template=template)


INSIDE = (
    "{{% for m in messages[:1] %}}{{% set c, d, n = m.content, messages[1].content, m.n %}}{{{{ {} }}}}{{% endfor %}}"
)

FORMATS: list[tuple[str, str, list[str]]] = [
    ("Hi", "'<{}|{}>'.format(c, n)", ["0 <", "0.content Hi", "0 |", "0.n 7", "0 >"]),
    ("Hi", "'{}{}{}'.format(c, d, n)", ["0.content Hi", "1.content>0 Yo", "0.n 7"]),
    ("Hi", "'{1}-{0}'.format(c, d)", ["1.content>0 Yo", "0 -", "0.content Hi"]),
    ("Hi", "'{b}-{a}'.format(a=c, b=d)", ["1.content>0 Yo", "0 -", "0.content Hi"]),
    ("Hi", "'{b}-{a}'.format_map({'a': c, 'b': d})", ["1.content>0 Yo", "0 -", "0.content Hi"]),
    ("Hi", "'{{{}}}|{}'.format(c, d)", ["0 {", "0.content Hi", "0 }|", "1.content>0 Yo"]),
    ("Hi", "'{:>4}|{:4}'.format(c, d)", ["0   ", "0.content Hi", "0 |", "1.content>0 Yo", "0   "]),
    ("Hi", "'{!r}|{!s}'.format(c, d)", ["0 '", "0.content Hi", "0 '|", "1.content>0 Yo"]),
    ("Hi", "'{}|{}'.format([c], [d])", ["0 ['", "0.content Hi", "0 ']|['", "1.content>0 Yo", "0 ']"]),
    ("Hi", "'{0[content]}|{0[n]}'.format(m)", ["0.content Hi", "0 |", "0.n 7"]),
    ("Hi", "'{0.x}|{1.x}'.format(namespace(x=c), namespace(x=n))", ["0.content Hi", "0 |", "0.n 7"]),
    ("Hi", "'{:03d}'.format(n)", ["0.n 007"]),
    # A width that is itself a value: the first text that is found whole is all that is known.
    ("Hi", "'{:{}}'.format(c, 4)", ["0.content Hi", "0   "]),
    ("Hi", "'{:>{w}}'.format(c, w=4)", ["0   ", "0.content Hi"]),
    ("Hi", "'<{a:{w}}>'.format(a=c, w=4)", ["0 <", "0.content Hi", "0   >"]),
    ("Hi", "'<{a:{w}}>'.format_map({'a': c, 'w': 4})", ["0 <", "0.content Hi", "0   >"]),
    # A pattern that is a source.
    ("<{}>", "c.format('x')", ["0.content <", "0 x", "0.content >"]),
    ("ab{}ab{}ab", "c.format(1, d)", ["0.content ab", "0 1", "0.content ab", "1.content>0 Yo", "0.content ab"]),
    ("{{{}}}", "c.format(d)", ["0.content {", "1.content>0 Yo", "0.content }"]),
]


@pytest.mark.parametrize(("content", "expression", "expected"), FORMATS)
def test_format_keeps_the_origins_of_pattern_and_values(content: str, expression: str, expected: list[str]) -> None:
    assert noted(shown(content, INSIDE.format(expression))) == expected


@pytest.mark.parametrize(
    ("content", "expression", "offsets"),
    [
        ("<{}>", "c.format(1)", [0, 3]),
        ("ab{}ab{}ab", "c.format(1, 2)", [0, 1, 4, 5, 8, 9]),
        ("a{{b}}{}c", "c.format(1)", [0, 1, 3, 4, 8]),
        ("Hi", "'{}{}'.format(c, c)", [0, 1, 0, 1]),
        ("Hi", "'{0[0]}|{0[1]}'.format(c)", [0, 1]),
    ],
)
def test_format_keeps_places(content: str, expression: str, offsets: list[int]) -> None:
    assert [offset for _, offset in places(shown(content, INSIDE.format(expression)))] == offsets


OPERATORS: list[tuple[str, list[str]]] = [
    ("'-'.join([c, n|string, 'x'])", ["0.content Hi", "0 -", "0.n 7", "0 -x"]),
    ("'-'.join([c]|map('upper'))", ["0.content HI"]),
    ("'-'.join([c, d]|map('lower'))", ["0.content hi", "0 -", "1.content>0 yo"]),
    ("'-'.join(['a', 'b'])", ["0 a-b"]),
    ("', '.join((c, c))", ["0.content Hi", "0 , ", "0.content Hi"]),
    ("'<X>'.replace('X', c)", ["0 <", "0.content Hi", "0 >"]),
    ("'<X>'.replace('X', c, 1)", ["0 <", "0.content Hi", "0 >"]),
    ("'abc'.ljust(5)", ["0 abc  "]),
    ("c + '|' + d", ["0.content Hi", "0 |", "1.content>0 Yo"]),
    ("c ~ '|' ~ n ~ [c]", ["0.content Hi", "0 |", "0.n 7", "0 ['", "0.content Hi", "0 ']"]),
    ("'%s|%s' % (c, n)", ["0.content Hi", "0 |", "0.n 7"]),
    ("'%s|%s' % ([n], [c, d])", ["0 [", "0.n 7", "0 ]|['", "0.content Hi", "0 ', '", "1.content>0 Yo", "0 ']"]),
    ("'%(a)s' % {'a': [c, n]}", ["0 ['", "0.content Hi", "0 ', ", "0.n 7", "0 ]"]),
    ("(c|safe) ~ 1", ["0.content Hi", "0 1"]),
    ("(c|safe) + d", ["0.content Hi", "1.content>0 Yo"]),
    ("c + (d|safe)", ["0.content Hi", "1.content>0 Yo"]),
    ("c * 2", ["0.content HiHi"]),
    ("[c] + [n]", ["0 ['", "0.content Hi", "0 ', ", "0.n 7", "0 ]"]),
    ("n + 1", ["0 8"]),
    ("c.upper().lower()", ["0.content hi"]),
]


@pytest.mark.parametrize(("expression", "expected"), OPERATORS)
def test_operators_and_methods_keep_origins(expression: str, expected: list[str]) -> None:
    assert noted(shown("Hi", INSIDE.format(expression))) == expected


OWNERS: list[tuple[str, list[str]]] = [
    # A literal belongs to the source that it is joined with, also where the texts are printed later and together.
    (
        "{% set x = messages[0].content + 'A' %}{% set y = messages[1].content + 'B' %}{{ x ~ y }}",
        ["0.content Hi", "0 A", "1.content Yo", "1 B"],
    ),
    (
        "{% set x = messages[0].content + 'A' %}{% set y = messages[1].content + 'B' %}{{ x + y }}",
        ["0.content Hi", "0 A", "1.content Yo", "1 B"],
    ),
    (
        "{% set x = messages[0].content ~ 'A' %}{% set y = messages[1].content ~ 'B' %}{{ x + y }}",
        ["0.content Hi", "0 A", "1.content Yo", "1 B"],
    ),
    ("{{ messages[0].content }}A{{ messages[1].content }}", ["0.content Hi", "0 A", "1.content Yo"]),
    ("{% set x %}A{{ messages[0].content }}{% endset %}B{{ x }}", ["0 BA", "0.content Hi"]),
    # What an index loop selects, also from a namespace, owns all that the iteration prints.
    (
        (
            "{% set ns = namespace(all=messages) %}"
            "{% for i in range(2) %}<{% if true %}{{ ns.all[i].content }}{% endif %}>{% endfor %}"
        ),
        ["0 <", "0.content Hi", "0 >", "1 <", "1.content Yo", "1 >"],
    ),
    (
        "{% for i in range(2) %}<{% if true %}{{ messages[i].content }}{% endif %}>{% endfor %}",
        ["0 <", "0.content Hi", "0 >", "1 <", "1.content Yo", "1 >"],
    ),
    # One that is never there selects nothing.
    (
        "{% set ns = namespace() %}{% for i in range(1) %}{% if false %}{{ ns.all[i] }}{% endif %}<{% endfor %}",
        ["- <"],
    ),
    # So does an attribute of what is no namespace.
    (
        "{% set d = {'all': messages} %}{% for i in range(1) %}{{ d.all[i].content }}<{% endfor %}",
        ["0.content Hi", "0 <"],
    ),
    (
        "{% for m in messages %}<{% generation %}[{{ m.content }}]{% endgeneration %}>{% endfor %}",
        ["0 <", "0* [", "0.content* Hi", "0* ]", "0 >", "1 <", "1* [", "1.content* Yo", "1* ]", "1 >"],
    ),
]


@pytest.mark.parametrize(("template", "expected"), OWNERS)
def test_literals_have_their_owners(template: str, expected: list[str]) -> None:
    assert noted(shown("Hi", template)) == expected


MARKED = (
    "{% for m in messages %}{% autoescape true %}{% set c = m.content %}{% set x %}<b>{% endset %}{{ EXPRESSION }}"
    "{% endautoescape %}{% endfor %}"
)
"""In a block of automatic escaping, what a `set` block captures is marked as safe by Jinja itself."""


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("c + x", ["0.content a&lt;b", "0 <b>"]),
        ("x + x", ["0 <b><b>"]),
    ],
)
def test_what_is_added_to_marked_text_is_escaped_and_keeps_its_origin(expression: str, expected: list[str]) -> None:
    rendering = render([{"role": "user", "content": "a<b"}], template=MARKED.replace("EXPRESSION", expression))
    assert noted(rendering) == expected
