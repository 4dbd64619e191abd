"""Hypothesis strategies for conversations that a given template accepts; they construct and never filter.

    from hypothesis import given
    from maskspec.strategies import conversations

    @given(conversations(template_source, special_tokens={"bos_token": "<s>", "eos_token": "</s>"}))
    def test_my_masker(generated):
        my_masker(generated.messages, tools=generated.tools, **generated.template_kwargs)

Read in this order: `pieces` (texts), `tools` (schemas and arguments), `drafts` and
`rounds` (what is drawn), `assembly` (what becomes of it), `flags`, `conversations`
(the strategies), `steady` and `sampling` (a list of conversations by seed).
"""

from __future__ import annotations

from maskspec.strategies.conversations import conversations, texts, tool_schemas
from maskspec.strategies.generated import Generated
from maskspec.strategies.sampling import sample

__all__ = ["Generated", "conversations", "sample", "texts", "tool_schemas"]
