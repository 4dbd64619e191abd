"""Zones of small conversations under templates written for one question each; all expectations are worked out by hand.

The questions follow the chapter on zones: where the opening ends, what is scaffold,
which token is the stop, and what belongs to nobody.
"""

from __future__ import annotations

from typing import Any

import pytest

from maskspec import mask
from maskspec.corpus import load_pair
from maskspec.segmentation import Segment, Zone
from maskspec.tokens import SpecialTokens
from tests.unit.divisions import CHATML, CHATML_TOKENS, EOS, assistant, call, divide, user, zones

LLAMA_3_HEADER = "<|start_header_id|>assistant<|end_header_id|>\n\n"
PROMPT = "{% if add_generation_prompt %}"
PLAIN = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}" + PROMPT + "<assistant>{% endif %}"
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {}}}


def tokens(*special: str, **more: Any) -> SpecialTokens:
    return SpecialTokens(special=special, added=special, **more)


def last(template: str, messages: list[dict[str, Any]], **options: Any) -> list[tuple[str, str]]:
    """The zones of the last message, without its index."""
    index = f" {len(messages) - 1}"
    return [
        (zone.removesuffix(index), text) for zone, text in zones(template, messages, **options) if zone.endswith(index)
    ]


# The whole picture.


def test_chatml() -> None:
    messages = [{"role": "system", "content": "S"}, user("Hi"), assistant("Yo"), user("A"), assistant("B")]
    assert zones(CHATML, messages, tokens=CHATML_TOKENS) == [
        ("opening 0", "<|im_start|>system\n"),
        ("content 0", "S"),
        ("stop 0", "<|im_end|>"),
        ("tail 0", "\n"),
        ("opening 1", "<|im_start|>user\n"),
        ("content 1", "Hi"),
        ("stop 1", "<|im_end|>"),
        ("tail 1", "\n"),
        ("opening 2", "<|im_start|>assistant\n"),
        ("content 2", "Yo"),
        ("stop 2", "<|im_end|>"),
        ("tail 2", "\n"),
        ("opening 3", "<|im_start|>user\n"),
        ("content 3", "A"),
        ("stop 3", "<|im_end|>"),
        ("tail 3", "\n"),
        ("opening 4", "<|im_start|>assistant\n"),
        ("content 4", "B"),
        ("stop 4", "<|im_end|>"),
        ("tail 4", "\n"),
    ]


def test_a_segment_knows_its_place() -> None:
    rendering, segmentation = divide(PLAIN, [user("Hi"), assistant("Yo")], tokens=EOS)
    assert rendering.text == "<user>Hi</s><assistant>Yo</s>"
    assert segmentation.segments[3] == Segment(start=12, end=23, zone=Zone.OPENING, message=1, certain=True)
    assert segmentation.without_stop == segmentation.boundary_stops == frozenset()


def test_text_outside_every_message_is_context() -> None:
    template = "<bos>Be nice.\n{% if tools %}{{ tools | tojson }}\n{% endif %}" + PLAIN + "!"
    assert zones(template, [user("Hi"), assistant("Yo")], tokens=EOS, tools=[WEATHER]) == [
        ("context", '<bos>Be nice.\n[{"type": "function", "function": {"name": "weather", "parameters": {}}}]\n'),
        ("opening 0", "<user>"),
        ("content 0", "Hi"),
        ("stop 0", "</s>"),
        ("opening 1", "<assistant>"),
        ("content 1", "Yo"),
        ("stop 1", "</s>"),
        ("context", "!"),
    ]


# The opening.


def test_the_opening_never_passes_the_first_source_character() -> None:
    template = PLAIN.replace("<assistant>{%", "<assistant>Sure{%")
    assert last(template, [user("Hi"), assistant("Sure thing")], tokens=EOS) == [
        ("opening", "<assistant>"),
        ("content", "Sure thing"),
        ("stop", "</s>"),
    ]


def test_the_role_name_is_opening_although_it_comes_from_the_message() -> None:
    template = (
        "{% for m in messages %}|{{ m.role }}|{{ m.content }}</s>{% endfor %}" + PROMPT + "|assistant|{% endif %}"
    )
    assert last(template, [user("Hi"), assistant("Yo")], tokens=EOS)[0] == ("opening", "|assistant|")


def test_a_name_is_generated_unless_the_prompt_supplies_it() -> None:
    template = (
        "{% for m in messages %}{{ m.role }}{% if m.name %} {{ m.name }}{% endif %}: {{ m.content }}</s>{% endfor %}"
    )
    messages = [user("Hi", name="ann"), assistant("Yo", name="bot")]
    assert zones(template + PROMPT + "assistant{% endif %}", messages, tokens=EOS) == [
        ("opening 0", "user ann: "),
        ("content 0", "Hi"),
        ("stop 0", "</s>"),
        ("opening 1", "assistant"),
        ("scaffold 1", " bot: "),
        ("content 1", "Yo"),
        ("stop 1", "</s>"),
    ]
    supplied = template + PROMPT + "assistant bot: {% endif %}"
    assert last(supplied, messages, tokens=EOS)[0] == ("opening", "assistant bot: ")


THINKING = (
    "{% for m in messages %}<{{ m.role }}>"
    "{% if m.role == 'assistant' %}<think>{{ '\\n' }}{{ m.reasoning_content }}{{ '\\n' }}</think>{{ '\\n\\n' }}"
    "{% endif %}"
    "{{ m.content }}</s>{% endfor %}"
)


def test_a_think_tag_after_the_prompt_is_scaffold() -> None:
    template = THINKING + PROMPT + "<assistant>{% endif %}"
    assert last(template, [user("Hi"), assistant("Yo", reasoning_content="Hm.")], tokens=EOS) == [
        ("opening", "<assistant>"),
        ("scaffold", "<think>\n"),
        ("reasoning", "Hm."),
        ("scaffold", "\n</think>\n\n"),
        ("content", "Yo"),
        ("stop", "</s>"),
    ]


def test_a_think_tag_in_the_prompt_is_opening() -> None:
    template = THINKING + PROMPT + "<assistant><think>{{ '\\n' }}{% endif %}"
    assert last(template, [user("Hi"), assistant("Yo", reasoning_content="Hm.")], tokens=EOS) == [
        ("opening", "<assistant><think>\n"),
        ("reasoning", "Hm."),
        ("scaffold", "\n</think>\n\n"),
        ("content", "Yo"),
        ("stop", "</s>"),
    ]


def test_reasoning_that_begins_like_the_prompt_ends_is_not_opening() -> None:
    template = THINKING + PROMPT + "<assistant><think>{{ '\\n\\n' }}{% endif %}"
    zones_of_turn = last(template, [user("Hi"), assistant("Yo", reasoning_content="\nHm.")], tokens=EOS)
    assert zones_of_turn[:2] == [("opening", "<assistant><think>\n"), ("reasoning", "\nHm.")]


EMPTY_THINKING = PLAIN.replace(
    "{{ m.content }}",
    "{% if m.role == 'assistant' %}<think>{{ '\\n\\n' }}</think>{{ '\\n\\n' }}{% endif %}{{ m.content }}",
)


def test_an_empty_think_block_after_the_prompt_is_scaffold() -> None:
    assert last(EMPTY_THINKING, [user("Hi"), assistant("Yo")], tokens=EOS) == [
        ("opening", "<assistant>"),
        ("scaffold", "<think>\n\n</think>\n\n"),
        ("content", "Yo"),
        ("stop", "</s>"),
    ]


def test_of_an_empty_think_block_the_prompt_may_supply_the_beginning() -> None:
    template = EMPTY_THINKING.replace("<assistant>{%", "<assistant><think>{{ '\\n' }}{%")
    assert last(template, [user("Hi"), assistant("Yo")], tokens=EOS)[:2] == [
        ("opening", "<assistant><think>\n"),
        ("scaffold", "\n</think>\n\n"),
    ]


def test_of_an_empty_think_block_the_prompt_may_supply_all() -> None:
    template = EMPTY_THINKING.replace("<assistant>{%", "<assistant><think>{{ '\\n\\n' }}</think>{{ '\\n\\n' }}{%")
    assert last(template, [user("Hi"), assistant("Yo")], tokens=EOS)[0] == (
        "opening",
        "<assistant><think>\n\n</think>\n\n",
    )


@pytest.mark.parametrize(
    ("supplied", "printed", "vocabulary"),
    [
        ("<think>", "</think>", EOS),
        ("<think>", "<thinking>", EOS),
        ("</think>", "<think>", EOS),
        ("[THINK]", "[TOOL_CALLS]", EOS),
        ("«begin»", "«begun»", tokens("</s>", "«begin»", "«begun»", eos="</s>")),
        ("«be", "«begun»", tokens("</s>", "«begun»", eos="</s>")),
        ("«begin»", "«beg", tokens("</s>", "«begin»", eos="</s>")),
    ],
)
def test_the_opening_never_ends_inside_a_marker(supplied: str, printed: str, vocabulary: SpecialTokens) -> None:
    template = PLAIN.replace(
        "{{ m.content }}", "{% if m.role == 'assistant' %}" + printed + "{% endif %}{{ m.content }}"
    )
    template = template.replace("<assistant>{%", f"<assistant>{supplied}{{%")
    assert last(template, [user("Hi"), assistant("Yo")], tokens=vocabulary)[:2] == [
        ("opening", "<assistant>"),
        ("scaffold", printed),
    ]


def test_words_that_are_no_markers_may_be_cut() -> None:
    template = PLAIN.replace("{{ m.content }}", "{% if m.role == 'assistant' %}final: {% endif %}{{ m.content }}")
    template = template.replace("<assistant>{%", "<assistant>fin{%")
    assert last(template, [user("Hi"), assistant("Yo")], tokens=EOS)[:2] == [
        ("opening", "<assistant>fin"),
        ("scaffold", "al: "),
    ]


REWRITTEN = "{% for m in messages %}{% if loop.last and m.role == 'user' %}[now]{% endif %}" + PLAIN.split("%}", 1)[1]


def test_a_rewritten_history_leaves_what_the_prompt_adds() -> None:
    """The prefix that ends with the question has a marker that the full text lacks, so it disagrees before the turn."""
    messages = [user("Hi"), assistant("Yo"), user("A"), assistant("B")]
    assert zones(REWRITTEN, messages, tokens=EOS) == [
        ("opening 0", "<user>"),
        ("content 0", "Hi"),
        ("stop 0", "</s>"),
        ("opening 1", "<assistant>"),
        ("content 1", "Yo"),
        ("stop 1", "</s>"),
        ("opening 2", "<user>"),
        ("content 2", "A"),
        ("stop 2", "</s>"),
        ("opening 3", "<assistant>"),
        ("content 3", "B"),
        ("stop 3", "</s>"),
    ]


CLOSING = (
    "{% for m in messages %}{% if loop.last and m.role == 'user' %}[now]{% endif %}"
    "{% if m.role == 'user' %}<user>{{ m.content }}{% if not loop.last %}<end>{{ '\\n' }}{% endif %}"
    "{% else %}<assistant>{{ m.content }}</s>{% endif %}{% endfor %}"
    + PROMPT
    + "<end>{{ '\\n' }}<assistant>{% endif %}"
)


@pytest.mark.parametrize("template", [CLOSING, CLOSING.replace("[now]", "")])
def test_what_the_prompt_adds_may_begin_with_the_close_of_the_turn_before(template: str) -> None:
    assert zones(template, [user("Hi"), assistant("Yo")], tokens=EOS) == [
        ("opening 0", "<user>"),
        ("content 0", "Hi"),
        ("scaffold 0", "<end>"),
        ("tail 0", "\n"),
        ("opening 1", "<assistant>"),
        ("content 1", "Yo"),
        ("stop 1", "</s>"),
    ]


def test_text_after_the_messages_does_not_hide_what_the_prompt_adds() -> None:
    """The prefix closes the conversation where the full text goes on, exactly where the answer begins."""
    template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}</s>" + PROMPT + "<assistant>{% endif %}"
    )
    assert zones(template, [user("Hi"), assistant("Yo")], tokens=EOS) == [
        ("opening 0", "<user>"),
        ("content 0", "Hi"),
        ("opening 1", "<assistant>"),
        ("content 1", "Yo"),
        ("stop 1", "</s>"),
    ]


NO_PROMPT = (
    "{% for m in messages %}{% if m.role == 'user' %}[Q] {{ m.content }} [/Q]"
    "{% else %}{% if m.tool_calls %} [CALLS]{{ m.tool_calls[0].function.name }}{% else %} {{ m.content }}{% endif %}"
    "</s>{% endif %}{% endfor %}"
)


def test_a_template_without_generation_prompt_leaves_the_opening_unconfirmed() -> None:
    assert zones(NO_PROMPT, [user("Hi"), assistant("Yo"), user("A"), assistant("B")], tokens=EOS) == [
        ("opening 0", "[Q] "),
        ("content 0", "Hi"),
        ("scaffold 0", " [/Q]"),
        ("opening? 1", " "),
        ("content 1", "Yo"),
        ("stop 1", "</s>"),
        ("opening 2", "[Q] "),
        ("content 2", "A"),
        ("scaffold 2", " [/Q]"),
        ("opening? 3", " "),
        ("content 3", "B"),
        ("stop 3", "</s>"),
    ]


def test_without_generation_prompt_only_the_header_of_a_plain_answer_is_opening() -> None:
    assert last(NO_PROMPT, [user("Hi"), assistant("", tool_calls=[call("f", {})])], tokens=EOS) == [
        ("opening?", " "),
        ("scaffold", "[CALLS]"),
        ("tool_call", "f"),
        ("stop", "</s>"),
    ]


def test_without_generation_prompt_the_opening_of_an_empty_answer_ends_with_its_own_text() -> None:
    """The header of a plain answer ends with a space; the empty one lacks it, and the next question begins with one."""
    template = (
        "{% for m in messages %}{% if m.role == 'user' %} Q: {{ m.content }}</s>"
        "{% else %}A:{% if m.content %} {{ m.content }}{% endif %}{% endif %}{% endfor %}"
    )
    assert zones(template, [user("Hi"), assistant(""), user("A")], tokens=EOS)[3:] == [
        ("opening? 1", "A:"),
        ("opening 2", " Q: "),
        ("content 2", "A"),
        ("stop 2", "</s>"),
    ]


def test_without_generation_prompt_content_in_parts_has_the_same_opening() -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}[Q] {{ m.content[0]['text'] }} [/Q]"
        "{% else %} {{ m.content[0]['text'] }}</s>{% endif %}{% endfor %}"
    )
    messages = [user([{"type": "text", "text": "Hi"}]), assistant([{"type": "text", "text": "Yo"}])]
    assert last(template, messages, tokens=EOS) == [("opening?", " "), ("content", "Yo"), ("stop", "</s>")]


def test_without_generation_prompt_and_with_a_rewritten_history_every_opening_is_unconfirmed() -> None:
    template = NO_PROMPT.replace("[Q] {{", "{% if loop.index0 >= (messages | length) - 2 %}[now]{% endif %}[Q] {{")
    messages = [user("Hi"), assistant("Yo"), user("A"), assistant("B")]
    found = zones(template, messages, tokens=EOS)
    assert [part for part in found if part[0].endswith((" 1", " 3"))] == [
        ("opening? 1", " "),
        ("content 1", "Yo"),
        ("stop 1", "</s>"),
        ("opening? 3", " "),
        ("content 3", "B"),
        ("stop 3", "</s>"),
    ]


def test_without_generation_prompt_text_after_the_messages_confirms_nothing() -> None:
    template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}</s>"
    assert zones(template, [user("Hi"), assistant("Yo")], tokens=EOS) == [
        ("opening 0", "<user>"),
        ("content 0", "Hi"),
        ("opening? 1", "<assistant>"),
        ("content 1", "Yo"),
        ("stop 1", "</s>"),
    ]


@pytest.mark.parametrize("condition", ["true", "not loop.last or add_generation_prompt"])
def test_a_prompt_that_is_printed_before_the_turn_leaves_no_opening(condition: str) -> None:
    """The question prints the answer's header, so all of the answer's own text is generated."""
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}<user>{{ m.content }}"
        "{% if " + condition + " %}<assistant>{% endif %}{% else %}{{ m.content }}</s>{% endif %}{% endfor %}"
    )
    messages = [user("Hi"), assistant("Yo"), user("A"), assistant("B")]
    assert zones(template, messages, tokens=EOS) == [
        ("opening 0", "<user>"),
        ("content 0", "Hi"),
        ("scaffold 0", "<assistant>"),
        ("content 1", "Yo"),
        ("stop 1", "</s>"),
        ("opening 2", "<user>"),
        ("content 2", "A"),
        ("scaffold 2", "<assistant>"),
        ("content 3", "B"),
        ("stop 3", "</s>"),
    ]


def test_a_header_printed_again_behind_the_one_that_the_prompt_supplies_is_generated() -> None:
    """The whole prompt stands before the turn, so that the turn's own text agrees with no more of it."""
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}<user>{{ m.content }}"
        "{% if not loop.last or add_generation_prompt %}<assistant>{% endif %}"
        "{% else %}<assistant>{{ m.content }}</s>{% endif %}{% endfor %}"
    )
    assert zones(template, [user("Hi"), assistant("Yo")], tokens=EOS) == [
        ("opening 0", "<user>"),
        ("content 0", "Hi"),
        ("scaffold 0", "<assistant>"),
        ("scaffold 1", "<assistant>"),
        ("content 1", "Yo"),
        ("stop 1", "</s>"),
    ]


def test_a_prefix_that_the_template_rejects_confirms_nothing() -> None:
    template = (
        "{% if messages[-1].role != 'assistant' %}{{ raise_exception('the last message must answer') }}{% endif %}"
        + PLAIN
    )
    assert last(template, [user("Hi"), assistant("Yo")], tokens=EOS) == [
        ("opening?", "<assistant>"),
        ("content", "Yo"),
        ("stop", "</s>"),
    ]


def test_a_conversation_may_begin_with_the_assistant() -> None:
    assert zones(PLAIN, [assistant("Yo"), user("Hi"), assistant("B")], tokens=EOS) == [
        ("opening 0", "<assistant>"),
        ("content 0", "Yo"),
        ("stop 0", "</s>"),
        ("opening 1", "<user>"),
        ("content 1", "Hi"),
        ("stop 1", "</s>"),
        ("opening 2", "<assistant>"),
        ("content 2", "B"),
        ("stop 2", "</s>"),
    ]


def test_answers_in_a_row_have_an_opening_each() -> None:
    assert zones(PLAIN, [user("Hi"), assistant("A"), assistant("B")], tokens=EOS)[3:] == [
        ("opening 1", "<assistant>"),
        ("content 1", "A"),
        ("stop 1", "</s>"),
        ("opening 2", "<assistant>"),
        ("content 2", "B"),
        ("stop 2", "</s>"),
    ]


# Scaffold and tool calls.

TOOL_CALLS = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% for t in m.tool_calls or [] %}"
    '<tool_call>{"name": "{{ t.function.name }}", "arguments": {{ t.function.arguments | tojson }}}</tool_call>'
    "{% endfor %}<end>{{ '\\n' }}{% endfor %}" + PROMPT + "<assistant>{% endif %}"
)
CALL_TOKENS = SpecialTokens(
    eos="<end>", added=("</tool_call>", "<tool_call>", "<end>"), special=("</tool_call>", "<tool_call>", "<end>")
)


@pytest.mark.parametrize("content", ["", None])
def test_tool_calls_are_values_in_scaffold_and_their_end_tag_is_no_stop(content: str | None) -> None:
    template = TOOL_CALLS.replace("{{ m.content }}", "{{ m.content or '' }}")
    messages = [user("Hi"), assistant(content, tool_calls=[call("f", {"a": 1}), call("g", {})])]
    assert last(template, messages, tokens=CALL_TOKENS) == [
        ("opening", "<assistant>"),
        ("scaffold", '<tool_call>{"name": "'),
        ("tool_call", "f"),
        ("scaffold", '", "arguments": {"'),
        ("tool_call", "a"),
        ("scaffold", '": '),
        ("tool_call", "1"),
        ("scaffold", '}}</tool_call><tool_call>{"name": "'),
        ("tool_call", "g"),
        ("scaffold", '", "arguments": {}}</tool_call>'),
        ("stop", "<end>"),
        ("tail", "\n"),
    ]


def test_content_and_tool_calls_in_one_turn() -> None:
    messages = [user("Hi"), assistant("Wait.", tool_calls=[call("f", {})])]
    assert last(TOOL_CALLS, messages, tokens=CALL_TOKENS)[:4] == [
        ("opening", "<assistant>"),
        ("content", "Wait."),
        ("scaffold", '<tool_call>{"name": "'),
        ("tool_call", "f"),
    ]


def test_an_end_marker_before_the_stop_is_scaffold() -> None:
    template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}<|END_RESPONSE|><|END_OF_TURN|>{% endfor %}"
        + PROMPT
        + "<assistant>{% endif %}"
    )
    vocabulary = tokens("<|END_RESPONSE|>", "<|END_OF_TURN|>", eos="<|END_OF_TURN|>")
    assert last(template, [user("Hi"), assistant("Yo")], tokens=vocabulary) == [
        ("opening", "<assistant>"),
        ("content", "Yo"),
        ("scaffold", "<|END_RESPONSE|>"),
        ("stop", "<|END_OF_TURN|>"),
    ]


# The stop and the tail.

TWO_ENDS = PLAIN.replace("</s>", "</t><e1><e2>{{ '\\n' }}")


@pytest.mark.parametrize(
    ("vocabulary", "ending"),
    [
        (
            tokens("<e1>", "<e2>", stops=("<e2>",)),
            [("scaffold", "</t><e1>"), ("stop", "<e2>"), ("tail", "\n")],
        ),
        (
            tokens("<e1>", "<e2>", eos="<e2>"),
            [("scaffold", "</t><e1>"), ("stop", "<e2>"), ("tail", "\n")],
        ),
        (
            tokens("<e1>", "<e2>", eos="<e1>", stops=("<e2>",)),
            [("scaffold", "</t>"), ("stop", "<e1>"), ("tail", "<e2>\n")],
        ),
        (
            tokens("<e1>", "<e2>"),
            [("scaffold", "</t>"), ("stop", "<e1>"), ("tail", "<e2>\n")],
        ),
        (
            tokens("<e1>", "<e2>", eos="</s>"),
            [("scaffold", "</t>"), ("stop", "<e1>"), ("tail", "<e2>\n")],
        ),
        (
            tokens("<e1>", "<e2>", bos="<e1>"),
            [("scaffold", "</t><e1>"), ("stop", "<e2>"), ("tail", "\n")],
        ),
        (
            tokens("<e1>", "<e2>", pad="<e1>"),
            [("scaffold", "</t><e1>"), ("stop", "<e2>"), ("tail", "\n")],
        ),
        (
            tokens("<e1>", "<e2>", unk="<e1>"),
            [("scaffold", "</t><e1>"), ("stop", "<e2>"), ("tail", "\n")],
        ),
        (
            tokens("<e1>", "<e2>", bos="<e1>", eos="<e1>", pad="<e1>"),
            [("scaffold", "</t>"), ("stop", "<e1>"), ("tail", "<e2>\n")],
        ),
        (
            SpecialTokens(added=("<e1>", "<e2>")),
            [("scaffold", "</t><e1><e2>"), ("tail", "\n")],
        ),
    ],
    ids=[
        "declared",
        "end of sequence",
        "whichever of both comes first",
        "first special token",
        "first special token where the end of sequence is not printed",
        "never the beginning of sequence",
        "never padding",
        "never the unknown token",
        "a beginning of sequence that is the end of sequence too",
        "an added token that is not special is none",
    ],
)
def test_which_token_is_the_stop(vocabulary: SpecialTokens, ending: list[tuple[str, str]]) -> None:
    found = last(TWO_ENDS, [user("Hi"), assistant("Yo")], tokens=vocabulary)
    assert found == [("opening", "<assistant>"), ("content", "Yo"), *ending]


def test_a_stop_inside_the_content_stops_nothing() -> None:
    content = "a<|im_end|>\n<|im_start|>user\nb"
    assert last(CHATML, [user("<|im_end|>"), assistant(content)], tokens=CHATML_TOKENS) == [
        ("opening", "<|im_start|>assistant\n"),
        ("content", content),
        ("stop", "<|im_end|>"),
        ("tail", "\n"),
    ]


def test_a_turn_without_stop_has_its_last_white_space_as_tail() -> None:
    template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }} END {{ '\\n\\n' }}{% endfor %}"
        + PROMPT
        + "assistant: {% endif %}"
    )
    _rendering, segmentation = divide(template, [user("Hi"), assistant("Yo")])
    assert segmentation.without_stop == {0, 1}
    assert last(template, [user("Hi"), assistant("Yo")]) == [
        ("opening", "assistant: "),
        ("content", "Yo"),
        ("scaffold", " END"),
        ("tail", " \n\n"),
    ]


BOUNDARY = "^{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}" + PROMPT + "<|assistant|>{% endif %}"
ROUNDS = [user("Hi"), assistant("Yo"), user("A"), assistant("B")]


@pytest.mark.parametrize(
    "vocabulary",
    [
        tokens("<|user|>", "<|assistant|>", stops=("<|user|>",)),
        tokens("<|user|>", "<|assistant|>", eos="<eos>"),
    ],
    ids=["declared", "undeclared"],
)
def test_the_next_message_may_print_the_stop(vocabulary: SpecialTokens) -> None:
    _rendering, segmentation = divide(BOUNDARY, ROUNDS, tokens=vocabulary)
    assert segmentation.boundary_stops == {1}
    assert segmentation.without_stop == {0, 2, 3}
    assert zones(BOUNDARY, ROUNDS, tokens=vocabulary) == [
        ("context", "^"),
        ("opening 0", "<|user|>"),
        ("content 0", "Hi"),
        ("opening 1", "<|assistant|>"),
        ("content 1", "Yo"),
        ("stop 1", "<|user|>"),
        ("content 2", "A"),
        ("opening 3", "<|assistant|>"),
        ("content 3", "B"),
    ]


@pytest.mark.parametrize(
    "vocabulary",
    [
        tokens("<|user|>", "<|assistant|>", stops=("<|observation|>",)),
        tokens("<|user|>", "<|assistant|>", bos="<|user|>"),
        SpecialTokens(added=("<|user|>", "<|assistant|>")),
    ],
    ids=["other stops are declared", "the beginning of a sequence", "not a special token"],
)
def test_what_is_no_boundary_stop(vocabulary: SpecialTokens) -> None:
    _rendering, segmentation = divide(BOUNDARY, ROUNDS, tokens=vocabulary)
    assert segmentation.boundary_stops == frozenset()
    assert segmentation.without_stop == {0, 1, 2, 3}
    assert ("opening 2", "<|user|>") in zones(BOUNDARY, ROUNDS, tokens=vocabulary)


def test_a_message_of_the_same_role_prints_no_boundary_stop() -> None:
    messages = [user("Hi"), assistant("A"), assistant("B"), user("C")]
    _rendering, segmentation = divide(BOUNDARY, messages, tokens=tokens("<|user|>", "<|assistant|>"))
    assert segmentation.boundary_stops == {2}
    assert segmentation.without_stop == {0, 1, 3}


def test_a_declared_stop_that_a_message_of_the_same_role_prints_ends_the_turn_before_it() -> None:
    """As where a template closes an answer only when no other one follows, and the last one is empty."""
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}<U>{{ m.content }}{% elif loop.first or loop.previtem.role == 'user' %}"
        "<A>{{ m.content }}{% else %}<end>\n<A>{{ m.content }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{% if messages[-1].role == 'assistant' %}<end>\n{% endif %}<A>{% endif %}"
    )
    messages = [user("Hi"), assistant("A"), assistant("B")]
    vocabulary = tokens("<U>", "<A>", "<end>", stops=("<end>",))
    _rendering, segmentation = divide(template, messages, tokens=vocabulary)
    assert segmentation.boundary_stops == {1}
    assert zones(template, messages, tokens=vocabulary) == [
        ("opening 0", "<U>"),
        ("content 0", "Hi"),
        ("opening 1", "<A>"),
        ("content 1", "A"),
        ("stop 1", "<end>"),
        ("opening 2", "\n<A>"),
        ("content 2", "B"),
    ]


def test_a_user_message_has_no_boundary_stop() -> None:
    vocabulary = tokens("<|user|>", "<|assistant|>", stops=("<|assistant|>",))
    _rendering, segmentation = divide(BOUNDARY, ROUNDS, tokens=vocabulary)
    assert segmentation.boundary_stops == frozenset()


def test_an_own_stop_comes_before_a_boundary_stop() -> None:
    template = BOUNDARY.replace("{{ m.content }}", "{{ m.content }}{% if m.role == 'assistant' %}<end>{% endif %}")
    vocabulary = tokens("<|user|>", "<|assistant|>", "<end>", stops=("<|user|>", "<end>"))
    _rendering, segmentation = divide(template, ROUNDS, tokens=vocabulary)
    assert segmentation.boundary_stops == frozenset()
    assert segmentation.without_stop == {0, 2}


def test_a_declared_stop_after_all_messages_ends_the_last_turn() -> None:
    template = BOUNDARY.replace("{% endfor %}", "{% endfor %}{% if not add_generation_prompt %} </s>!{% endif %}")
    assert zones(template, ROUNDS, tokens=tokens("</s>", eos="</s>"))[-4:] == [
        ("content 3", "B"),
        ("scaffold 3", " "),
        ("stop 3", "</s>"),
        ("context", "!"),
    ]


def test_a_stop_that_only_begins_in_the_text_after_a_turn_is_none() -> None:
    """Nobody's `<` and a question that begins with `/s>`; and one message's `<` before another's `x>`."""
    template = BOUNDARY.replace("{% endfor %}", "{% endfor %}{% if not add_generation_prompt %}<{% endif %}")
    again = "{% if not add_generation_prompt %}{{ messages[0].content }}{% endif %}"
    found = zones(template + again, [user("/s>"), assistant("B")], tokens=tokens("</s>", eos="</s>"))
    assert found[-3:] == [("content 1", "B"), ("context", "<"), ("content 0", "/s>")]
    template = "{% for m in messages %}{% if m.role == 'user' %}<{% else %}x>{{ m.content }}{% endif %}{% endfor %}"
    _rendering, segmentation = divide(template, ROUNDS, tokens=tokens("<x>"))
    assert segmentation.without_stop == {0, 1, 2, 3}
    assert segmentation.boundary_stops == frozenset()


def test_text_of_nobody_between_turn_and_stop_is_no_ending() -> None:
    template = BOUNDARY.replace("{% endfor %}", "{% endfor %}{% if not add_generation_prompt %}.</s>{% endif %}")
    assert zones(template, ROUNDS, tokens=tokens("</s>", eos="</s>"))[-2:] == [("content 3", "B"), ("context", ".</s>")]


# Messages of little or no text.


def test_an_empty_answer_is_its_stop() -> None:
    assert zones(PLAIN, [user("Hi"), assistant(""), user(""), assistant("B")], tokens=EOS) == [
        ("opening 0", "<user>"),
        ("content 0", "Hi"),
        ("stop 0", "</s>"),
        ("opening 1", "<assistant>"),
        ("stop 1", "</s>"),
        ("opening 2", "<user>"),
        ("stop 2", "</s>"),
        ("opening 3", "<assistant>"),
        ("content 3", "B"),
        ("stop 3", "</s>"),
    ]


def test_a_message_that_is_not_rendered_has_no_zone() -> None:
    template = PLAIN.replace(
        "<{{ m.role }}>{{ m.content }}</s>", "{% if m.content %}<{{ m.role }}>{{ m.content }}</s>{% endif %}"
    )
    found = zones(template, [user("Hi"), assistant(""), user("A"), assistant("B")], tokens=EOS)
    assert [zone for zone, _ in found if zone.endswith(" 1")] == []


# Text of one message inside another.


def test_a_system_message_inside_the_question_stays_content_of_its_own() -> None:
    template = (
        "{% set system = messages[0].content if messages[0].role == 'system' else '' %}"
        "{% for m in messages %}{% if m.role == 'user' %}<user>{% if loop.index0 == 1 and system %}"
        "<<{{ system }}>>{{ '\\n' }}{% endif %}{{ m.content }}</user>"
        "{% elif m.role == 'assistant' %}<assistant>{{ m.content }}</s>{% endif %}{% endfor %}"
        + PROMPT
        + "<assistant>{% endif %}"
    )
    messages = [{"role": "system", "content": "S"}, user("Hi"), assistant("Yo")]
    assert zones(template, messages, tokens=EOS) == [
        ("opening 1", "<user><<"),
        ("content 0", "S"),
        ("scaffold 1", ">>\n"),
        ("content 1", "Hi"),
        ("scaffold 1", "</user>"),
        ("opening 2", "<assistant>"),
        ("content 2", "Yo"),
        ("stop 2", "</s>"),
    ]


def test_a_tool_name_repeated_in_the_header_of_the_result_is_not_the_callers() -> None:
    template = (
        "{% for m in messages %}"
        "{% if m.role == 'tool' %}"
        "<start>tool.{{ messages[loop.index0 - 1].tool_calls[0].function.name }}<message>{{ m.content }}<end>"
        "{% elif m.tool_calls %}<start>assistant to={{ m.tool_calls[0].function.name }}<message>{}<call>"
        "{% else %}<start>{{ m.role }}<message>{{ m.content }}<end>{% endif %}{% endfor %}"
        + PROMPT
        + "<start>assistant{% endif %}"
    )
    messages = [
        user("Hi"),
        assistant("", tool_calls=[call("f", {})]),
        {"role": "tool", "content": "4"},
        assistant("Yo"),
    ]
    vocabulary = tokens("<start>", "<message>", "<end>", "<call>", eos="<end>", stops=("<call>",))
    assert zones(template, messages, tokens=vocabulary)[3:] == [
        ("opening 1", "<start>assistant"),
        ("scaffold 1", " to="),
        ("tool_call 1", "f"),
        ("scaffold 1", "<message>{}"),
        ("stop 1", "<call>"),
        ("opening 2", "<start>tool.f<message>"),
        ("content 2", "4"),
        ("stop 2", "<end>"),
        ("opening 3", "<start>assistant"),
        ("scaffold 3", "<message>"),
        ("content 3", "Yo"),
        ("stop 3", "<end>"),
    ]


@pytest.mark.parametrize("quoted", ["{{ messages[loop.index0 - 1].content }}", "{{ tools[0].function.name }}"])
@pytest.mark.parametrize("first", [True, False])
def test_what_the_turn_quotes_is_context(quoted: str, first: bool) -> None:
    """The characters of another message, or of a tool schema, before and after the content."""
    quotation = "{% if m.role == 'assistant' %}(" + quoted + "){% endif %}"
    template = PLAIN.replace(
        "{{ m.content }}", quotation + "{{ m.content }}" if first else "{{ m.content }}" + quotation
    )
    text = "Hi" if "messages" in quoted else "weather"
    quote = [("scaffold", "("), ("context", text), ("scaffold", ")")]
    content = [("content", "Yo")]
    assert last(template, [user("Hi"), assistant("Yo")], tokens=EOS, tools=[WEATHER]) == [
        ("opening", "<assistant>"),
        *(quote + content if first else content + quote),
        ("stop", "</s>"),
    ]


def test_content_printed_twice_is_content_twice() -> None:
    template = PLAIN.replace("{{ m.content }}", "{{ m.content }}|{{ m.content }}")
    assert last(template, [user("Hi"), assistant("Yo")], tokens=EOS) == [
        ("opening", "<assistant>"),
        ("content", "Yo"),
        ("scaffold", "|"),
        ("content", "Yo"),
        ("stop", "</s>"),
    ]


def test_equal_texts_belong_to_their_own_turns() -> None:
    messages = [user("Yes."), assistant("Yes."), user("Yes."), assistant("Yes.")]
    found = zones(PLAIN, messages, tokens=EOS)
    assert [zone for zone, text in found if text == "Yes."] == ["content 0", "content 1", "content 2", "content 3"]


# Roles that nobody generates.


def test_the_leading_literal_is_the_opening_of_a_user_message() -> None:
    template = PLAIN.replace("<{{ m.role }}>", "<{{ m.role }}>{% if m.role == 'user' %}Question: {% endif %}")
    assert zones(template, [user("Hi"), assistant("Yo")], tokens=EOS)[:3] == [
        ("opening 0", "<user>Question: "),
        ("content 0", "Hi"),
        ("stop 0", "</s>"),
    ]


def test_a_template_may_call_the_assistant_model() -> None:
    template = (
        "{% for m in messages %}<t>{{ 'model' if m.role == 'assistant' else m.role }}: {{ m.content }}</s>{% endfor %}"
        + PROMPT
        + "<t>model: {% endif %}"
    )
    assert last(template, [user("Hi"), assistant("Yo")], tokens=EOS)[0] == ("opening", "<t>model: ")


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        # The prompt for no messages lacks the token that the first message prints.
        ("llama-3+tiktoken", [("CONTEXT", True, "<|begin_of_text|>"), ("OPENING", True, LLAMA_3_HEADER)]),
        # The prompt begins with the blank line that separates turns, the first turn does not.
        ("alpaca+bytelevel-gpt2", [("CONTEXT", True, "<s>"), ("OPENING", False, "### Response:\n")]),
        ("chatml+tiktoken", [("OPENING", True, "<|im_start|>assistant\n")]),
    ],
)
def test_a_conversation_that_begins_with_an_answer(pair: str, expected: list[tuple[str, bool, str]]) -> None:
    loaded = load_pair(pair)
    messages = [{"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Who are you?"}]
    result = mask(messages, template=loaded.template.source, tokenizer=loaded.tokenizer)
    segments = [
        (part.zone.name, part.certain, result.text[part.start : part.end]) for part in result.segmentation.segments
    ]
    assert segments[: len(expected) + 1] == [*expected, ("CONTENT", True, "Hello.")]


def test_a_default_system_prompt_before_a_first_answer_belongs_to_nobody() -> None:
    template = (
        "{% for m in messages %}{% if loop.first and m.role != 'system' %}"
        "<|im_start|>system\nBe nice.<|im_end|>\n{% endif %}"
        "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    found = zones(template, [assistant("b"), user("a"), assistant("c")], tokens=CHATML_TOKENS)
    assert found[:5] == [
        ("context", "<|im_start|>system\nBe nice.<|im_end|>\n"),
        ("opening 0", "<|im_start|>assistant\n"),
        ("content 0", "b"),
        ("stop 0", "<|im_end|>"),
        ("tail 0", "\n"),
    ]
    empty = zones(template, [assistant(""), user("a"), assistant("c")], tokens=CHATML_TOKENS)
    assert empty[:3] == [*found[:2], ("stop 0", "<|im_end|>")]


def test_a_turn_goes_on_behind_a_stop_that_a_header_of_its_own_follows() -> None:
    """A message of the harmony format may be several messages to the model; the last one ends with the real stop."""
    template = (
        "{% for m in messages %}{% if m.role == 'assistant' %}"
        "{% if m.thinking %}<|start|>assistant<|channel|>analysis<|message|>{{ m.thinking }}<|end|>{% endif %}"
        "<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|return|>"
        "{% else %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
    )
    tokens = SpecialTokens(
        added=("<|start|>", "<|end|>", "<|return|>", "<|channel|>", "<|message|>"),
        special=("<|start|>", "<|end|>", "<|return|>", "<|channel|>", "<|message|>"),
        stops=("<|return|>", "<|end|>"),
    )
    thought = {**assistant(""), "thinking": "t"}
    assert zones(template, [user("a"), thought], tokens=tokens)[3:] == [
        ("opening 1", "<|start|>assistant"),
        ("scaffold 1", "<|channel|>analysis<|message|>"),
        ("reasoning 1", "t"),
        ("scaffold 1", "<|end|><|start|>assistant<|channel|>final<|message|>"),
        ("stop 1", "<|return|>"),
    ]


def test_a_header_behind_the_stop_goes_on_with_the_turn_only_where_another_stop_follows() -> None:
    template = (
        "{% for m in messages %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|done|><|end|>"
        "{% if m.role == 'assistant' %}<|start|>assistant<|message|>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
    )
    vocabulary = tokens("<|start|>", "<|end|>", "<|done|>", "<|message|>", stops=("<|return|>", "<|end|>"))
    assert last(template, [user("a"), assistant("b")], tokens=vocabulary) == [
        ("opening", "<|start|>assistant"),
        ("scaffold", "<|message|>"),
        ("content", "b"),
        ("scaffold", "<|done|>"),
        ("stop", "<|end|>"),
        ("tail", "<|start|>assistant<|message|>"),
    ]


def test_other_text_behind_the_stop_does_not_go_on_with_the_turn() -> None:
    template = PLAIN.replace("</s>", "</s> (this was the turn of the {{ m.role }}) </end>")
    vocabulary = tokens("</s>", "</end>", stops=("</s>", "</end>"))
    assert last(template, [user("a"), assistant("b")], tokens=vocabulary) == [
        ("opening", "<assistant>"),
        ("content", "b"),
        ("scaffold", "</s> (this was the turn of the assistant) "),
        ("stop", "</end>"),
    ]
    plain = PLAIN.replace("</s>", "</s> (this was the turn of somebody) </end>")
    assert last(plain, [user("a"), assistant("b")], tokens=vocabulary)[2:] == [
        ("stop", "</s>"),
        ("tail", " (this was the turn of somebody) </end>"),
    ]


@pytest.mark.parametrize("prompt", ["", PROMPT + "<|im_start|>assistant\n{% endif %}"], ids=["no prompt", "a prompt"])
def test_a_second_stop_without_a_header_before_it_is_no_stop_of_the_turn(prompt: str) -> None:
    template = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n<|endoftext|>{% endfor %}"
    template += prompt
    tokens = SpecialTokens(
        added=("<|im_start|>", "<|im_end|>", "<|endoftext|>"), special=(), stops=("<|im_end|>", "<|endoftext|>")
    )
    found = zones(template, [user("a"), assistant("b")], tokens=tokens)
    assert found[-3:] == [("content 1", "b"), ("stop 1", "<|im_end|>"), ("tail 1", "\n<|endoftext|>")]


def test_a_literal_of_a_loop_inside_another_message_stands_in_that_message() -> None:
    """Command-R looks for the call that a tool's result answers, and prints its number: text of the result's message."""
    template = (
        "{% for m in messages %}{% if m.role == 'tool' %}<|tool|>"
        "{% for other in messages %}{% for call in other.tool_calls or [] %}"
        "{% if call.id == m.tool_call_id %}{{ loop.index0 }}{% endif %}{% endfor %}{% endfor %}"
        ": {{ m.content }}<|end|>"
        "{% else %}<|{{ m.role }}|>{{ m.content }}"
        "{% for call in m.tool_calls or [] %}{{ call.function.name }}{% endfor %}<|end|>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    tokens = SpecialTokens(eos="<|end|>", added=("<|end|>",), special=("<|end|>",))
    asked = {**assistant(""), "tool_calls": [{**call("look", {}), "id": "c1"}]}
    result = {"role": "tool", "content": "b", "tool_call_id": "c1"}
    assert zones(template, [user("a"), asked, result, assistant("c")], tokens=tokens)[3:] == [
        ("opening 1", "<|assistant|>"),
        ("tool_call 1", "look"),
        ("stop 1", "<|end|>"),
        ("opening 2", "<|tool|>0: "),
        ("content 2", "b"),
        ("stop 2", "<|end|>"),
        ("opening 3", "<|assistant|>"),
        ("content 3", "c"),
        ("stop 3", "<|end|>"),
    ]


def test_the_opening_is_the_longest_agreement_with_the_generation_prompt() -> None:
    """What the template prints after the loop begins as a turn does, and only as far."""
    template = (
        "{% for m in messages %}<|turn|><|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
        "<|turn|><|tool|>Be brief.<|end|>{% if add_generation_prompt %}<|turn|><|assistant|>{% endif %}"
    )
    tokens = SpecialTokens(eos="<|end|>", added=("<|turn|>", "<|end|>"), special=("<|turn|>", "<|end|>"))
    assert zones(template, [user("a"), assistant("c")], tokens=tokens)[3:] == [
        ("opening 1", "<|turn|><|assistant|>"),
        ("content 1", "c"),
        ("stop 1", "<|end|>"),
        ("context", "<|turn|><|tool|>Be brief.<|end|>"),
    ]


def test_a_literal_in_front_of_a_merged_system_text_does_not_make_it_a_quotation() -> None:
    template = (
        "{% if messages[0].role == 'system' %}{% set first = messages[0].content + '\\n\\n' %}{% set rest = messages[1:] %}"
        "{% else %}{% set first = '' %}{% set rest = messages %}{% endif %}"
        "{% for m in rest %}<|{{ m.role }}|>{% if loop.first %}{{ first }}{% endif %}{{ m.content }}<|end|>{% endfor %}"
    )
    tokens = SpecialTokens(eos="<|end|>", added=("<|end|>",), special=("<|end|>",))
    found = zones(template, [{"role": "system", "content": "Be nice."}, user("a"), assistant("b")], tokens=tokens)
    assert ("content 0", "Be nice.") in found
    assert ("content 1", "a") in found


def test_what_a_prompt_adds_begins_with_a_whole_marker() -> None:
    """The prompt and the end of the text share the first letters of two markers, in a template that rewrites history."""
    template = (
        "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content and loop.last %}({{ m.reasoning_content }}){% endif %}"
        "{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% else %}<|eos|>{% endif %}"
    )
    tokens = SpecialTokens(eos="<|end|>", added=("<|end|>",), special=("<|end|>",))
    thought = assistant("b", reasoning_content="r")
    assert zones(template, [user("a"), thought, assistant("c")], tokens=tokens)[3:] == [
        ("opening 1", "<|assistant|>"),
        ("content 1", "b"),
        ("stop 1", "<|end|>"),
        ("opening 2", "<|assistant|>"),
        ("content 2", "c"),
        ("stop 2", "<|end|>"),
        ("context", "<|eos|>"),
    ]
