"""What the users of a masker can do about its findings: short Markdown texts that people write, read as plain blocks.

A report shows them in Markdown, in HTML and in a terminal, and whoever wrote them is not
whoever opens the report. So a text is taken apart into paragraphs, items and code, and each
format writes these in its own way; nothing of the source reaches a report as markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from maskspec.errors import UsageError

__all__ = ["Advice", "Block", "Shape", "Span", "Style", "parse_advice", "read_advice", "same_name"]


class Style(Enum):
    """How a stretch of a text stands out."""

    PLAIN = "plain"
    """It does not."""
    STRONG = "strong"
    """It matters most."""
    CODE = "code"
    """A name or a setting, word for word."""
    LINK = "link"
    """Words with an address behind them."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of text in one style; `address` is that of a link, empty otherwise."""

    text: str
    style: Style = Style.PLAIN
    address: str = ""


class Shape(Enum):
    """What a block is."""

    PARAGRAPH = "paragraph"
    """Running text."""
    ITEM = "item"
    """One point of a list."""
    CODE = "code"
    """Lines that are kept as they are."""


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, an item of a list, or lines of code."""

    shape: Shape
    spans: tuple[Span, ...]

    @property
    def text(self) -> str:
        """The words without their styles, a link followed by its address."""
        return "".join(f"{span.text} ({span.address})" if span.address else span.text for span in self.spans)


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do, for one masker in one version.

    `masker` is the heading: the name and version that its runs report. `source` is the file.
    `required` says that the file was asked for by its name, so that a run has to be there for it.
    """

    masker: str
    blocks: tuple[Block, ...]
    source: str = ""
    required: bool = False


def read_advice(paths: Iterable[Path]) -> tuple[Advice, ...]:
    """Read files of advice, and every such file below a folder.

    In a folder, a Markdown file is one of advice when its first heading is of the second level;
    others are passed over.

    Raises:
        UsageError: a file cannot be read or has no such heading, or a folder holds none.
    """
    found: list[Advice] = []
    for path in paths:
        if not path.is_dir():
            found += [replace(advice, required=True) for advice in parse_advice(_read(path), source=str(path))]
            continue
        texts = [(file, _read(file)) for file in sorted(path.rglob("*.md"))]
        inside = [(file, text) for file, text in texts if _is_advice(text)]
        if not inside:
            raise UsageError(f"{path} holds no advice: a Markdown file that begins with `## <masker> <version>`")
        for file, text in inside:
            found += parse_advice(text, source=str(file))
    return tuple(found)


def parse_advice(text: str, *, source: str = "the advice") -> tuple[Advice, ...]:
    """The advice in one Markdown text: each heading of the second level names a masker, what follows is for its users.

    Raises:
        UsageError: the text does not begin with such a heading, or nothing stands below one.
    """
    if not _is_advice(text):
        raise UsageError(f"{source} does not begin with `## <masker> <version>`, so it says nothing about any masker")
    found = []
    for part in re.split(r"^##[ \t]+", text, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        name = heading.strip().rstrip("#").strip()
        blocks = tuple(_blocks(body))
        if not name or not blocks:
            raise UsageError(f"{source}: nothing is said under the heading {name!r}; write it, or remove the heading")
        found.append(Advice(masker=name, blocks=blocks, source=source))
    return tuple(found)


def same_name(one: str, other: str) -> bool:
    """Whether two texts name the same masker: case, and the marks between words, do not count."""
    return _plain_name(one) == _plain_name(other)


def _plain_name(name: str) -> str:
    return re.sub(r"[-_.\s]+", "-", name.strip()).casefold()


def _is_advice(text: str) -> bool:
    return re.match(r"\s*##[ \t]+\S", text) is not None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as advice: {error}") from error


_ITEM = re.compile(r"(?:[-*+]|\d+[.)])[ \t]+")
_HEADING = re.compile(r"#{3,6}[ \t]+")


def _blocks(body: str) -> Iterator[Block]:
    kept: list[str] = []
    shape = Shape.PARAGRAPH
    fence = ""
    for line in (*body.splitlines(), ""):
        words = line.strip()
        if fence:
            if words == fence:
                fence = ""
                yield Block(Shape.CODE, (Span("\n".join(kept), Style.CODE),))
                kept = []
            else:
                kept.append(line.rstrip())
            continue
        opening = re.match("`{3,}", words)
        begins = _ITEM.match(words)
        heading = _HEADING.match(words)
        if (not words or opening or begins or heading) and kept:
            yield Block(shape, tuple(_spans(" ".join(kept))))
            kept = []
        if opening:
            fence = opening.group()
        elif heading:
            yield Block(Shape.PARAGRAPH, (Span(words[heading.end() :], Style.STRONG),))
        elif words:
            if begins or not kept:
                shape = Shape.ITEM if begins else Shape.PARAGRAPH
            kept.append(words[begins.end() :] if begins else words)
    if kept:
        yield Block(Shape.CODE, (Span("\n".join(kept), Style.CODE),))


_STYLED = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<strong>[^*]+)\*\*|\[(?P<words>[^\]]+)\]\((?P<address>https?://[^)\s]+)\)"
)


def _spans(text: str) -> Iterator[Span]:
    done = 0
    for found in _STYLED.finditer(text):
        if found.start() > done:
            yield Span(text[done : found.start()])
        if found["code"]:
            yield Span(found["code"], Style.CODE)
        elif found["strong"]:
            yield Span(found["strong"], Style.STRONG)
        else:
            yield Span(found["words"], Style.LINK, found["address"])
        done = found.end()
    if done < len(text):
        yield Span(text[done:])
