"""STOP: the token that ends a turn is generated too, and a model that never trains on it never stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from maskspec.policy import Stops, Verdict
from maskspec.rules.collate import SIDES, padded_rows, sample_in_row
from maskspec.rules.overlay import Judged
from maskspec.rules.registry import rule
from maskspec.rules.samples import first_finding, other_ids, own_sample, raised, uneven
from maskspec.rules.trial import Answer, Sample, Trial, trained_positions
from maskspec.rules.violations import Excluded, Finding, Kind
from maskspec.segmentation import Zone

__all__ = [
    "boundary_stops_trained",
    "stop_options_obeyed",
    "stops_of_selected_turns_trained",
    "stops_of_unselected_messages_untrained",
    "stops_trained_when_padding_is_the_stop",
]


@rule("STOP-1")
def stops_of_selected_turns_trained(trial: Trial) -> Finding | None:
    """The stop that a selected turn's own text ends with is trained."""
    own = [item for item in _selected_stops(trial) if not trial.is_boundary_stop(item)]
    return _untrained(trial, own, "its own text")


@rule("STOP-2")
def boundary_stops_trained(trial: Trial) -> Finding | None:
    """A stop that the template prints as the beginning of the next message is trained with the turn it ends."""
    foreign = [item for item in _selected_stops(trial) if trial.is_boundary_stop(item)]
    return _untrained(trial, foreign, "the next message")


def _selected_stops(trial: Trial) -> list[Judged]:
    return [
        item
        for item in trial.judged
        if item.zone is Zone.STOP
        and item.message in trial.selected
        and item.message is not None
        and not trial.selected_against_role(item.message)
    ]


def _untrained(trial: Trial, stops: Sequence[Judged], where: str) -> Finding | None:
    demanded = [item for item in stops if item.verdict is Verdict.TRAIN]
    if not demanded:
        raise Excluded(f"no selected turn has a stop in {where} that the policy trains")
    lost = [item for item in demanded if not item.trained]
    return trial.finding(lost, f"stops of selected turns, emitted with {where}, are not trained")


@rule("STOP-3")
def stops_of_unselected_messages_untrained(trial: Trial) -> Finding | None:
    """The stop of a message that is not selected is not trained, unless the policy trains the stops of all roles."""
    wrong = trial.disagreements(
        lambda item: item.trained and item.message not in trial.selected and item.zone is Zone.STOP
    )
    return trial.finding(wrong, "stops of messages that are not selected are trained")


_OPTIONS = (Stops.LAST, Stops.NONE, Stops.ALL)


@rule("STOP-4")
def stop_options_obeyed(trial: Trial) -> Finding | None:
    """The stops of the last turn, of no turn or of all roles are trained where the policy says so, and no others.

    A declared option is judged as it is. Otherwise the masker is asked to follow the
    options, on a generated conversation one of them.
    """
    if trial.policy.stop in _OPTIONS:
        return _stops(trial, trial.judged, trial.policy.stop)
    return first_finding(
        trial.options(_OPTIONS),
        lambda option: trial.under(replace(trial.policy, stop=option)).judged,
        lambda option, judged: _stops(trial, judged, option),
    )


def _stops(trial: Trial, judged: Sequence[Judged], option: Stops) -> Finding | None:
    stops = [item for item in judged if item.zone is Zone.STOP]
    if not stops:
        raise Excluded("the conversation renders no stop")
    wrong = [item for item in stops if item.wrong]
    explanation = f"with stop={option.value!r}, not exactly the stops that it names are trained"
    return trial.finding(wrong, explanation, among=judged)


@rule("STOP-5", every=3)
def stops_trained_when_padding_is_the_stop(trial: Trial) -> Finding | None:
    """Collating with padding equal to the end token leaves the real stops trained, whichever side is padded."""
    if trial.abilities.collate is None:
        raise Excluded("the masker has no `collate` method")
    eos = trial.tokenizer.special_tokens.eos
    ids = tuple(trial.tokenizer.encode(eos).ids) if eos else ()
    if len(ids) != 1:
        raise Excluded("the tokenizer has no end token that is one token of the vocabulary")
    stops = [item for item in trial.judged if item.zone is Zone.STOP and item.id == ids[0] and item.trained]
    if not stops:
        raise Excluded("no trained stop of the conversation is the end token")
    whole = own_sample(trial)
    samples = [whole, Sample(whole.input_ids * 2, whole.labels * 2)]
    return first_finding(
        SIDES,
        lambda side: padded_rows(trial, samples, ids[0], side),
        lambda side, rows: _stops_after_collation(trial, rows, stops, side),
    )


def _stops_after_collation(
    trial: Trial, rows: Sequence[Answer] | BaseException, stops: Sequence[Judged], side: str
) -> Finding | None:
    what = f"collation on the {side} with padding equal to the end token"
    if isinstance(rows, BaseException):
        return raised(rows, what)
    if not rows:
        return Finding(kind=Kind.LENGTH, explanation=f"{what}: two samples gave no row", zone="")
    row = rows[0]
    place = sample_in_row(row, trial.answer, side)
    finding = uneven(row, what) or other_ids(
        trial, trial.answer.input_ids, row.input_ids[place.start : place.stop], f"the row after {what}"
    )
    if finding is not None:
        return finding
    trained = trained_positions(row.input_ids, row.labels)
    lost = {item.index: replace(item, trained=False) for item in stops if not trained[item.index + place.start]}
    rows_after = [lost.get(item.index, item) for item in trial.judged]
    return trial.finding(list(lost.values()), f"{what} removes real stops from the loss", among=rows_after)
