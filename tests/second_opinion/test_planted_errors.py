"""The comparison notices errors: each is planted in the reference's answer, and a difference without a name must appear."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from maskspec.corpus import embedded_template
from maskspec.policy import Verdict
from maskspec.rendering import Span
from maskspec.segmentation import Segment, Segmentation, Zone
from maskspec.strategies import Generated
from tests.second_opinion.compare import (
    Reference,
    compare,
    fixed_conversations,
    reference,
    second_opinion,
    special_tokens,
)
from tests.second_opinion.differential import Opinion
from tests.second_opinion.plain import PlainTemplate

TEMPLATES = ("chatml", "llama-3", "gemma", "zephyr", "qwen3", "deepseek", "glm", "command-r", "phi-3")
Planted = Callable[[Reference], Reference]


@cache
def both(template: str) -> tuple[Opinion, Reference, tuple[str, ...]]:
    """Both opinions on two rounds, and the roles."""
    (_, asked), *_ = fixed_conversations(("two rounds",))
    found = embedded_template(template)
    second = second_opinion(found, PlainTemplate(found.source, special_tokens(found).variables), asked)
    assert second is not None
    return second, reference(found, asked), tuple(message["role"] for message in asked.messages)


def unnamed(template: str, planted: Planted = lambda given: given) -> int:
    """The number of differences without a name after an error was planted."""
    second, first, roles = both(template)
    return sum(each.reason is None for each in compare(second, planted(first), roles).differences)


def _moved(parts: Sequence[Any], steps: int) -> tuple[Any, ...]:
    """All borders but the two ends moved to the right."""
    first, *others = parts
    last = len(others)
    return (
        first._replace(end=first.end + steps),
        *(
            part._replace(start=part.start + steps, end=part.end + (steps if n < last else 0))
            for n, part in enumerate(others, 1)
        ),
    )


def _segments(given: Reference, change: Callable[[Segment], Segment]) -> Reference:
    """Other segments, and what the policy says about them left as it was."""
    segmentation = given.segmentation
    return replace(given, segmentation=replace(segmentation, segments=tuple(map(change, segmentation.segments))))


def zones_one_character_late(given: Reference) -> Reference:
    segments = _moved(given.segmentation.segments, 1)
    return replace(given, segmentation=Segmentation(segments, *(frozenset(), frozenset())))


def verdicts_one_character_late(given: Reference) -> Reference:
    return replace(given, judgements=_moved(given.judgements, 1))


def origins_one_character_late(given: Reference) -> Reference:
    spans: tuple[Span, ...] = _moved(given.rendering.spans, 1)
    return replace(given, rendering=replace(given.rendering, spans=spans))


def answers_swapped(given: Reference) -> Reference:
    swapped = {1: 3, 3: 1}
    return _segments(given, lambda part: part._replace(message=swapped.get(part.message, part.message)))  # type: ignore[arg-type]


def question_owned_by_the_answer(given: Reference) -> Reference:
    return _segments(given, lambda part: part._replace(message=1 if part.message == 2 else part.message))


def header_owned_by_the_question(given: Reference) -> Reference:
    """As if the question had printed the header of its answer."""

    def change(part: Segment) -> Segment:
        return part._replace(message=0, zone=Zone.TAIL) if (part.message, part.zone) == (1, Zone.OPENING) else part

    return _segments(given, change)


def content_is_reasoning(given: Reference) -> Reference:
    return _segments(given, lambda part: part._replace(zone=Zone.REASONING) if part.zone is Zone.CONTENT else part)


def opening_is_scaffold(given: Reference) -> Reference:
    return _segments(given, lambda part: part._replace(zone=Zone.SCAFFOLD) if part.zone is Zone.OPENING else part)


def first_stop_is_tail(given: Reference) -> Reference:
    stop = next(part for part in given.segmentation.segments if part.zone is Zone.STOP and part.message == 1)
    return _segments(given, lambda part: part._replace(zone=Zone.TAIL) if part == stop else part)


def first_stop_is_ignored(given: Reference) -> Reference:
    stop = next(part for part in given.judgements if part.zone is Zone.STOP and part.verdict is Verdict.TRAIN)
    changed = (part._replace(verdict=Verdict.IGNORE) if part == stop else part for part in given.judgements)
    return replace(given, judgements=tuple(changed))


def first_answer_is_context(given: Reference) -> Reference:
    changed = (part._replace(verdict=Verdict.IGNORE) if part.message == 1 else part for part in given.judgements)
    return replace(given, judgements=tuple(changed))


def questions_are_trained(given: Reference) -> Reference:
    changed = (
        part._replace(verdict=Verdict.TRAIN) if part.zone is Zone.CONTENT and part.message in (0, 2) else part
        for part in given.judgements
    )
    return replace(given, judgements=tuple(changed))


def equal_texts_are_mixed_up(given: Reference) -> Reference:
    """The source characters of the two answers are said to come from the other one."""
    swapped = {1: 3, 3: 1}
    spans = tuple(
        span._replace(origin=replace(span.origin, message=swapped.get(span.origin.message, span.origin.message)))  # type: ignore[arg-type]
        for span in given.rendering.spans
    )
    return replace(given, rendering=replace(given.rendering, spans=spans))


PLANTED: tuple[Planted, ...] = (
    zones_one_character_late,
    verdicts_one_character_late,
    origins_one_character_late,
    answers_swapped,
    question_owned_by_the_answer,
    header_owned_by_the_question,
    content_is_reasoning,
    opening_is_scaffold,
    first_stop_is_tail,
    first_stop_is_ignored,
    first_answer_is_context,
    questions_are_trained,
    equal_texts_are_mixed_up,
)


@pytest.mark.parametrize("template", TEMPLATES)
def test_nothing_is_found_without_an_error(template: str) -> None:
    assert unnamed(template) == 0


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__)
@pytest.mark.parametrize("template", TEMPLATES)
def test_a_planted_error_is_found(template: str, planted: Planted) -> None:
    assert unnamed(template, planted) > 0


def test_an_answer_without_its_text_is_no_conversation_of_the_comparison() -> None:
    """A refused conversation has no opinion."""
    found = embedded_template("mistral-v1")
    plain = PlainTemplate(found.source, special_tokens(found).variables)
    assert (
        second_opinion(found, plain, Generated([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]))
        is None
    )
