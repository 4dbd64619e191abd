"""The conversations that every template of the corpus renders, and the words by which their texts are found again.

Every word of letters and digits in an assistant message occurs nowhere else, so
its occurrences in a rendering can only come from there; `REPEATED` is the
exception, whose turns are equal on purpose.
"""

from __future__ import annotations

from typing import Any

Messages = list[dict[str, Any]]

TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": 'Look up the "weather" of a <city>.',
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "City <name>"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    },
}


def _user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _assistant(text: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


def _called(**arguments: Any) -> list[dict[str, Any]]:
    # Mistral's templates demand ids of nine letters and digits.
    return [{"type": "function", "id": "abcdefghi", "function": {"name": "get_weather", "arguments": arguments}}]


_RESULT = {"role": "tool", "name": "get_weather", "tool_call_id": "abcdefghi", "content": "sunny"}

REPEATED = "repeated turns"

CONVERSATIONS: dict[str, tuple[Messages, list[dict[str, Any]] | None]] = {
    "plain": ([_user("Hi there"), _assistant("Alphazq & <b>bravozq</b>")], None),
    "system": ([{"role": "system", "content": "Be nice"}, _user("Hi"), _assistant("Alphazq\nBravozq")], None),
    REPEATED: ([_user("Say it"), _assistant("Alphabravozq")] * 4, None),
    "reasoning": (
        [
            _user("Why?"),
            _assistant("Alphazq bravozq", reasoning_content="Charliezq deltazq"),
            _user("And now?"),
            _assistant("Echozq foxtrotzq", reasoning_content="Golfzq hotelzq"),
        ],
        None,
    ),
    "inline reasoning": (
        [
            _user("Why?"),
            _assistant("<think>\nCharliezq deltazq\n</think>\n\nAlphazq bravozq"),
            _user("And now?"),
            _assistant("<think>\nGolfzq\n</think>\n\nEchozq foxtrotzq"),
        ],
        None,
    ),
    "tools": (
        [
            _user("weather?"),
            _assistant("", tool_calls=_called(city='Juliettzq "kilozq"', days=31)),
            _RESULT,
            _assistant("Limazq mikezq."),
        ],
        [TOOL],
    ),
    "tool call with text": (
        [
            _user("weather?"),
            _assistant("Novemberzq", tool_calls=_called(city="Oscarzq")),
            _RESULT,
            _assistant("Papazq."),
            _user("Thanks"),
            _assistant("Quebeczq"),
        ],
        [TOOL],
    ),
    "list content": (
        [
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            _assistant([{"type": "text", "text": "Alphazq "}, {"type": "text", "text": "bravozq"}]),
        ],
        None,
    ),
    "empty content": ([_user("Hi"), _assistant(""), _user("Again"), _assistant("Alphazq")], None),
    "trailing user": ([_user("Hi"), _assistant("Alphazq"), _user("Bye")], None),
}

SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
