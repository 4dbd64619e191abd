"""A report for a terminal: failures with their smallest conversation, counts, what they mean, and one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from maskspec.conformance.counterexamples import replay_command
from maskspec.conformance.report import Failure, Report
from maskspec.conformance.reports.plain import readable
from maskspec.conformance.reports.wording import MEANING, cut, meanings, never_asked, visible, wrapped
from maskspec.rules import Row

__all__ = ["FAILURE_LINES", "HEADINGS", "WIDTH", "as_text", "failure_lines", "table"]

WIDTH = 100
"""The columns of a text report that is not written to a terminal."""

FAILURE_LINES = 25
"""The lines that one failure takes at most (a command that is longer than a line not counted)."""

KNOWN = "Known failures, accepted"
STALE = "Known failures that no longer fail; remove them"
NOTES = "Notes about tokenizers; they decide nothing"

HEADINGS = ("Rules", "Never asked", "Why rules were excluded (rule x conversation)", KNOWN, STALE, NOTES, MEANING)
"""The headings of a text report, for whoever colours it."""

_TABLE_LINES = 10
_REASONS = 12
_NOTES = 8


def as_text(report: Report, *, output: Path | None = None, width: int = WIDTH) -> str:
    """The report for a terminal of `width` columns; with `output`, the folder that holds its counterexamples.

    Only commands, which are there to be copied, may be longer than a line.
    """
    lines: list[str] = []
    for failure in report.broken:
        lines += [*failure_lines(failure, output=output, width=width), ""]
    lines += _conflicts(report, width)
    lines += _known(report, width)
    if report.stale:
        lines += [STALE, *(line for item in report.stale for line in wrapped(item, width, first="  ", then="    ")), ""]
    lines += ["Rules", *_tally_lines(report, width), ""]
    never = never_asked(report)
    if never:
        lines.append("Never asked")
        for reason, rules in never.items():
            lines += wrapped(f"{', '.join(rules)}: {reason}", width, first="  ", then="    ")
        lines.append("")
    lines += _notes(report, width)
    lines += _pair_lines(report, width)
    if report.unfinished:
        some = ", ".join(report.unfinished[:4]) + (", …" if len(report.unfinished) > 4 else "")
        lines += wrapped(f"Not come to: {len(report.unfinished)} pair(s): {some}", width, then="  ")
    lines += _exclusions(report, width)
    if report.missing:
        lines += ["", "Not installed, so not asked"]
        lines += [f"  {item}" for item in report.missing]
    if report.broken:
        lines += ["", MEANING]
        for rule, sentence in meanings(report):
            lines += wrapped(sentence, width, first=f"  {rule:<9}", then=" " * 11)
    lines.append("")
    lines += wrapped(f"{report.verdict} (profile {report.profile}, seed {report.seed}, {report.seconds:.0f} s)", width)
    return "\n".join(lines) + "\n"


def failure_lines(failure: Failure, *, output: Path | None = None, width: int = WIDTH) -> list[str]:
    """One failure in at most `FAILURE_LINES` lines: the token table gets what the rest leaves."""
    shown = f"on {failure.pair}"
    if len(failure.pairs) > 1:
        shown += f" and {len(failure.pairs) - 1} other pair(s)"
    lines = [f"{failure.rule.id} {failure.rule.level.value}  {failure.rule.title}"]
    lines += wrapped(f"{failure.rule.sentence}  (spec/{failure.rule.location})", width, first="  ", most=4)
    lines += wrapped(f"{shown}, {failure.cases} conversation(s): {failure.explanation}", width, first="  ", most=4)
    lines.append("  smallest conversation:")
    lines += [f"    {cut(line, width - 4)}" for line in conversation_lines(failure)]
    room = FAILURE_LINES - len(lines) - 2
    for limit in range(_TABLE_LINES, 0, -1):
        rows = table(failure.rows, limit=limit) if failure.rows else []
        if len(rows) <= room:
            break
    lines += [f"    {line}" for line in rows]
    lines += ["  replay:", *(f"    {line}" for line in replay_line(failure, output=output).splitlines())]
    return lines


def replay_line(failure: Failure, *, output: Path | None = None) -> str:
    """The command that asks the masker about this conversation again; with `output`, from its counterexample file."""
    return replay_command(failure, None if output is None else output / file_name(failure))


def file_name(failure: Failure) -> str:
    """The name of the failure's counterexample file: an accepted failure and an open one of the same kind have two."""
    return f"{failure.identifier}{'' if failure.known is None else '-known'}.json"


def conversation_lines(failure: Failure, *, most: int = 5) -> list[str]:
    """The messages of the smallest conversation, one JSON object a line, the middle elided; then tools, if any."""
    lines = [readable(dict(message)) for message in failure.messages]
    if len(lines) > most:
        ends = most // 2
        lines = [*lines[:ends], f"… {len(lines) - 2 * ends} more …", *lines[-ends:]]
    if failure.tools is not None:
        lines.append(f"tools: {readable([dict(tool) for tool in failure.tools])}")
    if failure.case.template_kwargs:
        lines.append(f"template variables: {readable(dict(failure.case.template_kwargs))}")
    return [line if line.isprintable() else visible(line) for line in lines]


def table(rows: tuple[Row, ...], *, limit: int = _TABLE_LINES) -> list[str]:
    """The token table: the wrong rows with one neighbour on each side, everything else elided."""
    header = ("", "index", "token", "zone", "expected", "got")
    body: list[tuple[str, ...]] = []
    last = -1
    for position in shown_rows(rows, limit=limit):
        if position > last + 1:
            body.append(("", "…", "", "", "", ""))
        row = rows[position]
        token = cut(f"'{visible(row.text)}'", 28)
        body.append((">" if row.wrong else "", str(row.index), token, row.zone, row.expected, row.got))
        last = position
    if last < len(rows) - 1:
        hidden = sum(row.wrong for row in rows[last + 1 :])
        body.append(("", "…", f"{hidden} more wrong" if hidden else "", "", "", ""))
    widths = [max(len(line[column]) for line in (header, *body)) for column in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (header, *body)
    ]


def shown_rows(rows: tuple[Row, ...], *, limit: int = _TABLE_LINES) -> list[int]:
    """The positions of the wrong rows and their neighbours, the first `limit` of them."""
    keep = {
        near
        for position, row in enumerate(rows)
        if row.wrong
        for near in (position - 1, position, position + 1)
        if 0 <= near < len(rows)
    }
    return sorted(keep)[:limit]


def _known(report: Report, width: int) -> list[str]:
    lines = []
    for failure in report.known:
        what = f"{failure.rule.id} {failure.kind.value}" + (f" {failure.zone}" if failure.zone else "")
        seen = f"{failure.cases} conversation(s) on {len(failure.pairs)} pair(s)"
        lines += wrapped(f"{what}, {seen}: {failure.known}", width, first="  ", then="    ")
    return [KNOWN, *lines, ""] if lines else []


def _notes(report: Report, width: int) -> list[str]:
    """The findings about tokenizers, folded, two lines each at most; those that differ in the zone alone are one."""
    folded: dict[tuple[str, str, str], int] = {}
    for failure in report.notes:
        tokenizers = failure.tokenizer if len(failure.pairs) == 1 else f"{len(failure.pairs)} pairs"
        key = (failure.rule.id, tokenizers, failure.explanation)
        folded[key] = folded.get(key, 0) + failure.cases
    lines = []
    for (rule, tokenizers, explanation), cases in list(folded.items())[:_NOTES]:
        text = f"{rule} {tokenizers}, {cases} conversation(s): {explanation}"
        lines += wrapped(text, width, first="  ", then="    ", most=2)
    rest = len(folded) - _NOTES
    if rest > 0:
        lines.append(f"  and {rest} further note(s)")
    return [NOTES, *lines, ""] if lines else []


def _tally_lines(report: Report, width: int) -> Iterator[str]:
    tallies = report.tallies
    further = [name for name in ("known", "noted") if any(getattr(tally, name) for tally in tallies.values())]
    names = ("passed", "failed", *further)
    yield f"  {'rule':<10} " + " ".join(f"{name:>7}" for name in names) + f" {'excluded':>8}"
    for rule in report.rules:
        tally = tallies[rule.id]
        counts = " ".join(f"{getattr(tally, name):>7}" for name in names)
        note = "" if tally.run else "  (never asked)"
        line = f"  {rule.id:<10} {counts} {sum(tally.excluded.values()):>8}  "
        yield f"{line}{cut(rule.title, width - len(line) - len(note))}{note}"


def _pair_lines(report: Report, width: int) -> list[str]:
    asked = [pair for pair in report.pairs if pair.excluded is None]
    bad = [pair for pair in asked if pair.failed_rules]
    out = Counter(pair.excluded for pair in report.pairs if pair.excluded is not None)
    cases = sum(pair.cases for pair in asked)
    left_out = len(report.pairs) - len(asked)
    counts = f"Pairs: {len(asked)} asked ({cases} conversations), {len(bad)} with failures, {left_out} left out"
    lines = wrapped(counts, width, then="  ")
    lines += [f"  {count:>7}  left out: {cut(visible(reason), width - 21)}" for reason, count in out.most_common(6)]
    return lines


def _exclusions(report: Report, width: int) -> list[str]:
    reasons = report.exclusions().most_common()
    if not reasons:
        return []
    lines = ["", "Why rules were excluded (rule x conversation)"]
    lines += [f"  {count:>7}  {cut(visible(reason), width - 11)}" for reason, count in reasons[:_REASONS]]
    rest = reasons[_REASONS:]
    if rest:
        lines.append(f"  {sum(count for _, count in rest):>7}  for {len(rest)} further reasons")
    return lines


def _conflicts(report: Report, width: int) -> list[str]:
    lines: list[str] = []
    for conflict in report.conflicts:
        lines += wrapped(conflict.problem, width, first="ADAPTER  ", then="  ")
        lines.append(f"  on {conflict.pair}, {conflict.count} time(s)")
        lines += [f"    {line}" for line in conflict.traceback.rstrip().splitlines()[-6:]]
        lines.append("")
    return lines
