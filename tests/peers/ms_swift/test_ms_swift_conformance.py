"""The suite on ms-swift: nothing but what is known of its version, and everything that is known still there."""

from __future__ import annotations

import pytest

from maskspec.adapters.ms_swift import _MODELS, masker
from maskspec.conformance.protocol import Labelled, Padding
from tests.peers import conformance
from tests.peers.ms_swift import entry
from tests.peers.peer import PEERS

pytestmark = entry.needed


class TestConformance(conformance.Conformance):
    peer = PEERS["ms-swift"]


@pytest.mark.parametrize("model", sorted(_MODELS.values()))
def test_ms_swift_lists_the_model_of_a_pair(model: str) -> None:
    entry.module("swift.model")
    assert entry.module("swift.model.model_meta").get_matched_model_meta(model) is not None


def test_the_collator_pads_on_either_side_with_any_id() -> None:
    samples = [Labelled([1, 5, 6], [-100, 5, 6]), Labelled([1], [-100])]
    right, left = (masker.collate(samples, Padding(9, side)) for side in ("right", "left"))
    assert (right[1].input_ids, right[1].labels, right[1].attention_mask) == ((1, 9, 9), (-100,) * 3, (1, 0, 0))
    assert (left[1].input_ids, left[1].labels, left[1].attention_mask) == ((9, 9, 1), (-100,) * 3, (0, 0, 1))
    assert right[0].labels == left[0].labels == (-100, 5, 6)


def test_rows_hold_no_more_than_they_may_and_every_sample_once() -> None:
    sizes = (4, 3, 2)
    rows = masker.pack([Labelled([size] * size, [-100, *[size] * (size - 1)]) for size in sizes], 6)
    assert all(len(row.input_ids) <= 6 for row in rows)
    assert sorted(item for row in rows for item in row.input_ids) == [2, 2, 3, 3, 3, 4, 4, 4, 4]
    # A sample begins where the positions begin again, and nowhere else.
    placed = [pair for row in rows for pair in zip(row.input_ids, row.position_ids or (), strict=True)]
    assert sorted(item for item, position in placed if position == 0) == [2, 3, 4]
    labelled = [label for row in rows for label in row.labels]
    assert sorted(labelled) == [-100, -100, -100, 2, 3, 3, 4, 4, 4]
