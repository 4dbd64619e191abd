"""One pair of template and tokenizer, asked about from its first conversation to its smallest counterexamples.

First every conversation is judged (`examine_pair`), then the smallest one of each kind
of failure is made smaller (`shrink_pair`). The two are apart because a masker that is
wrong everywhere is wrong in the same way everywhere: what was made small on one pair is
tried first on the others.
"""

from __future__ import annotations

import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from maskspec.conformance.cases import Case
from maskspec.conformance.examination import Examination, Examiner
from maskspec.conformance.loading import require_masker
from maskspec.conformance.profiles import Plan
from maskspec.conformance.protocol import Masker
from maskspec.conformance.report import Conflict, Failure, PairResult, Tally
from maskspec.conformance.shrinking import shrink, size
from maskspec.conformance.timelimit import TIME_LIMIT, AdapterHung, TimeLimit
from maskspec.conformance.wiring import check_wiring
from maskspec.corpus import Pair
from maskspec.errors import CorpusError, TokenizerError
from maskspec.rules import Kind, Rule, Subject, Violation
from maskspec.shapes import shapes_for_pair

if TYPE_CHECKING:
    from maskspec.conformance.known import KnownFailure, KnownFailures

__all__ = [
    "ATTEMPTS",
    "HUNG",
    "Key",
    "accept",
    "check_pair",
    "entry_for",
    "examine_pair",
    "left_out",
    "order",
    "shrink_pair",
]

Key = tuple[str, str, Kind]
"""What makes two failures the same one: rule, zone and kind."""

ATTEMPTS = 250
"""How many smaller conversations are tried for one failure."""

HUNG = "the adapter hung; what came after was not asked"
"""The reason for which a pair is left out from the first call on that had to be cut."""


def check_pair(
    masker: Masker,
    pair: Pair,
    *,
    rules: Sequence[Rule],
    profile: str,
    seed: int,
    known: KnownFailures | None = None,
    hints: Mapping[Key, Case] | None = None,
    masker_path: str = "",
    time_limit: float = TIME_LIMIT,
) -> PairResult:
    """Ask a masker about one pair, judge it by the rules, and make the smallest case of every failure smaller.

    `hints` are small conversations that broke the same rule in the same way on other
    pairs; they are tried before anything else is. `known` turns failures into accepted
    ones. `masker_path` is kept with each failure, for `maskspec replay`. A call of the
    adapter that takes more than `time_limit` seconds is cut.

    Raises:
        UsageError: an unknown profile, or something that is no masker.
    """
    require_masker(masker)
    plan = Plan.make(rules=rules, profile=profile, seed=seed, time_limit=time_limit, masker_path=masker_path)
    guard = TimeLimit(plan.time_limit)
    result = examine_pair(masker, pair, plan, guard=guard)
    small = {key: [case] for key, case in (hints or {}).items()}
    for failure in result.failures:
        entry = entry_for(failure, known)
        if entry is not None:
            small[failure.key] = [entry.counterexample.case, *small.get(failure.key, ())]
    return accept(shrink_pair(masker, pair, plan, result, small, guard=guard), known)


def left_out(pair: Pair, rules: Sequence[Rule], reason: str, *conflicts: Conflict) -> PairResult:
    """The result of a pair that nothing was asked about: every rule is excluded once, for this reason."""
    return PairResult(
        pair=pair.name,
        template=pair.template.name,
        tokenizer=_tokenizer_name(pair),
        kind=pair.kind.value,
        cases=0,
        tallies={rule.id: Tally(excluded={reason: 1}) for rule in rules},
        conflicts=conflicts,
        excluded=reason,
    )


def accept(result: PairResult, known: KnownFailures | None) -> PairResult:
    """The result with accepted failures counted and marked as such."""
    if known is None or not result.failures:
        return result
    tallies = dict(result.tallies)
    failures = []
    for failure in result.failures:
        entry = entry_for(failure, known)
        if entry is not None and failure.known is None:
            tally = tallies[failure.rule.id]
            tallies[failure.rule.id] = replace(
                tally, failed=tally.failed - failure.cases, known=tally.known + failure.cases
            )
            failures.append(replace(failure, known=entry.reason, category=entry.category))
        else:
            failures.append(failure)
    return replace(result, tallies=tallies, failures=tuple(failures))


def entry_for(failure: Failure, known: KnownFailures | None) -> KnownFailure | None:
    """The entry that accepts a failure; a note about a tokenizer needs none."""
    if known is None or failure.subject is not Subject.MASKER:
        return None
    return known.accepted(rule=failure.rule.id, kind=failure.kind, zone=failure.zone, pair=failure.pair)


@dataclass(slots=True)
class _Found:
    """A kind of failure while a pair is being asked about: the smallest case so far, and how many show it."""

    case: Case
    violation: Violation
    cases: int = 0


@dataclass(slots=True)
class _Growing:
    """The growing result of one pair."""

    passed: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    excluded: dict[str, Counter[str]] = field(default_factory=dict)
    found: dict[tuple[Key, Subject], _Found] = field(default_factory=dict)
    conflicts: dict[str, Conflict] = field(default_factory=dict)

    def add(self, case: Case, result: Examination) -> list[_Found]:
        """Count what came of one case; returns the kinds of failure that are new."""
        self.passed.update(result.passed)
        for rule, reason in result.excluded.items():
            self.excluded.setdefault(rule, Counter())[reason] += 1
        new = []
        for rule, violation in result.violations.items():
            subject = violation.finding.subject
            (self.noted if subject is Subject.TOKENIZER else self.failed)[rule] += 1
            place = _key(rule, violation), subject
            found = self.found.get(place)
            if found is None:
                found = self.found[place] = _Found(case, violation)
                new.append(found)
            elif order(case) < order(found.case):
                found.case, found.violation = case, violation
            found.cases += 1
        return new

    def crashed(self, pair: str, error: BaseException, case: Case, problem: str | None = None) -> None:
        """Note that the adapter failed; the same failure is counted, not listed again."""
        conflict = _conflict(pair, error, case, problem)
        key = f"{type(error).__name__} {conflict.problem[:80]}"
        before = self.conflicts.get(key)
        self.conflicts[key] = conflict if before is None else replace(before, count=before.count + 1)

    def tallies(self, rules: Sequence[Rule]) -> dict[str, Tally]:
        return {
            rule.id: Tally(
                passed=self.passed[rule.id],
                failed=self.failed[rule.id],
                noted=self.noted[rule.id],
                excluded=dict(self.excluded.get(rule.id, {})),
            )
            for rule in rules
        }


def examine_pair(
    masker: Masker,
    pair: Pair,
    plan: Plan,
    *,
    guard: TimeLimit,
    first: Sequence[Case] = (),
    asking: Callable[[Case], None] | None = None,
    found: Callable[[Failure], None] | None = None,
) -> PairResult:
    """Judge every conversation of a pair; the failures are those found, with their smallest case as it was found.

    The conversations of `first` (from an interrupted run) are asked before the others.
    `asking` is told each case before it is asked, `found` each kind of failure as soon as
    it is seen.
    """
    started, spent = time.perf_counter(), guard.adapter_seconds
    try:
        examiner = Examiner(masker, pair, plan.rules, guard=guard)
        fixed = _fixed(pair, flags=masker.policy.flags)
        if asking is not None and fixed:
            asking(fixed[0])
        wiring = check_wiring(examiner, fixed)
    except (CorpusError, TokenizerError) as error:
        return left_out(pair, plan.rules, f"the pair cannot be loaded: {error}")
    if wiring.unsupported is not None:
        return left_out(pair, plan.rules, wiring.unsupported)
    if wiring.problem is not None:
        cause = wiring.cause if wiring.cause is not None else RuntimeError(wiring.problem)
        hung = isinstance(cause, AdapterHung)
        problem = wiring.problem if hung else f"your adapter is wired wrong: {wiring.problem}"
        reason = HUNG if hung else "the adapter is wired wrong"
        case = wiring.case if wiring.case is not None else fixed[0]
        return left_out(pair, plan.rules, reason, _conflict(pair.name, cause, case, problem))
    growing = _Growing()
    cases, excluded = 0, None
    for case in _early(first, _cases(pair, plan, fixed, flags=masker.policy.flags)):
        if asking is not None:
            asking(case)
        result = examiner.examine(case)
        cases += 1
        if result.crash is not None:
            growing.crashed(pair.name, result.crash, case)
            if isinstance(result.crash, AdapterHung):
                excluded = HUNG
                break
            continue
        for new in growing.add(case, result):
            if found is not None:
                found(_failure(examiner, plan, new.violation, new.case))
    failures = [
        _failure(examiner, plan, item.violation, item.case, cases=item.cases) for item in growing.found.values()
    ]
    place = [rule.id for rule in plan.rules]
    failures.sort(key=lambda failure: (place.index(failure.rule.id), failure.zone, failure.kind.value))
    return PairResult(
        pair=pair.name,
        template=pair.template.name,
        tokenizer=_tokenizer_name(pair),
        kind=pair.kind.value,
        cases=cases,
        tallies=growing.tallies(plan.rules),
        failures=tuple(failures),
        conflicts=tuple(growing.conflicts.values()),
        excluded=excluded,
        seconds=time.perf_counter() - started,
        adapter_seconds=guard.adapter_seconds - spent,
        reference_seconds=examiner.reference_seconds,
    )


def shrink_pair(
    masker: Masker,
    pair: Pair,
    plan: Plan,
    result: PairResult,
    hints: Mapping[Key, Sequence[Case]],
    *,
    guard: TimeLimit,
    only: Sequence[Key] | None = None,
    attempts: int = ATTEMPTS,
) -> PairResult:
    """The result with smaller conversations: the first of `hints` that shows the same failure, else by search.

    `only` names the failures to look at. `attempts` bounds the search; with 0, hints alone
    are tried. A pair on which the adapter hung is left as it is.
    """
    if result.excluded is not None or not result.failures:
        return result
    started, spent = time.perf_counter(), guard.adapter_seconds
    examiner = Examiner(masker, pair, plan.rules, guard=guard)
    failures = list(result.failures)
    conflicts = result.conflicts
    for index, failure in enumerate(failures):
        if only is not None and failure.key not in only:
            continue
        try:
            failures[index] = _smallest(examiner, plan, failure, hints.get(failure.key, ()), attempts=attempts)
        except AdapterHung as hung:
            conflicts = (*conflicts, _conflict(pair.name, hung, failure.case, None))
            break
    return replace(
        result,
        failures=tuple(failures),
        conflicts=conflicts,
        seconds=result.seconds + time.perf_counter() - started,
        adapter_seconds=result.adapter_seconds + guard.adapter_seconds - spent,
        reference_seconds=result.reference_seconds + examiner.reference_seconds,
    )


def _smallest(examiner: Examiner, plan: Plan, failure: Failure, hints: Sequence[Case], *, attempts: int) -> Failure:
    """The failure on a smaller conversation: a hint that shows it, else the smallest that a search finds."""

    def broken(case: Case) -> Violation | None:
        found = examiner.examine(case, rules=[failure.rule])
        if isinstance(found.crash, AdapterHung):
            raise found.crash
        violation = found.violations.get(failure.rule.id)
        if violation is None or violation.finding.subject is not failure.subject:
            return None
        return violation if _key(failure.rule.id, violation) == failure.key else None

    for hint in hints:
        if order(hint) <= order(failure.case) and (violation := broken(hint)) is not None:
            return _failure(examiner, plan, violation, hint, cases=failure.cases)
    if not attempts:
        return failure
    if broken(failure.case) is None:
        said = f"{failure.explanation} (not so when the same conversation was asked about again: the answers change)"
        return replace(failure, explanation=said)
    smallest = shrink(failure.case, broken, attempts=attempts)
    violation = broken(smallest)
    return failure if violation is None else _failure(examiner, plan, violation, smallest, cases=failure.cases)


def _fixed(pair: Pair, *, flags: bool) -> list[Case]:
    shapes = enumerate(shape.fresh() for shape in shapes_for_pair(pair, flags=flags))
    return [Case(messages=messages, tools=tools, number=number) for number, (messages, tools) in shapes]


def _cases(pair: Pair, plan: Plan, fixed: Sequence[Case], *, flags: bool) -> Iterator[Case]:
    """The fixed conversations of a pair, then the generated ones."""
    from maskspec.strategies import sample

    yield from fixed
    seed = zlib.crc32(f"{plan.seed}:{pair.name}".encode())
    for number, made in enumerate(sample(pair, flags=flags, examples=plan.examples, seed=seed), start=len(fixed)):
        yield Case(
            messages=made.messages,
            tools=made.tools,
            template_kwargs=made.template_kwargs,
            number=number,
            fixed=False,
        )


def _early(first: Sequence[Case], cases: Iterator[Case]) -> Iterator[Case]:
    """All the cases, those that are also in `first` before the others."""
    if not first:
        yield from cases
        return
    wanted = {case.digest for case in first}
    every = list(cases)
    yield from (case for case in every if case.digest in wanted)
    yield from (case for case in every if case.digest not in wanted)


def _failure(examiner: Examiner, plan: Plan, violation: Violation, case: Case, *, cases: int = 1) -> Failure:
    finding, pair = violation.finding, examiner.pair
    return Failure(
        rule=next(rule for rule in plan.rules if rule.id == violation.rule),
        kind=finding.kind,
        zone=finding.zone,
        explanation=finding.explanation,
        masker=plan.masker_path,
        policy=repr(examiner.masker.policy),
        pair=pair.name,
        template=pair.template.name,
        tokenizer=_tokenizer_name(pair),
        case=case,
        rows=finding.rows,
        cases=cases,
        pairs=(pair.name,),
        subject=finding.subject,
    )


def _conflict(pair: str, error: BaseException, case: Case, problem: str | None) -> Conflict:
    if problem is None:
        problem = str(error) if isinstance(error, AdapterHung) else f"mask() raised {type(error).__name__}: {error}"
    trace = "".join(traceback.format_exception(error, limit=-4)) if error.__traceback__ is not None else ""
    return Conflict(pair=pair, problem=problem, count=1, case=case, traceback=trace)


def _key(rule: str, violation: Violation) -> Key:
    return rule, violation.finding.zone, violation.finding.kind


def order(case: Case) -> tuple[tuple[int, ...], int]:
    """Which of two cases is the smaller one, in whatever order they are asked."""
    return size(case), case.number


def _tokenizer_name(pair: Pair) -> str:
    """The tokenizer's part of a pair's name (the whole name of a real pair), known without loading it."""
    stem = pair.name.partition("+trl:")[0]
    return stem.partition("+")[2] or stem
