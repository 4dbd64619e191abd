"""The cross-entropy that everything is compared with, against values worked out by hand."""

from __future__ import annotations

import math

import pytest

from tests.training.lacking import REASON

pytest.importorskip("torch", reason=REASON)

import torch

from maskspec.training.crossentropy import mean_loss, token_losses

# Softmax of (0, ln 3) is (1/4, 3/4); that of three equal numbers is a third each.
LOGITS = [[0.0, math.log(3.0)], [0.0, math.log(3.0)], [5.0, 5.0]]


def test_a_token_is_predicted_by_the_position_before_it() -> None:
    losses = token_losses(torch.tensor(LOGITS), [-100, 1, 0])
    assert losses == {1: pytest.approx(math.log(4 / 3)), 2: pytest.approx(math.log(4))}


def test_ignored_tokens_and_the_first_one_have_no_loss() -> None:
    assert token_losses(torch.tensor(LOGITS), [1, -100, 1]) == {2: pytest.approx(math.log(4 / 3))}
    assert token_losses(torch.tensor(LOGITS), [0, -100, -100]) == {}


def test_large_logits_do_not_overflow() -> None:
    losses = token_losses(torch.tensor([[4000.0, 3999.0], [0.0, 0.0]]), [-100, 1])
    assert losses == {1: pytest.approx(1 + math.log(1 + math.exp(-1)), rel=1e-12)}


def test_the_mean_is_over_tokens_and_not_over_samples() -> None:
    assert mean_loss([{1: 6.0}, {1: 1.0, 2: 2.0}]) == pytest.approx(3.0)
    assert math.isnan(mean_loss([{}, {}]))
