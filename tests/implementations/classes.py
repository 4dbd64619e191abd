"""The ways in which two tokenizers of one vocabulary differ, and which of them a smallest text shows.

A text that was made as small as it can be shows one thing. What it is can be read off the text and
the two answers: which side spells a space that the text does not hold, which side knows a special
token, which side cuts the same characters elsewhere. There is no class for the rest: what fits none
is an error of the classification and ends the run.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

__all__ = ["Answer", "Difference", "RoundTrip", "Unclassified", "classify", "classify_round_trip"]


class Difference(Enum):
    """What two answers for one text differ in; the value is the name in tables and headings."""

    BEFORE_TEXT = "a space before the text"
    """One side begins the text with a space that is not there."""
    BEFORE_SPACE = "a second space before a leading one"
    """The text begins with a space, and one side puts another before it."""
    BEFORE_SPECIAL = "a space before a leading special token"
    """The text begins with a special token, and one side puts a space before it."""
    AFTER_SPECIAL = "a space after a special token"
    """One side begins anew with a space after every special token."""
    AT_SPECIAL = "whitespace beside a special token"
    """One side's special token takes the whitespace beside it."""
    UNKNOWN_SPECIAL = "a special token that one side does not know"
    """One id on one side, ordinary text on the other."""
    OTHER_ID = "another id for a special token"
    """One special token on both sides, by different ids."""
    OTHER_MERGES = "merges in another order"
    """The same characters, cut elsewhere, within one stretch of ordinary text."""
    OTHER_SPLIT = "words split by another pattern"
    """The same characters, cut between others, where a vocabulary splits a text by a pattern before it merges."""
    BLANKS = "blanks that are added tokens"
    """One side looks for added tokens made of U+2581 before it writes spaces so, the other after."""
    NORMALISATION = "normalisation"
    """One side composes or reorders characters before it encodes."""


class RoundTrip(Enum):
    """In what the text that comes back from the ids differs from the one that was encoded."""

    BYTE_NAMES = "bytes come back by their names"
    """`<0x0A>` instead of a newline."""
    SPACE_ADDED = "spaces are added"
    """The text that comes back has a space more, where the encoder put one."""
    SPACE_LOST = "spaces are lost"
    """A space of the text is taken for one that the encoder put there."""
    NO_TOKEN = "characters without a token are gone"
    """The vocabulary cannot spell them and says nothing."""
    NORMALISED = "normalised characters"
    """What was composed or reordered stays so."""
    BLANK = "U+2581 comes back as a space"
    """The vocabulary writes a space so."""
    AT_SPECIAL = "whitespace beside a special token is gone"
    """It was part of the special token."""


class Unclassified(AssertionError):
    """A difference that no class describes; the classification has to learn it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one implementation says: the ids and the bytes that each spells, or the error."""

    ids: tuple[int, ...]
    surfaces: tuple[bytes, ...] = ()
    error: str = ""

    @property
    def spelled(self) -> bytes:
        """All bytes."""
        return b"".join(self.surfaces)


def _special_at(text: str, special: Sequence[str]) -> str:
    return next((token for token in special if token and text.startswith(token)), "")


def classify(
    text: str, one: Answer, other: Answer, special: Sequence[str], *, inside: bool = False, pattern: bool = False
) -> Difference:
    """The class of a difference on a smallest text; `special` are the special tokens of either side, longest first.

    `inside` says that the text was asked about behind other text, so that nothing stands at the beginning;
    `pattern` that the vocabulary splits texts by one, so that a cut between characters is the pattern's: the
    merges are the same, and would have found the longer token.

    Raises:
        Unclassified: none describes it.
    """
    if one.error or other.error:
        raise Unclassified(f"{text!r} is refused: {one.error or other.error}")
    head = _special_at(text, special)
    whole = text.encode()
    for side, opposite in ((one, other), (other, one)):
        if _is_marker(text) and whole in side.surfaces and opposite.spelled.lstrip() == whole != opposite.surfaces[-1]:
            return Difference.UNKNOWN_SPECIAL
    shorter, longer = sorted((one.spelled, other.spelled), key=len)
    if head == text and len(one.ids) == len(other.ids) == 1:
        return Difference.OTHER_ID
    if head == text and _solid(shorter) != _solid(longer) and 1 in (len(one.ids), len(other.ids)):
        return Difference.UNKNOWN_SPECIAL
    held = next((token for token in special if token in text), "")
    if one.spelled == other.spelled and held and not held.strip("▁"):
        return Difference.BLANKS
    if held and len(shorter) < len(text.replace("▁", " ").encode()) and _solid(shorter) == _solid(longer):
        return Difference.AT_SPECIAL
    if longer == b" " + shorter and not inside:
        if head:
            return Difference.BEFORE_SPECIAL
        return Difference.BEFORE_SPACE if text[0].isspace() or text[0] == "▁" else Difference.BEFORE_TEXT
    if head and longer.replace(b" ", b"") == shorter.replace(b" ", b""):
        return Difference.AFTER_SPECIAL
    if one.spelled == other.spelled:
        by_pattern = pattern and all(map(_whole_characters, _apart(one.surfaces, other.surfaces)))
        return Difference.OTHER_SPLIT if by_pattern else Difference.OTHER_MERGES
    normal = [unicodedata.normalize("NFC", each.spelled.decode("utf-8", "replace")) for each in (one, other)]
    if normal[0] == normal[1]:
        return Difference.NORMALISATION
    raise Unclassified(f"{text!r}: {one.ids} {one.surfaces} against {other.ids} {other.surfaces}")


def _apart(one: Sequence[bytes], other: Sequence[bytes]) -> list[bytes]:
    """The tokens of both sides without those that they begin and end with in common."""
    first = next((k for k, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), 0)
    turned = zip(one[first:][::-1], other[first:][::-1], strict=False)
    last = next((k for k, pair in enumerate(turned) if pair[0] != pair[1]), 0)
    return [*one[first : len(one) - last], *other[first : len(other) - last]]


def _whole_characters(surface: bytes) -> bool:
    try:
        surface.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_marker(text: str) -> bool:
    return len(text) > 2 and text[0] in "<[|" and text[-1] in ">]|"


def _solid(spelled: bytes) -> str:
    """What is left without whitespace."""
    return "".join(spelled.decode("utf-8", "replace").split())


def classify_round_trip(text: str, spelled: bytes, back: str, special: Sequence[str]) -> RoundTrip:
    """The class of a smallest text that is `spelled` by its tokens and comes back as `back`.

    Raises:
        Unclassified: none describes it.
    """
    if text and not spelled:
        return RoundTrip.NO_TOKEN
    if "<0x" in back and back.count("<0x") > text.count("<0x"):
        return RoundTrip.BYTE_NAMES
    if unicodedata.normalize("NFC", text) == unicodedata.normalize("NFC", back):
        return RoundTrip.NORMALISED
    if text.replace("▁", " ") == back:
        return RoundTrip.BLANK
    if "".join(text.replace("▁", " ").split()) == "".join(back.replace("▁", " ").split()):
        if len(back) > len(text):
            return RoundTrip.SPACE_ADDED
        return RoundTrip.AT_SPECIAL if any(token in text for token in special) else RoundTrip.SPACE_LOST
    raise Unclassified(f"{text!r} comes back as {back!r}")
