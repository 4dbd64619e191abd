"""What ends an answer: which token, whether it is eos, whether it is the same everywhere, and what follows it."""

from __future__ import annotations

from collections.abc import Iterator

from maskspec.findings.kinds import FindingKind
from maskspec.findings.records import Excerpt, Observation, excerpt
from maskspec.findings.subject import Asked
from maskspec.rendering import OriginKind
from maskspec.segmentation import Segment, Zone

__all__ = ["stops"]


def stops(asked: Asked) -> Iterator[Observation]:
    """The facts about the stops of one conversation's answers; a missing one is a hazard and told there."""
    endings: dict[int, str] = {}
    for index in asked.answers:
        if asked.is_empty(index):
            continue  # no word says where the header ends and what closes the answer begins
        parts = asked.segments_of(index)
        found = [part for part in parts if part.zone is Zone.STOP]
        if not found:
            if parts:
                endings[index] = "none"
            continue
        stop = found[-1]
        endings[index] = asked.text[stop.start : stop.end]
        yield from _which(asked, index, stop)
        yield from _behind(asked, index, stop)
    if len(set(endings.values())) > 1:
        first, other = next((index, found) for index, found in endings.items()), None
        other = next((index, found) for index, found in endings.items() if found != first[1])
        yield Observation(
            FindingKind.STOP_VARIES,
            f"message {first[0]} ends with {first[1]} and message {other[0]} with {other[1]}",
            " / ".join(sorted({first[1], other[1]})),
            message=other[0],
            excerpts=tuple(_end_of(asked, index) for index in (first[0], other[0])),
        )


def _end_of(asked: Asked, index: int) -> Excerpt:
    stop = asked.segments_of(index, Zone.STOP)
    return excerpt(asked.text, *((stop[-1].start, stop[-1].end) if stop else asked.closing_span(index)))


def _which(asked: Asked, index: int, stop: Segment) -> Iterator[Observation]:
    written = asked.text[stop.start : stop.end]
    piece = (excerpt(asked.text, stop.start, stop.end),)
    eos = asked.subject.eos
    if eos is not None:
        if written != eos:
            detail = f"the answer ends with {written!r}, and the eos token is {eos!r}"
            yield Observation(FindingKind.STOP_NOT_EOS, detail, written, index, excerpts=piece)
        return
    span = next(asked.rendering.spans_between(stop.start, stop.end))
    if span.origin.kind is not OriginKind.VARIABLE:
        detail = f"the answer ends with {written!r}, which the template spells itself"
        yield Observation(FindingKind.STOP_WRITTEN_OUT, detail, written, index, excerpts=piece)


def _behind(asked: Asked, index: int, stop: Segment) -> Iterator[Observation]:
    """What the template prints behind the stop and ahead of the next message."""
    following = [part for part in asked.segmentation.segments if part.start >= stop.end]
    end = stop.end
    for part in following:
        own = part.message == index and part.zone is Zone.TAIL
        if not own and not (part.message is None and index == len(asked.messages) - 1):
            break
        end = part.end
    tail = asked.text[stop.end : end]
    if not tail:
        return
    shown = tail if len(tail) <= 40 else tail[:40] + "…"
    kind = FindingKind.TEXT_AFTER_STOP if tail.strip() else FindingKind.BLANK_AFTER_STOP
    detail = f"the template prints {shown!r} behind the stop of message {index}"
    variant = tail.strip()[:40] or tail[:40]
    yield Observation(kind, detail, variant, index, excerpts=(excerpt(asked.text, stop.end, end),))
