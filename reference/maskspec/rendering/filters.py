"""Jinja's string-building filters, written so that origins survive them.

Only filters that build strings in ways a traced string cannot see are here.
The rest of Jinja's filters work through string methods, which are traced.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import markupsafe
from jinja2 import filters as jinja_filters
from jinja2 import pass_environment, pass_eval_context
from markupsafe import Markup

from maskspec.rendering.traced import (
    TracedFloat,
    TracedInteger,
    TracedText,
    coarse,
    concatenate,
    make_traced,
    percent,
    runs_of,
)

__all__ = ["SafeText", "tracing_filters"]

_COARSE = ("center", "filesizeformat", "pprint", "striptags", "title", "truncate", "urlencode", "urlize", "wordwrap")
_TEXT = ("capitalize", "lower", "title", "trim", "upper")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"}


class SafeText(TracedText):
    """Text marked by the `safe` filter, which escapes whatever is added to it, as `markupsafe.Markup` does."""

    __slots__ = ()

    def __html__(self) -> str:
        return self

    def __add__(self, other: str) -> str:
        return _safe(concatenate([self, escape(other)]))

    def __radd__(self, other: str) -> str:
        return _safe(concatenate([escape(other), self]))


def _safe(text: str) -> SafeText:
    safe: SafeText = str.__new__(SafeText, text)
    safe._runs = runs_of(text)
    return safe


def escape(value: Any) -> str:
    """HTML-escape, as `markupsafe.escape`; each entity belongs to the character it stands for."""
    if isinstance(value, (SafeText, Markup)):
        return value
    text = str(value)
    if not any(character in text for character in _ESCAPES):
        return _safe(text)
    special = [found.start() for found in re.finditer("[&<>\"']", text)]
    if len(special) > _MOST_ENTITIES:
        return _safe(coarse(str.__str__(markupsafe.escape(str.__str__(text))), text))
    traced = _traced(text)
    pieces: list[str] = []
    position = 0
    for found in special:
        pieces.append(traced[position:found])
        entity = _ESCAPES[text[found]]
        pieces.append(make_traced(entity, runs_of(traced[found]) * len(entity)))
        position = found + 1
    pieces.append(traced[position:])
    return _safe(concatenate(pieces))


_MOST_ENTITIES = 10_000
"""A text with more is attributed coarsely."""


@pass_eval_context
def _join(context: Any, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    if attribute is not None:
        value = map(jinja_filters.make_attrgetter(context.environment, attribute), value)
    budget = context.environment.budget
    separator = _traced(str(d))
    parts = [context.environment.as_text(item) for item in budget.bounded(value)]
    budget.string_method(separator, "join", (parts,))
    return separator.join(parts)


@pass_eval_context
def _replace(context: Any, s: str, old: str, new: str, count: int | None = None) -> str:
    text = _traced(context.environment.as_text(s))
    old, new = str(old), str(new)
    context.environment.budget.string_method(text, "replace", (old, new))
    return text.replace(old, new, -1 if count is None else count)


@pass_environment
def _format(environment: Any, value: str, *args: Any, **kwargs: Any) -> str:
    if args and kwargs:
        return jinja_filters.do_format(value, *args, **kwargs)
    environment.budget.percent(str(value), kwargs or args)
    return percent(environment.as_text(value), kwargs or args, environment.as_text)


@pass_environment
def _indent(environment: Any, s: str, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    text = _traced(environment.as_text(s))
    prefix = width if isinstance(width, str) else " " * width
    environment.budget.text(len(text) + len(prefix) * (text.count("\n") + 1))
    lines = _traced(concatenate([text, "\n"])).splitlines()
    if blank:
        result = _traced("\n" + prefix).join(lines)
    else:
        result = lines.pop(0)
        if lines:
            result = concatenate(
                [result, "\n", _traced("\n").join([concatenate([prefix, line]) if line else line for line in lines])]
            )
    return concatenate([prefix, result]) if first else result


def _forceescape(value: Any) -> str:
    if isinstance(value, SafeText):
        return escape(make_traced(str.__str__(value), value._runs))
    return escape(str.__str__(value) if isinstance(value, Markup) else value)


@pass_environment
def _string(environment: Any, value: Any) -> str:
    text: str = environment.as_text(value)
    return text


@pass_environment
def _safe_filter(environment: Any, value: Any) -> str:
    return _safe(environment.as_text(value))


def _traced(text: str) -> TracedText:
    return text if isinstance(text, TracedText) else make_traced(text, runs_of(text))


def _of_text(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter of text that is given what printing its first argument gives, so that a list keeps its origins, too."""

    @pass_environment
    def wrapper(environment: Any, value: Any = "", *args: Any, **kwargs: Any) -> Any:
        known = isinstance(value, (list, tuple, dict, TracedInteger, TracedFloat))
        return function(environment.as_text(value) if known else value, *args, **kwargs)

    return wrapper


def _coarsened(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter whose string results take their origins from its first input."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if isinstance(result, str) and not isinstance(result, (TracedText, Markup)):
            return coarse(result, *(arg for arg in args if isinstance(arg, TracedText)))
        return result

    if hasattr(function, "jinja_pass_arg"):
        wrapper.jinja_pass_arg = function.jinja_pass_arg  # type: ignore[attr-defined]
    return wrapper


def tracing_filters(defaults: dict[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """The filters of a tracing environment that differ from the plain ones."""
    own: dict[str, Callable[..., Any]] = {
        "escape": escape,
        "e": escape,
        "forceescape": _forceescape,
        "format": _format,
        "indent": _indent,
        "join": _join,
        "replace": _replace,
        "safe": _safe_filter,
        "string": _string,
    }
    own.update((name, _coarsened(defaults[name])) for name in _COARSE)
    own.update((name, _of_text(own.get(name, defaults[name]))) for name in _TEXT)
    return own
