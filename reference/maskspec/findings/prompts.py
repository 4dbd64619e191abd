"""The generation prompt beside the header that the history prints before an answer, and hazards of a whole turn."""

from __future__ import annotations

from collections.abc import Iterator

from maskspec.errors import TemplateError, TemplateLimitExceeded
from maskspec.findings.kinds import FROM_HAZARDS, FindingKind
from maskspec.findings.records import Observation, excerpt
from maskspec.findings.subject import Asked
from maskspec.hazards import HazardKind
from maskspec.markers import uncut
from maskspec.prompts import common_prefix
from maskspec.segmentation import Zone

__all__ = ["hazards", "prompts"]


def prompts(asked: Asked) -> Iterator[Observation]:
    """How the generation prompt of each answer and its header in the history differ."""
    for index in asked.answers:
        body = asked.segments_of(index, Zone.CONTENT, Zone.REASONING, Zone.TOOL_CALL)
        if not body or not _is_reply(asked, index):
            continue
        try:
            before = asked.renderer.text(count=index)
            prompt = asked.renderer.text(count=index, add_generation_prompt=True)
        except TemplateLimitExceeded:
            raise
        except TemplateError:
            continue
        yield from _compared(asked, index, before, prompt, body[0].start)


def _compared(asked: Asked, index: int, before: str, prompt: str, words: int) -> Iterator[Observation]:
    text = asked.text
    start, _ = asked.span_of(index)
    plain = not asked.segments_of(index, Zone.TOOL_CALL) and _is_text(asked, words)
    if prompt == before:
        if not plain:
            return  # what stands before a call, or before a list that is spelled out, need be no header
        # Nothing but white space stands between the beginning and the answer: it ends with all there is of a header.
        always = text.startswith(before) and not text[len(before) : words].strip()
        kind = FindingKind.PROMPT_ALWAYS if always else FindingKind.PROMPT_IGNORED
        place = (max(0, len(before) - _SHOWN), len(before)) if always else (min(start, words), words)
        detail = f"asking for a generation prompt before message {index} changes nothing"
        variant = "after a tool result" if asked.role(index - 1) == "tool" else ""
        yield Observation(kind, detail, variant, index, excerpts=(excerpt(text, *place),))
        return
    if not text.startswith(before):
        return
    if text.startswith(prompt):
        scaffold = text[len(prompt) : words]
        # How a call is written is the format's own business, and always to be generated.
        if scaffold.strip() and plain:
            detail = f"between the generation prompt and message {index} stands {scaffold!r}"
            piece = (excerpt(text, len(prompt), words),)
            yield Observation(FindingKind.ANSWER_SCAFFOLD, detail, _named(scaffold), index, excerpts=piece)
        return
    agreed = uncut(prompt, uncut(text, common_prefix(text, prompt)))
    rest = prompt[agreed:]
    if "</think>" in rest and asked.reasons(index):
        return  # a prompt that closes the reasoning asks for another answer than this one
    prefill = bool(rest.strip()) and (agreed == words or bool(prompt[len(before) : agreed].strip()))
    yield Observation(
        FindingKind.PROMPT_PREFILL if prefill else FindingKind.PROMPT_DIFFERS,
        f"before message {index} the generation prompt goes on with {rest!r}"
        + (
            ", which the history does not print"
            if prefill
            else f" where the history has {text[agreed : agreed + 40]!r}"
        ),
        "white space" if not rest.strip() else _named(rest) if prefill else "text",
        index,
        excerpts=(
            excerpt(prompt, agreed, len(prompt), label="generation prompt"),
            excerpt(text, agreed, max(agreed, words), label="history"),
        ),
    )


_SHOWN = 30


def _is_text(asked: Asked, place: int) -> bool:
    """Whether the words at a place are a text, and not the inside of a list that is spelled out."""
    paths = [span.origin.path for span in asked.sources if span.start <= place < span.end and not span.origin.is_key]
    return any(path[-1] in ("content", "text", "reasoning_content") for path in paths)


def _is_reply(asked: Asked, index: int | None) -> bool:
    """Whether a prompt would ask for this message: nobody asks before a question, and hardly anybody twice."""
    return bool(index) and not asked.is_generated(index - 1 if index else None)


def _second_is_words(asked: Asked) -> bool:
    """Whether the second bos token is what a message says."""
    bos = asked.special_tokens.bos or ""
    second = asked.text.find(bos, len(bos))
    return any(span.start <= second < span.end for span in asked.sources)


def _named(text: str) -> str:
    """A text on one line, cut where it is long."""
    return " ".join(text.split())[:40]


def hazards(asked: Asked) -> Iterator[Observation]:
    """The hazards that are findings as they are."""
    for hazard in asked.hazards():
        kind = FROM_HAZARDS.get(hazard.kind)
        if kind is None or (kind is FindingKind.HEADER_UNCERTAIN and not _is_reply(asked, hazard.message)):
            continue
        if kind is FindingKind.DOUBLED_BOS and _second_is_words(asked):
            continue
        start, end = (0, 40) if hazard.message is None else asked.span_of(hazard.message)
        if hazard.kind is HazardKind.NO_STOP and hazard.message is not None:
            start, end = asked.closing_span(hazard.message)
        elif hazard.kind is HazardKind.UNCONFIRMED_OPENING:
            part = asked.segments_of(hazard.message, Zone.OPENING)[0]
            start, end = part.start, part.end
        elif hazard.kind is HazardKind.BOUNDARY_STOP and hazard.message is not None:
            part = asked.segments_of(hazard.message, Zone.STOP)[-1]
            start, end = part.start, part.end
        variant = ""
        if hazard.message is not None and asked.is_empty(hazard.message):
            variant = "an empty answer"
        elif kind is FindingKind.NOTHING_TRAINED and all(map(asked.is_empty, asked.answers)):
            variant = "empty answers"
        elif kind is FindingKind.STOP_MISSING:
            variant = "the last answer" if hazard.message == asked.answers[-1] else "an earlier answer"
        piece = excerpt(asked.text, start, end)
        yield Observation(kind, hazard.detail, variant, hazard.message, excerpts=(piece,))
