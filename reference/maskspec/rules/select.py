"""SELECT: flags, turns and character spans narrow or widen what is trained, exactly as written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from maskspec.policy import Turns, Verdict
from maskspec.rules.overlay import Judged
from maskspec.rules.registry import rule
from maskspec.rules.samples import first_finding
from maskspec.rules.trial import Trial
from maskspec.rules.violations import Excluded, Finding
from maskspec.segmentation import Zone

__all__ = ["character_spans_obeyed", "flags_obeyed", "last_turn_and_last_round_obeyed"]


@rule("SELECT-1")
def flags_obeyed(trial: Trial) -> Finding | None:
    """A message's own flag decides whether its turn is trained, whatever its role."""
    if not trial.policy.flags:
        raise Excluded("the declared policy does not honour flags")
    if not trial.flagged:
        raise Excluded("the conversation carries no flag")
    wrong = trial.disagreements(lambda item: _against_flag(trial, item)) + _lost(trial)
    return trial.finding(wrong, "flagged messages are not trained as their flag says")


def _against_flag(trial: Trial, item: Judged) -> bool:
    """Whether a wrong token shows that a flag is ignored; where flag and role agree, other rules judge it."""
    messages = trial.source_messages(item) | ({item.message} if item.message is not None else set())
    return any(
        index not in trial.selected if item.trained else trial.selected_against_role(index)
        for index in messages & trial.flagged
    )


def _lost(trial: Trial) -> list[Judged]:
    """The tokens of messages of a selected role whose flag says yes and of which nothing at all is trained."""
    agreeing = [index for index in trial.flagged & trial.selected if trial.role_selected(index)]
    lost = []
    for index in agreeing:
        turn = [item for item in trial.judged if item.message == index and item.verdict is Verdict.TRAIN]
        if not any(item.trained for item in turn):
            lost += turn
    return lost


@rule("SELECT-2")
def last_turn_and_last_round_obeyed(trial: Trial) -> Finding | None:
    """Selecting the last turn or the last round trains that selection and no other turn.

    A declared choice is judged as it is. Otherwise the masker is asked to follow both,
    on a generated conversation one of them.
    """
    if trial.flagged or trial.spanned:
        raise Excluded("the conversation carries flags, which select whatever the turns are")
    turns = [index for index in range(len(trial.conversation)) if trial.role_selected(index)]
    if len(turns) < 2:
        raise Excluded("the conversation has fewer than two turns to choose from")
    if trial.policy.turns is not Turns.ALL:
        return _turns(trial, trial.judged, trial.policy.turns)
    return first_finding(
        trial.options((Turns.LAST, Turns.LAST_ROUND)),
        lambda choice: trial.under(replace(trial.policy, turns=choice)).judged,
        lambda choice, judged: _turns(trial, judged, choice),
    )


def _turns(trial: Trial, judged: Sequence[Judged], choice: Turns) -> Finding | None:
    wrong = [item for item in judged if item.wrong and item.message is not None and trial.role_selected(item.message)]
    explanation = f"with turns={choice.value!r}, not exactly the turns that it names are trained"
    return trial.finding(wrong, explanation, among=judged)


@rule("SELECT-3")
def character_spans_obeyed(trial: Trial) -> Finding | None:
    """Where a selected message carries character spans, its content is trained inside them and not outside."""
    if not trial.policy.flags:
        raise Excluded("the declared policy does not honour character spans")
    if not trial.spanned:
        raise Excluded("the conversation carries no character span")
    wrong = trial.disagreements(
        lambda item: (
            item.message in trial.spanned
            and item.message in trial.selected
            and (item.zone is Zone.CONTENT or (item.trained and item.zone is not Zone.OPENING))
        )
    )
    return trial.finding(wrong, "content of messages with character spans is not trained as the spans say")
