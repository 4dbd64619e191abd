"""TRUNC: a cut takes as many entries from the labels as from the ids, at the same end, and changes no other.

The masker is compared with its own answer without a limit. Cuts are made where
maskers have gone wrong: inside an answer, on either side of its stop, at its first
token, and where almost nothing or almost everything is left.
"""

from __future__ import annotations

import itertools

from maskspec.rules.registry import rule
from maskspec.rules.samples import changed_labels, first_finding, other_ids, own_sample, raised, trained_runs, uneven
from maskspec.rules.trial import Answer, Sample, Trial
from maskspec.rules.violations import Excluded, Finding, Kind

__all__ = ["left_truncation_commutes", "limit_not_reached_changes_nothing", "right_truncation_commutes"]


@rule("TRUNC-1", every=3)
def right_truncation_commutes(trial: Trial) -> Finding | None:
    """Under a limit, with the end cut off, the rest has the ids and labels that it has without a limit."""
    return _cut(trial, "right")


@rule("TRUNC-2", every=3)
def left_truncation_commutes(trial: Trial) -> Finding | None:
    """Under a limit, with the start cut off, the rest has the ids and labels that it has without a limit."""
    return _cut(trial, "left")


@rule("TRUNC-3", every=3)
def limit_not_reached_changes_nothing(trial: Trial) -> Finding | None:
    """A limit of exactly the length, and one beyond it, give the answer that no limit gives."""
    if trial.abilities.truncate is None:
        raise Excluded("the masker declares no `truncation`")
    whole = own_sample(trial)
    length = len(whole.input_ids)
    truncate = trial.abilities.truncate

    def judged(question: tuple[str, int], part: Answer | BaseException) -> Finding | None:
        side, limit = question
        what = f"the answer to {length} tokens under a limit of {limit} on the {side}"
        if isinstance(part, BaseException):
            return raised(part, what)
        if len(part.input_ids) < length and len(part.input_ids) == len(part.labels):
            return Finding(kind=Kind.LENGTH, explanation=f"{what} has only {len(part.input_ids)} of them", zone="")
        return _difference(trial, whole, part, limit=limit, side=side, what=what)

    limits = (length, length + (1, 7, 1000)[trial.number % 3])
    return first_finding(
        itertools.product(sorted(trial.abilities.truncation, reverse=True), limits),
        lambda question: truncate(question[1], question[0]),
        judged,
        nothing="the masker declares no `truncation`",
    )


def _cut(trial: Trial, side: str) -> Finding | None:
    if trial.abilities.truncate is None or side not in trial.abilities.truncation:
        raise Excluded(f"the masker declares no `truncation` on the {side}")
    whole = own_sample(trial)
    length = len(whole.input_ids)
    truncate = trial.abilities.truncate

    def cut(limit: int) -> Answer | BaseException:
        part = truncate(limit, side)
        if isinstance(part, BaseException) and not _holds_trained(whole, limit, side):
            raise Excluded("the masker refuses every cut after which nothing is left to train")
        return part

    def judged(limit: int, part: Answer | BaseException) -> Finding | None:
        what = f"the answer cut to {limit} of {length} tokens on the {side}"
        if isinstance(part, BaseException):
            return raised(part, what)
        return _difference(trial, whole, part, limit=limit, side=side, what=what)

    limits = [place if side == "right" else length - place for place in _places(whole, trial.number)]
    return first_finding(limits, cut, judged, nothing="the conversation cannot be cut")


def _places(whole: Sample, number: int) -> list[int]:
    """Where to cut, as indices of the sample: in the middle of the last answer, and at two places that take turns."""
    length = len(whole.input_ids)
    runs = trained_runs(whole)
    places = [1, length - 1]
    first = length // 2
    if runs:
        first = sum(runs[-1]) // 2
        start, end = runs[number % len(runs)]
        places = [end - 1, end, (start + end) // 2, start + 1, 1, start, length - 1]
    turn = number % len(places)
    chosen = dict.fromkeys((first, *places[turn:], *places[:turn]))
    return [place for place in chosen if 0 < place < length][:3]


def _holds_trained(whole: Sample, limit: int, side: str) -> bool:
    """Whether the part of the sample within the limit holds a trained token."""
    kept = range(limit) if side == "right" else range(len(whole.input_ids) - limit, len(whole.input_ids))
    return any(start < kept.stop and end > kept.start for start, end in trained_runs(whole))


def _difference(trial: Trial, whole: Sample, part: Answer, *, limit: int, side: str, what: str) -> Finding | None:
    """What a cut answer has that the same part of the whole answer has not."""
    finding = uneven(part, what)
    if finding is not None:
        return finding
    kept = len(part.input_ids)
    if kept > min(limit, len(whole.input_ids)):
        return Finding(kind=Kind.LENGTH, explanation=f"{what} has {kept} tokens", zone="")
    if kept == 0:
        if not _holds_trained(whole, limit, side):
            return None
        explanation = f"{what} is empty, although trained tokens are within the limit"
        return Finding(kind=Kind.LENGTH, explanation=explanation, zone="")
    first = 0 if side == "right" else len(whole.input_ids) - kept
    return other_ids(trial, whole.input_ids[first : first + kept], part.input_ids, what, first=first) or changed_labels(
        trial, whole, part.labels, what, first=first
    )
