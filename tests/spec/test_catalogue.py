"""The catalogue of rules is read strictly, and its ids are stable."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from maskspec.errors import CorpusError
from maskspec.rules.catalogue import Level, Status, load_rules, parse_rules, rule_order

# How many rules each family has. Ids are never removed, renumbered or reused, so these numbers only ever grow.
COUNTS = {
    "RENDER": 4,
    "LABEL": 3,
    "ROLE": 3,
    "SPAN": 5,
    "OPEN": 1,
    "STOP": 5,
    "SELECT": 3,
    "INJECT": 3,
    "META": 3,
    "TRUNC": 3,
    "COLLATE": 2,
    "TOKEN": 3,
    "TOTAL": 3,
    "TRAIN": 4,
}
FROZEN = [f"{family}-{number}" for family, count in COUNTS.items() for number in range(1, count + 1)]

CHECKED_FAMILIES = {
    "RENDER", "LABEL", "ROLE", "SPAN", "OPEN", "STOP", "SELECT",
    "INJECT", "META", "TRUNC", "COLLATE", "TOKEN", "TOTAL",
}  # fmt: skip

VALID = """
[[rule]]
id = "ROLE-1"
level = "MUST"
family = "ROLE"
title = "Unselected messages"
sentence = "A token MUST be one."
chapter = "06-rules.md"
anchor = "role-1"
status = "checked"
check = "maskspec.rules.role:something"
prose_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
"""


def test_no_id_is_ever_removed_and_every_new_one_is_frozen() -> None:
    assert sorted(load_rules(), key=rule_order) == sorted(FROZEN, key=rule_order)


def test_rules_stand_in_the_order_of_their_families_and_numbers() -> None:
    assert list(load_rules()) == FROZEN


def test_checked_families() -> None:
    assert {rule.family for rule in load_rules().values() if rule.status is Status.CHECKED} == CHECKED_FAMILIES
    assert all(rule.status is Status.CHECKED for rule in load_rules().values() if rule.family in CHECKED_FAMILIES)


def test_no_two_rules_share_a_title_a_sentence_or_a_check() -> None:
    for field in ("title", "sentence", "check"):
        values = [value for rule in load_rules().values() if (value := getattr(rule, field)) is not None]
        assert len(set(values)) == len(values), field


def test_a_valid_table_is_read() -> None:
    (rule,) = parse_rules(VALID).values()
    assert (rule.id, rule.family, rule.level, rule.status) == ("ROLE-1", "ROLE", Level.MUST, Status.CHECKED)
    assert rule.check == "maskspec.rules.role:something"
    assert rule.location == "06-rules.md#role-1"
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule.id = "ROLE-2"  # type: ignore[misc]  # that this fails is what is tested


def _without(field: str) -> Callable[[str], str]:
    return lambda text: "".join(line for line in text.splitlines(keepends=True) if not line.startswith(f"{field} ="))


def _with(field: str, value: str) -> Callable[[str], str]:
    return lambda text: _without(field)(text) + f"{field} = {value}\n"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda text: text + "not toml", "not valid TOML"),
        (lambda _: "", "must hold [[rule]] tables"),
        (lambda text: "other = 1\n" + text, "and nothing else"),
        (lambda _: "rule = [7]", "rule number 1: must be a [[rule]] table"),
        (lambda text: text + text, "rule ROLE-1: this id is used twice"),
        (_with("colour", '"red"'), "unknown field 'colour'"),
        (_with("title", "7"), "field 'title' must be text, not 7"),
        (_with("title", '" "'), "field 'title' has an unexpected form"),
        (_with("level", '"MAY"'), "field 'level' is 'MAY'; known are MUST, SHOULD"),
        (_with("level", '"SHOULD"'), "the sentence does not hold the word SHOULD"),
        (_with("status", '"maybe"'), "field 'status' is 'maybe'; known are checked, trained, specified"),
        (_with("status", '"specified"'), "a rule has a 'check' unless its status is 'specified'"),
        (_with("status", '"trained"'), "the check of a rule that is trained stands in maskspec.training.*"),
        (_without("check"), "a rule has a 'check' unless its status is 'specified'"),
        (_with("check", '"os:system"'), "field 'check' has an unexpected form"),
        (_with("id", '"role-1"'), "an id is FAMILY-NUMBER, not 'role-1'"),
        (_with("id", '"ROLE-01"'), "an id is FAMILY-NUMBER"),
        (_with("family", '"SPAN"'), "field 'family' is 'SPAN', but the id says 'ROLE'"),
        (_with("sentence", '"no capital MUST."'), "field 'sentence' has an unexpected form"),
        (_with("chapter", '"../secret.md"'), "field 'chapter' has an unexpected form"),
        (_with("prose_sha256", '"abc"'), "field 'prose_sha256' has an unexpected form"),
        (_without("anchor"), "missing field 'anchor'"),
    ],
)
def test_a_wrong_table_is_refused_by_name(change: Callable[[str], str], expected: str) -> None:
    with pytest.raises(CorpusError) as caught:
        parse_rules(change(VALID), name="some.toml")
    assert expected in str(caught.value)
    assert str(caught.value).startswith("some.toml")


def test_the_file_itself_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(VALID, encoding="utf-8")
    assert list(load_rules(path)) == ["ROLE-1"]
    with pytest.raises(TypeError):
        load_rules()["ROLE-1"] = load_rules(path)["ROLE-1"]  # type: ignore[index]  # the shared catalogue is read-only


def test_the_catalogue_is_plain_toml_with_one_table_per_rule(repository: Path) -> None:
    document = tomllib.loads((repository / "spec" / "rules.toml").read_text(encoding="utf-8"))
    assert [table["id"] for table in document["rule"]] == FROZEN
