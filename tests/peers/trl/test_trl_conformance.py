"""The suite on trl: nothing but what is known of its version, and everything that is known still there."""

from __future__ import annotations

import pytest

from maskspec.adapters.trl import masker
from maskspec.conformance.protocol import Labelled, Padding, Unsupported
from tests.peers.conformance import Conformance
from tests.peers.peer import PEERS
from tests.peers.trl import entry

pytestmark = entry.needed


class TestConformance(Conformance):
    peer = PEERS["trl"]


def test_the_collator_pads_on_the_right_with_any_id() -> None:
    samples = [Labelled([1, 5, 6], [-100, 5, 6]), Labelled([1], [-100])]
    rows = masker.collate(samples, Padding(9))
    assert (rows[0].input_ids, rows[0].labels, rows[0].attention_mask) == ((1, 5, 6), (-100, 5, 6), (1, 1, 1))
    assert (rows[1].input_ids, rows[1].labels, rows[1].attention_mask) == ((1, 9, 9), (-100,) * 3, (1, 0, 0))


def test_the_collator_has_no_left_side() -> None:
    with pytest.raises(Unsupported, match="pads on the right"):
        masker.collate([Labelled([1], [1])], Padding(9, "left"))


def test_rows_hold_no_more_than_they_may_and_every_sample_once() -> None:
    sizes = (4, 3, 2)
    rows = masker.pack([Labelled([size] * size, [-100] * (size - 1) + [size]) for size in sizes], 6)
    # The longest first, into the fullest row that has room: 4 and 2 together, 3 alone.
    assert [row.input_ids for row in rows] == [(4, 4, 4, 4, 2, 2), (3, 3, 3)]
    assert [row.labels for row in rows] == [(-100, -100, -100, 4, -100, 2), (-100, -100, 3)]
    assert [row.position_ids for row in rows] == [(0, 1, 2, 3, 0, 1), (0, 1, 2)]
    assert [row.sequence_ids for row in rows] == [(0, 0, 0, 0, 1, 1), (0, 0, 0)]
