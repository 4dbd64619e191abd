"""Conversations: the one shape that rendering, policies and rules work on.

`Conversation.coerce` reads what people have (OpenAI messages, ShareGPT records),
checks it once and says what is wrong by message index and field. From then on a
conversation is an immutable value; templates get fresh plain data from it.
"""

from __future__ import annotations

from maskspec.conversation.conversation import Conversation
from maskspec.conversation.flags import TextSpan
from maskspec.conversation.message import KNOWN_ROLES, REASONING_NAMES, Message
from maskspec.conversation.sharegpt import FUNCTION_CALL, SHAREGPT_ROLES, canonical_roles
from maskspec.conversation.values import FrozenMapping

__all__ = [
    "FUNCTION_CALL",
    "KNOWN_ROLES",
    "REASONING_NAMES",
    "SHAREGPT_ROLES",
    "Conversation",
    "FrozenMapping",
    "Message",
    "TextSpan",
    "canonical_roles",
]
