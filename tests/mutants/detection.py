"""How many conversations it takes to catch a mutant, over several seeds."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from maskspec.conformance import PROFILES
from maskspec.conformance.cases import Case
from maskspec.conformance.examination import Examiner
from maskspec.rules import Subject, select_rules
from maskspec.shapes import shapes_for_pair
from tests.mutants.measuring import loaded
from tests.mutants.mutant import Mutant

__all__ = ["Detection", "detect"]


@dataclass(frozen=True, slots=True)
class Detection:
    """How a mutant was caught with one seed: by which rule, and after how many conversations.

    `asked` counts all conversations of the mutant's pairs in the order of a run, the
    fixed ones first; `generated` counts the generated ones that it would have taken
    without the fixed ones. None: not caught within the profile.
    """

    seed: int
    rule: str | None
    asked: int | None
    generated: int | None


def detect(mutant: Mutant, *, profile: str, seed: int) -> Detection:
    """Ask about conversations until one of the expected rules fires, with and without the fixed ones."""
    rule, asked = _first(mutant, profile=profile, seed=seed, fixed=True)
    _, generated = _first(mutant, profile=profile, seed=seed, fixed=False)
    return Detection(seed, rule, asked, generated)


def _first(mutant: Mutant, *, profile: str, seed: int, fixed: bool) -> tuple[str | None, int | None]:
    rules = select_rules(mutant.expected)
    asked = 0
    for name in mutant.pairs:
        if loaded(name).lacking:
            continue
        examiner = Examiner(mutant.masker(), loaded(name), rules)
        for case in _cases(name, flags=examiner.masker.policy.flags, profile=profile, seed=seed):
            if case.fixed and not fixed:
                continue
            asked += 1
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = examiner.examine(case).violations
            caught = [rule for rule, violation in found.items() if violation.finding.subject is Subject.MASKER]
            if caught:
                return min(caught, key=mutant.expected.index), asked
    return None, None


def _cases(name: str, *, flags: bool, profile: str, seed: int) -> Iterator[Case]:
    """The conversations of a run, in its order and with its numbers."""
    from maskspec.strategies import sample

    pair = loaded(name)
    shapes: Sequence[Case] = [
        Case(messages=messages, tools=tools, number=number)
        for number, (messages, tools) in enumerate(shape.fresh() for shape in shapes_for_pair(pair, flags=flags))
    ]
    yield from shapes
    own = zlib.crc32(f"{seed}:{name}".encode())
    made = sample(pair, flags=flags, examples=PROFILES[profile], seed=own)
    for number, each in enumerate(made, start=len(shapes)):
        yield Case(each.messages, each.tools, each.template_kwargs, number=number, fixed=False)
