"""Maskers whose labels are right and whose ids are not: the differences that real maskers have, one or several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from maskspec.alignment import align
from maskspec.conformance import Labelled, Request
from maskspec.masker import Mask
from maskspec.policy import Policy
from maskspec.tokens import Tokenizer
from tests.rules.wrong_maskers import IGNORE, Defect, reference, unchanged

# One token of an answer: its id, and whether it is trained.
Labels = list[tuple[int, bool]]
Change = Callable[[Labels, Mask, Tokenizer], Labels]


@dataclass
class Perturbed:
    """The reference (or the reference with a defect) with other ids; its labels move with the characters."""

    changes: Sequence[Change]
    cuts: Sequence[float] = ()
    defect: Defect = unchanged
    policy: Policy = field(default_factory=lambda: Policy(flags=False))
    name: str = "perturbed"

    def mask(self, request: Request) -> Labelled:
        answer = reference(request, self.policy)
        _, labels = self.defect(request, answer, list(answer.input_ids), list(answer.labels))
        trained = [label != IGNORE for label in labels]
        sequence = in_pieces(answer, trained, self.cuts)
        for change in self.changes:
            sequence = change(sequence, answer, answer.tokenizer) or sequence
        if [identifier for identifier, _ in sequence] == [*answer.input_ids]:
            # One change has undone another; a token that was put back has its own label.
            return Labelled(answer.input_ids, labels)
        return Labelled([k for k, _ in sequence], [k if is_trained else IGNORE for k, is_trained in sequence])


def in_pieces(answer: Mask, trained: Sequence[bool], cuts: Sequence[float]) -> Labels:
    """The text encoded in several pieces, cut at these fractions of it."""
    if not cuts:
        return list(zip(answer.input_ids, trained, strict=True))
    flags = [False] * len(answer.text)
    for token in answer.tokens:
        for position in range(token.start, token.end):
            flags[position] = flags[position] or trained[token.index]
    bounds = sorted({0, *(int(cut * len(answer.text)) for cut in cuts), len(answer.text)})
    sequence: Labels = []
    for start, end in pairwise(bounds):
        piece = answer.text[start:end]
        encoding = answer.tokenizer.encode(piece)
        alignment = align(piece, encoding, answer.tokenizer)
        for identifier, first, last in zip(encoding.ids, alignment.starts, alignment.ends, strict=True):
            sequence.append((identifier, any(flags[start + first : start + last])))
    return sequence


def _one(tokenizer: Tokenizer, text: str | None) -> int | None:
    ids = tokenizer.encode(text).ids if text else ()
    return ids[0] if len(ids) == 1 else None


def bos_doubled(sequence: Labels, answer: Mask, tokenizer: Tokenizer) -> Labels:
    bos = _one(tokenizer, tokenizer.special_tokens.bos)
    return sequence if bos is None else [(bos, bos == answer.labels[0]), *sequence]


def bos_lost(sequence: Labels, answer: Mask, tokenizer: Tokenizer) -> Labels:
    bos = _one(tokenizer, tokenizer.special_tokens.bos)
    return sequence[1:] if sequence[0][0] == bos else sequence


def end_appended(sequence: Labels, answer: Mask, tokenizer: Tokenizer) -> Labels:
    eos = _one(tokenizer, tokenizer.special_tokens.eos)
    return sequence if eos is None else [*sequence, (eos, sequence[-1][1])]


def stray(where: float, which: float, *, trained: bool) -> Change:
    """A token too many: one that occurs elsewhere in the text, or a lone space where the vocabulary has it."""

    def change(sequence: Labels, answer: Mask, tokenizer: Tokenizer) -> Labels:
        position = int(where * len(sequence))
        blank = _one(tokenizer, " ")
        extra = blank if which < 0.5 and blank is not None else sequence[int(which * len(sequence))][0]
        return [*sequence[:position], (extra, trained), *sequence[position:]]

    return change


def left_cut(share: float) -> Change:
    return lambda sequence, *_: sequence[int(share * len(sequence)) :]


def right_cut(share: float) -> Change:
    return lambda sequence, *_: sequence[: len(sequence) - int(share * len(sequence))]


def turn_lost(share: float, size: float) -> Change:
    """A stretch in the middle is not there."""

    def change(sequence: Labels, answer: Mask, tokenizer: Tokenizer) -> Labels:
        start = int(share * len(sequence))
        return sequence[:start] + sequence[start + 1 + int(size * len(sequence)) :]

    return change


def normalised(share: float) -> Change:
    """Some tokens are spelled in small letters, or as nothing where they are white space."""

    def change(sequence: Labels, answer: Mask, tokenizer: Tokenizer) -> Labels:
        changed: Labels = []
        step = max(1, int(1 / max(share, 0.05)))
        for number, (identifier, trained) in enumerate(sequence):
            surface = tokenizer.surfaces([identifier])[0].decode("utf-8", "replace").replace("▁", " ")
            if number % step or surface in tokenizer.special_tokens.added or "\ufffd" in surface:
                changed.append((identifier, trained))
            elif surface.lower() != surface:
                changed += [(k, trained) for k in tokenizer.encode(surface.lower()).ids]
            elif surface.strip():
                changed.append((identifier, trained))
        return changed or sequence

    return change
