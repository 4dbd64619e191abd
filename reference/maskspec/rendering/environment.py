"""The sandboxed Jinja environment that chat templates run in: plain, and tracing.

`ChatEnvironment` renders what `transformers.apply_chat_template` renders: the
same sandbox, whitespace control, extensions, filters and globals (source:
`transformers/utils/chat_template_utils.py`, version 5.23.0). On top of that
every loop and every operation that can grow is bounded.

`TracingEnvironment` renders the same text with origins. It changes three
things about the generated code: what an expression that joins text calls,
what an output statement calls, and that loops report their iterations. The
hooks are environment methods, so the generated code stays ordinary Jinja.
"""

from __future__ import annotations

import datetime
import json
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedFormatter
from jinja2.utils import Namespace
from jinja2.utils import generate_lorem_ipsum as lorem_ipsum
from markupsafe import Markup

from maskspec.errors import TemplateSyntaxError
from maskspec.rendering.codegen import ScopedCodeGenerator, TracingCodeGenerator, instrument
from maskspec.rendering.filters import SafeText, escape, tracing_filters
from maskspec.rendering.guards import guarded_filters, plain_filters, separator_length
from maskspec.rendering.limits import Budget, Limits
from maskspec.rendering.trace import Trace
from maskspec.rendering.traced import TracedText, coarse, concatenate, make_traced, percent, runs_of, strings_within
from maskspec.rendering.values import json_text, python_text

__all__ = ["ChatEnvironment", "GenerationTag", "TracingEnvironment"]


class GenerationTag(Extension):
    """The `{% generation %}` block, by which a template says what the model generates."""

    tags = frozenset({"generation"})  # type: ignore[assignment]  # Jinja only looks names up in it

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_generated"), [], [], body).set_lineno(line)

    def _generated(self, caller: Callable[[], str]) -> str:
        environment: Any = self.environment
        result: str = environment.generated(caller())
        return result


class _TemplateDict:
    """The `dict` global: a constructor and nothing else."""

    def __init__(self, environment: ChatEnvironment) -> None:
        self._environment = environment

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        built: dict[Any, Any] = self._environment.collect(dict(*args, **kwargs))
        return built

    def fromkeys(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        built: dict[Any, Any] = self._environment.collect(dict.fromkeys(*args, **kwargs))
        return built


class _TemplateNamespace(Namespace):
    """The `namespace` global, without underscored attributes."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        self, args = args[0], args[1:]
        attributes = dict(*args, **kwargs)
        for name in attributes:
            _check_attribute_name(name)
        Namespace.__init__(self, attributes)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_attribute_name(name)
        Namespace.__setitem__(self, name, value)


def _check_attribute_name(name: Any) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise jinja2.exceptions.SecurityError(f"a template may not store the underscored attribute {name!r}")


def _raise_exception(message: str) -> None:
    raise jinja2.exceptions.TemplateError(message)


class _BoundedFormatter(SandboxedFormatter):
    """`str.format` in the sandbox, its field widths and its text counted."""

    _built = 0
    """Characters put into the text that is being built."""

    def vformat(self, format_string: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        self._built = 0
        return super().vformat(format_string, args, kwargs)

    def format_field(self, value: Any, format_spec: str) -> Any:
        budget: Budget = self._env.budget  # type: ignore[attr-defined]
        size = budget.widths(format_spec) + budget.weight(value)
        self._built += size
        budget.text(size if self._built <= budget.characters else self._built)
        return super().format_field(value, format_spec)


class _TracedFormatter(_BoundedFormatter):
    """`str.format` whose result keeps the origins of the pattern and of what is put in."""

    def vformat(self, format_string: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        expected = super().vformat(format_string, args, kwargs)
        self._built = 0
        pieces: list[str] = []
        automatic = 0
        position = 0
        for literal, field, specification, conversion in self.parse(format_string):
            start = str.find(format_string, literal, position)
            position = start + len(literal)
            pieces.append(format_string[start:position])
            if field is None:
                continue
            specification = specification or ""
            if "{" in specification:
                return coarse(expected, *strings_within([*args, *kwargs.values()]))
            if field == "" or field.startswith((".", "[")):
                field = f"{automatic}{field}"
                automatic += 1
            value, _ = self.get_field(field, args, kwargs)
            piece = self.format_field(self.convert_field(value, conversion), specification)
            pieces.append(piece if isinstance(piece, TracedText) else coarse(piece, *strings_within(value)))
        return concatenate(pieces)


_ONLY_TEXT = frozenset({str})


class ChatEnvironment(ImmutableSandboxedEnvironment):
    """Renders chat templates as transformers does, within limits. One instance serves one template."""

    code_generator_class = ScopedCodeGenerator
    formatter_class: type[SandboxedFormatter] = _BoundedFormatter
    intercepted_binops = frozenset({"+", "*", "%", "**"})

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, loopcontrols])
        self.budget = Budget(Limits())
        self.now: Callable[[], datetime.datetime]
        self.filters["tojson"] = self._tojson
        self.filters.update(self._own_filters())
        self.filters.update(guarded_filters(self))
        self.globals["raise_exception"] = _raise_exception
        self.globals["strftime_now"] = self._strftime_now
        self.globals["dict"] = _TemplateDict(self)
        self.globals["namespace"] = _TemplateNamespace
        self.globals["lipsum"] = self._lipsum

    def _own_filters(self) -> dict[str, Callable[..., Any]]:
        """The filters that differ from Jinja's, before all are guarded."""
        return plain_filters(self)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        try:
            tree = super()._parse(source, name, filename)
            return instrument(tree)
        except RecursionError:
            raise TemplateSyntaxError("the template is nested too deeply to be parsed") from None

    # What the generated code calls

    def open_scope(self) -> None:
        """A loop begins."""
        self.budget.tick()

    def close_scope(self) -> None:
        """A loop has ended."""

    def iterate(self, *_targets: Any) -> None:
        """An iteration of a loop begins."""
        self.budget.tick()

    def select(self, root: Any, attribute: str | None, index: Any) -> None:
        """An iteration of an index loop begins."""

    def chain(self, context: Any, operands: Sequence[Any]) -> Any:
        """The value of `a + b + c + …`."""
        if _ONLY_TEXT.issuperset(map(type, operands)):
            self.budget.text(sum(map(len, operands)))
            return "".join(operands)
        return self._added(context, operands)

    def _added(self, context: Any, operands: Sequence[Any]) -> Any:
        result = operands[0]
        for operand in operands[1:]:
            result = self.call_binop(context, "+", result, operand)
        return result

    def generated(self, text: str) -> str:
        """The content of a generation block."""
        return text

    def concat(self, parts: Iterable[str]) -> str:
        """What Jinja calls for the content of macros and of `set`, `call` and `filter` blocks."""
        pieces = list(parts)
        self.budget.text(sum(map(len, pieces)))
        return self.concatenated(pieces)

    def concatenated(self, pieces: Sequence[str]) -> str:
        """The pieces one after the other."""
        return "".join(pieces)

    def collect(self, container: Any) -> Any:
        """A list, tuple or mapping that the template has just built."""
        return self.budget.collect(container)

    def tilde(self, operands: Sequence[Any]) -> str:
        """The value of `a ~ b ~ c`."""
        texts = [operand if type(operand) is str else str(operand) for operand in operands]
        self.budget.text(sum(map(len, texts)))
        return "".join(texts)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "+":
            self.budget.add(left, right)
        elif operator == "*":
            self.budget.multiply(left, right)
        elif operator == "**":
            self.budget.power(left, right)
        elif isinstance(left, str):
            self.budget.percent(left, right)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805  (as Jinja)
        __self.budget.tick()
        if type(__obj) in _METHOD_TYPES and isinstance(__obj.__self__, str):
            # `getattr` has let only public methods of strings through, and they take no context: call it straight.
            if __obj.__name__ == "join" and args:
                args = (__self.budget.bounded(args[0]), *args[1:])
            if kwargs:
                kwargs.pop("_loop_vars", None)
                kwargs.pop("_block_vars", None)
            named = [kwargs[name] for name in ("sep", "tabsize") if name in kwargs]
            __self.budget.string_method(__obj.__self__, __obj.__name__, (*args, *named))
            return __obj(*args, **kwargs)
        if isinstance(__obj, LoopContext):
            __self.open_scope()
            try:
                return super().call(__context, __obj, *args, **kwargs)
            finally:
                __self.close_scope()
        return super().call(__context, __obj, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None
        bounded = self._bounded_format(value.__self__, value.__name__ == "format_map")
        if not isinstance(value.__self__, (SafeText, Markup)):
            return bounded

        def escaping(*args: Any, **kwargs: Any) -> str:
            bounded(*args, **kwargs)  # for its counting
            return wrapped(*args, **kwargs)

        return escaping

    def _bounded_format(self, pattern: str, is_map: bool) -> Callable[..., str]:
        """`pattern.format` or `pattern.format_map`, sandboxed and bounded."""
        formatter = self.formatter_class(self)

        def bounded_format(*args: Any, **kwargs: Any) -> str:
            if is_map:
                return formatter.vformat(pattern, (), args[0])
            return formatter.vformat(pattern, args, kwargs)

        return bounded_format

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return attr not in _BYTES_METHODS and super().is_safe_attribute(obj, attr, value)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`: Jinja's own rules, with the checks left out where their answer is known.

        A key of a message that is no name of a dict method, a public method of
        a string other than `format`, an entry of a namespace and a field of
        `loop` are always safe.
        """
        kind = type(obj)
        if kind is dict:
            if attribute not in _DICT_NAMES:
                try:
                    return obj[attribute]
                except KeyError:
                    return self.undefined(obj=obj, name=attribute)
        elif kind is TracedText or kind is str:
            if attribute in _SAFE_TEXT_METHODS:
                return getattr(obj, attribute)
        elif (kind is _TemplateNamespace or kind is LoopContext) and not attribute.startswith("_"):
            try:
                return getattr(obj, attribute)
            except AttributeError:
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    # Filters and globals

    def _tojson(
        self,
        x: Any,
        ensure_ascii: bool = False,
        indent: int | str | None = None,
        separators: tuple[str, str] | None = None,
        sort_keys: bool = False,
    ) -> str:
        self._check_json(x, indent, separators)
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def _check_json(self, value: Any, indent: int | str | None, separators: tuple[str, str] | None) -> None:
        """Check the size of JSON: escapes, and an indentation and separators for every item."""
        step = " " * min(indent, 1_000) if isinstance(indent, int) else indent or ""
        for repeated in (step, *(separators or ())):
            separator_length(repeated)
        size = self.budget.weight(value) * (6 + sum(map(len, separators or ())))
        self.budget.text(size + 2 * len(step) * self.budget.levels(value))

    def _strftime_now(self, format: str) -> str:
        separator_length(format)
        return self.now().strftime(format)

    def _lipsum(self, n: int = 5, html: bool = True, min: int = 20, max: int = 100) -> str:
        self.budget.text(n * max * 8)
        return lorem_ipsum(n, html, min, max)


_DICT_NAMES = frozenset(dir(dict))
_SAFE_TEXT_METHODS = frozenset(name for name in dir(str) if not name.startswith(("_", "format", "encode")))
_BYTES_METHODS = frozenset({"encode", "to_bytes"})
"""No chat template needs bytes, and nothing here bounds them."""
_METHOD_TYPES = (types.BuiltinMethodType, types.MethodType)


class TracingEnvironment(ChatEnvironment):
    """Renders the same text as `ChatEnvironment`, as strings that know their origins."""

    code_generator_class = TracingCodeGenerator
    formatter_class = _TracedFormatter

    def __init__(self) -> None:
        self.trace = Trace()
        super().__init__()

    def _own_filters(self) -> dict[str, Callable[..., Any]]:
        return tracing_filters(self.filters)

    def concatenated(self, pieces: Sequence[str]) -> str:
        return concatenate(pieces)

    # What the generated code calls

    def open_scope(self) -> None:
        self.budget.tick()
        self.trace.open_scope()

    def close_scope(self) -> None:
        self.trace.close_scope()

    def iterate(self, *targets: Any) -> None:
        self.budget.tick()
        self.trace.iterate(targets)

    def select(self, root: Any, attribute: str | None, index: Any) -> None:
        if attribute is None:
            self.trace.select(root, index)
        elif isinstance(root, Namespace):
            self.trace.select(getattr(root, attribute, None), index)

    def generated(self, text: str) -> str:
        return self.trace.mark_generated(text)

    def as_text(self, value: Any) -> str:
        """The text that printing a value gives."""
        kind = type(value)
        if kind is str or kind is TracedText:
            return value  # type: ignore[no-any-return]
        if kind is SafeText:
            return make_traced(str.__str__(value), value._runs)
        if isinstance(value, Markup):
            return str.__str__(value)
        return python_text(self.trace, value)

    def claim(self, text: str) -> str:
        """A template literal that goes into a buffer instead of straight to the output."""
        return self.trace.claim(text)

    def output(self, parts: Sequence[Any]) -> str:
        """One output statement: its texts are joined like one expression."""
        if len(parts) == 1:
            return self.trace.claim(self.as_text(parts[0]))
        return self.trace.join([self.as_text(part) for part in parts])

    def chain(self, context: Any, operands: Sequence[Any]) -> Any:
        for operand in operands:
            kind = type(operand)
            if kind is not str and kind is not TracedText:
                return self._added(context, operands)
        self.budget.text(sum(map(len, operands)))
        return self.trace.join(operands)

    def tilde(self, operands: Sequence[Any]) -> str:
        """The value of `a ~ b ~ c`."""
        texts = [self.as_text(operand) for operand in operands]
        self.budget.text(sum(map(len, texts)))
        return self.trace.join(texts)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str) and not isinstance(left, (SafeText, Markup)):
            self.budget.percent(left, right)
            return percent(left, right, self.as_text)
        texts = operator == "+" and isinstance(left, str) and isinstance(right, str)
        if texts and (isinstance(left, (SafeText, Markup)) or isinstance(right, (SafeText, Markup))):
            self.budget.text(len(left) + len(right))
            return escape("") + left + right
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805  (a template may pass `self=`)
        if args and type(__obj) is types.BuiltinMethodType and type(__obj.__self__) is str:
            owner = __obj.__self__
            if __obj.__name__ == "join":
                args = (__self.budget.bounded(args[0]), *args[1:])
            if any(_holds_traced(argument) for argument in args):
                __obj = getattr(make_traced(owner, runs_of(owner)), __obj.__name__)
        return super().call(__context, __obj, *args, **kwargs)

    def _tojson(
        self,
        x: Any,
        ensure_ascii: bool = False,
        indent: int | str | None = None,
        separators: tuple[str, str] | None = None,
        sort_keys: bool = False,
    ) -> str:
        self._check_json(x, indent, separators)
        return json_text(
            self.trace, x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
        )


def _holds_traced(value: Any) -> bool:
    if isinstance(value, TracedText):
        return True
    return isinstance(value, (list, tuple)) and any(isinstance(item, TracedText) for item in value)
