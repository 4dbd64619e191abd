"""What can be got wrong in a module: its mutants, made by the operators of mutmut.

mutmut decides what is changed and what is not worth changing (type annotations, `len`
and `isinstance`, whatever stands outside functions, decorated functions). How a mutant
is run differs: mutmut starts pytest once for each, which takes seconds; here the code of
one function is exchanged in a forked process, which takes hundredths (`running.py`).
"""

from __future__ import annotations

import ast
import difflib
import importlib
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Mutant", "exchange", "mutants_of"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one function: the lines that it takes away and those that stand there instead.

    `was` and `now` name the mutant without its position, so that the name holds when the
    module grows. Changes of the same line of one function that read alike are told apart by
    nothing, and need not be.
    """

    module: str
    function: str
    was: str
    now: str
    body: str = field(repr=False)
    """The function with the change."""
    source: str = field(repr=False, compare=False)
    """The whole module with the change."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names the mutant in `survivors.toml`."""
        return (self.module, self.function, self.was, self.now)

    @property
    def title(self) -> str:
        """One line for a terminal."""
        return f"{self.module}: {self.function}: {self.was!r} -> {self.now!r}"


def mutants_of(module: str, *, every: int = 1) -> tuple[list[Mutant], int]:
    """Mutants of `maskspec.<module>` in the order of its text, the first and then every so many; and how many there are."""
    import libcst
    from libcst.metadata import MetadataWrapper, PositionProvider
    from mutmut.mutation.file_mutation import create_mutations

    path = source_of(module)
    text = path.read_text(encoding="utf-8")
    tree, mutations, _, _ = create_mutations(str(path), text)
    positions = MetadataWrapper(tree, unsafe_skip_copy=True).resolve(PositionProvider)
    names = _qualified_names(tree)
    lines = text.splitlines()
    inside = [one for one in mutations if isinstance(one.contained_by_top_level_function, libcst.FunctionDef)]
    mutants = []
    for mutation in inside[::every]:
        function: Any = mutation.contained_by_top_level_function
        changed = function.deep_replace(mutation.original_node, mutation.mutated_node)
        before, after = (_own_lines(tree, node) for node in (function, changed))
        place = positions[function]
        indent = " " * place.start.column
        body = [indent + line if line else line for line in after]
        source = "\n".join([*lines[: place.start.line - 1], *body, *lines[place.end.line :]]) + "\n"
        was, now = _difference(before, after)
        mutants.append(Mutant(module, names[function], was, now, "\n".join(after), source))
    return mutants, len(inside)


def source_of(module: str) -> Path:
    """The file that `maskspec.<module>` is imported from."""
    file = importlib.import_module(f"maskspec.{module}").__file__
    assert file is not None
    return Path(file)


def exchange(mutant: Mutant) -> None:
    """Put the changed code of a function into the function that everybody has imported, for good.

    Raises SyntaxError or ValueError where the change is no valid function of the same kind.
    """
    module = importlib.import_module(f"maskspec.{mutant.module}")
    tree = ast.parse(mutant.source)
    function = _function(module, mutant.function)
    definition = _definition(tree, mutant.function)
    function.__code__ = _code(compile(tree, str(module.__file__), "exec", dont_inherit=True), mutant.function)
    given = definition.args

    def value(default: ast.expr) -> Any:
        return eval(compile(ast.Expression(default), "default", "eval"), vars(module))

    function.__defaults__ = tuple(map(value, given.defaults)) or None
    named = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    function.__kwdefaults__ = {name.arg: value(default) for name, default in named if default is not None} or None


def _own_lines(tree: Any, function: Any) -> list[str]:
    bare: str = tree.code_for_node(function.with_changes(leading_lines=[]))
    return bare.rstrip("\n").split("\n")


def _difference(before: list[str], after: list[str]) -> tuple[str, str]:
    """The lines that differ, as one line each."""
    gone: list[str] = []
    come: list[str] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes():
        if kind != "equal":
            gone += before[a:b]
            come += after[c:d]
    return tuple(" ".join(line.strip() for line in part) for part in (gone, come))  # type: ignore[return-value]


def _qualified_names(tree: Any) -> dict[Any, str]:
    import libcst

    names: dict[Any, str] = {}
    for node in tree.body:
        if isinstance(node, libcst.FunctionDef):
            names[node] = node.name.value
        elif isinstance(node, libcst.ClassDef):
            for method in node.body.body:
                if isinstance(method, libcst.FunctionDef):
                    names[method] = f"{node.name.value}.{method.name.value}"
    return names


def _function(module: types.ModuleType, name: str) -> types.FunctionType:
    holder: Any = module
    *path, last = name.split(".")
    for part in path:
        holder = getattr(holder, part)
    found = vars(holder)[last]
    found = getattr(found, "__func__", found)
    assert isinstance(found, types.FunctionType), name
    return found


def _definition(tree: ast.Module, name: str) -> ast.FunctionDef:
    node: ast.AST = tree
    for part in name.split("."):
        node = [child for child in ast.iter_child_nodes(node) if getattr(child, "name", None) == part][-1]
    assert isinstance(node, ast.FunctionDef)
    return node


def _code(code: types.CodeType, name: str) -> types.CodeType:
    for part in name.split("."):
        code = [constant for constant in code.co_consts if getattr(constant, "co_name", None) == part][-1]
    return code
