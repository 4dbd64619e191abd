"""Lays a masker's tokens over the reference's verdicts, also where its ids are not the canonical ones.

With the canonical ids every token has its verdict. With other ids that spell the
same text, a token gets the verdict of the characters it covers: theirs where they
agree, EITHER where they do not. With ids that spell another text (a doubled BOS, an
appended end token, a cut), the tokens before the first and after the last
difference are still judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maskspec.alignment import align
from maskspec.errors import AlignmentError, TokenizerError
from maskspec.masker import Mask, Token
from maskspec.policy import Verdict
from maskspec.rules.violations import Excluded
from maskspec.segmentation import Zone
from maskspec.tokens import Encoding, Tokenizer

__all__ = ["Judged", "overlay"]


@dataclass(frozen=True, slots=True)
class Judged:
    """One token of the masker's answer: where it stands, what was expected, and whether it was trained."""

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
    """The tokens of an answer with their verdicts; raises `Excluded` when none can be placed in the text."""
    if tuple(ids) == expected.input_ids:
        return tuple(placed(token, index, trained=trained[index]) for index, token in enumerate(expected.tokens))
    try:
        alignment = align(expected.text, Encoding(ids=tuple(ids), offsets=None), tokenizer)
    except (AlignmentError, TokenizerError):
        return by_common_ends(expected, ids, trained)
    return by_characters(expected, ids, trained, tokenizer, list(zip(alignment.starts, alignment.ends, strict=True)))


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


def by_characters(
    expected: Mask,
    ids: Sequence[int],
    trained: Sequence[bool],
    tokenizer: Tokenizer,
    ranges: Sequence[tuple[int, int]],
) -> tuple[Judged, ...]:
    """Verdicts for tokens that spell the same text in other pieces."""
    owners: list[list[Token]] = [[] for _ in expected.text]
    for token in expected.tokens:
        for position in range(token.start, token.end):
            owners[position].append(token)
    judged = []
    for index, (identifier, (start, end)) in enumerate(zip(ids, ranges, strict=True)):
        covered = [token for position in range(start, end) for token in owners[position]]
        verdicts = {token.verdict for token in covered}
        first = covered[0] if covered else None
        judged.append(
            Judged(
                index=index,
                id=identifier,
                text=expected.text[start:end] if start < end else tokenizer.token(identifier),
                start=start,
                end=end,
                zone=first.zone if first is not None else Zone.CONTEXT,
                message=first.message if first is not None else None,
                verdict=verdicts.pop() if len(verdicts) == 1 else Verdict.EITHER,
                trained=trained[index],
            )
        )
    return tuple(judged)


def by_common_ends(expected: Mask, ids: Sequence[int], trained: Sequence[bool]) -> tuple[Judged, ...]:
    """Verdicts for the tokens before the first and after the last difference to the canonical ids."""
    canonical = expected.input_ids
    shorter = min(len(ids), len(canonical))
    front = next((k for k in range(shorter) if ids[k] != canonical[k]), shorter)
    back = next((k for k in range(shorter - front) if ids[-1 - k] != canonical[-1 - k]), shorter - front)
    if (front + back) * 2 < len(canonical):
        raise Excluded("the ids do not spell the template's text, so no token can be placed in it (RENDER-1)")
    shift = len(ids) - len(canonical)
    head = [placed(expected.tokens[k], k, trained=trained[k]) for k in range(front)]
    tail = [
        placed(expected.tokens[k], k + shift, trained=trained[k + shift])
        for k in range(len(canonical) - back, len(canonical))
    ]
    return (*head, *tail)
