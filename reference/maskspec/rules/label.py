"""LABEL: the form of the labels, before anything is said about which tokens they train."""

from __future__ import annotations

from maskspec.rules.registry import rule
from maskspec.rules.trial import IGNORE_INDEX, Trial, other_ignore_index
from maskspec.rules.violations import Excluded, Finding, Kind, Row

__all__ = ["ignore_index_is_minus_100", "labels_are_the_ids_at_the_same_position", "lengths_equal"]


@rule("LABEL-1")
def lengths_equal(trial: Trial) -> Finding | None:
    """There are as many labels as ids."""
    ids, labels = trial.answer.input_ids, trial.answer.labels
    if len(ids) == len(labels):
        return None
    return Finding(kind=Kind.LENGTH, explanation=f"{len(ids)} ids but {len(labels)} labels", zone="")


@rule("LABEL-2")
def labels_are_the_ids_at_the_same_position(trial: Trial) -> Finding | None:
    """A label is the ignore index or the id at its own position, not at a neighbour's."""
    _require_equal_lengths(trial)
    constant = other_ignore_index(trial.answer.input_ids, trial.answer.labels)
    wrong = [
        index
        for index, (identifier, label) in enumerate(zip(trial.answer.input_ids, trial.answer.labels, strict=True))
        if label >= 0 and label not in (identifier, constant)
    ]
    return _finding(trial, wrong, "labels differ from the id at their position")


@rule("LABEL-3")
def ignore_index_is_minus_100(trial: Trial) -> Finding | None:
    """Tokens without loss are labelled -100 and nothing else."""
    _require_equal_lengths(trial)
    constant = other_ignore_index(trial.answer.input_ids, trial.answer.labels)
    wrong = [
        index
        for index, (identifier, label) in enumerate(zip(trial.answer.input_ids, trial.answer.labels, strict=True))
        if (label < 0 and label != IGNORE_INDEX) or (label == constant and label != identifier)
    ]
    return _finding(trial, wrong, "labels hold another ignore index than -100")


def _require_equal_lengths(trial: Trial) -> None:
    if len(trial.answer.input_ids) != len(trial.answer.labels):
        raise Excluded("the labels have another length than the ids (LABEL-1)")


def _finding(trial: Trial, wrong: list[int], explanation: str) -> Finding | None:
    if not wrong:
        return None
    tokens = trial.expected.tokens
    same = trial.answer.input_ids == trial.expected.input_ids
    rows = tuple(
        Row(
            index=index,
            text=tokens[index].text if same else "",
            zone=tokens[index].zone.name if same else "",
            message=tokens[index].message if same else None,
            expected=f"{IGNORE_INDEX} or {identifier}",
            got=str(label),
            wrong=index in wrong,
        )
        for index, (identifier, label) in enumerate(zip(trial.answer.input_ids, trial.answer.labels, strict=True))
    )
    return Finding(kind=Kind.DIFFERENT_LABELS, explanation=f"{len(wrong)} {explanation}", zone="", rows=rows)
