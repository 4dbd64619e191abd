"""Two answers to one conversation, held against each other token by token.

Where the ids differ, tokens belong together by the text that they spell, so
that a difference in spelling does not hide one in what is trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import Enum
from itertools import groupby

from maskspec import Mask
from maskspec.policy import Verdict
from maskspec.segmentation import Zone
from tests.oracles.asking import Asked


@dataclass(frozen=True, slots=True)
class Answer:
    """The ids of a conversation as the oracle encodes it, and for each whether a model is trained on it."""

    ids: Sequence[int]
    trained: Sequence[bool]

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.trained):
            raise ValueError(f"{len(self.ids)} ids and {len(self.trained)} flags")


class Kind(Enum):
    """What differs."""

    LABEL = "label"
    """The same characters are trained by one of the two only."""
    SPELLING = "spelling"
    """The same characters are other tokens."""
    TEXT = "text"
    """The characters are other ones."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A token, or a part of one: what it spells and what is said about it. Zone and verdict are the reference's."""

    surface: bytes
    trained: bool
    zone: Zone | None = None
    verdict: Verdict | None = None
    message: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Difference:
    """One stretch on which reference and oracle differ."""

    kind: Kind
    ours: tuple[Piece, ...]
    theirs: tuple[Piece, ...]
    before: str
    """All of the reference's text in front of it."""
    asked: Asked

    def __repr__(self) -> str:
        zones = "+".join(
            sorted({f"{piece.zone.value}/{piece.verdict.value}" for piece in self.ours if piece.zone and piece.verdict})
        )
        trained = "+".join(sorted({"trained" if piece.trained else "not trained" for piece in self.theirs}))
        return (
            f"{self.kind.value} in {self.asked.name!r} after {self.before[-40:]!r}: reference {self.our_text[:120]!r} ({zones}), "
            f"oracle {self.their_text[:120]!r} ({trained}); {str(list(self.asked.messages))[:400]}"
        )

    @property
    def our_text(self) -> str:
        """What the reference has here."""
        return _text(self.ours)

    @property
    def their_text(self) -> str:
        """What the oracle has here."""
        return _text(self.theirs)

    @property
    def zones(self) -> frozenset[Zone | None]:
        """The zones of the reference's tokens."""
        return frozenset(piece.zone for piece in self.ours)

    @property
    def verdicts(self) -> frozenset[Verdict | None]:
        """The verdicts of the reference's tokens."""
        return frozenset(piece.verdict for piece in self.ours)

    @property
    def context(self) -> bool:
        """Whether neither trains any of it."""
        return not any(piece.trained for piece in (*self.ours, *self.theirs))

    def only_theirs(self, zone: Zone, verdict: Verdict) -> bool:
        """Whether the oracle trains all of it and the reference, for which it has this zone and verdict, nothing."""
        return (
            self.kind is Kind.LABEL
            and self.zones == {zone}
            and self.verdicts == {verdict}
            and all(piece.trained for piece in self.theirs)
        )

    def inside(self, opening: str, closing: str) -> bool:
        """Whether it stands between these two texts."""
        return self.before.rfind(opening) > self.before.rfind(closing) or self.our_text.startswith(opening)

    @property
    def size(self) -> int:
        """The number of tokens, at least one."""
        return max(1, len(self.ours), len(self.theirs) if self.kind is Kind.TEXT else 0)


def _text(pieces: Sequence[Piece]) -> str:
    return b"".join(piece.surface for piece in pieces).decode("utf-8", "replace")


def compare(asked: Asked, ours: Mask, theirs: Answer) -> Iterator[Difference]:
    """The differences of two answers to one conversation, in order."""
    surfaces = ours.tokenizer.surfaces
    left = [
        Piece(surface, verdict is Verdict.TRAIN, token.zone, verdict, token.message)
        for surface, verdict, token in zip(surfaces(ours.input_ids), ours.verdicts, ours.tokens, strict=True)
    ]
    right = [Piece(surface, trained) for surface, trained in zip(surfaces(theirs.ids), theirs.trained, strict=True)]
    for (first, last), (start, end) in blocks(ours.input_ids, theirs.ids, left, right):
        before = _text(left[:first])
        mine, yours = tuple(left[first:last]), tuple(right[start:end])
        if ours.input_ids[first:last] == tuple(theirs.ids[start:end]):
            yield from _labels(asked, list(zip(mine, yours, strict=True)), before)
        elif _text(mine).replace(" ", "") == _text(yours).replace(" ", ""):
            same = _text(mine) == _text(yours)
            yield Difference(Kind.SPELLING if same else Kind.TEXT, mine, yours, before, asked)
            yield from _labels(asked, list(_bytes(mine, yours)), before)
        else:
            yield Difference(Kind.TEXT, mine, yours, before, asked)


Range = tuple[int, int]


def blocks(
    ours: Sequence[int], theirs: Sequence[int], left: Sequence[Piece], right: Sequence[Piece]
) -> Iterator[tuple[Range, Range]]:
    """Ranges of both sequences that belong together, in order.

    Where the texts are the same but for spaces (control tokens bring some of their own) by the places in the text,
    else by the longest common runs of ids.
    """
    if _text(left).replace(" ", "") != _text(right).replace(" ", ""):
        matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
        yield from (((first, last), (start, end)) for _, first, last, start, end in matcher.get_opcodes())
        return
    first = start = 0
    while first < len(ours) or start < len(theirs):
        last, end = first, start
        while last < len(ours) and end < len(theirs) and ours[last] == theirs[end]:
            last, end = last + 1, end + 1
        if last == first:
            last, end = _together(left, right, first, start)
        yield (first, last), (start, end)
        first, start = last, end


def _together(left: Sequence[Piece], right: Sequence[Piece], first: int, start: int) -> Range:
    """The next places at which both have spelled the same text but for spaces."""
    mine = yours = b""
    last, end = first, start
    while last < len(left) or end < len(right):
        if end == len(right) or (last < len(left) and len(mine) <= len(yours)):
            mine += left[last].surface.replace(b" ", b"")
            last += 1
        else:
            yours += right[end].surface.replace(b" ", b"")
            end += 1
        if mine == yours and mine:
            break
    return last, end


def _labels(asked: Asked, pairs: Sequence[tuple[Piece, Piece]], before: str) -> Iterator[Difference]:
    """Neighbouring tokens of one zone and verdict that one of the two trains and the other does not."""
    for (_, _, _, differs), group in groupby(
        pairs, key=lambda pair: (pair[0].zone, pair[0].verdict, pair[0].message, pair[0].trained != pair[1].trained)
    ):
        ours, theirs = zip(*group, strict=True)
        if differs:
            yield Difference(Kind.LABEL, ours, theirs, before, asked)
        before += _text(ours)


def _bytes(ours: Sequence[Piece], theirs: Sequence[Piece]) -> Iterator[tuple[Piece, Piece]]:
    """Byte by byte, two spellings of one text, without the spaces that only one of them has."""
    left, right = _single(ours), _single(theirs)
    mine, yours = next(left, None), next(right, None)
    while mine is not None and yours is not None:
        if mine.surface != yours.surface:
            if mine.surface == b" ":
                mine = next(left, None)
            else:
                yours = next(right, None)
            continue
        yield mine, yours
        mine, yours = next(left, None), next(right, None)


def _single(pieces: Sequence[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        for place in range(len(piece.surface)):
            yield replace(piece, surface=piece.surface[place : place + 1])
