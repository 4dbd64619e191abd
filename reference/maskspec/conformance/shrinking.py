"""Makes a failing conversation as small as it can be while the same rule still fails in the same way.

Hypothesis shrinks what it generated. Fixed shapes, stored counterexamples and
conversations from elsewhere fail too, so this starts from any conversation and takes
away what it can: rounds, single messages, tools, template variables, further keys,
calls and parts, then text. Every step is kept only where the failure stays.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

from maskspec.conformance.cases import Case

__all__ = ["shrink", "size"]

_KEEP = ("role", "content", "tool_call_id", "name")
_NO_TEXT = ("role", "type", "id", "tool_call_id", "name")
_SIMPLE = ("a", "b", "c d")
_SHORT = 24
_Path = tuple[str | int, ...]
_Messages = list[dict[str, Any]]


def size(case: Case) -> tuple[int, int]:
    """The order of cases from small to large: by number of messages, then by length as JSON."""
    return len(case.messages), len(_json(case))


def shrink(case: Case, still_fails: Callable[[Case], object], *, attempts: int = 300) -> Case:
    """The smallest case found, trying at most `attempts` smaller ones; `still_fails` says which to keep."""
    return _Reduction(case, still_fails, attempts).run()


def _json(case: Case, *, sort_keys: bool = False) -> str:
    data = [list(case.messages), case.tools, dict(case.template_kwargs)]
    return json.dumps(data, ensure_ascii=False, sort_keys=sort_keys, default=str)


class _Reduction:
    """The case so far, and the steps that make it smaller, the boldest first."""

    def __init__(self, case: Case, still_fails: Callable[[Case], object], attempts: int) -> None:
        self._case = case
        self._still_fails = still_fails
        self._left = attempts
        self._tried = {_json(case, sort_keys=True)}

    def run(self) -> Case:
        """Take all steps, again and again until none of them helps."""
        before = None
        while before is not self._case and self._left > 0:
            before = self._case
            self._drop_messages()
            self._drop_surroundings()
            self._drop_keys()
            self._drop_items()
            self._shorten_equal_texts()
            self._shorten_texts()
        return self._case

    def _keep(self, *, plainer: bool = False, **changes: Any) -> bool:
        """Go on with these changes if the failure stays; `plainer` ones need not be shorter."""
        candidate = replace(self._case, **changes)
        key = _json(candidate, sort_keys=True)
        if key in self._tried or self._left <= 0 or (size(candidate) >= size(self._case) and not plainer):
            return False
        self._tried.add(key)
        self._left -= 1
        if not self._still_fails(candidate):
            return False
        self._case = candidate
        return True

    def _keep_message(self, index: int, message: dict[str, Any], *, plainer: bool = False) -> bool:
        messages = self._messages()
        messages[index] = message
        return self._keep(messages=messages, plainer=plainer)

    def _messages(self) -> _Messages:
        return [deepcopy(dict(message)) for message in self._case.messages]

    def _drop_messages(self) -> None:
        """Rounds, then calls with their results, then single messages."""
        for grouped in (_rounds, _exchanges, _singles):
            _drop_stretches(partial(self._groups, grouped), self._keep_groups)
        self._drop_equal_exchanges()
        for index in range(len(self._case.messages) - 1, -1, -1):
            self._drop_calls(index)

    def _groups(self, grouped: Callable[[_Messages], list[_Messages]]) -> list[_Messages]:
        return grouped(self._messages())

    def _keep_groups(self, groups: list[_Messages]) -> bool:
        return bool(groups) and self._keep(messages=[message for group in groups for message in group])

    def _drop_equal_exchanges(self) -> None:
        """What stands twice, in both places: equal rounds stay equal."""
        exchanges = _exchanges(self._messages())
        for exchange in [each for number, each in enumerate(exchanges) if each in exchanges[:number]]:
            self._keep_groups([each for each in _exchanges(self._messages()) if each != exchange])

    def _drop_calls(self, index: int) -> None:
        """One call of several, and the result that stands at its place."""
        number = 0
        while index < len(self._case.messages):
            messages = self._messages()
            calls = messages[index].get("tool_calls") or ()
            if number >= len(calls) or len(calls) < 2:
                return
            messages[index]["tool_calls"] = [call for place, call in enumerate(calls) if place != number]
            result = index + 1 + number
            if result < len(messages) and messages[result].get("role") == "tool":
                del messages[result]
            if not self._keep(messages=messages):
                number += 1

    def _drop_surroundings(self) -> None:
        """Tools and template variables: all of them, then one by one."""
        if self._case.tools is not None and not self._keep(tools=None):
            _drop_stretches(lambda: list(self._case.tools or ()), lambda tools: bool(tools) and self._keep(tools=tools))
        if self._case.template_kwargs and not self._keep(template_kwargs={}):
            for name in tuple(self._case.template_kwargs):
                rest = {key: value for key, value in self._case.template_kwargs.items() if key != name}
                self._keep(template_kwargs=rest)

    def _drop_keys(self) -> None:
        """Keys of messages, from all messages at once and then from one; content None becomes the empty text."""
        for key in dict.fromkeys(key for message in self._case.messages for key in message if key not in _KEEP):
            self._keep(messages=[_without(message, key) for message in self._messages()])
        for index in range(len(self._case.messages)):
            for key in tuple(self._case.messages[index]):
                if key not in _KEEP:
                    self._keep_message(index, _without(self._messages()[index], key))
            if self._case.messages[index].get("content", "") is None:
                self._keep_message(index, {**self._messages()[index], "content": ""})

    def _drop_items(self) -> None:
        """Calls, parts, spans, and whatever arguments hold; a list of parts becomes its text."""
        self._keep(messages=[_as_text(message) for message in self._messages()])
        for index in range(len(self._case.messages)):
            self._keep_message(index, _as_text(self._messages()[index]))
            again = True
            while again:
                message = self._messages()[index]
                again = any(self._keep_message(index, smaller) for smaller in _without_an_item(message))

    def _shorten_equal_texts(self) -> None:
        """Texts that stand in several places, in all of them at once."""
        found: dict[str, list[tuple[int, _Path]]] = {}
        for index, message in enumerate(self._case.messages):
            for path, text in _texts(message):
                found.setdefault(text, []).append((index, path))
        for text, places in found.items():
            if len(places) < 2:
                continue
            for simple in _SIMPLE:
                messages = self._messages()
                for index, path in places:
                    _put(messages[index], path, simple)
                if len(simple) <= len(text) and text not in _SIMPLE and self._keep(messages=messages, plainer=True):
                    break

    def _shorten_texts(self) -> None:
        for index in range(len(self._case.messages)):
            for path, text in tuple(_texts(self._case.messages[index])):
                self._shorten(index, path, text)

    def _shorten(self, index: int, path: _Path, text: str) -> None:
        def tried(shorter: str, *, plainer: bool = False) -> bool:
            message = self._messages()[index]
            _put(message, path, shorter)
            return self._keep_message(index, message, plainer=plainer)

        if path[-1] == "arguments":
            tried("{}")
            return
        if path == ("content",) and self._case.messages[index].get("tool_calls") and tried(""):
            return
        if any(len(simple) < len(text) and tried(simple) for simple in _SIMPLE):
            return

        def now() -> str:
            value: Any = self._case.messages[index]
            for key in path:
                value = value[key]
            return str(value)

        _drop_stretches(lambda: list(now()), lambda letters: bool(letters) and tried("".join(letters)))
        if len(now()) <= _SHORT:
            for position, letter in enumerate(now()):
                before, after = now()[:position], now()[position + 1 :]
                if letter not in "a " and not tried(f"{before}a{after}", plainer=True):
                    tried(f"{before} {after}", plainer=True)


def _grouped(messages: _Messages, begins: Callable[[dict[str, Any]], bool]) -> list[_Messages]:
    groups: list[_Messages] = []
    for message in messages:
        if not groups or begins(message):
            groups.append([])
        groups[-1].append(message)
    return groups


def _rounds(messages: _Messages) -> list[_Messages]:
    return _grouped(messages, lambda message: message.get("role") == "user")


def _exchanges(messages: _Messages) -> list[_Messages]:
    return _grouped(messages, lambda message: message.get("role") != "tool")


def _singles(messages: _Messages) -> list[_Messages]:
    return [[message] for message in messages]


def _drop_stretches(items: Callable[[], list[Any]], keep: Callable[[list[Any]], bool]) -> None:
    """Leave out stretches of a sequence, long ones first and from the end, as long as `keep` agrees."""
    width = max(len(items()) // 2, 1)
    while width:
        start = len(items()) - width
        while start >= 0:
            now = items()
            kept = keep(now[:start] + now[start + width :])
            start = min(start - (width if kept or width > 3 else 1), len(items()) - width)
        width = width - 1 if width <= 3 else width // 2


def _as_text(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if not isinstance(content, list):
        return message
    return {**message, "content": "".join(str(part.get("text", "")) for part in content)}


def _without(message: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name != key}


def _without_an_item(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The message without one item of one of its lists, or without one argument of several; the last ones first."""
    for path, container in _containers(message):
        for key in reversed(range(len(container)) if isinstance(container, list) else tuple(container)):
            smaller = deepcopy(message)
            inner: Any = smaller
            for step in path:
                inner = inner[step]
            del inner[key]
            yield smaller


def _containers(
    value: Any, path: _Path = (), *, inside: bool = False
) -> Iterator[tuple[_Path, list[Any] | dict[str, Any]]]:
    """Lists and, inside arguments, objects that may lose an item; an object never its only one."""
    if isinstance(value, list):
        if len(value) > 1 or (inside and value):
            yield path, value
        pairs: Sequence[tuple[str | int, Any]] = tuple(enumerate(value))
    elif isinstance(value, dict):
        if inside and len(value) > 1:
            yield path, value
        pairs = tuple(value.items())
    else:
        return
    for key, item in pairs:
        yield from _containers(item, (*path, key), inside=inside or key == "arguments")


def _texts(value: Any, path: _Path = ()) -> Iterator[tuple[_Path, str]]:
    """The texts inside a message that may be shortened, with their paths."""
    if isinstance(value, str):
        if value:
            yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _NO_TEXT or "arguments" in path:
                yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


def _put(value: Any, path: _Path, text: str) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = text
