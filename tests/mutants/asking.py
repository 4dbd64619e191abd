"""Asks a masker about one stored counterexample again, and says what its rule finds."""

from __future__ import annotations

import warnings

from maskspec.conformance import Masker
from maskspec.conformance.counterexamples import Counterexample
from maskspec.conformance.replaying import Outcome, replay
from maskspec.conformance.report import Failure
from tests.mutants.mutant import Mutant

__all__ = ["ask", "still_caught"]


def ask(masker: Masker, failure: Failure) -> Outcome:
    """What the rule of a stored failure says about a masker's answer to its conversation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return replay(Counterexample.of(failure), masker).outcome


def still_caught(mutant: Mutant, failure: Failure) -> bool:
    """Whether a new instance of the mutant breaks the rule in the same way when asked about nothing else."""
    return ask(mutant.masker(), failure) is Outcome.STILL_FAILS
