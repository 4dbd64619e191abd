"""Several runs in a terminal: counts for each masker, the rules that it breaks, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

from maskspec.conformance.advice import Shape
from maskspec.conformance.comparison import Column, Comparison, Standing
from maskspec.conformance.reports.combined.wording import WHAT_TO_DO, scope, title, verdict
from maskspec.conformance.reports.text import WIDTH
from maskspec.conformance.reports.wording import cut, visible, wrapped

__all__ = ["comparison_as_text"]

_COUNTS = ("pairs", "run", "passed", "failed", "known", "noted", "excluded")


def comparison_as_text(comparison: Comparison) -> str:
    """The comparison in lines of at most `WIDTH` columns; the other formats show the findings themselves."""
    lines = [title(comparison), *wrapped(f"{scope(comparison)}.", WIDTH), "", *_counts(comparison), ""]
    for column in comparison.columns:
        lines += [*_column(column), ""]
    lines += wrapped("Conversations and token tables: --format markdown, or --format html for a page.", WIDTH)
    return "\n".join(lines) + "\n"


def _counts(comparison: Comparison) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [("masker", *_COUNTS)]
    for column in comparison.columns:
        tally = column.total
        numbers = (tally.run, tally.passed, tally.failed, tally.known, tally.noted, sum(tally.excluded.values()))
        rows.append((cut(visible(column.name), 34), *map(str, (len(column.asked), *numbers))))
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for name, *counts in rows:
        cells = (count.rjust(width) for count, width in zip(counts, widths[1:], strict=True))
        yield f"  {name.ljust(widths[0])}  {'  '.join(cells)}"


def _column(column: Column) -> Iterator[str]:
    yield visible(column.name)
    yield from wrapped(". ".join(filter(None, verdict(column))), WIDTH, first="  ")
    for kind in Standing:
        broken = [rule.id for rule in column.report.rules if column.standings.get(rule.id) is kind]
        if broken:
            yield from wrapped(f"{kind.value}: {', '.join(broken)}", WIDTH, first="  ", then="    ")
    if column.advice is not None:
        yield f"  {WHAT_TO_DO}"
        for block in column.advice.blocks:
            if block.shape is Shape.CODE:
                yield from (f"      {visible(line)}" for line in block.text.splitlines())
            else:
                mark = "- " if block.shape is Shape.ITEM else ""
                yield from wrapped(f"{mark}{block.text}", WIDTH, first="    ", then="    " + " " * len(mark))
