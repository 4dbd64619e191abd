"""The suite on chat-bricks: nothing but what is known of its version, and everything that is known still there."""

from __future__ import annotations

from tests.peers.chat_bricks import entry
from tests.peers.conformance import Conformance
from tests.peers.peer import PEERS

pytestmark = entry.needed


class TestConformance(Conformance):
    peer = PEERS["chat-bricks"]
