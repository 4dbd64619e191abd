"""How chat templates are compiled: loops that report, and output that can be traced.

`instrument` rewrites the syntax tree once, for plain and tracing rendering
alike: every loop opens and closes a scope, and every iteration reports its
loop variables. An *index loop* (`for i in range(…)` with `messages[i]` in its
body) also reports the item that its index selects. A report is an expression
statement that carries a mark; the code generator turns it into one call of an
environment method.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.visitor import NodeTransformer

__all__ = ["ScopedCodeGenerator", "TracingCodeGenerator", "instrument"]


def instrument(tree: nodes.Template) -> nodes.Template:
    """Make every loop of a template report its scope and its iterations."""
    _LoopReports().visit(tree)
    return tree


def _report(method: str, arguments: Sequence[nodes.Expr]) -> nodes.ExprStmt:
    statement = nodes.ExprStmt(nodes.Tuple(list(arguments), "load"))
    statement.reports = method  # type: ignore[attr-defined]
    return statement


class _LoopReports(NodeTransformer):
    def visit_For(self, node: nodes.For) -> list[nodes.Node]:
        selections = list(_selections(node))
        self.generic_visit(node)
        targets = [nodes.Name(name, "load") for name in _names(node.target)]
        node.body[:0] = [_report("iterate", targets), *(_report("select", arguments) for arguments in selections)]
        opened, closed = _report("open_scope", []), _report("close_scope", [])
        if not node.recursive:
            return [opened, node, closed]
        # A recursive loop is a function whose whole text is printed at its end: by then its scope must be closed.
        name = "_maskspec_recursive_loop"
        captured = nodes.AssignBlock(nodes.Name(name, "store"), None, [node])
        return [opened, captured, closed, nodes.Output([nodes.Name(name, "load")])]


def _names(target: nodes.Node) -> list[str]:
    if isinstance(target, nodes.Name):
        return [target.name]
    return [name.name for name in target.find_all(nodes.Name)]


def _selections(loop: nodes.For) -> Iterator[tuple[nodes.Expr, nodes.Expr, nodes.Expr]]:
    """The `sequence[index]` lookups by which an index loop reaches its item, as (root, attribute, index).

    Only the loop's own variable or `loop.index0` counts as the index:
    `messages[i + 1]` looks ahead and selects nothing. The sequence must be a
    name that the loop itself does not assign, or an attribute of one. A lookup
    may stand in an inner loop, whose `loop` is another one.
    """
    variables = {loop.target.name} if isinstance(loop.target, nodes.Name) else set()
    found = [pair for statement in loop.body for pair in _walk(statement)]
    assigned = {node.name for node, _ in found if isinstance(node, nodes.Name) and node.ctx in ("store", "param")}
    seen: set[str] = set()
    for item, is_inner in found:
        if not isinstance(item, nodes.Getitem) or not _is_index(item.arg, variables - assigned, is_inner):
            continue
        sequence, index = item.node, item.arg
        root = sequence.node if isinstance(sequence, nodes.Getattr) else sequence
        if not isinstance(root, nodes.Name) or root.name in assigned or root.name in variables:
            continue
        key = repr((sequence, index))
        if key not in seen:
            seen.add(key)
            attribute = sequence.attr if isinstance(sequence, nodes.Getattr) else None
            yield root, nodes.Const(attribute), index


def _is_index(index: nodes.Expr, variables: set[str], is_inner: bool) -> bool:
    if isinstance(index, nodes.Name):
        return index.name in variables
    return (
        not is_inner
        and isinstance(index, nodes.Getattr)
        and index.attr == "index0"
        and isinstance(index.node, nodes.Name)
        and index.node.name == "loop"
    )


def _walk(node: nodes.Node, is_inner: bool = False) -> Iterator[tuple[nodes.Node, bool]]:
    """A node and all below it, each with whether it belongs to an inner loop, where `loop` is that loop."""
    yield node, is_inner
    for child in node.iter_child_nodes():
        yield from _walk(child, is_inner or (isinstance(node, nodes.For) and child is not node.iter))


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
        self.newline()
        self.write(f"environment.{node.reports}(")  # type: ignore[attr-defined]  # nothing else makes such statements
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
