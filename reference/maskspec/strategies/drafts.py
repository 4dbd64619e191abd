"""Drafts of messages: what is drawn, before texts are spelled out and messages know of each other.

A round is drawn without looking at the rest of the conversation, so that Hypothesis
can leave it out or move it when it shrinks. What depends on the rest (echoes of
earlier texts, ids of calls, which tool a call means) is settled by `assembly`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["AGAIN", "Call", "Draft", "Form", "Result"]


class Form(Enum):
    """How one thing is spelled in a message."""

    REASONING_CONTENT = "reasoning_content"
    """Reasoning in the field of this name."""
    THINKING = "thinking"
    """Reasoning in the field of this name."""
    REASONING = "reasoning"
    """Reasoning in the field of this name."""
    INLINE = "inline"
    """Reasoning in the content, between think tags."""
    OBJECT = "object"
    """Arguments of a call as an object."""
    TEXT = "text"
    """Arguments of a call as JSON text."""
    BARE = "bare"
    """A call or a schema without the wrapper that names its type; a result without name and id."""
    NAMED = "named"
    """A result with name and id."""
    PARTS = "parts"
    """Content as a list of parts."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call as bytes: the first says which tool of the conversation is called, the others the arguments."""

    code: bytes
    form: Form = Form.OBJECT


@dataclass(frozen=True, slots=True)
class Result:
    """How the result of a call is given: its spelling, and whether its text is wrapped as an object in JSON."""

    form: Form = Form.NAMED
    as_object: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be: its text as bytes, None for a content that is None, empty bytes for the empty text.

    `flags` say as bytes what the message asks of training; empty bytes are nothing.
    """

    role: str
    text: bytes | None
    reasoning: bytes | None = None
    reasoning_form: Form = Form.REASONING_CONTENT
    calls: tuple[Call, ...] = ()
    result: Result | None = None
    flags: bytes = b""


AGAIN: tuple[Draft, ...] = (Draft("again", None),)
"""In place of a round: the round before it once more, word by word."""
