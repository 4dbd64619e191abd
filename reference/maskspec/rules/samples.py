"""Samples that are cut, padded or packed after they were masked: what the rules about that have in common.

Here a masker is compared with itself. Its own answer to the conversation is the
sample, right or wrong, and what comes of the sample has to carry the same labels
on the same ids. So one wrong label is reported by the rule that it breaks and not
again by these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from maskspec.rules.render import first_difference, spelling
from maskspec.rules.trial import IGNORE_INDEX, Answer, Sample, Trial, consistent, trained_positions
from maskspec.rules.violations import Excluded, Finding, Kind, Row

__all__ = [
    "changed_labels",
    "first_finding",
    "other_ids",
    "own_sample",
    "raised",
    "token_rows",
    "trained_runs",
    "uneven",
]

Asked = TypeVar("Asked")
Got = TypeVar("Got")


def own_sample(trial: Trial) -> Sample:
    """The masker's answer to the conversation; raises `Excluded` where it cannot serve as a sample."""
    answer = trial.answer
    if len(answer.input_ids) != len(answer.labels):
        raise Excluded("the labels have another length than the ids (LABEL-1)")
    if len(answer.input_ids) < 2:
        raise Excluded("the conversation has fewer than two tokens")
    return Sample(answer.input_ids, answer.labels)


def first_finding(
    questions: Iterable[Asked],
    ask: Callable[[Asked], Got],
    judge: Callable[[Asked, Got], Finding | None],
    *,
    nothing: str = "there is nothing to ask",
) -> Finding | None:
    """The first finding among the answers to several questions about one sample.

    A question that `ask` refuses with `Excluded` is passed over. Raises `Excluded`
    where all were refused, with the last reason, or with `nothing` where there were none.
    """
    refusal = Excluded(nothing)
    answered = False
    for question in questions:
        try:
            answer = ask(question)
        except Excluded as reason:
            refusal = reason
            continue
        answered = True
        finding = judge(question, answer)
        if finding is not None:
            return finding
    if not answered:
        raise refusal
    return None


def trained_runs(sample: Answer) -> list[tuple[int, int]]:
    """The stretches of trained tokens of a sample, as half-open ranges of indices."""
    trained = (*trained_positions(sample.input_ids, sample.labels), False)
    runs = []
    start = None
    for index, is_trained in enumerate(trained):
        if is_trained and start is None:
            start = index
        elif not is_trained and start is not None:
            runs.append((start, index))
            start = None
    return runs


def raised(error: BaseException, doing: str) -> Finding:
    """A finding about an exception where an answer was due."""
    first_line = (str(error).splitlines() or [""])[0]
    return Finding(
        kind=Kind.RAISED, explanation=f"{doing} raised {type(error).__name__}: {first_line}".rstrip(": "), zone=""
    )


def uneven(answer: Answer, what: str) -> Finding | None:
    """A finding when an answer has not one label per id."""
    if len(answer.input_ids) == len(answer.labels):
        return None
    return Finding(
        kind=Kind.LENGTH,
        explanation=f"{what} has {len(answer.input_ids)} ids and {len(answer.labels)} labels",
        zone="",
    )


def other_ids(
    trial: Trial, wanted: Sequence[int], found: Sequence[int], what: str, *, first: int = 0
) -> Finding | None:
    """A finding when `found` are not the ids `wanted`, which begin at index `first` of the sample."""
    if tuple(wanted) == tuple(found):
        return None
    at = first_difference(wanted, found)
    return Finding(
        kind=Kind.DIFFERENT_IDS,
        explanation=f"{what} does not hold the sample's ids; the first difference is at its token {at}",
        zone="",
        rows=tuple(
            Row(
                index=first + k,
                text=spelling(trial, wanted[k]),
                zone="",
                message=None,
                expected=str(wanted[k]),
                got=f"{found[k]} {spelling(trial, found[k])}" if k < len(found) else "nothing",
                wrong=k >= len(found) or wanted[k] != found[k],
            )
            for k in range(max(0, at - 3), min(len(wanted), at + 4))
        ),
    )


def changed_labels(trial: Trial, sample: Answer, found: Sequence[int], what: str, *, first: int = 0) -> Finding | None:
    """A finding when tokens of the own sample, from index `first` on, no longer have the labels they had.

    Labels that are shifted by one or that use another ignore index are compared by
    what they train: the shift is LABEL-2's matter, the index LABEL-3's.
    """
    end = first + len(found)
    ids, wanted = sample.input_ids[first:end], sample.labels[first:end]
    if tuple(wanted) == tuple(found):
        return None
    before = trained_positions(sample.input_ids, sample.labels)[first:end]
    if consistent(sample.input_ids, sample.labels):
        after = tuple(label != IGNORE_INDEX for label in found)
        foreign = [k for k in range(len(found)) if found[k] not in (IGNORE_INDEX, ids[k])]
    else:
        after = trained_positions(ids, found, like=sample)
        foreign = []
    wrong = [k for k in range(len(found)) if before[k] is not after[k]]
    if not wrong and not foreign:
        return None
    rows = token_rows(trial, ids, before, after, first=first)
    if foreign:
        at = foreign[0]
        return Finding(
            kind=Kind.DIFFERENT_LABELS,
            explanation=f"{what} has the label {found[at]} where the sample has {wanted[at]}",
            zone=rows[at].zone,
            rows=tuple(
                replace(item, got=str(found[k]), wrong=True) if k in foreign else item for k, item in enumerate(rows)
            ),
        )
    kind = Kind.TRAINED if after[wrong[0]] else Kind.UNTRAINED
    return Finding(
        kind=kind,
        explanation=f"{what} has {len(wrong)} other label(s) than the sample it was made from",
        zone=rows[wrong[0]].zone,
        rows=rows,
    )


def token_rows(
    trial: Trial, ids: Sequence[int], before: Sequence[bool], after: Sequence[bool], *, first: int = 0
) -> tuple[Row, ...]:
    """A token table about a part of the own sample that begins at index `first`: trained before, and after."""
    try:
        places = {item.index: item for item in trial.judged}
    except Excluded:
        places = {}
    rows = []
    for k, identifier in enumerate(ids):
        place = places.get(first + k)
        rows.append(
            Row(
                index=first + k,
                text=place.text if place is not None else spelling(trial, identifier),
                zone=place.zone.name if place is not None else "",
                message=place.message if place is not None else None,
                expected="TRAIN" if before[k] else "IGNORE",
                got="TRAIN" if after[k] else "IGNORE",
                wrong=before[k] is not after[k],
            )
        )
    return tuple(rows)
