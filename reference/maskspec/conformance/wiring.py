"""Tells a wrongly wired adapter from a wrong masker, before any rule accuses the masker.

Four plain conversations decide. Whatever is wrong with all four in the same way
(another tokenizer, messages ignored, a mask of 0 and 1 instead of labels) is a
fault of the few lines of glue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maskspec.conformance.cases import Case
from maskspec.conformance.examination import Crash, Examiner
from maskspec.conformance.protocol import Labelled
from maskspec.conformance.timelimit import AdapterHung
from maskspec.rules import Excluded

__all__ = ["WIRING_CASES", "Wiring", "check_wiring"]

WIRING_CASES = 4
"""How many of a pair's fixed shapes decide about the wiring."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """Whether the rules may be asked: `problem` says what is wired wrong, `unsupported` why there is no answer.

    `cause` is the exception behind a problem and `case` the conversation that it was seen on, where there is one.
    """

    problem: str | None = None
    unsupported: str | None = None
    cause: BaseException | None = None
    case: Case | None = None


def check_wiring(examiner: Examiner, cases: Sequence[Case]) -> Wiring:
    """Ask about the first fixed cases and look for what no masker, however wrong, would answer."""
    answers: list[Labelled] = []
    expected: list[tuple[int, ...]] = []
    reasons: list[str] = []
    crashes: list[tuple[BaseException, Case]] = []
    for case in cases[:WIRING_CASES]:
        conversation = examiner.conversation(case)
        policy = examiner.masker.policy
        try:
            reference = examiner.reference(conversation, policy)
            answer = examiner.answer(examiner.masker, examiner.request(conversation, policy, case=case))
        except Excluded as reason:
            reasons.append(str(reason))
        except Crash as crash:
            error = crash.__cause__ if crash.__cause__ is not None else crash
            if isinstance(error, AdapterHung):
                return Wiring(problem=str(error), cause=error, case=case)
            crashes.append((error, case))
        else:
            answers.append(answer)
            expected.append(reference.input_ids)
    if crashes and not answers:
        first, where = crashes[0]
        problem = f"mask() raised {type(first).__name__} on every plain conversation: {first}"
        return Wiring(problem=problem, cause=first, case=where)
    if not answers:
        return Wiring(unsupported=reasons[0] if reasons else "the template renders none of the fixed shapes")
    return Wiring(problem=_problem(answers, expected))


def _problem(answers: Sequence[Labelled], expected: Sequence[tuple[int, ...]]) -> str | None:
    if all(not answer.input_ids for answer in answers):
        return "mask() returned no ids for any of the plain conversations"
    if len(answers) > 1 and len(set(expected)) > 1 and len({answer.input_ids for answer in answers}) == 1:
        return "mask() returned the same ids for different conversations; does the adapter use request.messages?"
    if all(answer.labels and set(answer.labels) <= {0, 1} for answer in answers):
        return "the labels hold only 0 and 1, as a mask does; return Labelled.from_mask(input_ids, mask)"
    if all(_share(answer.input_ids, ids) < 0.3 for answer, ids in zip(answers, expected, strict=True)):
        return (
            "the ids have almost nothing in common with those of the template's text; "
            "does the adapter use request.tokenizer and request.template?"
        )
    return None


def _share(got: Sequence[int], expected: Sequence[int]) -> float:
    """The share of the expected distinct ids that the masker returned."""
    distinct = set(expected)
    return len(distinct & set(got)) / len(distinct) if distinct else 1.0
