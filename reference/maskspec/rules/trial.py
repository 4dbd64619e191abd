"""What a rule's check looks at: one answer of one masker, beside the reference's answer to the same question.

A check compares verdicts, never labels with labels: the reference says TRAIN,
IGNORE or EITHER for each token, and the masker either trained that token or did
not. Where the masker's ids are not the canonical ones, its tokens are laid over
the same text (`maskspec.rules.overlay`), so that one wrong id does not hide
everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar

from maskspec.conversation import Conversation
from maskspec.masker import Mask
from maskspec.policy import Policy
from maskspec.rendering import OriginKind
from maskspec.rules.overlay import Judged, overlay
from maskspec.rules.violations import Excluded, Finding, Kind, Row
from maskspec.tokens import Tokenizer

__all__ = ["IGNORE_INDEX", "Abilities", "Answer", "PackedRow", "PaddedRow", "Sample", "Trial", "Variant"]

Option = TypeVar("Option")

IGNORE_INDEX = -100
"""The label of a token that carries no loss (the default `ignore_index` of PyTorch's cross-entropy)."""


class Answer(Protocol):
    """The ids and labels of one masking; both sequences of int."""

    @property
    def input_ids(self) -> tuple[int, ...]:
        """The token ids."""

    @property
    def labels(self) -> tuple[int, ...]:
        """One label per id."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Ids and labels that a check puts together itself, to hand them to a collator or a packer."""

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]


class PaddedRow(Answer, Protocol):
    """One row of a padded batch."""

    @property
    def attention_mask(self) -> tuple[int, ...] | None:
        """1 where a position is attended to, else 0; None where the collator returns none."""


class PackedRow(Answer, Protocol):
    """One row of packed samples."""

    @property
    def position_ids(self) -> tuple[int, ...] | None:
        """The positions, which start again at 0 with every sample; None where the packer returns none."""

    @property
    def sequence_ids(self) -> tuple[int, ...] | None:
        """One number per sample; None where the packer returns none."""


@dataclass(frozen=True, slots=True)
class Variant:
    """Another question to the same masker: what the reference expects and what the masker answered."""

    policy: Policy
    expected: Mask
    answer: Answer
    tokenizer: Tokenizer

    @property
    def judged(self) -> tuple[Judged, ...]:
        """The answer's tokens with their verdicts; raises `Excluded` as `judge` does."""
        return judge(self.expected, self.answer, self.tokenizer)


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a masker can be asked besides masking; None where it has no such method.

    Each raises `Excluded` where the masker says `Unsupported`, and returns the masker's own
    exception where it raised one. `truncate(max_length, side)` masks the trial's conversation
    under a limit, `truncation` names the sides. `batch(conversations, limit)` masks several in
    one call, each under the limit if one is given, as a length and a side.
    `collate(samples, padding_id, side)` pads and `pack(samples, max_length)` packs.
    `documented_errors` are the exceptions that the masker promises for invalid conversations
    (empty: none).
    """

    truncation: frozenset[str] = frozenset()
    truncate: Callable[[int, str], Answer | BaseException] | None = None
    batch: Callable[[Sequence[Conversation], tuple[int, str] | None], Sequence[Answer] | BaseException] | None = None
    collate: Callable[[Sequence[Answer], int, str], Sequence[PaddedRow] | BaseException] | None = None
    pack: Callable[[Sequence[Answer], int], Sequence[PackedRow] | BaseException] | None = None
    documented_errors: tuple[type[BaseException], ...] = ()


@dataclass(frozen=True)
class Trial:
    """One conversation, masked by the reference and by the masker under test.

    `outcome` is the masker's answer, or the exception that it raised instead. `number`
    counts the trials of a pair and picks which option a check with several options
    tries; on a `fixed` conversation it tries them all. `mutated` names what the masker
    changed in its input (None: nothing). `again` masks the same request a second time,
    `under` masks it under another policy, `other` masks another conversation, and `sibling`
    the same one with the other tokenizer of the vocabulary (slow for fast, fast for slow);
    each raises `Excluded` where that cannot be asked, and `Crash` (of the harness) where the
    masker fails. `invalid` masks message data that is no valid conversation and returns the
    answer, or the exception that was raised.
    """

    conversation: Conversation
    tokenizer: Tokenizer
    policy: Policy
    expected: Mask
    outcome: Answer | BaseException
    again: Callable[[], Answer]
    under: Callable[[Policy], Variant]
    other: Callable[[Conversation], Variant]
    sibling: Callable[[], Variant]
    invalid: Callable[[Sequence[Any]], Answer | BaseException]
    abilities: Abilities = Abilities()
    mutated: str | None = None
    number: int = 0
    fixed: bool = False

    @property
    def answer(self) -> Answer:
        """The masker's answer; raises `Excluded` when it raised an exception instead, which TOTAL-1 judges."""
        if isinstance(self.outcome, BaseException):
            raise Excluded("the masker raised an exception on this conversation (TOTAL-1)")
        return self.outcome

    def options(self, every: Sequence[Option]) -> Sequence[Option]:
        """Those of several options that a check tries: all on a fixed conversation, else one, in turn."""
        return every if self.fixed else (every[self.number % len(every)],)

    @cached_property
    def counterpart(self) -> Variant:
        """What `sibling` gives, asked for once."""
        return self.sibling()

    @cached_property
    def judged(self) -> tuple[Judged, ...]:
        """The tokens of the masker's answer that can be judged, each with its verdict and whether it was trained.

        Raises `Excluded` when the lengths differ or the ids do not spell enough of the text.
        """
        return judge(self.expected, self.answer, self.tokenizer)

    @cached_property
    def flagged(self) -> frozenset[int]:
        """The messages that carry a `train` or `weight` flag which the declared policy honours."""
        if not self.policy.flags:
            return frozenset()
        return frozenset(
            index
            for index, message in enumerate(self.conversation)
            if message.train is not None or message.weight is not None
        )

    @cached_property
    def spanned(self) -> frozenset[int]:
        """The messages that carry character spans which the declared policy honours."""
        if not self.policy.flags:
            return frozenset()
        return frozenset(index for index, message in enumerate(self.conversation) if message.spans)

    @cached_property
    def sources(self) -> tuple[int | None, ...]:
        """For each character of the text, the message whose source it is, or None for template text."""
        owners: list[int | None] = [None] * len(self.expected.text)
        for span in self.expected.rendering.spans:
            if span.origin.kind is OriginKind.MESSAGE and span.origin.path[:1] != ("role",):
                owners[span.start : span.end] = [span.origin.message] * (span.end - span.start)
        return tuple(owners)

    @cached_property
    def selected(self) -> frozenset[int]:
        """The messages that the declared policy selects."""
        return self.policy.selected(self.conversation)

    def left_out_by_role(self, index: int) -> bool:
        """Whether message `index` is not selected because its role is not (and not for a flag or a choice of turns)."""
        return index not in self.selected and self.conversation[index].flag is None and not self.role_selected(index)

    def selected_against_role(self, index: int) -> bool:
        """Whether only a flag selects message `index`, so that SELECT-1 judges it."""
        return index in self.selected and not self.role_selected(index)

    def is_boundary_stop(self, item: Judged) -> bool:
        """Whether a stop is printed with the message after the one that it ends."""
        return item.message in self.expected.segmentation.boundary_stops

    def role(self, index: int) -> str:
        """The role of message `index`."""
        return self.conversation[index].role

    def role_selected(self, index: int) -> bool:
        """Whether the declared policy's roles hold the role of message `index`."""
        return self.role(index) in self.policy.roles

    def source_messages(self, judged: Judged) -> frozenset[int]:
        """The messages of which the token spells a source character."""
        return frozenset(owner for owner in self.sources[judged.start : judged.end] if owner is not None)

    def finding(
        self, wrong: Sequence[Judged], explanation: str, *, among: Sequence[Judged] | None = None
    ) -> Finding | None:
        """A finding about these tokens, or None when there are none."""
        if not wrong:
            return None
        rows = tuple(row(item) for item in (among if among is not None else self.judged))
        indices = {item.index for item in wrong}
        first = wrong[0]
        kind = Kind.TRAINED if first.trained else Kind.UNTRAINED
        return Finding(
            kind=kind,
            explanation=explanation,
            zone=first.zone.name,
            rows=tuple(item if item.index not in indices else item.marked() for item in rows),
        )

    @cached_property
    def wrong(self) -> tuple[Judged, ...]:
        """The judged tokens whose training contradicts their verdict."""
        return tuple(item for item in self.judged if item.wrong)

    def disagreements(self, where: Callable[[Judged], bool]) -> list[Judged]:
        """Those of the wrong tokens that are within `where`."""
        return [item for item in self.wrong if where(item)]


def judge(expected: Mask, answer: Answer, tokenizer: Tokenizer) -> tuple[Judged, ...]:
    """Lay the answer's tokens over the reference's and mark each as trained or not."""
    ids, labels = answer.input_ids, answer.labels
    if len(ids) != len(labels):
        raise Excluded("the labels have another length than the ids (LABEL-1)")
    trained = trained_positions(ids, labels)
    return overlay(expected, ids, trained, tokenizer)


def trained_positions(ids: Sequence[int], labels: Sequence[int], *, like: Answer | None = None) -> tuple[bool, ...]:
    """Which tokens the labels train, with a shift by one undone and another ignore index understood.

    Shifted labels break LABEL-2, another ignore index LABEL-3. Judging the other rules
    as if nothing were wrong there keeps that one defect from being reported as a dozen.
    Labels of a part of a sample are shifted `like` those of the sample: few labels can look right either way.
    """
    shift = _shift(ids, labels) if like is None else _shift(like.input_ids, like.labels)
    if shift is not None:
        own = _unshifted(labels, shift)
        return tuple(label == identifier for identifier, label in zip(ids, own, strict=True))
    constant = other_ignore_index(ids, labels)
    return tuple(label >= 0 and label != constant for label in labels)


def _shift(ids: Sequence[int], labels: Sequence[int]) -> int | None:
    """How far every label stands behind its token: 0, -1 (as a model's loss needs them), 1, or None: no such number."""
    if consistent(ids, labels):
        return 0
    for shift in (-1, 1):
        candidate = _unshifted(labels, shift)
        if any(label >= 0 for label in candidate) and consistent(ids, candidate):
            return shift
    return None


def _unshifted(labels: Sequence[int], shift: int) -> Sequence[int]:
    if not shift:
        return labels
    return (IGNORE_INDEX, *labels[:-1]) if shift < 0 else (*labels[1:], IGNORE_INDEX)


def other_ignore_index(ids: Sequence[int], labels: Sequence[int]) -> int | None:
    """A number, not negative, that stands at several foreign positions while -100 stands nowhere, or None."""
    if IGNORE_INDEX in labels:
        return None
    foreign = [label for identifier, label in zip(ids, labels, strict=True) if label >= 0 and label != identifier]
    return foreign[0] if len(foreign) > 1 and len(set(foreign)) == 1 else None


def consistent(ids: Sequence[int], labels: Sequence[int]) -> bool:
    """Whether every label is the ignore index or the id at its position."""
    return all(label in (IGNORE_INDEX, identifier) for identifier, label in zip(ids, labels, strict=True))


def row(item: Judged) -> Row:
    """One line of a token table."""
    return Row(
        index=item.index,
        text=item.text,
        zone=item.zone.name,
        message=item.message,
        expected=item.verdict.name,
        got="TRAIN" if item.trained else "IGNORE",
    )
