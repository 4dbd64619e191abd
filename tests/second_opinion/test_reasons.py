"""Each reason why the opinions may differ, and each limit that hides a difference, in a smallest template; texts by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.second_opinion.compare import compare
from tests.second_opinion.limits import Limit
from tests.second_opinion.reasons import Reason, printed_together, writing
from tests.second_opinion.small import both, trained

_QUESTION: dict[str, Any] = {"role": "user", "content": "a"}
_ANSWER: dict[str, Any] = {"role": "assistant", "content": "b"}
_PLAIN = [_QUESTION, _ANSWER]
_PROMPT = "{% if add_generation_prompt %}<|assistant|>{% endif %}"

ONE_EXPRESSION = (
    "{% if messages[-1].role == 'assistant' %}"
    "{{ 'User: ' + messages[-2].content + '\nAnswer: ' + messages[-1].content + '\n<|end|>' }}"
    "{% elif messages[-1].role == 'user' %}{{ 'User: ' + messages[-1].content + '\n<|end|>' }}"
    "{% else %}{{ raise_exception('no such role') }}{% endif %}{% if add_generation_prompt %}<|turn|>{% endif %}"
)
PRINTED_AHEAD = (
    "{% for m in messages %}{% if m.role == 'user' %}<|user|>{{ m.content }}"
    "{% if not loop.last and messages[loop.index0 + 1].role == 'assistant' %}<|assistant|></think>{% endif %}"
    "{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|><think>{% endif %}"
)
AFTER_THE_LOOP = (
    "{% for m in messages %}{% if not loop.first %}<|end|>{% endif %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|end|><|assistant|>{% else %}<|end|>{% endif %}"
)
JOINED_ANSWERS = (
    "{% for m in messages %}{% if m.role == 'user' %}<|user|>{{ m.content }}{% else %}"
    "{{ ', ' if loop.previtem.role == 'assistant' else '<|assistant|>' }}{{ m.content }}"
    "{% if loop.last or loop.nextitem.role != 'assistant' %}<|end|>{% endif %}{% endif %}{% endfor %}" + _PROMPT
)

TAKEN_APART = (
    "{% for m in messages %}<|{{ m.role }}|>{% if '\n</think>' in m.content %}{{ '<think>\n' + "
    "m.content.split('\n</think>')[0].split('<think>\n')[-1] + '\n</think>' + m.content.split('</think>')[-1] }}"
    "{% else %}{{ m.content }}{% endif %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|><think>\n' }}{% endif %}"
)

REASONS: dict[str, tuple[str, list[dict[str, Any]], tuple[str, ...], str, set[Reason]]] = {
    "two messages in one expression": (
        ONE_EXPRESSION, _PLAIN, ("<|end|>",), "User: a\nAnswer: [b\n<|end|>]", {Reason.ONE_EXPRESSION},
    ),
    "a header printed with the question": (
        PRINTED_AHEAD, _PLAIN, ("<|end|>",), "<|user|>a<|assistant|></think>[b<|end|>]", {Reason.PRINTED_AHEAD},
    ),
    "reasoning that is taken out of the content": (
        TAKEN_APART,
        [_QUESTION, {"role": "assistant", "content": "<think>\nt\n</think>b"}],
        ("<|end|>",),
        "<|user|>a<|end|><|assistant|><think>\n[t\n</think>b<|end|>]",
        {Reason.BRANCHES_AGREE},
    ),
    "a stop after the loop, nothing declared": (
        AFTER_THE_LOOP, _PLAIN, (), "<|user|>a<|end|><|assistant|>[b]<|end|>", {Reason.AFTER_THE_LOOP, Reason.PRINTED_BY_BOTH},
    ),
}  # fmt: skip
"""Template, conversation, declared stops, the text with the trained characters in brackets, why the opinions differ."""


@pytest.mark.parametrize(("source", "messages", "stops", "expected", "reasons"), REASONS.values(), ids=REASONS)
def test_the_reason_is_found(
    source: str, messages: list[dict[str, Any]], stops: tuple[str, ...], expected: str, reasons: set[Reason]
) -> None:
    second, first = both(source, messages, stops)
    assert second is not None
    assert trained(first) == expected
    differences = compare(second, first, [message["role"] for message in messages]).differences
    assert {each.reason for each in differences} == reasons


def test_a_declared_stop_after_the_loop_is_one_for_both() -> None:
    second, first = both(AFTER_THE_LOOP, _PLAIN)
    assert second is not None
    assert trained(first) == "<|user|>a<|end|><|assistant|>[b<|end|>]"
    for each in compare(second, first, ["user", "assistant"]).differences:
        assert each.reason is Reason.PRINTED_BY_BOTH


def test_answers_in_one_turn() -> None:
    """Nothing supplies the comma, so the model writes it (chapter 03)."""
    messages = [_QUESTION, _ANSWER, {"role": "assistant", "content": "c"}]
    second, first = both(JOINED_ANSWERS, messages)
    assert second is not None
    assert trained(first) == "<|user|>a<|assistant|>[b, c<|end|>]"
    differences = compare(second, first, [message["role"] for message in messages]).differences
    assert {each.reason for each in differences} <= {Reason.JOINED_ANSWERS}


ANOTHER_CLOSE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% if m.role == 'user' %}{{ ' /last' if loop.index0 >= "
    "messages | length - 2 else ' /earlier' }}{% endif %}<|end|>{% endfor %}" + _PROMPT
)
LONGER_CLOSE = (
    "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content and loop.last %}({{ m.reasoning_content }})"
    "{{ m.content }}{% elif m.role == 'assistant' %}{{ m.content }}.{% else %}{{ m.content }}{% endif %}<|end|>"
    "{% endfor %}" + _PROMPT
)
PROMPT_ALWAYS = "{% for m in messages %}Source: {{ m.role }} {{ m.content }} | {% endfor %}Source: assistant To: user "
_MORE = [
    _QUESTION,
    _ANSWER | {"reasoning_content": "r"},
    {"role": "user", "content": "c"},
    {"role": "assistant", "content": "d"},
]

LIMITS: dict[str, tuple[str, list[dict[str, Any]], str, Limit]] = {
    "a question that is closed otherwise when it is the last": (
        ANOTHER_CLOSE,
        _MORE,
        "<|user|>a /earlier<|end|><|assistant|>[b<|end|>]<|user|>c /last<|end|><|assistant|>[d<|end|>]",
        Limit.OTHER_END,
    ),
    "an answer that is closed otherwise when it is the last": (
        LONGER_CLOSE,
        _MORE,
        "<|user|>a<|end|><|assistant|>[b.<|end|>]<|user|>c<|end|><|assistant|>[d.<|end|>]",
        Limit.OTHER_END,
    ),
    "a prompt that is always printed, with a header that is no marker": (
        PROMPT_ALWAYS,
        _PLAIN,
        "Source: user a | Source: assistant [b |] Source: assistant To: user ",
        Limit.PROMPT_ALWAYS,
    ),
}
"""Template, conversation, the text with the trained characters in brackets, what the second opinion cannot tell."""


@pytest.mark.parametrize(("source", "messages", "expected", "limit"), LIMITS.values(), ids=LIMITS)
def test_what_cannot_be_told_is_not_guessed(
    source: str, messages: list[dict[str, Any]], expected: str, limit: Limit
) -> None:
    second, first = both(source, messages)
    assert second is not None
    assert trained(first) == expected
    found = compare(second, first, [message["role"] for message in messages])
    assert [each for each in found.differences if each.reason is None] == []
    assert limit in found.limits


@pytest.mark.parametrize(
    ("source", "text", "found"),
    [
        ("{{ a + ' then ' + b }}", " then ", True),
        ("{{ a.role ~ ' then ' ~ b.role }}", "then", True),
        ("{{ messages[0].content + ' then ' + messages[1].content }}", "then", True),
        ("{{ m.role + ' then ' + m.content | trim }}", "then", False),
        ("{{ m['role'] + ' then ' + m.content }}", "then", False),
        ("{{ 'then ' + a + b }}", "then", False),
        ("{{ a + '\n' + b }}", "\n", False),
        ("{{ a }} then {{ b }}", "then", False),
    ],
)
def test_a_constant_between_two_messages(source: str, text: str, found: bool) -> None:
    assert writing(source).joins(text) is found


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("messages[loop.index0 + 1].role == 'assistant'", True),
        ("loop.nextitem.role == 'assistant'", True),
        ("following == 'assistant'", True),
        ("loop.last", False),
        ("messages[loop.index0 - 1].role == 'user'", False),
        ("messages[loop.index0].role == 'user'", False),
    ],
)
def test_printed_with_an_eye_on_a_later_message(condition: str, found: bool) -> None:
    source = (
        "{% for m in messages %}{% set later = messages[loop.index0 + 1] %}{% set following = later.role %}{{ m.content }}"
        f"{{% if {condition} %}} <|assistant|>{{{{ '<think>' }}}}{{% endif %}}{{% endfor %}}"
    )
    assert writing(source).prints_ahead("<|assistant|><think>") is found
    assert writing(source).prints_ahead("<|user|>") is False


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        ("{{ last }}", True),
        ("<|end|>", True),
        ("{% if add_generation_prompt %}<|assistant|>{% else %}<|end|>{% endif %}", True),
        ("{% if add_generation_prompt %}<|assistant|>{% endif %}\n", False),
        ("", False),
    ],
)
def test_printed_after_the_loop(rest: str, found: bool) -> None:
    assert writing("{% for m in messages %}{{ m.content }}{% endfor %}" + rest).after is found


def test_answers_are_together_where_nothing_visible_is_between_them() -> None:
    sources = [1, None, None, 2, None, 4]
    assert printed_together("a\n\nb.c", sources, 1, 2)
    assert not printed_together("a\n\nb.c", sources, 2, 4)
    assert printed_together("a\n\nb.c", sources, 2, 3)
