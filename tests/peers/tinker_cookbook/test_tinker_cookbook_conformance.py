"""The suite on tinker-cookbook: nothing but what is known of its version, and everything that is known still there."""

from __future__ import annotations

from tests.peers.conformance import Conformance
from tests.peers.peer import PEERS
from tests.peers.tinker_cookbook import entry

pytestmark = entry.needed


class TestTinkerCookbook(Conformance):
    peer = PEERS["tinker-cookbook"]
