"""The trained characters of the reference and those inside trl's generation tags: the same, or the reason why not."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from maskspec.conversation import Conversation
from maskspec.corpus import Template, trl_templates
from maskspec.errors import MissingPackageError, TemplateError
from maskspec.rendering import ConversationRenderer
from tests.oracles.generation_tags import (
    EXPECTED,
    REASONS,
    TABLE,
    VERSION,
    Difference,
    Row,
    asked,
    examine,
    special_tokens,
    table,
)
from tests.unit.vocabularies import transformers_major


@cache
def templates() -> dict[str, Template]:
    try:
        found = {template.name: template for template in trl_templates(training=True)}
    except MissingPackageError as error:
        pytest.skip(str(error))
    origins = {template.origin for template in found.values()}
    if origins != {f"trl {VERSION}"}:
        pytest.skip(f"the table was made for trl {VERSION}, not {', '.join(sorted(origins))}")
    return found


@cache
def row(name: str) -> Row:
    return examine(templates()[name])


def test_every_training_template_is_compared() -> None:
    assert set(templates()) == set(EXPECTED)
    assert len(EXPECTED) == 31


def test_every_difference_has_a_reason_and_occurs() -> None:
    assert set(REASONS) == set(Difference)
    assert {kind for kinds in EXPECTED.values() for kind in kinds} == set(Difference)


@pytest.mark.parametrize("name", EXPECTED)
def test_no_difference_is_unexplained(name: str) -> None:
    found = row(name)
    assert found.unexplained == []
    assert found.conversations >= 10
    assert found.tagged > 0


@pytest.mark.parametrize("name", EXPECTED)
def test_the_differences_are_those_read_in_the_template(name: str) -> None:
    assert set(row(name).differences) == EXPECTED[name]


def test_the_committed_table_is_what_is_found() -> None:
    found = table([row(name) for name in templates()])
    assert TABLE.read_text(encoding="utf-8") == found, "write it anew: python -m tests.oracles.generation_tags"


def _merged(ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for start, end in ranges:
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], end)
        elif start < end:
            merged.append((start, end))
    return tuple(merged)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_tagged_characters_are_those_that_transformers_finds(name: str) -> None:
    """The ranges of `{% generation %}` are read by the reference's own renderer; transformers has another one."""
    utilities: Any = pytest.importorskip("transformers.utils.chat_template_utils", reason="needs transformers")
    template = templates()[name]
    tokens = special_tokens(name)
    compared = 0
    for conversation in asked():
        messages, tools = conversation.fresh()
        parsed = Conversation.from_messages(messages, tools=tools)
        renderer = ConversationRenderer(parsed, template=template.source, special_tokens=tokens.variables)
        try:
            rendering = renderer.rendering()
        except TemplateError:
            continue
        (text,), (ranges,) = utilities.render_jinja_template(
            [parsed.to_template_messages()],
            tools=tools,
            chat_template=template.source,
            return_assistant_tokens_mask=True,
            **tokens.variables,
        )
        if (
            transformers_major() == 4
            and text != rendering.text
            and any("reasoning_content" in each for each in messages)
        ):
            continue  # transformers 4 gives reasoning no second name, `thinking`, so this template does not see it
        assert text == rendering.text, conversation.name
        assert _merged(ranges) == rendering.generation_ranges, conversation.name
        compared += 1
    assert compared >= 10
