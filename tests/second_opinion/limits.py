"""What differences cannot tell, by name."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

UNKNOWN = "unknown"
"""In the place of an owner, zone, verdict or source that is not known."""


class Limit(Enum):
    """What differences cannot tell."""

    ROLE_DECIDES = "role decides"
    CONTENT_DECIDES = "content decides"
    EMPTY_REFUSED = "no text without messages"
    PREFIX_REFUSED = "prefix refused"
    PREFIX_REWRITTEN = "prefix without the text"
    OTHER_END = "another end"
    PROMPT_ALWAYS = "prompt without being asked"
    SEPARATOR = "blank between two messages"
    FINAL_TEXT = "text after the last message"
    MERGED = "printed inside another message"


LIMITS: Mapping[Limit, str] = {
    Limit.ROLE_DECIDES: "the name of a role stands in the header, and the template takes no other role in its place",
    Limit.CONTENT_DECIDES: "a text that makes the template print something else when it is changed, such as an inline "
    "`</think>`: what stands there may be a copy or the template's own",
    Limit.EMPTY_REFUSED: "the template refuses an empty conversation, and no later message of the same role shows where the "
    "first one begins",
    Limit.PREFIX_REFUSED: "the template refuses the messages before this one",
    Limit.PREFIX_REWRITTEN: "the messages before this one, alone, are printed without the text that ends the last of them",
    Limit.OTHER_END: "the messages before this one end otherwise when they stand alone, or when another message follows: the "
    "two borders are the ends of what the texts share, with and without a marker with which both may go on; where both other "
    "texts close the message in one way and this one in another, it may begin anywhere before its first own character",
    Limit.PROMPT_ALWAYS: "the template prints the generation prompt without being asked: the end of the messages before is "
    "not seen without an answer's header behind it, which may share its beginning with the one that does follow",
    Limit.SEPARATOR: "white space that is there only between two messages: the earlier one or the later one prints it",
    Limit.FINAL_TEXT: "text after the last message that is not there when another one follows: it may be that message's, if "
    "it is the last, or nobody's",
    Limit.MERGED: "literals beside a message that is printed inside another one (a system prompt in the first question)",
}
"""What each limit means."""
