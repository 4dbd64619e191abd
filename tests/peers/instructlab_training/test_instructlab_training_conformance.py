"""The suite on instructlab-training: nothing but what is known of its version, and all of that still there."""

from __future__ import annotations

from maskspec.adapters.instructlab_training import masker
from maskspec.conformance.protocol import Labelled, Padding
from tests.peers.conformance import Conformance
from tests.peers.instructlab_training import entry
from tests.peers.peer import PEERS

pytestmark = entry.needed


class TestConformance(Conformance):
    peer = PEERS["instructlab-training"]


def test_the_collator_pads_on_the_right_with_any_id() -> None:
    samples = [Labelled([1, 5, 6], [-100, 5, 6]), Labelled([1], [-100])]
    first, second = masker.collate(samples, Padding(9))
    assert (first.input_ids, first.labels, first.attention_mask) == ((1, 5, 6), (-100, 5, 6), (1, 1, 1))
    assert (second.input_ids, second.labels, second.attention_mask) == ((1, 9, 9), (-100,) * 3, (1, 0, 0))


def test_rows_hold_no_more_than_they_may_and_every_sample_once() -> None:
    rows = masker.pack([Labelled([size] * size, [-100] * (size - 1) + [size]) for size in (4, 3, 2)], 6)
    assert all(len(row.input_ids) <= 6 for row in rows)
    placed = [item for row in rows for item in zip(row.input_ids, row.labels, row.position_ids or (), strict=True)]
    # A sample's positions are counted from 0, and its last token carries its loss.
    assert sorted(placed) == [
        (2, -100, 0), (2, 2, 1),
        (3, -100, 0), (3, -100, 1), (3, 3, 2),
        (4, -100, 0), (4, -100, 1), (4, -100, 2), (4, 4, 3),
    ]  # fmt: skip
