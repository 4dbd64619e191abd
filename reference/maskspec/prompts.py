"""What the generation prompt supplies before each message, found with few renders.

By definition the opening of message i ends where the text stops agreeing with
P = `render(messages[:i], add_generation_prompt=True)`. That is one render per
turn, and a conversation of n turns would cost n² messages. P matters only
through the text it adds after the turns before it, and templates choose that
text by the *kind* of what precedes: so it is computed once per kind.

A kind holds everything that templates were seen to look at: the role, tool
calls, reasoning and emptiness of the preceding message, the roles seen so far,
which of the template's own search strings (such as `/no_think`) occur in the
messages before, and the number of messages as far as the template compares
it with a constant. A turn that agrees with its kind's prompt in an unexpected
number of characters is looked at on its own. `GenerationPrompts.exact` skips
the cache; a property test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import nodes

from maskspec.errors import TemplateError, TemplateLimitExceeded
from maskspec.markers import uncut
from maskspec.rendering import ConversationRenderer
from maskspec.rendering.environment import ChatEnvironment

__all__ = ["GenerationPrompt", "GenerationPrompts", "Lookups", "common_prefix", "lookups"]

_EARLY_TURNS = 2
"""Templates treat the first turns apart (merged system prompts, defaults); later ones alike."""


@dataclass(frozen=True, slots=True)
class GenerationPrompt:
    """What a template prints to make the model speak after some messages.

    `added` holds the text that `add_generation_prompt=True` adds: beyond the
    characters before the message, and (where the template rewrites history, so
    that those differ) beyond the same messages rendered without the option.
    Where the template ignores the option, or refuses to render the prefix,
    `added` is empty and `header` is the text that it prints before a plain
    answer: no prompt supplies it, and no model can be expected to generate it.
    Where the template rewrites history, `header` is not known to begin with
    the region, and `header_is_tail` says that the header is some end of it.
    """

    added: tuple[str, ...]
    header: str = ""
    header_is_tail: bool = False

    def agreed_header(self, region: str) -> int:
        """The number of characters at the start of a region that the header supplies."""
        if not self.header_is_tail:
            return common_prefix(region, self.header)
        lengths = range(min(len(region), len(self.header)), 0, -1)
        return next((length for length in lengths if self.header.endswith(region[:length])), 0)


class GenerationPrompts:
    """The generation prompts of one conversation, whose rendering is `text`."""

    __slots__ = ("_agreed", "_kinds", "_known", "_made_for", "_renderer", "_text")

    def __init__(self, renderer: ConversationRenderer, *, template: str, text: str) -> None:
        self._renderer = renderer
        self._text = text
        self._kinds = _kinds(renderer.messages, lookups(template))
        self._known: dict[Hashable, GenerationPrompt] = {}
        self._agreed: dict[Hashable, set[int]] = {}
        self._made_for: dict[Hashable, int] = {}

    def before(self, index: int, region_start: int) -> GenerationPrompt:
        """The generation prompt for message `index`, whose region starts at a character of the text."""
        kind = self._kinds[index]
        known = self._known.get(kind)
        if known is None:
            known = self._known[kind] = self.exact(index, region_start)
            self._made_for[kind] = index
        return known

    def surprising(self, index: int, region_start: int, agreed: int) -> GenerationPrompt | None:
        """The exact prompt where a turn agrees with its kind's prompt in an unexpected number of characters.

        A prompt that holds data (a number, a name) differs within one kind; it
        shows by agreeing less than it did for the turn it was made for. None
        when nothing is surprising, or the exact prompt is the known one.
        """
        kind = self._kinds[index]
        expected = self._agreed.setdefault(kind, set())
        if index == self._made_for[kind]:
            expected.add(agreed)
        if agreed in expected:
            return None
        prompt = self.exact(index, region_start)
        if prompt == self._known[kind]:
            expected.add(agreed)
            return None
        return prompt

    def exact(self, index: int, region_start: int) -> GenerationPrompt:
        """The generation prompt for message `index`, rendered from exactly the messages before it."""
        try:
            prompt = self._renderer.text(count=index, add_generation_prompt=True)
            if len(prompt) > region_start and self._text.startswith(prompt):
                return GenerationPrompt((prompt[region_start:],))
            history = self._renderer.text(count=index)
        except TemplateLimitExceeded:
            raise
        except TemplateError:
            return self.without_prompt(index, region_start)
        if prompt == history:
            return self.without_prompt(index, region_start)
        beyond_history = prompt[uncut(prompt, common_prefix(prompt, history)) :]
        if self._text.startswith(prompt[:region_start]) and len(prompt) >= region_start:
            return GenerationPrompt(tuple(dict.fromkeys((prompt[region_start:], beyond_history))))
        return GenerationPrompt((beyond_history,))

    def without_prompt(self, index: int, region_start: int) -> GenerationPrompt:
        """What the template prints before a plain answer in the place of message `index`."""
        message = self._renderer.messages[index]
        in_parts: list[Any] = [[{"type": "text", "text": _PROBE}]] if isinstance(message.get("content"), list) else []
        following = self._renderer.messages[index + 1 :]
        # Some templates print no content in parts, and some refuse a conversation without a user message.
        for content in (*in_parts, _PROBE):
            for rest in ([], following):
                text = self._probed(index, {"role": message.get("role"), "content": content}, rest)
                found = text.find(_PROBE)
                if found >= region_start and text.startswith(self._text[:region_start]):
                    return GenerationPrompt((), text[region_start:found])
                if found >= 0:
                    return GenerationPrompt((), text[max(0, found - _LONGEST_HEADER) : found], header_is_tail=True)
        return GenerationPrompt(())

    def _probed(self, index: int, probe: Mapping[str, Any], rest: Sequence[Mapping[str, Any]]) -> str:
        """The text with a probe in the place of message `index`; empty where the template refuses it."""
        try:
            return self._renderer.text(count=index, extra=[probe, *rest])
        except TemplateLimitExceeded:
            raise
        except TemplateError:
            return ""


_LONGEST_HEADER = 500
"""Characters; headers are a marker, a role and a newline."""

_PROBE = "maskspecprobe"
"""An answer that no template rewrites: one lower-case word."""


def common_prefix(left: str, right: str) -> int:
    """The number of characters that two texts share at their start."""
    agreed, end = 0, min(len(left), len(right))
    while agreed < end:
        middle = (agreed + end + 1) // 2
        if left[agreed:middle] == right[agreed:middle]:
            agreed = middle
        else:
            end = middle - 1
    return agreed


@dataclass(frozen=True, slots=True)
class Lookups:
    """What a template compares messages with: strings it searches for, strings and numbers it tests for equality."""

    searched: tuple[str, ...]
    equal: frozenset[str]
    numbers: tuple[int, ...]


def _kinds(messages: Sequence[dict[str, Any]], lookup: Lookups) -> list[Hashable]:
    """For every message, what the template may see in the messages before it."""
    kinds: list[Hashable] = []
    roles: frozenset[Any] = frozenset()
    found: frozenset[tuple[Any, str]] = frozenset()
    previous: Hashable = None
    for index, message in enumerate(messages):
        position = tuple(max(-2, min(2, index - number)) for number in lookup.numbers)
        kinds.append((min(index, _EARLY_TURNS), position, previous, roles, found))
        role, content = message.get("role"), message.get("content")
        here: frozenset[tuple[Any, str]] = frozenset()
        if lookup.searched:
            text = _all_text(message)
            here = frozenset((role, string) for string in lookup.searched if string in text)
        previous = (
            role,
            here,
            frozenset(key for key, value in message.items() if value),
            type(content),
            content if isinstance(content, str) and content in lookup.equal else None,
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
def lookups(template: str) -> Lookups:
    """The constants that a template compares with, or searches for in text, found in its syntax tree."""
    tree = ChatEnvironment().parse(template)
    searched: set[str] = set()
    equal: set[str] = set()
    numbers: set[int] = set()
    for compare in tree.find_all(nodes.Compare):
        contains = any(operand.op in ("in", "notin") for operand in compare.ops)
        for constant in _constants(compare):
            if isinstance(constant, str):
                (searched if contains else equal).add(constant)
            elif type(constant) is int:
                numbers.add(constant)
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Getattr) and call.node.attr in _SEARCHES:
            for argument in call.args:
                searched.update(constant for constant in _constants(argument) if isinstance(constant, str))
    return Lookups(
        tuple(sorted(string for string in searched if string.strip())), frozenset(equal), tuple(sorted(numbers))
    )


_SEARCHES = frozenset(
    {"startswith", "endswith", "find", "rfind", "index", "count", "split", "rsplit", "partition", "rpartition"}
)


def _constants(node: nodes.Node) -> set[Any]:
    found = [*node.find_all(nodes.Const), *([node] if isinstance(node, nodes.Const) else [])]
    return {constant.value for constant in found if isinstance(constant.value, (str, int))}
