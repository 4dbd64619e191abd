"""The ranges of `{% generation %}` are read by the reference's own renderer; transformers has another one."""

from __future__ import annotations

from typing import Any

import pytest

from maskspec.conversation import Conversation
from maskspec.corpus import Pair, trl_templates
from maskspec.errors import MissingPackageError, TemplateError
from maskspec.rendering import ConversationRenderer
from tests.oracles import tags
from tests.oracles.asking import fixed
from tests.oracles.training_templates import SHOWN, VERSION
from tests.unit.vocabularies import transformers_major


def training_pair(name: str) -> Pair:
    """A training template of the release that was read."""
    try:
        origins = {template.origin for template in trl_templates(training=True)}
    except MissingPackageError as error:
        pytest.skip(str(error))
    if origins != {f"trl {VERSION}"}:
        pytest.skip(f"the templates were read in trl {VERSION}, not {', '.join(sorted(origins))}")
    return tags.ORACLE.pair(name)


def _merged(ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for start, end in ranges:
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], end)
        elif start < end:
            merged.append((start, end))
    return tuple(merged)


@pytest.mark.parametrize("name", SHOWN)
def test_the_tagged_characters_are_those_that_transformers_finds(name: str) -> None:
    utilities: Any = pytest.importorskip("transformers.utils.chat_template_utils", reason="needs transformers")
    pair = training_pair(name)
    template, tokens = pair.template, pair.tokenizer.special_tokens
    compared = 0
    for conversation in fixed(pair):
        messages, tools = tags.ORACLE.asked(pair, conversation).fresh()
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
