"""What `Template` and `Rendering` say: the words of every failure, the limits of a text, generation tags, spans."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from maskspec.conversation import Conversation
from maskspec.errors import (
    MaskspecError,
    ProvenanceError,
    TemplateError,
    TemplateLimitExceeded,
    TemplateRejected,
    TemplateSecurityError,
    TemplateSyntaxError,
)
from maskspec.rendering import ConversationRenderer, Limits, Rendering, render
from maskspec.rendering.origins import Origin, OriginKind
from maskspec.rendering.render import compiled
from tests.unit.rendering.notation import noted

PAIR: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]


def renderer(template: str, **options: Any) -> ConversationRenderer:
    return ConversationRenderer(Conversation.coerce(PAIR), template=template, **options)


# Failures

FAILURES: list[tuple[str, type[MaskspecError], str]] = [
    (
        "{{ raise_exception('roles must alternate') }}",
        TemplateRejected,
        "the template rejects this conversation: roles must alternate",
    ),
    (
        "{{ messages[0].nothing.more }}",
        TemplateRejected,
        "the template rejects this conversation: 'dict object' has no attribute 'nothing'",
    ),
    ("{{ nothing.more }}", TemplateRejected, "the template rejects this conversation: 'nothing' is undefined"),
    ("{{ 1 / 0 }}", TemplateRejected, "the template fails on this conversation: ZeroDivisionError: division by zero"),
    (
        "{{ [] < 1 }}",
        TemplateRejected,
        "the template fails on this conversation: TypeError: '<' not supported between instances of 'list' and 'int'",
    ),
    (
        "{{ '{0.__class__.__mro__}'.format(1) }}",
        TemplateSecurityError,
        "the sandbox refused the template: access to attribute '__class__' of 'int' object is unsafe.",
    ),
    (
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        TemplateLimitExceeded,
        "the template used up the stack; it nests or recurses too deeply",
    ),
    ("{{ range(1000000) }}", TemplateLimitExceeded, "the template exceeded a limit: Range too big. "),
    ("{{ 2.5 ** 9999 }}", TemplateLimitExceeded, "the template exceeded a limit: ("),
]


@pytest.mark.parametrize("traced", [True, False], ids=["traced", "plain"])
@pytest.mark.parametrize(("template", "error", "message"), FAILURES, ids=[failure[0] for failure in FAILURES])
def test_a_failure_says_what_the_template_did(
    template: str, error: type[MaskspecError], message: str, traced: bool
) -> None:
    with pytest.raises(error) as caught:
        _ = renderer(template).traced() if traced else renderer(template).text()
    assert type(caught.value) is error
    assert str(caught.value).startswith(message)


def test_used_up_memory_is_a_limit_too() -> None:
    """`MemoryError` is what Python raises; a clock that raises it stands for an operation that does."""

    class Exhausted:
        asked = 0

        def __call__(self) -> Any:
            self.asked += 1
            return self

        def strftime(self, _: str) -> str:
            raise MemoryError

    with pytest.raises(TemplateLimitExceeded) as caught:
        renderer("{{ strftime_now('%Y') }}", clock=Exhausted()).text()
    assert str(caught.value) == "the template used up the memory"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% nonsense %}", "line 1 of the template: Encountered unknown tag 'nonsense'."),
        ("{{ messages }}\n{% endfor %}", "line 2 of the template: Encountered unknown tag 'endfor'."),
        ("\n\n{{ messages|nonsense }}", "line 3 of the template: No filter named 'nonsense'."),
        ("{% break %}", "the template cannot be compiled: 'break' outside loop"),
    ],
)
def test_what_is_no_template_is_refused_with_the_reason(template: str, message: str) -> None:
    with pytest.raises(TemplateSyntaxError) as caught:
        renderer(template)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("source", [None, 5, ["{{ messages }}"]])
def test_a_template_that_is_no_text_is_refused_by_its_type(source: Any) -> None:
    with pytest.raises(TemplateError) as caught:
        renderer(source)
    assert str(caught.value) == f"a template is Jinja source text, not {type(source).__name__}"


def test_a_failure_leaves_a_template_usable_with_nothing_owned() -> None:
    template = (
        "|{% for m in messages %}<{% if stop %}{{ raise_exception('no') }}{% endif %}{{ m.content }}{% endfor %}"
        "{% for x in [1] %};{% endfor %}"
    )
    expected = ["- |", "0 <", "0.content Hi", "1 <", "1.content Yo", "- ;"]
    for stop in (True, False, True, False):
        given = renderer(template, template_kwargs={"stop": stop})
        if stop:
            with pytest.raises(TemplateRejected):
                given.rendering()
        else:
            assert noted(given.rendering()) == expected


def test_a_template_keeps_nothing_of_what_it_rendered() -> None:
    """A compiled template is remembered for long; the lists that it built must not be."""

    class Shown(str):
        __slots__ = ("__weakref__",)

    class Moment:
        def __init__(self) -> None:
            self.shown: list[weakref.ref[Shown]] = []

        def strftime(self, _: str) -> str:
            text = Shown("now")
            self.shown.append(weakref.ref(text))
            return text

    moment: Any = Moment()
    given = renderer("{% set all = [[strftime_now('%Y')], 1] %}{{ all|length }}", clock=lambda: moment)
    assert (given.text(), given.traced()[0]) == ("2", "2")
    gc.collect()
    assert [reference() for reference in moment.shown] == [None, None]


# Limits


@pytest.mark.parametrize(
    ("template", "characters"),
    [
        ("{{ 'x' * 12 }}", 12),
        ("{% for i in range(12) %}x{% endfor %}", 12),
        ("{% for i in range(4) %}{{ 'xyz' }}{% endfor %}", 12),
        ("{{ 'x' * 11 }}{% if true %}y{% endif %}", 12),
        ("{{ 'x' * 12 }}{% for i in range(99) %}{{ ''[:0] }}{% endfor %}", 12),
        ("x", 1),
        ("x{% if true %}y{% endif %}", 2),
    ],
)
def test_a_rendering_may_have_as_many_characters_as_its_limit(template: str, characters: int) -> None:
    for fits in (characters, characters + 1):
        limits = Limits(characters=fits)
        assert len(renderer(template, limits=limits).text()) == characters
        assert len(render(PAIR, template=template, limits=limits).text) == characters
    limits = Limits(characters=characters - 1)
    for attempt in (renderer(template, limits=limits).text, renderer(template, limits=limits).traced):
        with pytest.raises(TemplateLimitExceeded, match=f"more than {characters - 1} characters"):
            attempt()
    with pytest.raises(TemplateLimitExceeded, match=f"more than {characters - 1} characters"):
        render(PAIR, template=template, limits=limits)


@pytest.mark.parametrize("kind", ["({}, {})", "[{}, {}]", "{{'a': {}, 'b': {}}}"])
def test_what_shares_its_parts_counts_as_often_as_it_is_written(kind: str) -> None:
    shared = kind.format("ns.x", "ns.x")
    template = (
        "{% set ns = namespace(x='ab') %}{% for i in range(20) %}{% set ns.x = " + shared + " %}{% endfor %}{{ ns.x }}"
    )
    for attempt in (
        renderer(template, limits=Limits(characters=9999)).text,
        renderer(template, limits=Limits(characters=9999)).traced,
    ):
        with pytest.raises(TemplateLimitExceeded):
            attempt()


def test_the_generation_prompt_is_not_asked_for_unless_it_is() -> None:
    template = "{{ add_generation_prompt }}"
    given = renderer(template)
    assert (
        given.text() == given.rendering().text == given.traced()[0] == render(PAIR, template=template).text == "False"
    )
    assert given.text(add_generation_prompt=True) == given.rendering(add_generation_prompt=True).text == "True"
    assert given.traced(add_generation_prompt=True)[0] == "True"
    assert render(PAIR, template=template, add_generation_prompt=True).text == "True"


# Generation tags


@pytest.mark.parametrize(
    "template",
    [
        "{% generation %}x{% endgeneration %}",
        "{%- generation -%}x{%- endgeneration -%}",
        "{%generation%}x{%endgeneration%}",
        "{% if false %}{% generation %}x{% endgeneration %}{% endif %}",
        "{% if true %}{%\n generation %}x{% endgeneration %}{% endif %}",
    ],
)
def test_a_template_with_generation_tags_has_them(template: str) -> None:
    assert compiled(template).has_generation_tags is True
    assert compiled(template).source == template


@pytest.mark.parametrize(
    "template",
    [
        *("", "generation", "{{ generation }}", "{# {% generation %} #}", "{% raw %}{% generation %}{% endraw %}"),
        *("{% set generation = 1 %}", "{% if generation %}{% endif %}", "{% for generation in [] %}{% endfor %}"),
        *("{{ 'a' }}{{ generation }}", "{{ '{% generation %}' }}", "{% set x = 'generation' %}"),
    ],
)
def test_a_template_that_only_mentions_them_has_none(template: str) -> None:
    assert compiled(template).has_generation_tags is False


# Spans


class Given(ConversationRenderer):
    """A renderer whose traced text is given: what the public class makes of it."""

    def __init__(self, plain: str, text: str, runs: Any, *, tags: bool = False) -> None:
        template = "{% generation %}{{ given }}{% endgeneration %}" if tags else "{{ given }}"
        super().__init__(Conversation.coerce(PAIR), template=template, template_kwargs={"given": plain})
        self.given = (text, runs)

    def traced(self, *, add_generation_prompt: bool = False) -> Any:
        assert not add_generation_prompt
        return self.given


HI = Origin(OriginKind.MESSAGE, 0, ("content",))
YO = Origin(OriginKind.MESSAGE, 1, ("content",))
LITERAL = Origin(OriginKind.LITERAL, 0)
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([], []),
        ([(2, HI, 0)], [(0, 2, HI, 0)]),
        ([(2, HI, 3), (1, HI, 5)], [(0, 3, HI, 3)]),
        ([(1, HI, 4), (1, HI, 5), (2, HI, 6)], [(0, 4, HI, 4)]),
        ([(1, LITERAL, None), (2, HI, 4), (1, HI, 6)], [(0, 1, LITERAL, None), (1, 4, HI, 4)]),
        ([(2, HI, 3), (1, HI, 6)], [(0, 2, HI, 3), (2, 3, HI, 6)]),
        ([(2, HI, 3), (1, HI, 4)], [(0, 2, HI, 3), (2, 3, HI, 4)]),
        ([(2, HI, 3), (1, YO, 5)], [(0, 2, HI, 3), (2, 3, YO, 5)]),
        ([(1, HI, None), (2, HI, None), (1, HI, None)], [(0, 4, HI, None)]),
        ([(1, HI, None), (1, HI, 0), (1, HI, None)], [(0, 1, HI, None), (1, 2, HI, 0), (2, 3, HI, None)]),
        ([(1, LITERAL, None), (2, Origin(OriginKind.LITERAL, 0), None)], [(0, 3, LITERAL, None)]),
        (
            [(1, LITERAL, None), (2, Origin(OriginKind.LITERAL, 1), None)],
            [(0, 1, LITERAL, None), (1, 3, Origin(OriginKind.LITERAL, 1), None)],
        ),
        ([(1, HI, 0), (1, HI, 0), (1, HI, 0)], [(0, 1, HI, 0), (1, 2, HI, 0), (2, 3, HI, 0)]),
    ],
)
def test_spans_are_the_longest_runs_of_consecutive_characters(runs: Any, expected: Any) -> None:
    text = ALPHABET[: sum(run[0] for run in runs)]
    rendering = Given(text, text, runs).rendering()
    assert [tuple(span) for span in rendering.spans] == expected
    assert rendering.text == text
    assert rendering.generation_ranges is None


def made(marks: str) -> Any:
    """One run a character, generated where "*" stands, each of another place."""
    origins = [Origin(OriginKind.MESSAGE, 0, ("k", place), generated=mark == "*") for place, mark in enumerate(marks)]
    return [(1, origin, 0) for origin in origins]


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ("", ()),
        ("--", ()),
        ("*", ((0, 1),)),
        ("***", ((0, 3),)),
        ("-**-", ((1, 3),)),
        ("*-*", ((0, 1), (2, 3))),
        ("**-*-***", ((0, 2), (3, 4), (5, 8))),
        ("-*--**-", ((1, 2), (4, 6))),
    ],
)
def test_generation_ranges_are_the_longest_stretches(marks: str, expected: Any) -> None:
    text = ALPHABET[: len(marks)]
    rendering = Given(text, text, made(marks), tags=True).rendering()
    assert rendering.generation_ranges == expected
    assert Given(text, text, made(marks)).rendering().generation_ranges is None
    assert len(rendering.spans) == len(marks)


@pytest.mark.parametrize(
    ("plain", "traced", "position", "instead", "of"),
    [
        (ALPHABET, "ab" + ALPHABET, 2, "abcdefghijklmnopqrst", "cdefghijklmnopqrstuv"),
        (ALPHABET, "-" + ALPHABET[1:], 0, "-bcdefghijklmnopqrst", "abcdefghijklmnopqrst"),
        ("abc", "ab", 2, "", "c"),
        ("ab", "abc", 2, "c", ""),
        ("abcde", "abXdY", 2, "XdY", "cde"),
    ],
)
def test_a_traced_text_that_differs_is_never_given(
    plain: str, traced: str, position: int, instead: str, of: str
) -> None:
    with pytest.raises(ProvenanceError) as caught:
        Given(plain, traced, []).rendering()
    assert str(caught.value) == (
        f"traced rendering differs from plain rendering at character {position}: {instead!r} instead of {of!r}; "
        "the template uses an operation whose origins cannot be followed"
    )


def test_spans_between_two_places_are_given_in_order() -> None:
    rendering: Rendering = Given("abcdef", "abcdef", [(2, HI, 0), (2, YO, 0), (2, HI, 2)]).rendering()
    starts = {(a, b): [span.start for span in rendering.spans_between(a, b)] for a in range(7) for b in range(a, 8)}
    assert starts[0, 7] == starts[0, 5] == starts[1, 6] == [0, 2, 4]
    assert starts[2, 4] == starts[3, 4] == starts[2, 3] == [2]
    assert starts[1, 3] == [0, 2]
    assert starts[6, 7] == starts[4, 4] == starts[2, 2] == []
