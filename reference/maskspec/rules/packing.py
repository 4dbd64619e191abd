"""Takes rows of packed samples apart again, by what the rows themselves say about where a sample begins.

That is how attention is kept inside a sample, so a beginning that the row does not
state is a leak, even where the ids alone would show it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from maskspec.rules.samples import changed_labels, trained_runs, uneven
from maskspec.rules.trial import IGNORE_INDEX, PackedRow, Sample, Trial
from maskspec.rules.violations import Finding, Kind

__all__ = ["judge_rows", "samples_to_pack"]


def samples_to_pack(whole: Sample) -> Iterator[Sample]:
    """The sample, twice; what right and left truncation leave of it; and a longer one of two rounds."""
    length = len(whole.input_ids)
    runs = trained_runs(whole)
    start, end = runs[-1] if runs else (length // 2, length)
    yield whole
    if start and length - start > 1:
        # Its first token is trained, which a packer has to undo.
        yield _part(whole, start, length)
    if 1 < (start + end) // 2 < length:
        yield _part(whole, 0, (start + end) // 2)
    yield Sample(whole.input_ids + whole.input_ids[1:], whole.labels + whole.labels[1:])
    yield whole


def _part(whole: Sample, start: int, end: int) -> Sample:
    return Sample(whole.input_ids[start:end], whole.labels[start:end])


@dataclass(frozen=True, slots=True)
class _Segment:
    """A stretch of a row up to the next place where the row says that a sample begins.

    `stated` is whether it says so at the start of the stretch, too. What follows a
    sample in its segment is a segment of which it does not.
    """

    row: int
    start: int
    ids: tuple[int, ...]
    labels: tuple[int, ...]
    stated: bool = True

    @property
    def end(self) -> int:
        """The position in the row behind the last token."""
        return self.start + len(self.ids)

    def after(self, length: int) -> _Segment:
        """The segment without its first tokens."""
        return _Segment(self.row, self.start + length, self.ids[length:], self.labels[length:], stated=False)


def judge_rows(
    trial: Trial, samples: Sequence[Sample], rows: Sequence[PackedRow], limit: int, what: str
) -> Finding | None:
    """What is wrong with the rows that a packer made of samples, each of which fits in a row of `limit` tokens."""
    for number, row in enumerate(rows):
        finding = _form(row, limit, f"{what}: row {number}")
        if finding is not None:
            return finding
    silent = [row for row in rows if row.position_ids is None and row.sequence_ids is None]
    if silent and len(rows) < len(samples):
        return Finding(
            kind=Kind.LEAKED,
            explanation=(
                f"{what} gave {len(rows)} row(s) with neither position_ids nor sequence_ids, so nothing keeps "
                "the samples of a row apart"
            ),
            zone="",
        )
    segments = [segment for number, row in enumerate(rows) for segment in _segments(number, row)]
    # The longest first: a shorter sample may begin like a longer one.
    order = sorted(range(len(samples)), key=lambda index: -len(samples[index].input_ids))
    for index in order:
        sample = samples[index]
        name = f"sample {index} of {len(samples)} ({len(sample.input_ids)} tokens)"
        segment = _best(segments, sample)
        if segment is None:
            return _lost(segments, sample, f"{what}: {name}")
        place = segments.index(segment)
        segments[place : place + 1] = (
            [segment.after(len(sample.input_ids))] if len(segment.ids) > len(sample.input_ids) else []
        )
        finding = _sample(trial, segment, sample, f"{what}: {name}")
        if finding is not None:
            return finding
    return next((finding for finding in map(_remainder, segments) if finding is not None), None)


def _form(row: PackedRow, limit: int, what: str) -> Finding | None:
    finding = uneven(row, what)
    if finding is not None:
        return finding
    length = len(row.input_ids)
    if length > limit:
        return Finding(kind=Kind.LENGTH, explanation=f"{what} has {length} tokens", zone="")
    for name, numbers in (("position_ids", row.position_ids), ("sequence_ids", row.sequence_ids)):
        if numbers is not None and len(numbers) != length:
            explanation = f"{what} has {length} ids and {len(numbers)} {name}"
            return Finding(kind=Kind.LENGTH, explanation=explanation, zone="")
    return None


def _segments(number: int, row: PackedRow) -> Iterator[_Segment]:
    starts = [k for k in range(len(row.input_ids)) if k == 0 or _begins(row, k)]
    for start, end in pairwise((*starts, len(row.input_ids))):
        yield _Segment(number, start, row.input_ids[start:end], row.labels[start:end])


def _begins(row: PackedRow, index: int) -> bool:
    """Whether the row says that a sample begins at an index: its number changes, or its positions do not run on."""
    if row.sequence_ids is not None and row.sequence_ids[index] != row.sequence_ids[index - 1]:
        return True
    return row.position_ids is not None and row.position_ids[index] != row.position_ids[index - 1] + 1


def _best(segments: Sequence[_Segment], sample: Sample) -> _Segment | None:
    """The segment that is the sample, else one that begins with it."""
    length = len(sample.input_ids)
    fitting = [item for item in segments if item.stated and item.ids[:length] == sample.input_ids]
    return min(fitting, key=lambda item: len(item.ids), default=None)


def _sample(trial: Trial, segment: _Segment, sample: Sample, what: str) -> Finding | None:
    """What is wrong with a segment that begins with a sample."""
    length = len(sample.input_ids)
    if segment.start and segment.labels[0] != IGNORE_INDEX:
        return Finding(
            kind=Kind.LEAKED,
            explanation=f"{what}: its first token is trained, and would be predicted from the sample before it",
            zone="",
        )
    kept = (sample.labels[0], *segment.labels[1:length])
    if segment.start == 0 and segment.labels[0] != IGNORE_INDEX:
        kept = segment.labels[:length]
    return changed_labels(trial, sample, kept, what)


def _lost(segments: Sequence[_Segment], sample: Sample, what: str) -> Finding:
    """A finding about a sample that is no segment: it stands somewhere without its boundaries, or nowhere whole."""
    for stretch in _stretches(segments):
        ids = tuple(identifier for segment in stretch for identifier in segment.ids)
        begins = [segment.start for segment in stretch if segment.stated]
        for offset in range(len(ids) - len(sample.input_ids) + 1):
            if ids[offset : offset + len(sample.input_ids)] != sample.input_ids:
                continue
            start = stretch[0].start + offset
            inside = [place for place in begins if start < place < start + len(sample.input_ids)]
            told = f"does not say that it begins at {start}"
            if start in begins:
                told = f"says that another begins inside it, at {inside[0]}"
            return Finding(kind=Kind.LEAKED, explanation=f"{what}: row {stretch[0].row} {told}", zone="")
    return Finding(kind=Kind.DIFFERENT_IDS, explanation=f"{what}: its ids are in no row in one piece", zone="")


def _stretches(segments: Sequence[_Segment]) -> Iterator[list[_Segment]]:
    """Segments that follow each other without a gap in one row, together."""
    stretch: list[_Segment] = []
    for segment in segments:
        if stretch and (stretch[-1].row, stretch[-1].end) != (segment.row, segment.start):
            yield stretch
            stretch = []
        stretch.append(segment)
    if stretch:
        yield stretch


def _remainder(segment: _Segment) -> Finding | None:
    """What belongs to no sample is padding, and not trained."""
    if all(label == IGNORE_INDEX for label in segment.labels):
        return None
    return Finding(
        kind=Kind.TRAINED,
        explanation=f"row {segment.row} has trained tokens that belong to no sample, from position {segment.start} on",
        zone="",
    )
