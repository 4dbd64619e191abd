"""Messages, calls and schemas as the OpenAI API spells them: the words that shapes and probes are written in."""

from __future__ import annotations

from typing import Any

__all__ = ["WEATHER_TOOL", "assistant", "system", "tool", "tool_call", "user"]

WEATHER_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Look up the weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Name of the city"}},
            "required": ["city"],
        },
    },
}
"""A tool schema as the OpenAI API has it."""


def tool_call(city: str, *, identifier: str = "call00001") -> dict[str, Any]:
    """A call of the weather tool; the id has the nine letters and digits that Mistral's templates demand."""
    return {
        "id": identifier,
        "type": "function",
        "function": {"name": "get_weather", "arguments": {"city": city}},
    }


def user(content: Any, **more: Any) -> dict[str, Any]:
    """A question."""
    return {"role": "user", "content": content, **more}


def assistant(content: Any, **more: Any) -> dict[str, Any]:
    """An answer; `more` are further keys such as `tool_calls` and `reasoning_content`."""
    return {"role": "assistant", "content": content, **more}


def system(content: Any, *, role: str = "system") -> dict[str, Any]:
    """A system message, or a developer message."""
    return {"role": role, "content": content}


def tool(content: Any, *, identifier: str = "call00001") -> dict[str, Any]:
    """The result of a call of the weather tool."""
    return {"role": "tool", "name": "get_weather", "tool_call_id": identifier, "content": content}
