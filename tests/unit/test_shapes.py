"""Shapes, probing and reading: what a template can render, reads and prints is found out."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Any

import pytest

from maskspec.conversation import Conversation
from maskspec.corpus import embedded_pair, embedded_template
from maskspec.shapes import SHAPES, Capability, capabilities, shapes_for, shapes_for_pair, traits, traits_of_pair
from maskspec.shapes.reading import template_literals, variable_candidates
from maskspec.shapes.schemas import SCHEMAS, is_flat

OF_TEMPLATES = set(Capability) - {Capability.FLAGS}

# By the published formats: Gemma and Mistral alternate strictly, Qwen3 prints everything, Vicuna knows no tools.
ABLE = {
    "qwen3": {
        Capability.SYSTEM,
        Capability.MULTI_TURN,
        Capability.REASONING,
        Capability.TOOLS,
        Capability.TOOL_CALLS,
        Capability.TOOL_CALLS_AS_TEXT,
        Capability.PARALLEL_CALLS,
        Capability.NESTED_ARGUMENTS,
        Capability.CALLS_WITH_CONTENT,
        Capability.CALLS_WITHOUT_CONTENT,
        Capability.CONSECUTIVE,
        Capability.EMPTY_ANSWER,
    },
    "chatml": {Capability.SYSTEM, Capability.MULTI_TURN, Capability.TRAILING_USER, Capability.CONSECUTIVE},
    "mistral-v3": {Capability.TOOLS, Capability.TOOL_CALLS, Capability.PARALLEL_CALLS},
}
UNABLE = {
    "gemma": {Capability.CONSECUTIVE, Capability.LEADING_ASSISTANT, Capability.TOOLS, Capability.REASONING},
    "mistral-v1": {Capability.CONSECUTIVE, Capability.TOOLS, Capability.REASONING},
    "vicuna": {Capability.TOOLS, Capability.TOOL_CALLS, Capability.REASONING},
    "llama-2": {Capability.TOOLS, Capability.REASONING},
}
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}


@pytest.mark.parametrize("name", ABLE)
def test_what_a_template_renders_is_found_out(name: str) -> None:
    assert ABLE[name] <= capabilities(embedded_template(name).source, special_tokens=SPECIAL)


@pytest.mark.parametrize("name", UNABLE)
def test_what_a_template_does_not_render_is_found_out(name: str) -> None:
    assert not UNABLE[name] & capabilities(embedded_template(name).source, special_tokens=SPECIAL)


def test_a_template_that_renders_nothing_has_no_capability_but_ignoring() -> None:
    assert capabilities("nothing") == frozenset()
    assert capabilities("{{ raise_exception('no') }}") == frozenset()
    assert Capability.TOOL_CALLS in traits("nothing").ignored
    assert traits("{{ raise_exception('no') }}").ignored == frozenset()


LOOP = "{% for m in messages %}{{ m.role }}: BODY\n{% endfor %}"

ONE_EACH = {
    Capability.REASONING: "{{ m.content }}{{ m.reasoning_content }}",
    Capability.REASONING_AS_REASONING: "{{ m.content }}{{ m.reasoning }}",
    Capability.TOOL_CALLS: "{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.arguments.city }}{% endfor %}",
    Capability.TOOL_CALLS_AS_TEXT: "{{ m.content }}{% for c in m.tool_calls or [] %}{{ '' + c.function.arguments }}{% endfor %}",
    Capability.BARE_CALLS: "{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.arguments.city }}{% endfor %}",
    Capability.CALLS_WITHOUT_CONTENT: "{% if m.content is defined %}{{ m.content }}{% else %}{{ m.tool_calls }}{% endif %}",
    Capability.LIST_CONTENT: "{% for p in m.content %}{{ p.text }}{% endfor %}",
    Capability.DEVELOPER: "{{ m.content if m.role in ('developer', 'user', 'assistant') else '' }}",
}
"""Templates that can do one thing that most cannot."""
ALONE = {
    Capability.REASONING_AS_REASONING: Capability.REASONING,
    Capability.TOOL_CALLS: Capability.BARE_CALLS,
    Capability.TOOL_CALLS_AS_TEXT: Capability.TOOL_CALLS,
    Capability.BARE_CALLS: Capability.TOOL_CALLS,
    Capability.CALLS_WITHOUT_CONTENT: Capability.CALLS_WITH_EMPTY_CONTENT,
    Capability.DEVELOPER: Capability.SYSTEM,
}
"""What the same template cannot do."""


@pytest.mark.parametrize("capability", ONE_EACH, ids=lambda capability: capability.name)
def test_each_ability_is_told_from_its_neighbours(capability: Capability) -> None:
    found = capabilities(LOOP.replace("BODY", ONE_EACH[capability]))
    assert capability in found
    assert ALONE.get(capability) not in found


def test_shapes_are_valid_fresh_and_named_once() -> None:
    assert len(SHAPES) >= 12
    assert len({shape.name for shape in SHAPES}) == len(SHAPES)
    for shape in SHAPES:
        messages, tools = shape.fresh()
        Conversation.from_messages(messages, tools=tools)
        messages[0]["content"] = "changed"
        assert shape.fresh()[0][0]["content"] != "changed"


def test_a_shape_is_left_out_where_a_template_cannot_render_it() -> None:
    calls = {Capability.TOOLS, Capability.TOOL_CALLS, Capability.CALLS_WITH_EMPTY_CONTENT}
    assert [shape.name for shape in shapes_for(frozenset())][:2] == ["plain", "code and JSON"]
    assert "tool call" not in {shape.name for shape in shapes_for(frozenset({Capability.TOOLS}))}
    assert "tool call" in {shape.name for shape in shapes_for(frozenset(calls))}


def test_the_shapes_of_a_pair_have_flags_where_they_are_wanted() -> None:
    pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")
    pair = embedded_pair("chatml+bytelevel-gpt2")
    with_flags = [shape.name for shape in shapes_for_pair(pair, flags=True)]
    without = [shape.name for shape in shapes_for_pair(pair, flags=False)]
    assert [name for name in with_flags if name not in without] == [
        "flagged turns",
        "character spans in other scripts",
        "character spans",
    ]
    assert "tool call" not in without


@pytest.mark.parametrize(
    ("name", "before", "behind"),
    [
        # As the published formats print them between a question, its answer and the next question.
        ("chatml", "<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>\n<|im_start|>user\n"),
        ("llama-3", "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n"),
        ("mistral-v1", " [/INST] ", "</s> [INST] "),
        ("alpaca", "\n\n### Response:\n", "</s>\n\n### Instruction:\n"),
    ],
)  # fmt: skip
def test_what_a_template_prints_between_messages_is_found_and_quoted_in_an_answer(
    name: str, before: str, behind: str
) -> None:
    pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")
    pair = embedded_pair(f"{name}+bytelevel-gpt2")
    assert traits_of_pair(pair).seams == (before, behind)
    shape = next(shape for shape in shapes_for_pair(pair, flags=False) if shape.name == "markers in the answer")
    *_, answer = shape.fresh()[0]
    assert answer["role"] == "assistant"
    assert before in answer["content"].removesuffix(behind)
    assert behind in answer["content"]
    assert not answer["content"].endswith(behind)


def test_there_is_no_seam_where_nothing_is_printed_or_too_much() -> None:
    assert traits("{% for m in messages %}{{ m.content }}{% endfor %}").seams == ()
    assert traits("{% for m in messages %}{{ m.content }}{{ 'long ' * 50 }}{% endfor %}").seams == ()
    assert traits("{% for m in messages %}{{ m.content }}<{{ m.role }}>{{ m.content }}{% endfor %}").seams == ()
    one_round = "{{ messages[0].content }}<a>{{ messages[1].content }}"
    assert traits(one_round).seams == ("<a>",)


def test_a_shape_is_left_out_where_the_template_refuses_its_text() -> None:
    pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")
    pair = embedded_pair("chatml+bytelevel-gpt2")
    assert "role markers in the question" in {shape.name for shape in shapes_for_pair(pair, flags=False)}
    refusing = (
        "{% for m in messages %}{% if '[/INST]' in m.content %}{{ raise_exception('no') }}{% endif %}{% endfor %}"
    )
    strict = replace(pair, template=replace(pair.template, source=refusing + pair.template.source))
    names = {shape.name for shape in shapes_for_pair(strict, flags=False)}
    assert "role markers in the question" not in names
    assert {"plain", "markers in the answer"} <= names


def test_the_texts_of_a_shape_are_those_of_its_messages_inside_and_out() -> None:
    shape = next(shape for shape in SHAPES if shape.name == "tool call in another script")
    assert {"Trüb.", "Zürich 🌧 東京"} <= set(shape.texts())
    parts = next(shape for shape in SHAPES if shape.name == "content in several parts")
    assert {"Two parts, ", "two."} <= set(parts.texts())


def test_accents_stay_decomposed_in_the_shape_of_that_name() -> None:
    shape = next(shape for shape in SHAPES if shape.name == "decomposed accents")
    texts = [message["content"] for message in shape.fresh()[0]]
    assert all(unicodedata.normalize("NFC", text) != text for text in texts)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{% if enable_thinking %}a{% endif %}", {"enable_thinking": (True, False)}),
        ("{% if not a and b %}x{% endif %}", {"a": (True, False), "b": (True, False)}),
        ("{{ 'x' if effort == 'high' else 'y' }}", {"effort": ("high",)}),
        ("{% if mode in ['fast', 'slow'] %}a{% endif %}", {"mode": ("fast", "slow")}),
        ("{% if mode | lower == 'fast' %}a{% endif %}", {"mode": ("fast",)}),
        ("{% if names | length == 3 %}a{% endif %}", {}),
        ("{% if not x is defined %}{% set x = false %}{% endif %}{% if x %}a{% endif %}", {"x": (True, False)}),
        ("{% set y = true %}{% if y %}a{% endif %}", {}),
        ("{% for m in messages %}{% if m %}a{% endif %}{% endfor %}", {}),
        ("{% if add_generation_prompt and tools and bos_token %}a{% endif %}", {}),
        ("{% if date is defined %}{{ date }}{% endif %}", {}),
        ("{% macro f(z) %}{% if z %}a{% endif %}{% endmacro %}{{ f(1) }}", {}),
        ("{% if broken", {}),
    ],
)  # fmt: skip
def test_the_variables_of_a_template_are_read_off_its_source(template: str, expected: dict[str, Any]) -> None:
    assert dict(variable_candidates(template)) == expected


def test_values_that_make_a_template_fail_are_no_values() -> None:
    template = "{% if mode == 'odd' %}{{ raise_exception('no') }}{% endif %}{% if mode == 'even' %}e{% endif %}"
    assert traits(template + LOOP.replace("BODY", "{{ m.content }}")).variables == (("mode", ("even",)),)


def test_the_literals_of_a_template_are_markers_first() -> None:
    template = "Hello {% if x == 'abc' %}<|im_start|>user\n{{ '[INST]' }}{% endif %}" + "long " * 20
    assert template_literals(template)[:2] == ("<|im_start|>", "[INST]")
    assert {"Hello", "Hello ", "abc"} <= set(template_literals(template))
    assert all(len(text) <= 40 for text in template_literals(template))


def test_what_is_read_off_a_template_does_not_depend_on_what_was_read_before() -> None:
    # Looking for undeclared variables, Jinja makes one constant of a list of constants, in the tree that it is given.
    template = "{% for m in messages if m.role in ('user', 'robot') and mode in ['slow', 'quick'] %}{{ m }}{% endfor %}"
    literals, candidates = template_literals(template), dict(variable_candidates(template))
    assert {"user", "robot", "slow", "quick"} <= set(literals)
    assert candidates == {"mode": ("slow", "quick")}
    variable_candidates.cache_clear()
    assert template_literals(template) == literals
    assert dict(variable_candidates(template)) == candidates


def test_markers_that_a_template_refuses_are_not_offered() -> None:
    template = (
        "{% for m in messages %}{% if '<|im_end|>' in m.content %}{{ raise_exception('no') }}{% endif %}"
        "{{ m.role }}<|im_end|>{{ m.content }}{% endfor %}"
    )
    found = traits(template, tokens=("<|im_end|>", "<|x|>"))
    between = ("assistant<|im_end|>", "user<|im_end|>")
    assert found.refused == ("<|im_end|>", *between, "<|im_end|>\n<|im_start|>user\n")
    assert found.seams == ()
    assert found.tokens == ("<|x|>",)
    assert "<|im_end|>" not in found.literals


def test_a_template_that_takes_no_plain_text_refuses_no_marker() -> None:
    """What it refuses is the plain text; as parts it may print every marker."""
    template = "{% for m in messages %}{{ m.role }}{{ m.content | first | attr('text') }}{% endfor %}"
    assert traits(template, tokens=("<|x|>",)).refused == ()


def test_the_texts_of_a_shape_are_what_a_template_prints_and_no_role() -> None:
    (shape,) = [each for each in SHAPES if each.name == "content in parts"]
    assert list(shape.texts()) == ["Two parts?", "Only one."]


def test_schemas_are_those_that_a_template_takes() -> None:
    able = LOOP.replace("BODY", "{{ m.content }}")
    flat = tuple(number for number, schema in enumerate(SCHEMAS) if is_flat(schema))
    assert traits("{{ tools | tojson }}" + able).schemas == flat
    strict = "{% for tool in tools or [] %}{{ 'd: ' + tool.function.description }}{% endfor %}" + able
    described = {number for number, schema in enumerate(SCHEMAS) if "description" in schema["function"]}
    assert set(traits(strict).schemas) == described & set(flat)


def test_traits_are_remembered() -> None:
    pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")
    pair = embedded_pair("qwen3+bytelevel-gpt2")
    assert traits_of_pair(pair) is traits_of_pair(pair)


def test_text_that_a_tokenizer_cannot_spell_is_not_offered_for_its_pair() -> None:
    pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")
    # This tokenizer normalises to NFC, as Qwen's do: three jamo letters become one syllable.
    assert "\u1100\u1161\u11a8" in traits_of_pair(embedded_pair("qwen3+bytelevel-qwen")).refused
    assert "\u1100\u1161\u11a8" not in traits_of_pair(embedded_pair("qwen3+bytelevel-gpt2")).refused
