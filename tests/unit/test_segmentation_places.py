"""Where in the text a turn begins, is interrupted and ends: places that few templates have, but some do."""

from __future__ import annotations

import pytest

from maskspec.tokens import SpecialTokens
from tests.unit.divisions import EOS, assistant, call, user, zones

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


@pytest.mark.parametrize("beginning", ["{{ bos_token }}", "{{ '<s>' }}"])
def test_a_beginning_of_sequence_that_is_all_of_a_first_answer_is_nobodys(beginning: str) -> None:
    template = (
        "{% for m in messages %}{% if loop.first %}" + beginning + "{% endif %}"
        "{% if m.content %}<A>{{ m.content }}</s>{% endif %}{% endfor %}" + PROMPT
    )
    found = zones(template, [assistant(""), user("a"), assistant("b")], tokens=BOS, variables={"bos_token": "<s>"})
    assert found[:3] == [("context", "<s>"), ("opening 1", "<A>"), ("content 1", "a")]


def test_a_beginning_of_sequence_that_goes_on_in_the_content_is_no_token_of_the_template() -> None:
    """The template prints its first character, the answer the others; and no opening ends inside a special token."""
    template = "{% for m in messages %}{{ '<' if loop.first }}{{ m.content }}</s>{% endfor %}"
    assert zones(template, [assistant("s>a")], tokens=BOS) == [
        ("scaffold 0", "<"),
        ("content 0", "s>a"),
        ("stop 0", "</s>"),
    ]


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


DEFAULT = (
    "{% for m in messages %}{% if loop.first and m.role != 'system' %}BEFORE{% endif %}"
    "{{ '<A>' if m.role == 'assistant' else '<U>' }}{{ m.content }}</s>{% endfor %}" + PROMPT
)
"""A template that prints a default system prompt, written in the place of BEFORE, ahead of a first message."""


@pytest.mark.parametrize("content", ["a", ""])
@pytest.mark.parametrize(
    "before",
    [
        "Be nice.\n",
        "Be nice, as in <A>Gladly.</s> and\n",  # it shows how an answer looks
        "<S>Be nice.<A>Yes.</s><A>No.</s>",
    ],
)
def test_a_default_system_prompt_before_a_first_answer_is_nobodys_up_to_the_answers_own_header(
    before: str, content: str
) -> None:
    found = zones(DEFAULT.replace("BEFORE", before), [assistant(content), user("q"), assistant("b")], tokens=EOS)
    body = [("content 0", "a")] if content else []
    assert found[: 3 + len(body)] == [("context", before), ("opening 0", "<A>"), *body, ("stop 0", "</s>")]


def test_a_default_system_prompt_behind_a_greeting_that_begins_as_an_answer_does() -> None:
    """The greeting belongs to nobody; that it begins with the header says nothing about the first message."""
    template = "<A>Welcome.</s>" + DEFAULT.replace("BEFORE", "Be nice.\n")
    found = zones(template, [assistant("a"), user("q"), assistant("b")], tokens=EOS)
    assert found[:3] == [("context", "<A>Welcome.</s>Be nice.\n"), ("opening 0", "<A>"), ("content 0", "a")]


def test_a_header_inside_the_first_answer_is_content() -> None:
    found = zones(DEFAULT.replace("BEFORE", "Be nice.\n"), [assistant("x<A>y"), user("q"), assistant("b")], tokens=EOS)
    assert found[:4] == [
        ("context", "Be nice.\n"),
        ("opening 0", "<A>"),
        ("content 0", "x<A>y"),
        ("stop 0", "</s>"),
    ]


def test_a_prompt_of_nothing_but_a_line_break_tells_no_header_from_what_stands_before_it() -> None:
    """It agrees in nothing with the beginning of the text, so that the header of a plain answer is the opening."""
    template = (
        "{% for m in messages %}{% if loop.first %}Hello.{{ '\\n' }}{% endif %}"
        "{{ 'A: ' if m.role == 'assistant' else 'Q: ' }}{{ m.content }}</s>{% endfor %}"
        "{% if add_generation_prompt %}{{ '\\n' }}{% endif %}"
    )
    found = zones(template, [assistant("a"), user("q")], tokens=EOS)
    assert found[:3] == [("opening? 0", "Hello.\nA: "), ("content 0", "a"), ("stop 0", "</s>")]


def test_a_first_answer_that_begins_with_its_header_keeps_all_of_it() -> None:
    """The header is printed twice; nothing stands before it."""
    found = zones(DEFAULT.replace("BEFORE", "<A>"), [assistant("a"), user("q"), assistant("b")], tokens=EOS)
    assert found[:3] == [("opening 0", "<A>"), ("scaffold 0", "<A>"), ("content 0", "a")]


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


def test_a_quotation_directly_behind_the_content_is_context_too() -> None:
    template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}"
        "{% if m.role == 'assistant' %}{{ messages[0].content }}{% endif %}</s>{% endfor %}"
    )
    assert zones(template, [user("Q </s> x"), assistant("b")], tokens=EOS)[-3:] == [
        ("content 1", "b"),
        ("context 1", "Q </s> x"),
        ("stop 1", "</s>"),
    ]


@pytest.mark.parametrize("quoted", ["{{ messages[0].content }}", "{{ tools[0].function.name }}"])
@pytest.mark.parametrize("text", ["Q", "Q </s> x"])
def test_a_turn_that_ends_with_a_quotation_does_not_generate_it(quoted: str, text: str) -> None:
    """No literal follows it, so that the turn has no stop; what the quotation spells is none."""
    template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}"
        "{% if m.role == 'assistant' %} re: " + quoted + "{% endif %}{% endfor %}" + PROMPT.replace("A", "assistant")
    )
    tools = [{"type": "function", "function": {"name": text, "parameters": {}}}]
    found = zones(template, [user(text), assistant("b"), user("c")], tokens=EOS, tools=tools)
    assert found[2:] == [
        ("opening 1", "<assistant>"),
        ("content 1", "b"),
        ("scaffold 1", " re: "),
        ("context 1", text),
        ("opening 2", "<user>"),
        ("content 2", "c"),
    ]


@pytest.mark.parametrize("scaffold", ["", "[so] "])
def test_a_prompt_that_counts_differs_from_turn_to_turn(scaffold: str) -> None:
    """Nothing that the template looks at tells the turns apart, but what it prints does."""
    template = (
        "{% for m in messages %}<{{ m.role }} {{ loop.index }}>" + scaffold + "{{ m.content }}</s>{% endfor %}"
        "{% if add_generation_prompt %}<assistant {{ messages | length + 1 }}>{% endif %}"
    )
    messages = [turn for _ in range(5) for turn in (user("Q"), assistant("A"))]
    found = zones(template, messages, tokens=EOS)
    openings = [(name, text) for name, text in found if name.startswith("opening") and "assistant" in text]
    assert openings == [(f"opening {index}", f"<assistant {index + 1}>") for index in range(1, 10, 2)]


def test_the_opening_of_a_turn_that_differs_from_others_ends_before_its_content_too() -> None:
    """Every prompt ends with the word that every answer begins with."""
    template = (
        "{% for m in messages %}<{{ m.role }} {{ loop.index }}>{{ m.content }}</s>{% endfor %}"
        "{% if add_generation_prompt %}<assistant {{ messages | length + 1 }}>Sure{% endif %}"
    )
    messages = [turn for _ in range(4) for turn in (user("Q"), assistant("Sure thing"))]
    found = zones(template, messages, tokens=EOS)
    assert [part for part in found if part[0][-1] in "1357"] == [
        part
        for index in (1, 3, 5, 7)
        for part in (
            (f"opening {index}", f"<assistant {index + 1}>"),
            (f"content {index}", "Sure thing"),
            (f"stop {index}", "</s>"),
        )
    ]


@pytest.mark.parametrize("question", ["<user>{{ m.content }}", ""], ids=["a question", "no question"])
def test_a_close_of_one_character_that_the_prompt_begins_with_is_skipped(question: str) -> None:
    """The line break after the question stands before the answer's region, or in the prompt; history is rewritten."""
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}{{ '[now]' if loop.last }}" + question + ""
        "{% if not loop.last %}{{ '\\n' }}{% endif %}{% else %}<assistant>{{ m.content }}</s>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '\\n' }}<assistant>{% else %}<end>{% endif %}"
    )
    of_question = [("opening 0", "<user>"), ("content 0", "a"), ("tail 0", "\n")] if question else [("opening 0", "\n")]
    assert zones(template, [user("a"), assistant("b")], tokens=EOS) == [
        *of_question,
        ("opening 1", "<assistant>"),
        ("content 1", "b"),
        ("stop 1", "</s>"),
        ("context", "<end>"),
    ]


def test_what_a_question_ends_with_makes_no_marker_of_the_header() -> None:
    template = (
        "{% for m in messages %}{{ 'b> ' if m.role == 'assistant' }}{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}b{% endif %}"
    )
    found = zones(template, [user("1 <"), assistant("2")], tokens=EOS)
    assert found == [("content 0", "1 <"), ("opening 1", "b"), ("scaffold 1", "> "), ("content 1", "2")]


def test_without_a_prompt_the_opening_ends_before_a_call_that_begins_as_the_header_of_an_answer_ends() -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}Q: {{ m.content }}</s>"
        "{% elif m.tool_calls %}A: {{ m.tool_calls[0].function.name }}</s>{% else %}A: say {{ m.content }}</s>{% endif %}"
        "{% endfor %}"
    )
    found = zones(template, [user("a"), assistant("", tool_calls=[call("say it", {})])], tokens=EOS)
    assert found[3:] == [("opening? 1", "A: "), ("tool_call 1", "say it"), ("stop 1", "</s>")]


def test_a_stop_in_front_of_the_role_is_opening_where_a_question_has_no_text() -> None:
    template = "{% for m in messages %}</s>{{ m.role }}:{{ m.content }}{% endfor %}"
    assert zones(template, [user(""), user("a")], tokens=EOS) == [
        ("opening 0", "</s>user:"),
        ("opening 1", "</s>user:"),
        ("content 1", "a"),
    ]


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


@pytest.mark.parametrize("goes_on", ["", "\\n<assistant>\\n< a"], ids=["once", "twice"])
def test_the_opening_ends_before_a_marker_of_the_prompt_that_the_text_has_not(goes_on: str) -> None:
    """Whether or not the prompt has the same beginning again, with no marker behind it."""
    template = (
        "{% for m in messages %}<{{ m.role }}>\n< {{ m.content }}</s>{% endfor %}"
        "{% if add_generation_prompt %}<assistant>\n<think>{{ '" + goes_on + "' }}{% endif %}"
    )
    found = zones(template, [user("a"), assistant("b")], tokens=EOS)
    assert found[3:6] == [("opening 1", "<assistant>\n"), ("scaffold 1", "< "), ("content 1", "b")]


def test_the_opening_ends_before_a_marker_of_the_prompt_behind_the_close_of_the_turn_before() -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}{{ '[now]' if loop.last }}<user>{{ m.content }}"
        "{% if not loop.last %}</s>{{ '\\n' }}{% endif %}{% else %}<assistant>{{ '\\n' }}< {{ m.content }}</s>{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}</s>{{ '\\n' }}<assistant>{{ '\\n' }}<think>{% endif %}"
    )
    found = zones(template, [user("a"), assistant("b")], tokens=EOS)
    assert found[4:7] == [("opening 1", "<assistant>\n"), ("scaffold 1", "< "), ("content 1", "b")]


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
