"""Which characters each token stands for, because labels belong to tokens and zones to characters.

Fast tokenizers report offsets, slow ones do not, and neither can be taken as
it comes: byte-level post-processors trim spaces off their offsets, normalising
tokenizers drop characters, and SentencePiece begins a text with a space that
the text does not hold. `align` settles all of that once: in its result every
character of the text belongs to at least one token, a character spelled by
several byte tokens belongs to all of them, and a token that spells no character
at all is a *phantom* with an empty range.

Anything else is an `AlignmentError`; a range is never guessed.
"""

from __future__ import annotations

import operator
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol, runtime_checkable

from maskspec.errors import AlignmentError
from maskspec.spelling import excerpt, spaced, spell
from maskspec.tokens import Encoding, Tokenizer

__all__ = ["Alignment", "Locator", "align"]


@dataclass(frozen=True, slots=True)
class Alignment:
    """The half-open character range of every token, as two sequences of length n.

    Ranges are monotone: neither starts nor ends ever decrease. Together they
    cover the text. They overlap only where one character is spelled by several
    tokens. `start == end` marks a phantom, a token that spells no character.
    """

    starts: Sequence[int]
    ends: Sequence[int]
    phantoms: tuple[int, ...] = field(init=False)
    """The indices of the tokens that spell no character of the text."""

    def __post_init__(self) -> None:
        empty: tuple[int, ...] = ()
        if not all(map(operator.lt, self.starts, self.ends)):
            ranges = zip(self.starts, self.ends, strict=True)
            empty = tuple(index for index, (start, end) in enumerate(ranges) if start >= end)
        object.__setattr__(self, "phantoms", empty)

    def __len__(self) -> int:
        return len(self.starts)


@runtime_checkable
class Locator(Protocol):
    """What a tokenizer without offsets may offer when its tokens do not spell the text as it stands.

    A SentencePiece model that normalises (collapsing spaces, folding compatible
    characters) knows where its pieces came from; their surfaces do not show it.
    """

    def locate(self, text: str, ids: Sequence[int]) -> Sequence[tuple[int, int]] | None:
        """The character range of each id in the text, or None when the tokenizer does not know."""


def align(text: str, encoding: Encoding, tokenizer: Tokenizer) -> Alignment:
    """Return the character range of every token of `encoding` in `text`.

    `encoding` must be what `tokenizer.encode(text)` gave. With offsets, they are
    verified and completed; without, the surfaces of the tokens must spell the
    text. The cost is linear in the text. Raises `AlignmentError`, naming the
    position and the characters, when the tokens do not account for the text.
    """
    ids = encoding.ids
    offsets = encoding.offsets
    if offsets is None:
        try:
            return Alignment(*spell(text, ids, tokenizer))
        except AlignmentError:
            offsets = tokenizer.locate(text, ids) if isinstance(tokenizer, Locator) else None
            if offsets is None:
                raise
    if len(offsets) != len(ids):
        raise AlignmentError(f"{tokenizer.name}: {len(ids)} ids came with {len(offsets)} offsets; they must be as many")
    if not offsets:
        _explain(text, 0, len(text), tokenizer)
        return Alignment((), ())
    starts, ends = zip(*offsets, strict=True)
    if starts[0] == 0 and ends[-1] == len(text) and starts[1:] == ends[:-1]:
        alignment = Alignment(starts, ends)
        if not alignment.phantoms or not any(map(operator.gt, starts, ends)):
            return alignment
    return _Repair(text, ids, list(starts), list(ends), tokenizer).run()


@dataclass(slots=True)
class _Repair:
    """Completes offsets that do not tile the text, in place and from left to right.

    Two things break the tiling: a gap (characters no token claims) and an
    overlap (characters several tokens claim).
    """

    text: str
    ids: Sequence[int]
    starts: list[int]
    ends: list[int]
    tokenizer: Tokenizer

    def run(self) -> Alignment:
        text, starts, ends = self.text, self.starts, self.ends
        if min(starts) < 0 or max(ends) > len(text) or any(map(operator.gt, starts, ends)):
            raise AlignmentError(f"{self.tokenizer.name}: the offsets leave the text of {len(text)} characters")
        if starts[0] > 0:
            self._fill(0, 0, starts[0])
        last = len(starts) - 1
        boundaries = zip(ends, islice(starts, 1, None), strict=False)
        broken = [index for index, (end, start) in enumerate(boundaries) if end != start]
        settled = 0
        for index in broken:
            if index < settled:
                continue
            end, start = ends[index], starts[index + 1]
            if end < start:
                self._gap(index)
            elif end > start:
                settled = self._overlap(index)
        if ends[last] < len(text):
            _explain(text, ends[last], len(text), self.tokenizer)
            ends[last] = len(text)
        return Alignment(tuple(starts), tuple(ends))

    def _surface(self, index: int) -> bytes:
        return self.tokenizer.surfaces(self.ids[index : index + 1])[0]

    def _gap(self, index: int) -> None:
        """Share the characters between token `index` and the next one.

        They go to the token that spells them. That is the previous one where
        its surface says so or where they are marks and controls that a
        normaliser removed after their base, and the following one otherwise.
        """
        left, right = self.ends[index], self.starts[index + 1]
        _explain(self.text, left, right, self.tokenizer)
        surface = self._surface(index).decode("utf-8", "replace")
        start = self.starts[index]
        reach = start + len(surface)
        if left < reach and self.text.startswith(surface, start):
            cursor = min(reach, right)
        else:
            cursor = left
            while cursor < right and not self.text[cursor].isspace():
                cursor += 1
        self.ends[index] = cursor
        if cursor < right:
            self._fill(index + 1, cursor, right)

    def _fill(self, index: int, left: int, right: int) -> None:
        """Give the characters `left` to `right` to the token `index` and, where it spells fewer, to the next ones."""
        starts, ends = self.starts, self.ends
        _explain(self.text, left, right, self.tokenizer)
        while left < right:
            width = len(self._surface(index))
            follower = index + 1 < len(starts) and starts[index + 1] == right
            if starts[index] == ends[index]:
                taken = min(width, right - left) if follower else right - left
            elif follower and self._is_space(index) and not _holds_space(self.text, starts[index], ends[index]):
                taken = min(width, right - left)
            else:
                starts[index] = left
                return
            starts[index], ends[index] = left, left + taken
            left += taken
            index += 1

    def _is_space(self, index: int) -> bool:
        surface = spaced(self._surface(index))
        return bool(surface) and surface.isspace()

    def _overlap(self, index: int) -> int:
        """Settle the run of overlapping tokens that begins at `index`; return the index of its last token."""
        starts, ends = self.starts, self.ends
        first = index
        while index + 1 < len(starts) and starts[index + 1] < ends[index]:
            index += 1
            if starts[index] == ends[index]:
                starts[index] = ends[index] = ends[index - 1]
            elif starts[index] < starts[index - 1] or ends[index] < ends[index - 1]:
                raise AlignmentError(
                    f"{self.tokenizer.name}: token {index} covers characters {starts[index]} to {ends[index]}, "
                    f"which lie before those of token {index - 1} ({starts[index - 1]} to {ends[index - 1]}); "
                    "the tokenizer's offsets are not in the order of the text"
                )
        surfaces = self.tokenizer.surfaces(self.ids[first : index + 1])
        spelled = spaced(b"".join(surfaces))
        covered = spaced(self.text[starts[first] : ends[index]].encode("utf-8"))
        if spelled == covered:
            return index
        if spelled == b" " + covered:
            if spaced(surfaces[0]) == b" ":
                ends[first] = starts[first]
            return index
        for position in range(first, index):
            if (
                self._is_space(position)
                and not _holds_space(self.text, starts[position], ends[position])
                and starts[position + 1] == starts[position]
                and (position == first or ends[position - 1] <= starts[position])
            ):
                ends[position] = starts[position]
        return index


def _holds_space(text: str, start: int, end: int) -> bool:
    return any(character.isspace() or character == "▁" for character in text[start:end])


def _explain(text: str, start: int, end: int, tokenizer: Tokenizer) -> None:
    """Raise unless the uncovered characters are of a kind that tokenizers are known to drop.

    Normalisers and pre-tokenizers drop white space, control and format
    characters (BERT's clean-up, which drops U+FFFD too) and combining marks
    (accent stripping). A letter that no token covers is an error.
    """
    for position in range(start, end):
        character = text[position]
        if not character.isspace() and character != "\ufffd" and unicodedata.category(character)[0] not in "CMZ":
            raise AlignmentError(
                f"{tokenizer.name}: no token covers character {position}, {excerpt(text, position)}; "
                "the vocabulary cannot spell it or the tokenizer's normaliser removed it, so its label is unknown"
            )
