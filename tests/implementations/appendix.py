"""Writes the specification's appendix on tokenizers: `python -m tests.implementations --appendix`, a second's work.

The prose is written by hand, in `stories.md`, one section for each class of difference. Here it gets
its links, a table of what each implementation answers, and the list of vocabularies, from `differences.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from maskspec.rules.prose import parse_sections
from tests.implementations.classes import Difference, RoundTrip
from tests.implementations.pins import Pin, pins
from tests.implementations.results import SERIES, label_totals, load
from tests.mutants.appendix import wrapped

__all__ = ["PAGE", "STORIES", "Story", "appendix", "consequences", "stories", "told_anew"]

STORIES = Path(__file__).with_name("stories.md")
PAGE = Path(__file__).parents[2] / "spec" / "10-where-tokenizers-differ.md"

OWNERS: Mapping[str, str] = {
    "axolotl": "axolotl-ai-cloud/axolotl",
    "gigatoken": "marcelroed/gigatoken",
    "transformers": "huggingface/transformers",
}
"""Where each repository that a source names is kept on GitHub."""

_MADE = (
    "<!-- Made by `python -m tests.implementations --appendix`; the prose is in tests/implementations/stories.md. "
    "Do not edit. -->"
)
_EXAMPLES = {Difference.UNKNOWN_SPECIAL: "qwen3", Difference.AFTER_SPECIAL: "mistral-v3"}
"""The vocabulary that shows a class best, where that is not the one with most answers."""

_THREAD = re.compile(rf"(?<![\w/-])((?:{'|'.join(map(re.escape, OWNERS))})#\d+)")
_CONTENTS = "{contents}"
_TABLE = "{table}"


@dataclass(frozen=True, slots=True)
class Story:
    """The prose of one class: its consequence for labels in one sentence, threads, and the text."""

    heading: str
    consequence: str
    source: str
    text: str


def stories() -> tuple[str, dict[str, Story]]:
    """The introduction, and the stories by the names of their classes; raises ValueError for one of no class."""
    known = {each.value for each in (*Difference, *RoundTrip)}
    introduction = ""
    found: dict[str, Story] = {}
    for section in parse_sections(STORIES.read_text(encoding="utf-8"), chapter=STORIES.name):
        body = section.text.partition("\n")[2].strip("\n")
        if section.depth == 1:
            introduction = section.text
            continue
        heading = section.heading
        name = heading[0].lower() + heading[1:]
        if name not in known and heading in known:
            name = heading
        if name not in known:
            introduction += f"\n\n## {heading}\n\n{body}"
            continue
        fields = dict(re.findall(r"^(consequence|source): (.+)$", body, flags=re.MULTILINE))
        text = re.sub(r"^(consequence|source): .+\n?", "", body, flags=re.MULTILINE).strip("\n")
        found[name] = Story(heading, fields["consequence"], fields.get("source", ""), text)
    return introduction, found


def told_anew(entries: Sequence[Pin]) -> list[Pin]:
    """The entries with the consequence and the source that the stories have now."""
    known = consequences()
    return [replace(pin, consequence=known[pin.kind.value][0], source=known[pin.kind.value][1]) for pin in entries]


def consequences() -> dict[str, tuple[str, str]]:
    """The consequence and the source of each class."""
    return {name: (story.consequence, story.source) for name, story in stories()[1].items()}


def appendix() -> str:
    """The page."""
    introduction, told = stories()
    heading, _, rest = introduction.partition("\n")
    kinds = [kind for kind in (*Difference, *RoundTrip) if _of(kind)]
    rest = rest.strip("\n").replace(_CONTENTS, "\n".join(_contents(kinds, told)))
    kept = [each for each in map(load, SERIES) if each]
    count = max(len(each["vocabularies"]) for each in kept)
    examples = min(each["examples"] for each in kept)
    labels = label_totals()
    figures = {"count": count, "texts": examples, "compared": labels.total(), **labels}
    for name in ("count", "texts", "compared", "same", "other", "refused"):
        rest = rest.replace(f"{{{name}}}", f"{figures.get(name, 0):,}")
    blocks = [heading, _MADE, rest]
    for kind in kinds:
        story = told[kind.value]
        blocks.append(f"## {story.heading}")
        blocks.append(" ".join(_concerned(kind, story)))
        blocks.append(story.text.replace(_TABLE, "\n\n".join(_tables(kind))))
    return "\n\n".join(_printed(block) for text in blocks for block in text.split("\n\n")) + "\n"


def _printed(block: str) -> str:
    """A paragraph with its links, in lines that are not too long; tables, headings and comments as they are."""
    return block if block.startswith(("|", "#", "<!--")) else wrapped(_linked(block))


def _of(kind: Difference | RoundTrip) -> list[Pin]:
    return [pin for pin in pins() if pin.kind is kind and any(pin.differs(series) for series in SERIES)]


def _contents(kinds: Sequence[Difference | RoundTrip], told: Mapping[str, Story]) -> Iterator[str]:
    yield "| difference | vocabularies | consequence for the labels |"
    yield "|---|--:|---|"
    for kind in kinds:
        story = told[kind.value]
        anchor = parse_sections(f"# {story.heading}\n", chapter="")[0].anchor
        count = len({name for series in SERIES for name, row in _rows(series) if kind.value in _counted(row)})
        yield f"| [{story.heading}](#{anchor}) | {count} | {story.consequence} |"


def _concerned(kind: Difference | RoundTrip, story: Story) -> Iterator[str]:
    by_series = {series: [name for name, row in _rows(series) if kind.value in _counted(row)] for series in SERIES}
    if by_series[4] == by_series[5]:
        yield f"Seen under transformers 4.57 and 5.23 alike, on {_listed(by_series[4])}."
    else:
        for series, release in ((4, "4.57"), (5, "5.23")):
            if by_series[series]:
                yield f"Seen under transformers {release} on {_listed(by_series[series])}."
    if story.source:
        yield f"Discussed in {story.source}."


def _rows(series: int) -> list[tuple[str, Mapping[str, Any]]]:
    return list(load(series)["vocabularies"].items())


def _counted(row: Mapping[str, Any]) -> set[str]:
    """The classes that were counted on a vocabulary."""
    return {*row["classes"], *(kind for kinds in row["round trips"].values() for kind in kinds)}


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _tables(kind: Difference | RoundTrip) -> Iterator[str]:
    """One text a class, that of the vocabulary with most answers; two where the series differ in the text."""
    found = _of(kind)
    shown: list[Pin] = []
    for series in SERIES:
        counted = [name for name, row in _rows(series) if kind.value in _counted(row)]
        candidates = [pin for pin in found if pin.differs(series) and pin.vocabulary in counted]
        if candidates and not any(pin.differs(series) for pin in shown):
            shown.append(max(candidates, key=lambda pin, series=series: _worth(pin, series)))
    for pin in shown:
        yield f"{pin.vocabulary}, the text {_code(pin.text)}:"
        yield "\n".join(_table(pin))


def _worth(pin: Pin, series: int) -> tuple[int, int, int]:
    """Most answers first; among equals Mistral v3, where the first of these differences was met."""
    answers = pin.of(series)
    if pin.vocabulary == _EXAMPLES.get(pin.kind):
        return (100, 0, 0)
    return (len(answers), int(pin.vocabulary == "mistral-v3"), sum(len(each.implementations) for each in answers))


def _table(pin: Pin) -> Iterator[str]:
    decoding = isinstance(pin.kind, RoundTrip)
    yield f"| implementations | transformers | {'comes back as' if decoding else 'tokens | ids'} |"
    yield "|---|---|---|" if decoding else "|---|---|---|---|"
    for each in pin.answers:
        series = ", ".join({4: "4.57", 5: "5.23"}[number] for number in each.transformers)
        said = _code(each.back or "") if decoding else " ".join(_code(piece) for piece in each.pieces)
        ids = "" if decoding else f" {' '.join(map(str, each.ids))} |"
        yield f"| {', '.join(each.implementations)} | {series} | {_cell(said)} |{ids}"


def _code(text: str) -> str:
    """A text as code: what would not be seen is spelled."""
    if not text:
        return "nothing"
    named = {" ": "␣", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    spelled = "".join(
        named.get(letter, letter if letter.isprintable() and not _combining(letter) else f"\\u{ord(letter):04x}")
        for letter in text
    )
    return f"`` {spelled} ``" if "`" in spelled else f"`{spelled}`"


def _combining(letter: str) -> bool:
    import unicodedata

    return unicodedata.category(letter)[0] in "MC"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _linked(text: str) -> str:
    def link(match: re.Match[str]) -> str:
        repository, _, number = match[1].partition("#")
        return f"[{match[1]}](https://github.com/{OWNERS[repository]}/issues/{number})"

    return _THREAD.sub(link, text)
