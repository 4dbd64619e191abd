"""Templates are untrusted programs: what they try must end in one documented error, soon, and in little memory.

Every template that grows is rendered in a confined process, traced and plain,
with 0.2 seconds of time. A `MemoryError` there is a failure: the limit has to be
noticed before the memory is used.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from maskspec.conversation import Conversation
from maskspec.errors import (
    ProvenanceError,
    TemplateError,
    TemplateLimitExceeded,
    TemplateRejected,
    TemplateSecurityError,
    TemplateSyntaxError,
)
from maskspec.rendering import ConversationRenderer, Limits, Rendering, render
from tests.unit.rendering.confined import MESSAGES, Confinement

HARD_SECONDS = 4.0
"""CPU seconds for a template that is given a fifth of one: a single operation may overrun."""


@pytest.fixture(scope="module")
def confinement() -> Iterator[Confinement]:
    confined = Confinement()
    yield confined
    confined.close()


def doubled(statement: str, start: str = "'aa'") -> str:
    """Sixty doublings of `ns.x`."""
    setup = "{% set ns = namespace(x=" + start + ", y=" + start + ") %}"
    return setup + "{% for i in range(60) %}" + statement + "{% endfor %}"


SHARED = doubled("{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}")

GROWING = {
    # one big text
    "string times number": "{{ 'x' * 10000000000 }}",
    "number times string": "{{ 10000000000 * 'x' }}",
    "content times number": "{{ messages[1].content * 15000000 }}",
    "center": "{{ 'x'.center(1000000000) }}",
    "center filter": "{{ 'x'|center(1000000000) }}",
    "center of content": "{{ messages[0].content.center(1000000000) }}",
    "ljust": "{{ 'x'.ljust(1000000000) }}",
    "rjust": "{{ 'x'.rjust(1000000000, '-') }}",
    "zfill": "{{ 'x'.zfill(1000000000) }}",
    "expandtabs": "{{ '\t\t'.expandtabs(1000000000) }}",
    "expandtabs of many": "{{ ('\t' * 1000000).expandtabs(1000000) }}",
    "indent": "{{ 'x'|indent(1000000000, true) }}",
    "indent of many lines": "{{ ('a\n' * 1000000)|indent(1000000) }}",
    "indent by a text": "{{ ('\n' * 1000000)|indent('x' * 1000000, blank=true) }}",
    "replace": "{{ ('a' * 1000000).replace('a', 'x' * 1000000) }}",
    "replace filter": "{{ ('a' * 1000000)|replace('a', 'x' * 1000000) }}",
    "replace nothing": "{{ ('a' * 1000000)|replace('', 'x' * 1000000) }}",
    "translate": "{{ ('a' * 1000000).translate({97: 'x' * 1000000}) }}",
    "join filter": "{{ range(100000)|join('x' * 1000000) }}",
    "join method": "{{ ('x' * 1000000).join(['a'] * 100000) }}",
    "join of a generator": "{{ ('x' * 1000000).join((['a'] * 100000)|map('upper')) }}",
    "join of a text": "{{ ('x' * 1000000).join('y' * 1000000) }}",
    "join of a mapping": "{{ ('x' * 1000000).join(dict.fromkeys(range(100000)|map('string'))) }}",
    "join of keys": "{{ ('x' * 1000000).join(dict.fromkeys(range(100000)|map('string')).keys()) }}",
    "wordwrap": "{{ ('a b ' * 10000)|wordwrap(1, wrapstring='x' * 1000000) }}",
    "lipsum": "{{ lipsum(n=1000000000) }}",
    "lipsum of long paragraphs": "{{ lipsum(n=1, min=999999999, max=1000000000) }}",
    "tojson indent": "{{ [1]|tojson(indent=1000000000) }}",
    "tojson indent of many": "{{ ([1] * 1000000)|tojson(indent=1000000) }}",
    "tojson indent by a text": "{{ ([1] * 1000000)|tojson(indent='x' * 1000000) }}",
    "tojson indent of deep data": "{{ messages[1].given|tojson(indent=10000000) }}",
    "tojson separators": "{{ ([1] * 1000000)|tojson(separators=('x' * 1000000, ':')) }}",
    "strftime": "{{ strftime_now('%250Y' * 5000000) }}",
    "strftime of a wide field": "{{ strftime_now('%1000000000Y') }}{{ 'x' * 1000000000 }}",
    # formatting
    "percent width": "{{ '%1000000000d' % 1 }}",
    "percent precision": "{{ '%.1000000000f' % 1.0 }}",
    "percent star": "{{ '%*d' % (1000000000, 1) }}",
    "percent star filter": "{{ '%*d'|format(1000000000, 1) }}",
    "percent star precision": "{{ '%.*f' % (1000000000, 1.0) }}",
    "percent many widths": "{{ ('%9999999s' * 10000) % (('a',) * 10000) }}",
    "percent repeats": "{{ ('%(a)s' * 100000) % {'a': 'x' * 1000000} }}",
    "format filter width": "{{ '%1000000000s'|format('a') }}",
    "format width": "{{ '{:1000000000}'.format('a') }}",
    "format precision": "{{ '{:.1000000000f}'.format(1.0) }}",
    "format nested width": "{{ '{:{}}'.format('a', 1000000000) }}",
    "format named nested width": "{{ '{0:>{w}}'.format('a', w=1000000000) }}",
    "format aligned nested width": "{{ '{0:x<{1}}'.format('a', 1000000000) }}",
    "format nested width in a mapping": "{{ '{a:{w}}'.format_map({'a': 'a', 'w': 1000000000}) }}",
    "format nested width in a list": "{{ '{0:{1[0]}}'.format('a', [1000000000]) }}",
    "format many widths": "{{ ('{0:9999999}' * 10000).format('a') }}",
    "format repeats": "{{ ('{0}' * 100000).format('x' * 1000000) }}",
    "format_map repeats": "{{ ('{a}' * 100000).format_map({'a': 'x' * 1000000}) }}",
    # doubling
    "plus": doubled("{% set ns.x = ns.x + ns.x %}"),
    "tilde": doubled("{% set ns.x = ns.x ~ ns.x %}"),
    "traced tilde": doubled("{% set ns.x = ns.x ~ ns.x %}", "messages[0].content"),
    "traced plus": doubled("{% set ns.x = ns.x + ns.x %}", "messages[0].content"),
    "captured block": doubled("{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}"),
    "traced captured block": doubled("{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}", "messages[0].content"),
    "macro argument": "{% macro m(n, s) %}{% if n %}{{ m(n - 1, s + s) }}{% endif %}{% endmacro %}{{ m(60, 'aa') }}",
    "join doubling": doubled("{% set ns.x = [ns.x, ns.x]|join %}"),
    "format doubling": doubled("{% set ns.x = '{0}{0}'.format(ns.x) %}"),
    "percent doubling": doubled("{% set ns.x = '%s%s' % (ns.x, ns.x) %}"),
    "replace doubling": doubled("{% set ns.x = ns.x|replace('a', 'aa') %}"),
    "tojson doubling": doubled("{% set ns.x = ns.x|tojson %}", "'\"'"),
    "repr doubling": doubled("{% set ns.x = [ns.x]|string %}", "'\\\\'"),
    "tilde of lists": doubled("{% set ns.x = '' ~ [ns.x, ns.x] %}"),
    "list plus": doubled("{% set ns.x = ns.x + ns.x %}", "[1, 2]"),
    "tuple plus": doubled("{% set ns.x = ns.x + ns.x %}", "(1, 2)"),
    "list times": "{{ [1] * 10000000000 }}",
    "tuple times": "{{ (1, 2) * 10000000000 }}",
    "forceescape": "{% set ns = namespace(x='&' * 3000000) %}{% for i in range(1000) %}"
    "{% set ns.x = ns.x|forceescape %}{% endfor %}",
    "traced forceescape": "{% set ns = namespace(x=messages[0].content * 200000) %}{% for i in range(1000) %}"
    "{% set ns.x = ns.x|forceescape %}{% endfor %}",
    # small data that stand for much
    "shared nesting in JSON": SHARED + "{{ ns.x|tojson }}",
    "shared nesting in Python's notation": SHARED + "{{ ns.x }}",
    "shared nesting compared": SHARED + "{{ ns.x == ns.y }}",
    "shared nesting sorted": SHARED + "{{ [ns.x, ns.y]|sort }}",
    "shared nesting as a text": SHARED + "{{ ns.x|string|length }}{{ '%s' % ns.x }}{{ ns.x|pprint }}",
    "shared nesting of mappings": doubled("{% set ns.x = {'a': ns.x, 'b': ns.x} %}") + "{{ ns.x|tojson }}",
    "shared nesting of dict()": doubled("{% set ns.x = dict(a=ns.x, b=ns.x) %}") + "{{ ns.x|tojson }}",
    "shared nesting of tuples": doubled("{% set ns.x = (ns.x, ns.x) %}") + "{{ ns.x|tojson }}",
    "shared nesting through plus": doubled("{% set ns.x = [ns.x] + [ns.x] %}") + "{{ ns.x|tojson }}",
    "shared nesting through times": doubled("{% set ns.x = [ns.x] * 2 %}") + "{{ ns.x|tojson }}",
    "shared nesting through batch": doubled("{% set ns.x = [ns.x, ns.x]|batch(1)|list %}") + "{{ ns.x|tojson }}",
    "shared nesting through list": doubled("{% set ns.x = [ns.x, ns.x]|list %}") + "{{ ns.x|tojson }}",
    "shared nesting through fromkeys": doubled("{% set ns.x = dict.fromkeys('ab', ns.x) %}") + "{{ ns.x|tojson }}",
    "shared nesting of big texts": "{{ ([['x' * 1000000] * 1000] * 1000)|tojson }}",
    # many things
    "many texts": "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}"
    "{% set ns.l = ns.l + ['x' * 10000000] %}{% endfor %}",
    "many longer texts": "{% set ns = namespace(l=[]) %}{% set s = 'x' * 10000000 %}{% for i in range(100000) %}"
    "{% set ns.l = ns.l + [s + 'y'] %}{% endfor %}",
    "many upper case texts": "{% set ns = namespace(l=[]) %}{% set s = 'x' * 10000000 %}{% for i in range(100000) %}"
    "{% set ns.l = ns.l + [s|upper] %}{% endfor %}",
    "many slices": "{% set ns = namespace(l=[]) %}{% set s = 'x' * 10000000 %}{% for i in range(100000) %}"
    "{% set ns.l = ns.l + [s[1:]] %}{% endfor %}",
    "many lists": "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}"
    "{% set ns.l = ns.l + [[1] * 1000000] %}{% endfor %}",
    "characters of a text": "{{ ('ab' * 7000000)|list|length }}",
    "characters of a traced text": "{{ (messages[0].content * 800000)|list|length }}",
    "split": "{{ (',' * 15000000).split(',')|length }}",
    "traced split": "{{ (messages[0].content * 800000).split()|length }}",
    "lines": "{{ ('\n' * 15000000).splitlines()|length }}",
    "group of characters": "{{ ('x' * 15000000)|groupby(0)|list|length }}",
    "escape": "{{ ('&' * 15000000)|escape|length }}",
    "traced escape": "{{ (messages[0].content * 800000)|escape|length }}",
    "slice filter": "{{ [1]|slice(1000000000)|list }}",
    "batch filter": "{{ [1]|batch(1000000000, 'x')|list }}",
    "sum of lists": "{{ ([[0] * 1000000] * 100000)|sum(start=[])|length }}",
    "range": "{{ range(1000000000)|list }}",
    "range of a step": "{{ range(0, 1000000000, 2)|list }}",
    # numbers
    "power": "{{ 3 ** 200000000 }}",
    "power compared": "{{ (3 ** 20000000) > 1 }}",
    "power of a power": "{{ (9 ** 9) ** (9 ** 9) }}",
    "product": doubled("{% set ns.x = ns.x * ns.x %}", "3"),
    "to_bytes": "{{ (1).to_bytes(10000000000, 'big')|length }}",
    "bytes times number": "{{ ('x'.encode() * 10000000000)|length }}",
    "bytes ljust": "{{ 'x'.encode().ljust(10000000000)|length }}",
    "bytes plus": doubled("{% set ns.x = ns.x + ns.x %}", "'aa'.encode()"),
    # endless
    "nested ranges": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "nested output": "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    "nested traced output": "{% for a in range(99999) %}{% for b in range(99999) %}{{ messages[0].content }}"
    "{% endfor %}{% endfor %}",
    "nested filtered ranges": "{% for a in range(99999) %}{% for b in range(99999) if false %}{% endfor %}{% endfor %}",
    "macro that calls itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "macro that calls itself twice": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}"
    "{{ m(60) }}",
    "macros that call each other": "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}"
    "{{ a() }}",
    "caller that calls": "{% macro m(n) %}{{ caller(n) }}{{ caller(n) }}{% endmacro %}{% macro r(n) %}{% if n %}"
    "{% call(k) m(n) %}{{ r(k - 1) }}{% endcall %}{% endif %}{% endmacro %}{{ r(40) }}",
    "recursive loop": "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "recursive loop that fans out": "{% for x in [1, 2] recursive %}{{ loop([1, 2]) if loop.depth < 60 }}{% endfor %}",
    "sums of ranges": "{{ ([range(100000)] * 1000000)|map('sum')|list|length }}",
    "sorted ranges": "{{ ([range(100000)|list] * 1000000)|map('sort')|list|length }}",
    "selected ranges": "{{ ([range(100000)] * 1000000)|select('eq', [])|map('list')|list|length }}"
    "{{ ([range(100000)|list] * 1000000)|map('join')|list|length }}",
    "nested tests": "{{ ([[1] * 1000000] * 1000000)|select('in', [[1] * 1000000 + [2]] * 1000)|list|length }}",
    "self": "{% block a %}{{ self.a() }}{% endblock %}",
}

LIMIT = re.compile(r"characters|items|seconds|bits|stack|range|limit", re.IGNORECASE)


@pytest.mark.parametrize("traced", [True, False], ids=["traced", "plain"])
@pytest.mark.parametrize("name", GROWING)
def test_templates_that_grow_are_stopped(confinement: Confinement, name: str, traced: bool) -> None:
    outcome = confinement.attempt(GROWING[name], traced=traced, seconds=0.2)
    assert outcome.error in ("TemplateLimitExceeded", *ALSO.get(name, ()))
    assert "memory" not in outcome.message.lower()
    if outcome.error == "TemplateLimitExceeded":
        assert LIMIT.search(outcome.message)
    assert outcome.seconds < HARD_SECONDS


REFUSED = ("TemplateSecurityError",)
ALSO = {
    "bytes times number": REFUSED,
    "bytes ljust": REFUSED,
    "bytes plus": REFUSED,
    "to_bytes": REFUSED,
}
"""Where refusing the operation altogether is as good as limiting it."""

HARMLESS = {
    "quadratic comments": "{{ ('<!--' * 1000000)|striptags|length }}",
    "quadratic tags": "{{ ('<' * 1000000)|striptags|length }}",
    "many links": "{{ ('http://a.b/ ' * 20000)|urlize|length }}",
    "spaces to strip": "{{ (' ' * 5000000 ~ 'x' ~ ' ' * 5000000)|trim|length }}",
    "quadratic search": "{{ ('a' * 3000000).find('a' * 1000000 ~ 'b') }}",
    "a long number": "{{ ('9' * 1000000)|int }}",
    "truncate": "{{ ('a b ' * 1000000)|truncate(1000000)|length }}",
    "titles": "{{ ('a b ' * 200000)|title|length }}",
    "cycler": "{% set c = cycler(*range(1000)) %}{% for i in range(10000) %}{{ c.next() }}{% endfor %}",
    "joiner": "{% set j = joiner('x' * 100) %}{% for i in range(10000) %}{{ j() }}{% endfor %}",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_expensive_looking_templates_that_are_cheap_are_rendered(confinement: Confinement, name: str) -> None:
    outcome = confinement.attempt(HARMLESS[name], seconds=10.0)
    assert (outcome.error, outcome.message) == ("", "")
    assert outcome.seconds < 8


def test_the_default_limits_stop_too(confinement: Confinement) -> None:
    outcome = confinement.attempt(GROWING["tilde"])
    assert outcome.error == "TemplateLimitExceeded"
    assert "characters" in outcome.message


def test_where_the_limits_are_too_high_the_memory_is_the_limit(confinement: Confinement) -> None:
    outcome = confinement.attempt("{{ 'x' * 100000000000 }}", characters=10**12)
    assert outcome.error == "TemplateLimitExceeded"
    assert "memory" in outcome.message


@pytest.mark.parametrize(
    ("limits", "template", "named"),
    [
        (Limits(seconds=0.05), GROWING["nested ranges"], r"0\.05 seconds.*Limits\(seconds="),
        (Limits(characters=1000), "{{ 'x' * 1001 }}", r"1,000 characters.*Limits\(characters="),
        (Limits(characters=1000), "{% for i in range(1001) %}x{% endfor %}", r"1,000 characters.*Limits\(characters="),
        (Limits(items=10), "{{ [1] * 11 }}", r"10 items.*Limits\(items="),
        (Limits(items=10), "{{ [1] + [1] * 10 }}", r"10 items.*Limits\(items="),
    ],
)
def test_the_message_names_the_limit_and_the_remedy(limits: Limits, template: str, named: str) -> None:
    with pytest.raises(TemplateLimitExceeded, match=named):
        render(MESSAGES, template=template, limits=limits)


@pytest.mark.parametrize(
    ("limits", "template", "text"),
    [
        (Limits(characters=1000), "{{ 'x' * 1000 }}", "x" * 1000),
        (Limits(characters=1000), "{% for i in range(1000) %}x{% endfor %}", "x" * 1000),
        (Limits(items=10), "{{ ([1] * 10)|length }}", "10"),
        (Limits(items=10), "{{ ([1] + [1] * 9)|length }}", "10"),
    ],
)
def test_what_just_fits_a_limit_is_rendered(limits: Limits, template: str, text: str) -> None:
    assert render(MESSAGES, template=template, limits=limits).text == text


UNDERSCORED = [
    "messages[0].content",
    "messages[0].content.split",
    "messages[0].content.join",
    "messages[0].content.upper",
    "messages[0].content.format",
    "messages[0]",
    "messages[0].items",
    "messages",
    "messages.index",
    "'x'",
    "'x'.format",
    "''.join",
    "1",
    "1.5",
    "messages[1].given.list[0]",
    "messages[1].given.list[1]",
    "none",
    "true",
    "[]",
    "{}",
    "(1, 2)",
    "range",
    "range(3)",
    "dict",
    "dict.fromkeys",
    "namespace",
    "namespace()",
    "cycler",
    "cycler(1)",
    "cycler(1).next",
    "joiner",
    "joiner()",
    "lipsum",
    "raise_exception",
    "strftime_now",
    "bos_token",
    "m",
    "loop",
    "loop.cycle",
    "self",
    "messages|map('upper')",
    "messages[0].content|safe",
    "messages[0].content|escape",
]
ATTRIBUTES = [
    *("__class__", "__globals__", "__init__", "__func__", "__self__", "__mro__", "__subclasses__", "__code__"),
    *("__dict__", "__reduce__", "__getattribute__", "__format__", "_runs", "_part", "_origin", "_environment"),
]


@pytest.mark.parametrize("traced", [True, False], ids=["traced", "plain"])
@pytest.mark.parametrize("expression", UNDERSCORED)
def test_no_underscored_attribute_is_reached(expression: str, traced: bool) -> None:
    """However it is asked for, an underscored attribute is not defined."""
    attempts = [
        attempt
        for attribute in ATTRIBUTES
        for attempt in (
            f"({expression}).{attribute}",
            f"({expression})['{attribute}']",
            f"({expression})|attr('{attribute}')",
            f"[{expression}]|map(attribute='{attribute}')|first",
        )
    ]
    checks = "".join("{{ " + attempt + " is defined }} " for attempt in attempts)
    template = "{% macro m() %}x{% endmacro %}{% for i in [1] %}" + checks + "{% endfor %}"
    assert rendered(template, traced=traced) == "False " * len(attempts)


@pytest.mark.parametrize("traced", [True, False], ids=["traced", "plain"])
@pytest.mark.parametrize("use", ["({}).a.b", "({})()", "({})[0]", "'{{0.__init__}}'.format({}).a.b", "({}) + 'x'"])
def test_what_an_underscored_attribute_stands_for_cannot_be_used(use: str, traced: bool) -> None:
    for expression in ("messages", "messages[0].content", "messages[0].content.split", "lipsum", "namespace()"):
        template = "{{ " + use.format(f"({expression}).__class__") + " }}"
        with pytest.raises((TemplateSecurityError, TemplateRejected)):
            rendered(template, traced=traced)


SANDBOX = {
    "class through format": "{{ '{0.__class__.__mro__}'.format(messages) }}",
    "class through a format keyword": "{{ '{a.__class__.__mro__}'.format(a=1) }}",
    "class through format_map": "{{ '{a.__class__.__mro__}'.format_map({'a': 1}) }}",
    "globals through format": "{{ '{0.__globals__.os}'.format(lipsum) }}",
    "class through a fetched format": "{{ ('{0.__class__.__mro__}'|attr('format'))(1) }}",
    "class through a mapped format": "{{ (['{0.__class__.__mro__}']|map(attribute='format')|first)(1) }}",
    "class through a subscripted format": "{{ '{0.__class__.__mro__}'['format'](1) }}",
    "class through a nested field": "{{ '{0:{1.__class__.__mro__}}'.format('a', 1) }}",
    "class through a conversion": "{{ '{0.__class__.__mro__!r}'.format('a') }}",
    "class of content through format": "{{ '{0.__class__.__init__.__globals__}'.format(messages[0].content) }}",
    "runs of content through format": "{{ '{0._runs}'.format(messages[0].content) }}{{ 1/0 }}",
    "globals of a content method": "{{ '{0.split.__func__.__globals__}'.format(messages[0].content) }}",
    "class through safe format": "{{ ('{0.__class__.__mro__}'|safe).format(1) }}",
    "format as a macro argument": "{% macro m(f) %}{{ f(1) }}{% endmacro %}{{ m('{0.__class__.__mro__}'.format) }}",
    "format in a namespace": "{% set ns = namespace(f='{0.__class__.__mro__}'.format) %}{{ ns.f(1) }}",
    "format in a mapping": "{{ {'f': '{0.__class__.__mro__}'.format}.f(1) }}",
    "namespace with an underscored name": "{% set ns = namespace(_a=1) %}",
    "namespace with a class": "{% set ns = namespace(**{'__class__': 1}) %}",
    "namespace that is assigned a class": "{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
    "namespace that is assigned an underscored name": "{% set ns = namespace() %}{% set ns._a = 1 %}",
    "append": "{{ messages.append(1) }}",
    "clear": "{{ messages.clear() }}",
    "pop": "{{ messages[0].pop('role') }}",
    "update": "{{ messages[0].update({'a': 1}) }}",
    "setdefault": "{{ messages[0].setdefault('a', 1) }}",
    "sort": "{{ messages.sort() }}",
    "reverse": "{{ messages.reverse() }}",
    "remove from a list of a message": "{{ messages[1].given.list.remove(1) }}",
    "insert through attr": "{{ (messages|attr('insert'))(0, 1) }}",
    "extend through a subscript": "{{ messages['extend']([1]) }}",
    "mro of a literal": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals of lipsum": "{{ lipsum.__globals__['os'] }}",
    "globals of a cycler": "{{ cycler.__init__.__globals__.os }}",
    "globals of a joiner": "{{ joiner.__init__.__globals__.os }}",
    "globals of namespace": "{{ namespace.__init__.__globals__.os }}",
    "environment of lipsum": "{{ lipsum.__self__.loader() }}",
    "environment of strftime_now": "{{ strftime_now.__self__.loader() }}",
    "environment of a macro": "{% macro m() %}{% endmacro %}{{ m._environment.loader() }}",
    "function of a macro": "{% macro m() %}{% endmacro %}{{ m._func() }}",
    "context of self": "{{ self._TemplateReference__context.environment() }}",
    "context of the loop": "{% for m in messages %}{{ loop._iterable.x() }}{% endfor %}",
    "frame of a generator": "{{ (messages|map('upper')).gi_frame.f_globals }}",
    "code of a generator": "{{ (messages|map('upper')).gi_code.co_consts }}",
}


@pytest.mark.parametrize("traced", [True, False], ids=["traced", "plain"])
@pytest.mark.parametrize("name", SANDBOX)
def test_ways_out_of_the_sandbox_are_closed(name: str, traced: bool) -> None:
    with pytest.raises((TemplateSecurityError, TemplateRejected)) as caught:
        rendered(SANDBOX[name], traced=traced)
    assert not isinstance(caught.value, ProvenanceError)


REFUSALS = ["class through format", "append", "globals of lipsum", "mro of a literal", "frame of a generator"]


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_a_security_error_that_says_what_was_tried(name: str) -> None:
    with pytest.raises(TemplateSecurityError, match=r"the sandbox refused the template: access to attribute"):
        rendered(SANDBOX[name], traced=True)


OUTSIDE = {
    "include": "{% include 'secrets' %}",
    "include of a list": "{% include ['a', 'b'] %}",
    "include that may be missing": "{% include 'secrets' ignore missing %}{{ raise_exception('x') }}",
    "import": "{% import 'secrets' as s %}{{ s }}",
    "from import": "{% from 'secrets' import s %}{{ s }}",
    "extends": "{% extends 'secrets' %}",
    "extends of a path": "{% extends '/etc/passwd' %}",
    "open": "{{ open('/etc/passwd').read() }}",
    "python's import": "{{ __import__('os').getcwd() }}",
    "a file of the package": "{{ get_corresponding_lang('x') }}",
}


@pytest.mark.parametrize("traced", [True, False], ids=["traced", "plain"])
@pytest.mark.parametrize("name", OUTSIDE)
def test_there_is_nothing_outside(name: str, traced: bool) -> None:
    with pytest.raises(TemplateRejected):
        rendered(OUTSIDE[name], traced=traced)


FAILING = {
    "raise_exception": ("{{ raise_exception('not so') }}", "not so"),
    "raise_exception with traced text": ("{{ raise_exception(messages[1].content) }}", "Yo"),
    "raise_exception with a number": ("{{ raise_exception(5) }}", "5"),
    "an undefined attribute": ("{{ messages[0].nothing.more }}", "nothing"),
    "an undefined name called": ("{{ nothing() }}", "nothing"),
    "a division by zero": ("{{ 1 / 0 }}", "ZeroDivisionError"),
    "a sum of text and number": ("{{ messages[0].content + 1 }}", "TypeError"),
    "an unknown macro argument": ("{% macro m() %}{% endmacro %}{{ m(1) }}", "TypeError"),
    "a comparison of text and number": ("{{ messages[0].content < 1 }}", "TypeError"),
    "JSON of a function": ("{{ range|tojson }}", "TypeError"),
    "a key that is no key": ("{{ {[]: 1} }}", "TypeError"),
}


@pytest.mark.parametrize("traced", [True, False], ids=["traced", "plain"])
@pytest.mark.parametrize("name", FAILING)
def test_templates_that_fail_reject_the_conversation(name: str, traced: bool) -> None:
    template, said = FAILING[name]
    with pytest.raises(TemplateRejected, match=said):
        rendered(template, traced=traced)


INVALID = {
    "an open block": "{% for m in messages %}",
    "an open expression": "{{ messages",
    "an unknown tag": "\n\n{% nonsense %}",
    "an unknown filter": "{{ messages|nonsense }}",
    "an unknown test": "{{ messages is nonsense }}",
    "a lonely end": "{% endfor %}",
    "break outside a loop": "{% break %}",
    "a lonely endgeneration": "{% endgeneration %}",
    "an open generation block": "{% generation %}x",
    "deep brackets": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "deep lists": "{{ " + "[" * 5000 + "]" * 5000 + " }}",
    "deep negations": "{{ " + "not " * 5000 + "1 }}",
    "a long sum": "{{ 1" + "+1" * 20000 + " }}",
    "a long path": "{{ messages" + ".a" * 20000 + " }}",
    "many filters": "{{ messages" + "|list" * 20000 + " }}",
    "deep conditions": "{% if true %}" * 2000 + "{% endif %}" * 2000,
    "deep loops": "{% for m in messages %}" * 300 + "{% endfor %}" * 300,
}


@pytest.mark.parametrize("name", INVALID)
def test_templates_that_are_no_templates(name: str) -> None:
    with pytest.raises(TemplateSyntaxError):
        rendered(INVALID[name], traced=True)


def test_a_syntax_error_names_the_line() -> None:
    with pytest.raises(TemplateSyntaxError, match=r"line 3 of the template.*nonsense"):
        render(MESSAGES, template=INVALID["an unknown tag"])


@pytest.mark.parametrize("source", [None, 5, b"{{ x }}", ["x"]])
def test_a_template_is_text(source: Any) -> None:
    with pytest.raises(TemplateError, match=f"not {type(source).__name__}"):
        render(MESSAGES, template=source)


def rendered(template: str, *, traced: bool) -> str:
    renderer = ConversationRenderer(
        Conversation.coerce(MESSAGES),
        template=template,
        limits=Limits(seconds=5.0),
        special_tokens={"bos_token": "<s>"},
    )
    return renderer.rendering().text if traced else renderer.text()


FLEXIBLE = (
    "{% for m in messages %}{% if m.content == 'raise' %}{{ raise_exception('no') }}{% endif %}"
    "{% set x %}<{{ m.content }}{% if m.content == 'escape' %}{{ x.__class__ }}{{ m.__class__.x }}{% endif %}"
    "{% if m.content == 'grow' %}{{ 'x' * 100000000 }}{% endif %}>{% endset %}{{ x }}{% endfor %}"
)


def said(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}, {"role": "assistant", "content": "Yo"}]


@pytest.mark.parametrize(
    ("text", "error"),
    [("raise", TemplateRejected), ("escape", TemplateSecurityError), ("grow", TemplateLimitExceeded)],
)
def test_a_template_is_usable_after_a_failure(text: str, error: type[Exception]) -> None:
    before = render(said("Hi"), template=FLEXIBLE)
    with pytest.raises(error):
        render(said(text), template=FLEXIBLE)
    after = render(said("Hi"), template=FLEXIBLE)
    assert after == before
    assert after.text == "<Hi><Yo>"
    assert [span.origin.message for span in after.spans] == [0, 0, 0, 1, 1, 1]


def test_every_rendering_has_its_own_time() -> None:
    template = "{% for i in range(20000) %}{{ messages[0].content }}{% endfor %}"
    limits = Limits(seconds=30)
    assert render(said("Hi"), template=template, limits=limits) == render(said("Hi"), template=template, limits=limits)
    with pytest.raises(TemplateLimitExceeded):
        render(said("Hi"), template=template, limits=Limits(seconds=0.0001))
    assert render(said("Hi"), template=template, limits=limits).text == "Hi" * 20000


def test_one_template_in_several_threads() -> None:
    template = (
        "{% set ns = namespace(t='') %}{% for m in messages %}{% set ns.t = ns.t + '<' + m.content + '>' %}{% endfor %}"
        "{{ ns.t }}"
    )
    expected = {text: render(said(text), template=template) for text in ("Hi", "Ho" * 50, "He")}
    wrong: list[Any] = []

    def work(text: str) -> None:
        for _ in range(60):
            found: Rendering = render(said(text), template=template)
            if found != expected[text]:
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(text,)) for text in expected for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_renderer_in_several_threads_with_failures_between() -> None:
    failures: list[BaseException] = []

    def work(text: str, error: type[Exception] | None) -> None:
        for _ in range(40):
            try:
                render(said(text), template=FLEXIBLE)
                if error is not None:
                    failures.append(AssertionError(text))
            except TemplateError as caught:
                if error is None or not isinstance(caught, error):
                    failures.append(caught)

    threads = [
        threading.Thread(target=work, args=arguments)
        for arguments in [("Hi", None), ("raise", TemplateRejected), ("grow", TemplateLimitExceeded), ("Ho", None)]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
