"""What a check raises: one exception type per rule, and the exclusion of a rule that cannot be asked.

Hypothesis tells failures apart by exception type and line. Two rules raised from
one line with one type would be shrunk as one bug, so each rule has its own type.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from typing import ClassVar

__all__ = ["Excluded", "Finding", "Kind", "Row", "Subject", "Violation", "violation_type"]


class Kind(Enum):
    """In which way a token (or a whole answer) is wrong."""

    TRAINED = "trained"
    """Tokens are trained that must not be."""
    UNTRAINED = "untrained"
    """Tokens are not trained that must be."""
    DIFFERENT_IDS = "different ids"
    """The ids are not those of the text."""
    DIFFERENT_LABELS = "different labels"
    """Labels are neither the ignore index nor the id at their position."""
    LENGTH = "length"
    """Two sequences that belong together have different lengths."""
    UNSTABLE = "unstable"
    """A second masking gave another answer."""
    MUTATED = "mutated"
    """The masker changed the caller's data."""
    RAISED = "raised"
    """The masker raised an exception."""
    ACCEPTED = "accepted"
    """The masker took what it must refuse."""
    LEAKED = "leaked"
    """Something of one sample reaches into another."""
    ATTENTION = "attention"
    """Padding is attended to, or a real token is not."""


class Subject(Enum):
    """Whose fault a finding is."""

    MASKER = "masker"
    """The masker broke the rule; this decides about conformance."""
    TOKENIZER = "tokenizer"
    """The tokenizer shows it by itself, whatever the masker does; it is reported and decides nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the token table of a failure; `wrong` marks the lines that contradict the rule."""

    index: int
    text: str
    zone: str
    message: int | None
    expected: str
    got: str
    wrong: bool = False

    def marked(self) -> Row:
        """The same line, marked as wrong."""
        return replace(self, wrong=True)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found wrong: a kind, the zone it lies in, a sentence, and the token table."""

    kind: Kind
    explanation: str
    zone: str
    rows: tuple[Row, ...] = ()
    subject: Subject = Subject.MASKER


class Excluded(Exception):
    """A rule cannot be asked of this masker on this conversation; the message is the reason."""


class Violation(AssertionError):
    """A masker broke a rule. Never raised itself: each rule has a subclass of its own."""

    rule: ClassVar[str] = ""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(f"{self.rule}: {finding.explanation}")


@cache
def violation_type(rule: str) -> type[Violation]:
    """The exception type of one rule, `Role1Violation` for ROLE-1; the same object for every call."""
    family, _, number = rule.partition("-")
    name = f"{family.capitalize()}{number}Violation"
    return type(name, (Violation,), {"rule": rule, "__module__": __name__, "__doc__": f"A masker broke {rule}."})
