"""COLLATE: from samples to batches, nothing is trained or attended to that was not part of the sample.

The samples are the masker's own answer and parts of it, so they have its labels.
Collators and packers see ids and labels and nothing else; that some of the samples
are cut out of an answer, as truncation leaves them, makes no difference to them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from maskspec.rules.packing import judge_rows, samples_to_pack
from maskspec.rules.registry import rule
from maskspec.rules.samples import changed_labels, first_finding, other_ids, own_sample, raised, trained_runs, uneven
from maskspec.rules.trial import IGNORE_INDEX, Answer, PackedRow, PaddedRow, Sample, Trial, consistent
from maskspec.rules.violations import Excluded, Finding, Kind

__all__ = ["SIDES", "packing_keeps_samples_apart", "padded_rows", "padding_ignored_and_unattended", "sample_in_row"]

SIDES = ("right", "left")
"""The sides on which a batch is padded."""


@rule("COLLATE-1", every=3)
def padding_ignored_and_unattended(trial: Trial) -> Finding | None:
    """Padding has the label -100 and no attention, and the tokens of the sample keep theirs, whatever pads them."""
    whole = own_sample(trial)
    half = (len(whole.input_ids) + 1) // 2
    shorter = Sample(whole.input_ids[:half], whole.labels[:half])
    longer = Sample(whole.input_ids + whole.input_ids[:half], whole.labels + whole.labels[:half])
    samples = [shorter, whole, longer]
    paddings = _paddings(trial, whole)

    def rows_of(question: tuple[str, str]) -> Sequence[PaddedRow] | BaseException:
        side, name = question
        return padded_rows(trial, samples, paddings[name], side)

    def judged(question: tuple[str, str], rows: Sequence[PaddedRow] | BaseException) -> Finding | None:
        side, name = question
        what = f"a batch padded on the {side} with {name}"
        return raised(rows, what) if isinstance(rows, BaseException) else _batch(trial, samples, rows, side, what)

    questions = itertools.product(SIDES, paddings)
    return first_finding(questions, rows_of, judged, nothing="the tokenizer has no token to pad with")


def padded_rows(
    trial: Trial, samples: Sequence[Answer], padding: int, side: str
) -> Sequence[PaddedRow] | BaseException:
    """The rows of the masker's collator, or its exception; raises `Excluded` where it cannot be asked."""
    if trial.abilities.collate is None:
        raise Excluded("the masker has no `collate` method")
    return trial.abilities.collate(samples, padding, side)


def sample_in_row(row: Answer, sample: Answer, side: str) -> range:
    """Where a sample stands in its padded row: at the start when padding is on the right, else at the end."""
    start = 0 if side == "right" else max(0, len(row.input_ids) - len(sample.input_ids))
    return range(start, start + len(sample.input_ids))


def _paddings(trial: Trial, whole: Sample) -> dict[str, int]:
    """What to pad with, by a description: the padding token, the end token, and a token of an answer.

    Vocabularies without a padding token borrow another one, and configurations that forget it
    pad with 0, which is an ordinary token of most vocabularies.
    """
    special = trial.tokenizer.special_tokens
    found = {"the padding token": special.pad, "the end token": special.eos}
    paddings: dict[str, int] = {}
    for name, token in found.items():
        ids = tuple(trial.tokenizer.encode(token).ids) if token else ()
        if len(ids) == 1 and ids[0] not in paddings.values():
            paddings[name] = ids[0]
    inside = (identifier for start, end in trained_runs(whole) for identifier in whole.input_ids[start:end])
    ordinary = next((identifier for identifier in inside if identifier not in paddings.values()), None)
    if ordinary is not None:
        paddings["a token of the answer"] = ordinary
    return paddings


def _batch(trial: Trial, samples: Sequence[Sample], rows: Sequence[PaddedRow], side: str, what: str) -> Finding | None:
    if len(rows) != len(samples):
        explanation = f"{what}: {len(samples)} samples gave {len(rows)} rows"
        return Finding(kind=Kind.LENGTH, explanation=explanation, zone="")
    widths = sorted({len(row.input_ids) for row in rows})
    if len(widths) > 1:
        explanation = f"{what} has rows of different lengths: {', '.join(map(str, widths))}"
        return Finding(kind=Kind.LENGTH, explanation=explanation, zone="")
    for number, (row, sample) in enumerate(zip(rows, samples, strict=True)):
        finding = _row(trial, row, sample, side, f"row {number} of {what}")
        if finding is not None:
            return finding
    return None


def _row(trial: Trial, row: PaddedRow, sample: Sample, side: str, what: str) -> Finding | None:
    finding = uneven(row, what)
    if finding is not None:
        return finding
    attention = row.attention_mask
    if attention is not None and len(attention) != len(row.input_ids):
        explanation = f"{what} has {len(row.input_ids)} ids and an attention mask of {len(attention)}"
        return Finding(kind=Kind.LENGTH, explanation=explanation, zone="")
    place = sample_in_row(row, sample, side)
    own = slice(place.start, place.stop)
    finding = other_ids(trial, sample.input_ids, row.input_ids[own], what) or changed_labels(
        trial, sample, row.labels[own], what
    )
    if finding is not None:
        return finding
    padding = [k for k in range(len(row.input_ids)) if k not in place]
    labelled = [k for k in padding if row.labels[k] != IGNORE_INDEX]
    if labelled:
        explanation = f"{what}: the padding at position {labelled[0]} has the label {row.labels[labelled[0]]}, not -100"
        return Finding(kind=Kind.TRAINED, explanation=explanation, zone="")
    if attention is None:
        return None
    attended = [k for k in padding if attention[k]]
    if attended:
        explanation = f"{what}: the padding at position {attended[0]} is attended to"
        return Finding(kind=Kind.ATTENTION, explanation=explanation, zone="")
    unattended = [k for k in place if not attention[k]]
    if unattended:
        explanation = f"{what}: {len(unattended)} token(s) of the sample are not attended to, as if they were padding"
        return Finding(kind=Kind.ATTENTION, explanation=explanation, zone="")
    return None


@rule("COLLATE-2", every=3)
def packing_keeps_samples_apart(trial: Trial) -> Finding | None:
    """Every sample is in one row, once, whole and with its labels, and the row says where each begins."""
    if trial.abilities.pack is None:
        raise Excluded("the masker has no `pack` method")
    whole = own_sample(trial)
    if IGNORE_INDEX not in whole.labels and not consistent(whole.input_ids, whole.labels):
        raise Excluded("the labels use another ignore index (LABEL-3)")
    samples = list(samples_to_pack(whole))
    longest = max(len(sample.input_ids) for sample in samples)
    total = sum(len(sample.input_ids) for sample in samples)
    pack = trial.abilities.pack

    def judged(limit: int, rows: Sequence[PackedRow] | BaseException) -> Finding | None:
        what = f"packing {len(samples)} samples into rows of at most {limit} tokens"
        return raised(rows, what) if isinstance(rows, BaseException) else judge_rows(trial, samples, rows, limit, what)

    limits = dict.fromkeys((total, longest + len(samples[0].input_ids), longest))
    return first_finding(limits, lambda limit: pack(samples, limit), judged)
