"""Cross-entropy in float64, written out: what every loss of the check is compared with.

It shares nothing with the loss under test but the logits: no library function of a loss, no ignore
index inside one, no shift by slicing. The prediction at position k - 1 is for the label at k.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from maskspec.verdicts import IGNORE_INDEX

__all__ = ["mean_loss", "token_losses"]


def token_losses(logits: Any, labels: Sequence[int]) -> dict[int, float]:
    """The loss of every trained token of one sample, by its index.

    `logits` are [n, vocabulary] and `labels` n numbers. The first token has no prediction, so no loss.
    """
    places = [k for k, label in enumerate(labels) if k and label != IGNORE_INDEX]
    if not places:
        return {}
    chosen = logits.detach()[[k - 1 for k in places]].to("cpu", torch.float64)
    largest = chosen.max(dim=-1).values
    normaliser = largest + (chosen - largest[:, None]).exp().sum(dim=-1).log()
    targets = torch.tensor([labels[k] for k in places])
    losses = normaliser - chosen[torch.arange(len(places)), targets]
    return dict(zip(places, losses.tolist(), strict=True))


def mean_loss(losses: Sequence[dict[int, float]]) -> float:
    """The mean over the trained tokens of all samples together; not a number where there is none."""
    together = [loss for sample in losses for loss in sample.values()]
    return sum(together) / len(together) if together else float("nan")
