"""Where a check runs and in which precision, with the tolerances that the precision asks for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch

from maskspec.errors import UsageError

__all__ = ["TOLERANCES", "Device", "Tolerance", "find_device", "repeatable"]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far two computations of the same loss may be apart, relative to the loss.

    `same` is for one set of logits: the model's loss in float32 beside ours in float64. `layout` is for the
    same tokens in another layout (padded, packed, accumulated), where the logits themselves are computed in
    another order. `token` is the same for a single token.
    """

    same: float
    layout: float
    token: float


_ROUNDING = 2.0**-24  # half the distance of 1.0 to the next float32

TOLERANCES: Mapping[str, Tolerance] = MappingProxyType(
    {
        # same: a sum over n tokens and V classes errs by log2(n) + log2(V) roundings when it is added up in pairs,
        # 35 for 2**18 tokens and classes each; 64 is above it.
        # layout: some 20 matrix products of at most 2**12 terms follow one another; 2**10 roundings hold for a mean,
        # where errors cancel, and 2**13 for one token, where they do not.
        "float32": Tolerance(same=64 * _ROUNDING, layout=2**10 * _ROUNDING, token=2**13 * _ROUNDING),
        # same: under autocast the logits are bfloat16, but transformers takes the loss from them in float32, so
        # nothing changes. layout: a logit is itself rounded to 8 bits, 2**-9 of its size, after layers that round as
        # often; twice that for a mean over many tokens, and 2**-4 for one token, whose logits may be large.
        # From above the tolerances are held by the leak of a packed row and by the wrong accumulation, which have
        # to be found in every precision.
        "bfloat16": Tolerance(same=64 * _ROUNDING, layout=2.0**-8, token=2.0**-4),
    }
)
"""By the precision of the matrix products."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device and a precision. Weights are float32; `autocast` brings the products to the precision."""

    kind: str
    dtype: str
    name: str

    @property
    def tolerance(self) -> Tolerance:
        """What the precision allows."""
        return TOLERANCES[self.dtype]

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which a trainer computes a loss with this precision."""
        if self.dtype == "float32":
            return nullcontext()
        context: AbstractContextManager[Any] = torch.autocast(self.kind, dtype=getattr(torch, self.dtype))
        return context

    def tensor(self, rows: Any) -> Any:
        """Whole numbers as a tensor on the device."""
        return torch.tensor(rows, dtype=torch.long, device=self.kind)

    def wait(self) -> None:
        """Wait until the device has done what it was told, so that a clock says something."""
        if self.kind == "cuda":
            torch.cuda.synchronize()


def find_device(kind: str, dtype: str | None = None) -> Device:
    """The device of a name; without a precision, float32 on a processor and bfloat16 on a GPU.

    Raises:
        UsageError: there is no such device or precision here; the message says what to do.
    """
    if kind not in ("cpu", "cuda"):
        raise UsageError(f"there is no device {kind!r}; known are cpu and cuda")
    if dtype is not None and dtype not in TOLERANCES:
        raise UsageError(f"there is no precision {dtype!r}; known are {', '.join(TOLERANCES)}")
    if kind == "cuda" and not torch.cuda.is_available():
        built = "this build of torch is for processors only" if torch.version.cuda is None else "no GPU answers"
        raise UsageError(
            f"there is no CUDA device: {built}; use --device cpu, or install a torch for CUDA on a machine with a GPU"
        )
    chosen = dtype or ("bfloat16" if kind == "cuda" else "float32")
    if kind == "cuda":
        if chosen == "bfloat16" and not torch.cuda.is_bf16_supported():
            raise UsageError(f"{torch.cuda.get_device_name()} has no bfloat16; use --dtype float32")
        return Device(kind=kind, dtype=chosen, name=torch.cuda.get_device_name())
    return Device(kind=kind, dtype=chosen, name=f"{os.cpu_count()} processors, {torch.get_num_threads()} thread(s)")


@contextmanager
def repeatable(device: Device, seed: int) -> Iterator[None]:
    """Makes what is drawn inside the same for the same seed, and leaves torch's own state as it was.

    On a processor torch also refuses every operation whose result would depend on the order of threads. On a
    GPU the gradient of some operations does, so there a run is repeated only up to rounding.
    """
    before = torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device.kind == "cuda" else []):
        torch.manual_seed(seed)
        if device.kind == "cpu":
            torch.use_deterministic_algorithms(True)
            # Nothing here reads memory before it is written, and filling it costs time at every operation.
            torch.utils.deterministic.fill_uninitialized_memory = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before)
            torch.utils.deterministic.fill_uninitialized_memory = filled
