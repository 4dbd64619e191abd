"""The same check on a GPU. Without one these tests say so; `tox -e gpu` runs them where there is one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.training.lacking import REASON

pytest.importorskip("torch", reason=REASON)

import torch

from maskspec.training import check_training
from tests.training.factory import PAIR, subject_of

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device answers here")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_small_model_on_a_gpu(dtype: str) -> None:
    report = check_training([subject_of()], device="cuda", dtype=dtype, trainers=("loop",), compiled=False)
    assert failed(report) == []
    assert report.exit_code == 0


def test_a_large_model_on_a_gpu_compiled_and_not() -> None:
    report = check_training([subject_of(PAIR)], device="cuda", size="large", trainers=("loop",), mutants=False)
    assert failed(report) == []
    assert [speed.compiled for speed in report.pairs[0].speeds] == [False, True]
    assert report.pairs[0].parameters >= 100_000_000
    assert all(speed.row_length >= 2048 for speed in report.pairs[0].speeds)


def failed(report: Any) -> list[str]:
    return [each.what for pair in report.pairs for each in pair.measurements if not each.passed]
