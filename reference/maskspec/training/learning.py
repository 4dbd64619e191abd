"""A plain training loop, and the curves that show what a model learns while it runs.

This is the loop that the check trains mutants with. `trainers` has those of the libraries.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from maskspec.training.devices import Device
from maskspec.training.pipeline import Pipeline
from maskspec.training.problems import TrainingError
from maskspec.training.records import Curve
from maskspec.training.samples import Part, Sample
from maskspec.training.sizes import Size

__all__ = ["Watch", "batches_of", "learn", "rate_at"]

_LOOKS = 18  # how often the held-out conversations are looked at while a model learns


@dataclass(slots=True)
class Watch:
    """Looks at the losses of held-out conversations, by the part of a token, from time to time."""

    model: Any
    samples: Sequence[Sample]
    device: Device
    total: int
    steps: list[int] = field(default_factory=list)
    losses: dict[Part, list[float]] = field(default_factory=dict)

    def look(self, step: int, *, always: bool = False) -> None:
        """Write the losses down, if it is time to: the beginning is looked at more closely than the end."""
        if not always and step not in _times(self.total):
            return
        self.steps.append(step)
        for part, loss in self._by_part().items():
            self.losses.setdefault(part, []).append(loss)

    def curve(self, name: str) -> Curve:
        """What was seen."""
        return Curve(name, tuple(self.steps), {part.value: tuple(losses) for part, losses in self.losses.items()})

    def _by_part(self) -> dict[Part, float]:
        sums = dict.fromkeys(Part, 0.0)
        counts = dict.fromkeys(Part, 0)
        was_training = self.model.training
        self.model.eval()
        with torch.no_grad(), self.device.autocast():
            for start in range(0, len(self.samples), 8):
                self._add(self.samples[start : start + 8], sums, counts)
        self.model.train(was_training)
        return {part: sums[part] / counts[part] for part in Part if counts[part]}

    def _add(self, samples: Sequence[Sample], sums: dict[Part, float], counts: dict[Part, int]) -> None:
        """Padding on the right is behind everything, so it needs no mask."""
        longest = max(len(sample.ids) for sample in samples)
        ids = self.device.tensor([(*sample.ids, *(0,) * (longest - len(sample.ids))) for sample in samples])
        logits = self.model(input_ids=ids, use_cache=False).logits[:, :-1].float()
        losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none").tolist()
        for sample, row in zip(samples, losses, strict=True):
            for part, loss in zip(sample.parts[1:], row, strict=False):
                sums[part] += loss
                counts[part] += 1


def learn(
    model: Any,
    batches: Iterator[dict[str, Any]],
    *,
    size: Size,
    device: Device,
    watch: Watch,
    tick: Callable[[int], None] = lambda _step: None,
) -> None:
    """Train for the steps of a size, one batch each.

    Raises:
        TrainingError: the loss is not a number.
    """
    optimiser = torch.optim.AdamW(model.parameters(), lr=size.learning_rate, weight_decay=0.0)
    model.train()
    watch.look(0)
    for step in range(size.steps):
        for group in optimiser.param_groups:
            group["lr"] = size.learning_rate * rate_at(step, size.steps)
        with device.autocast():
            loss = model(**next(batches), use_cache=False).loss
        require_number(loss.item(), step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        watch.look(step + 1)
        tick(step + 1)
    model.eval()


def require_number(loss: float, step: int) -> None:
    """Refuse to go on with a loss that says nothing.

    Raises:
        TrainingError: the loss is infinite or not a number.
    """
    if not math.isfinite(loss):
        raise TrainingError(
            f"the loss is {loss} at step {step}: training diverged, or a batch holds no trained token; use --dtype "
            "float32 to rule the precision out, another --seed, or look at the labels with `maskspec trace`"
        )


def rate_at(step: int, steps: int) -> float:
    """The share of the learning rate at a step: up over a tenth of the steps, then level, then down over a third."""
    rising, falling = max(1, steps // 10), max(1, steps // 3)
    return min(1.0, (step + 1) / rising, max(0.02, (steps - step) / falling))


def batches_of(
    samples: Sequence[Sample], pipeline: Pipeline, *, size: Size, device: Device
) -> Iterator[dict[str, Any]]:
    """Batches without an end, the samples in turn."""
    if not size.packed:
        position = 0
        while True:
            taken = [samples[(position + offset) % len(samples)] for offset in range(size.batch)]
            position += size.batch
            yield pipeline.padded(taken, device)
    rows = pipeline.packed(samples, device, length=size.row_length)
    position = 0
    while True:
        chosen = [(position + offset) % len(rows["input_ids"]) for offset in range(size.rows)]
        position += size.rows
        yield {name: tensor[chosen] for name, tensor in rows.items()}


def _times(total: int) -> set[int]:
    """The steps to look at: evenly on a scale that stretches the beginning."""
    return {round(total * (share / _LOOKS) ** 1.5) for share in range(_LOOKS + 1)}
