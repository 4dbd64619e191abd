"""What a mutant is: a masker with one defect, what must catch it, and the right masker that it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from maskspec.conformance import Masker
from tests.mutants.history import HISTORY

__all__ = ["Mutant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One deliberately wrong masker.

    `name` says what it does. `rows` are the numbers of the historical bugs that it
    reproduces (`tests.mutants.history`), empty for a bug that only this catalogue has.
    `expected` are ids of rules of which at least one has to catch it on some pair,
    `allowed` ids or whole families of those that may fire as well: labels in the wrong
    place break whatever rule looks at that place. Any other rule that fires is a failure.
    `masker` makes the wrong masker and `control` a right one of the same style, which no
    rule may accuse on the same pairs; where no right one exists, `no_control` says why.
    `pairs` are names of pairs on which the defect shows as it did in history, the plainest
    first.
    """

    name: str
    summary: str
    expected: tuple[str, ...]
    masker: Callable[[], Masker]
    pairs: tuple[str, ...]
    rows: tuple[int, ...] = ()
    allowed: tuple[str, ...] = ()
    control: Callable[[], Masker] | None = None
    no_control: str = ""

    def __post_init__(self) -> None:
        if (self.control is None) != bool(self.no_control):
            raise ValueError(f"{self.name} needs a control or the reason why there is none, and not both")
        if not self.expected or not self.pairs:
            raise ValueError(f"{self.name} needs rules that are expected to catch it, and pairs to ask about")

    def admits(self, rule: str) -> bool:
        """Whether a rule may fire: it is expected to, or allowed by its id or its family."""
        return rule in {*self.expected, *self.allowed} or rule.partition("-")[0] in self.allowed

    @property
    def threads(self) -> tuple[str, ...]:
        """Where the bug was reported, as `repository#number`; empty for a bug of our own."""
        return tuple(dict.fromkeys(thread for row in self.rows for thread in HISTORY[row].threads))
