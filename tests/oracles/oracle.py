"""What an oracle is, and how a disagreement with one is resolved.

An oracle is code that nobody here wrote and that says for a conversation which
ids a model is trained on. Where it and the reference differ, the difference has
to fall into one of the oracle's classes, and every class is resolved: as an
error of the reference, as one of the oracle or of the template, or as a policy
that can be declared. Nothing else is possible, and what falls into no class
fails the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from maskspec.corpus import Pair
from tests.oracles.asking import Asked
from tests.oracles.differences import Answer, Difference


class NotComparable(Exception):
    """The oracle does not take this conversation; the message says why, in words that can be counted."""


class Owner(Enum):
    """Whose matter a class of differences is."""

    OURS = "our bug"
    """The reference is wrong and gets mended; no class of this kind may stay."""
    THEIRS = "their bug"
    """The oracle, the template or the tokenizer does what its own format does not say."""
    POLICY = "declared policy"
    """Both are right; a policy says which is meant."""


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
