"""The training loops that people use: transformers' Trainer, and trl's SFTTrainer with its own collator.

Each trains a fresh model on the same lessons and is judged as the plain loop is. Before that, the loss
that it reports for one step of two accumulated micro-batches is compared with the cross-entropy in
float64 over the very batches that its collator made.
"""

from __future__ import annotations

import copy
import importlib.util
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from maskspec.training.crossentropy import mean_loss, token_losses
from maskspec.training.learning import Watch, require_number
from maskspec.training.models import wide
from maskspec.training.pipeline import Pipeline
from maskspec.training.records import Curve, Measurement, Reason
from maskspec.training.teaching import Classroom

__all__ = ["TRAINERS", "train_with", "unavailable"]

TRAINERS: tuple[str, ...] = ("loop", "transformers", "trl")
"""The loops by the name that `--trainer` takes; `loop` is the plain one."""

_NAMES: Mapping[str, str] = {"transformers": "transformers.Trainer", "trl": "trl.SFTTrainer"}
_ACCUMULATED = 2
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "loop": (),
    "transformers": ("accelerate",),
    "trl": ("trl", "datasets", "accelerate"),
}


def unavailable(trainer: str, room: Classroom) -> str:
    """Why a trainer cannot be used here; empty where it can."""
    missing = [name for name in _NEEDS[trainer] if importlib.util.find_spec(name) is None]
    if missing:
        return f"{' and '.join(missing)} is not installed; python -m pip install {' '.join(missing)}"
    if trainer == "trl":
        from transformers import PreTrainedTokenizerBase

        if not isinstance(room.subject.tokenizer.raw, PreTrainedTokenizerBase):
            return f"it takes transformers' tokenizers only, not {type(room.subject.tokenizer.raw).__name__}"
    return ""


@dataclass(slots=True)
class _Notes:
    """What is written down while a library trains: its batches and the losses it reports."""

    batches: list[dict[str, Any]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def collating(self, collator: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The same collator; the batches of the first step are kept."""

        def collate(examples: Any) -> Any:
            batch = collator(examples)
            if len(self.batches) < _ACCUMULATED:
                self.batches.append({name: value.clone() for name, value in batch.items() if torch.is_tensor(value)})
            return batch

        return collate


def train_with(
    trainer: str, room: Classroom, pipeline: Pipeline, *, tick: Callable[[int], None] = lambda _step: None
) -> tuple[list[Measurement], Curve]:
    """Train a fresh model with a library's trainer, and judge it.

    Raises:
        TrainingError: the loss is not a number.
    """
    name = _NAMES[trainer]
    first = _first_loss(trainer, room, pipeline)
    model = room.model()
    watch = Watch(model, room.held_out, room.device, room.size.steps)

    def after(step: int) -> None:
        watch.look(step)
        tick(step)

    watch.look(0)
    _run(trainer, room, pipeline, model, _callback(_Notes(), after))
    model.eval()
    measurements, curve = room.judge(model, watch, pipeline, name)
    named = [replace(each, what=f"{name}: {each.what}") for each in measurements]
    return [first, *named], curve


def _run(
    trainer: str, room: Classroom, pipeline: Pipeline, model: Any, callback: Any, notes: _Notes | None = None
) -> None:
    from transformers import PrinterCallback

    with tempfile.TemporaryDirectory(prefix="maskspec-") as folder, _quiet():
        made = _MAKERS[trainer](room, pipeline, model, folder)
        made.remove_callback(PrinterCallback)
        made.add_callback(callback)
        if notes is not None:
            made.data_collator = notes.collating(made.data_collator)
        made.train()


def _first_loss(trainer: str, room: Classroom, pipeline: Pipeline) -> Measurement:
    """The loss that the library reports for one step, beside ours over the batches of that step.

    The weights are wide, so that the micro-batches have different losses and it matters how they are weighed.
    """
    notes = _Notes()
    once = replace(room, size=replace(room.size, steps=1))
    _run(trainer, once, pipeline, room.model(spread=wide(room.size)), _callback(notes, lambda _step: None), notes)
    model = room.model(spread=wide(room.size))
    losses = []
    for batch in notes.batches:
        labels = batch.pop("labels").tolist()
        inputs = {key: value.to(room.device.kind) for key, value in batch.items() if key in _INPUTS}
        with torch.no_grad(), room.device.autocast():
            logits = model(**inputs, use_cache=False).logits
        losses += [token_losses(row, label) for row, label in zip(logits, labels, strict=True)]
    right = mean_loss(losses)
    apart = abs(notes.losses[0] - right) / right
    # A trainer may round the loss that it reports to four places.
    limit = max(room.device.tolerance.layout, 1e-4 / right)
    return Measurement(
        "TRAIN-1", f"{_NAMES[trainer]}, a step of {len(notes.batches)} micro-batches", apart, f"<= {limit:.2g}",
        None if apart <= limit else Reason.ACCUMULATION, f"{notes.losses[0]:.4f} reported, {right:.4f} computed here",
    )  # fmt: skip


_INPUTS = ("input_ids", "attention_mask", "position_ids")


def _callback(notes: _Notes, tick: Callable[[int], None]) -> Any:
    from transformers import TrainerCallback

    class Watching(TrainerCallback):  # type: ignore[misc]  # the class is unknown where types are checked
        """Looks at the held-out conversations, and keeps the losses that are reported."""

        def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            tick(state.global_step)

        def on_log(self, _args: Any, state: Any, _control: Any, **told: Any) -> None:
            logs = told.get("logs")
            if logs and "loss" in logs:
                require_number(float(logs["loss"]), state.global_step)
                notes.losses.append(float(logs["loss"]))

    return Watching()


def _options(room: Classroom, folder: str) -> dict[str, Any]:
    """What both libraries are told: the plain loop's settings, in two micro-batches."""
    size = room.size
    return {
        "output_dir": folder,
        "max_steps": size.steps,
        "per_device_train_batch_size": max(1, size.batch // _ACCUMULATED),
        "gradient_accumulation_steps": _ACCUMULATED,
        "learning_rate": size.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": max(1, size.steps // 10),
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "dataloader_pin_memory": False,
        "use_cpu": room.device.kind == "cpu",
        "bf16": room.device.dtype == "bfloat16",
        "seed": room.seed,
    }


def _transformers(room: Classroom, pipeline: Pipeline, model: Any, folder: str) -> Any:
    from transformers import Trainer, TrainingArguments

    def collate(samples: Sequence[Any]) -> dict[str, Any]:
        return pipeline.padded(samples, _on_host(room))

    return Trainer(
        model=model,
        args=TrainingArguments(**_options(room, folder)),
        train_dataset=list(room.lessons),
        data_collator=collate,
    )


def _trl(room: Classroom, pipeline: Pipeline, model: Any, folder: str) -> Any:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    rows = {
        "input_ids": [list(sample.ids) for sample in room.lessons],
        "labels": [list(pipeline.label(sample)) for sample in room.lessons],
    }
    return SFTTrainer(
        model=model,
        args=SFTConfig(**_options(room, folder), max_length=None, packing=False),
        train_dataset=Dataset.from_dict(rows),
        # trl's own; it is only told the padding, which a renumbered vocabulary has elsewhere.
        data_collator=DataCollatorForLanguageModeling(pad_token_id=pipeline.padding),
        processing_class=copy.deepcopy(room.subject.tokenizer.raw),
    )


_MAKERS: Mapping[str, Callable[[Classroom, Pipeline, Any, str], Any]] = {"transformers": _transformers, "trl": _trl}


def _on_host(room: Classroom) -> Any:
    """A trainer moves batches to its device itself."""
    from maskspec.training.devices import Device

    return Device(kind="cpu", dtype=room.device.dtype, name="")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the libraries from printing every loss and every advice between the lines of a report."""
    loggers = [logging.getLogger(name) for name in ("transformers", "trl", "accelerate", "datasets")]
    levels = [each.level for each in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for each in loggers:
            each.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for each, level in zip(loggers, levels, strict=True):
                each.setLevel(level)
