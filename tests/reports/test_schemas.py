"""Everything that is stored agrees with its JSON Schema, and the schemas refuse what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("jsonschema", reason="schemas are validated with the jsonschema package")

import jsonschema
import referencing

from maskspec.conformance.cases import Case
from maskspec.conformance.journal import Header, Journal
from maskspec.conformance.report import Category, Conflict, Failure
from maskspec.conformance.reports import SCHEMAS, as_jsonl, load_schema
from maskspec.data import data_path
from maskspec.errors import UsageError
from tests.reports.factory import MESSAGES, catalogued, failure, pair_result, report


def validator(name: str) -> Any:
    resources = [referencing.Resource.from_contents(dict(load_schema(item))) for item in SCHEMAS]
    registry = referencing.Registry().with_resources([(item.id(), item) for item in resources])
    return jsonschema.Draft202012Validator(load_schema(name), registry=registry)


def records() -> list[dict[str, Any]]:
    case = Case(messages=MESSAGES, tools=[{"type": "function"}], template_kwargs={"enable_thinking": False}, number=3)
    conflicts = (
        Conflict(pair="", problem="the saved run is not complete", count=1),
        Conflict(pair="a+b", problem="mask() raised", count=2, case=case, traceback="Traceback …"),
    )
    texts = [as_jsonl(catalogued()), as_jsonl(report(pair_result(conflicts=conflicts), unfinished=("a+b",), rules=()))]
    return [json.loads(line) for text in texts for line in text.splitlines()]


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_says_its_name(name: str) -> None:
    schema = load_schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:maskspec:schema:{name}"
    assert schema["$schema"].endswith("draft/2020-12/schema")


def test_every_schema_file_has_a_name() -> None:
    files = {path.name.removesuffix(".schema.json") for path in data_path("spec", "schemas").iterdir()}
    assert files == set(SCHEMAS)


def test_an_unknown_schema_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no schema 'reports'; known are case, conflict"):
        load_schema("reports")


def test_every_record_of_a_report_is_valid() -> None:
    seen = set()
    for record in records():
        errors = [error.message for error in validator("report").iter_errors(record)]
        assert errors == [], record["record"]
        seen.add(record["record"])
    assert seen == {"header", "rule", "pair", "failure", "note", "conflict", "footer"}


@pytest.mark.parametrize("category", [None, *Category])
def test_the_class_of_an_accepted_failure_is_stored_and_older_records_lack_it(category: Category | None) -> None:
    record = failure(known="a reason", category=category).as_json()
    assert record["class"] == (None if category is None else category.value)
    assert list(validator("counterexample").iter_errors(record)) == []
    assert not validator("counterexample").is_valid({**record, "class": "whim"})
    known = {**record, "rule": "ROLE-1"}
    assert Failure.from_json(known).category is category
    del known["class"]
    assert validator("counterexample").is_valid(known)
    assert Failure.from_json(known).category is None


def test_a_counterexample_file_and_a_result_are_valid() -> None:
    assert list(validator("counterexample").iter_errors(failure().as_json())) == []
    assert list(validator("pair-result").iter_errors(catalogued().pairs[0].as_json())) == []


def wrong() -> list[tuple[str, dict[str, Any]]]:
    """For each record, the same without one field, and with one that nobody knows."""
    found = []
    for record in {record["record"]: record for record in records()}.values():
        required = [name for name in record if name not in ("class", "tools", "template_kwargs", "number", "day")]
        found += [
            (f"{record['record']} without {name}", {key: value for key, value in record.items() if key != name})
            for name in required
        ]
        found.append((f"{record['record']} with more", {**record, "surprise": 1}))
    return found


@pytest.mark.parametrize("record", [record for _, record in wrong()], ids=[name for name, _ in wrong()])
def test_a_record_that_lacks_or_adds_something_is_refused(record: dict[str, Any]) -> None:
    assert not validator("report").is_valid(record)


def test_a_journal_is_valid(tmp_path: Any) -> None:
    header = Header(
        masker="shop masks",
        masker_path="shop.masks:masker",
        policy="Policy()",
        profile="quick",
        seed=7,
        rules=("ROLE-1",),
        pairs=("chatml+words",),
        versions={"maskspec": "0.1.0"},
    )
    journal = Journal.create(tmp_path / "run.journal", header)
    journal.add_found(failure())
    journal.add_examined(catalogued().pairs[0])
    journal.add_shrunk(1, catalogued().pairs[1])
    journal.close()
    lines = [json.loads(line) for line in (tmp_path / "run.journal").read_text("utf-8").splitlines()]
    assert [line["record"] for line in lines] == ["header", "found", "examined", "shrunk"]
    for line in lines:
        assert [error.message for error in validator("journal").iter_errors(line)] == []
    assert not validator("journal").is_valid({**lines[0], "surprise": 1})
