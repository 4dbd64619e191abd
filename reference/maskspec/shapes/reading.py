"""What the source of a template says about itself: the variables that it reads, and the texts that it prints.

Probing needs something to try. A template's syntax tree names the variables it
consults and the values it compares them with, and holds the markers that somebody
could write into a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.ext import loopcontrols

from maskspec.rendering.environment import ChatEnvironment, GenerationTag

__all__ = ["STANDARD_VARIABLES", "template_literals", "variable_candidates"]

STANDARD_VARIABLES = frozenset(
    {
        "messages",
        "tools",
        "documents",
        "add_generation_prompt",
        "bos_token",
        "eos_token",
        "pad_token",
        "unk_token",
        "sep_token",
        "cls_token",
        "mask_token",
        "additional_special_tokens",
        "caller",
        "kwargs",
        "varargs",
        "loop",
        "self",
    }
)
"""Names that are no template variables of a caller: what every rendering passes, the vocabulary's, and Jinja's own."""

_LITERAL_LIMIT = 40
_MARKER = re.compile(r"<[^<>\s]{1,30}>|\[/?[A-Z_]{2,30}\]|<[|｜][^<>]{1,30}[|｜]>|#{2,} ?[A-Z]\w+:?|\b[A-Z]{4,}:")


@lru_cache(maxsize=1024)
def _parsed(template: str) -> nodes.Template:
    """The tree of a template, shared by all who read it; nobody may change it."""
    return _tree(template)


def _tree(template: str) -> nodes.Template:
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, loopcontrols], autoescape=False
    )
    try:
        return environment.parse(template)
    except (jinja2.TemplateSyntaxError, RecursionError):
        # Whoever renders it says what is wrong; here nothing can be read.
        return environment.parse("")


@lru_cache(maxsize=1)
def _globals() -> frozenset[str]:
    return frozenset(ChatEnvironment().globals)


def template_literals(template: str) -> tuple[str, ...]:
    """The texts that a template prints or compares with, markers first, each once, up to 40 characters long."""
    markers: dict[str, None] = {}
    others: dict[str, None] = {}
    for text in _constants(_parsed(template)):
        markers.update(dict.fromkeys(_MARKER.findall(text)))
        stripped = text.strip()
        if 0 < len(stripped) <= _LITERAL_LIMIT:
            known = markers if _MARKER.fullmatch(stripped) else others
            known.setdefault(stripped)
            if text != stripped and len(text) <= _LITERAL_LIMIT:
                others.setdefault(text)
    return (*markers, *(text for text in others if text not in markers))


def _constants(tree: nodes.Template) -> Iterator[str]:
    for node in tree.find_all((nodes.TemplateData, nodes.Const)):
        value = node.data if isinstance(node, nodes.TemplateData) else node.value  # type: ignore[attr-defined]
        if isinstance(value, str):
            yield value


@lru_cache(maxsize=1024)
def variable_candidates(template: str) -> Mapping[str, tuple[Any, ...]]:
    """The variables that a caller may pass to a template, each with the values that the template looks for.

    Booleans where the template asks whether the variable is true, and the constants that it is compared with.
    Variables that are only printed have no values here.
    """
    tree = _parsed(template)
    try:
        # Jinja generates code for that and folds constants in the tree, so it gets one of its own.
        outside = meta.find_undeclared_variables(_tree(template))
    except jinja2.TemplateError:
        # A filter or test that nobody knows: rendering will say so.
        return {}
    found: dict[str, dict[str, Any]] = {}
    for name, value in _asked(tree):
        found.setdefault(name, {}).setdefault(repr(value), value)
    # What a template assigns itself is the caller's only where it asks first whether the caller did.
    assigned = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"} - set(_optional(tree))
    own = assigned | STANDARD_VARIABLES | _globals()
    return {name: tuple(values.values()) for name, values in found.items() if name in outside and name not in own}


def _optional(tree: nodes.Template) -> Iterator[str]:
    """The names that a template asks for: `is defined`, or a default for them."""
    for test in tree.find_all(nodes.Test):
        if test.name in ("defined", "undefined") and isinstance(test.node, nodes.Name):
            yield test.node.name
    for given in tree.find_all(nodes.Filter):
        if given.name in ("default", "d") and isinstance(given.node, nodes.Name):
            yield given.node.name


def _asked(tree: nodes.Template) -> Iterator[tuple[str, Any]]:
    """Pairs of a name and a value that decides something."""
    for condition in tree.find_all((nodes.If, nodes.CondExpr)):
        yield from _truths(condition.test)  # type: ignore[attr-defined]
    printed = {name for output in tree.find_all(_PRINTING) for name in _operands(output)}
    for test in tree.find_all(nodes.Test):
        if isinstance(test.node, nodes.Name):
            name = test.node.name
            asked = test.name in ("true", "false", "boolean", "sameas")
            if asked or (test.name in ("defined", "undefined") and name not in printed):
                yield from _booleans(name)
    for given in tree.find_all(nodes.Filter):
        if given.name in ("default", "d") and isinstance(given.node, nodes.Name):
            for default in given.args[:1]:
                if isinstance(default, nodes.Const) and isinstance(default.value, bool):
                    yield from _booleans(given.node.name)
    for comparison in tree.find_all(nodes.Compare):
        for operand in comparison.ops:
            for left, right in ((comparison.expr, operand.expr), (operand.expr, comparison.expr)):
                variable = _name(left)
                if variable is not None:
                    yield from ((variable, value) for value in _values(right))


_PRINTING = (nodes.Output, nodes.Add, nodes.Concat)


def _operands(node: nodes.Node) -> Iterator[str]:
    """The variables that an expression makes text of."""
    for child in node.iter_child_nodes():
        variable = _name(child)
        if variable is not None:
            yield variable


def _booleans(name: str) -> Iterator[tuple[str, Any]]:
    yield name, True
    yield name, False


def _truths(test: nodes.Node) -> Iterator[tuple[str, Any]]:
    """The names whose truth a condition asks for."""
    if isinstance(test, nodes.Name):
        yield from _booleans(test.name)
    elif isinstance(test, nodes.Not):
        yield from _truths(test.node)
    elif isinstance(test, nodes.And | nodes.Or):
        yield from _truths(test.left)
        yield from _truths(test.right)


_SAME_TEXT = frozenset({"lower", "upper", "trim", "string", "strip", "default", "d"})


def _name(node: nodes.Node | None) -> str | None:
    """The variable that an operand is, filters and methods that leave a text comparable left aside."""
    while not isinstance(node, nodes.Name):
        if isinstance(node, nodes.Filter) and node.name in _SAME_TEXT:
            node = node.node
        elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and node.node.attr in _SAME_TEXT:
            node = node.node.node
        else:
            return None
    return node.name


def _values(node: nodes.Node) -> Iterator[Any]:
    if isinstance(node, nodes.Const):
        if isinstance(node.value, bool | str | int):
            yield node.value
    elif isinstance(node, nodes.List | nodes.Tuple):
        for item in node.items:
            yield from _values(item)
