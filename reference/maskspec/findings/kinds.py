"""The kinds of findings that a report about templates tells, by what they are about.

A finding is a fact and no fault: a template may drop earlier reasoning on purpose. It is
something that whoever trains on the template's output, or writes the template, has to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from maskspec.hazards import HazardKind

__all__ = ["FROM_HAZARDS", "REFINED_HAZARDS", "TOKEN_HAZARDS", "Family", "FindingKind"]


class Family(Enum):
    """What a kind of finding is about."""

    RENDERING = "rendering"
    """Whether the template can be rendered at all."""
    HISTORY = "history"
    """Whether what was rendered stays as it was when the conversation goes on."""
    STOP = "stop"
    """What ends an answer."""
    TAGS = "tags"
    """The template's `{% generation %}` tags beside the principle."""
    CONTENT = "content"
    """Whether the words of the messages reach the output."""
    ROLES = "roles"
    """Which messages are taken, and where they are printed."""
    PROMPT = "prompt"
    """The generation prompt and the header of answers."""


class FindingKind(Enum):
    """The kinds of findings; the value is the name on the command line and in files."""

    DOES_NOT_COMPILE = "does-not-compile"
    REFUSES_PLAIN = "refuses-plain"
    LIMIT_EXCEEDED = "limit-exceeded"
    FORBIDDEN = "forbidden"
    UNTRACEABLE = "untraceable"

    HISTORY_REASONING = "history-reasoning"
    HISTORY_LAST_TURN = "history-last-turn"
    HISTORY_END = "history-end"
    HISTORY_SYSTEM = "history-system"
    HISTORY_TOOLS = "history-tools"
    HISTORY_CONTENT = "history-content"
    DATE = "date"
    DEFAULT_SYSTEM = "default-system"
    PREAMBLE = "preamble"

    STOP_MISSING = "stop-missing"
    STOP_NOT_EOS = "stop-not-eos"
    STOP_WRITTEN_OUT = "stop-written-out"
    STOP_BOUNDARY = "stop-boundary"
    STOP_VARIES = "stop-varies"
    BLANK_AFTER_STOP = "blank-after-stop"
    TEXT_AFTER_STOP = "text-after-stop"

    TAGS_NONE = "tags-none"
    TAGS_OPENING = "tags-opening"
    TAGS_CONTENT = "tags-content"
    TAGS_REASONING = "tags-reasoning"
    TAGS_CALLS = "tags-calls"
    TAGS_SCAFFOLD = "tags-scaffold"
    TAGS_STOP = "tags-stop"
    TAGS_TAIL = "tags-tail"
    TAGS_OTHERS = "tags-others"

    CONTENT_DROPPED = "content-dropped"
    CONTENT_CUT = "content-cut"
    CONTENT_TRIMMED = "content-trimmed"
    CONTENT_ALTERED = "content-altered"
    CONTENT_ESCAPED = "content-escaped"
    REASONING_IGNORED = "reasoning-ignored"
    REASONING_EARLIER = "reasoning-earlier"
    REASONING_INLINE = "reasoning-inline"
    CALLS_DROPPED = "calls-dropped"
    CALLS_CUT = "calls-cut"
    PARTS_DROPPED = "parts-dropped"
    PARTS_SPELLED_OUT = "parts-spelled-out"
    TOOLS_DROPPED = "tools-dropped"

    SYSTEM_REFUSED = "system-refused"
    SYSTEM_LOST = "system-lost"
    SYSTEM_MERGED = "system-merged"
    ROLE_REFUSED = "role-refused"
    ORDER_REFUSED = "order-refused"
    FORM_REFUSED = "form-refused"
    MESSAGE_LOST = "message-lost"
    ANSWER_LOST = "answer-lost"

    PROMPT_IGNORED = "prompt-ignored"
    PROMPT_ALWAYS = "prompt-always"
    PROMPT_DIFFERS = "prompt-differs"
    PROMPT_PREFILL = "prompt-prefill"
    ANSWER_SCAFFOLD = "answer-scaffold"
    HEADER_UNCERTAIN = "header-uncertain"
    NOTHING_TRAINED = "nothing-trained"
    DOUBLED_BOS = "doubled-bos"


FROM_HAZARDS: Mapping[HazardKind, FindingKind] = {
    HazardKind.NO_STOP: FindingKind.STOP_MISSING,
    HazardKind.BOUNDARY_STOP: FindingKind.STOP_BOUNDARY,
    HazardKind.UNCONFIRMED_OPENING: FindingKind.HEADER_UNCERTAIN,
    HazardKind.NOT_RENDERED: FindingKind.ANSWER_LOST,
    HazardKind.NOTHING_TRAINED: FindingKind.NOTHING_TRAINED,
    HazardKind.DOUBLED_BOS: FindingKind.DOUBLED_BOS,
}
"""The hazards that are findings as they are."""

REFINED_HAZARDS = frozenset(
    {HazardKind.CONTENT_DROPPED, HazardKind.REASONING_DROPPED, HazardKind.GENERATION_TAGS_DISAGREE}
)
"""The hazards for which there are several kinds of findings."""

TOKEN_HAZARDS = frozenset({HazardKind.STRADDLING, HazardKind.PHANTOM, HazardKind.UNKNOWN_TOKEN})
"""The hazards that only a tokenizer can show, so that no report about templates has them."""
