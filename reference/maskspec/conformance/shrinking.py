"""Makes a failing conversation as small as it can be while the same rule still fails in the same way.

Hypothesis shrinks what it generated. Fixed shapes and conversations from elsewhere
fail too, so this starts from any conversation and takes away what it can: rounds,
single messages, tools, further keys, then text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from maskspec.conformance.examination import Case

__all__ = ["shrink", "size"]

_KEEP = ("role", "content", "tool_call_id", "name")
_SIMPLE = ("a", "b", "c d")


def size(case: Case) -> tuple[int, int]:
    """The order of cases from small to large: by number of messages, then by length as JSON."""
    return len(case.messages), len(json.dumps([list(case.messages), case.tools], ensure_ascii=False, default=str))


def shrink(case: Case, still_fails: Callable[[Case], object], *, attempts: int = 300) -> Case:
    """The smallest case found, trying at most `attempts` smaller ones; `still_fails` says which to keep."""
    tried = {_key(case)}
    improved = True
    while improved:
        improved = False
        for candidate in _smaller(case):
            key = _key(candidate)
            if key in tried or size(candidate) >= size(case):
                continue
            if len(tried) > attempts:
                return case
            tried.add(key)
            if still_fails(candidate):
                case = candidate
                improved = True
                break
    return case


def _key(case: Case) -> str:
    return json.dumps([list(case.messages), case.tools], ensure_ascii=False, sort_keys=True, default=str)


def _with(case: Case, messages: list[dict[str, Any]], *, tools: bool = True) -> Case:
    return Case(messages=messages, tools=case.tools if tools else None, number=case.number)


def _smaller(case: Case) -> Iterator[Case]:
    """Smaller cases, the boldest first."""
    messages = [deepcopy(dict(message)) for message in case.messages]
    for width in (len(messages) // 2, 4, 3, 2, 1):
        if 0 < width < len(messages):
            for start in range(len(messages) - width, -1, -1):
                yield _with(case, messages[:start] + messages[start + width :])
    if case.tools is not None:
        yield _with(case, messages, tools=False)
    for index, message in enumerate(messages):
        for key in message:
            if key not in _KEEP:
                rest = {name: value for name, value in message.items() if name != key}
                yield _with(case, [*messages[:index], rest, *messages[index + 1 :]])
    for index, message in enumerate(messages):
        for path, text in _texts(message):
            for shorter in _shorter(text):
                changed = deepcopy(message)
                _put(changed, path, shorter)
                yield _with(case, [*messages[:index], changed, *messages[index + 1 :]])


def _texts(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The texts inside a message that may be shortened, with their paths."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in ("role", "type", "id", "tool_call_id", "name"):
                yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


def _shorter(text: str) -> Iterator[str]:
    for simple in _SIMPLE:
        if len(simple) < len(text):
            yield simple
    half = len(text) // 2
    if half:
        yield text[:half]
        yield text[half:]
    for width in (8, 4, 2, 1):
        if width < len(text):
            yield text[width:]
            yield text[:-width]
    if 1 < len(text) <= 24:
        for index in range(1, len(text) - 1):
            yield text[:index] + text[index + 1 :]


def _put(value: Any, path: tuple[str | int, ...], text: str) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = text
