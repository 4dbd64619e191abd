"""ShareGPT records: `conversations` of `from` and `value`, read as messages of the OpenAI shape.

Role names are data, so the mapping can be changed; a name that is not in it is an
error, because a turn under the wrong role is masked wrongly without a sound: in
axolotl issue 2123 the name `gpt` was not mapped, and nothing was trained.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from maskspec.conversation.tools import parsed_json
from maskspec.conversation.values import described, listed, shown
from maskspec.errors import ConversationError, UsageError
from maskspec.suggestions import suggestion

__all__ = ["FUNCTION_CALL", "SHAREGPT_ROLES", "canonical_roles", "is_sharegpt_turn", "read_turn"]

FUNCTION_CALL = "function_call"
"""The mapping's value for turns whose text is a call as JSON; they become an assistant message with tool_calls."""

SHAREGPT_ROLES: Mapping[str, str] = MappingProxyType(
    {
        "system": "system",
        "developer": "developer",
        "human": "user",
        "user": "user",
        "gpt": "assistant",
        "assistant": "assistant",
        "model": "assistant",
        "chatgpt": "assistant",
        "bing": "assistant",
        "bard": "assistant",
        "tool": "tool",
        "observation": "tool",
        "function_response": "tool",
        "tool_response": "tool",
        "function_call": FUNCTION_CALL,
        "tool_call": FUNCTION_CALL,
    }
)
"""The role names of ShareGPT files and what templates call them; extend it by `SHAREGPT_ROLES | {"bot": "assistant"}`.

`observation` and `function_call` are LLaMA-Factory's default tags, `tool_call` and `tool_response` ms-swift's.
"""


def canonical_roles(names: Iterable[str], *, roles: Mapping[str, str] = SHAREGPT_ROLES) -> frozenset[str]:
    """Return the template's names for a data set's role names: `["gpt"]` gives `{"assistant"}`.

    Names that templates use already are accepted as they are. Raises UsageError for an unknown name, with the
    known ones, and for one string where a list belongs.
    """
    if isinstance(names, str):
        raise UsageError(f"roles are the string {names!r}; give a list: [{names!r}]")
    return frozenset(_canonical(name, roles) for name in names)


def _canonical(name: str, roles: Mapping[str, str]) -> str:
    role = roles.get(name, name if name in roles.values() else None)
    if role is None:
        known = sorted({*roles, *roles.values()})
        hint = suggestion(name, known) if isinstance(name, str) else ""
        raise UsageError(f"unknown role {shown(name)}{hint or ';'} known roles: {', '.join(known)}")
    return "assistant" if role == FUNCTION_CALL else role


def is_sharegpt_turn(turn: object) -> bool:
    """Say whether a turn names its role in the ShareGPT way."""
    return isinstance(turn, Mapping) and "from" in turn and "role" not in turn


def read_turn(turn: object, roles: Mapping[str, str]) -> dict[str, Any]:
    """Return one ShareGPT turn as a raw message of the OpenAI shape.

    `from` and `value` may also be called `role` and `content`; every other key is kept. Raises ConversationError.
    """
    if not isinstance(turn, Mapping):
        raise ConversationError(f"is {described(turn)}; give an object with 'from' and 'value'")
    name = _either(turn, "from", "role")
    if name is None:
        raise ConversationError(
            f"is missing (keys seen: {listed(turn)}); give a name such as 'human' or 'gpt'", field="from"
        )
    role = roles.get(name) if isinstance(name, str) else None
    if role is None:
        hint = suggestion(name, roles) if isinstance(name, str) else ""
        raise ConversationError(
            f"is {shown(name)}, no known role{hint or ';'} known roles: {', '.join(sorted(roles))}; "
            "map others with roles=",
            field="from" if "from" in turn else "role",
        )
    message: dict[str, Any] = {"role": role}
    if "value" in turn or "content" in turn:
        message["content"] = _either(turn, "value", "content")
    if role == FUNCTION_CALL:
        message = {"role": "assistant", "tool_calls": _calls(message.get("content"))}
    message.update((key, value) for key, value in turn.items() if key not in ("from", "role", "value", "content"))
    return message


def _either(turn: Mapping[str, Any], first: str, second: str) -> Any:
    given = [key for key in (first, second) if turn.get(key) is not None]
    if len(given) == 2 and turn[first] != turn[second]:
        raise ConversationError(f"disagrees with field {first!r}, its other name; keep one", field=second)
    return turn[given[0]] if given else None


def _calls(value: object) -> list[dict[str, Any]]:
    calls = parsed_json(value, "value") if isinstance(value, str) else value
    if isinstance(calls, Mapping):
        calls = [calls]
    if not isinstance(calls, list | tuple) or not calls:
        raise ConversationError(
            f"is {described(calls)}; a function call is an object with name and arguments, or a list of them",
            field="value",
        )
    return [{"type": "function", "function": call} for call in calls]
