"""The suite on renderers: nothing but what is known of its version, and everything that is known still there."""

from __future__ import annotations

from tests.peers.conformance import Conformance
from tests.peers.peer import PEERS
from tests.peers.renderers import entry

pytestmark = entry.needed


class TestRenderers(Conformance):
    peer = PEERS["renderers"]
