"""RENDER: the ids a masker returns are those of the template's text, neither more nor fewer, every time."""

from __future__ import annotations

from collections.abc import Sequence

from maskspec.rules.registry import rule
from maskspec.rules.trial import Trial
from maskspec.rules.violations import Excluded, Finding, Kind, Row

__all__ = [
    "beginning_of_sequence_neither_doubled_nor_lost",
    "ids_decode_to_the_text",
    "ids_equal_the_canonical_encoding",
    "repeatable_and_input_unchanged",
]


@rule("RENDER-1")
def ids_equal_the_canonical_encoding(trial: Trial) -> Finding | None:
    """The ids are those of the template's text, encoded without added special tokens."""
    got, canonical = trial.answer.input_ids, trial.expected.input_ids
    if got == canonical:
        return None
    at = first_difference(got, canonical)
    wanted = f"{canonical[at]} ({spelling(trial, canonical[at])})" if at < len(canonical) else "no further token"
    found = f"{got[at]} ({spelling(trial, got[at])})" if at < len(got) else "no further token"
    return Finding(
        kind=Kind.DIFFERENT_IDS,
        explanation=(
            f"token {at} should be {wanted}, the masker has {found}; {len(canonical)} ids expected, {len(got)} got"
        ),
        zone=trial.expected.tokens[at].zone.name if at < len(canonical) else "TAIL",
        rows=difference(trial, at),
    )


def first_difference(left: Sequence[object], right: Sequence[object]) -> int:
    """The first place where two sequences differ: the length of the shorter one when it begins the other."""
    shorter = min(len(left), len(right))
    return next((index for index in range(shorter) if left[index] != right[index]), shorter)


def difference(trial: Trial, at: int, *, around: int = 3) -> tuple[Row, ...]:
    """The ids on both sides around the first difference."""
    got, expected = trial.answer.input_ids, trial.expected
    rows = []
    for index in range(max(0, at - around), min(max(len(got), len(expected.input_ids)), at + around + 1)):
        token = expected.tokens[index] if index < len(expected.tokens) else None
        rows.append(
            Row(
                index=index,
                text=token.text if token is not None else "",
                zone=token.zone.name if token is not None else "",
                message=token.message if token is not None else None,
                expected=str(token.id) if token is not None else "nothing",
                got=f"{got[index]} {spelling(trial, got[index])}" if index < len(got) else "nothing",
                wrong=index >= len(got) or token is None or got[index] != token.id,
            )
        )
    return tuple(rows)


def spelling(trial: Trial, identifier: int) -> str:
    """The vocabulary's spelling of an id, or a note that it has none."""
    try:
        return repr(trial.tokenizer.token(identifier))
    except Exception:  # noqa: BLE001  (an id outside the vocabulary fails in a way of each library's own)
        return "not in the vocabulary"


@rule("RENDER-2")
def beginning_of_sequence_neither_doubled_nor_lost(trial: Trial) -> Finding | None:
    """The beginning-of-sequence token occurs exactly as often as in the template's text."""
    bos = trial.tokenizer.special_tokens.bos
    if not bos:
        raise Excluded("the tokenizer has no beginning-of-sequence token")
    ids = tuple(trial.tokenizer.encode(bos).ids)
    if len(ids) != 1:
        raise Excluded("the beginning-of-sequence token is not one token of the vocabulary")
    if bos == trial.tokenizer.special_tokens.eos:
        raise Excluded("the beginning-of-sequence token also ends turns, so it cannot be counted")
    wanted = count(trial.expected.input_ids, ids[0])
    found = count(trial.answer.input_ids, ids[0])
    if wanted == found:
        return None
    return Finding(
        kind=Kind.DIFFERENT_IDS,
        explanation=f"{bos} occurs {wanted} time(s) in the template's text and {found} time(s) in the masker's ids",
        zone="CONTEXT",
        rows=difference(trial, min(wanted, found), around=2),
    )


def count(ids: Sequence[int], identifier: int) -> int:
    """How often an id occurs."""
    return sum(1 for item in ids if item == identifier)


@rule("RENDER-3")
def ids_decode_to_the_text(trial: Trial) -> Finding | None:
    """Decoding the ids gives the text back wherever decoding the canonical ids does."""
    text, ids = trial.expected.text, trial.answer.input_ids
    if trial.tokenizer.decode(trial.expected.input_ids) != text:
        raise Excluded("the vocabulary does not give this text back even from the canonical ids")
    try:
        decoded = trial.tokenizer.decode(ids)
    except Exception as error:  # noqa: BLE001  (an id outside the vocabulary fails in a way of each library's own)
        decoded = f"<decoding failed: {error}>"
    if decoded == text:
        return None
    at = first_difference(decoded, text)
    return Finding(
        kind=Kind.DIFFERENT_IDS,
        explanation=(
            f"the ids decode to another text from character {at} on: "
            f"expected {text[at : at + 20]!r}, got {decoded[at : at + 20]!r}"
        ),
        zone="",
    )


@rule("RENDER-4")
def repeatable_and_input_unchanged(trial: Trial) -> Finding | None:
    """Masking again gives the same answer, and the caller's data is left alone."""
    if trial.mutated is not None:
        return Finding(kind=Kind.MUTATED, explanation=f"the masker changed the request's {trial.mutated}", zone="")
    first, second = trial.answer, trial.again()
    if second.input_ids == first.input_ids and second.labels == first.labels:
        return None
    what = "labels" if second.input_ids == first.input_ids else "ids"
    return Finding(
        kind=Kind.UNSTABLE,
        explanation=f"a second masking of the same request gave other {what}",
        zone="",
    )
