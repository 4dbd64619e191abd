"""A stored report: read again it is the same report, and anything less than all of it is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maskspec.conformance.report import Conflict, ExitCode, Report
from maskspec.conformance.reports import as_jsonl, parse_jsonl, read_jsonl
from maskspec.errors import UsageError
from tests.reports.factory import catalogued, failure, pair_result, report


def same(left: Report, right: Report) -> bool:
    """Whether two reports say the same: cases hold lists on one side and tuples on the other."""
    names = (
        "masker",
        "policy",
        "profile",
        "seed",
        "rules",
        "stale",
        "unfinished",
        "seconds",
        "day",
        "exit_code",
        "verdict",
    )
    return (
        all(getattr(left, name) == getattr(right, name) for name in names)
        and list(left.missing) == list(right.missing)
        and dict(left.versions) == dict(right.versions)
        and [pair.as_json() for pair in left.pairs] == [pair.as_json() for pair in right.pairs]
        and [item.as_json() for item in left.failures] == [item.as_json() for item in right.failures]
        and [item.as_json() for item in left.notes] == [item.as_json() for item in right.notes]
        and [item.as_json() for item in left.conflicts] == [item.as_json() for item in right.conflicts]
    )


def test_a_report_survives_a_file(tmp_path: Path) -> None:
    path = tmp_path / "report.jsonl"
    path.write_text(as_jsonl(catalogued()), encoding="utf-8")
    assert same(read_jsonl(path), catalogued())


def test_the_order_and_the_numbers_of_the_records() -> None:
    records = [json.loads(line) for line in as_jsonl(catalogued()).splitlines()]
    assert [record["record"] for record in records] == [
        "header", "rule", "rule", "rule", "pair", "pair", "pair", "failure", "failure", "failure", "note", "footer",
    ]  # fmt: skip
    footer = records[-1]
    assert footer["records"] == {"header": 1, "rule": 3, "pair": 3, "failure": 3, "note": 1}
    assert footer["checks_run"] == 44
    assert footer["exit_code"] == 1
    assert records[1] == {
        "record": "rule", "rule": "ROLE-1", "level": "MUST", "family": "ROLE", "title": records[1]["title"],
        "sentence": records[1]["sentence"], "location": "06-rules.md#role-1",
        "passed": 18, "failed": 2, "known": 0, "noted": 0, "excluded": {},
    }  # fmt: skip


def test_every_record_is_one_line_of_ascii_for_every_reader() -> None:
    odd = failure(
        messages=({"role": "user", "content": "a\u2028b\x85c\ud800\x00", "weight": float("inf"), "extra": {1: {2}}},)
    )
    text = as_jsonl(report(pair_result(failures=(odd,))))
    assert text.isascii()
    assert len(text.splitlines()) == text.count("\n")
    for line in text.splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_file_without_its_last_lines_is_refused(cut: int) -> None:
    lines = as_jsonl(catalogued()).splitlines(keepends=True)
    with pytest.raises(UsageError, match="is not complete: its last line is no footer"):
        parse_jsonl("".join(lines[:-cut]).encode())


def test_a_file_that_was_cut_anywhere_is_refused() -> None:
    data = as_jsonl(catalogued()).encode()
    for end in range(0, len(data) - 1, 97):
        with pytest.raises(UsageError):
            parse_jsonl(data[:end])


def test_a_missing_line_is_named_by_its_kind() -> None:
    lines = as_jsonl(catalogued()).splitlines(keepends=True)
    (place,) = [number for number, line in enumerate(lines) if line.startswith('{"record":"note"')]
    with pytest.raises(UsageError) as caught:
        parse_jsonl("".join(lines[:place] + lines[place + 1 :]).encode(), name="run.jsonl")
    assert str(caught.value) == (
        "run.jsonl is not complete: its footer counts 3 failure, 1 header, 1 note, 3 pair, 3 rule and the file holds "
        "3 failure, 1 header, 3 pair, 3 rule; run the check again, or read what is there with --allow-incomplete "
        "(allow_incomplete=True)"
    )


def test_a_changed_number_is_refused() -> None:
    text = as_jsonl(catalogued()).replace('"failed":2', '"failed":0')
    with pytest.raises(UsageError, match="changed after it was written"):
        parse_jsonl(text.encode())


def test_what_is_there_can_be_read_and_never_conforms() -> None:
    passed = report(pair_result(tallies={}), rules=())
    lines = as_jsonl(passed).splitlines(keepends=True)
    part = parse_jsonl("".join(lines[:2]).encode() + b'{"record": "pai', allow_incomplete=True)
    assert part.exit_code is ExitCode.CRASHED
    assert len(part.pairs) == 1
    assert "the saved run is not complete" in part.conflicts[0].problem


def test_failures_are_found_again_in_the_pairs_of_an_incomplete_file() -> None:
    lines = as_jsonl(catalogued()).splitlines(keepends=True)
    part = parse_jsonl("".join(lines[:7]).encode(), allow_incomplete=True)
    assert [(item.rule.id, item.known is None) for item in part.failures] == [
        ("ROLE-1", True), ("STOP-1", True), ("STOP-1", False),
    ]  # fmt: skip
    assert [item.rule.id for item in part.notes] == ["TOKEN-3"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not complete"),
        (b"<html>", "not complete"),
        (b'{"record":"footer"}\n', "not complete"),
    ],
)
def test_other_files_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_jsonl(data)


def test_another_version_is_refused_by_name() -> None:
    import hashlib

    body = '{"record":"header","maskspec_report":1,"versions":{"maskspec":"0.0.9"}}\n'
    footer = {"record": "footer", "records": {"header": 1}, "sha256": hashlib.sha256(body.encode()).hexdigest()}
    with pytest.raises(UsageError, match=r"has version 1 of the report format .* read it with maskspec 0\.0\.9"):
        parse_jsonl((body + json.dumps(footer) + "\n").encode())


def test_a_rule_that_this_version_lacks_is_named() -> None:
    from dataclasses import replace

    from tests.reports.factory import rule

    text = as_jsonl(replace(report(), rules=(rule("FUTURE-1"),)))
    with pytest.raises(UsageError, match="this version has no rule FUTURE-1"):
        parse_jsonl(text.encode())


def test_conflicts_survive() -> None:
    conflict = Conflict(pair="a+b", problem="mask() raised ValueError: no", count=3, case=failure().case, traceback="…")
    original = report(pair_result(conflicts=(conflict,)), rules=())
    assert same(parse_jsonl(as_jsonl(original).encode()), original)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.jsonl cannot be read"):
        read_jsonl(tmp_path / "missing.jsonl")
