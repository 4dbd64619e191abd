"""Where a character of a rendering came from.

A chat template copies text out of messages, tool schemas and variables, and
adds text of its own. `Origin` names one such source; a *run* says that the
next `length` characters of a string came from one origin.

A run is the tuple `(length, origin, offset)`. With an integer offset, the
run's characters are consecutive characters of the origin, starting there; the
characters of an escape each have a run of their own, with the offset of the
character that they stand for. With None they have no place in it (a
reformatted number, a template literal).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

__all__ = ["PENDING_LITERAL", "Origin", "OriginKind", "Path", "Run", "value_origin"]

Path = tuple[str | int, ...]


class OriginKind(Enum):
    """What sort of place a character came from."""

    # The members are singletons; the hash that Enum defines in Python is ten times slower than this one.
    __hash__ = object.__hash__

    MESSAGE = "message"
    """A value inside a message of the conversation: a *source* character."""
    TOOL = "tool"
    """A value inside a tool schema."""
    VARIABLE = "variable"
    """A template variable, such as `bos_token`."""
    LITERAL = "literal"
    """Text written in the template itself."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One place that characters come from.

    `message` is the index of the message that owns the characters: the one
    they were copied from, or the one being rendered when the template emitted
    them; None outside any message. `path` leads to the value inside the
    message, tool list or variables, such as
    `("tool_calls", 0, "function", "arguments", "city")`. `is_key` marks the
    name of the last step of the path instead of its value. `generated` is true
    inside a `{% generation %}` block of the template. `quoted_in` is the
    message that was being rendered when the template repeated these source
    characters, None where a message prints its own.
    """

    kind: OriginKind
    message: int | None = None
    path: Path = ()
    is_key: bool = False
    generated: bool = False
    quoted_in: int | None = None

    @property
    def is_source(self) -> bool:
        """Whether the characters were copied out of a message."""
        return self.kind is OriginKind.MESSAGE


@lru_cache(maxsize=65536)
def value_origin(kind: OriginKind, message: int | None, path: Path, is_key: bool = False) -> Origin:
    """The origin of a value or key, remembered: conversations resemble each other."""
    return Origin(kind, message, path, is_key)


Run = tuple[int, Origin, int | None]

PENDING_LITERAL = Origin(OriginKind.LITERAL)
"""A template literal that no message has claimed yet."""
