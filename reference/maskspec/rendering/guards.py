"""Jinja's filters with their sizes checked before they run.

Every filter call also reads the clock, so a filter that calls another filter
for each of many items cannot outlive the time limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from typing import Any

from jinja2 import pass_eval_context

from maskspec.errors import TemplateLimitExceeded

__all__ = ["guarded_filters", "plain_filters", "separator_length"]

_NUMBERED = frozenset({"batch", "center", "indent", "round", "slice", "truncate", "wordwrap"})
"""Filters whose numeric arguments say how much they build."""

_GATHERING = frozenset({"batch", "dictsort", "groupby", "list", "map", "slice", "sort", "sum", "unique"})
"""Filters that build an item for every item or character of their input."""

_LONGEST_SEPARATOR = 100
"""Characters of an indentation or line separator; each is repeated for every item or line."""


def guarded_filters(environment: Any) -> dict[str, Callable[..., Any]]:
    """All filters of an environment, bounded by the budget that it has when they are called."""
    return {name: _guarded(environment, name, function) for name, function in environment.filters.items()}


_ENTITIES = {"&": 4, "<": 3, ">": 3, '"': 4, "'": 4}
_EXPANSION = {"pprint": 1_000, "urlencode": 12, "urlize": 10, "xmlattr": 6}
"""The most characters that one character can become; `pprint` writes data once for every level of nesting."""


def _guarded(environment: Any, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    passes_first = hasattr(function, "jinja_pass_arg")

    def guarded(*args: Any, **kwargs: Any) -> Any:
        budget = environment.budget
        budget.tick()
        given = args[1:] if passes_first else args
        if name in _NUMBERED or name in _GATHERING:
            _check(budget, name, given, kwargs)
        elif name in _EXPANSION:
            repeated = sum(len(option) for option in (*given[1:], *kwargs.values()) if isinstance(option, str))
            budget.text((_EXPANSION[name] + repeated) * budget.weight(given[0]))
        elif name in ("escape", "e", "forceescape") and isinstance(given[0], str):
            text = given[0]
            budget.text(len(text) + sum(text.count(character) * more for character, more in _ENTITIES.items()))
        return function(*args, **kwargs)

    if passes_first:
        guarded.jinja_pass_arg = function.jinja_pass_arg  # type: ignore[attr-defined]
    guarded.__name__ = name
    return guarded


def _check(budget: Any, name: str, given: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    subject, options = given[0], (*given[1:], *kwargs.values())
    if name in _GATHERING and isinstance(subject, Sized):
        budget.sequence(len(subject))
    if name == "sum" and isinstance(kwargs.get("start", given[2] if len(given) > 2 else 0), (list, tuple)):
        raise TemplateLimitExceeded("the template adds up lists with `sum`; use `+` on two lists at a time")
    if name in _NUMBERED:
        lines = subject.count("\n") + 1 if isinstance(subject, str) and name == "indent" else 1
        for option in options:
            if isinstance(option, int):
                budget.sequence(abs(option))
                if isinstance(subject, str):
                    budget.text(len(subject) + lines * abs(option))
            elif isinstance(option, str):
                separator_length(option)


def separator_length(text: str) -> None:
    """Raise when an indentation or separator is too long to be repeated."""
    if len(text) > _LONGEST_SEPARATOR:
        raise TemplateLimitExceeded(f"the template repeats a separator of more than {_LONGEST_SEPARATOR} characters")


def plain_filters(environment: Any) -> dict[str, Callable[..., Any]]:
    """The filters whose results can be much longer than their input, with their sizes checked."""
    replace = environment.filters["replace"]
    join = environment.filters["join"]
    format_filter = environment.filters["format"]

    @pass_eval_context
    def bounded_replace(context: Any, s: Any, old: Any, new: Any, count: int | None = None) -> str:
        environment.budget.string_method(str(s), "replace", (str(old), str(new)))
        result: str = replace(context, s, old, new, count)
        return result

    @pass_eval_context
    def bounded_join(context: Any, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
        items = environment.budget.bounded(value)
        environment.budget.text(sum(map(environment.budget.weight, items)) + len(str(d)) * len(items))
        result: str = join(context, items, d, attribute)
        return result

    def bounded_format(value: Any, *args: Any, **kwargs: Any) -> str:
        environment.budget.percent(str(value), kwargs or args)
        result: str = format_filter(value, *args, **kwargs)
        return result

    return {"replace": bounded_replace, "join": bounded_join, "format": bounded_format}
