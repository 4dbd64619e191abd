"""JUnit XML: one test case per rule and pair, and no character that XML forbids."""

from __future__ import annotations

from xml.etree import ElementTree

from maskspec.conformance.report import Conflict, Tally
from maskspec.conformance.reports import as_junit
from tests.reports.factory import failure, mixed, pair_result, report


def test_every_rule_on_every_pair_is_a_test_case() -> None:
    root = ElementTree.fromstring(as_junit(mixed()))
    assert root.attrib == {
        "name": "maskspec shop masks",
        "tests": "10",
        "failures": "3",
        "errors": "0",
        "skipped": "5",
        "time": "4.000",
    }
    found = {
        (suite.get("name"), case.get("name")): [(child.tag, child.get("message")) for child in case]
        for suite in root
        for case in suite
    }
    assert found == {
        ("chatml+words", "ROLE-1"): [("failure", "1 token of message 0 (user) is trained")],
        ("chatml+words", "STOP-1"): [("skipped", "known failure: shop masks leave empty turns alone on purpose")],
        ("chatml+words", "TOKEN-3"): [("system-out", None)],
        ("zephyr+words", "ROLE-1"): [],
        ("zephyr+words", "STOP-1"): [("failure", "the stop of message 1 is not trained")],
        ("zephyr+words", "TOKEN-3"): [
            ("skipped", "the vocabulary has only one tokenizer here, slow or fast (10)"),
        ],
        ("gemma+words", "ROLE-1"): [("skipped", "unsupported by the masker: only ChatML (1)")],
        ("gemma+words", "STOP-1"): [("skipped", "unsupported by the masker: only ChatML (1)")],
        ("gemma+words", "TOKEN-3"): [("skipped", "unsupported by the masker: only ChatML (1)")],
        ("known failures", "ROLE-2 on chatml+words: no longer fails"): [
            ("failure", "this known failure fails no longer and must be removed from the file"),
        ],
    }  # fmt: skip


def test_a_failure_holds_its_conversation_and_its_command() -> None:
    root = ElementTree.fromstring(as_junit(mixed()))
    text = root.findtext("testsuite/testcase/failure")
    assert text is not None
    assert '{"role": "user", "content": "Hi"}' in text
    assert "maskspec replay " in text


def test_what_xml_forbids_becomes_an_escape() -> None:
    item = failure(explanation="\x00\x1b\ud800\ufffe]]><x/>&", messages=({"role": "user", "content": "\x0b"},))
    text = as_junit(report(pair_result("a\x07+b", {"ROLE-1": Tally(failed=1)}, failures=(item,)), masker="m\x01"))
    root = ElementTree.fromstring(text.encode())
    failed = root.find("testsuite/testcase/failure")
    assert failed is not None
    assert failed.get("message") == r"\x00\x1b\ud800\ufffe]]><x/>&"
    assert root[0].get("name") == r"a\x07+b"


def test_an_adapter_that_failed_and_a_pair_not_come_to_are_errors() -> None:
    conflict = Conflict(pair="a+b", problem="mask() raised ValueError", count=2, traceback="Traceback …")
    root = ElementTree.fromstring(as_junit(report(pair_result(conflicts=(conflict,)), unfinished=("c+d",))))
    assert root.get("errors") == "2"
    messages = [error.get("message") for error in root.iter("error")]
    assert messages == ["mask() raised ValueError", "the run was interrupted before this pair"]
