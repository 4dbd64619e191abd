"""How many conversations it takes to catch a mutant, over several seeds.

Only the rules that are expected to catch a mutant judge it, every seed stops at the
first that fires, and mutants of the same pair share their conversations: otherwise ten
seeds of a hundred conversations for every mutant would take hours.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import count

from maskspec.conformance import PROFILES
from maskspec.conformance.cases import Case
from maskspec.conformance.examination import Examiner
from maskspec.rules import Subject, select_rules
from maskspec.shapes import shapes_for_pair
from tests.mutants.measuring import loaded
from tests.mutants.mutant import Mutant

__all__ = ["Detection", "Search", "detect"]


@dataclass(frozen=True, slots=True)
class Search:
    """Where a mutant was first caught on one pair.

    `shapes` is the number of fixed conversations. `fixed` says which of them was the first
    to show the defect, `generated` which of the generated ones, both counted from 1; None
    where none of those that were asked did.
    """

    shapes: int
    fixed: int | None
    generated: int | None


@dataclass(frozen=True, slots=True)
class Detection:
    """How a mutant was caught with one seed, on its pairs in the order of a run."""

    seed: int
    searches: tuple[Search, ...]

    def asked(self, profile: str, *, fixed: bool) -> int | None:
        """How many conversations a run asked until it caught the mutant, None where it did not.

        With `fixed`, a pair's fixed conversations come before its generated ones; without, there are none.
        """
        before, limit = 0, PROFILES[profile]
        for search in self.searches:
            shapes = search.shapes if fixed else 0
            if fixed and search.fixed is not None:
                return before + search.fixed
            if search.generated is not None and search.generated <= limit:
                return before + shapes + search.generated
            before += shapes + limit
        return None


def detect(mutant: Mutant, *, profile: str, seeds: Sequence[int]) -> list[Detection]:
    """Ask about conversations until one of the expected rules fires, once with each seed."""
    fixed = {name: _first(mutant, name, _fixed(name, _flags(mutant))) for name in mutant.pairs}
    return [Detection(seed, tuple(_searches(mutant, fixed, profile=profile, seed=seed))) for seed in seeds]


def _searches(mutant: Mutant, fixed: Mapping[str, int | None], *, profile: str, seed: int) -> Iterator[Search]:
    """One search for each pair, until nothing is left that a later pair could tell of any profile up to this one."""
    shortest, limit = min(PROFILES.values()), PROFILES[profile]
    for name in mutant.pairs:
        shapes = _fixed(name, _flags(mutant))
        made = _generated(name, _flags(mutant), min(limit, shortest), seed)
        found = _first(mutant, name, made)
        if found is None and limit > shortest:
            found = _first(mutant, name, _generated(name, _flags(mutant), limit, seed)[len(made) :])
            found = None if found is None else found + len(made)
        yield Search(len(shapes), fixed[name], found)
        if found is not None and found <= shortest:
            return
        if found is not None:
            limit = shortest


def _first(mutant: Mutant, name: str, cases: Iterable[Case]) -> int | None:
    """Which of some conversations is the first that shows the defect, counted from 1."""
    examiner = Examiner(mutant.masker(), loaded(name), select_rules(mutant.expected))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, case in zip(count(1), cases, strict=False):
            found = examiner.examine(case).violations
            if any(violation.finding.subject is Subject.MASKER for violation in found.values()):
                return number
    return None


def _flags(mutant: Mutant) -> bool:
    return mutant.masker().policy.flags


@cache
def _fixed(name: str, flags: bool) -> tuple[Case, ...]:
    """The fixed conversations of a pair, numbered as in a run."""
    shapes = enumerate(shape.fresh() for shape in shapes_for_pair(loaded(name), flags=flags))
    return tuple(Case(messages=messages, tools=tools, number=number) for number, (messages, tools) in shapes)


@lru_cache(maxsize=128)
def _generated(name: str, flags: bool, examples: int, seed: int) -> tuple[Case, ...]:
    """The generated conversations of a pair, numbered as in a run; fewer examples are the first of more."""
    from maskspec.strategies import sample

    own = zlib.crc32(f"{seed}:{name}".encode())
    made = sample(loaded(name), flags=flags, examples=examples, seed=own)
    return tuple(
        Case(each.messages, each.tools, each.template_kwargs, number=number, fixed=False)
        for number, each in enumerate(made, start=len(_fixed(name, flags)))
    )
