"""How fast a training step is on packed rows, and how near that comes to what the device can multiply.

The ceiling is measured and not looked up: the best of several products of two square matrices with
random entries, in the precision of the run. The model's own operations are counted as is usual (PaLM,
appendix B): 6 for every weight of a product and token, and 12 x layers x hidden x row length for attention, forward
and backward together; what is computed again or masked away does not count.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from maskspec.training.crossentropy import mean_loss, token_losses
from maskspec.training.devices import Device
from maskspec.training.models import count_parameters
from maskspec.training.records import Measurement, Reason, Speed
from maskspec.training.sizes import Size

__all__ = ["judge_speed", "measure_ceiling", "measure_speed", "packed_loss"]

_WARM_UP = 3
_PRODUCTS = 10


def measure_ceiling(device: Device, side: int) -> float:
    """The best rate of a product of two square matrices, in operations a second."""
    kind = getattr(torch, device.dtype)
    left, right = (torch.randn(side, side, device=device.kind, dtype=kind) for _ in range(2))
    for _ in range(_WARM_UP):
        left @ right
    best = min(_seconds(device, lambda: left @ right) for _ in range(_PRODUCTS))
    return 2.0 * side**3 / best


def measure_speed(
    model: Any, batch: dict[str, Any], *, size: Size, device: Device, compiled: bool, ceiling: float
) -> Speed:
    """Time steps of a model on one packed batch; the first ones, and what `torch.compile` takes, are not counted.

    Where a model cannot be compiled here, the speed says why instead.
    """
    rows, length = batch["input_ids"].shape
    run = torch.compile(model) if compiled else model
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-5)
    model.train()

    def step() -> float:
        with device.autocast():
            loss = run(**batch, use_cache=False).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return float(loss.detach()) if first is None else first

    first: float | None = None
    if device.kind == "cuda":
        torch.cuda.reset_peak_memory_stats()
    try:
        for _ in range(_WARM_UP):
            first = step()
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        # A compiler that is missing or gives up raises errors of its own.
        if not compiled:
            raise
        told = (str(error).strip().splitlines() or [""])[0][:160]
        return Speed(compiled, length, rows, excluded=f"torch.compile failed: {type(error).__name__}: {told}")
    finally:
        optimiser.zero_grad(set_to_none=True)
    device.wait()
    begun = time.perf_counter()
    for _ in range(size.timed):
        step()
    device.wait()
    seconds = (time.perf_counter() - begun) / size.timed
    tokens = rows * length
    return Speed(
        compiled=compiled,
        row_length=length,
        rows=rows,
        tokens_per_second=tokens / seconds,
        rate=_operations(model, size, length) * tokens / seconds,
        product=ceiling,
        memory=_peak_memory(device),
        loss=first or 0.0,
    )


def packed_loss(model: Any, batch: dict[str, Any], device: Device) -> float:
    """The mean cross-entropy of packed rows in float64, from the logits of the model as it is."""
    losses = []
    with torch.no_grad(), device.autocast():
        for row in range(len(batch["input_ids"])):
            inputs = {name: batch[name][row : row + 1] for name in ("input_ids", "position_ids")}
            logits = model(**inputs, use_cache=False).logits[0]
            losses.append(token_losses(logits, batch["labels"][row].tolist()))
    return mean_loss(losses)


def judge_speed(speed: Speed, right: float, limit: float) -> Measurement:
    """The loss of the first timed step beside the cross-entropy in float64."""
    apart = abs(speed.loss - right) / right
    how = "compiled, " if speed.compiled else ""
    what = f"{how}{speed.rows} rows of {speed.row_length} packed tokens"
    return Measurement("TRAIN-1", what, apart, f"<= {limit:.2g}", None if apart <= limit else Reason.LOSS)


def _operations(model: Any, size: Size, length: int) -> float:
    """The operations of one token, forward and backward."""
    embedding: int = model.get_input_embeddings().weight.numel()
    return 6.0 * (count_parameters(model) - embedding) + 12.0 * size.layers * size.hidden * length


def _peak_memory(device: Device) -> int:
    """Bytes: what tensors took on a GPU at most, elsewhere what the process took; 0 where that is not known."""
    if device.kind == "cuda":
        return int(torch.cuda.max_memory_allocated())
    try:
        import resource
    except ImportError:
        return 0  # there is no such module on Windows
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _seconds(device: Device, work: Callable[[], Any]) -> float:
    device.wait()
    begun = time.perf_counter()
    work()
    device.wait()
    return time.perf_counter() - begun
