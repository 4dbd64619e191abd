"""A whole pytest run: the tests that pytest gets, and what the main process says and writes at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from maskspec.conformance.counterexamples import replay_command
from maskspec.conformance.decorator import ARGUMENT, Suite
from maskspec.conformance.folding import build_report
from maskspec.conformance.items import Asking, Check, KnownCheck, Selection, checks, stored
from maskspec.conformance.known import KnownFailures
from maskspec.conformance.profiles import today, versions
from maskspec.conformance.report import Failure, PairResult, Report
from maskspec.conformance.reports import write_reports
from maskspec.errors import UsageError
from maskspec.rules import load_rules

__all__ = ["Summary", "check_of", "parameters", "select", "summarise"]


@dataclass(frozen=True, slots=True)
class Summary:
    """What is printed at the end, and whether the run must not be green."""

    lines: tuple[str, ...]
    wrong: bool


def parameters(suite: Suite, key: str, asking: Asking, *, grouped: bool, written: Path | None) -> list[Any]:
    """The tests of a suite as parameters of pytest, `key` being the id of the decorated function.

    `grouped` says that xdist is there, which then keeps the tests of a pair together
    under `--dist loadgroup`. `written` is the file that known failures are to be added to.
    """
    if suite.known_path is not None and written is not None and _same(suite.known_path, written):
        # The first run writes the file that the decorator names already.
        written.touch()
    groups: dict[str, list[pytest.MarkDecorator]] = {}
    values = []
    for identifier, group, check in checks(suite, key, asking):
        marks = groups.get(group)
        if marks is None:
            marks = [pytest.mark.maskspec, pytest.mark.xdist_group(group)] if grouped else [pytest.mark.maskspec]
            groups[group] = marks
        values.append(pytest.param(check, id=identifier, marks=marks))
    return values


def check_of(item: pytest.Item) -> Check | KnownCheck | None:
    """The check of a test, None for tests that are not of maskspec."""
    callspec = getattr(item, "callspec", None)
    check = None if callspec is None else callspec.params.get(ARGUMENT)
    return check if isinstance(check, Check | KnownCheck) else None


def select(asking: Asking, items: Iterable[pytest.Item]) -> None:
    """Note the rules and pairs of the tests that are left, for each suite."""
    rules: dict[str, set[str]] = {}
    pairs: dict[str, dict[str, None]] = {}
    for item in items:
        check = check_of(item)
        if isinstance(check, Check):
            rules.setdefault(check.key, set()).add(check.rule.id)
            pairs.setdefault(check.key, {})[check.place.pair.name] = None
    for key, names in rules.items():
        selected = tuple(rule for rule in load_rules().values() if rule.id in names)
        asking.selections[key] = Selection(rules=selected, pairs=tuple(pairs[key]))


def summarise(
    folder: Path,
    properties: Sequence[Sequence[tuple[str, Any]]],
    *,
    report: Path | None,
    known: Path | None,
    reason: str,
) -> Summary:
    """Fold what all processes stored in `folder` and what the tests noted.

    `report` is the folder for the reports and `known` the file for new known failures
    (None: neither is wanted).
    """
    lines: list[str] = []
    wrong = False
    records = _by_suite(folder)
    counted, stale = _noted(properties)
    reports: dict[str, Report] = {}
    for key, number in counted.items():
        if key in records:
            reports[key] = _report(records[key], stale.get(key, ()))
            lines += [*_lines(key, reports[key]), ""]
        elif key in stale:
            lines += [f"{key}", *(f"  {item}" for item in stale[key]), ""]
        if number == 0:
            wrong = True
            lines += [f"ERROR  {key}: no check could be run, so nothing was found out; the skipped tests say why", ""]
    if report is not None:
        lines += [f"reports: {path}" for path in _write_reports(reports, report)]
    if known is not None:
        written, failed = _write_known(reports, known, reason)
        lines += written
        wrong = wrong or failed
    while lines and not lines[-1]:
        lines.pop()
    return Summary(lines=tuple(lines), wrong=wrong)


def _by_suite(folder: Path) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for record in stored(folder):
        found.setdefault(record["suite"], []).append(record)
    return found


def _noted(properties: Sequence[Sequence[tuple[str, Any]]]) -> tuple[dict[str, int], dict[str, list[str]]]:
    """How many checks the tests of each suite made, and what has to go from its known failures."""
    counted: dict[str, int] = {}
    stale: dict[str, list[str]] = {}
    for noted in properties:
        found = dict(noted)
        key = found["maskspec_suite"]
        counted[key] = counted.get(key, 0) + found.get("maskspec_checks", 0)
        if "maskspec_stale" in found:
            stale.setdefault(key, []).append(found["maskspec_stale"])
    return counted, stale


def _report(records: Sequence[Mapping[str, Any]], stale: Sequence[str]) -> Report:
    first = records[0]
    rules = load_rules()
    results = [PairResult.from_json(record["result"]) for record in records]
    return build_report(
        results,
        masker=first["masker"],
        policy=first["policy"],
        profile=first["profile"],
        seed=first["seed"],
        rules=tuple(rules[name] for name in first["rules"]),
        stale=tuple(stale),
        missing=tuple(first["missing"]),
        unfinished=tuple(name for name in first["pairs"] if name not in {result.pair for result in results}),
        versions=versions(),
        day=today(),
        seconds=sum(result.seconds for result in results),
    )


def _lines(key: str, report: Report) -> Iterator[str]:
    asked = [pair for pair in report.pairs if pair.excluded is None]
    cases = sum(pair.cases for pair in asked)
    yield f"{report.masker} ({key}): profile {report.profile}, seed {report.seed}"
    yield f"  {report.checks_run} checks of {len(report.rules)} rules on {len(asked)} pair(s), {cases} conversations"
    if report.broken:
        yield "  broken:"
        for failure in report.broken:
            yield f"    {_counted(failure)}"
            yield f"      {replay_command(failure)}"
    if report.known:
        yield "  accepted as known failures:"
        yield from (f"    {_counted(failure)}: {failure.known}" for failure in report.known)
    if report.stale:
        yield "  known failures that have to go:"
        yield from (f"    {sentence}" for sentence in report.stale)
    if report.notes:
        yield "  notes about tokenizers, which decide nothing:"
        yield from (f"    {_counted(failure)}" for failure in report.notes)
    if report.conflicts:
        yield "  problems of the adapter:"
        for problem, pairs in _problems(report).items():
            yield f"    {problem} (on {len(pairs)} pair(s), first {pairs[0]})"
    if report.unfinished:
        yield f"  {len(report.unfinished)} pair(s) not come to, first {report.unfinished[0]}"
    left_out = len(report.pairs) - len(asked)
    if left_out:
        yield f"  {left_out} pair(s) left out; `pytest -rs` says why"
    if report.missing:
        yield f"  {len(report.missing)} pair(s) not installed; `maskspec corpus list --missing` names them"
    yield f"  {report.verdict}"


def _counted(failure: Failure) -> str:
    shown = f"{failure.rule.id} {failure.kind.value}" + (f" in {failure.zone}" if failure.zone else "")
    return f"{shown}, {failure.cases} conversation(s) on {len(failure.pairs)} pair(s)"


def _problems(report: Report) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for conflict in report.conflicts:
        found.setdefault(conflict.problem.partition("\n")[0], []).append(conflict.pair)
    return found


def _write_reports(reports: Mapping[str, Report], folder: Path) -> Iterator[Path]:
    """Write the reports, of several suites each into a folder of its own."""
    for key, report in reports.items():
        target = folder if len(reports) == 1 else folder / key.replace("/", "-").replace("::", "-").replace(".py", "")
        write_reports(report, target)
        yield target


def _write_known(reports: Mapping[str, Report], path: Path, reason: str) -> tuple[list[str], bool]:
    broken = {key: report.broken for key, report in reports.items() if report.broken}
    if len(broken) > 1:
        names = ", ".join(broken)
        return [
            f"ERROR  no known failures written: a file belongs to one masker, but {names} have failures; name one"
        ], True
    failures = next(iter(broken.values()), ())
    try:
        added = KnownFailures.append(path, failures, reason=reason)
    except UsageError as error:
        return [f"ERROR  no known failures written: {error}"], True
    return [f"{len(added)} known failure(s) added to {path}", *(f"  {identifier}" for identifier in added)], False


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()
