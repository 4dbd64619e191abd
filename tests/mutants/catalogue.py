"""All mutants by name, and the historical bugs that have none, each with its reason."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from tests.mutants.mutant import Mutant

__all__ = ["MODULES", "MUTANTS", "NOT_REPRODUCED", "Mutant"]

MODULES = (
    "search",
    "renders",
    "markers",
    "tags",
    "turns",
    "stops",
    "truncation",
    "collation",
    "tokenizer_gap",
    "prefixes",
    "prompts",
    "rounds",
    "places",
    "selection",
    "choices",
    "labels",
    "templates",
    "preparation",
    "vocabularies",
    "own",
)
"""The modules that hold the maskers, one for each mechanism; each has a tuple `MUTANTS`."""

NOT_REPRODUCED: Mapping[int, str] = {
    15: "The labels are right; one of several loss functions drops them. Nothing in ids and labels shows it, only the "
    "training check (TRAIN-1) does.",
    16: "The cut sample has no label left because nothing to train lies within the limit, and the trainer does not say "
    "so. Ids and labels are those of the whole sample, cut; the specification calls that right, and an error too.",
}
"""By the number of the bug: why it has no mutant."""


def _collected() -> dict[str, Mutant]:
    found: dict[str, Mutant] = {}
    for module in MODULES:
        for mutant in importlib.import_module(f"tests.mutants.{module}").MUTANTS:
            if mutant.name in found:
                raise ValueError(f"two mutants are called {mutant.name}")
            found[mutant.name] = mutant
    return found


MUTANTS: Mapping[str, Mutant] = _collected()
"""Every mutant by its name, in the order of the modules."""
