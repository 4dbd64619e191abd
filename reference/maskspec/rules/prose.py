"""The chapters of the specification as structure: headings, anchors and fenced blocks.

Three readers need the same small view of Markdown: the hashes that tie a rule
to its prose, the runnable examples, and the tests that links lead somewhere.
Only what the chapters use is understood: `#` headings and backtick fences.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from maskspec.data import data_path
from maskspec.errors import CorpusError

__all__ = ["Fence", "Section", "chapters", "parse_sections", "prose_hash"]

_HEADING = re.compile(r"(#{1,6}) +(.+?) *#*")
_FENCE = re.compile(r"(`{3,})([^`]*)")


@dataclass(frozen=True, slots=True)
class Fence:
    """One fenced block: its language, its text without the fences, and the 1-based line of its first fence."""

    language: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Section:
    """One heading of a chapter and everything up to the next heading of any level.

    `line` is the 1-based line of the heading. `prose` is the text below it
    without the fenced blocks; `text` is all of it, heading included.
    """

    chapter: str
    heading: str
    anchor: str
    depth: int
    line: int
    text: str
    prose: str
    fences: tuple[Fence, ...]


@cache
def chapters() -> Mapping[str, Sequence[Section]]:
    """Return the sections of every Markdown file in `spec/`, by file name, in reading order."""
    folder = data_path("spec")
    return {
        path.name: parse_sections(path.read_text(encoding="utf-8"), chapter=path.name)
        for path in sorted(folder.glob("*.md"))
    }


def parse_sections(text: str, *, chapter: str) -> tuple[Section, ...]:
    """Divide one chapter at its headings; `chapter` is the name that its sections carry.

    Anchors are made as the common Markdown hosts make them: lower case, spaces
    to dashes, punctuation dropped, and a number added to repeated ones.

    Raises:
        CorpusError: text before the first heading, or a fence that is never closed.
    """
    sections: list[Section] = []
    seen: dict[str, int] = {}
    block: _Block | None = None
    fence: tuple[str, str, int, list[str]] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if fence is not None:
            mark, language, start, body = fence
            if line.strip() == mark:
                if block is not None:
                    block.fences.append(Fence(language, "\n".join(body), start))
                fence = None
            else:
                body.append(line)
        elif opening := _FENCE.fullmatch(line.strip()):
            fence = (opening[1], opening[2].strip(), number, [])
        elif heading := _HEADING.fullmatch(line):
            if block is not None:
                sections.append(block.section())
            block = _Block(chapter, heading[2], _anchor(heading[2], seen), len(heading[1]), number)
        elif block is not None:
            block.prose.append(line)
        elif line.strip():
            raise CorpusError(f"{chapter}, line {number}: text before the first heading")
        if block is not None:
            block.lines.append(line.rstrip())
    if fence is not None:
        raise CorpusError(f"{chapter}, line {fence[2]}: this fenced block is never closed")
    if block is not None:
        sections.append(block.section())
    return tuple(sections)


def prose_hash(section: Section) -> str:
    """Return the SHA-256 of a section, in hexadecimal; space at line ends and blank lines at the end do not count."""
    return hashlib.sha256(section.text.encode("utf-8")).hexdigest()


class _Block:
    """The section being read."""

    def __init__(self, chapter: str, heading: str, anchor: str, depth: int, line: int) -> None:
        self.chapter = chapter
        self.heading = heading
        self.anchor = anchor
        self.depth = depth
        self.line = line
        self.lines: list[str] = []
        self.prose: list[str] = []
        self.fences: list[Fence] = []

    def section(self) -> Section:
        return Section(
            chapter=self.chapter,
            heading=self.heading,
            anchor=self.anchor,
            depth=self.depth,
            line=self.line,
            text="\n".join(self.lines).rstrip("\n"),
            prose="\n".join(self.prose).strip("\n"),
            fences=tuple(self.fences),
        )


def _anchor(heading: str, seen: dict[str, int]) -> str:
    slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
    count = seen.get(slug, 0)
    seen[slug] = count + 1
    return f"{slug}-{count}" if count else slug
