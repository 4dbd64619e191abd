"""What the generation prompt supplies before each message, found with few renders.

By definition the opening of message i ends where the text stops agreeing with
P = `render(messages[:i], add_generation_prompt=True)`. That is one render per
turn, and a conversation of n turns would cost n² messages. P matters only
through the text it adds after the turns before it, and templates choose that
text by the *kind* of what precedes: so it is computed once per kind.

A kind holds everything that templates were seen to look at: the role, tool
calls, reasoning and emptiness of the preceding message, the roles seen so far,
and which of the template's own search strings (such as `/no_think`) occur in
the messages before. `GenerationPrompts.exact` skips the cache; a property test
holds the two against each other.
"""

from __future__ import annotations

import os.path
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import nodes

from maskspec.errors import TemplateError, TemplateLimitExceeded
from maskspec.rendering import ConversationRenderer
from maskspec.rendering.environment import ChatEnvironment

__all__ = ["GenerationPrompt", "GenerationPrompts", "common_prefix", "search_strings"]

_EARLY_TURNS = 2
"""Templates treat the first turns apart (merged system prompts, defaults); later ones alike."""


@dataclass(frozen=True, slots=True)
class GenerationPrompt:
    """What a template prints to make the model speak after some messages.

    `added` is the text that `add_generation_prompt=True` adds beyond the text
    before the message. Where the template ignores the option, or refuses to
    render the prefix, `added` is empty and `header` is the text that it prints
    before a plain answer: no prompt supplies it, and no model can be expected
    to generate it.
    """

    added: str
    header: str = ""


class GenerationPrompts:
    """The generation prompts of one conversation, whose rendering is `text`."""

    __slots__ = ("_kinds", "_known", "_renderer", "_text")

    def __init__(self, renderer: ConversationRenderer, *, template: str, text: str) -> None:
        self._renderer = renderer
        self._text = text
        self._kinds = _kinds(renderer.messages, search_strings(template))
        self._known: dict[Hashable, GenerationPrompt] = {}

    def before(self, index: int, region_start: int) -> GenerationPrompt:
        """The generation prompt for message `index`, whose region starts at a character of the text."""
        kind = self._kinds[index]
        known = self._known.get(kind)
        if known is None:
            known = self._known[kind] = self.exact(index, region_start)
        return known

    def exact(self, index: int, region_start: int) -> GenerationPrompt:
        """The generation prompt for message `index`, rendered from exactly the messages before it."""
        try:
            prompt = self._renderer.text(count=index, add_generation_prompt=True)
            if len(prompt) > region_start and self._text.startswith(prompt[:region_start]):
                return GenerationPrompt(prompt[region_start:])
            history = self._renderer.text(count=index)
        except TemplateLimitExceeded:
            raise
        except TemplateError:
            return GenerationPrompt("", self._header(index, region_start))
        if prompt == history:
            return GenerationPrompt("", self._header(index, region_start))
        if self._text.startswith(prompt) and len(prompt) == region_start:
            return GenerationPrompt("")
        return GenerationPrompt(prompt[common_prefix(prompt, history) :])

    def _header(self, index: int, region_start: int) -> str:
        """What the template prints before a plain answer in the place of message `index`."""
        probe = {"role": self._renderer.messages[index].get("role"), "content": _PROBE}
        try:
            text = self._renderer.text(count=index, extra=[probe])
        except TemplateLimitExceeded:
            raise
        except TemplateError:
            return ""
        found = text.find(_PROBE)
        if found < region_start or not text.startswith(self._text[:region_start]):
            return ""
        return text[region_start:found]


_PROBE = "maskspecprobe"
"""An answer that no template rewrites: one lower-case word."""


def common_prefix(left: str, right: str) -> int:
    """The number of characters that two texts share at their start."""
    return len(os.path.commonprefix((left, right)))


def _kinds(messages: Sequence[dict[str, Any]], strings: Sequence[str]) -> list[Hashable]:
    """For every message, what the template may see in the messages before it."""
    kinds: list[Hashable] = []
    roles: frozenset[Any] = frozenset()
    found: frozenset[tuple[Any, str]] = frozenset()
    previous: Hashable = None
    for index, message in enumerate(messages):
        kinds.append((min(index, _EARLY_TURNS), previous, roles, found))
        role = message.get("role")
        text = _all_text(message)
        here = frozenset((role, string) for string in strings if string in text)
        previous = (
            role,
            here,
            frozenset(key for key, value in message.items() if value),
            type(message.get("content")),
        )
        roles |= {role}
        found |= here
    return kinds


def _all_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "\0".join(_all_text(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return "\0".join(_all_text(item) for item in value)
    return ""


@lru_cache(maxsize=1024)
def search_strings(template: str) -> tuple[str, ...]:
    """The constants that a template searches for in text: operands of `in`, and of string-searching methods."""
    tree = ChatEnvironment().parse(template)
    found: set[str] = set()
    for compare in tree.find_all(nodes.Compare):
        if any(operand.op in ("in", "notin") for operand in compare.ops):
            found.update(_constants(compare.expr))
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Getattr) and call.node.attr in _SEARCHES:
            found.update(constant for argument in call.args for constant in _constants(argument))
    return tuple(sorted(string for string in found if string.strip()))


_SEARCHES = frozenset(
    {"startswith", "endswith", "find", "rfind", "index", "count", "split", "rsplit", "partition", "rpartition"}
)


def _constants(node: nodes.Node) -> set[str]:
    found = {constant.value for constant in node.find_all(nodes.Const) if isinstance(constant.value, str)}
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        found.add(node.value)
    return found
