"""A report as Markdown for the summary of a CI run or a pull request: the verdict first, failures folded away.

Token texts and conversations are not the author's words: they hold pipes, backticks,
tags and control characters, on purpose. Inside a table they are written as HTML with
every punctuation mark as a character reference, which Markdown never reads as markup;
whole conversations stand in fences longer than any run of backticks in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from maskspec.conformance.report import Failure, Report
from maskspec.conformance.reports.text import conversation_lines, replay_line, shown_rows
from maskspec.conformance.reports.wording import MEANING, appearances, cut, meanings, smallest, visible

__all__ = ["LIMIT", "as_markdown", "code", "conversation_and_tokens", "fence", "literal"]

LIMIT = 900_000
"""Bytes after which failures are only counted; the summary of one step may hold 1 MiB (GitHub's documentation)."""

_REASONS = 12
_ROWS = 24


def as_markdown(report: Report) -> str:
    """The report as Markdown: verdict, table of rules, each failure in its own fold, at most about `LIMIT` bytes."""
    lines = [f"# maskspec: {literal(report.masker)}", "", f"**{literal(report.verdict)}.**", ""]
    conversations = sum(pair.cases for pair in report.pairs)
    asked = sum(pair.excluded is None for pair in report.pairs)
    scope = f"{conversations} conversations on {asked} pair(s), {report.seconds:.0f} s"
    lines += [f"Policy {code(report.policy)}, profile {literal(report.profile)}, seed {report.seed}, {scope}.", ""]
    for conflict in report.conflicts:
        lines += [f"**Adapter**: {literal(conflict.problem)} (on {code(conflict.pair)}, {conflict.count} time(s))", ""]
        if conflict.traceback:
            lines += ["<details><summary>Traceback</summary>", "", *fence(conflict.traceback.rstrip().splitlines())]
            lines += ["", "</details>", ""]
    lines += _failures(report)
    lines += ["## Rules", "", *_rules(report), ""]
    if report.broken:
        lines += [f"## {MEANING}", ""]
        lines += [f"- **{rule}**: {literal(sentence)}" for rule, sentence in meanings(report)]
        lines.append("")
    lines += _lists(report)
    lines += [f"Versions: {', '.join(code(f'{name} {version}') for name, version in report.versions.items())}", ""]
    return "\n".join(lines)


def _failures(report: Report) -> Iterator[str]:
    """The broken rules; the one with the smallest conversation stands first and is open."""
    if not report.broken:
        return
    first = smallest(report.broken)
    ordered = [failure for failure in report.broken if failure is first]
    ordered += [failure for failure in report.broken if failure is not first]
    yield "## Failures"
    yield ""
    size = 0
    for position, failure in enumerate(ordered):
        block = list(_failure(failure, open_=failure is first))
        size += sum(len(line.encode()) + 1 for line in block)
        if size > LIMIT:
            yield f"{len(ordered) - position} further failure(s) are in the other formats of this report."
            yield ""
            return
        yield from block


def _failure(failure: Failure, *, open_: bool) -> Iterator[str]:
    title = f"{failure.rule.id} {failure.rule.level.value}  {literal(failure.rule.title)}"
    what = ", ".join(part for part in (failure.kind.value, failure.zone) if part)
    yield f"<details{' open' if open_ else ''}>"
    yield f"<summary>{title} ({literal(what)}; {appearances(failure)})</summary>"
    yield ""
    yield f"{literal(failure.rule.sentence)} ({code(f'spec/{failure.rule.location}')})"
    yield ""
    yield f"On {code(failure.pair)}: {literal(failure.explanation)}"
    yield ""
    yield from conversation_and_tokens(failure)
    yield from fence(replay_line(failure).splitlines(), language="sh")
    yield ""
    yield "</details>"
    yield ""


def conversation_and_tokens(failure: Failure, *, width: int | None = None) -> Iterator[str]:
    """The smallest conversation, its lines cut to `width`, and the token table where there is one."""
    lines = conversation_lines(failure, most=9)
    yield from fence(lines if width is None else [cut(line, width) for line in lines], language="json")
    yield ""
    if failure.rows:
        yield from _table(failure)
        yield ""


def _table(failure: Failure) -> Iterator[str]:
    yield "| | index | token | zone | expected | got |"
    yield "|---|--:|---|---|---|---|"
    last = -1
    for position in shown_rows(failure.rows, limit=_ROWS):
        if position > last + 1:
            yield "| | … | | | | |"
        row = failure.rows[position]
        mark = "❌" if row.wrong else ""
        token = code(cut(visible(row.text), 60))
        yield f"| {mark} | {row.index} | {token} | {row.zone} | {row.expected} | {row.got} |"
        last = position
    if last < len(failure.rows) - 1:
        hidden = sum(row.wrong for row in failure.rows[last + 1 :])
        yield f"| | … | {f'{hidden} more wrong' if hidden else ''} | | | |"


def _rules(report: Report) -> Iterator[str]:
    yield "| | rule | level | title | passed | failed | known | noted | excluded |"
    yield "|---|---|---|---|--:|--:|--:|--:|--:|"
    for rule in report.rules:
        tally = report.tallies[rule.id]
        mark = "❌" if tally.failed else ("✅" if tally.passed or tally.known or tally.noted else "")
        yield (
            f"| {mark} | {rule.id} | {rule.level.value} | {literal(rule.title)} | {tally.passed} | {tally.failed} "
            f"| {tally.known} | {tally.noted} | {sum(tally.excluded.values())} |"
        )


def _lists(report: Report) -> Iterator[str]:
    if report.known:
        yield "## Known failures, accepted"
        yield ""
        for failure in report.known:
            yield f"- {failure.rule.id}, {appearances(failure)}: {literal(failure.known or '')}"
        yield ""
    if report.unfinished:
        yield "## Pairs that the run did not come to"
        yield ""
        yield from (f"- {code(name)}" for name in report.unfinished)
        yield ""
    if report.stale:
        yield "## Known failures that no longer fail"
        yield ""
        yield from (f"- {literal(item)}" for item in report.stale)
        yield ""
    if report.notes:
        yield f"<details><summary>Notes about tokenizers ({len(report.notes)}); they decide nothing</summary>"
        yield ""
        for note in report.notes:
            yield f"- {note.rule.id}, {appearances(note)}: {literal(note.explanation)}"
        yield ""
        yield "</details>"
        yield ""
    reasons = report.exclusions().most_common()
    if reasons or report.missing:
        yield f"<details><summary>Not asked: {sum(count for _, count in reasons)} exclusions with reasons</summary>"
        yield ""
        yield "| times | reason |"
        yield "|--:|---|"
        yield from (f"| {count} | {literal(reason)} |" for reason, count in reasons[:_REASONS])
        if len(reasons) > _REASONS:
            yield f"| {sum(count for _, count in reasons[_REASONS:])} | {len(reasons) - _REASONS} further reasons |"
        yield ""
        yield from (f"- not installed: {literal(item)}" for item in report.missing)
        yield ""
        yield "</details>"
        yield ""


def literal(text: str) -> str:
    """The text as Markdown shows it word for word, on one line."""
    return re.sub(
        r"[&<>|`*\[\]\\~$#@]|(?<!\w)_|_(?!\w)|:(?=\S)|(?<=[^\W\d])\.(?=\w)|(?<=\d)\.(?=[^\W\d])",
        _reference,
        visible(text).replace("\\\\", "\\"),
    )


def code(text: str) -> str:
    """The text as code: between backticks where nothing in it can end them or the cell, else as HTML."""
    if re.fullmatch(r"[\w+./:=#, '\"(){}<>-]*", text, re.ASCII) and text == text.strip():
        return f"`{text}`"
    return f"<code>{re.sub(r'[!-/:-@[-`{-~]', _reference, text)}</code>"


def _reference(match: re.Match[str]) -> str:
    return f"&#{ord(match.group())};"


def fence(lines: Sequence[str], *, language: str = "") -> list[str]:
    """The lines as a fenced block, whatever backticks they hold."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    mark = "`" * max(3, longest + 1)
    return [f"{mark}{language}", *lines, mark]
