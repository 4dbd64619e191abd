"""The suite on transformers: nothing but what is known of its version, and everything that is known still there."""

from __future__ import annotations

from tests.peers.conformance import Conformance
from tests.peers.peer import PEERS
from tests.peers.transformers import entry

pytestmark = entry.needed


class TestConformance(Conformance):
    peer = PEERS["transformers"]
