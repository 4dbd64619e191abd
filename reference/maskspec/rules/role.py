"""ROLE: what was said by others, or by the template on nobody's behalf, is context and carries no loss."""

from __future__ import annotations

from dataclasses import replace

from maskspec.policy import Verdict
from maskspec.rules.registry import rule
from maskspec.rules.trial import Trial
from maskspec.rules.violations import Excluded, Finding
from maskspec.segmentation import Zone

__all__ = [
    "complementary_roles_are_disjoint",
    "template_text_outside_selected_regions_untrained",
    "unselected_sources_untrained",
]


@rule("ROLE-1")
def unselected_sources_untrained(trial: Trial) -> Finding | None:
    """No source character of a message whose role is not selected is trained.

    Messages left out by a flag or by the choice of turns are judged by SELECT-1 and SELECT-2.
    """
    wrong = trial.disagreements(
        lambda item: item.trained and any(trial.left_out_by_role(index) for index in trial.source_messages(item))
    )
    return trial.finding(wrong, "source text of messages that are not selected is trained")


@rule("ROLE-2")
def template_text_outside_selected_regions_untrained(trial: Trial) -> Finding | None:
    """No text that the template adds outside the selected messages is trained: role headers, default prompts, BOS."""
    wrong = trial.disagreements(
        lambda item: (
            item.trained
            and (item.message is None or trial.left_out_by_role(item.message))
            and not trial.source_messages(item)
            and item.zone is not Zone.STOP
        )
    )
    return trial.finding(wrong, "template text outside the selected messages is trained")


@rule("ROLE-3")
def complementary_roles_are_disjoint(trial: Trial) -> Finding | None:
    """Selecting the other roles instead trains no token a second time."""
    roles = {trial.role(index) for index in range(len(trial.conversation))}
    others = frozenset(roles - trial.policy.roles)
    if not others:
        raise Excluded("every role of the conversation is selected, so there is no complement")
    if trial.flagged or trial.spanned:
        raise Excluded("the conversation carries flags, which select whatever the roles are")
    variant = trial.under(replace(trial.policy, roles=others))
    if variant.answer.input_ids != trial.answer.input_ids:
        raise Excluded("the ids depend on the selected roles, so positions cannot be compared (RENDER-1)")
    twice = [
        mine
        for mine, theirs in zip(trial.judged, variant.judged, strict=True)
        if mine.trained and theirs.trained and Verdict.EITHER not in (mine.verdict, theirs.verdict)
    ]
    return trial.finding(twice, f"tokens are trained both for {sorted(trial.policy.roles)} and for {sorted(others)}")
