"""Replay commands that a snapshot can hold: the real ones encode the whole conversation and have tests of their own."""

from __future__ import annotations

import pytest


@pytest.fixture
def short_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskspec.conformance.reports.text.replay_command", lambda *_: "maskspec replay ID")
