"""How chat templates are compiled: loops that report, and output that can be traced.

`instrument` rewrites the syntax tree once, for plain and tracing rendering
alike: every loop opens and closes a scope, and every iteration reports its
loop variables. An *index loop* (`for i in range(…)` with `messages[i]` in its
body) also reports the item that its index selects. A report is an expression
statement that carries a mark; the code generator turns it into one call of an
environment method.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.visitor import NodeTransformer

__all__ = ["ScopedCodeGenerator", "TracingCodeGenerator", "instrument"]


def instrument(tree: nodes.Template) -> nodes.Template:
    """Make every loop of a template report its scope and its iterations."""
    _LoopReports().visit(tree)
    return tree


def _report(method: str, arguments: list[nodes.Expr], line: int) -> nodes.ExprStmt:
    statement = nodes.ExprStmt(nodes.Tuple(arguments, "load", lineno=line), lineno=line)
    statement.reports = method  # type: ignore[attr-defined]
    return statement


class _LoopReports(NodeTransformer):
    def visit_For(self, node: nodes.For) -> list[nodes.Node]:
        selections = list(_selections(node))
        self.generic_visit(node)
        line = node.lineno
        targets: list[nodes.Expr] = [nodes.Name(name, "load", lineno=line) for name in _names(node.target)]
        reports: list[nodes.Node] = [_report("iterate", targets, line)]
        reports += [_report("select", list(arguments), line) for arguments in selections]
        node.body[:0] = reports
        opened, closed = _report("open_scope", [], line), _report("close_scope", [], line)
        if not node.recursive:
            return [opened, node, closed]
        # A recursive loop is a function whose whole text is printed at its end: by then its scope must be closed.
        name = "_maskspec_recursive_loop"
        captured = nodes.AssignBlock(nodes.Name(name, "store", lineno=line), None, [node], lineno=line)
        return [opened, captured, closed, nodes.Output([nodes.Name(name, "load", lineno=line)], lineno=line)]


def _names(target: nodes.Node) -> list[str]:
    if isinstance(target, nodes.Name):
        return [target.name]
    return [name.name for name in target.find_all(nodes.Name)]


def _selections(loop: nodes.For) -> Iterator[tuple[nodes.Expr, nodes.Expr, nodes.Expr]]:
    """The `sequence[index]` lookups by which an index loop reaches its item, as (root, attribute, index).

    Only the loop's own variable or `loop.index0` counts as the index:
    `messages[i + 1]` looks ahead and selects nothing. The sequence must be a
    name that the loop itself does not assign, or an attribute of one.
    """
    variables = set(_names(loop.target)) if isinstance(loop.target, nodes.Name) else set()
    assigned = {
        name.name for statement in loop.body for name in _walk(statement, nodes.Name) if name.ctx in ("store", "param")
    }
    seen: set[str] = set()
    for statement in loop.body:
        for item in _walk(statement, nodes.Getitem):
            sequence, index = item.node, item.arg
            if not _is_index(index, variables - assigned):
                continue
            root = sequence.node if isinstance(sequence, nodes.Getattr) else sequence
            if not isinstance(root, nodes.Name) or root.name in assigned or root.name in variables:
                continue
            key = repr((sequence, index))
            if key not in seen:
                seen.add(key)
                attribute = sequence.attr if isinstance(sequence, nodes.Getattr) else None
                yield root, nodes.Const(attribute), index


def _is_index(index: nodes.Expr, variables: set[str]) -> bool:
    if isinstance(index, nodes.Name):
        return index.name in variables
    return (
        isinstance(index, nodes.Getattr)
        and index.attr == "index0"
        and isinstance(index.node, nodes.Name)
        and index.node.name == "loop"
    )


def _walk(node: nodes.Node, kind: Any) -> Iterator[Any]:
    """Nodes of one kind below a node, without going into inner loops."""
    if isinstance(node, kind):
        yield node
    for child in node.iter_child_nodes():
        if not isinstance(child, nodes.For):
            yield from _walk(child, kind)


class ScopedCodeGenerator(CodeGenerator):
    """Turns the marked statements into calls of environment methods."""

    def visit_Add(self, node: nodes.BinExpr, frame: Frame) -> None:
        operands: list[nodes.Expr] = []
        left: nodes.Expr = node
        while isinstance(left, nodes.Add):
            operands.append(left.right)
            left = left.left
        operands.append(left)
        self.write("environment.chain(context, (")
        for operand in reversed(operands):
            self.visit(operand, frame)
            self.write(", ")
        self.write("))")

    def visit_ExprStmt(self, node: nodes.ExprStmt, frame: Frame) -> None:
        method = getattr(node, "reports", None)
        if method is None:
            super().visit_ExprStmt(node, frame)
            return
        self.newline(node)
        self.write(f"environment.{method}(")
        for argument in node.node.items:  # type: ignore[attr-defined]
            self.visit(argument, frame)
            self.write(", ")
        self.write(")")

    def visit_List(self, node: nodes.List, frame: Frame) -> None:
        self.write("environment.collect(")
        super().visit_List(node, frame)
        self.write(")")

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:
        self.write("environment.collect(")
        super().visit_Dict(node, frame)
        self.write(")")

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:
        if node.ctx != "load":
            super().visit_Tuple(node, frame)
            return
        self.write("environment.collect(")
        super().visit_Tuple(node, frame)
        self.write(")")

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write("environment.tilde((")
        for operand in node.nodes:
            self.visit(operand, frame)
            self.write(", ")
        self.write("))")


class TracingCodeGenerator(ScopedCodeGenerator):
    """Sends joined and printed text through the environment, which moves the origins."""

    def visit_Output(self, node: nodes.Output, frame: Frame) -> None:
        if all(isinstance(child, nodes.TemplateData) for child in node.nodes):
            text = "".join(child.data for child in node.nodes)  # type: ignore[attr-defined]
            if frame.buffer is None:
                self.writeline(f"yield {text!r}", node)
            else:
                self.writeline(f"{frame.buffer}.append(environment.claim({text!r}))", node)
            return
        if frame.require_output_check:
            if self.has_known_extends:
                return
            self.writeline("if parent_template is None:")
            self.indent()
        self.writeline("yield " if frame.buffer is None else f"{frame.buffer}.append(", node)
        self.write("environment.output((")
        for child in node.nodes:
            if isinstance(child, nodes.TemplateData):
                self.write(repr(child.data))
            else:
                self.visit(child, frame)
            self.write(", ")
        self.write("))" if frame.buffer is None else ")))")
        if frame.require_output_check:
            self.outdent()
