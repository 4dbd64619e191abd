"""Where in the text a turn begins, is interrupted and ends: places that few templates have, but some do."""

from __future__ import annotations

import pytest

from maskspec.tokens import SpecialTokens
from tests.unit.divisions import EOS, assistant, user, zones

BOS = SpecialTokens(bos="<s>", eos="</s>", added=("<s>", "</s>"), special=("<s>", "</s>"))
PROMPT = "{% if add_generation_prompt %}<A>{% endif %}"


@pytest.mark.parametrize(
    "beginning",
    [
        "{{ bos_token }}<A>",  # a variable and a literal
        "{{ '<s><A>' }}",  # one literal for both
        "{{ '<s>' }}{{ '<A>' }}",  # two literals
    ],
)
def test_the_beginning_of_sequence_printed_with_a_first_answer_is_nobodys(beginning: str) -> None:
    """The prompt of no messages lacks it, and nobody generates it."""
    template = (
        "{% for m in messages %}{% if loop.first %}" + beginning + "{% else %}<A>{% endif %}"
        "{{ m.content }}</s>{% endfor %}" + PROMPT
    )
    found = zones(template, [assistant("a"), assistant("b")], tokens=BOS, variables={"bos_token": "<s>"})
    assert found == [
        ("context", "<s>"),
        ("opening 0", "<A>"),
        ("content 0", "a"),
        ("stop 0", "</s>"),
        ("opening 1", "<A>"),
        ("content 1", "b"),
        ("stop 1", "</s>"),
    ]


@pytest.mark.parametrize("beginning", ["{{ bos_token }}<A>", "{{ '<s><A>' }}"])
def test_without_a_prompt_the_beginning_of_sequence_is_nobodys_either(beginning: str) -> None:
    template = "{% for m in messages %}" + beginning + "{{ m.content }}</s>{% endfor %}"
    found = zones(template, [assistant("a")], tokens=BOS, variables={"bos_token": "<s>"})
    assert found == [("context", "<s>"), ("opening? 0", "<A>"), ("content 0", "a"), ("stop 0", "</s>")]


def test_a_question_keeps_the_beginning_of_sequence_in_its_opening() -> None:
    """For a message that nobody generates, all that stands before its content is opening."""
    template = (
        "{% for m in messages %}{% if loop.first %}<s>{% endif %}"
        "{{ '<A>' if m.role == 'assistant' else '<U>' }}{{ m.content }}</s>{% endfor %}" + PROMPT
    )
    assert zones(template, [user("a"), assistant("b")], tokens=BOS)[:2] == [("opening 0", "<s><U>"), ("content 0", "a")]


def test_a_beginning_of_sequence_later_in_the_text_is_no_beginning() -> None:
    template = (
        "{% for m in messages %}{{ '<s><A>' if m.role == 'assistant' else '<U>' }}{{ m.content }}</s>{% endfor %}"
        "{% if add_generation_prompt %}<s><A>{% endif %}"
    )
    assert zones(template, [user("a"), assistant("b")], tokens=BOS)[3] == ("opening 1", "<s><A>")


def test_content_that_spells_the_beginning_of_sequence_is_content() -> None:
    template = "{% for m in messages %}{{ m.content }}</s>{% endfor %}"
    assert zones(template, [assistant("<s>a")], tokens=BOS) == [("content 0", "<s>a"), ("stop 0", "</s>")]


TWO_PARTS = (
    "{% for m in messages %}<{{ m.role }}>{{ m.reasoning_content }};{% endfor %}"
    "{% for m in messages %}{{ m.content }}</s>{% endfor %}"
)


def test_of_a_turn_printed_in_two_places_the_text_at_the_end_of_the_first_is_scaffold() -> None:
    """Reasonings first, answers after all of them: the turn goes on, so what ends its first part stops nothing."""
    messages = [user("a"), assistant("b", reasoning_content="r")]
    assert zones(TWO_PARTS, messages, tokens=EOS) == [
        ("opening 0", "<user>;"),
        ("opening? 1", "<assistant>"),
        ("reasoning 1", "r"),
        ("scaffold 1", ";"),
        ("content 0", "a"),
        ("stop 0", "</s>"),
        ("content 1", "b"),
        ("stop 1", "</s>"),
    ]


def test_the_second_place_of_a_turn_has_no_opening_of_its_own() -> None:
    template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.reasoning_content }}{% endfor %}"
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
    )
    found = zones(template, [user("a"), assistant("b", reasoning_content="r")], tokens=EOS)
    assert found[-3:] == [("scaffold 1", "<assistant>"), ("content 1", "b"), ("stop 1", "</s>")]


def test_an_answer_that_quotes_another_message_after_its_content() -> None:
    """The quotation is context, the template's text around it scaffold, and only what follows it can stop the turn."""
    template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}"
        "{% if m.role == 'assistant' %}</s> to {{ messages[0].content }} done{% endif %}</s>{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    assert zones(template, [user("Q"), assistant("b")], tokens=EOS)[3:] == [
        ("opening 1", "<assistant>"),
        ("content 1", "b"),
        ("scaffold 1", "</s> to "),
        ("context 1", "Q"),
        ("scaffold 1", " done"),
        ("stop 1", "</s>"),
    ]


def test_a_prompt_that_counts_differs_from_turn_to_turn() -> None:
    """Nothing that the template looks at tells the turns apart, but what it prints does."""
    template = (
        "{% for m in messages %}<{{ m.role }} {{ loop.index }}>{{ m.content }}</s>{% endfor %}"
        "{% if add_generation_prompt %}<assistant {{ messages | length + 1 }}>{% endif %}"
    )
    messages = [turn for _ in range(5) for turn in (user("Q"), assistant("A"))]
    found = zones(template, messages, tokens=EOS)
    openings = [(name, text) for name, text in found if name.startswith("opening") and "assistant" in text]
    assert openings == [(f"opening {index}", f"<assistant {index + 1}>") for index in range(1, 10, 2)]


def test_an_answer_that_begins_otherwise_than_the_prompt_ends_has_no_opening() -> None:
    """By the definition the opening ends where the text stops agreeing with the prompt, here at once."""
    template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
        "{% if add_generation_prompt %}[answer]{% endif %}"
    )
    found = zones(template, [user("a"), assistant("b"), user("c"), assistant("d")], tokens=EOS)
    assert [part for part in found if part[0][-1] in "13"] == [
        ("scaffold 1", "<assistant>"),
        ("content 1", "b"),
        ("stop 1", "</s>"),
        ("scaffold 3", "<assistant>"),
        ("content 3", "d"),
        ("stop 3", "</s>"),
    ]


def test_what_the_prompt_adds_counts_only_where_all_that_precedes_it_stands_in_the_text() -> None:
    """The prompt adds a line and the header; the text has the header behind a line break of its own, not that line."""
    template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>\n{% endfor %}"
        "{% if add_generation_prompt %}[now]\n<assistant>{% endif %}"
    )
    found = zones(template, [user("a"), assistant("b")], tokens=EOS)
    assert found[4:6] == [("scaffold 1", "<assistant>"), ("content 1", "b")]


def test_the_opening_ends_before_a_marker_of_the_prompt_that_the_text_has_not() -> None:
    template = (
        "{% for m in messages %}<{{ m.role }}>\n< {{ m.content }}</s>{% endfor %}"
        "{% if add_generation_prompt %}<assistant>\n<think>{% endif %}"
    )
    found = zones(template, [user("a"), assistant("b")], tokens=EOS)
    assert found[3:6] == [("opening 1", "<assistant>\n"), ("scaffold 1", "< "), ("content 1", "b")]


def test_text_of_nobody_inside_a_message_belongs_to_it() -> None:
    """Without a loop nothing says whose a literal is, but that it stands between two parts of one message."""
    template = "{{ messages[1].role }}{% if true %}: {% endif %}{{ messages[1].content }}{% if true %}</s>{% endif %}"
    assert zones(template, [user("a"), assistant("b")], tokens=EOS) == [
        ("opening? 1", "assistant: "),
        ("content 1", "b"),
        ("stop 1", "</s>"),
    ]


def test_a_header_field_printed_after_the_content_is_scaffold() -> None:
    template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }} ({{ m.name }})</s>{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    found = zones(template, [user("a", name="ann"), assistant("b", name="bob")], tokens=EOS)
    assert found[-3:] == [("content 1", "b"), ("scaffold 1", " (bob)"), ("stop 1", "</s>")]


def test_of_two_stops_that_begin_alike_the_longer_one_stands_there() -> None:
    template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}<end>{% endfor %}"
    tokens = SpecialTokens(added=("<end", "<end>"), special=("<end", "<end>"), stops=("<end", "<end>"))
    assert zones(template, [user("a"), assistant("b")], tokens=tokens)[-1] == ("stop 1", "<end>")
