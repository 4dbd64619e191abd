"""Runs a masker over pairs of template and tokenizer: fixed shapes first, then generated conversations."""

from __future__ import annotations

import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import metadata

from maskspec.conformance.examination import Case, Examination, Examiner
from maskspec.conformance.pairs import default_pairs, twin_name
from maskspec.conformance.protocol import Masker
from maskspec.conformance.report import Conflict, Failure, PairResult, Report, Tally
from maskspec.conformance.shrinking import shrink, size
from maskspec.conformance.wiring import check_wiring
from maskspec.corpus import Pair
from maskspec.errors import CorpusError, TokenizerError, UsageError
from maskspec.rules import Kind, Rule, Violation, select_rules
from maskspec.shapes import Capability, capabilities, shapes_for

__all__ = ["PROFILES", "Progress", "check_masker"]

PROFILES: Mapping[str, int] = {"quick": 20, "default": 100, "deep": 2000}
"""How many conversations are generated for each pair, besides the fixed shapes."""

_SHRINKING_ATTEMPTS = 250

# An own template with generation tags is there for maskers that need the tags. A masker
# that answered about its twin would be asked the same twice.
_SAME_TEXT = "the same text was asked about with the template without generation tags"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: pairs done of all pairs, the pair in work, and failures found so far."""

    pair: str
    done: int
    total: int
    failures: int


@dataclass(slots=True)
class _Found:
    """A failure while the run goes on: the smallest case so far, and what else shows the same."""

    examiner: Examiner
    case: Case
    cases: int = 0
    pairs: dict[str, None] = field(default_factory=dict)


_Key = tuple[str, str, Kind]


@dataclass(slots=True)
class _Run:
    """The growing result of one run."""

    rules: Sequence[Rule]
    passed: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    excluded: dict[str, Counter[str]] = field(default_factory=dict)
    found: dict[_Key, _Found] = field(default_factory=dict)
    conflicts: dict[tuple[str, str], Conflict] = field(default_factory=dict)
    pairs: list[PairResult] = field(default_factory=list)

    def exclude(self, rule: str, reason: str) -> None:
        self.excluded.setdefault(rule, Counter())[reason] += 1

    def add(self, examiner: Examiner, case: Case, result: Examination) -> None:
        """Count what came of one case."""
        if result.crash is not None:
            self.crashed(examiner.pair.name, result.crash, case)
            return
        self.passed.update(result.passed)
        for rule, reason in result.excluded.items():
            self.exclude(rule, reason)
        for rule, violation in result.violations.items():
            self.failed[rule] += 1
            found = self.found.setdefault(_key(rule, violation), _Found(examiner, case))
            found.cases += 1
            found.pairs[examiner.pair.name] = None
            if size(case) < size(found.case):
                found.examiner, found.case = examiner, case

    def crashed(self, pair: str, error: BaseException, case: Case, *, problem: str | None = None) -> None:
        """Note that the adapter failed; the same failure is counted, not listed again."""
        text = problem if problem is not None else f"mask() raised {type(error).__name__}: {error}"
        key = (type(error).__name__, text[:80])
        known = self.conflicts.get(key)
        if known is not None:
            self.conflicts[key] = replace(known, count=known.count + 1)
            return
        trace = "".join(traceback.format_exception(error, limit=-4)) if error.__traceback__ is not None else ""
        self.conflicts[key] = Conflict(pair=pair, problem=text, count=1, messages=tuple(case.messages), traceback=trace)


def _key(rule: str, violation: Violation) -> _Key:
    return rule, violation.finding.zone, violation.finding.kind


def check_masker(
    masker: Masker,
    *,
    pairs: Iterable[Pair] | None = None,
    rules: Iterable[str] | None = None,
    profile: str = "default",
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
    missing: Sequence[str] = (),
) -> Report:
    """Ask a masker about many conversations and report every rule that it breaks.

    `pairs` are the templates and tokenizers to ask on (default: all embedded ones and
    every real pair that is installed). `rules` are ids or families (default: all that
    have a check). `profile` is one of `PROFILES`; the same `seed` gives the same
    conversations. `progress` is called once before each pair and once at the end.
    `missing` says what was not installed, for the report; with the default pairs it
    is found out.

    Raises:
        UsageError: an unknown profile or rule, no pair, or something that is no masker.
    """
    if profile not in PROFILES:
        raise UsageError(f"unknown profile {profile!r}; choose one of {', '.join(PROFILES)}")
    _require_masker(masker)
    selected = select_rules(rules)
    if pairs is None:
        pairs, missing = default_pairs()
    todo = tuple(pairs)
    if not todo:
        raise UsageError("no pair of template and tokenizer is selected; `maskspec corpus list` lists them")
    started = time.monotonic()
    run = _Run(rules=selected)
    for number, pair in enumerate(todo):
        if progress is not None:
            progress(Progress(pair=pair.name, done=number, total=len(todo), failures=len(run.found)))
        twin = twin_name(pair)
        if twin is not None and any(result.pair == twin and result.excluded is None for result in run.pairs):
            run.pairs.append(PairResult(pair=pair.name, kind=pair.kind.value, cases=0, excluded=_SAME_TEXT))
            continue
        _check_pair(run, masker, pair, examples=PROFILES[profile], seed=seed)
    failures = tuple(_failures(run, selected))
    if progress is not None:
        progress(Progress(pair="", done=len(todo), total=len(todo), failures=len(failures)))
    return Report(
        masker=masker.name,
        policy=repr(masker.policy),
        profile=profile,
        seed=seed,
        rules=selected,
        tallies={
            rule.id: Tally(
                passed=run.passed[rule.id], failed=run.failed[rule.id], excluded=dict(run.excluded.get(rule.id, {}))
            )
            for rule in selected
        },
        failures=failures,
        conflicts=tuple(run.conflicts.values()),
        pairs=tuple(run.pairs),
        missing=missing,
        seconds=time.monotonic() - started,
        versions=_versions(),
    )


def _require_masker(masker: object) -> None:
    lacking = [name for name in ("name", "policy", "mask") if not hasattr(masker, name)]
    if lacking:
        raise UsageError(
            f"{masker!r} is no masker: it has no {', '.join(lacking)}; "
            "a masker has `name`, `policy` and `mask(request) -> Labelled`"
        )
    if isinstance(masker, type):
        raise UsageError(f"{masker.__name__} is a class; give an instance of it: {masker.__name__}()")


def _check_pair(run: _Run, masker: Masker, pair: Pair, *, examples: int, seed: int) -> None:
    try:
        examiner = Examiner(masker, pair, run.rules)
        able = _abilities(masker, pair)
        shapes = shapes_for(able)
        fixed = [
            Case(messages=messages, tools=tools, number=number)
            for number, (messages, tools) in enumerate(shape.fresh() for shape in shapes)
        ]
        wiring = check_wiring(examiner, fixed)
    except (CorpusError, TokenizerError) as error:
        _leave_out(run, pair, f"the pair cannot be loaded: {error}")
        return
    if wiring.unsupported is not None:
        _leave_out(run, pair, wiring.unsupported)
        return
    if wiring.problem is not None:
        cause = wiring.cause if wiring.cause is not None else RuntimeError(wiring.problem)
        problem = f"your adapter is wired wrong: {wiring.problem}"
        run.crashed(pair.name, cause, fixed[0], problem=problem)
        _leave_out(run, pair, "the adapter is wired wrong")
        return
    failed: dict[str, None] = {}
    cases = 0
    for case in _cases(fixed, able, examples=examples, seed=zlib.crc32(f"{seed}:{pair.name}".encode())):
        result = examiner.examine(case)
        run.add(examiner, case, result)
        failed.update(dict.fromkeys(result.violations))
        cases += 1
    run.pairs.append(PairResult(pair=pair.name, kind=pair.kind.value, cases=cases, failed_rules=tuple(failed)))


def _leave_out(run: _Run, pair: Pair, reason: str) -> None:
    for rule in run.rules:
        run.exclude(rule.id, reason)
    run.pairs.append(PairResult(pair=pair.name, kind=pair.kind.value, cases=0, excluded=reason))


def _abilities(masker: Masker, pair: Pair) -> frozenset[Capability]:
    able = capabilities(pair.template.source, special_tokens=pair.special_tokens, template_kwargs=pair.template_kwargs)
    return able | {Capability.FLAGS} if masker.policy.flags else able


def _cases(fixed: Sequence[Case], able: frozenset[Capability], *, examples: int, seed: int) -> Iterator[Case]:
    from maskspec.strategies import sample

    yield from fixed
    for number, generated in enumerate(sample(able, examples=examples, seed=seed), start=len(fixed)):
        yield Case(messages=generated.messages, tools=generated.tools, number=number)


def _failures(run: _Run, rules: Sequence[Rule]) -> Iterator[Failure]:
    """Every failure with its smallest conversation, in the order of the rules."""
    by_id = {rule.id: rule for rule in rules}
    order = {rule.id: position for position, rule in enumerate(rules)}
    for key, found in sorted(run.found.items(), key=lambda item: (order[item[0][0]], -item[1].cases)):
        rule = by_id[key[0]]
        examiner = found.examiner

        broken = partial(_violation, examiner, rule, key)
        smallest = shrink(found.case, broken, attempts=_SHRINKING_ATTEMPTS)
        violation = broken(smallest)
        if violation is None:
            run.crashed(
                examiner.pair.name,
                RuntimeError("unstable"),
                smallest,
                problem=f"{rule.id} failed once and not again on the same conversation: the answers change",
            )
            continue
        yield Failure(
            rule=rule,
            kind=violation.finding.kind,
            zone=violation.finding.zone,
            explanation=violation.finding.explanation,
            pair=examiner.pair.name,
            template=examiner.pair.template.name,
            tokenizer=examiner.pair.tokenizer.name,
            messages=tuple(smallest.messages),
            tools=smallest.tools,
            rows=violation.finding.rows,
            cases=found.cases,
            pairs=tuple(found.pairs),
            policy=repr(examiner.masker.policy),
        )


def _violation(examiner: Examiner, rule: Rule, key: _Key, case: Case) -> Violation | None:
    """The violation of one rule in one way, None when the case does not show it."""
    violation = examiner.examine(case, rules=[rule]).violations.get(rule.id)
    return violation if violation is not None and _key(rule.id, violation) == key else None


def _versions() -> dict[str, str]:
    """Versions of what decides about ids and texts, for the report."""
    found = {}
    for name in ("maskspec", "transformers", "tokenizers", "jinja2", "hypothesis", "sentencepiece"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
