"""What `maskspec trace` shows beside each stretch: the reason for its verdict, on texts divided by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from maskspec.conversation import Conversation
from maskspec.policy import Policy, Verdict, judge
from maskspec.segmentation import Zone
from tests.unit.divisions import EOS, assistant, call, divide, user

PROMPT = "{% if add_generation_prompt %}<assistant>{% endif %}"
PLAIN = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>\n{% endfor %}" + PROMPT
RICH = (
    "{{ tools[0].function.name if tools }}{% for m in messages %}<{{ m.role }}>"
    "{% if m.reasoning_content %}{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}"
    "{% for t in m.tool_calls or [] %}{{ t.function.name }}{% endfor %}</s>\n{% endfor %}" + PROMPT
)


def reasons(
    messages: Sequence[Mapping[str, Any]], policy: Policy = Policy(), *, template: str = PLAIN, **options: Any
) -> list[tuple[str, str]]:
    """Every stretch of the text with the reason for its verdict."""
    rendering, segmentation = divide(template, messages, tokens=EOS, **options)
    judged = judge(segmentation, rendering, Conversation.from_messages(messages), policy)
    return [(rendering.text[part.start : part.end], part.reason) for part in judged]


def test_every_zone_has_its_reason() -> None:
    tools = [{"type": "function", "function": {"name": "T", "parameters": {}}}]
    messages = [user("Q"), assistant("C", reasoning_content="R", tool_calls=[call("f", {})])]
    assert reasons(messages, template=RICH, tools=tools) == [
        ("T", "outside every message"),
        ("<user>", "user is not selected"),
        ("Q", "user is not selected"),
        ("</s>", "user is not selected"),
        ("\n", "user is not selected"),
        ("<assistant>", "the prompt supplies it"),
        ("R", "generated reasoning"),
        ("</think>", "generated template text"),
        ("C", "generated content"),
        ("f", "generated tool call"),
        ("</s>", "generated stop"),
        ("\n", "after the stop"),
    ]


@pytest.mark.parametrize(
    ("policy", "first", "second"),
    [
        (Policy(stop="all"), "stops of all roles", "stops of all roles"),
        (Policy(stop="none"), "no stops are trained", "no stops are trained"),
        (Policy(stop="last"), "only the last stop", "generated stop"),
        (Policy(turns="last"), "another turn is selected", "generated stop"),
        (Policy(roles={"user"}), "assistant is not selected", "assistant is not selected"),
    ],
)
def test_the_reasons_of_two_stops(policy: Policy, first: str, second: str) -> None:
    found = reasons([user("Q"), assistant("A"), user("R"), assistant("B")], policy)
    stops = [reason for text, reason in found if text == "</s>"]
    assert (stops[1], stops[3]) == (first, second)


def test_a_flag_is_a_reason_where_flags_are_asked() -> None:
    messages = [user("Q"), assistant("A", train=False), assistant("B")]
    assert ("A", "flagged not to train") in reasons(messages)
    assert ("A", "generated content") in reasons(messages, Policy(flags=False))


def test_an_opening_that_no_prompt_confirms_says_so() -> None:
    template = PLAIN.removesuffix(PROMPT)
    assert ("<assistant>", "no prompt confirms it") in reasons([user("Q"), assistant("A")], template=template)


def test_spans_are_reasons_inside_and_outside() -> None:
    message = assistant("abc", reasoning_content="R", spans=[{"start": 1, "end": 2}])
    assert reasons([user("Q"), message], template=RICH)[4:] == [
        ("<assistant>", "outside its spans"),
        ("R", "outside its spans"),
        ("</think>", "outside its spans"),
        ("a", "outside its spans"),
        ("b", "inside a span to train"),
        ("c", "outside its spans"),
        ("</s>", "outside its spans"),
        ("\n", "outside its spans"),
    ]


def test_context_inside_a_message_keeps_its_place() -> None:
    """What an answer quotes is nobody's to train, and stands in the answer all the same."""
    template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}"
        "{% if m.role == 'assistant' %} [{{ messages[0].content }}]{% endif %}</s>{% endfor %}" + PROMPT
    )
    messages = [user("Q"), assistant("A")]
    rendering, segmentation = divide(template, messages, tokens=EOS)
    judged = judge(segmentation, rendering, Conversation.from_messages(messages), Policy())
    (quoted,) = [part for part in judged if part.zone is Zone.CONTEXT]
    assert (rendering.text[quoted.start : quoted.end], quoted.message) == ("Q", 1)
    assert (quoted.verdict, quoted.weight, quoted.reason) == (Verdict.IGNORE, 1.0, "outside every message")


def test_content_whose_place_in_the_message_is_not_known_is_outside_all_spans() -> None:
    """Upper case may change the number of characters, so that offsets into the message mean nothing."""
    template = "{% for m in messages %}<{{ m.role }}>{{ m.content | title }}</s>{% endfor %}" + PROMPT
    messages = [user("Q"), assistant("\N{LATIN SMALL LIGATURE FI}b", spans=[{"start": 0, "end": 2}])]
    rendering, segmentation = divide(template, messages, tokens=EOS)
    judged = judge(segmentation, rendering, Conversation.from_messages(messages), Policy())
    assert {part.verdict for part in judged if part.zone is Zone.CONTENT and part.message == 1} == {Verdict.IGNORE}


def test_a_policy_prints_as_what_makes_it() -> None:
    assert repr(Policy(roles={"user", "assistant"}, turns="last", flags=False)) == (
        "Policy(roles=frozenset({'assistant', 'user'}), turns=<Turns.LAST: 'last'>, stop=<Stops.TURN: 'turn'>, "
        "opening=<Verdict.IGNORE: 'ignore'>, reasoning=<Verdict.TRAIN: 'train'>, content=<Verdict.TRAIN: 'train'>, "
        "tool_call=<Verdict.TRAIN: 'train'>, scaffold=<Verdict.TRAIN: 'train'>, tail=<Verdict.EITHER: 'either'>, "
        "straddling=<Verdict.EITHER: 'either'>, flags=False, generated=frozenset({'assistant', 'model'}))"
    )
