"""The same wrong masker, whose failure is known and accepted for now."""

from __future__ import annotations

from adapters import WithHeaders
from maskspec import conformance


@conformance(
    WithHeaders(), pairs=["chatml+bytelevel-gpt2"], rules=["OPEN", "STOP-1"], known_failures="known-failures.toml"
)
def test_with_headers(check):
    check()
