"""The suite on OpenRLHF: nothing but what is known of its version, and everything that is known still there."""

from __future__ import annotations

from maskspec.adapters.openrlhf import OpenRLHFMasker, masker
from maskspec.conformance.protocol import Labelled, Padding
from tests.peers.conformance import Conformance
from tests.peers.openrlhf import entry
from tests.peers.peer import PEERS

pytestmark = entry.needed


class TestConformance(Conformance):
    peer = PEERS["openrlhf"]


def test_the_collator_pads_on_the_right_with_any_id() -> None:
    samples = [Labelled([1, 5, 6], [-100, 5, 6]), Labelled([1], [-100])]
    first, second = masker.collate(samples, Padding(9))
    assert (first.input_ids, first.labels, first.attention_mask) == ((1, 5, 6), (-100, 5, 6), (1, 1, 1))
    assert (second.input_ids, second.labels, second.attention_mask) == ((1, 9, 9), (-100,) * 3, (1, 0, 0))


def test_a_weight_at_the_last_token_goes_to_the_collator() -> None:
    """It asks for the token behind the row, which is the first token of padding."""
    sample = Labelled([1, 5], [-100, 5])
    kept = OpenRLHFMasker()
    kept._last[sample] = 1.0
    first, _ = kept.collate([sample, Labelled([1, 5, 6], [-100, 5, 6])], Padding(9))
    assert (first.input_ids, first.labels) == ((1, 5, 9), (-100, 5, 9))
