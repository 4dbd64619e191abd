"""A report as JSON Lines, and back: the stored form of a run, which proves that it is complete.

The last line is a footer with the number of records of each kind, the number of checks,
and the SHA-256 of every byte before it. A file that was cut off anywhere, or edited, is
refused, because a run of which the failures are missing looks like one that conforms.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from maskspec.conformance.folding import fold
from maskspec.conformance.report import Conflict, Failure, PairResult, Report
from maskspec.conformance.reports.plain import one_line
from maskspec.errors import UsageError
from maskspec.rules import Rule, Subject, load_rules

__all__ = ["VERSION", "as_jsonl", "parse_jsonl", "read_jsonl"]

VERSION = 2
"""Of the format; a reader refuses another one."""


def as_jsonl(report: Report) -> str:
    """One JSON record a line: header, rules, pairs, failures, notes, conflicts, footer.

    `spec/schemas/report.schema.json` describes them. Every line is ASCII.
    """
    records: list[dict[str, Any]] = [
        {
            "record": "header",
            "maskspec_report": VERSION,
            "masker": report.masker,
            "policy": report.policy,
            "profile": report.profile,
            "seed": report.seed,
            "versions": dict(report.versions),
            "missing": list(report.missing),
            "stale": list(report.stale),
            "unfinished": list(report.unfinished),
            "seconds": round(report.seconds, 6),
            **({"day": report.day} if report.day else {}),
        }
    ]
    records += [_rule(report, rule) for rule in report.rules]
    records += [{"record": "pair", **pair.as_json()} for pair in report.pairs]
    records += [{"record": "failure", **failure.as_json()} for failure in report.failures]
    records += [{"record": "note", **note.as_json()} for note in report.notes]
    records += [{"record": "conflict", **conflict.as_json()} for conflict in report.conflicts]
    body = "".join(one_line(record) + "\n" for record in records)
    footer = {
        "record": "footer",
        "records": dict(Counter(record["record"] for record in records)),
        "checks_run": report.checks_run,
        "exit_code": int(report.exit_code),
        "verdict": report.verdict,
        "sha256": hashlib.sha256(body.encode("ascii")).hexdigest(),
    }
    return body + one_line(footer) + "\n"


def _rule(report: Report, rule: Rule) -> dict[str, Any]:
    return {
        "record": "rule",
        "rule": rule.id,
        "level": rule.level.value,
        "family": rule.family,
        "title": rule.title,
        "sentence": rule.sentence,
        "location": rule.location,
        **report.tallies[rule.id].as_json(),
    }


def read_jsonl(path: Path, *, allow_incomplete: bool = False) -> Report:
    """Return the report that `as_jsonl` wrote to a file.

    With `allow_incomplete`, a file that was cut off gives what is in it; the report then holds
    a conflict that says so, and therefore never reads as one of a masker that conforms.

    Raises:
        UsageError: the file cannot be read, is no saved report, comes from another version of
            maskspec, or is not complete; the message says which.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    return parse_jsonl(data, name=str(path), allow_incomplete=allow_incomplete)


def parse_jsonl(data: bytes, *, name: str = "the report", allow_incomplete: bool = False) -> Report:
    """Return the report that the bytes of a saved one hold; `name` stands for it in errors.

    Raises:
        UsageError: as `read_jsonl`.
    """
    body, footer = _split(data)
    problem = _incompleteness(body, footer)
    if problem is not None and not allow_incomplete:
        raise UsageError(
            f"{name} is not complete: {problem}; run the check again, "
            "or read what is there with --allow-incomplete (allow_incomplete=True)"
        )
    records = _records(body, name=name, cut_off=problem is not None)
    header = records[0] if records else {}
    if header.get("record") != "header" or "maskspec_report" not in header:
        raise UsageError(f"{name} is no saved report of maskspec; `maskspec check --output DIR` writes report.jsonl")
    if header["maskspec_report"] != VERSION:
        raise UsageError(
            f"{name} has version {header['maskspec_report']} of the report format and this maskspec reads {VERSION}; "
            f"read it with maskspec {header.get('versions', {}).get('maskspec', 'of the version that wrote it')}"
        )
    try:
        report = _report(header, records, problem)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{name} is no saved report that this maskspec understands: {error!r}") from error
    if footer is not None and problem is None and footer["checks_run"] != report.checks_run:
        raise UsageError(f"{name} counts {footer['checks_run']} checks and its pairs {report.checks_run}")
    return report


def _split(data: bytes) -> tuple[bytes, Mapping[str, Any] | None]:
    """The bytes before the last line, and that line where it is a footer; all bytes and None otherwise."""
    start = data.rstrip(b"\n").rfind(b"\n") + 1
    try:
        footer = json.loads(data[start:])
    except ValueError:
        return data, None
    if not isinstance(footer, dict) or footer.get("record") != "footer":
        return data, None
    return data[:start], footer


def _incompleteness(body: bytes, footer: Mapping[str, Any] | None) -> str | None:
    """What is missing, or None: the footer answers for every byte before it."""
    if footer is None:
        return "its last line is no footer, so it was cut off while it was written or copied"
    counts: Counter[str] = Counter()
    for line in body.splitlines():
        try:
            counts[str(json.loads(line).get("record"))] += 1
        except (ValueError, AttributeError):
            counts["unreadable"] += 1
    wanted = footer.get("records")
    if wanted != dict(counts):
        return f"its footer counts {_counted(wanted)} and the file holds {_counted(counts)}"
    if footer.get("sha256") != hashlib.sha256(body).hexdigest():
        return "its records are not the ones that its footer has the hash of, so it was changed after it was written"
    return None


def _counted(counts: Any) -> str:
    if not isinstance(counts, Mapping):
        return "nothing"
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "no records"


def _records(body: bytes, *, name: str, cut_off: bool) -> Sequence[Mapping[str, Any]]:
    records: list[Mapping[str, Any]] = []
    for number, line in enumerate(body.splitlines(), 1):
        try:
            record = json.loads(line)
        except ValueError as error:
            if cut_off:
                break
            raise UsageError(f"{name}, line {number}: not JSON: {error}") from error
        if not isinstance(record, dict):
            raise UsageError(f"{name}, line {number}: a record is a JSON object, not {type(record).__name__}")
        records.append(record)
    return records


def _report(header: Mapping[str, Any], records: Sequence[Mapping[str, Any]], problem: str | None) -> Report:
    of: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        of.setdefault(record["record"], []).append({key: value for key, value in record.items() if key != "record"})
    catalogue = load_rules()
    unknown = [record["rule"] for record in of.get("rule", ()) if record["rule"] not in catalogue]
    if unknown:
        raise ValueError(f"this version has no rule {unknown[0]}")
    conflicts = [Conflict.from_json(record) for record in of.get("conflict", ())]
    if problem is not None:
        conflicts.append(Conflict(pair="", problem=f"the saved run is not complete: {problem}", count=1))
    pairs = tuple(PairResult.from_json(record) for record in of.get("pair", ()))
    rules = tuple(catalogue[record["rule"]] for record in of.get("rule", ()))
    findings = [Failure.from_json(record) for kind in ("failure", "note") for record in of.get(kind, ())]
    if problem is not None:
        # The folded findings stand behind the pairs, so a file that was cut off may lack them.
        findings = list(fold((failure for pair in pairs for failure in pair.failures), rules))
    return Report(
        masker=header["masker"],
        policy=header["policy"],
        profile=header["profile"],
        seed=header["seed"],
        rules=rules,
        failures=tuple(finding for finding in findings if finding.subject is Subject.MASKER),
        notes=tuple(finding for finding in findings if finding.subject is Subject.TOKENIZER),
        conflicts=tuple(conflicts),
        pairs=pairs,
        stale=tuple(header["stale"]),
        missing=tuple(header["missing"]),
        unfinished=tuple(header["unfinished"]),
        seconds=header["seconds"],
        versions=dict(header["versions"]),
        day=header.get("day", ""),
    )
