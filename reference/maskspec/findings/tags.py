"""The template's `{% generation %}` tags beside the principle: which zones they hold that they should not, and miss.

`maskspec.hazards` tells that tags and principle disagree, once for each message;
this tells where, for each zone.
"""

from __future__ import annotations

from collections.abc import Iterator

from maskspec.findings.kinds import FindingKind
from maskspec.findings.records import Observation, excerpt
from maskspec.findings.subject import Asked
from maskspec.policy import Policy, Verdict
from maskspec.segmentation import Segment, Zone

__all__ = ["tags"]

_POLICY = Policy()
_KINDS = {
    Zone.OPENING: FindingKind.TAGS_OPENING,
    Zone.CONTENT: FindingKind.TAGS_CONTENT,
    Zone.REASONING: FindingKind.TAGS_REASONING,
    Zone.TOOL_CALL: FindingKind.TAGS_CALLS,
    Zone.SCAFFOLD: FindingKind.TAGS_SCAFFOLD,
    Zone.STOP: FindingKind.TAGS_STOP,
    Zone.TAIL: FindingKind.TAGS_TAIL,
}


def tags(asked: Asked) -> Iterator[Observation]:
    """The differences between tags and principle, each zone of a message once."""
    ranges = asked.rendering.generation_ranges
    if ranges is None:
        return
    segments = asked.segmentation.segments
    tagged = [_covered(part, ranges) for part in segments]
    bare = {
        index
        for index in asked.answers
        if (own := [count for part, count in zip(segments, tagged, strict=True) if part.message == index])
        and not any(own)
    }
    for index in sorted(bare):
        start, end = asked.span_of(index)
        detail = f"message {index} is printed outside the tags"
        variant = "an empty answer" if asked.is_empty(index) else ""
        yield Observation(FindingKind.TAGS_NONE, detail, variant, index, excerpts=(excerpt(asked.text, start, end),))
    seen: set[tuple[int | None, FindingKind]] = set()
    for part, count in zip(segments, tagged, strict=True):
        if part.message in bare or not part.certain:
            continue
        kind = _kind(asked, part, count)
        if kind is not None and (part.message, kind) not in seen:
            seen.add((part.message, kind))
            text = asked.text[part.start : part.end]
            covered = "do not hold" if not count else "hold" if count == len(text) else "hold only a part of"
            shown = text if len(text) <= 40 else text[:40] + "…"
            detail = f"the tags {covered} the {part.zone.value.replace('_', ' ')} text {shown!r}"
            yield Observation(kind, detail, "", part.message, excerpts=(excerpt(asked.text, part.start, part.end),))


def _kind(asked: Asked, part: Segment, count: int) -> FindingKind | None:
    """Which finding a segment with so many tagged characters is; None where tags and principle agree."""
    if not asked.is_generated(part.message):
        return FindingKind.TAGS_OTHERS if count else None
    if part.zone is Zone.CONTEXT:
        return FindingKind.TAGS_OTHERS if count else None
    verdict = _POLICY.zone_verdict(part.zone)
    if verdict is Verdict.TRAIN:
        return _KINDS[part.zone] if count < part.end - part.start else None
    return _KINDS[part.zone] if count else None


def _covered(part: Segment, ranges: tuple[tuple[int, int], ...]) -> int:
    return sum(max(0, min(end, part.end) - max(start, part.start)) for start, end in ranges)
