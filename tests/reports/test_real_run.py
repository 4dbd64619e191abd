"""One real run of a deliberately wrong masker, through every format."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")

from maskspec.adapters.reference import ReferenceMasker
from maskspec.conformance import Labelled, Request, check_masker
from maskspec.conformance.reports import read_jsonl, write_reports
from maskspec.corpus import embedded_pair
from maskspec.policy import Policy


@dataclass
class EverythingTrained:
    name: str = "everything trained"
    policy: Policy = field(default_factory=lambda: Policy(flags=False))

    def mask(self, request: Request) -> Labelled:
        ids = ReferenceMasker(policy=self.policy).mask(request).input_ids
        return Labelled(ids, ids)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pairs = [embedded_pair("chatml+bytelevel-gpt2"), embedded_pair("zephyr+bytelevel-gpt2")]
    found = check_masker(EverythingTrained(), pairs=pairs, rules=["LABEL", "ROLE-1", "STOP-1"], profile="quick")
    path = tmp_path_factory.mktemp("reports")
    write_reports(found, path)
    return path


def test_the_stored_run_is_the_run(folder: Path) -> None:
    found = read_jsonl(folder / "report.jsonl")
    assert found.verdict == "everything trained: breaks 1 rule(s): ROLE-1"
    assert {failure.rule.id for failure in found.broken} == {"ROLE-1"}
    assert [pair.failed_rules for pair in found.pairs] == [("ROLE-1",), ("ROLE-1",)]
    assert (folder / "report.txt").read_text("utf-8").strip().splitlines()[-1].startswith(found.verdict)


def test_every_record_agrees_with_its_schema(folder: Path) -> None:
    pytest.importorskip("jsonschema", reason="schemas are validated with the jsonschema package")
    from tests.reports.test_schemas import validator

    for line in (folder / "report.jsonl").read_text("utf-8").splitlines():
        assert [error.message for error in validator("report").iter_errors(json.loads(line))] == []
    for path in folder.glob("role-1-*.json"):
        assert validator("counterexample").is_valid(json.loads(path.read_text("utf-8")))


def test_the_other_formats_say_the_same(folder: Path) -> None:
    root = ElementTree.parse(folder / "report.xml").getroot()
    failed = [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None]
    assert failed == ["ROLE-1", "ROLE-1"]
    assert "breaks 1 rule(s): ROLE-1" in (folder / "report.md").read_text("utf-8")
    assert "Breaks 1 rule: " in (folder / "report.html").read_text("utf-8")


def test_a_stored_counterexample_can_be_replayed(folder: Path) -> None:
    from maskspec.conformance.counterexamples import Counterexample

    files = sorted(folder.glob("role-1-*.json"))
    assert files
    assert {Counterexample.read(path).rule.id for path in files} == {"ROLE-1"}
