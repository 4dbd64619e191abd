"""Imports point one way, and every public module says why it exists: read off the source, nothing is imported."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "reference"
AROUND = (
    frozenset({"data"}),
    frozenset({"tokenizers"}),
    frozenset({"corpus", "shapes", "strategies"}),
    frozenset({"rules"}),
    frozenset({"conformance"}),
    frozenset({"findings"}),
    frozenset({"adapters"}),
    frozenset({"training"}),
    frozenset({"cli", "pytest_plugin", "__main__"}),
)
"""The rooms around the reference, from the inside out. A room imports from its own layer and from those before it.

Every other module belongs to the reference: readable as a specification, so it
needs nothing but the standard library and jinja2.
"""

PROMISED = {
    "alignment",
    "conversation",
    "errors",
    "hazards",
    "masker",
    "policy",
    "rendering",
    "segmentation",
    "tokens",
}

LAZY_FROM_REFERENCE = frozenset({"tokenizers"})
"""What the reference may import inside a function: `mask()` wraps a raw tokenizer when it is given one."""


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module, by its full name, and whether it is loaded when the importing module is."""

    module: str
    line: int
    eager: bool


def module_name(path: Path) -> str:
    """Return the dotted name of a source file."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str | None:
    """Return the first name below `maskspec`, or None for the package itself and for other packages."""
    parts = module.split(".")
    return parts[1] if parts[0] == "maskspec" and len(parts) > 1 else None


def imports(path: Path) -> Iterator[Import]:
    """Yield every import of a file; those for the type checker only are left out."""

    def visit(node: ast.AST, *, eager: bool) -> Iterator[Import]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.orelse:
                yield from visit(child, eager=eager)
            return
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, eager)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            assert node.module is not None
            for alias in node.names:
                name = f"maskspec.{alias.name}" if node.module == "maskspec" else node.module
                yield Import(name, node.lineno, eager)
        inner = eager and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, eager=inner)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), eager=True)


DEPTHS = {name: depth for depth, names in enumerate(AROUND, 1) for name in names}
FILES = sorted((SOURCE / "maskspec").rglob("*.py"))
ROOMS = {name for path in FILES if (name := room(module_name(path))) is not None}
REFERENCE = [path for path in FILES if (name := room(module_name(path))) is not None and name not in DEPTHS]

each_file = pytest.mark.parametrize("path", FILES, ids=module_name)
each_reference_file = pytest.mark.parametrize("path", REFERENCE, ids=module_name)


def test_every_room_stands_where_it_is_looked_for() -> None:
    assert PROMISED <= ROOMS
    assert DEPTHS.keys() - ROOMS <= {"__main__"}


@each_reference_file
def test_the_reference_needs_only_jinja2(path: Path) -> None:
    allowed = sys.stdlib_module_names | {"jinja2", "markupsafe", "maskspec"}
    foreign = [
        f"{path.name}:{found.line} {found.module}"
        for found in imports(path)
        if found.module.split(".")[0] not in allowed
    ]
    assert foreign == []


@each_file
def test_imports_point_inwards(path: Path) -> None:
    here = room(module_name(path))
    if here is None:
        pytest.skip("the package itself offers names of every room, and imports them when they are asked for")
    outward = [
        f"{path.name}:{found.line} {found.module}"
        for found in imports(path)
        if (target := room(found.module)) is not None
        and DEPTHS.get(target, 0) > DEPTHS.get(here, 0)
        and not (here not in DEPTHS and target in LAZY_FROM_REFERENCE and not found.eager)
    ]
    assert outward == []


@each_file
def test_every_module_says_why_it_exists_and_what_it_offers(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{path.name} has no docstring"
    if path.name.startswith("_") and path.name != "__init__.py":
        return
    names = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    assert "__all__" in names, f"{path.name} has no __all__"


@each_file
def test_no_module_grows_past_reading(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500, "split it: one reason to exist per module"
