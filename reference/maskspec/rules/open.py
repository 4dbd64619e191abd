"""OPEN: what the generation prompt supplies is given to the model, so it is not asked of it."""

from __future__ import annotations

from maskspec.policy import Verdict
from maskspec.rules.registry import rule
from maskspec.rules.trial import Trial
from maskspec.rules.violations import Excluded, Finding
from maskspec.segmentation import Zone

__all__ = ["opening_untrained"]


@rule("OPEN-1")
def opening_untrained(trial: Trial) -> Finding | None:
    """No token of the opening of a selected message is trained, where the policy does not train it.

    A token that begins in the opening and holds the first character of the content has the verdict
    of that character; leaving it out is no matter of the opening.
    """
    inside = [item for item in trial.judged if item.zone is Zone.OPENING and item.message in trial.selected]
    if not inside:
        raise Excluded("no selected message has an opening")
    wrong = [item for item in inside if item.wrong and (item.trained or trial.policy.opening is Verdict.TRAIN)]
    if not wrong:
        return None
    return trial.finding(
        wrong, f"the opening of selected messages {'must not' if wrong[0].trained else 'must'} be trained"
    )
