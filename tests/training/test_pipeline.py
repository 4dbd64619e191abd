"""From samples to batches: what a model is handed, written out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.training.lacking import REASON

pytest.importorskip("torch", reason=REASON)

from maskspec.adapters.reference import ReferenceMasker
from maskspec.conformance.protocol import Packed, Unsupported
from maskspec.training.devices import find_device
from maskspec.training.pipeline import Pipeline, right_pipeline
from maskspec.training.samples import Part, Sample

DEVICE = find_device("cpu")


def sample(*ids: int) -> Sample:
    """All but the first token are trained."""
    labels = (-100, *ids[1:])
    return Sample(ids, labels, labels, (Part.ANSWER,) * len(ids), ("",) * len(ids), ())


SAMPLES = (sample(5, 6), sample(7, 8, 9))


def right() -> Pipeline:
    return right_pipeline(ReferenceMasker(), padding=6)


def test_padding_on_the_right() -> None:
    batch = right().padded(SAMPLES, DEVICE)
    assert batch["input_ids"].tolist() == [[5, 6, 6], [7, 8, 9]]
    assert batch["labels"].tolist() == [[-100, 6, -100], [-100, 8, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]


def test_padding_on_the_left() -> None:
    batch = right().padded(SAMPLES, DEVICE, side="left")
    assert batch["input_ids"].tolist() == [[6, 5, 6], [7, 8, 9]]
    assert batch["labels"].tolist() == [[-100, -100, 6], [-100, 8, 9]]
    assert batch["attention_mask"].tolist() == [[0, 1, 1], [1, 1, 1]]


def test_a_packed_row_counts_the_positions_of_each_sample_and_of_what_fills_it() -> None:
    batch = right().packed(SAMPLES, DEVICE, length=7)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9, 6, 6]]
    assert batch["labels"].tolist() == [[-100, 6, -100, 8, 9, -100, -100]]
    assert batch["position_ids"].tolist() == [[0, 1, 0, 1, 2, 0, 1]]


def test_samples_that_do_not_fit_begin_a_row_of_their_own() -> None:
    batch = right().packed(SAMPLES, DEVICE, length=4)
    assert batch["input_ids"].tolist() == [[5, 6, 6, 6], [7, 8, 9, 6]]
    assert batch["position_ids"].tolist() == [[0, 1, 0, 1], [0, 1, 2, 0]]


def test_positions_are_counted_where_a_packer_numbers_samples_only() -> None:
    row = Packed([5, 6, 7, 8, 9], [-100, 6, -100, 8, 9], sequence_ids=[0, 0, 1, 1, 1])
    batch = replace(right(), pack=lambda _samples, _length: [row]).packed(SAMPLES, DEVICE, length=5)
    assert batch["position_ids"].tolist() == [[0, 1, 0, 1, 2]]


def test_the_divisor_of_a_micro_batch_is_the_tokens_of_the_whole_step() -> None:
    assert [right().divisor([1, 5], index) for index in (0, 1)] == [6, 6]


def test_the_maskers_own_collator_is_used_where_it_has_one() -> None:
    class Own:
        def collate(self, _samples: object, _padding: object) -> str:
            return "own"

        def pack(self, _samples: object, _length: object) -> str:
            raise Unsupported("no packing")

    pipeline = right_pipeline(Own(), padding=0)
    assert pipeline.collate((), 0) == "own"  # type: ignore[arg-type,comparison-overlap]
    assert pipeline.pack(right().labelled(SAMPLES), 5) == right().pack(right().labelled(SAMPLES), 5)
