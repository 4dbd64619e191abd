"""What lies between labels and a step of training, one function for each place where it can go wrong.

The right pipeline is the masker's own where it has one (`collate`, `pack`), else that of the
reference. A broken way of training is the right one with a single function replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from maskspec.adapters.reference import masker as reference
from maskspec.conformance.protocol import Collated, Labelled, Packed, Padding, Unsupported
from maskspec.training.devices import Device
from maskspec.training.samples import Sample
from maskspec.verdicts import IGNORE_INDEX

__all__ = ["Pipeline", "right_pipeline"]

Labeller = Callable[[Sample], Sequence[int]]
Collator = Callable[[Sequence[Labelled], Padding], Sequence[Collated]]
Packer = Callable[[Sequence[Labelled], int], Sequence[Packed]]
Divisor = Callable[[Sequence[int], int], float]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """From samples to batches, as the arguments of a model.

    `label` gives the labels of a sample, `collate` pads samples and `pack` joins them. `divisor` takes the
    numbers of trained tokens of all micro-batches of a step and the index of one of them, and says by what its
    summed loss is divided. `asks_with_opening` is whether a question ends with the generation prompt.
    `padding` is the id that fills a batch.
    """

    label: Labeller
    collate: Collator
    pack: Packer
    divisor: Divisor
    padding: int
    asks_with_opening: bool = True

    def labelled(self, samples: Sequence[Sample]) -> list[Labelled]:
        """Ids and labels of samples, as the collator and the packer get them."""
        return [Labelled(sample.ids, self.label(sample)) for sample in samples]

    def padded(self, samples: Sequence[Sample], device: Device, *, side: str = "right") -> dict[str, Any]:
        """Samples as one padded batch: `input_ids`, `labels` and `attention_mask`, each [samples, longest]."""
        rows = self.collate(self.labelled(samples), Padding(token_id=self.padding, side=side))
        return {
            "input_ids": device.tensor([row.input_ids for row in rows]),
            "labels": device.tensor([row.labels for row in rows]),
            "attention_mask": device.tensor([row.attention_mask or (1,) * len(row.input_ids) for row in rows]),
        }

    def packed(self, samples: Sequence[Sample], device: Device, *, length: int) -> dict[str, Any]:
        """Samples as packed rows, filled up to `length`: `input_ids`, `labels` and `position_ids`."""
        rows = self.pack(self.labelled(samples), length)
        return {
            "input_ids": device.tensor([_filled(row.input_ids, length, self.padding) for row in rows]),
            "labels": device.tensor([_filled(row.labels, length, IGNORE_INDEX) for row in rows]),
            "position_ids": device.tensor([_positions(row, length) for row in rows]),
        }


def right_pipeline(masker: Any, *, padding: int) -> Pipeline:
    """The masker's labels with its own collator and packer, where it has them."""
    return Pipeline(
        label=lambda sample: sample.labels,
        collate=_own_or_reference(masker, "collate"),
        pack=_own_or_reference(masker, "pack"),
        divisor=lambda counts, _index: sum(counts),
        padding=padding,
    )


def _own_or_reference(masker: Any, name: str) -> Callable[..., Any]:
    own, other = getattr(masker, name, None), getattr(reference, name)
    if own is None:
        return other  # type: ignore[no-any-return]  # both are found by their names

    def chosen(samples: Sequence[Labelled], how: Any) -> Any:
        try:
            return own(samples, how)
        except Unsupported:
            return other(samples, how)

    return chosen


def _filled(numbers: Sequence[int], length: int, with_: int) -> tuple[int, ...]:
    return (*numbers, *(with_,) * (length - len(numbers)))


def _positions(row: Packed, length: int) -> tuple[int, ...]:
    """The positions of a row. What fills it up is a document of its own, so that nothing attends to it."""
    if row.position_ids is not None:
        known = row.position_ids
    elif row.sequence_ids is not None:
        starts: dict[int, int] = {}
        known = tuple(k - starts.setdefault(number, k) for k, number in enumerate(row.sequence_ids))
    else:
        known = tuple(range(len(row.input_ids)))
    return (*known, *range(length - len(known)))
