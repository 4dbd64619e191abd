"""The suite on torchtune: nothing but what is known of its version, and everything that is known still there."""

from __future__ import annotations

import pytest

from maskspec.adapters.torchtune import masker
from maskspec.conformance.protocol import Labelled, Padding, Unsupported
from tests.peers.conformance import Conformance
from tests.peers.peer import PEERS
from tests.peers.torchtune import entry

pytestmark = entry.needed


class TestTorchtune(Conformance):
    peer = PEERS["torchtune"]


def test_the_collator_pads_on_the_right_with_any_id() -> None:
    samples = [Labelled([1, 5, 6], [-100, 5, 6]), Labelled([1], [-100])]
    rows = masker.collate(samples, Padding(9))
    assert [(row.input_ids, row.labels, row.attention_mask) for row in rows] == [
        ((1, 5, 6), (-100, 5, 6), None),
        ((1, 9, 9), (-100, -100, -100), None),
    ]
    with pytest.raises(Unsupported, match="on the right"):
        masker.collate(samples, Padding(9, "left"))


def test_rows_are_filled_in_order_and_say_where_each_sample_begins() -> None:
    """Samples of 4, 3 and 2 tokens in rows of 6: the second does not fit behind the first, the third does behind it."""
    rows = masker.pack([Labelled([size] * size, [-100] * size) for size in (4, 3, 2)], 6)
    assert [row.input_ids for row in rows] == [(4, 4, 4, 4, 0, 0), (3, 3, 3, 2, 2, 0)]
    assert [row.sequence_ids for row in rows] == [(0, 0, 0, 0, 1, 1), (0, 0, 0, 1, 1, 2)]
    assert [row.position_ids for row in rows] == [(0, 1, 2, 3, 4, 5), (0, 1, 2, 0, 1, 2)]
