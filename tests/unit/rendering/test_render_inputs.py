"""What `render` hands to a template: variables, tools, the clock; and what it leaves alone."""

from __future__ import annotations

import copy
import datetime
import itertools
import time
from enum import Enum
from types import MappingProxyType
from typing import Any

import pytest

from maskspec.conversation import Conversation
from maskspec.errors import ConversationError
from maskspec.rendering import ConversationRenderer, OriginKind, Rendering, render
from tests.unit.rendering.notation import check_spans, noted
from tests.unit.rendering.oracle import transformers_text

PAIR = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]
TOOL = {"type": "function", "function": {"name": "get", "parameters": {"type": "object", "properties": {}}}}
MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


# The clock


def test_the_clock_is_what_strftime_now_reads() -> None:
    template = "{{ strftime_now('%d %b %Y %H:%M:%S') }}"
    assert render(PAIR, template=template, clock=lambda: MOMENT).text == "02 Jan 2026 03:04:05"


def test_both_renderings_and_all_of_one_see_one_moment() -> None:
    """A clock that ticks at every reading would make traced and plain text differ."""
    seconds = itertools.count()

    def clock() -> datetime.datetime:
        return MOMENT + datetime.timedelta(seconds=next(seconds))

    template = "{% for m in messages %}{{ strftime_now('%S') }}{% endfor %}{{ strftime_now('%S') }}"
    assert render(PAIR, template=template, clock=clock).text == "050505"
    renderer = ConversationRenderer(Conversation.coerce(PAIR), template=template, clock=clock)
    assert renderer.text() == renderer.rendering().text == renderer.text()


def test_without_a_clock_it_is_the_machine_s_time() -> None:
    before = time.strftime("%Y-%m-%d %H:%M:%S")
    shown = render(PAIR, template="{{ strftime_now('%Y-%m-%d %H:%M:%S') }}").text
    assert before <= shown <= time.strftime("%Y-%m-%d %H:%M:%S")


def test_a_date_belongs_to_the_message_that_shows_it() -> None:
    template = "{{ strftime_now('%Y') }}{% for m in messages %}{{ strftime_now('%d') + m.content }}{% endfor %}"
    expected = ["- 2026", "0 02", "0.content Hi", "1 02", "1.content Yo"]
    assert noted(render(PAIR, template=template, clock=lambda: MOMENT)) == expected


# Variables


def test_special_tokens_and_keyword_arguments_are_variables() -> None:
    rendering = render(
        PAIR, template="{{ bos_token }}{{ style }}", special_tokens={"bos_token": "<s>"}, template_kwargs={"style": "x"}
    )
    assert noted(rendering) == ["-$bos_token <s>", "-$style x"]


def test_keyword_arguments_win_over_special_tokens() -> None:
    rendering = render(
        PAIR, template="{{ bos_token }}", special_tokens={"bos_token": "<s>"}, template_kwargs={"bos_token": "<S>"}
    )
    assert rendering.text == "<S>"


@pytest.mark.parametrize("flag", [True, False])
def test_the_generation_prompt_is_asked_for_by_its_argument(flag: bool) -> None:
    template = "{{ add_generation_prompt }}{% if add_generation_prompt %}<a>{% endif %}"
    assert render(PAIR, template=template, add_generation_prompt=flag).text == f"{flag}" + "<a>" * flag


def test_messages_and_tools_cannot_be_replaced_by_keyword_arguments() -> None:
    template = "{{ messages|length }}{{ tools is none }}"
    rendering = render(PAIR, template=template, template_kwargs={"messages": [], "tools": [TOOL]})
    assert rendering.text == "2True"


def test_documents_are_none_unless_given() -> None:
    assert render(PAIR, template="{{ documents is none }}").text == "True"
    given = render(PAIR, template="{{ documents[0].text }}", template_kwargs={"documents": [{"text": "D"}]})
    assert noted(given) == ["-$documents.0.text D"]


class Mode(str, Enum):  # noqa: UP042 - str() of a StrEnum is its value, and of this it is not
    FAST = "fast"


class Level(int, Enum):
    HIGH = 3


class Opaque:
    def write(self) -> str:
        return "written"


VARIABLES: dict[str, Any] = {
    "text": "x",
    "empty": "",
    "mode": Mode.FAST,
    "level": Level.HIGH,
    "number": 3,
    "real": 1.5,
    "yes": True,
    "no": False,
    "nothing": None,
    "items": [1, "a", [True, {"k": Mode.FAST}]],
    "pair": (1, "b"),
    "mapping": MappingProxyType({"a": {"b": "c"}}),
    "object": Opaque(),
    "function": print,
}


@pytest.mark.parametrize("name", VARIABLES)
def test_variables_reach_the_template_as_plain_data(name: str) -> None:
    template = (
        "{{ value }}|{{ value is string }}{{ value is mapping }}{{ value is number }}{{ value.write is defined }}"
    )
    expected = transformers_text(PAIR, template, value=VARIABLES[name])
    rendering = render(PAIR, template=template, template_kwargs={"value": VARIABLES[name]})
    assert rendering.text == expected
    assert sum(span.end - span.start for span in rendering.spans) == len(rendering.text)


# Tools


@pytest.mark.parametrize(("tools", "shown"), [(None, "None|False"), ([], "[]|False"), ([TOOL], "1|True")])
def test_no_tools_and_an_empty_list_of_tools_are_told_apart(tools: Any, shown: str) -> None:
    template = "{{ tools|length if tools else tools }}|{{ true if tools else false }}"
    assert render(PAIR, template=template, tools=tools).text == shown == transformers_text(PAIR, template, tools=tools)


def test_tools_of_the_conversation_are_used_unless_others_are_given() -> None:
    conversation = Conversation.from_messages(PAIR, tools=[TOOL])
    template = "{% for tool in tools or [] %}{{ tool.function.name }};{% endfor %}"
    assert render(conversation, template=template).text == "get;"
    assert render(conversation, template=template, tools=[]).text == ""
    other = {"type": "function", "function": {"name": "other"}}
    assert render(conversation, template=template, tools=[other, TOOL]).text == "other;get;"


def test_every_tool_has_its_own_path() -> None:
    template = "{% for tool in tools %}{{ tool.function.name }};{% endfor %}"
    rendering = render(PAIR, template=template, tools=[TOOL, TOOL])
    assert noted(rendering) == ["-~0.function.name get", "- ;", "-~1.function.name get", "- ;"]


# Messages


@pytest.mark.parametrize("given", ["reasoning_content", "reasoning", "thinking"])
@pytest.mark.parametrize("read", ["reasoning_content", "thinking"])
def test_reasoning_is_readable_under_the_names_that_templates_use(given: str, read: str) -> None:
    messages = [{"role": "assistant", "content": "A", given: "R"}]
    template = "{{ messages[0]['" + read + "'] }}{{ messages[0].content }}"
    rendering = render(messages, template=template)
    assert rendering.text == transformers_text(messages, template) == "RA"
    first = rendering.spans[0]
    assert (first.origin.kind, first.origin.message, first.offset) == (OriginKind.MESSAGE, 0, 0)
    assert first.origin.path in [("reasoning_content",), ("reasoning",), ("thinking",)]
    assert rendering.spans[1].origin.path == ("content",)


def test_reasoning_equal_to_the_content_keeps_its_own_path() -> None:
    text = "the same"
    messages = [{"role": "assistant", "content": text, "reasoning_content": text}]
    rendering = render(messages, template="{{ messages[0].content }}|{{ messages[0].reasoning_content }}")
    paths = [span.origin.path[:1] for span in rendering.spans if span.origin.kind is OriginKind.MESSAGE]
    assert paths[0] == ("content",)
    assert paths[1] != ("content",)


def test_keys_keep_their_order_and_absent_ones_stay_undefined() -> None:
    messages = [{"content": "Hi", "role": "user", "name": None, "extra": {"z": 1, "a": 2}}]
    template = "{% for key in messages[0] %}{{ key }} {% endfor %}{{ messages[0].extra|tojson }}"
    assert render(messages, template=template).text == 'content role extra {"z": 1, "a": 2}'
    assert render(messages, template="{{ messages[0].name is defined }}").text == "False"


@pytest.mark.parametrize("messages", [[], [{"role": "user"}], "Hi", [{"content": "Hi"}], None])
def test_what_is_no_conversation_is_refused_before_the_template_runs(messages: Any) -> None:
    with pytest.raises(ConversationError):
        render(messages, template="{{ 1 / 0 }}")


def test_nothing_that_the_caller_gave_is_changed() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {
            "role": "assistant",
            "content": None,
            "reasoning": "R",
            "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"a": [1, {"b": None}]}}}],
            "train": True,
        },
    ]
    tools, variables, tokens = [copy.deepcopy(TOOL)], {"documents": [{"text": "D"}], "x": [1]}, {"bos_token": "<s>"}
    everything = copy.deepcopy((messages, tools, variables, tokens))
    template = (
        "{{ bos_token }}{% for m in messages %}{{ m }}{{ m|tojson }}{% set _ = dict(m, role='x') %}{% endfor %}"
        "{{ tools }}{{ documents|tojson }}{{ x + [2] }}"
    )
    first = render(messages, template=template, tools=tools, template_kwargs=variables, special_tokens=tokens)
    assert (messages, tools, variables, tokens) == everything
    assert first == render(messages, template=template, tools=tools, template_kwargs=variables, special_tokens=tokens)


def test_a_conversation_that_is_rendered_twice_gives_equal_renderings() -> None:
    renderer = ConversationRenderer(
        Conversation.coerce(PAIR), template="{% for m in messages %}<{{ m.content }}>{% endfor %}"
    )
    assert renderer.rendering() == renderer.rendering()


# Prefixes


def test_any_prefix_can_be_rendered_as_plain_text() -> None:
    template = "{% for m in messages %}<{{ m.content }}>{% endfor %}{% if add_generation_prompt %}[{% endif %}"
    renderer = ConversationRenderer(Conversation.coerce(PAIR), template=template)
    assert renderer.text() == "<Hi><Yo>"
    assert renderer.text(count=0) == ""
    assert renderer.text(count=1) == "<Hi>"
    assert renderer.text(count=1, add_generation_prompt=True) == "<Hi>["
    assert renderer.text(count=1, extra=[{"role": "assistant", "content": "No"}]) == "<Hi><No>"
    assert renderer.rendering(add_generation_prompt=True).text == "<Hi><Yo>["


# Spans


def test_spans_between_gives_what_overlaps() -> None:
    rendering = render(PAIR, template="{% for m in messages %}<{{ m.content }}>{% endfor %}")
    assert [(span.start, span.end) for span in rendering.spans] == [(0, 1), (1, 3), (3, 4), (4, 5), (5, 7), (7, 8)]
    for start in range(9):
        for end in range(start, 9):
            expected = [span for span in rendering.spans if span.start < end and span.end > start]
            assert list(rendering.spans_between(start, end)) == expected


def test_nothing_printed_has_no_spans() -> None:
    assert render(PAIR, template="") == Rendering("", (), None)
    assert render(PAIR, template="{{ '' }}{% for m in messages %}{{ m.content[:0] }}{% endfor %}").spans == ()


# Size


MILLION = ('A word & another, "quoted"; ' * 40_000)[:1_000_000]

PASSAGES = {
    "printed": "{% for m in messages %}<{{ m.content }}>{% endfor %}",
    "trimmed": "{% for m in messages %}{{ '<' + m.content | trim + '>' }}{% endfor %}",
    "formatted": "{% for m in messages %}{{ '<%s|%s|%s>' % (m.role, m.content, 'end') }}{% endfor %}",
    "format method": "{% for m in messages %}{{ '<{}|{}|{}>'.format(m.role, m.content, 'end') }}{% endfor %}",
    "JSON by format": '{% for m in messages %}{{ \'{"role": "%s", %s}\'|format(m.role, m.content) }}{% endfor %}',
    "joined": "{% for m in messages %}{{ [m.role, m.content, 'end']|join('|') }}{% endfor %}",
    "JSON": "{% for m in messages %}{{ m|tojson }}{% endfor %}",
    "Python's notation": "{% for m in messages %}{{ m }}{% endfor %}",
    "split": "{% for m in messages %}{{ m.content.split('</think>')[-1].lstrip('\n') }}{% endfor %}",
    "split into words": "{% for m in messages %}{{ m.content.split()[0] }}{% endfor %}",
    "split into lines": "{% for m in messages %}{{ m.content.splitlines()[0] }}{% endfor %}",
    "replaced": "{% for m in messages %}{{ m.content|replace('word', 'token') }}{% endfor %}",
    "indented": "{% for m in messages %}{{ m.content|indent(4) }}{% endfor %}",
    "escaped": "{% for m in messages %}{{ m.content|e }}{% endfor %}",
    "collected": "{% set ns = namespace(t='') %}{% for m in messages %}{% set ns.t = ns.t + '<' + m.content + '>' %}"
    "{% endfor %}{{ ns.t }}",
    "by macros": "{% macro turn(m) %}<{{ m.content }}>{% endmacro %}{% for m in messages %}{{ turn(m) }}{% endfor %}",
}


@pytest.mark.parametrize("name", PASSAGES)
def test_one_message_of_a_million_characters(name: str) -> None:
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": MILLION}]
    rendering = render(messages, template=PASSAGES[name])
    assert rendering.text == transformers_text(messages, PASSAGES[name])
    check_spans(rendering, messages=messages)


@pytest.mark.parametrize("name", ["printed", "collected", "JSON", "by macros", "formatted"])
def test_a_million_characters_in_many_messages(name: str) -> None:
    messages = [
        {"role": role, "content": f"{number} " + MILLION[: 1000 - 5]}
        for number in range(500)
        for role in ("user", "assistant")
    ]
    rendering = render(messages, template=PASSAGES[name])
    assert rendering.text == transformers_text(messages, PASSAGES[name])
    assert {span.origin.message for span in rendering.spans} == set(range(1000))
    assert rendering.spans[-1].end == len(rendering.text) > 990_000


@pytest.mark.parametrize("pieces", [1, 20])
def test_a_conversation_in_very_many_pieces(pieces: int) -> None:
    template = "{% for m in messages %}" + "{% if m %}x{% endif %}{{ m.content }}" * pieces + "{% endfor %}"
    messages = [{"role": "user", "content": "word " * 10}] * 2000
    rendering = render(messages, template=template)
    assert rendering.text == ("x" + "word " * 10) * pieces * 2000
