"""Expressions that templates use, on texts that nobody would choose: transformers' text, and sound origins.

What stands in an expression is a finite list; what stands in the messages is Hypothesis'.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from maskspec.errors import ProvenanceError, TemplateRejected
from maskspec.rendering import OriginKind, render
from tests.unit.rendering.notation import check_spans, noted
from tests.unit.rendering.oracle import transformers_text

ALPHABET = "abBxyZ01, .;-\t\n\r\v\x1c\u2028\u00a0ßİŉΣσǆﬁé'\"&<>%{}\\/👍中\x00\x7f"
TEXTS = st.text(ALPHABET, max_size=14)
NUMBERS = st.integers(-1000, 10**15) | st.floats(allow_nan=False, allow_infinity=False, width=32)
PLAIN = st.none() | st.booleans() | NUMBERS | TEXTS
DATA = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
"""JSON data of any shape."""

GIVEN = DATA.map(lambda data: [] if data is None else data)
"""The same without None at the top: a message does not have the keys whose value is None."""

EXPRESSIONS = [
    "c",
    "c|trim",
    "c|trim('a ')",
    "c.strip()",
    "c.lstrip('\\n')",
    "c.rstrip('ab')",
    "c|upper",
    "c|lower",
    "c|title",
    "c|capitalize",
    "c.swapcase()",
    "c.casefold()",
    "c|length",
    "c|wordcount",
    "c|reverse",
    "c[::-1]",
    "c[1:]",
    "c[:-2]",
    "c[::2]",
    "c[0]",
    "c|first",
    "c|last",
    "c|list",
    "c|list|join('.')",
    "c|unique|join",
    "c|sort|join",
    "c|batch(3, '_')|map('join')|join('|')",
    "c|slice(3, '_')|map('join')|join('|')",
    "c.split('a')",
    "c.split('a')[-1]",
    "c.split()|join('+')",
    "c.rsplit('b', 1)|last",
    "c.splitlines()|join('/')",
    "c.splitlines(true)|join('/')",
    "c.partition('a')|join('|')",
    "c.rpartition('a')[2]",
    "c.removeprefix('a').removesuffix('b')",
    "c.replace('a', 'bb')",
    "c.replace('a', '').replace('', '-')",
    "c|replace('a', c)",
    "c|replace('b', '<>', 1)",
    "c.center(20)",
    "c|center(20)",
    "c.ljust(9, 'a') + c.rjust(9, 'b') + c.zfill(9)",
    "c.expandtabs(3)",
    "c.translate({97: 'xyz', 98: none})",
    "c|indent(2)",
    "c|indent('a', first=true, blank=true)",
    "c|truncate(5)",
    "c|truncate(5, true, '', 0)",
    "c|wordwrap(4)",
    "c|wordwrap(4, false, '|')",
    "c|urlencode",
    "c|urlize",
    "c|striptags",
    "c|e",
    "c|escape|escape",
    "c|safe",
    "c|forceescape",
    "c|e|forceescape",
    "c|string",
    "c|pprint",
    "c|tojson",
    "c|tojson(ensure_ascii=true)",
    "c|e ~ c",
    "(c|e) + '<' + c",
    "'<' + (c|e)",
    "'<' + (c|safe)",
    "'a' + c + 'b'",
    "'a' ~ c ~ 1 ~ none ~ true ~ 1.5 ~ [c]",
    "c * 2",
    "2 * c",
    "'%s' % c",
    "'%r' % c",
    "'%r' % [c]",
    "'%(content)s %(role)s' % m",
    "'%5s|%-5s|%.2s' % (c, c, c)",
    "'%s'|format(c)",
    "'%(a)s'|format(a=c)",
    "'{}'.format(c)",
    "'{!r}|{!s}|{!a}'.format(c, c, c)",
    "'{0:>9}|{0:<9}|{0:^9}|{0:.2}'.format(c)",
    "'{0[content]}{0[role]}'.format(m)",
    "'{a}{b:>{w}}'.format(a=c, b=c, w=7)",
    "'{{{}}}{}'.format(c, c)",
    "'{}'.format([c])",
    "'{content}'.format_map(m)",
    "'-'.join([c, 'x', c])",
    "c.join(['x', 'y'])",
    "c.join('xyz')",
    "', '.join(m.keys())",
    "[c, c]|join(', ')",
    "[m, m]|join(',', attribute='content')",
    "[c, 'x']",
    "(c, 1, none)",
    "{'k': c, c: 'v'}",
    "{'k': c, c: 'v'}|tojson",
    "{'b': c, 'a': [c, 1]}|tojson(indent=2, sort_keys=true)",
    "{1: c, 2.5: none, none: true, false: []}|tojson",
    "[[], {}, '', [[c]]]|tojson(indent=1)",
    "[c, 1]|tojson(separators=(' ; ', ' = '))",
    "[c]|tojson(indent='>')",
    "[c]|tojson(indent=0)",
    "m|tojson",
    "m|tojson(indent=4)",
    "m",
    "m|string|length",
    "m.items()|list",
    "m|items|list|length",
    "m|dictsort(by='key')",
    "d",
    "d|tojson",
    "d|tojson(ensure_ascii=true, sort_keys=true)",
    "d|string",
    "d|trim",
    "d ~ ''",
    "'%s' % [d]",
    "'{}'.format([d])",
    "[d, d]|tojson(indent=2)",
    "n",
    "n|string ~ n",
    "n|tojson",
    "'%s|%d' % (n, n)",
    "'{}|{:>20}'.format(n, n)",
    "[n, -n, n + 1]",
    "n|int + n|float + n|abs",
    "n|round(1)",
    "n|filesizeformat",
    "c if c else 'none'",
    "c or 'none'",
    "c|default('x', true)",
    "c == c|trim",
    "'a' in c",
    "c is string and c is iterable and c is not mapping",
    "c < 'b'",
    "c.count('a') + c.find('b')",
    "c.startswith('a') ~ c.endswith(('a', 'b')) ~ c.isalpha()",
    "c.nothing is defined",
    "m.nothing",
    "loop.nothing is defined",
    "namespace(a=1).b is defined",
    "(namespace(a=c).a, cycler(c, 'x').next(), joiner(c)() ~ '')",
    "dict(m, a=1)|length",
    "dict.fromkeys([c], 1)|list",
    "[3, c|length]|max",
    "[c, 'b']|min",
    "[m]|map(attribute='content')|first",
    "[m]|selectattr('content')|list|length",
    "[c, c]|map('upper')|join",
    "[c, 'x']|select('equalto', c)|join",
    "[c]|groupby(0)|length if c else 0",
    "raise_exception is defined",
    "range(3)|list ~ c",
    "caller is defined",
]


@settings(deadline=None, max_examples=10)
@given(content=TEXTS, data=GIVEN, number=NUMBERS)
@example(content="a'b\"c", data={"k": ["a'b\"", True, None, 1.5], "": {}}, number=3)
@example(content=" a<b>&amp;\n\n{x} ", data=[[], {}, ""], number=-2.5)
def test_the_text_is_the_one_of_transformers(content: str, data: Any, number: int | float) -> None:
    messages = [{"role": "user", "content": content, "data": data, "number": number}]
    for expression in EXPRESSIONS:
        template = (
            "{% for m in messages %}{% set c = m.content %}{% set d = m.data %}{% set n = m.number %}<{{ "
            + expression
            + " }}>{% endfor %}"
        )
        try:
            expected = transformers_text(messages, template)
        except Exception:  # noqa: BLE001 - an expression can fail in many ways on some texts
            with pytest.raises(TemplateRejected):
                render(messages, template=template)
            continue
        rendering = render(messages, template=template)
        assert (expression, rendering.text) == (expression, expected)
        check_spans(rendering, messages=messages)
        assert (expression, {span.origin.message for span in rendering.spans}) == (expression, {0})


WHOLE = [
    *("c", "c|string", "c ~ ''", "'a' + c", "'%s' % c", "'{}'.format(c)", "'%s'|format(c)", "[c]|join", "''.join([c])"),
    *("c|safe", "c|list|join", "c[::-1][::-1]", "namespace(x=c).x", "'<X>'.replace('X', c)", "c|default('x')"),
    *("'%9s' % c", "'{:>9}'.format(c)", "c.center(30)", "c|center(30)", "dict(a=c).a", "[c]|first", "(c, 1)|first"),
    *("m['content']", "m|attr('items') and c", "'{0[content]}'.format(m)", "'%(content)s' % m", "c.split('zz')[0]"),
    *(
        "[m]|map(attribute='content')|first",
        "c.partition('zz')[0]",
        "c if true else ''",
        "c or 'x'",
        "cycler(c).next()",
    ),
    *("c.replace('zz', '')", "c|replace('zz', 'y')", "'' ~ c ~ ''", "{'c': c}['c']", "{'c': c}.c"),
]


@settings(deadline=None, max_examples=15)
@given(content=st.text("ab'\"&<\n ß👍", min_size=1, max_size=10))
def test_a_text_that_is_printed_whole_keeps_every_offset(content: str) -> None:
    for expression in WHOLE:
        template = "{% for m in messages %}{% set c = m.content %}{{ " + expression + " }}{% endfor %}"
        rendering = render([{"role": "user", "content": content}], template=template)
        places = [
            (rendering.text[span.start + step], span.offset + step)
            for span in rendering.spans
            if span.origin.kind is OriginKind.MESSAGE and span.offset is not None
            for step in range(span.end - span.start)
        ]
        assert (expression, places) == (expression, list(zip(content, range(len(content)), strict=True)))


WITHIN = [
    *("'%s' % [c]", "'%s' % {'k': c}", "'%(k)s' % {'k': [c]}", "'%r' % c", "'%s'|format([c])", "'%s|%s' % ([c], 1)"),
    *("'{}'.format([c])", "'{!r}'.format(c)", "'{k}'.format(k={'k': c})", "'{}'.format((c, 1))", "'{!a}'.format(c)"),
    *("[c]|string", "{'k': [c]} ~ ''", "(c, c)[:1]|list", "[c]|trim", "[c]|upper|lower", "[c]|replace('zz', 'y')"),
    *("[[c]]|join", "''.join({'k': c}.values())", "''.join([c]|map('string'))", "{'k': c}|tojson(indent=3)"),
]


@pytest.mark.parametrize("expression", WITHIN)
def test_a_text_inside_what_is_printed_keeps_every_offset(expression: str) -> None:
    template = "{% for m in messages %}{% set c = m.content %}{{ " + expression + " }}{% endfor %}"
    rendering = render([{"role": "user", "content": "abc"}], template=template)
    start = rendering.text.index("abc")
    (span,) = rendering.spans_between(start, start + 1)
    assert (span.start, span.end, span.origin.path, span.offset) == (start, start + 3, ("content",), 0)


@settings(deadline=None, max_examples=100)
@given(content=TEXTS, plain=st.booleans())
def test_every_escape_in_json_belongs_to_its_character(content: str, plain: bool) -> None:
    option = "ensure_ascii=" + str(plain).lower()
    template = "{{ messages[0].content|tojson(" + option + ") }}"
    rendering = render([{"role": "user", "content": content}], template=template)
    expected = [
        (character, offset)
        for offset, source in enumerate(content)
        for character in json.dumps(source, ensure_ascii=plain)[1:-1]
    ]
    found = [
        (rendering.text[span.start + step], span.offset + step)
        for span in rendering.spans
        if span.origin.path == ("content",) and span.offset is not None
        for step in range(span.end - span.start)
    ]
    assert rendering.text == json.dumps(content, ensure_ascii=plain)
    assert found == expected


def leaves(value: Any, path: tuple[str | int, ...]) -> list[tuple[tuple[str | int, ...], Any]]:
    """All values inside JSON data that are printed, with their paths, in the order in which they are."""
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list):
        return [leaf for index, item in enumerate(value) for leaf in leaves(item, (*path, index))]
    return [(path, value)]


@settings(deadline=None, max_examples=100)
@given(
    data=DATA.filter(lambda value: isinstance(value, (dict, list))),
    notation=st.sampled_from(["d|tojson", "d|tojson(indent=2)", "d", "d ~ ''"]),
)
def test_every_value_inside_data_has_its_path(data: Any, notation: str) -> None:
    rendering = render(
        [{"role": "user", "content": "", "data": data}],
        template="{% for m in messages %}{% set d = m.data %}{{ " + notation + " }}{% endfor %}",
    )
    shown: dict[tuple[str | int, ...], str] = {}
    for span in rendering.spans:
        if span.origin.kind is OriginKind.MESSAGE and not span.origin.is_key:
            path = tuple(span.origin.path)
            shown[path] = shown.get(path, "") + rendering.text[span.start : span.end]
    written = json.dumps if "tojson" in notation else repr
    for path, value in leaves(data, ("data",)):
        if isinstance(value, str):
            expected = written(value)[1:-1] if "tojson" not in notation else json.dumps(value, ensure_ascii=False)[1:-1]
            assert shown.pop(path, "") == expected
        else:
            assert shown.pop(path) == written(value)
    assert shown == {}


def test_numbers_keep_their_origin_when_they_are_formatted() -> None:
    messages = [{"role": "user", "content": "", "n": 7, "x": 2.5}]
    template = (
        "{% for m in messages %}{{ '{:03d}|{:.2f}'.format(m.n, m.x) }}|{{ '%d' % m.n }}{{ m.n }}{{ m.x }}{% endfor %}"
    )
    assert noted(render(messages, template=template)) == ["0.n 007", "0 |", "0.x 2.50", "0 |", "0.n 77", "0.x 2.5"]


@pytest.mark.parametrize(
    "template", ["{{ range(1000000)|random if false }}{{ lipsum() }}", "{{ lipsum(n=2, html=false) }}"]
)
def test_texts_that_differ_from_one_rendering_to_the_next_are_refused(template: str) -> None:
    with pytest.raises(ProvenanceError, match=r"differs from plain rendering at character \d+: '.*' instead of '"):
        render([{"role": "user", "content": "Hi"}], template=template)


CONDITIONAL = "a{{ messages[0].content }}{% if nothing %}{% extends 'x' %}{% endif %}b{{ messages[0].content }}{{ 1 }}"


def test_a_parent_template_that_is_never_asked_for() -> None:
    messages = [{"role": "user", "content": "Hi"}]
    rendering = render(messages, template=CONDITIONAL)
    assert rendering.text == transformers_text(messages, CONDITIONAL)
    assert noted(rendering) == ["0 a", "0.content Hi", "0 b", "0.content Hi", "0 1"]


SELECTIONS = [
    "{% for i in range(3) %}{% if i < 2 %}{{ messages[i].content }};{% endif %}{% endfor %}",
    "{% set table = {'a': 1} %}{% for i in 'ab' %}{{ table[i] }};{% endfor %}{{ messages[0].content }}",
    "{% set word = 'ab' %}{% for i in range(4) %}{{ word[i] }}{% endfor %}{{ messages[0].content }}",
    "{% for i in range(2) %}{% if false %}{{ raise_exception('no')[i] }}{% endif %}{{ messages[i].content }};{% endfor %}",
    "{% for i in range(2) %}{% set turns = messages[::-1] %}{{ turns[i].content }};{% endfor %}",
    "{% for i in range(2) %}{{ (messages|reverse|list)[i].content }};{% endfor %}",
    "{% for i in range(2) %}{{ dict(all=messages)['all'][i].content }};{% endfor %}",
    "{% for i in range(-2, 0) %}{{ messages[i].content }};{% endfor %}",
    "{% for i in range(3) %}{{ messages[i].content }};{% endfor %}",
    "{% for i in ['content'] %}{{ messages[0][i] }};{% endfor %}",
    "{% for i in range(2) %}{% set i = 0 %}{{ messages[i].content }};{% endfor %}",
    "{% for i in range(2) %}{% set messages = [messages[1]] %}{{ messages[0].content }};{% endfor %}",
    "{% set d = {'all': messages} %}{% for i in range(2) %}{{ d.all[i].content }};{% endfor %}",
    "{% for i in range(2) %}{{ nothing[i] }}{{ messages[loop.index0].content }};{% endfor %}",
    "{% for i in range(2) %}{{ messages[loop.index - 1].content }};{% endfor %}",
    "{% for i in range(2) %}{% for j in range(2) %}{{ messages[j].content }};{% endfor %}{{ messages[i].role }}{% endfor %}",
    "{% for m in messages %}{% for i in range(2) %}{{ messages[i].content }};{% endfor %}{{ m.role }}{% endfor %}",
]


@pytest.mark.parametrize("template", SELECTIONS)
def test_index_loops_of_all_sorts(template: str) -> None:
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]
    try:
        expected = transformers_text(messages, template)
    except Exception:  # noqa: BLE001 - reading past the end fails in several ways
        with pytest.raises(TemplateRejected):
            render(messages, template=template)
        return
    rendering = render(messages, template=template)
    assert rendering.text == expected
    check_spans(rendering, messages=messages)
    literals = [span for span in rendering.spans if span.origin.kind is OriginKind.LITERAL]
    for literal in literals:
        before = max((s for s in rendering.spans if s.end <= literal.start), key=lambda s: s.end, default=None)
        if before is not None and before.origin.path == ("content",):
            assert literal.origin.message == before.origin.message
