"""Lays a masker's tokens over the reference's verdicts, also where its ids are not the canonical ones.

With the canonical ids every token has its verdict. With other ids that spell the
same text, a token gets the verdict of the characters it covers, EITHER where they
do not agree. With ids that spell another text (a doubled BOS, an appended end token,
a stray token, a cut, several of these), only those tokens are judged whose place in the
text is certain: the ones that every shortest story about the difference keeps
(`maskspec.rules.matching`), and between those the ones that spell the text in other pieces.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from maskspec.alignment import align
from maskspec.errors import AlignmentError, TokenizerError
from maskspec.masker import Mask, Token
from maskspec.policy import Judgement, Verdict
from maskspec.rules.matching import certain_pairs
from maskspec.rules.violations import Excluded
from maskspec.segmentation import Zone
from maskspec.tokens import Encoding, Tokenizer

__all__ = ["Judged", "overlay"]


@dataclass(slots=True)
class Judged:
    """One token of the masker's answer: where it stands, what was expected, and whether it was trained.

    Never changed once made; not frozen, since one is made for every token of every answer
    and a frozen dataclass takes three times as long to make.
    """

    index: int
    id: int
    text: str
    start: int
    end: int
    zone: Zone
    message: int | None
    verdict: Verdict
    trained: bool

    @property
    def wrong(self) -> bool:
        """Whether the answer contradicts the verdict; EITHER is never contradicted."""
        if self.verdict is Verdict.EITHER:
            return False
        return self.trained is not (self.verdict is Verdict.TRAIN)


def overlay(expected: Mask, ids: Sequence[int], trained: Sequence[bool], tokenizer: Tokenizer) -> tuple[Judged, ...]:
    """The tokens of an answer with their verdicts; raises `Excluded` when too few can be placed in the text."""
    ids = tuple(ids)
    if ids == expected.input_ids:
        return _canonical(expected, trained)
    laying = _Laying(expected, ids, tokenizer)
    ranges = laying.respelled(0, len(expected.text), slice(0, len(ids)))
    if ranges is not None:
        return tuple(laying.judged(index, *span, trained=trained[index]) for index, span in enumerate(ranges))
    return laying.certain(trained)


def _canonical(expected: Mask, trained: Sequence[bool]) -> tuple[Judged, ...]:
    """All tokens of an answer with the canonical ids: what `placed` says of each, in one sweep.

    Tokens and judgements are both in order. This is done for every answer, and most of the
    suite's own time would be spent here otherwise.
    """
    text, judgements, verdicts = expected.text, expected.judgements, expected.verdicts
    if not judgements:
        return tuple(placed(token, index, trained=trained[index]) for index, token in enumerate(expected.tokens))
    found: list[Judged] = []
    at, last = 0, len(judgements) - 1
    spans = zip(expected.input_ids, expected.alignment.starts, expected.alignment.ends, strict=True)
    for index, (identifier, start, end) in enumerate(spans):
        while at < last and judgements[at + 1].start <= start:
            at += 1
        part: Judgement | Token = judgements[at]
        if end > judgements[at].end and at < last:
            part = expected.tokens[index]
        verdict, zone, message = verdicts[index], part.zone, part.message
        found.append(Judged(index, identifier, text[start:end], start, end, zone, message, verdict, trained[index]))
    return tuple(found)


def placed(token: Token, index: int, *, trained: bool) -> Judged:
    """A canonical token of the reference at its place in the masker's answer."""
    return Judged(
        index=index,
        id=token.id,
        text=token.text,
        start=token.start,
        end=token.end,
        zone=token.zone,
        message=token.message,
        verdict=token.verdict,
        trained=trained,
    )


@dataclass(frozen=True)
class _Laying:
    """One answer's ids, to be laid over one text."""

    expected: Mask
    ids: tuple[int, ...]
    tokenizer: Tokenizer

    @cached_property
    def _unknown(self) -> frozenset[int]:
        """The ids of the unknown token, which spells anything and so proves nothing."""
        spelling = self.tokenizer.special_tokens.unk
        return frozenset(self.tokenizer.encode(spelling).ids) if spelling else frozenset()

    @cached_property
    def _starts(self) -> list[int]:
        return [judgement.start for judgement in self.expected.judgements]

    def respelled(self, start: int, end: int, part: slice) -> list[tuple[int, int]] | None:
        """The character range of each id of a part, when together they spell exactly these characters; else None."""
        ids = self.ids[part]
        if not self._unknown.isdisjoint(ids):
            return None
        try:
            alignment = align(self.expected.text[start:end], Encoding(ids=ids, offsets=None), self.tokenizer)
        except (AlignmentError, TokenizerError):
            return None
        ranges = [(start + first, start + last) for first, last in zip(alignment.starts, alignment.ends, strict=True)]
        for index in alignment.phantoms:
            # Of several equal tokens in a row, any could be the one too many.
            for step in (-1, 1):
                twin = index + step
                while 0 <= twin < len(ids) and ids[twin] == ids[index]:
                    ranges[twin] = (ranges[twin][0], ranges[twin][0])
                    twin += step
        return ranges

    def certain(self, trained: Sequence[bool]) -> tuple[Judged, ...]:
        """The tokens whose place in the text is certain."""
        canonical = self.expected.input_ids
        pairs = certain_pairs(self.ids, canonical, alike=lambda mine, theirs: bool(self._between(mine, theirs)))
        found: list[Judged] = []
        before = (0, 0)
        for index, partner in [*enumerate(pairs), (len(self.ids), len(canonical))]:
            if partner is None:
                continue
            gap = slice(before[0], index)
            if gap.start < gap.stop and before[1] < partner:
                spans = self._between(gap, slice(before[1], partner)) or []
                found += [
                    self.judged(position, *span, trained=trained[position])
                    for position, span in zip(range(gap.start, gap.stop), spans, strict=bool(spans))
                ]
            if index < len(self.ids):
                found.append(placed(self.expected.tokens[partner], index, trained=trained[index]))
            before = (index + 1, partner + 1)
        if 2 * len(found) < min(len(self.ids), len(canonical)):
            raise Excluded("the ids do not spell the template's text, so no token can be placed in it (RENDER-1)")
        return tuple(found)

    def _between(self, mine: slice, theirs: slice) -> list[tuple[int, int]] | None:
        """The ranges of ids that spell what some canonical tokens spell, in other pieces."""
        starts, ends = self.expected.alignment.starts, self.expected.alignment.ends
        start = ends[theirs.start - 1] if theirs.start else 0
        end = starts[theirs.stop] if theirs.stop < len(starts) else len(self.expected.text)
        return self.respelled(start, end, mine) if start < end else None

    def judged(self, index: int, start: int, end: int, *, trained: bool) -> Judged:
        """A token that covers some characters, with the verdict of all of them that are decided.

        EITHER where they are decided differently, and for a piece of a token that straddles in the
        canonical encoding: the masker may have decided about that token as a whole.
        """
        parts = self._parts(start, end)
        main = max(parts, key=lambda part: min(part.end, end) - max(part.start, start), default=None)
        decided = {part.verdict for part in parts} - {Verdict.EITHER}
        certain = start < end and len(decided) == 1 and not self._touches_straddling(start, end)
        return Judged(
            index=index,
            id=self.ids[index],
            text=self.expected.text[start:end] if start < end else self.tokenizer.token(self.ids[index]),
            start=start,
            end=end,
            zone=main.zone if main is not None else Zone.CONTEXT,
            message=main.message if main is not None else None,
            verdict=decided.pop() if certain else Verdict.EITHER,
            trained=trained,
        )

    def _parts(self, start: int, end: int) -> Sequence[Judgement]:
        first = max(0, bisect_right(self._starts, start) - 1)
        return self.expected.judgements[first : max(first + 1, bisect_left(self._starts, end))]

    def _touches_straddling(self, start: int, end: int) -> bool:
        alignment = self.expected.alignment
        return any(alignment.starts[k] < end and start < alignment.ends[k] for k in self.expected.tokens.straddling)
