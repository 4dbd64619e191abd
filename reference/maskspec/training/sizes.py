"""How large a check is: the model, the batches and the number of steps, for a processor and for a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["SIZES", "Size"]


@dataclass(frozen=True, slots=True)
class Size:
    """One size of the check.

    `hidden` to `key_value_heads` describe the model. A step of a learning run takes `batch` conversations, padded,
    or `rows` packed rows of `row_length` tokens where `packed`. `lessons` are trained on and `held_out` are asked; the
    losses and gradients of the first `looked_at` of those are looked at. The speed is measured over `timed` steps of
    `speed_rows` rows of `row_length` tokens. `product` is the side of the square matrices whose product is the
    device's ceiling. A vocabulary of more than `vocabulary` tokens is renumbered to the tokens that occur; 0 takes
    every vocabulary as it is. `mutants` names the size of the models that mutants and their control are trained with,
    on the same device and vocabulary; empty for this one.
    """

    name: str
    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_value_heads: int
    steps: int
    batch: int
    packed: bool
    rows: int
    learning_rate: float
    lessons: int
    held_out: int
    looked_at: int
    row_length: int
    speed_rows: int
    timed: int
    product: int
    vocabulary: int
    mutants: str = ""


SIZES: Mapping[str, Size] = MappingProxyType(
    {
        # Some 0.2 million parameters: learns the lesson in seconds on one core.
        "small": Size(
            name="small",
            hidden=64,
            intermediate=128,
            layers=2,
            heads=4,
            key_value_heads=2,
            steps=90,
            batch=12,
            packed=False,
            rows=2,
            learning_rate=3e-3,
            lessons=192,
            held_out=12,
            looked_at=6,
            row_length=256,
            speed_rows=2,
            timed=3,
            product=512,
            vocabulary=4096,
        ),
        # 135 million parameters without the embeddings: the shape of a small model as it is trained today.
        "large": Size(
            name="large",
            hidden=1024,
            intermediate=2816,
            layers=12,
            heads=16,
            key_value_heads=4,
            steps=200,
            batch=64,
            packed=True,
            rows=4,
            learning_rate=3e-4,
            lessons=6000,
            held_out=48,
            looked_at=40,
            row_length=2048,
            speed_rows=4,
            timed=20,
            product=8192,
            vocabulary=0,
            mutants="small",
        ),
    }
)
"""The sizes by the name that `--size` takes."""
