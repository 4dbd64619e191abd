"""TRAIN-1: the loss that a trainer gets is the mean cross-entropy over the trained tokens, in every layout.

The truth is computed once: each sample alone, its logits in float64, over the tokens that the
specification trains. The model's own loss for a sample is compared with that. Then the same samples go
through the model as trainers send them, padded on either side, packed and accumulated. There the
labels are taken as the masker gives them, so that a wrong label is found once and a wrong layout is
found by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from maskspec.training.crossentropy import mean_loss, token_losses
from maskspec.training.devices import Device
from maskspec.training.pipeline import Pipeline
from maskspec.training.records import Measurement, Reason
from maskspec.training.samples import Sample
from maskspec.verdicts import IGNORE_INDEX

__all__ = ["check_losses", "find_truth"]

_RULE = "TRAIN-1"
_MICRO_BATCHES = 3

Labels = Sequence[Sequence[int]]
Truth = Sequence[dict[int, float]]


def find_truth(model: Any, samples: Sequence[Sample], labels: Labels, device: Device) -> Truth:
    """For samples that go through the model one by one, unpadded, the loss of every labelled token by its index."""
    found = []
    with torch.no_grad(), device.autocast():
        for sample, row in zip(samples, labels, strict=True):
            logits = model(input_ids=device.tensor([sample.ids]), use_cache=False).logits[0]
            found.append(token_losses(logits, row))
    return found


def check_losses(model: Any, samples: Sequence[Sample], pipeline: Pipeline, device: Device) -> Iterator[Measurement]:
    """Every layout beside the truth."""
    labels = [tuple(pipeline.label(sample)) for sample in samples]
    if all(label == IGNORE_INDEX for row in labels for label in row[1:]):
        yield Measurement(
            _RULE, "tokens with a label", 0.0, ">= 1", Reason.NOTHING_TRAINED,
            "every label is -100, so a trainer gets a loss that is not a number, or reports 0",
        )  # fmt: skip
        return
    right = find_truth(model, samples, [sample.expected for sample in samples], device)
    yield _alone(model, samples, labels, device, right)
    truth = find_truth(model, samples, labels, device)
    for side in ("right", "left"):
        yield _padded(model, samples, pipeline, device, truth, side)
    length = sum(len(sample.ids) for sample in samples) + 8
    batch = pipeline.packed(samples, device, length=length)
    yield from _packed(model, samples, batch, device, truth, "packed, position ids")
    yield from _packed(model, samples, _with_document_mask(batch), device, truth, "packed, document mask")
    yield from _accumulated(model, samples, pipeline, device)


def _alone(model: Any, samples: Sequence[Sample], labels: Labels, device: Device, right: Truth) -> Measurement:
    """The largest difference of a sample's own loss from that of the specification."""
    worst, detail = 0.0, ""
    for sample, row, losses in zip(samples, labels, right, strict=True):
        with torch.no_grad(), device.autocast():
            got = model(input_ids=device.tensor([sample.ids]), labels=device.tensor([row]), use_cache=False).loss.item()
        difference = _apart(got, mean_loss([losses]))
        if difference > worst:
            worst, detail = difference, _where(sample, row)
    return _measured("unpadded", worst, device.tolerance.same, Reason.LOSS, detail)


def _padded(
    model: Any, samples: Sequence[Sample], pipeline: Pipeline, device: Device, truth: Truth, side: str
) -> Measurement:
    batch = pipeline.padded(samples, device, side=side)
    with torch.no_grad(), device.autocast():
        got = model(**batch, use_cache=False).loss.item()
    count = int((batch["labels"][:, 1:] != IGNORE_INDEX).sum())
    right = sum(map(len, truth))
    detail = f"{count} tokens carry loss in the batch, {right} alone" if count != right else ""
    what = f"batch of {len(samples)}, padded {side}"
    return _measured(what, _apart(got, mean_loss(truth)), device.tolerance.layout, Reason.PADDING, detail)


def _packed(
    model: Any, samples: Sequence[Sample], batch: dict[str, Any], device: Device, truth: Truth, what: str
) -> Iterator[Measurement]:
    """The loss of packed rows, and the worst of their tokens."""
    with torch.no_grad(), device.autocast():
        output = model(**batch, use_cache=False)
    mean = mean_loss(truth)
    yield _measured(what, _apart(output.loss.item(), mean), device.tolerance.layout, Reason.LEAK)
    worst, detail = 0.0, ""
    rows = batch["input_ids"].tolist()
    for number, (sample, losses) in enumerate(zip(samples, truth, strict=True)):
        place = _find(rows, sample.ids)
        if place is None:
            worst, detail = float("inf"), f"sample {number} is in no row in one piece"
            break
        row, start = place
        inside = slice(start, start + len(sample.ids))
        got = token_losses(output.logits[row, inside], batch["labels"][row, inside].tolist())
        for k, loss in losses.items():
            difference = abs(got.get(k, float("inf")) - loss) / max(mean, 1.0)
            if difference > worst:
                told = f"{got[k]:.5f} in the row" if k in got else "no loss in the row"
                worst, detail = difference, f"token {k} of sample {number}: {told}, {loss:.5f} alone"
    limit = device.tolerance.token
    yield _measured(f"{what}, worst token", worst, limit, Reason.LEAK, detail if worst > limit else "")


def _find(rows: Sequence[Sequence[int]], ids: Sequence[int]) -> tuple[int, int] | None:
    """The row and position at which a sample stands; a packer may change their order."""
    wanted = list(ids)
    for number, row in enumerate(rows):
        for start in range(len(row) - len(wanted) + 1):
            if row[start] == wanted[0] and row[start : start + len(wanted)] == wanted:
                return number, start
    return None


def _with_document_mask(batch: dict[str, Any]) -> dict[str, Any]:
    """The same rows with a mask that says for every pair of positions whether one sees the other."""
    positions = batch["position_ids"]
    document = (positions == 0).cumsum(-1)
    places = torch.arange(positions.shape[-1], device=positions.device)
    seen = (document[:, :, None] == document[:, None, :]) & (places[:, None] >= places[None, :])
    return {**batch, "attention_mask": seen[:, None]}


def _accumulated(model: Any, samples: Sequence[Sample], pipeline: Pipeline, device: Device) -> Iterator[Measurement]:
    """The loss and the gradient of a step in several micro-batches, as transformers' trainers divide it."""
    whole = _gradient(model, pipeline, device, [list(samples)])
    # Uneven on purpose: with as many trained tokens in each, a mean of means would be right.
    ordered = sorted(samples, key=lambda sample: len(sample.ids))
    pieces = [ordered[:1], ordered[1:3], ordered[3:]] if len(ordered) > _MICRO_BATCHES else [[each] for each in ordered]
    parts = _gradient(model, pipeline, device, pieces)
    what = f"{len(pieces)} micro-batches accumulated"
    # What the collator changes is found above; here it is the same in the whole and in its parts.
    yield _measured(what, _apart(parts[0], whole[0]), device.tolerance.layout, Reason.ACCUMULATION)
    size = max(whole[1].norm().item(), 1e-30)
    apart = (parts[1] - whole[1]).norm().item() / size
    # A gradient sums over all tokens what a loss averages, and rounds at every layer on the way back.
    limit = 16 * device.tolerance.layout
    yield _measured(f"{what}, gradient of the weights", apart, limit, Reason.ACCUMULATION)


def _gradient(model: Any, pipeline: Pipeline, device: Device, pieces: Sequence[Sequence[Sample]]) -> tuple[float, Any]:
    batches = [pipeline.padded(piece, device) for piece in pieces]
    counts = [int((batch["labels"][:, 1:] != IGNORE_INDEX).sum()) for batch in batches]
    model.zero_grad(set_to_none=True)
    total = 0.0
    for index, batch in enumerate(batches):
        with device.autocast():
            loss = model(**batch, use_cache=False, num_items_in_batch=pipeline.divisor(counts, index)).loss
        loss.backward()
        total += loss.item()
    vector = torch.cat([each.grad.flatten() for each in model.parameters() if each.grad is not None])
    model.zero_grad(set_to_none=True)
    return total, vector


def _apart(got: float, right: float) -> float:
    """How far a loss is from the right one, relative to it; infinite where either is not a number."""
    difference = abs(got - right) / max(abs(right), 1e-12)
    return difference if difference == difference else float("inf")


def _where(sample: Sample, labels: Sequence[int]) -> str:
    """The first label that is not the specification's."""
    for k, (label, right) in enumerate(zip(labels, sample.expected, strict=True)):
        if k and label != right:
            said = "ignored" if label == IGNORE_INDEX else "trained" if label == sample.ids[k] else f"labelled {label}"
            should = "ignored" if right == IGNORE_INDEX else "trained"
            return f"token {k} {sample.texts[k]!r} ({sample.parts[k]}) is {said} and should be {should}"
    return ""


def _measured(what: str, value: float, limit: float, reason: Reason, detail: str = "") -> Measurement:
    return Measurement(_RULE, what, value, f"<= {limit:.2g}", None if value <= limit else reason, detail)
