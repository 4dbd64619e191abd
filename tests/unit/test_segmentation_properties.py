"""What holds for the zones of every conversation under every embedded template."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskspec.corpus import Template, embedded_templates
from maskspec.errors import TemplateError
from maskspec.rendering import OriginKind, Rendering
from maskspec.segmentation import Segmentation, Zone
from maskspec.strategies import conversations
from tests.unit.divisions import divide, vocabulary

HEADER_FIELDS = {"role", "name", "tool_call_id", "id"}
"""Fields that say what a message is and not what it says."""

TEMPLATES = embedded_templates()
GENERATED_ZONES = {Zone.REASONING, Zone.CONTENT, Zone.TOOL_CALL, Zone.SCAFFOLD, Zone.STOP}


def frozen_clock() -> datetime.datetime:
    return datetime.datetime(2025, 1, 1)  # templates print local dates


def drawn(
    template: Template, data: st.DataObject
) -> tuple[Sequence[Mapping[str, Any]], Rendering, Segmentation] | None:
    tokens = vocabulary(template)
    generated = conversations(template.source, special_tokens=tokens.variables)
    conversation = data.draw(generated, label="conversation")
    try:
        rendering, segmentation = divide(
            template.source, conversation.messages, tokens=tokens, tools=conversation.tools, clock=frozen_clock
        )
    except TemplateError:
        return None
    return conversation.messages, rendering, segmentation


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_zones_of_any_conversation(template: Template, data: st.DataObject) -> None:
    found = drawn(template, data)
    if found is None:
        return
    messages, rendering, segmentation = found
    segments = segmentation.segments
    borders = [0, *(part.end for part in segments)]
    assert [part.start for part in segments] == borders[:-1], "gaps or overlaps"
    assert borders[-1] == len(rendering.text), "the end of the text is missing"
    assert all(part.start < part.end for part in segments), "an empty segment"
    assert all(part.zone is Zone.CONTEXT for part in segments if part.message is None)
    check_order(segmentation)
    check_sources(messages, rendering, segmentation)


def check_order(segmentation: Segmentation) -> None:
    """The opening comes first, the stop and the tail last, and each message has at most one of each."""
    for message in {part.message for part in segmentation.segments} - {None}:
        zones = [part.zone for part in segmentation.segments if part.message == message]
        assert zones.count(Zone.STOP) == (0 if message in segmentation.without_stop else 1)
        assert zones.count(Zone.OPENING) <= 1
        if Zone.OPENING in zones:
            assert zones[0] is Zone.OPENING
        if Zone.STOP in zones:
            assert set(zones[zones.index(Zone.STOP) + 1 :]) <= {Zone.TAIL}
        if Zone.TAIL in zones:
            assert zones[-1] is Zone.TAIL
    assert not segmentation.without_stop & segmentation.boundary_stops


def check_sources(messages: Sequence[Mapping[str, Any]], rendering: Rendering, segmentation: Segmentation) -> None:
    """What assistants wrote is generated, in the zone of its field; what anybody else wrote is not."""
    zone_at = [part for part in segmentation.segments for _ in range(part.start, part.end)]
    for span in rendering.spans:
        origin = span.origin
        for part in {zone_at[position] for position in range(span.start, span.end)}:
            generated = (
                part.zone in GENERATED_ZONES
                and part.message is not None
                and messages[part.message]["role"] == "assistant"
            )
            if origin.kind is OriginKind.TOOL:
                assert not generated, (span, part)
            if origin.kind is not OriginKind.MESSAGE or origin.message is None or not origin.path:
                continue
            if messages[origin.message]["role"] != "assistant":
                assert not generated, (span, part)
            elif origin.path[0] not in HEADER_FIELDS and origin.quoted_in is None:
                assert part.zone is expected_zone(origin.path[0]), (span, part)
                assert part.message == origin.message, (span, part)


def expected_zone(field: str | int) -> Zone:
    if field in ("reasoning_content", "reasoning", "thinking"):
        return Zone.REASONING
    return Zone.TOOL_CALL if field == "tool_calls" else Zone.CONTENT
