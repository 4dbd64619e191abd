"""Small maskers that go wrong after masking: they cut, pad or pack as real ones have done, and do the rest right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from maskspec.adapters.reference import ReferenceMasker
from maskspec.conformance.protocol import Collated, Labelled, Packed, Padding, Request, Unsupported
from maskspec.masker import IGNORE_INDEX
from maskspec.policy import Policy

Cut = Callable[[Labelled, int, str], Labelled]


@dataclass
class Cutting:
    """The reference's answer, cut by a function of the answer, the limit and the side."""

    cut: Cut
    name: str = "cutting"
    policy: Policy = field(default_factory=Policy)
    truncation: tuple[str, ...] = ("right", "left")

    def mask(self, request: Request) -> Labelled:
        limit, side = request.max_length, request.truncation_side
        plain = Request(
            request.messages,
            request.template,
            request.tokenizer,
            request.policy,
            tools=request.tools,
            template_kwargs=request.template_kwargs,
            stops=request.stops,
        )
        whole = ReferenceMasker(self.policy).mask(plain)
        return whole if limit is None else self.cut(whole, limit, side)


def shorten(values: Sequence[int], limit: int, side: str) -> tuple[int, ...]:
    return tuple(values[:limit] if side == "right" else values[max(0, len(values) - limit) :])


def runs(labels: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The spans that a masker would have found: stretches of trained tokens."""
    for trained, group in groupby(range(len(labels)), key=lambda k: labels[k] != IGNORE_INDEX):
        members = list(group)
        if trained:
            yield members[0], members[-1] + 1


def labelled(ids: Sequence[int], spans: Sequence[tuple[int, int]]) -> Labelled:
    labels = [IGNORE_INDEX] * len(ids)
    for start, end in spans:
        labels[start:end] = ids[start:end]
    return Labelled(ids, labels)


def cut_right(whole: Labelled, limit: int, side: str) -> Labelled:
    return Labelled(shorten(whole.input_ids, limit, side), shorten(whole.labels, limit, side))


def mask_cut_on_the_right(whole: Labelled, limit: int, side: str) -> Labelled:
    """vllm#54539: left truncation cuts the ids on the left, and the mask where it always cuts."""
    return Labelled(shorten(whole.input_ids, limit, side), shorten(whole.labels, limit, "right"))


def ids_cut_alone(whole: Labelled, limit: int, side: str) -> Labelled:
    """The tokenizer truncates, and nobody tells the mask."""
    return Labelled(shorten(whole.input_ids, limit, side), whole.labels)


def spans_of_the_whole_text(whole: Labelled, limit: int, side: str) -> Labelled:
    """axolotl#2123: the text is truncated inside the render, the spans are those of the whole conversation."""
    ids = shorten(whole.input_ids, limit, side)
    return labelled(ids, [(start, min(end, len(ids))) for start, end in runs(whole.labels) if start < len(ids)])


def complete_spans_only(whole: Labelled, limit: int, side: str) -> Labelled:
    """transformers#34494: a turn whose end is not in the row is masked out entirely."""
    ids = shorten(whole.input_ids, limit, side)
    offset = len(whole.input_ids) - len(ids) if side == "left" else 0
    spans = [(start - offset, end - offset) for start, end in runs(whole.labels)]
    return labelled(ids, [(start, end) for start, end in spans if start >= 0 and end <= len(ids)])


def end_found_by_truthiness(whole: Labelled, limit: int, side: str) -> Labelled:
    """transformers#47325: an end at index 0, or none in the row, is taken for the end of the sequence."""
    ids = shorten(whole.input_ids, limit, side)
    offset = len(whole.input_ids) - len(ids) if side == "left" else 0
    spans = []
    for start, end in runs(whole.labels):
        place = max(0, end - offset)
        if start - offset < len(ids):
            spans.append((max(0, start - offset), place or len(ids)))
    return labelled(ids, spans)


def last_stop_masked(whole: Labelled, limit: int, side: str) -> Labelled:
    """torchtune#2792: with a maximum length, the final stop is masked, cut or not."""
    last = max((end - 1 for _, end in runs(whole.labels)), default=None)
    labels = [IGNORE_INDEX if k == last else label for k, label in enumerate(whole.labels)]
    return Labelled(shorten(whole.input_ids, limit, side), shorten(labels, limit, side))


def last_token_replaced(whole: Labelled, limit: int, side: str) -> Labelled:
    """A cut sample gets an end token of its own, so that the model learns to stop where it was cut."""
    ids, labels = list(shorten(whole.input_ids, limit, side)), list(shorten(whole.labels, limit, side))
    if limit < len(whole.input_ids):
        end = next(label for label in reversed(whole.labels) if label != IGNORE_INDEX)
        ids[-1] = labels[-1] = end
    return Labelled(ids, labels)


def one_too_many(whole: Labelled, limit: int, side: str) -> Labelled:
    return cut_right(whole, limit + 1, side)


def room_for_an_end(whole: Labelled, limit: int, side: str) -> Labelled:
    """One token fewer than allowed, to leave room for an end token, also where nothing has to be cut."""
    return cut_right(whole, max(1, limit - 1) if limit <= len(whole.input_ids) else limit, side)


def sample_dropped(whole: Labelled, limit: int, side: str) -> Labelled:
    return whole if len(whole.input_ids) <= limit else Labelled([], [])


def cut_refused(whole: Labelled, limit: int, side: str) -> Labelled:
    if len(whole.input_ids) > limit:
        raise ValueError(f"{len(whole.input_ids)} tokens do not fit into {limit}")
    return whole


def refused_when_nothing_is_left(whole: Labelled, limit: int, side: str) -> Labelled:
    """Right: trl#3927 was a truncated sample without a single label; this one says so."""
    cut = cut_right(whole, limit, side)
    if all(label == IGNORE_INDEX for label in cut.labels):
        raise ValueError("nothing would be trained")
    return cut


def cut_at_even_lengths(whole: Labelled, limit: int, side: str) -> Labelled:
    """Right: a cut may take more than it must."""
    return cut_right(whole, limit - limit % 2 if limit < len(whole.input_ids) and limit > 1 else limit, side)


def never_cut(whole: Labelled, limit: int, side: str) -> Labelled:
    raise Unsupported("samples of this kind are not truncated")


# Collators.


class Collating(ReferenceMasker):
    """Masks as the reference does and pads by a function that gives ids, labels and attention of a row."""

    __slots__ = ("_pad",)

    def __init__(self, pad: Callable[[Labelled, int, Padding], Collated]) -> None:
        super().__init__(name="collating")
        object.__setattr__(self, "_pad", pad)

    def collate(self, samples: Sequence[Labelled], padding: Padding) -> list[Collated]:
        width = max(len(sample.input_ids) for sample in samples)
        return [self._pad(sample, width - len(sample.input_ids), padding) for sample in samples]


def joined(values: Sequence[int], missing: int, value: int, side: str) -> list[int]:
    more = [value] * missing
    return [*values, *more] if side == "right" else [*more, *values]


def padded(sample: Labelled, missing: int, padding: Padding) -> Collated:
    return Collated(
        joined(sample.input_ids, missing, padding.token_id, padding.side),
        joined(sample.labels, missing, IGNORE_INDEX, padding.side),
        joined([1] * len(sample.input_ids), missing, 0, padding.side),
    )


def without_attention(sample: Labelled, missing: int, padding: Padding) -> Collated:
    """Right: the trainer makes the attention mask itself."""
    row = padded(sample, missing, padding)
    return Collated(row.input_ids, row.labels)


def right_side_only(sample: Labelled, missing: int, padding: Padding) -> Collated:
    """Right: the other side is not offered."""
    if padding.side == "left":
        raise Unsupported("pads on the right only")
    return padded(sample, missing, padding)


def padding_known_by_id(sample: Labelled, missing: int, padding: Padding) -> Collated:
    """trl#976: every label that is the padding token's id is ignored, the real stops with it."""
    row = padded(sample, missing, padding)
    return Collated(
        row.input_ids,
        [IGNORE_INDEX if label == padding.token_id else label for label in row.labels],
        row.attention_mask,
    )


def attention_by_id(sample: Labelled, missing: int, padding: Padding) -> Collated:
    row = padded(sample, missing, padding)
    return Collated(row.input_ids, row.labels, [identifier != padding.token_id for identifier in row.input_ids])


def attention_everywhere(sample: Labelled, missing: int, padding: Padding) -> Collated:
    row = padded(sample, missing, padding)
    return Collated(row.input_ids, row.labels, [1] * len(row.input_ids))


def labels_padded_with_ids(sample: Labelled, missing: int, padding: Padding) -> Collated:
    row = padded(sample, missing, padding)
    return Collated(row.input_ids, joined(sample.labels, missing, padding.token_id, padding.side), row.attention_mask)


def labels_padded_on_the_right(sample: Labelled, missing: int, padding: Padding) -> Collated:
    """Left padding reaches the ids, and the labels stay where they were."""
    row = padded(sample, missing, padding)
    return Collated(row.input_ids, joined(sample.labels, missing, IGNORE_INDEX, "right"), row.attention_mask)


def labels_shifted(sample: Labelled, missing: int, padding: Padding) -> Collated:
    """The collator shifts for a model that shifts by itself."""
    row = padded(sample, missing, padding)
    return Collated(row.input_ids, [*row.labels[1:], IGNORE_INDEX], row.attention_mask)


def multiples_of_eight(sample: Labelled, missing: int, padding: Padding) -> Collated:
    """Each row for itself: rows of a batch differ."""
    return padded(sample, -len(sample.input_ids) % 8, padding)


def refusing_long_padding(sample: Labelled, missing: int, padding: Padding) -> Collated:
    if missing > 3:
        raise IndexError("list assignment index out of range")
    return padded(sample, missing, padding)


# Packers.


class Packing(ReferenceMasker):
    """Masks as the reference does and packs by a function of samples and limit."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Callable[[Sequence[Labelled], int], list[Packed]]) -> None:
        super().__init__(name="packing")
        object.__setattr__(self, "_rows", rows)

    def pack(self, samples: Sequence[Labelled], max_length: int) -> list[Packed]:
        return self._rows(samples, max_length)


def filled(samples: Sequence[Labelled], limit: int) -> Iterator[list[Labelled]]:
    """First fit, the longest first, as packers do that want full rows."""
    rows: list[list[Labelled]] = []
    for sample in sorted(samples, key=lambda item: -len(item.input_ids)):
        for row in rows:
            if sum(len(item.input_ids) for item in row) + len(sample.input_ids) <= limit:
                row.append(sample)
                break
        else:
            rows.append([sample])
    yield from rows


def ids_of(row: Sequence[Labelled]) -> list[int]:
    return [identifier for sample in row for identifier in sample.input_ids]


def labels_of(row: Sequence[Labelled]) -> list[int]:
    return [label for sample in row for label in (IGNORE_INDEX, *sample.labels[1:])]


def positions_of(row: Sequence[Labelled]) -> list[int]:
    return [position for sample in row for position in range(len(sample.input_ids))]


def numbers_of(row: Sequence[Labelled]) -> list[int]:
    return [number for number, sample in enumerate(row, start=1) for _ in sample.input_ids]


def with_positions(samples: Sequence[Labelled], limit: int) -> list[Packed]:
    """Right."""
    return [Packed(ids_of(row), labels_of(row), position_ids=positions_of(row)) for row in filled(samples, limit)]


def padded_rows(samples: Sequence[Labelled], limit: int) -> list[Packed]:
    """Right: rows of one length, padding with the sequence number 0."""
    rows = []
    for row in filled(samples, limit):
        missing = limit - len(ids_of(row))
        rows.append(
            Packed(
                [*ids_of(row), *[0] * missing],
                [*labels_of(row), *[IGNORE_INDEX] * missing],
                sequence_ids=[*numbers_of(row), *[0] * missing],
            )
        )
    return rows


def one_sample_a_row(samples: Sequence[Labelled], limit: int) -> list[Packed]:
    """Right: with one sample in a row there is nothing to keep apart."""
    return [Packed(sample.input_ids, sample.labels) for sample in samples]


def everything_trained(samples: Sequence[Labelled], limit: int) -> list[Packed]:
    """trl#3728: packing drops the mask, so the ids are the labels."""
    rows = filled(samples, limit)
    return [Packed(ids_of(row), ids_of(row), position_ids=positions_of(row)) for row in rows]


def mask_lost_inside(samples: Sequence[Labelled], limit: int) -> list[Packed]:
    """The mask of everything but the first token of each sample is dropped."""
    packed = []
    for row in filled(samples, limit):
        labels = [label for sample in row for label in (IGNORE_INDEX, *sample.input_ids[1:])]
        packed.append(Packed(ids_of(row), labels, position_ids=positions_of(row)))
    return packed


def nothing_keeps_apart(samples: Sequence[Labelled], limit: int) -> list[Packed]:
    """unsloth-zoo#1279: without the collator that made them, rows have no position ids."""
    return [Packed(ids_of(row), labels_of(row)) for row in filled(samples, limit)]


def positions_run_on(samples: Sequence[Labelled], limit: int) -> list[Packed]:
    return [Packed(ids_of(row), labels_of(row), position_ids=range(len(ids_of(row)))) for row in filled(samples, limit)]


def first_tokens_trained(samples: Sequence[Labelled], limit: int) -> list[Packed]:
    return [
        Packed(ids_of(row), [label for sample in row for label in sample.labels], position_ids=positions_of(row))
        for row in filled(samples, limit)
    ]


def samples_begin_after_stops(samples: Sequence[Labelled], limit: int) -> list[Packed]:
    """Boundaries are found by the last trained token, which ends every turn and not every sample."""
    end = next(label for label in reversed(samples[0].labels) if label != IGNORE_INDEX)
    rows = []
    for row in filled(samples, limit):
        ids, number, numbers = ids_of(row), 0, []
        for identifier in ids:
            numbers.append(number)
            number += identifier == end
        rows.append(Packed(ids, labels_of(row), sequence_ids=numbers))
    return rows


def wrapped(samples: Sequence[Labelled], limit: int) -> list[Packed]:
    """One stream, cut every `limit` tokens, through whatever sample is there."""
    ids, labels, positions = ids_of(samples), labels_of(samples), positions_of(samples)
    return [
        Packed(ids[k : k + limit], labels[k : k + limit], position_ids=positions[k : k + limit])
        for k in range(0, len(ids), limit)
    ]


def last_row_dropped(samples: Sequence[Labelled], limit: int) -> list[Packed]:
    """Only full rows are kept."""
    rows = with_positions(samples, limit)
    return [row for row in rows if len(row.input_ids) == limit] or rows


def next_sample_trained(samples: Sequence[Labelled], limit: int) -> list[Packed]:
    """unsloth-zoo#1270: the span of the last answer runs into the next sample, to its first trained token."""
    packed = []
    for row in filled(samples, limit):
        ids, labels = ids_of(row), labels_of(row)
        reached = False
        start = 0
        for sample in row:
            if reached:
                stop = next((k for k, label in enumerate(sample.labels[1:], 1) if label != IGNORE_INDEX), 1)
                labels[start + 1 : start + stop] = ids[start + 1 : start + stop]
            reached = sample.labels[-1] != IGNORE_INDEX or sample.labels[-2] != IGNORE_INDEX
            start += len(sample.input_ids)
        packed.append(Packed(ids, labels, position_ids=positions_of(row)))
    return packed


def padding_trained(samples: Sequence[Labelled], limit: int) -> list[Packed]:
    rows = []
    for row in padded_rows(samples, limit):
        labels = [identifier if number == 0 else label for identifier, label, number in _columns(row)]
        rows.append(Packed(row.input_ids, labels, sequence_ids=row.sequence_ids))
    return rows


def _columns(row: Packed) -> Iterator[tuple[int, int, int]]:
    assert row.sequence_ids is not None
    return zip(row.input_ids, row.labels, row.sequence_ids, strict=True)


def rows_too_long(samples: Sequence[Labelled], limit: int) -> list[Packed]:
    return with_positions(samples, limit * 2)


def labels_too_short(samples: Sequence[Labelled], limit: int) -> list[Packed]:
    rows = with_positions(samples, limit)
    return [Packed(row.input_ids, row.labels[:-1], position_ids=row.position_ids) for row in rows]


def positions_too_short(samples: Sequence[Labelled], limit: int) -> list[Packed]:
    rows = with_positions(samples, limit)
    return [Packed(row.input_ids, row.labels, position_ids=(row.position_ids or ())[:-1]) for row in rows]
