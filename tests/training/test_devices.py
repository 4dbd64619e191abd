"""Devices that are not there, memory that is not enough, libraries that are missing: each says what to do."""

from __future__ import annotations

import pytest

from maskspec.errors import MissingPackageError, UsageError
from maskspec.training.problems import TrainingError, reporting_memory, require_libraries
from tests.training.lacking import REASON

pytest.importorskip("torch", reason=REASON)

import torch

from maskspec.training.devices import TOLERANCES, find_device, repeatable


def test_a_machine_without_cuda_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match=r"there is no CUDA device: .*; use --device cpu, or install a torch for CUDA"):
        find_device("cuda")


@pytest.mark.parametrize(
    ("kind", "dtype", "message"), [("tpu", None, "no device 'tpu'"), ("cpu", "float8", "'float8'")]
)
def test_unknown_devices_and_precisions_are_named(kind: str, dtype: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_device(kind, dtype)


def test_a_processor_computes_in_float32_unless_told_otherwise() -> None:
    assert find_device("cpu").dtype == "float32"
    assert find_device("cpu", "bfloat16").tolerance is TOLERANCES["bfloat16"]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_a_full_memory_says_what_to_do(error: BaseException) -> None:
    told = "memory of 'cuda' is not enough for the size 'large'; use --size small"
    with pytest.raises(TrainingError, match=told), reporting_memory("cuda", "the size 'large'"):
        raise error


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), reporting_memory("cpu", "x"):
        raise RuntimeError("shapes do not fit")


def test_a_real_allocation_that_cannot_be_made_is_a_full_memory() -> None:
    with pytest.raises(TrainingError, match="is not enough for a tensor"), reporting_memory("cpu", "a tensor"):
        torch.empty(2**55, dtype=torch.float64)


def test_a_missing_library_names_the_extra() -> None:
    with pytest.raises(MissingPackageError, match=r'needs no_such_library; install with: .* "maskspec\[suite,train\]"'):
        require_libraries("torch", "no_such_library")


def test_the_state_of_torch_is_left_as_it_was() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with repeatable(find_device("cpu"), 1):
        inside = torch.rand(3)
        assert torch.are_deterministic_algorithms_enabled()
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()
    with repeatable(find_device("cpu"), 1):
        assert torch.equal(torch.rand(3), inside)
