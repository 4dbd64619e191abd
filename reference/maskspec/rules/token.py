"""TOKEN: a vocabulary's slow and fast tokenizer, and tokens that spell nothing.

What the tokenizers do by themselves is seen in the canonical encodings, the
reference's own. It is reported as the tokenizer's and decides nothing about the
masker, who only has to treat both alike where they agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from maskspec.alignment import align
from maskspec.errors import AlignmentError, TokenizerError
from maskspec.policy import Verdict
from maskspec.rules.overlay import Judged
from maskspec.rules.registry import rule
from maskspec.rules.render import first_difference
from maskspec.rules.trial import Trial, Variant, row
from maskspec.rules.violations import Excluded, Finding, Kind, Row, Subject
from maskspec.tokens import Encoding

__all__ = ["no_phantom_tokens", "slow_and_fast_give_the_same_ids", "slow_and_fast_give_the_same_labels"]


@rule("TOKEN-1", every=3)
def slow_and_fast_give_the_same_ids(trial: Trial) -> Finding | None:
    """The two tokenizers encode the text alike, and the masker's ids are the same with both."""
    other = _counterpart(trial)
    names = (trial.tokenizer.name, other.tokenizer.name)
    canonical = (trial.expected.input_ids, other.expected.input_ids)
    if canonical[0] != canonical[1]:
        return _different_ids(trial, other, canonical, f"{names[0]} and {names[1]} encode the text differently")
    own = (trial.answer.input_ids, other.answer.input_ids)
    if own[0] != own[1]:
        finding = _different_ids(
            trial, other, own, f"{names[0]} and {names[1]} encode the text alike, but the masker's ids differ"
        )
        return replace(finding, subject=Subject.MASKER)
    return None


def _counterpart(trial: Trial) -> Variant:
    other = trial.counterpart
    if other.expected.text != trial.expected.text:
        raise Excluded("the template prints another text for the vocabulary's other tokenizer")
    return other


def _different_ids(trial: Trial, other: Variant, ids: tuple[Sequence[int], Sequence[int]], what: str) -> Finding:
    at = first_difference(*ids)
    pieces = (_pieces(trial, ids[0]), _pieces(other, ids[1]))
    rows = []
    for index in range(max(0, at - 3), min(max(map(len, ids)), at + 4)):
        here, there = (piece[index] if index < len(piece) else "nothing" for piece in pieces)
        token = trial.expected.tokens[index] if index < len(trial.expected.tokens) else None
        rows.append(
            Row(
                index=index,
                text=token.text if token is not None else "",
                zone=token.zone.name if token is not None else "",
                message=token.message if token is not None else None,
                expected=here,
                got=there,
                wrong=here != there,
            )
        )
    first, second = (piece[at] if at < len(piece) else "nothing" for piece in pieces)
    return Finding(
        kind=Kind.DIFFERENT_IDS,
        explanation=f"{what}: token {at} is {first} with the one and {second} with the other",
        zone=trial.expected.tokens[at].zone.name if at < len(trial.expected.tokens) else "",
        rows=tuple(rows),
        subject=Subject.TOKENIZER,
    )


def _pieces(variant: Trial | Variant, ids: Sequence[int]) -> list[str]:
    known = set(variant.expected.input_ids)
    return [f"{each} {variant.tokenizer.token(each)!r}" if each in known else str(each) for each in ids]


@rule("TOKEN-2", every=3)
def slow_and_fast_give_the_same_labels(trial: Trial) -> Finding | None:
    """Where the masker's ids are the same with both tokenizers, it trains the same tokens, as far as a rule asks."""
    other = _counterpart(trial)
    if trial.answer.input_ids != other.answer.input_ids:
        raise Excluded("the masker's ids differ between the two tokenizers (TOKEN-1)")
    theirs = {item.index: item for item in other.judged}
    wrong = [item for item in trial.judged if item.index in theirs and _contradict(item, theirs[item.index])]
    if not wrong:
        return None
    first = wrong[0]
    indices = {item.index for item in wrong}
    rows = [
        replace(
            row(item),
            expected="TRAIN" if item.trained else "IGNORE",
            got="TRAIN" if theirs[item.index].trained else "IGNORE",
            wrong=item.index in indices,
        )
        for item in trial.judged
        if item.index in theirs
    ]
    return Finding(
        kind=Kind.UNTRAINED if first.verdict is Verdict.TRAIN else Kind.TRAINED,
        explanation=(
            f"the same ids are labelled differently with {trial.tokenizer.name} (expected) "
            f"and with {other.tokenizer.name} (got)"
        ),
        zone=first.zone.name,
        rows=tuple(rows),
    )


def _contradict(one: Judged, other: Judged) -> bool:
    """Whether a token that both judge alike, and not as EITHER, is trained once and once not."""
    return one.verdict is other.verdict and one.verdict is not Verdict.EITHER and one.trained is not other.trained


@rule("TOKEN-3")
def no_phantom_tokens(trial: Trial) -> Finding | None:
    """No token of the masker's ids spells nothing; the canonical encoding's own phantoms are the tokenizer's."""
    phantoms = _phantoms(trial)
    if not phantoms:
        return None
    expected = trial.expected
    known = Counter(
        (expected.input_ids[index], expected.alignment.starts[index]) for index in expected.alignment.phantoms
    )
    added = []
    for index, place in phantoms.items():
        if known[place]:
            known[place] -= 1
        else:
            added.append(index)
    shown = set(added or phantoms)
    identifier, start = phantoms[min(shown)]
    whose = "the canonical encoding has no such token there" if added else "the tokenizer puts them there by itself"
    judged = trial.judged
    rows = [
        replace(row(item), text=trial.tokenizer.token(item.id), wrong=True) if item.index in shown else row(item)
        for item in judged
    ]
    return Finding(
        kind=Kind.DIFFERENT_IDS,
        explanation=(
            f"{len(shown)} token(s) spell nothing, the first is {identifier} ({trial.tokenizer.token(identifier)!r}) "
            f"at character {start}; {whose}"
        ),
        zone=next((item.zone.name for item in judged if item.index in shown), ""),
        rows=tuple(rows),
        subject=Subject.MASKER if added else Subject.TOKENIZER,
    )


def _phantoms(trial: Trial) -> dict[int, tuple[int, int]]:
    """The id and the character of each token of the masker's ids that spells nothing, by its index."""
    ids = trial.answer.input_ids
    if ids == trial.expected.input_ids:
        alignment = trial.expected.alignment
    else:
        try:
            alignment = align(trial.expected.text, Encoding(ids=ids, offsets=None), trial.tokenizer)
        except (AlignmentError, TokenizerError):
            raise Excluded("the ids do not spell the template's text (RENDER-1)") from None
    return {index: (ids[index], alignment.starts[index]) for index in alignment.phantoms}
