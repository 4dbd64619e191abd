"""TOTAL: an answer to every question, or an error that says what is wrong; never silence."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from maskspec.policy import Verdict
from maskspec.rules.registry import rule
from maskspec.rules.trial import Trial, trained_positions
from maskspec.rules.violations import Excluded, Finding, Kind
from maskspec.segmentation import Zone

__all__ = ["invalid_conversations_refused", "no_failure_on_a_valid_conversation", "no_silent_extreme"]


@rule("TOTAL-1")
def no_failure_on_a_valid_conversation(trial: Trial) -> Finding | None:
    """The masker answers a valid conversation of which something is to be trained, and raises no exception."""
    if not isinstance(trial.outcome, BaseException):
        return None
    return Finding(
        kind=Kind.RAISED,
        explanation=f"the masker raised {_described(trial.outcome)} on a valid conversation",
        zone="",
    )


def _described(error: BaseException) -> str:
    message = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {message[:200]}" if message else type(error).__name__


Spoil = Callable[[dict[str, Any]], Any]


def _without_role(message: dict[str, Any]) -> Any:
    return {key: value for key, value in message.items() if key != "role"}


_INVALID: tuple[tuple[str, Spoil], ...] = (
    ("has no role", _without_role),
    ("has the number 7919 as its content", lambda message: {**message, "content": 7919}),
    ("is the text 'no message' instead of an object", lambda _: "no message"),
    ("has the number 7919 as its role", lambda message: {**message, "role": 7919}),
)
"""What is done to one message, in words and in code. A template could print none of the four as they stand."""


@rule("TOTAL-2", every=3)
def invalid_conversations_refused(trial: Trial) -> Finding | None:
    """A conversation with one invalid message is refused, in another way and place from trial to trial.

    Where the masker declares which errors it documents, the exception is one of them and
    names the message, by its index or by what is wrong with it. Without such a
    declaration every exception is a refusal.
    """
    if isinstance(trial.outcome, BaseException):
        raise Excluded("the masker raises an exception on the valid conversation, too (TOTAL-1)")
    messages: list[Any] = trial.conversation.to_dicts()
    index = trial.number // len(_INVALID) % len(messages)
    what, spoil = _INVALID[trial.number % len(_INVALID)]
    spoilt = spoil(messages[index])
    messages[index] = spoilt
    outcome = trial.invalid(messages)
    problem = f"message {index} {what}"
    if not isinstance(outcome, BaseException):
        count = f"{len(outcome.input_ids)} ids and no error"
        return Finding(kind=Kind.ACCEPTED, explanation=f"{problem}, and the masker returned {count}", zone="")
    documented = trial.abilities.documented_errors
    if not documented:
        return None
    if not isinstance(outcome, documented):
        names = ", ".join(error.__name__ for error in documented)
        explanation = f"{problem}, and the masker raised {_described(outcome)}, which is not among {names}"
        return Finding(kind=Kind.RAISED, explanation=explanation, zone="")
    if not _names(str(outcome), index, spoilt):
        explanation = f"{problem}, and the error does not say which message it is about: {_described(outcome)}"
        return Finding(kind=Kind.RAISED, explanation=explanation, zone="")
    return None


def _names(error: str, index: int, spoilt: Any) -> bool:
    """Whether an error's text holds the index (counted from 0 or from 1) or the value that is at fault."""
    if set(map(int, re.findall(r"\d+", error))) & {index, index + 1, 7919}:
        return True
    said = [spoilt] if isinstance(spoilt, str) else [value for key, value in spoilt.items() if key != "role"]
    return any(isinstance(value, str) and value.strip() and value.strip()[:40] in error for value in said)


@rule("TOTAL-3")
def no_silent_extreme(trial: Trial) -> Finding | None:
    """The labels are not all ignored where a selected message is rendered, nor all trained where another one is.

    A selected message that renders nothing but its stop is left to the STOP rules. An answer without
    any token trains nothing either.
    """
    if not trial.answer.input_ids and Verdict.TRAIN in trial.expected.verdicts:
        explanation = "no token at all is returned and no error is raised, though a selected message is rendered"
        return Finding(kind=Kind.UNTRAINED, explanation=explanation, zone="")
    demanded = [
        item
        for item in trial.judged
        if item.verdict is Verdict.TRAIN
        and item.zone is not Zone.STOP
        and item.message in trial.selected
        and item.message is not None
        and not trial.selected_against_role(item.message)
    ]
    forbidden = [
        item
        for item in trial.judged
        if item.verdict is Verdict.IGNORE and item.message is not None and item.message not in trial.selected
    ]
    if not demanded and not forbidden:
        raise Excluded("the conversation renders neither text of a selected message nor an unselected one")
    trained = trained_positions(trial.answer.input_ids, trial.answer.labels)
    if demanded and not any(trained):
        return trial.finding(demanded, "all labels are ignored without an error, though a selected message is rendered")
    if forbidden and all(trained):
        return trial.finding(forbidden, "all labels are trained, though a message that is not selected is rendered")
    return None
