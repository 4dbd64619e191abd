from __future__ import annotations

from adapters import WithHeaders, WithoutHeaders
from maskspec import conformance

PAIRS = ["chatml+bytelevel-gpt2", "chatml+tiktoken"]


@conformance(WithoutHeaders(), pairs=PAIRS)
def test_without_headers(check):
    check()


@conformance(WithHeaders(), pairs=PAIRS)
def test_with_headers(check):
    check()
