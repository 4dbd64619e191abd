"""The environment of templates: what operators, calls and lookups may build, what they give, and what they leave behind.

What a text or list costs is worked out by hand, as in `test_guards.py`: one below the real size
has to be refused, the room named here has to be enough.
"""

from __future__ import annotations

import gc
from typing import Any

import pytest

from maskspec.conversation import Conversation
from maskspec.errors import TemplateLimitExceeded, TemplateRejected, TemplateSecurityError, TemplateSyntaxError
from maskspec.rendering import ConversationRenderer, Limits, environment, render
from maskspec.rendering.render import compiled
from tests.unit.rendering.oracle import transformers_text


@pytest.fixture(autouse=True)
def _nothing_compiled_before() -> None:
    """Every test compiles its template itself, whichever tests ran before it."""
    compiled.cache_clear()


MODES = pytest.mark.parametrize("traced", [True, False], ids=["traced", "plain"])

VARIABLES: dict[str, Any] = {
    "forty": "x" * 40,
    "one": 1,
    "big": 2**9999,
    "numbers": [3, 1, 2],
    "comma": "a,b,c",
    "tabs": "a\tb",
    "record": {"k": "x" * 40},
}
"""Jinja computes what holds nothing but constants when it compiles a template; what these are in, it does not."""


def filled(template: str, *, traced: bool, **limits: Any) -> str:
    """What a whole template prints; `c` is the content "ab"."""
    renderer = ConversationRenderer(
        Conversation.coerce([{"role": "user", "content": "ab"}]),
        template="{% set c = messages[0].content %}" + template,
        template_kwargs=VARIABLES,
        limits=Limits(**limits),
    )
    return renderer.traced()[0] if traced else renderer.text()


def rendered(expression: str, *, traced: bool, **limits: Any) -> str:
    """What an expression prints."""
    return filled("{{ " + expression + " }}", traced=traced, **limits)


# Texts

TEXTS: list[tuple[str, int, int]] = [
    # an expression, the length of its text, how many characters may be asked for
    ("forty + forty", 80, 80),
    ("forty + forty + c", 82, 82),
    ("c + (forty + forty)", 82, 82),
    ("forty ~ forty", 80, 80),
    ("forty ~ one ~ none", 45, 45),
    ("forty * 3", 120, 120),
    ("3 * forty", 120, 120),
    ("'%s%s%s' % (forty, forty, forty)", 120, 130),
    ("'%(k)s%(k)s%(k)s' % record", 120, 182),
    ("('%(k)s%(k)s%(k)s'|safe) % record", 120, 182),
    ("'%50s' % c", 50, 57),
    ("c % ()", 2, 3),
    ("(c|safe) + forty", 42, 42),
    ("forty + (c|safe)", 42, 42),
    ("('%s%s'|safe) % (forty, forty)", 80, 87),
    ("'{}{}{}'.format(forty, forty, forty)", 120, 123),
    ("('{0}' * 100).format(forty)", 4000, 4100),
    ("'{:50}'.format(c)", 50, 53),
    ("'{:{}}'.format(c, 50)", 50, 60),
    ("'{a}{a}{a}'.format(a=forty)", 120, 123),
    ("'{a}{a}{a}'.format_map({'a': forty})", 120, 123),
    ("('{}{}{}'|safe).format(forty, forty, forty)", 120, 123),
    ("('{a}{a}{a}'|safe).format_map({'a': forty})", 120, 123),
    ("c.center(50)", 50, 52),
    ("c.replace('a', forty)", 41, 41),
    ("(c|safe).ljust(50)", 50, 52),
    ("tabs.expandtabs(50)", 51, 53),
    ("tabs.expandtabs(tabsize=50)", 51, 53),
    ("forty.join(numbers|map('string'))", 83, 123),
    ("forty.join([c, c])", 44, 84),
    ("','.join([forty, forty])", 81, 83),
    ("numbers|tojson", 9, 24),
    ("numbers|tojson(indent=50)", 161, 324),
    ("[[[one]]]|tojson(indent=20)", 193, 264),
    ("{'k': {'k': one}}|tojson(indent=20)", 99, 162),
    ("numbers|tojson(separators=('x' * 50, ':'))", 105, 228),
    ("lipsum(n=1, min=99, max=100)", 100, 800),
    ("lipsum(2, false, 99, 100)", 200, 1600),
]


@MODES
@pytest.mark.parametrize(("expression", "real", "enough"), TEXTS)
def test_an_expression_that_builds_a_text(expression: str, real: int, enough: int, traced: bool) -> None:
    template = "(" + expression + ")|length"
    length = int(rendered(template, traced=traced, characters=enough))
    assert length >= real if "lipsum" in expression else length == real
    with pytest.raises(TemplateLimitExceeded, match="characters"):
        rendered(template, traced=traced, characters=real - 1)


@MODES
def test_what_format_puts_in_counts_once_for_all_texts_together(traced: bool) -> None:
    """All texts may have forty times the characters of one; traced text is formatted twice."""
    times = 19 if traced else 38
    template = "{% for i in range(" + str(times) + ") %}{% set x = '{}{}'.format(forty, forty) %}{% endfor %}"
    assert filled(template, traced=traced, characters=82) == ""


BLOCKS: list[tuple[str, int]] = [
    ("{% set x %}{{ forty }}{{ c }}{{ forty }}{% endset %}{{ x|length }}", 82),
    ("{% macro m() %}{{ forty }}{{ forty }}{% endmacro %}{{ m()|length }}", 80),
    ("{% macro m() %}{{ caller()|length }}{% endmacro %}{% call m() %}{{ forty }}{{ forty }}{% endcall %}", 80),
]


@MODES
@pytest.mark.parametrize(("template", "real"), BLOCKS)
def test_a_block_that_builds_a_text(template: str, real: int, traced: bool) -> None:
    assert filled(template, traced=traced, characters=real) == str(real)
    with pytest.raises(TemplateLimitExceeded, match="characters"):
        filled(template, traced=traced, characters=real - 1)


# Lists and numbers

LISTS: list[tuple[str, str, int]] = [
    ("numbers + [one]", "4", 4),
    ("[one] + numbers + numbers", "7", 7),
    ("numbers * 3", "9", 9),
    ("3 * numbers", "9", 9),
    ("comma.split(',')", "3", 3),
    ("comma.split(sep=',')", "3", 3),
    ("comma.rsplit(sep=',', maxsplit=-1)", "3", 3),
    ("tabs.split()", "2", 2),
    ("('a\\nb\\nc' ~ c).splitlines()", "3", 3),
    ("','.join(numbers|map('string'))", "5", 3),
    ("forty[:2].join(numbers|map('string'))", "7", 3),
]


@MODES
@pytest.mark.parametrize(("expression", "length", "items"), LISTS)
def test_an_expression_that_builds_a_list(expression: str, length: str, items: int, traced: bool) -> None:
    assert rendered(f"({expression})|length", traced=traced, items=items) == length
    with pytest.raises(TemplateLimitExceeded, match=f"more than {items - 1} items"):
        rendered(f"({expression})|length", traced=traced, items=items - 1)


@MODES
@pytest.mark.parametrize(
    "expression", ["[forty, forty]", "(forty, forty)", "{'a': forty, 'b': forty}", "dict(a=forty, b=forty)"]
)
def test_a_container_counts_as_what_it_holds(expression: str, traced: bool) -> None:
    enough = 83 if expression[0] in "[(" else 87
    assert rendered(f"({expression})|length", traced=traced, characters=enough) == "2"
    with pytest.raises(TemplateLimitExceeded, match="characters"):
        rendered(f"({expression})|length", traced=traced, characters=enough - 1)


@MODES
def test_what_fromkeys_builds_counts_too(traced: bool) -> None:
    assert rendered("dict.fromkeys(c, forty)|length", traced=traced, characters=87) == "2"
    with pytest.raises(TemplateLimitExceeded, match="characters"):
        rendered("dict.fromkeys(c, forty)|length", traced=traced, characters=86)


@MODES
@pytest.mark.parametrize("expression", ["big * big * big", "one * 2 ** 20000", "(big * big) ** 2"])
def test_a_number_of_very_many_digits_is_refused(expression: str, traced: bool) -> None:
    with pytest.raises(TemplateLimitExceeded, match="more than 20,000 bits"):
        rendered(expression + " > 1", traced=traced)


@MODES
@pytest.mark.parametrize(
    ("expression", "value"),
    [("big * 2 > 1", "True"), ("2 ** 10", "1024"), ("7 * 6", "42"), ("7 % 4", "3"), ("one + 2", "3")],
)
def test_other_numbers_are_computed(expression: str, value: str, traced: bool) -> None:
    assert rendered(expression, traced=traced) == value


@MODES
@pytest.mark.parametrize("step", [100, 101])
@pytest.mark.parametrize("given", ["{}", "'x' * {}"])
def test_an_indentation_may_have_a_hundred_characters(given: str, step: int, traced: bool) -> None:
    expression = f"numbers|tojson(indent={given.format(step)})|length"
    if step == 100:
        assert rendered(expression, traced=traced) == "311"
        return
    with pytest.raises(TemplateLimitExceeded, match="separator of more than 100 characters"):
        rendered(expression, traced=traced)


# What operators and calls give

VALUES: list[tuple[str, str]] = [
    ("[one] + [2] + [3]", "[1, 2, 3]"),
    ("1 + one + 2", "4"),
    ("c + 'x' + 'y'", "abxy"),
    ("c ~ one ~ none ~ [2]", "ab1None[2]"),
    ("'%s|%d' % (c, one)", "ab|1"),
    ("2 * (c|safe)", "abab"),
    ("('%s'|safe) % 'x'", "x"),
    ("'{}'.format(c)", "ab"),
    ("'{0}{1}{0}'.format(c, one)", "ab1ab"),
    ("'{a}'.format_map({'a': c})", "ab"),
    ("('<{}>'|safe).format(one)", "<1>"),
    ("('<{a}>'|safe).format_map({'a': one})", "<1>"),
    ("('<{}{a}>'|safe).format(c, a=one)", "<ab1>"),
    ("'{{{}}}'.format(c)", "{ab}"),
    ("','.join(numbers|map('string'))", "3,1,2"),
    ("(c|safe).join(['x', 'y'])", "xaby"),
    ("comma.split(sep=',', maxsplit=1)", "['a', 'b,c']"),
    ("comma.rsplit(',', maxsplit=1)", "['a,b', 'c']"),
    ("'a\\nb'.splitlines(keepends=true)", "['a\\n', 'b']"),
    ("dict([['a', 1]], b=2)", "{'a': 1, 'b': 2}"),
    ("dict()", "{}"),
    ("dict.fromkeys('ab')", "{'a': None, 'b': None}"),
    ("dict.fromkeys('ab', 1)", "{'a': 1, 'b': 1}"),
    ("namespace({'a': 1}, b=2).a", "1"),
    ("namespace({'a': 1}, b=2).b", "2"),
    ("namespace([['a', 3]]).a", "3"),
    ("namespace().a is defined", "False"),
    ("namespace().__class__ is defined", "False"),
    ("c.__class__ is defined", "False"),
    ("none.strip is defined", "False"),
    ("one.upper is defined", "False"),
    ("numbers.split is defined", "False"),
    ("c.upper()", "AB"),
    ("c.nothing is defined", "False"),
    ("{'items': 1}['items']", "1"),
    ("{'a': 1}.a", "1"),
    ("{'a': 1}.items()|list", "[('a', 1)]"),
    ("{'a': 1}.b is defined", "False"),
    ("numbers.index(2)", "2"),
    ("{'é': [1, none]}|tojson", '{"é": [1, null]}'),
    ("'é'|tojson(ensure_ascii=true)", '"\\u00e9"'),
    ("{'b': 1, 'a': 2}|tojson", '{"b": 1, "a": 2}'),
    ("{'b': 1, 'a': 2}|tojson(sort_keys=true)", '{"a": 2, "b": 1}'),
    ("[1, {'a': 2}]|tojson(separators=(';', '='))", '[1;{"a"=2}]'),
    ("[1]|tojson(indent=1)", "[\n 1\n]"),
    ("'abc'.find('a', 5)", "-1"),
    ("lipsum(n=0)", ""),
]


@MODES
@pytest.mark.parametrize(("expression", "text"), VALUES)
def test_an_expression_gives_what_jinja_gives(expression: str, text: str, traced: bool) -> None:
    assert rendered(expression, traced=traced) == text


@pytest.mark.parametrize(
    "expression", ["('<{}>'|safe).format('<')", "('<{a}>'|safe).format_map({'a': '&'})", "('%s'|safe) % '<'"]
)
def test_a_safe_pattern_escapes_what_is_put_in(expression: str) -> None:
    expected = transformers_text([{"role": "user", "content": "ab"}], "{{ " + expression + " }}")
    assert rendered(expression, traced=False) == expected


LINES = "{% if true %}\n  a\n  {% endif %}\n{% for i in range(3) %}\n    {% if i == 1 %}{% continue %}{% endif %}\n{{ i }}\n{% endfor %}\nb\n"


@MODES
def test_white_space_around_tags_goes_and_loops_can_be_continued(traced: bool) -> None:
    assert filled(LINES, traced=traced) == "  a\n0\n2\nb"
    assert transformers_text([{"role": "user", "content": "ab"}], LINES) == "  a\n0\n2\nb"


CALLS: list[tuple[str, str]] = [
    # In a loop, in a block and in both, Jinja hands names of the surroundings to every call.
    ("{% for i in [1] %}{% set y = i %}{{ comma.split(sep=',')[0].upper() }}{% endfor %}", "A"),
    ("{% block b %}{{ comma.split(sep=',')[0].upper() }}{% endblock %}", "A"),
    ("{% block b %}{% for i in [1] %}{{ comma.split(',', maxsplit=0)[0].upper() }}{% endfor %}{% endblock %}", "A,B,C"),
    ("{% for i in [1] %}{{ comma.upper() }}{% endfor %}", "A,B,C"),
    ("{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, b=3) }}{{ m(a=4) }}", "121342"),
    ("{% for x in [[1], [2]] recursive %}{{ loop(x) if x is iterable else x }}{% endfor %}", "12"),
    (
        "{% for x in numbers %}{{ loop.cycle('a', 'b') }}{{ loop.index }}{{ loop.last }}{% endfor %}",
        "a1Falseb2Falsea3True",
    ),
    ("{% set ns = namespace(a=1) %}{% set ns.a = ns.a + 1 %}{% set ns.b = c %}{{ ns.a }}{{ ns.b }}", "2ab"),
    ("{% generation %}a{{ one }}{% endgeneration %}b", "a1b"),
]


@MODES
@pytest.mark.parametrize(("template", "text"), CALLS)
def test_a_template_gives_what_jinja_gives(template: str, text: str, traced: bool) -> None:
    assert filled(template, traced=traced) == text


REFUSED: list[tuple[str, type[Exception], str]] = [
    ("{{ dict.fromkeys('ab', value=1) }}", TemplateRejected, "keyword argument"),
    ("{{ '-'.join() }}", TemplateRejected, "TypeError"),
    ("{{ '-'.join(['a'], 5) }}", TemplateRejected, "TypeError"),
    ("{{ '-'.join(5) }}", TemplateRejected, "TypeError"),
    ("{{ '{}'.format() }}", TemplateRejected, "IndexError"),
    ("{{ '{} {0}'.format(1) }}", TemplateRejected, "ValueError"),
    ("{{ '{a}'.format_map() }}", TemplateRejected, "IndexError"),
    ("{{ '{}'.format_map({}) }}", TemplateRejected, "IndexError|ValueError"),
    ("{% for x in [[1]] recursive %}{{ loop(x, y=1) if x is iterable }}{% endfor %}", TemplateRejected, "TypeError"),
    ("{{ namespace(_a=1) }}", TemplateSecurityError, "may not store the underscored attribute '_a'"),
    (
        "{% set ns = namespace() %}{% set ns._a = 1 %}",
        TemplateSecurityError,
        "may not store the underscored attribute '_a'",
    ),
    ("{{ raise_exception(c) }}", TemplateRejected, "rejects this conversation: ab$"),
    ("{{ raise_exception(5) }}", TemplateRejected, "rejects this conversation: 5$"),
    ("{{ c.encode() }}", TemplateSecurityError, "access to attribute 'encode'"),
    ("{{ one.to_bytes(5, 'big') }}", TemplateSecurityError, "access to attribute 'to_bytes'"),
    ("{{ numbers.append(1) }}", TemplateSecurityError, "access to attribute 'append'"),
    ("{{ messages[0].nothing.more }}", TemplateRejected, "'dict object' has no attribute 'nothing'"),
    ("{{ namespace(a=1).b.more }}", TemplateRejected, "Namespace object' has no attribute 'b'"),
    (
        "{% for x in [1] %}{{ loop.nothing.more }}{% endfor %}",
        TemplateRejected,
        "LoopContext object' has no attribute 'nothing'",
    ),
    ("{{ c.nothing.more }}", TemplateRejected, "has no attribute 'nothing'"),
    ("{{ none.nothing.more }}", TemplateRejected, "'None' has no attribute 'nothing'"),
    ("{{ nothing.more }}", TemplateRejected, "'nothing' is undefined"),
]


@MODES
@pytest.mark.parametrize(("template", "error", "said"), REFUSED)
def test_what_python_or_the_sandbox_refuses(template: str, error: type[Exception], said: str, traced: bool) -> None:
    with pytest.raises(error, match=said):
        filled(template, traced=traced)


def test_a_template_that_is_nested_too_deeply_is_no_template() -> None:
    with pytest.raises(TemplateSyntaxError, match=r"^the template is nested too deeply to be parsed$"):
        render([{"role": "user", "content": "Hi"}], template="{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}")


def test_filler_text_is_asked_for_as_jinja_documents_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five paragraphs of HTML, each of 20 to 100 words, unless it is said otherwise."""
    asked: list[tuple[Any, ...]] = []

    def nothing(*arguments: Any) -> str:
        asked.append(arguments)
        return ""

    monkeypatch.setattr(environment, "lorem_ipsum", nothing)
    for template in ("lipsum()", "lipsum(1, false, 2, 3)", "lipsum(n=1, html=false, min=2, max=3)"):
        rendered(template, traced=False)
    assert asked == [(5, True, 20, 100), (1, False, 2, 3), (1, False, 2, 3)]


# What a rendering leaves behind


@MODES
def test_nothing_that_a_rendering_built_is_kept(traced: bool) -> None:
    """Compiled templates are remembered; the lists that one has built are not."""
    renderer = ConversationRenderer(
        Conversation.coerce([{"role": "user", "content": "kept by whom?"}]),
        template="{% set built = [messages[0].content, 'a mark that no other list has'] %}{{ built|length }}",
    )
    assert (renderer.traced()[0] if traced else renderer.text()) == "2"
    gc.collect()
    kept = [held for held in gc.get_objects() if type(held) is list and held[1:] == ["a mark that no other list has"]]
    assert kept == []
