"""Aligns tokens by what they spell, for tokenizers that report no offsets.

The surfaces of all tokens, joined, are the text; cutting the text at their
lengths gives the ranges. Three things come in between, and each is verified
against the rest of the text before it is accepted:

- SentencePiece puts a space before the text that the text does not hold, and
  its legacy use in transformers does so again after every added token;
- added tokens may swallow the white space beside them (`lstrip`, `rstrip`),
  and WordPiece drops white space altogether;
- the unknown token stands for characters that its surface does not show.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from maskspec.errors import AlignmentError
from maskspec.tokens import Tokenizer

__all__ = ["excerpt", "spaced", "spell"]

_BLANK = "▁"
_BLANK_BYTES = _BLANK.encode("utf-8")
_LEADING_BYTES = bytes(0 if 0x80 <= byte < 0xC0 else 1 for byte in range(256))


def spaced(surface: bytes) -> bytes:
    """The bytes with U+2581 as the space it stands for in SentencePiece, which cannot tell the two apart."""
    return surface.replace(_BLANK_BYTES, b" ")


def excerpt(text: str, position: int, width: int = 24) -> str:
    """The text at `position`, quoted and cut to `width` characters, for messages."""
    piece = text[position : position + width]
    return repr(piece) + ("…" if position + width < len(text) else "")


def spell(text: str, ids: Sequence[int], tokenizer: Tokenizer) -> tuple[Sequence[int], Sequence[int]]:
    """Return the starts and ends of the character ranges that the tokens spell, each of length `len(ids)`.

    Raises `AlignmentError` naming the character and the token where the two part.
    """
    surfaces = tokenizer.surfaces(ids)
    if len(surfaces) != len(ids):
        raise AlignmentError(f"{tokenizer.name}: {len(ids)} ids came with {len(surfaces)} surfaces")
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise AlignmentError(
            f"{tokenizer.name}: character {error.start} is a lone surrogate, which no token can spell; remove it"
        ) from error
    joined = b"".join(surfaces)
    if joined == data:
        bounds = list(accumulate(map(len, surfaces), initial=0))
        return _characters(text, data, bounds[:-1], bounds[1:])
    if _BLANK_BYTES in joined:
        surfaces = [spaced(surface) for surface in surfaces]
    walk = _Walk(text, ids, surfaces, tokenizer)
    walk.run()
    return _characters(text, walk.data, walk.starts, walk.ends)


def _characters(
    text: str, data: bytes, starts: Sequence[int], ends: Sequence[int]
) -> tuple[Sequence[int], Sequence[int]]:
    """Turn byte ranges into the ranges of the characters they touch."""
    if len(data) == len(text):
        return tuple(starts), tuple(ends)
    # seen[b] is the number of characters that begin before byte b.
    seen = array("L", accumulate(data.translate(_LEADING_BYTES), initial=0))
    seen.append(seen[-1] + 1)
    lasts = tuple([seen[end] for end in ends])
    ranges = zip(starts, ends, strict=True)
    return tuple([seen[start + 1] - 1 if start < end else seen[end] for start, end in ranges]), lasts


class _Walk:
    """One pass over the tokens, section by section.

    A section is a run of ordinary tokens between added ones: the stretch that
    the vocabulary encoded in one go, and so the place where a space that the
    text does not hold can appear once, at its beginning.
    """

    def __init__(self, text: str, ids: Sequence[int], surfaces: Sequence[bytes], tokenizer: Tokenizer) -> None:
        self.text = text
        self.ids = ids
        self.tokenizer = tokenizer
        self.surfaces = surfaces
        self.data = text.replace(_BLANK, " ").encode("utf-8")
        self.starts: list[int] = []
        self.ends: list[int] = []
        special = tokenizer.special_tokens
        added = set(special.added)
        spellings = {token_id: tokenizer.token(token_id) for token_id in set(ids)}
        self.added = {token_id for token_id, spelling in spellings.items() if spelling in added}
        self.unknown = {token_id for token_id, spelling in spellings.items() if spelling == special.unk}
        between = self.added | self.unknown
        self.breaks = [index for index, token_id in enumerate(ids) if token_id in between]

    def run(self) -> None:
        ids, surfaces = self.ids, self.surfaces
        position = index = 0
        section_begins = True
        while index < len(ids):
            stop = self._section_end(index)
            if stop > index:
                position = self._section(index, stop, position, section_begins)
                section_begins = False
                index = stop
            elif ids[index] in self.unknown and not self.data.startswith(surfaces[index], position):
                position = self._take(position, self._unknown_end(index, position))
                section_begins = False
                index += 1
            else:
                position = self._added(index, position)
                section_begins = True
                index += 1
        rest = self._skip_space(position)
        if rest < len(self.data):
            raise self._error(rest, None)
        if self.ends:
            self.ends[-1] = rest
        # Without tokens there is nobody to own the white space, and nothing to label.

    def _take(self, position: int, end: int) -> int:
        self.starts.append(position)
        self.ends.append(end)
        return end

    def _section_end(self, index: int) -> int:
        """Where the run of ordinary tokens that holds `index` ends."""
        following = bisect_left(self.breaks, index)
        return self.breaks[following] if following < len(self.breaks) else len(self.ids)

    def _skip_space(self, position: int) -> int:
        data = self.data
        while position < len(data):
            width = _width(data[position])
            if not data[position : position + width].decode("utf-8", "replace").isspace():
                break
            position += width
        return position

    def _added(self, index: int, position: int) -> int:
        """Take an added token, which may have swallowed white space on either side."""
        surface = self.surfaces[index]
        begin = position
        if not self.data.startswith(surface, position):
            begin = self._skip_space(position)
            if not self.data.startswith(surface, begin):
                raise self._error(begin, index)
            if index and self.ids[index - 1] in self.added:
                self.ends[-1] = position = begin
        return self._take(position, begin + len(surface))

    def _section(self, index: int, stop: int, position: int, section_begins: bool) -> int:
        """Take the ordinary tokens `index` to `stop`, whose surfaces spell one stretch of the text."""
        pieces = self.surfaces[index:stop]
        joined = b"".join(pieces)
        place = self._place(joined, position, section_begins)
        if place is None:
            return self._loose(index, stop, position)
        begin, extra = place
        bounds = list(accumulate(map(len, pieces), initial=begin - extra))
        # The space that the text does not hold is the first byte: a piece that is nothing else ends where it starts.
        outside = bisect_left(bounds, begin)
        bounds[:outside] = [begin] * outside
        if begin > position and self.ends:
            self.ends[-1] = begin
        else:
            bounds[0] = position
        self.starts += bounds[:-1]
        self.ends += bounds[1:]
        return bounds[-1]

    def _place(self, joined: bytes, position: int, section_begins: bool) -> tuple[int, int] | None:
        """Where a section begins and how many of its bytes the text does not hold, None where it does not fit.

        White space swallowed by the added token before it and a space that the
        text does not hold are both assumed only where nothing simpler fits.
        """
        begins = {position: None, self._skip_space(position): None} if section_begins else {position: None}
        extras = (0, 1) if section_begins and joined.startswith(b" ") else (0,)
        for begin in begins:
            for extra in extras:
                if self.data.startswith(joined[extra:] if extra else joined, begin):
                    return begin, extra
        return None

    def _loose(self, index: int, stop: int, position: int) -> int:
        """Take tokens one by one where the tokenizer dropped white space; the next token owns what was dropped."""
        for current in range(index, stop):
            surface = self.surfaces[current]
            begin = position
            if not self.data.startswith(surface, begin):
                begin = self._skip_space(position)
                if not self.data.startswith(surface, begin):
                    raise self._error(begin, current)
            position = self._take(position, begin + len(surface))
        return position

    def _unknown_end(self, index: int, position: int) -> int:
        """Where an unknown token ends: after the fewest characters that let the tokens behind it follow."""
        data = self.data
        if position >= len(data):
            raise self._error(position, index)
        earliest = position + _width(data[position])
        following = index + 1
        if following == len(self.ids):
            return len(data)
        stop = self._section_end(following)
        if stop > following:
            needle = b"".join(self.surfaces[following:stop])
        else:
            needle = self.surfaces[following]
        end = data.find(needle, earliest)
        if end < 0 and self.ids[following] in self.unknown:
            # Two unknown words in a row, each of them anything; a vocabulary of words parts them at white space.
            blank = data.find(b" ", earliest)
            return earliest if blank < 0 else blank
        if end < 0:
            raise self._error(position, index)
        return end

    def _error(self, position: int, index: int | None) -> AlignmentError:
        """Say where text and tokens part, in characters."""
        character = len(self.data[:position].decode("utf-8", "ignore"))
        where = f"{self.tokenizer.name}: at character {character} the text goes on with"
        found = excerpt(self.text, character) if character < len(self.text) else "nothing"
        if index is None:
            problem = f"{where} {found}, but there are no tokens left"
        else:
            token = self.tokenizer.token(self.ids[index])
            problem = f"{where} {found}, but token {index} is {token!r} (id {self.ids[index]})"
        return AlignmentError(
            f"{problem}; the tokenizer changes the text before it encodes it, "
            "and without offsets that cannot be undone: use the fast version of this tokenizer, which reports offsets"
        )


def _width(lead: int) -> int:
    """The number of bytes of the UTF-8 character that begins with `lead`."""
    if lead < 0x80:
        return 1
    return 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
