"""What an oracle is asked, what it answers, and how its answer is held against the reference, token by token.

An oracle is code that nobody here wrote and that says for a conversation which
ids a model is trained on. Where it and the reference differ, the difference has
to fall into one of the oracle's classes, and every class is resolved: as an
error of the reference, as one of the oracle or of the template, or as a policy
that can be declared. Nothing else is possible, and what falls into no class
fails the tests.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from enum import Enum
from itertools import groupby
from typing import Any, Protocol

from maskspec import Mask, mask
from maskspec.corpus import Pair
from maskspec.errors import TemplateError
from maskspec.policy import Policy, Verdict
from maskspec.segmentation import Zone


class NotComparable(Exception):
    """The oracle does not take this conversation; the message says why, in words that can be counted."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One conversation of a comparison."""

    name: str
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] | None = None

    def fresh(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]] | None]:
        """Messages and tools as new plain data."""
        tools = None if self.tools is None else [dict(tool) for tool in deepcopy(self.tools)]
        return [dict(message) for message in deepcopy(self.messages)], tools

    def changed(self, messages: Sequence[Mapping[str, Any]]) -> Asked:
        """The same with other messages."""
        return Asked(self.name, messages, self.tools)


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


class Owner(Enum):
    """Whose matter a class of differences is."""

    OURS = "our bug"
    """The reference is wrong and gets mended; no class of this kind may stay."""
    THEIRS = "their bug"
    """The oracle, the template or the tokenizer does what its own format does not say."""
    POLICY = "declared policy"
    """Both are right; a policy says which is meant."""


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


@dataclass(frozen=True, slots=True)
class Case:
    """A smallest conversation that shows a class, and the pair to show it on."""

    pair: str
    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...] | None = None

    def asked(self) -> Asked:
        """As a conversation of a comparison."""
        return Asked("smallest case", self.messages, self.tools)


@dataclass(frozen=True, slots=True)
class Class:
    """A class of differences: how it is recognised, whose matter it is, why, and the smallest case of it.

    `whose` names the project or template, with its version. A class of the owner POLICY has the options under which
    reference and oracle agree.
    """

    name: str
    owner: Owner
    whose: str
    why: str
    matches: Callable[[Difference], bool]
    case: Case
    policy: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.owner is Owner.POLICY) != bool(self.policy):
            raise ValueError(f"{self.name}: a policy is given for a declared difference and for nothing else")


class Oracle(Protocol):
    """Somebody else's answer to the question which tokens are trained."""

    name: str
    packages: Mapping[str, str]
    """The distributions that it needs, with the version, or its first part, that the classes were found in."""
    pairs: Sequence[str]
    classes: Sequence[Class]

    def pair(self, name: str, /) -> Pair:
        """The pair of that name."""

    def asked(self, pair: Pair, conversation: Asked, /) -> Asked:
        """The part of a conversation that both can be asked; raises NotComparable where there is none."""

    def answer(self, pair: Pair, conversation: Asked, /) -> Answer:
        """What the oracle says; raises NotComparable where it refuses the conversation."""


def frozen_clock() -> datetime.datetime:
    """Some templates print the date."""
    return datetime.datetime(2025, 1, 1)


@dataclass(slots=True)
class Comparison:
    """What was found out about one pair."""

    conversations: int = 0
    tokens: int = 0
    agreed: int = 0
    open: int = 0
    equal: int = 0
    excluded: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    unexplained: list[Difference] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Everything but the unexplained differences, of which there must be none."""
        return {
            "conversations": self.conversations,
            "tokens": self.tokens,
            "agreed": self.agreed,
            "open": self.open,
            "same ids": self.equal,
            "excluded": dict(sorted(self.excluded.items())),
            "classes": dict(sorted(self.classes.items())),
        }


def examine(oracle: Oracle, pair: Pair, conversations: Sequence[Asked], policy: Policy = Policy()) -> Comparison:
    """Ask oracle and reference the same conversations.

    A token agrees where both train it or neither does. `open` counts those of
    them that the principle leaves open (EITHER) and neither trains.
    """
    found = Comparison()
    for conversation in conversations:
        try:
            chosen = oracle.asked(pair, conversation)
            ours = _reference(pair, chosen, policy)
            theirs = oracle.answer(pair, chosen)
        except NotComparable as error:
            found.excluded[str(error)] += 1
            continue
        found.conversations += 1
        found.equal += tuple(theirs.ids) == ours.input_ids
        found.tokens += len(ours.input_ids)
        differing = 0
        for difference in compare(chosen, ours, theirs):
            name = class_of(oracle, difference)
            if difference.kind is not Kind.SPELLING:
                differing += len(difference.ours)
            if name is None:
                found.unexplained.append(difference)
            else:
                found.classes[name] += difference.size
        found.agreed += len(ours.input_ids) - differing
        found.open += sum(verdict is Verdict.EITHER for verdict in ours.verdicts)
    return found


def differences(oracle: Oracle, pair: Pair, conversation: Asked, policy: Policy = Policy()) -> tuple[Difference, ...]:
    """The differences on one conversation as it is, not cut down to what both can be asked."""
    ours = _reference(pair, conversation, policy)
    return tuple(compare(conversation, ours, oracle.answer(pair, conversation)))


def class_of(oracle: Oracle, difference: Difference) -> str | None:
    """The first class of the oracle that a difference falls into."""
    return next((each.name for each in oracle.classes if each.matches(difference)), None)


def _reference(pair: Pair, conversation: Asked, policy: Policy) -> Mask:
    messages, tools = conversation.fresh()
    try:
        return mask(
            messages,
            template=pair.template.source,
            tokenizer=pair.tokenizer,
            policy=policy,
            tools=tools,
            template_kwargs=pair.template_kwargs,
            allow_empty=True,
            clock=frozen_clock,
        )
    except TemplateError:
        raise NotComparable("the template refuses the conversation") from None


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
