"""Turns a report into text: for a terminal, as Markdown, and as JSON Lines with a footer that proves completeness."""

from __future__ import annotations

import json
import shlex
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from maskspec.conformance.consequences import CONSEQUENCES
from maskspec.conformance.report import Failure, Report
from maskspec.rules import Row

__all__ = [
    "MEANING",
    "WIDTH",
    "as_jsonl",
    "as_markdown",
    "as_text",
    "failure_lines",
    "save_counterexamples",
    "table",
]

WIDTH = 100
"""The columns of a text report that is not written to a terminal."""

MEANING = "What this means for a model trained with these labels"
"""The heading of the last part of a text report."""

_TABLE_LINES = 10
_REASONS = 12


def as_text(report: Report, *, output: Path | None = None, width: int = WIDTH) -> str:
    """The report for a terminal of `width` columns: failures, counts, what the failures mean, and one sentence.

    Only commands, which are there to be copied, may be longer than a line.
    """
    lines: list[str] = []
    for failure in report.failures:
        lines += [*failure_lines(failure, output=output, width=width), ""]
    lines += _conflicts(report)
    lines += ["Rules", *_tally_lines(report), ""]
    lines += _never_asked(report, width)
    lines += _pair_lines(report, width)
    reasons = report.exclusions()
    if reasons:
        lines += ["", "Why rules were excluded (rule x conversation)"]
        lines += [f"  {count:>7}  {_cut(reason, width - 11)}" for reason, count in reasons.most_common(_REASONS)]
        rest = reasons.most_common()[_REASONS:]
        if rest:
            lines.append(f"  {sum(count for _, count in rest):>7}  for {len(rest)} further reasons")
    if report.missing:
        lines += ["", "Not installed, so not asked"]
        lines += [f"  {item}" for item in report.missing]
    if report.failures:
        lines += ["", MEANING]
        for rule, sentence in _meanings(report):
            lines += _wrapped(sentence, width, first=f"  {rule:<9}", then=" " * 11)
    lines.append("")
    lines += _wrapped(f"{report.verdict} (profile {report.profile}, seed {report.seed}, {report.seconds:.0f} s)", width)
    return "\n".join(lines) + "\n"


def _meanings(report: Report) -> Iterator[tuple[str, str]]:
    """Each broken rule with what it means and how much of the run shows it."""
    for rule in report.rules:
        shown = [failure for failure in report.failures if failure.rule.id == rule.id]
        if shown:
            pairs = len({pair for failure in shown for pair in failure.pairs})
            tally = report.tallies[rule.id]
            seen = f"Seen in {tally.failed} of {tally.run} conversations, on {pairs} pair(s)."
            yield rule.id, f"{CONSEQUENCES.get(rule.id, rule.sentence)} {seen}"


def failure_lines(failure: Failure, *, output: Path | None = None, width: int = WIDTH) -> list[str]:
    """One failure in at most about 25 lines."""
    shown = f"on {failure.pair}"
    if len(failure.pairs) > 1:
        shown += f" and {len(failure.pairs) - 1} other pair(s)"
    lines = [f"{failure.rule.id} {failure.rule.level.value}  {failure.rule.title}"]
    lines += _wrapped(f"{failure.rule.sentence}  (spec/{failure.rule.location})", width, first="  ")
    lines += _wrapped(f"{shown}, {failure.cases} conversation(s): {failure.explanation}", width, first="  ")
    lines.append("  smallest conversation:")
    lines += [f"    {_cut(line, width - 4)}" for line in _conversation(failure)]
    if failure.rows:
        lines += [f"    {line}" for line in table(failure.rows)]
    lines += ["  look closer:", *(f"    {line}" for line in reproduce(failure, output=output).splitlines())]
    return lines


def _conversation(failure: Failure) -> list[str]:
    lines = [json.dumps(dict(message), ensure_ascii=False, default=str) for message in failure.messages]
    if len(lines) > 7:
        lines = [*lines[:3], f"… {len(lines) - 6} more …", *lines[-3:]]
    if failure.tools is not None:
        lines.append(f"tools: {json.dumps([dict(tool) for tool in failure.tools], ensure_ascii=False, default=str)}")
    return lines


def reproduce(failure: Failure, *, output: Path | None = None) -> str:
    """The shell command that shows the reference's answer to this conversation."""
    place = ["--pair", failure.pair]
    if output is not None:
        return shlex.join(["maskspec", "trace", *place, str(output / f"{failure.identifier}.json")])
    record: dict[str, Any] = {"messages": [dict(message) for message in failure.messages]}
    if failure.tools is not None:
        record["tools"] = [dict(tool) for tool in failure.tools]
    source = json.dumps(record, ensure_ascii=True, default=str)
    return f"printf %s {shlex.quote(source)} |\n  {shlex.join(['maskspec', 'trace', *place, '-'])}"


def table(rows: tuple[Row, ...], *, limit: int = _TABLE_LINES) -> list[str]:
    """The token table: the wrong rows with one neighbour on each side, everything else elided."""
    keep: list[int] = []
    for position, row in enumerate(rows):
        if row.wrong:
            keep += [near for near in (position - 1, position, position + 1) if 0 <= near < len(rows)]
    wanted = sorted(set(keep))[:limit]
    header = ("", "index", "token", "zone", "expected", "got")
    body: list[tuple[str, ...]] = []
    last = -1
    for position in wanted:
        if position > last + 1:
            body.append(("", "…", "", "", "", ""))
        row = rows[position]
        body.append(
            (">" if row.wrong else "", str(row.index), _cut(repr(row.text), 28), row.zone, row.expected, row.got)
        )
        last = position
    if last < len(rows) - 1:
        hidden = sum(row.wrong for row in rows[last + 1 :])
        body.append(("", "…", f"{hidden} more wrong" if hidden else "", "", "", ""))
    widths = [max(len(line[column]) for line in (header, *body)) for column in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (header, *body)
    ]


def _tally_lines(report: Report) -> Iterator[str]:
    yield f"  {'rule':<10} {'passed':>7} {'failed':>7} {'excluded':>8}"
    for rule in report.rules:
        tally = report.tallies[rule.id]
        excluded = sum(tally.excluded.values())
        note = "" if tally.run else "  (never asked)"
        yield f"  {rule.id:<10} {tally.passed:>7} {tally.failed:>7} {excluded:>8}  {rule.title}{note}"


def _never_asked(report: Report, width: int) -> list[str]:
    """The rules that no conversation was asked about, together where the main reason is the same."""
    by_reason: dict[str, list[str]] = {}
    for rule in report.rules:
        tally = report.tallies[rule.id]
        if tally.run == 0 and tally.excluded:
            by_reason.setdefault(Counter(tally.excluded).most_common(1)[0][0], []).append(rule.id)
    if not by_reason:
        return []
    lines = ["Never asked"]
    for reason, rules in by_reason.items():
        lines += _wrapped(f"{', '.join(rules)}: {reason}", width, first="  ", then="    ")
    return [*lines, ""]


def _pair_lines(report: Report, width: int) -> list[str]:
    asked = [pair for pair in report.pairs if pair.excluded is None]
    bad = [pair for pair in asked if pair.failed_rules]
    out = Counter(pair.excluded for pair in report.pairs if pair.excluded is not None)
    cases = sum(pair.cases for pair in asked)
    left_out = len(report.pairs) - len(asked)
    lines = [f"Pairs: {len(asked)} asked ({cases} conversations), {len(bad)} with failures, {left_out} left out"]
    lines += [f"  {count:>7}  left out: {_cut(str(reason), width - 21)}" for reason, count in out.most_common(6)]
    return lines


def _conflicts(report: Report) -> list[str]:
    lines: list[str] = []
    for conflict in report.conflicts:
        lines.append(f"ADAPTER  {conflict.problem}")
        lines.append(f"  on {conflict.pair}, {conflict.count} time(s)")
        lines += [f"    {line}" for line in conflict.traceback.rstrip().splitlines()[-6:]]
        lines.append("")
    return lines


def as_markdown(report: Report) -> str:
    """The report as Markdown, for a pull request or a page."""
    lines = [f"# maskspec: {report.masker}", "", report.verdict + ".", ""]
    lines += [f"Policy `{report.policy}`, profile {report.profile}, seed {report.seed}.", ""]
    lines += ["| rule | level | title | passed | failed | excluded |", "|---|---|---|--:|--:|--:|"]
    for rule in report.rules:
        tally = report.tallies[rule.id]
        lines.append(
            f"| {rule.id} | {rule.level.value} | {rule.title} | {tally.passed} | {tally.failed} "
            f"| {sum(tally.excluded.values())} |"
        )
    if report.failures:
        lines += ["", f"## {MEANING}", ""]
        lines += [f"- **{rule}**: {sentence}" for rule, sentence in _meanings(report)]
    for failure in report.failures:
        first, *rest = failure_lines(failure)
        lines += ["", f"## {first}", "", "````", *rest, "````"]
    for conflict in report.conflicts:
        lines += ["", "## Adapter", "", f"{conflict.problem} (on {conflict.pair}, {conflict.count} time(s))"]
    reasons = report.exclusions()
    if reasons:
        lines += ["", "## Excluded", "", "| times | reason |", "|--:|---|"]
        lines += [f"| {count} | {reason.replace('|', chr(92) + '|')} |" for reason, count in reasons.most_common()]
    return "\n".join(lines) + "\n"


def as_jsonl(report: Report) -> str:
    """One JSON record a line: header, pairs, rules, failures, conflicts, footer.

    A file without its footer, or whose footer counts other numbers, is not complete.
    """
    records: list[dict[str, Any]] = [
        {
            "record": "header",
            "maskspec_report": 1,
            "masker": report.masker,
            "policy": report.policy,
            "profile": report.profile,
            "seed": report.seed,
            "versions": dict(report.versions),
            "missing": list(report.missing),
        }
    ]
    records += [
        {
            "record": "pair",
            "pair": pair.pair,
            "kind": pair.kind,
            "cases": pair.cases,
            "failed_rules": list(pair.failed_rules),
            "excluded": pair.excluded,
        }
        for pair in report.pairs
    ]
    for rule in report.rules:
        tally = report.tallies[rule.id]
        records.append(
            {
                "record": "rule",
                "rule": rule.id,
                "level": rule.level.value,
                "passed": tally.passed,
                "failed": tally.failed,
                "excluded": dict(tally.excluded),
            }
        )
    records += [{"record": "failure", **failure.as_json()} for failure in report.failures]
    records += [
        {
            "record": "conflict",
            "pair": conflict.pair,
            "problem": conflict.problem,
            "count": conflict.count,
            "messages": [dict(message) for message in conflict.messages],
            "traceback": conflict.traceback,
        }
        for conflict in report.conflicts
    ]
    records.append(
        {
            "record": "footer",
            "pairs": len(report.pairs),
            "rules": len(report.rules),
            "failures": len(report.failures),
            "conflicts": len(report.conflicts),
            "checks_run": report.checks_run,
            "exit_code": int(report.exit_code),
            "verdict": report.verdict,
            "seconds": round(report.seconds, 3),
        }
    )
    return "".join(json.dumps(record, ensure_ascii=False, default=str) + "\n" for record in records)


def save_counterexamples(report: Report, folder: Path) -> list[Path]:
    """Write every failure's conversation as a JSON file of its own; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for failure in report.failures:
        path = folder / f"{failure.identifier}.json"
        text = json.dumps(failure.as_json(), ensure_ascii=False, indent=2, default=str)
        path.write_text(text + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def _wrapped(text: str, width: int, *, first: str = "", then: str | None = None) -> list[str]:
    # Names and paths stay whole, so that they can be searched for and copied.
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=first if then is None else then,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
