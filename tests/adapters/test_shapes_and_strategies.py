"""Shapes and strategies: what a template can render is found out, and only that is generated."""

from __future__ import annotations

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")

from maskspec.conversation import Conversation
from maskspec.corpus import embedded_template
from maskspec.rendering import render
from maskspec.shapes import SHAPES, Capability, capabilities, shapes_for
from maskspec.strategies import Generated, conversations, sample, texts

OF_TEMPLATES = set(Capability) - {Capability.FLAGS}

# By the published formats: Gemma and Mistral alternate strictly, Qwen3 prints everything, Vicuna knows no tools.
ABLE = {
    "qwen3": OF_TEMPLATES,
    "chatml": {Capability.SYSTEM, Capability.MULTI_TURN, Capability.TRAILING_USER, Capability.CONSECUTIVE},
}
UNABLE = {
    "gemma": {Capability.CONSECUTIVE, Capability.TOOLS, Capability.REASONING},
    "mistral-v1": {Capability.CONSECUTIVE, Capability.TOOLS, Capability.REASONING},
    "vicuna": {Capability.TOOLS, Capability.TOOL_CALLS, Capability.REASONING},
    "llama-2": {Capability.TOOLS, Capability.REASONING},
}
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}


@pytest.mark.parametrize("name", ABLE)
def test_what_a_template_renders_is_found_out(name: str) -> None:
    assert ABLE[name] - {Capability.LIST_CONTENT} <= capabilities(
        embedded_template(name).source, special_tokens=SPECIAL
    )


@pytest.mark.parametrize("name", UNABLE)
def test_what_a_template_does_not_render_is_found_out(name: str) -> None:
    assert not UNABLE[name] & capabilities(embedded_template(name).source, special_tokens=SPECIAL)


def test_a_template_that_renders_nothing_has_no_capability_but_ignoring() -> None:
    assert capabilities("nothing") == frozenset()
    assert capabilities("{{ raise_exception('no') }}") == frozenset()


def test_shapes_are_valid_fresh_and_named_once() -> None:
    assert len(SHAPES) >= 12
    assert len({shape.name for shape in SHAPES}) == len(SHAPES)
    for shape in SHAPES:
        messages, tools = shape.fresh()
        Conversation.from_messages(messages, tools=tools)
        messages[0]["content"] = "changed"
        assert shape.fresh()[0][0]["content"] != "changed"


def test_a_shape_is_left_out_where_a_template_cannot_render_it() -> None:
    assert [shape.name for shape in shapes_for(frozenset())][:2] == ["plain", "code and JSON"]
    assert "tool call" not in {shape.name for shape in shapes_for(frozenset({Capability.TOOLS}))}
    assert "tool call" in {shape.name for shape in shapes_for(frozenset({Capability.TOOLS, Capability.TOOL_CALLS}))}


@pytest.mark.parametrize("name", ["qwen3", "gemma", "mistral-v3", "llama-3", "glm", "harmony", "command-r"])
def test_every_generated_conversation_is_valid_and_rendered(name: str) -> None:
    source = embedded_template(name).source
    able = capabilities(source, special_tokens=SPECIAL)

    @settings(deadline=None, max_examples=30, database=None)
    @given(conversations(able))
    def check(generated: Generated) -> None:
        conversation = Conversation.from_messages(generated.messages, tools=generated.tools)
        assert render(conversation, template=source, special_tokens=SPECIAL).text

    check()


def test_conversations_shrink_to_the_smallest() -> None:
    smallest = find(
        conversations(frozenset(Capability)),
        lambda _: True,
        settings=settings(database=None, deadline=None, max_examples=20),
    )
    assert smallest.tools is None
    assert [(message["role"], message["content"]) for message in smallest.messages] == [
        ("user", "a"),
        ("assistant", "a"),
    ]


@settings(deadline=None, max_examples=50, database=None)
@given(st.data())
def test_flags_are_drawn_only_where_they_are_wanted(data: st.DataObject) -> None:
    generated = data.draw(conversations(frozenset(OF_TEMPLATES)))
    assert not any({"train", "weight", "spans"} & set(message) for message in generated.messages)


@settings(deadline=None, max_examples=50, database=None)
@given(texts())
def test_texts_are_not_empty_and_hold_no_surrogates(text: str) -> None:
    assert text
    text.encode("utf-8")


def test_samples_are_reproducible_and_many() -> None:
    able = frozenset({Capability.MULTI_TURN})
    assert sample(able, examples=20, seed=5) == sample(able, examples=20, seed=5)
    assert len(sample(able, examples=20, seed=5)) == 20
