"""TRAIN-2: the loss moves the prediction of every trained token, and not the least of any other.

The gradient is taken with respect to the logits. An ignored position has a gradient of exactly zero,
not a small one, so there is no tolerance anywhere in this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from maskspec.training.devices import Device
from maskspec.training.pipeline import Pipeline
from maskspec.training.records import Measurement, Reason
from maskspec.training.samples import Sample
from maskspec.verdicts import IGNORE_INDEX

__all__ = ["check_gradients"]

_RULE = "TRAIN-2"


def check_gradients(model: Any, samples: Sequence[Sample], pipeline: Pipeline, device: Device) -> Iterator[Measurement]:
    """Zero where nothing is trained, not zero where something is, and the loss follows the labels accordingly."""
    ignored = trained = 0
    leaked: list[str] = []
    dead: list[str] = []
    for sample in samples:
        touched = _touched(model, sample, pipeline.label(sample), device)
        for k, (label, moved) in enumerate(zip(sample.expected[1:], touched, strict=False), 1):
            ignored, trained = ignored + (label == IGNORE_INDEX), trained + (label != IGNORE_INDEX)
            if moved != (label != IGNORE_INDEX):
                (leaked if moved else dead).append(f"token {k} {sample.texts[k]!r} ({sample.parts[k]})")
        # The last position predicts what comes behind the end: nothing.
        leaked += ["the position behind the last token"] if touched[-1] else []
    yield _counted("ignored tokens with a gradient", leaked, ignored, Reason.GRADIENT_AT_IGNORED)
    yield _counted("trained tokens without one", dead, trained, Reason.NO_GRADIENT_AT_TRAINED)
    yield _padding(model, samples, pipeline, device)
    yield _behind(model, samples, pipeline, device)
    yield _first_label(model, samples, pipeline, device)
    yield _deaf(model, samples, pipeline, device)


def _touched(model: Any, sample: Sample, labels: Sequence[int], device: Device) -> list[bool]:
    """For every position, whether any number of its gradient is not zero."""
    with device.autocast():
        output = model(input_ids=device.tensor([sample.ids]), labels=device.tensor([labels]), use_cache=False)
    output.logits.retain_grad()
    output.loss.backward()
    found: list[bool] = (output.logits.grad[0] != 0).any(dim=-1).tolist()
    model.zero_grad(set_to_none=True)
    return found


def _padding(model: Any, samples: Sequence[Sample], pipeline: Pipeline, device: Device) -> Measurement:
    """What fills a batch up has no gradient, and which token fills it makes no difference."""
    batch = pipeline.padded(samples, device)
    with device.autocast():
        output = model(**batch, use_cache=False)
    output.logits.retain_grad()
    output.loss.backward()
    padding = batch["attention_mask"] == 0
    # A position predicts the next one, so the last token of a sample predicts padding.
    predicts = torch.cat([padding[:, 1:], torch.ones_like(padding[:, :1])], dim=1)
    touched = int((output.logits.grad[predicts] != 0).any(dim=-1).sum())
    model.zero_grad(set_to_none=True)
    changed = {**batch, "input_ids": torch.where(padding, _others(batch["input_ids"], model), batch["input_ids"])}
    same = _loss(model, changed, device) == _loss(model, batch, device)
    detail = "" if same else "another token as padding changes the loss"
    reason = None if same and not touched else Reason.GRADIENT_AT_IGNORED
    return Measurement(_RULE, "positions that predict padding, with a gradient", float(touched), "= 0", reason, detail)


def _behind(model: Any, samples: Sequence[Sample], pipeline: Pipeline, device: Device) -> Measurement:
    """Other text behind the last trained token leaves the loss as it is, to the last bit."""
    changed = 0
    asked = 0
    for sample in samples:
        last = sample.last_trained
        if last < 0 or last + 1 == len(sample.ids):
            continue
        asked += 1
        ids = device.tensor([sample.ids])
        other = ids.clone()
        other[:, last + 1 :] = _others(other[:, last + 1 :], model)
        labels = device.tensor([pipeline.label(sample)])
        before, after = ({"input_ids": each, "labels": labels} for each in (ids, other))
        changed += _loss(model, before, device) != _loss(model, after, device)
    what = "losses changed by other text behind the last trained token"
    detail = f"{asked} samples with such text" if asked else "no sample has text there"
    return Measurement(_RULE, what, float(changed), "= 0", Reason.GRADIENT_AT_IGNORED if changed else None, detail)


def _first_label(model: Any, samples: Sequence[Sample], pipeline: Pipeline, device: Device) -> Measurement:
    """The first token is predicted from nothing: a label there changes nothing."""
    changed = 0
    for sample in samples:
        labels = device.tensor([pipeline.label(sample)])
        other = labels.clone()
        other[:, 0] = sample.ids[0]
        ids = device.tensor([sample.ids])
        changed += _loss(model, {"input_ids": ids, "labels": labels}, device) != _loss(
            model, {"input_ids": ids, "labels": other}, device
        )
    what = "losses changed by a label on the first token"
    return Measurement(_RULE, what, float(changed), "= 0", Reason.GRADIENT_AT_IGNORED if changed else None)


def _deaf(model: Any, samples: Sequence[Sample], pipeline: Pipeline, device: Device) -> Measurement:
    """Another token as label of a trained token changes the loss, for every single one."""
    deaf: list[str] = []
    asked = 0
    for sample in samples:
        labels = device.tensor([pipeline.label(sample)])
        with torch.no_grad(), device.autocast():
            logits = model(input_ids=device.tensor([sample.ids]), use_cache=False).logits
            before = _loss_of(model, logits, labels)
            for k, right in enumerate(sample.expected):
                if k and right != IGNORE_INDEX:
                    asked += 1
                    other = labels.clone()
                    if int(other[0, k]) != IGNORE_INDEX:
                        # The most or the least likely token: in a short precision two neighbours may weigh the same.
                        likely = int(logits[0, k - 1].argmax())
                        other[0, k] = likely if likely != int(other[0, k]) else int(logits[0, k - 1].argmin())
                    if _loss_of(model, logits, other) == before:
                        deaf.append(f"token {k} {sample.texts[k]!r} ({sample.parts[k]})")
    return _counted("trained labels that the loss does not follow", deaf, asked, Reason.NO_GRADIENT_AT_TRAINED)


def _loss_of(model: Any, logits: Any, labels: Any) -> float:
    """The model's own loss for logits that are there."""
    loss: float = model.loss_function(logits=logits, labels=labels, vocab_size=model.config.vocab_size).item()
    return loss


def _loss(model: Any, batch: dict[str, Any], device: Device) -> float:
    with torch.no_grad(), device.autocast():
        loss: float = model(**batch, use_cache=False).loss.item()
    return loss


def _others(ids: Any, model: Any) -> Any:
    """For every id another one."""
    return (ids + 7) % model.config.vocab_size


def _counted(what: str, found: Sequence[str], asked: int, reason: Reason) -> Measurement:
    detail = f"of {asked}" + (f"; first {found[0]}" if found else "")
    return Measurement(_RULE, what, float(len(found)), "= 0", reason if found else None, detail)
