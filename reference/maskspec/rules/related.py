"""Another conversation put to the same masker, as a trial of its own."""

from __future__ import annotations

from dataclasses import replace

from maskspec.conversation import Conversation
from maskspec.rules.trial import Trial

__all__ = ["ask"]


def ask(trial: Trial, conversation: Conversation) -> Trial:
    """The trial that the masker would have had with another conversation and the same template, tokenizer and policy.

    Raises `Excluded` where the reference or the masker gives no answer to it.
    """
    variant = trial.other(conversation)
    return replace(trial, conversation=conversation, expected=variant.expected, outcome=variant.answer, mutated=None)
