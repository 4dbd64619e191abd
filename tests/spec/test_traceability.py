"""Every rule has its prose and its check, and nothing claims to be a rule or a check that is not one."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import maskspec.rules
from maskspec.errors import MaskspecError
from maskspec.rules import load_check, traceability
from maskspec.rules.catalogue import Level, Rule, Status, load_rules
from maskspec.rules.examples import load_examples
from maskspec.rules.prose import chapters, parse_sections, prose_hash

RULES = load_rules()
CHECKED = [rule for rule in RULES.values() if rule.status is Status.CHECKED]


def registered_checks() -> dict[str, str]:
    """Every function in `maskspec.rules` that calls itself the check of a rule: `module:function` by rule id."""
    found: dict[str, str] = {}
    for module_info in pkgutil.iter_modules(maskspec.rules.__path__, "maskspec.rules."):
        module = importlib.import_module(module_info.name)
        for name, value in vars(module).items():
            identifier = getattr(value, "rule", None) if callable(value) else None
            if isinstance(identifier, str) and getattr(value, "__module__", None) == module_info.name:
                if isinstance(value, type):
                    continue
                assert identifier not in found, f"{identifier} has two checks: {found[identifier]} and {name}"
                found[identifier] = f"{module_info.name}:{name}"
    return found


def test_prose_and_catalogue_agree() -> None:
    assert list(traceability.disagreements(RULES, chapters())) == []


@pytest.mark.parametrize("rule", CHECKED, ids=lambda rule: rule.id)
def test_a_checked_rule_has_its_check(rule: Rule) -> None:
    assert rule.check is not None
    module, _, function = rule.check.partition(":")
    check = getattr(importlib.import_module(module), function)
    assert callable(check)
    assert check.rule == rule.id
    assert module == f"maskspec.rules.{rule.family.lower()}"


@pytest.mark.parametrize("rule", [rule for rule in RULES.values() if rule.status is Status.TRAINED], ids=lambda r: r.id)
def test_a_trained_rule_names_what_looks_at_it(rule: Rule) -> None:
    assert rule.check is not None
    module, _, function = rule.check.partition(":")
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    source = ast.parse(Path(found.origin).read_text(encoding="utf-8"))  # read, since torch may be missing here
    assert function in {node.name for node in source.body if isinstance(node, ast.FunctionDef)}
    with pytest.raises(MaskspecError, match=f"{rule.id} is checked on a model, by `maskspec train-check`"):
        load_check(rule)


def test_every_registered_check_belongs_to_a_checked_rule() -> None:
    assert registered_checks() == {rule.id: rule.check for rule in CHECKED}


def test_every_rule_has_an_example_in_its_own_section() -> None:
    sections = {section.heading: section for section in chapters()["06-rules.md"]}
    for rule in RULES.values():
        section = sections[rule.id]
        last = section.line + section.text.count("\n")
        inside = [item for item in load_examples() if item.chapter == rule.chapter and section.line < item.line <= last]
        assert any(rule.id in example.rules for example in inside), rule.id


def test_every_checked_rule_has_an_example_that_runs() -> None:
    shown = {rule for example in load_examples() if example.illustration is None for rule in example.rules}
    assert {rule.id for rule in CHECKED} - shown == set()


def test_examples_name_only_rules_that_exist() -> None:
    assert {rule for example in load_examples() for rule in example.rules} <= set(RULES)


def test_every_rule_cites_a_reported_bug() -> None:
    for section in chapters()["06-rules.md"]:
        if section.heading in RULES:
            assert re.search(r"\b[A-Za-z][\w-]*#\d+", section.prose), section.heading


# What the comparison itself notices, on a specification of one rule.

PROSE = """# 06 Rules

## ROLE

### ROLE-1

*MUST, checked. Unselected messages*

> A token MUST be
> one.

Because.
"""
RULE = Rule(
    id="ROLE-1",
    level=Level.MUST,
    family="ROLE",
    title="Unselected messages",
    sentence="A token MUST be one.",
    chapter="06-rules.md",
    anchor="role-1",
    status=Status.CHECKED,
    check="maskspec.rules.role:something",
    prose_sha256="0" * 64,
)


def disagreements(prose: str, rules: Mapping[str, Rule]) -> list[str]:
    sections = {"06-rules.md": parse_sections(prose, chapter="06-rules.md")}
    return list(traceability.disagreements(rules, sections))


def agreeing() -> Rule:
    section = parse_sections(PROSE, chapter="06-rules.md")[-1]
    return replace(RULE, prose_sha256=prose_hash(section))


def test_agreement_is_silent() -> None:
    assert disagreements(PROSE, {"ROLE-1": agreeing()}) == []


@pytest.mark.parametrize(
    ("prose", "rule", "expected"),
    [
        (PROSE.replace("Because.", "Because of this."), agreeing(), "the prose has changed"),
        (PROSE.replace("be\n> one", "be\n> two"), agreeing(), "the sentence is 'A token MUST be two.'"),
        (PROSE.replace("*MUST", "*SHOULD"), agreeing(), "the level is 'SHOULD' in the prose"),
        (PROSE.replace("checked.", "specified."), agreeing(), "the status is 'specified' in the prose"),
        (PROSE.replace("Unselected", "Other"), agreeing(), "the title is 'Other messages' in the prose"),
        (PROSE.replace("> ", ""), agreeing(), "and quote the sentence"),
        (PROSE.replace("### ROLE-1", "### Role-1"), agreeing(), "the heading is 'Role-1'"),
        (PROSE.replace("### ROLE-1", "### ROLE-2"), agreeing(), "ROLE-2 has prose but no rule"),
        (PROSE.replace("### ROLE-1", "### ROLE-2"), agreeing(), "ROLE-1: no heading 'role-1'"),
        (PROSE, replace(agreeing(), chapter="05-policy.md"), "ROLE-1: no heading 'role-1' in 05-policy.md"),
    ],
)
def test_a_disagreement_is_named(prose: str, rule: Rule, expected: str) -> None:
    assert any(expected in line for line in disagreements(prose, {"ROLE-1": rule}))


def test_an_orphan_in_prose_is_named() -> None:
    assert disagreements(PROSE, {}) == ["06-rules.md, line 5: ROLE-1 has prose but no rule in the catalogue"]


@pytest.fixture
def copied_catalogue(repository: Path, tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text((repository / "spec" / "rules.toml").read_text(encoding="utf-8"), encoding="utf-8")
    return path


def test_the_command_checks_and_writes(copied_catalogue: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = copied_catalogue.read_text(encoding="utf-8")
    stale = before.replace(RULES["STOP-2"].prose_sha256, "0" * 64)
    copied_catalogue.write_text(stale, encoding="utf-8")
    load_rules.cache_clear()
    arguments = ["--catalogue", str(copied_catalogue)]
    assert traceability.main(["--check", *arguments]) == 1
    assert "STOP-2" in capsys.readouterr().out
    assert traceability.main(["--write", *arguments]) == 0
    assert copied_catalogue.read_text(encoding="utf-8") == before
    assert traceability.main(["--check", *arguments]) == 0


def test_the_command_does_not_write_over_a_disagreement(
    copied_catalogue: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = copied_catalogue.read_text(encoding="utf-8").replace("The labels MUST have", "Labels MUST have")
    copied_catalogue.write_text(wrong, encoding="utf-8")
    load_rules.cache_clear()
    assert traceability.main(["--write", "--catalogue", str(copied_catalogue)]) == 1
    assert "LABEL-1" in capsys.readouterr().out
    assert copied_catalogue.read_text(encoding="utf-8") == wrong


def test_the_command_names_an_unreadable_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert traceability.main(["--check", "--catalogue", str(tmp_path / "none.toml")]) == 2
    assert "none.toml" in capsys.readouterr().err
