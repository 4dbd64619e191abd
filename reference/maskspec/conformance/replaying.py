"""Puts one stored conversation to a masker again, to see whether it still breaks the rule, and in the same way.

Nothing is generated here, so a replay needs neither the library that generated the
conversation nor its version, and takes as long as one conversation takes.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from maskspec.conformance.counterexamples import Counterexample
from maskspec.conformance.examination import Examiner
from maskspec.conformance.pairs import find_pair
from maskspec.conformance.protocol import Masker
from maskspec.conformance.report import ExitCode, Failure
from maskspec.corpus import Pair
from maskspec.errors import CorpusError, TokenizerError
from maskspec.rules import Kind

__all__ = ["Outcome", "Replay", "replay"]


class Outcome(Enum):
    """What became of a stored failure."""

    STILL_FAILS = "still fails"
    """The rule is broken in the same way."""
    FAILS_DIFFERENTLY = "fails differently"
    """The rule is broken in another way."""
    NO_LONGER_FAILS = "no longer fails"
    """The rule is kept on this conversation."""
    NOT_ASKED = "cannot be asked"
    """The rule is excluded here, or the pair cannot be loaded: nothing is known."""
    CRASHED = "crashed"
    """The adapter failed, so nothing is known."""


_EXIT_CODES = {
    Outcome.STILL_FAILS: ExitCode.VIOLATIONS,
    Outcome.FAILS_DIFFERENTLY: ExitCode.VIOLATIONS,
    Outcome.NO_LONGER_FAILS: ExitCode.CONFORMS,
    Outcome.NOT_ASKED: ExitCode.USAGE,
    Outcome.CRASHED: ExitCode.CRASHED,
}


@dataclass(frozen=True, slots=True)
class Replay:
    """The outcome of one replay, on the pair of that name.

    `failure` is what was found now (None unless the rule is broken), `reason` why the rule
    was not asked or how the adapter failed, and `traceback` the adapter's own.
    """

    counterexample: Counterexample
    pair: str
    outcome: Outcome
    failure: Failure | None = None
    reason: str = ""
    traceback: str = ""

    @property
    def exit_code(self) -> ExitCode:
        """1 while the rule is broken, 0 when it is kept, 2 when it could not be asked, 3 after a crash."""
        return _EXIT_CODES[self.outcome]

    @property
    def sentence(self) -> str:
        """One line: what was replayed, and what came of it."""
        shown = f"{self.counterexample.rule.id} on {self.pair}"
        if self.outcome is Outcome.FAILS_DIFFERENTLY and self.failure is not None:
            was = _way(self.counterexample.kind, self.counterexample.zone)
            return f"{shown} fails differently: was {was}, is {_way(self.failure.kind, self.failure.zone)}"
        return f"{shown} {self.outcome.value}" + (f": {self.reason}" if self.reason else "")


def replay(
    counterexample: Counterexample,
    masker: Masker,
    *,
    pair: Pair | None = None,
    guard: Callable[[Callable[[], Any]], Any] | None = None,
) -> Replay:
    """Ask the masker about the stored conversation and judge the answer by the stored rule alone.

    `pair` takes the place of the stored one, for a machine that knows it by another name.
    `guard` cuts a hang, as the harness does.
    """
    try:
        place = find_pair(counterexample.pair) if pair is None else pair
        tokenizer = place.tokenizer.name
    except (CorpusError, TokenizerError) as error:
        return Replay(counterexample, counterexample.pair, Outcome.NOT_ASKED, reason=str(error))
    rule = counterexample.rule
    examiner = Examiner(masker, place, [rule]) if guard is None else Examiner(masker, place, [rule], guard=guard)
    found = examiner.examine(counterexample.case, rules=[rule])
    if found.crash is not None:
        return Replay(
            counterexample,
            place.name,
            Outcome.CRASHED,
            reason=f"the adapter failed with {type(found.crash).__name__}: {found.crash}",
            traceback="".join(traceback.format_exception(found.crash)),
        )
    violation = found.violations.get(rule.id)
    if violation is None:
        if rule.id in found.excluded:
            return Replay(counterexample, place.name, Outcome.NOT_ASKED, reason=found.excluded[rule.id])
        return Replay(counterexample, place.name, Outcome.NO_LONGER_FAILS)
    finding = violation.finding
    failure = Failure(
        rule=rule,
        kind=finding.kind,
        zone=finding.zone,
        explanation=finding.explanation,
        masker=counterexample.masker,
        policy=repr(masker.policy),
        pair=place.name,
        template=place.template.name,
        tokenizer=tokenizer,
        case=counterexample.case,
        rows=finding.rows,
        cases=1,
        pairs=(place.name,),
        subject=finding.subject,
    )
    same = (finding.kind, finding.zone) == (counterexample.kind, counterexample.zone)
    outcome = Outcome.STILL_FAILS if same else Outcome.FAILS_DIFFERENTLY
    return Replay(counterexample, place.name, outcome, failure=failure)


def _way(kind: Kind, zone: str) -> str:
    return f"{kind.value} in {zone}" if zone else kind.value
