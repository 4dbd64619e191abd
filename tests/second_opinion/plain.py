"""Chat templates rendered by Jinja alone, as transformers 5 compiles them: nothing here knows where a character came from."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2025, 1, 1)  # templates print local dates

Message = Mapping[str, Any]


class _GenerationTag(Extension):
    """`{% generation %}` prints what it holds."""

    def __init__(self, environment: jinja2.Environment) -> None:
        super().__init__(environment)
        self.tags = {"generation"}

    def parse(self, parser: Parser) -> nodes.Scope:
        line = next(parser.stream).lineno
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


class _Dict:
    """The `dict` that templates of transformers 5 see: it makes dictionaries, and has no other attribute or item."""

    def __call__(self, *pairs: Any, **named: Any) -> dict[Any, Any]:
        return dict(*pairs, **named)

    def fromkeys(self, keys: Any, value: Any = None) -> dict[Any, Any]:
        return dict.fromkeys(keys, value)


def environment() -> ImmutableSandboxedEnvironment:
    """Jinja as transformers sets it up."""
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationTag, loopcontrols]
    )
    made.filters["tojson"] = _tojson
    made.globals["dict"] = _Dict()
    made.globals["raise_exception"] = _raise_exception
    made.globals["strftime_now"] = lambda pattern: NOW.strftime(pattern)
    return made


class PlainTemplate:
    """A compiled template; `text` is None for a conversation that it refuses."""

    def __init__(self, source: str, variables: Mapping[str, Any]) -> None:
        self._template = environment().from_string(source)
        self._variables = variables

    def text(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Message] | None = None,
        prompt: bool = False,
        more: Mapping[str, Any] | None = None,
    ) -> str | None:
        """What the template prints for these messages."""
        try:
            return self._template.render(
                **{
                    "documents": None,
                    **self._variables,
                    **(more or {}),
                    "tools": tools,
                    "messages": [_with_all_names(message) for message in messages],
                    "add_generation_prompt": prompt,
                }
            )
        except Exception:  # noqa: BLE001 - a template raises whatever its operations raise
            return None


def _with_all_names(message: Message) -> dict[str, Any]:
    """Reasoning under each name that templates read, fields without a value left out, as transformers does it."""
    given = {key: value for key, value in message.items() if value is not None}
    for name in ("reasoning_content", "thinking", "reasoning"):
        if name in given:
            return {"thinking": given[name], **given, "reasoning_content": given[name]}
    return given
