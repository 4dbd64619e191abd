"""Tool calls and tool schemas: the shapes that the field uses, checked and otherwise kept as they are.

A template decides which shape it reads (`call.function.name` or `call.name`,
arguments as an object or as JSON text), so nothing is converted here.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from maskspec.conversation.values import FrozenMapping, described, field_name, freeze, listed
from maskspec.errors import ConversationError

__all__ = ["check_function_call", "check_tool_calls", "parsed_json", "read_tools"]


def check_tool_calls(calls: object, *, field: str = "tool_calls") -> None:
    """Raise ConversationError unless frozen `calls` is a list of tool calls.

    A call is `{"id", "type", "function": {"name", "arguments"}}` (id and type optional) or the bare
    `{"name", "arguments"}`. Further keys are allowed.
    """
    if not isinstance(calls, tuple):
        raise ConversationError(f"is {described(calls)}; give a list of calls", field=field)
    for index, call in enumerate(calls):
        place = f"{field}[{index}]"
        if not isinstance(call, FrozenMapping):
            raise ConversationError(f"is {described(call)}; give an object with a function", field=place)
        for key in ("id", "type"):
            if not isinstance(call.get(key), str | None):
                raise ConversationError(f"is {described(call[key])}; give text", field=f"{place}.{key}")
        if "function" in call:
            check_function_call(call["function"], field=f"{place}.function")
        else:
            check_function_call(call, field=place)


def check_function_call(call: object, *, field: str = "function_call") -> None:
    """Raise ConversationError unless frozen `call` names a function and holds its arguments."""
    if not isinstance(call, FrozenMapping):
        raise ConversationError(f"is {described(call)}; give an object with name and arguments", field=field)
    name = call.get("name")
    if not isinstance(name, str) or not name:
        raise ConversationError(
            f"has no function name (keys seen: {listed(call)}); give it as 'name'", field=f"{field}.name"
        )
    arguments = call.get("arguments")
    place = f"{field}.arguments"
    if isinstance(arguments, FrozenMapping):
        return
    if not isinstance(arguments, str):
        hint = "; rename 'parameters' to 'arguments'" if "parameters" in call else ""
        given = described(arguments) if "arguments" in call else "missing"
        raise ConversationError(f"is {given}; give an object or JSON text ({{}} for none){hint}", field=place)
    # Calls without arguments are often stored with an empty string.
    if arguments.strip():
        value = parsed_json(arguments, place)
        if not isinstance(value, dict):
            raise ConversationError(f"is JSON text for {described(value)}; it must be an object", field=place)


def parsed_json(text: str, field: str) -> Any:
    """Parse JSON text, or raise ConversationError saying where it breaks. NaN and Infinity are no JSON."""

    def refuse(constant: str) -> NoReturn:
        raise ConversationError(f"holds {constant}, which JSON does not know; use null or a finite number", field=field)

    try:
        return json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise ConversationError(
            f"is not valid JSON: {error.msg} at character {error.pos}; repair the text, or give an object",
            field=field,
        ) from None
    except (ValueError, RecursionError) as error:
        raise ConversationError(f"is JSON that cannot be read: {error}", field=field) from None


def read_tools(tools: object) -> tuple[FrozenMapping, ...] | None:
    """Return tool schemas frozen, from a list of objects or the JSON text of one; None where there are none.

    Blank text means no tools (LLaMA-Factory's files write it so). Python functions are refused: transformers
    derives a schema from them (`get_json_schema`), and that has to happen before. Raises ConversationError.
    """
    if isinstance(tools, str):
        tools = parsed_json(tools, "tools") if tools.strip() else None
    if tools is None:
        return None
    if not isinstance(tools, list | tuple):
        raise ConversationError(f"is {described(tools)}; give a list of tool schemas", field="tools")
    for index, tool in enumerate(tools):
        if callable(tool):
            raise ConversationError(
                "is a Python function; turn it into a schema first (transformers.utils.get_json_schema)",
                field=field_name(("tools", index)),
            )
    frozen: tuple[Any, ...] = freeze(tools, ("tools",))
    for index, tool in enumerate(frozen):
        if not isinstance(tool, FrozenMapping):
            raise ConversationError(
                f"is {described(tool)}; give an object (a JSON schema)", field=field_name(("tools", index))
            )
    return frozen
