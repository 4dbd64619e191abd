"""The program that breaks the reference: its mutants are what they say, and it tells caught ones from survivors."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.__main__ import MODULES
from tests.mutation.journal import Journal
from tests.mutation.mutants import Mutant, exchange, mutants_of, source_of
from tests.mutation.running import Attempt
from tests.mutation.survivors import ACCEPTED, read_reasons, score, table


def mutant(was: str, now: str, *, function: str = "f", module: str = "prompts") -> Mutant:
    return Mutant(module, function, was, now, body="", source="")


def test_an_exchanged_function_does_what_the_mutant_says() -> None:
    # In a process of its own: an exchange is for good.
    program = (
        "from tests.mutation.mutants import Mutant, exchange, source_of\n"
        "from maskspec.prompts import common_prefix as imported_before\n"
        "text = source_of('prompts').read_text(encoding='utf-8')\n"
        "changed = text.replace('agreed, end = 0,', 'agreed, end = 1,')\n"
        "assert changed != text\n"
        "exchange(Mutant('prompts', 'common_prefix', '', '', '', source=changed))\n"
        "print(imported_before('x', 'y'))\n"
    )
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout == "1\n"


def test_the_exchange_itself_breaks_nothing() -> None:
    """Every function of every module, exchanged for itself, has the code and the defaults that it had."""
    program = (
        "import ast\n"
        "from tests.mutation.__main__ import MODULES\n"
        "from tests.mutation.mutants import Mutant, _function, exchange, source_of\n"
        "import importlib\n"
        "exchanged = 0\n"
        "for module in MODULES:\n"
        "    text = source_of(module).read_text(encoding='utf-8')\n"
        "    names = []\n"
        "    for node in ast.parse(text).body:\n"
        "        inside = node.body if isinstance(node, ast.ClassDef) else [node]\n"
        "        prefix = f'{node.name}.' if isinstance(node, ast.ClassDef) else ''\n"
        "        names += [prefix + one.name for one in inside\n"
        "                  if isinstance(one, ast.FunctionDef) and not one.decorator_list]\n"
        "    for name in names:\n"
        "        function = _function(importlib.import_module(f'maskspec.{module}'), name)\n"
        "        kept = function.__code__, function.__defaults__, function.__kwdefaults__\n"
        "        exchange(Mutant(module, name, '', '', '', source=text))\n"
        "        assert (function.__code__, function.__defaults__, function.__kwdefaults__) == kept, name\n"
        "        exchanged += 1\n"
        "print(exchanged)\n"
    )
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", program]
    assert int(subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout) > 250


def test_a_change_that_is_no_function_is_an_error() -> None:
    with pytest.raises(SyntaxError):
        exchange(Mutant("prompts", "common_prefix", "", "", "", source="def common_prefix(:\n"))


def test_mutants_name_function_and_changed_line() -> None:
    pytest.importorskip("mutmut", reason="mutmut makes the mutants; it is installed by tox -e mutation")
    found, exist = mutants_of("prompts", every=10)
    assert exist > 100
    assert len(found) == -(-exist // 10)
    changed = {(one.was, one.now) for one in found if one.function == "common_prefix"}
    assert changed
    assert {one.module for one in found} == {"prompts"}
    for one in found:
        compile(one.source, one.function, "exec")
        assert one.source != source_of("prompts").read_text(encoding="utf-8")


def test_a_score_counts_what_was_caught_and_sorts_what_was_not() -> None:
    attempts = [
        Attempt(mutant("a < b", "a <= b"), "tests/unit/test_it.py::test_borders"),
        Attempt(mutant("while x:", "while True:"), "out of time", late=True),
        Attempt(mutant("x = 1", "x = 2"), ""),
        Attempt(mutant("y = 1", "y = 2"), ""),
        Attempt(mutant("f(*x)", "f(**x, *x)"), "", valid=False),
        Attempt(mutant("x = 1", "x = 2", module="policy"), ""),
    ]
    reasons = {
        ("prompts", "f", "x = 1", "x = 2"): "equivalent: nobody reads x",
        ("prompts", "f", "z = 1", "z = 2"): "equivalent: nobody reads z",
        ("policy", "f", "x = 1", "x = 2"): "speed only: another module",
    }
    found = score("prompts", attempts, reasons, exist=9)
    assert (found.exist, found.mutants, found.killed, found.late, found.percent) == (8, 4, 2, 1, 50.0)
    assert found.explained == [(mutant("x = 1", "x = 2"), "equivalent: nobody reads x")]
    assert found.unexplained == [mutant("y = 1", "y = 2")]
    assert found.stale == ["f: 'z = 1' -> 'z = 2'"]


def test_the_table_shows_scores_reasons_and_what_has_none() -> None:
    attempts = [
        Attempt(mutant("a < b", "a <= b"), "test"),
        Attempt(mutant("x = 1", "x = 2"), ""),
        Attempt(mutant("y = 1", "y = 2"), ""),
    ]
    reasons = {("prompts", "f", "x = 1", "x = 2"): "equivalent: nobody reads x"}
    shown = table([score("prompts", attempts, reasons, exist=9)], "Made by hand.")
    assert "| `prompts` | 3 | 1 | 33.3 % | 2 | 1 | 0 | 0 | 1 |" in shown
    assert "| together | 3 | 1 | 33.3 % | 2 | 1 | 0 | 0 | 1 |" in shown
    assert "`f`: equivalent: nobody reads x\n\n- `x = 1` → `x = 2`" in shown
    assert "`f`: **not explained**\n\n- `y = 1` → `y = 2`" in shown


def test_what_is_known_is_not_run_again_but_for_survivors_on_request(tmp_path: Path) -> None:
    file = tmp_path / "runs" / "journal.jsonl"
    caught, survived, invalid, unknown = mutant("a", "b"), mutant("x", "y"), mutant("i", "j"), mutant("p", "q")
    Journal(file).write(Attempt(caught, "out of time", late=True, tried=3))
    Journal(file).write(Attempt(survived, "", tried=5))
    Journal(file).write(Attempt(invalid, "", valid=False))
    everything = [caught, survived, invalid, unknown]
    assert Journal(file).known(everything) == {
        caught: Attempt(caught, "out of time", late=True, tried=3),
        survived: Attempt(survived, "", tried=5),
        invalid: Attempt(invalid, "", valid=False),
    }
    assert list(Journal(file, again=True).known(everything)) == [caught, invalid]
    assert list(Journal(file, again=True, accepted=[survived]).known(everything)) == [caught, survived, invalid]
    assert Journal(tmp_path / "none").known(everything) == {}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('[[policy]]\nfunction = "f"\nwas = "a"\nnow = ["b"]\nreason = " "\n', "must be equivalent or"),
        ('[[policy]]\nfunction = "f"\nwas = "a"\nnow = ["b"]\nreason = "equivalent: "\n', "and why"),
        ('[[policy]]\nfunction = "f"\nwas = "a"\nnow = ["b"]\nreason = "nobody cares"\n', "must be equivalent or"),
        ('[[policy]]\nfunction = "f"\nwas = "a"\nnow = ["b", "b"]\nreason = "equivalent: r"\n', "twice"),
    ],
)
def test_a_survivor_needs_one_reason(tmp_path: Path, entry: str, message: str) -> None:
    file = tmp_path / "survivors.toml"
    file.write_text(entry, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_reasons(file)


def test_accepted_survivors_stand_module_by_module_and_function_by_function() -> None:
    places = list(dict.fromkeys((module, function) for module, function, _, _ in read_reasons(ACCEPTED)))
    entries = [(module, function) for module, function, _, _ in read_reasons(ACCEPTED)]
    assert [place for place, _ in itertools.groupby(entries)] == places
    assert [MODULES.index(module) for module, _ in places] == sorted(MODULES.index(module) for module, _ in places)


def test_a_run_tells_what_became_of_every_mutant(tmp_path: Path) -> None:
    pytest.importorskip("mutmut", reason="mutmut makes the mutants; it is installed by tox -e mutation")
    root = Path(__file__).resolve().parents[2]
    journal = tmp_path / "journal.jsonl"
    command = [sys.executable, "-m", "tests.mutation", "markers", "--journal", str(journal), "--jobs", "2"]
    command += ["--tests", "tests/unit/test_markers.py"]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    _, exist = mutants_of("markers")
    records = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    assert len(records) == exist > 20
    caught = [record["test"] for record in records if record["test"]]
    assert len(caught) > 20
    assert all(test.startswith("tests/unit/test_markers.py::") for test in caught)
    assert f"markers: {len(caught)} of {exist} killed" in ran.stdout
    again = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert f"{exist} of {exist} known" in again.stdout
    assert (again.returncode, again.stdout.splitlines()[-1]) == (ran.returncode, ran.stdout.splitlines()[-1])


def test_accepted_survivors_are_lines_of_the_reference() -> None:
    for module, function, was, _ in read_reasons(ACCEPTED):
        joined = " ".join(line.strip() for line in source_of(module).read_text(encoding="utf-8").splitlines())
        assert was in joined, f"{module}: {function}: {was!r} is no line of it any more; see tests/README.md"
