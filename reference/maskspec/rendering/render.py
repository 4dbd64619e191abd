"""From a conversation and a template to text in which every character has an origin.

`render` is the first arrow of the data flow. It renders twice, traced and
plain, and refuses to answer when the two texts differ: an origin is either
known or not given.
"""

from __future__ import annotations

import bisect
import datetime
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2
from jinja2.exceptions import SecurityError
from jinja2.exceptions import TemplateSyntaxError as JinjaSyntaxError
from jinja2.runtime import new_context

from maskspec.conversation import Conversation
from maskspec.errors import (
    ProvenanceError,
    TemplateError,
    TemplateLimitExceeded,
    TemplateRejected,
    TemplateSecurityError,
    TemplateSyntaxError,
)
from maskspec.rendering.environment import ChatEnvironment, TracingEnvironment
from maskspec.rendering.limits import Budget, Limits
from maskspec.rendering.origins import Origin, OriginKind
from maskspec.rendering.trace import REASONING_NAMES, Trace
from maskspec.rendering.traced import runs_of

if TYPE_CHECKING:
    from maskspec.rendering.traced import Runs

__all__ = ["Clock", "ConversationRenderer", "Rendering", "Span", "Template", "compiled", "render"]

Clock = Callable[[], datetime.datetime]
"""What `strftime_now` reads; the default is the machine's clock."""


class Span(NamedTuple):
    """Characters `start` to `end` (half-open) of a rendering, which came from one origin.

    `offset` is the place of the first character inside the origin's value
    when the characters are consecutive characters of it; the characters of an
    escape have the offset of the character that they stand for, each in a span
    of its own. None where there is no such place.
    """

    start: int
    end: int
    origin: Origin
    offset: int | None


@dataclass(frozen=True, slots=True)
class Rendering:
    """The text that a template produces, and where every character of it came from.

    The spans cover the text from 0 to its length, in order, without gaps or
    overlaps. `generation_ranges` are the half-open character ranges printed
    inside `{% generation %}` blocks; None when the template has no such tags.
    """

    text: str
    spans: tuple[Span, ...]
    generation_ranges: tuple[tuple[int, int], ...] | None

    def spans_between(self, start: int, end: int) -> Iterator[Span]:
        """The spans that hold characters from `start` up to `end`, in order."""
        first = bisect.bisect_right(self.spans, start, key=lambda span: span.end)
        for position in range(first, len(self.spans)):
            span = self.spans[position]
            if span.start >= end:
                break
            yield span


class Template:
    """A compiled chat template: one plain and one tracing environment, safe to share between threads."""

    __slots__ = ("_lock", "_plain", "_traced", "has_generation_tags", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self._lock = threading.RLock()
        plain = ChatEnvironment()
        traced = TracingEnvironment()
        try:
            self._plain = plain.from_string(source)
            self._traced = traced.from_string(source)
        except JinjaSyntaxError as error:
            raise TemplateSyntaxError(f"line {error.lineno} of the template: {error.message}") from error
        except (RecursionError, MemoryError, SyntaxError, OverflowError) as error:
            raise TemplateSyntaxError(f"the template cannot be compiled: {error}") from error
        self.has_generation_tags = "generation" in {name for kind, name in _block_names(plain, source)}

    def render_text(self, variables: Mapping[str, Any], *, limits: Limits, clock: Clock | None) -> str:
        """The plain text for these template variables."""
        with self._lock:
            return "".join(self._pieces(self._plain, variables, limits, clock))

    def render_traced(
        self, variables: Mapping[str, Any], *, trace: Trace, limits: Limits, clock: Clock | None
    ) -> tuple[str, Runs]:
        """The text and its runs for these traced template variables."""
        with self._lock:
            environment: Any = self._traced.environment
            environment.trace = trace
            try:
                pieces: list[str] = []
                runs: list[Any] = []
                for piece in self._pieces(self._traced, variables, limits, clock):
                    owned = trace.emit(piece)
                    pieces.append(owned)
                    runs.extend(runs_of(owned))
                return "".join(pieces), tuple(runs)
            finally:
                environment.trace = Trace()

    def _pieces(
        self, template: jinja2.Template, variables: Mapping[str, Any], limits: Limits, clock: Clock | None
    ) -> Any:
        environment: Any = template.environment
        budget = environment.budget = Budget(limits)
        environment.now = clock or datetime.datetime.now
        length = 0
        try:
            visible = {**environment.globals, **variables}
            context = new_context(environment, template.name, template.blocks, visible, shared=True)
            for piece in template.root_render_func(context):
                budget.text(len(piece))
                length += len(piece)
                if length > limits.characters:
                    budget.text(length)
                yield piece
        except TemplateError:
            raise
        except SecurityError as error:
            raise TemplateSecurityError(f"the sandbox refused the template: {error}") from error
        except jinja2.TemplateError as error:
            raise TemplateRejected(f"the template rejects this conversation: {error}") from error
        except RecursionError:
            raise TemplateLimitExceeded("the template used up the stack; it nests or recurses too deeply") from None
        except MemoryError:
            raise TemplateLimitExceeded("the template used up the memory") from None
        except OverflowError as error:
            raise TemplateLimitExceeded(f"the template exceeded a limit: {error}") from error
        except Exception as error:  # a template can provoke any exception of the operations it uses
            raise TemplateRejected(
                f"the template fails on this conversation: {type(error).__name__}: {error}"
            ) from error
        finally:
            if environment.budget is budget:  # compiled templates stay; what this rendering weighed need not
                environment.budget = Budget(Limits())


def _block_names(environment: jinja2.Environment, source: str) -> set[tuple[str, str]]:
    """The first name in every `{% … %}` block of a template."""
    found: set[tuple[str, str]] = set()
    previous = ""
    for _, kind, value in environment.lex(source):
        if kind == "name" and previous == "block_begin":
            found.add((kind, value))
        if kind != "whitespace":
            previous = kind
    return found


@lru_cache(maxsize=1024)
def compiled(source: str) -> Template:
    """The compiled form of a template source, remembered."""
    return Template(source)


class ConversationRenderer:
    """One conversation and one template: renders all messages with origins, and any prefix as plain text.

    What a template sees is exactly what `transformers.apply_chat_template`
    passes it (version 5.23.0).
    """

    __slots__ = ("_clock", "_limits", "_program", "_variables", "messages")

    def __init__(
        self,
        conversation: Conversation,
        *,
        template: str,
        tools: Sequence[Mapping[str, Any]] | None = None,
        template_kwargs: Mapping[str, Any] | None = None,
        special_tokens: Mapping[str, Any] | None = None,
        limits: Limits = Limits(),
        clock: Clock | None = None,
    ) -> None:
        if not isinstance(template, str):
            raise TemplateError(f"a template is Jinja source text, not {type(template).__name__}")
        self._program = compiled(template)
        self._limits = limits
        moment = (clock or datetime.datetime.now)()
        self._clock: Clock = lambda: moment
        self.messages = [_alias_reasoning(message) for message in conversation.to_template_messages()]
        variables = {"documents": None, **(special_tokens or {}), **(template_kwargs or {})}
        self._variables: dict[str, Any] = {name: _plain(value) for name, value in variables.items()}
        self._variables["tools"] = (
            conversation.to_template_tools() if tools is None else [_plain(tool) for tool in tools]
        )

    def text(
        self,
        *,
        count: int | None = None,
        extra: Sequence[Mapping[str, Any]] = (),
        add_generation_prompt: bool = False,
    ) -> str:
        """The plain text of the first `count` messages, all of them by default, and of `extra` ones after them."""
        variables = {
            **self._variables,
            "messages": [*self.messages[:count], *extra],
            "add_generation_prompt": add_generation_prompt,
        }
        return self._program.render_text(variables, limits=self._limits, clock=self._clock)

    def rendering(self, *, add_generation_prompt: bool = False) -> Rendering:
        """All messages with the origin of every character; raises `ProvenanceError` when tracing changes the text."""
        text, runs = self.traced(add_generation_prompt=add_generation_prompt)
        plain = self.text(add_generation_prompt=add_generation_prompt)
        if text != plain:
            raise ProvenanceError(_difference(text, plain))
        return _rendering(plain, runs, self._program.has_generation_tags)

    def traced(self, *, add_generation_prompt: bool = False) -> tuple[str, Runs]:
        """The traced text and its runs, not yet compared with plain rendering."""
        trace = Trace()
        variables = {
            name: trace.trace_value(value, OriginKind.TOOL, None, ())
            if name == "tools"
            else trace.trace_value(value, OriginKind.VARIABLE, None, (name,))
            for name, value in self._variables.items()
        }
        variables["messages"] = trace.trace_messages(self.messages)
        variables["add_generation_prompt"] = add_generation_prompt
        return self._program.render_traced(variables, trace=trace, limits=self._limits, clock=self._clock)


def _alias_reasoning(message: Mapping[str, Any]) -> dict[str, Any]:
    """Reasoning under each name that templates read (source: transformers, `_alias_reasoning_fields`)."""
    for name in REASONING_NAMES:
        reasoning = message.get(name)
        if reasoning is not None:
            return {"thinking": reasoning, **message, "reasoning_content": reasoning}
    return dict(message)


def _plain(value: Any) -> Any:
    """Plain JSON types and nothing else: objects of other types carry methods that a sandbox cannot judge.

    Anything that has no plain form becomes a placeholder that names its type,
    as in transformers' `_plain_template_data`.
    """
    if value is None or type(value) in (str, int, float, bool):
        return value
    for kind, plain in ((str, str.__str__), (int, int.__int__), (float, float.__float__)):
        if isinstance(value, kind):
            return plain(value)  # type: ignore[arg-type]  # the pairs match
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    return f"<{type(value).__name__}>"


def render(
    conversation: Conversation | Any,
    *,
    template: str,
    tools: Sequence[Mapping[str, Any]] | None = None,
    template_kwargs: Mapping[str, Any] | None = None,
    special_tokens: Mapping[str, Any] | None = None,
    add_generation_prompt: bool = False,
    limits: Limits = Limits(),
    clock: Clock | None = None,
) -> Rendering:
    """Render a conversation with the origin of every character.

    `template` is Jinja source. `special_tokens` are the template variables of
    the vocabulary (`bos_token`, `eos_token`, …); `template_kwargs` (such as
    `enable_thinking`) win over them, as in transformers. `clock` is what
    `strftime_now` reads.

    Raises `ConversationError` for invalid messages, `TemplateSyntaxError`,
    `TemplateRejected`, `TemplateSecurityError` or `TemplateLimitExceeded` for
    what the template does, and `ProvenanceError` when tracing would have
    changed the text.
    """
    renderer = ConversationRenderer(
        Conversation.coerce(conversation),
        template=template,
        tools=tools,
        template_kwargs=template_kwargs,
        special_tokens=special_tokens,
        limits=limits,
        clock=clock,
    )
    return renderer.rendering(add_generation_prompt=add_generation_prompt)


def _difference(traced: str, plain: str) -> str:
    position = next(
        (index for index, (left, right) in enumerate(zip(traced, plain, strict=False)) if left != right),
        min(len(traced), len(plain)),
    )
    return (
        f"traced rendering differs from plain rendering at character {position}: "
        f"{traced[position : position + 20]!r} instead of {plain[position : position + 20]!r}; "
        "the template uses an operation whose origins cannot be followed"
    )


def _rendering(text: str, runs: Runs, has_generation_tags: bool) -> Rendering:
    spans: list[Span] = []
    generated: list[tuple[int, int]] = []
    start = 0
    pending: tuple[int, int, Origin, int | None] | None = None
    for length, origin, offset in runs:
        end = start + length
        if origin.generated:
            if generated and generated[-1][1] == start:
                generated[-1] = (generated[-1][0], end)
            else:
                generated.append((start, end))
        if pending is not None:
            first, last, known, at = pending
            continues = offset is None if at is None else offset == at + last - first
            if continues and (known is origin or known == origin):
                pending = (first, end, known, at)
                start = end
                continue
            spans.append(Span(first, last, known, at))
        pending = (start, end, origin, offset)
        start = end
    if pending is not None:
        spans.append(Span(*pending))
    return Rendering(text, tuple(spans), tuple(generated) if has_generation_tags else None)
