"""What happens inside one test of a decorated function: the pair is asked once, and one rule reports itself.

A pair is asked by the first test that needs it. Its result is kept for the tests
that follow and stored in a folder that all processes of a run share, so that two
workers do not ask the same pair and nothing is lost when a run is interrupted.
pytest-xdist deals out tests without regard for pairs: a worker that needs a pair
which another is asking about asks about one that nobody has come to meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import traceback
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskspec.conformance.cases import Case
from maskspec.conformance.counterexamples import Counterexample, replay_command
from maskspec.conformance.decorator import Place, Suite
from maskspec.conformance.known import KnownFailure
from maskspec.conformance.locks import claimed
from maskspec.conformance.pairrun import Key, check_pair
from maskspec.conformance.replaying import Outcome
from maskspec.conformance.report import Conflict, Failure, PairResult, Tally
from maskspec.conformance.reports import failure_lines, write_whole
from maskspec.conformance.timelimit import TimeLimit
from maskspec.corpus import Pair
from maskspec.rules import Rule, Subject

__all__ = ["Asking", "Check", "KnownCheck", "Selection", "checks", "stored"]

_KEPT = 4
_PAUSE = 0.05  # seconds
_REASONS = 3


@dataclass(frozen=True, slots=True)
class Selection:
    """The rules and pairs that are left of a suite after all selections of pytest."""

    rules: tuple[Rule, ...]
    pairs: tuple[str, ...]


@dataclass(eq=False)
class Asking:
    """The state of one process of a run: where results are shared, and what the options say.

    `folder` holds the shared results. `profile` and `seed` are those of the command line,
    `fallback_profile` and `fallback_seed` count where a suite names none. `counterexamples`
    is the folder that keeps each as soon as it is found (None: none is kept). `properties`
    is the list of the running test, whose entries travel with its report.
    """

    folder: Path
    profile: str | None = None
    seed: int | None = None
    fallback_profile: str = "quick"
    fallback_seed: int = 0
    counterexamples: Path | None = None
    properties: list[tuple[str, object]] = field(default_factory=list)
    selections: dict[str, Selection] = field(default_factory=dict)
    _hints: dict[str, dict[Key, Case]] = field(default_factory=dict)
    _results: OrderedDict[tuple[str, str], PairResult] = field(default_factory=OrderedDict)
    _told: set[tuple[str, str]] = field(default_factory=set)

    def profile_of(self, suite: Suite) -> str:
        """The command line, then the decorator, then the configuration."""
        return self.profile or suite.profile or self.fallback_profile

    def seed_of(self, suite: Suite) -> int:
        """As `profile_of`."""
        if self.seed is not None:
            return self.seed
        return self.fallback_seed if suite.seed is None else suite.seed

    def selection(self, suite: Suite, key: str) -> Selection:
        """What the tests that are to run ask; all of the suite where nothing was left out."""
        whole = Selection(rules=suite.rules, pairs=tuple(place.pair.name for place in suite.places))
        return self.selections.get(key, whole)

    def result(self, suite: Suite, key: str, pair: Pair) -> PairResult:
        """What came of one pair: kept, stored by another process, or found out now."""
        kept = self._results.get((key, pair.name))
        if kept is None:
            kept = self._found(suite, key, pair)
            self._results[key, pair.name] = kept
            while len(self._results) > _KEPT:
                self._results.popitem(last=False)
        return kept

    def first_time(self, key: str, pair: str) -> bool:
        """Whether a problem of this pair is told for the first time in this process."""
        new = (key, pair) not in self._told
        self._told.add((key, pair))
        return new

    def note(self, **properties: object) -> None:
        """Add properties to the running test, `maskspec_` before each name."""
        self.properties += [(f"maskspec_{name}", value) for name, value in properties.items()]

    def _path(self, key: str, pair: Pair) -> Path:
        digest = hashlib.sha256(f"{key}\n{pair.name}".encode()).hexdigest()[:10]
        return self.folder / f"{_slug(pair.name)}-{digest}.json"

    def _found(self, suite: Suite, key: str, pair: Pair) -> PairResult:
        path = self._path(key, pair)
        while True:
            result = _read(path) or self._made(suite, key, pair)
            if result is not None:
                return result
            if not self._ahead(suite, key):
                time.sleep(_PAUSE)

    def _made(self, suite: Suite, key: str, pair: Pair) -> PairResult | None:
        """Ask about a pair and store the result; None where that is done, or another process is at it."""
        path = self._path(key, pair)
        if path.exists():
            return None
        with claimed(path) as mine:
            if not mine or path.exists():
                return None
            result = self._ask(suite, key, pair)
            self._store(path, suite, key, result)
        return result

    def _ahead(self, suite: Suite, key: str) -> bool:
        """Ask about the first pair of this run that no process has come to; False: there is none."""
        left = self.selection(suite, key).pairs
        pairs = (place.pair for place in suite.places if place.pair.name in left)
        return any(self._made(suite, key, pair) is not None for pair in pairs)

    def _ask(self, suite: Suite, key: str, pair: Pair) -> PairResult:
        rules = self.selection(suite, key).rules
        hints = self._hints.setdefault(key, {})
        try:
            result = check_pair(
                suite.masker,
                pair,
                rules=rules,
                profile=self.profile_of(suite),
                seed=self.seed_of(suite),
                known=suite.known,
                hints=dict(hints),
                masker_path=suite.masker_path,
                time_limit=suite.seconds,
            )
        except Exception as error:  # noqa: BLE001  (whatever it is, it is told by every test of the pair)
            conflict = Conflict(
                pair=pair.name,
                problem=f"{type(error).__name__}: {error}",
                count=1,
                traceback="".join(traceback.format_exception(error)),
            )
            return PairResult(
                pair=pair.name,
                template=pair.template.name,
                tokenizer="",
                kind=pair.kind.value,
                cases=0,
                tallies={rule.id: Tally() for rule in rules},
                conflicts=(conflict,),
            )
        # What was made small on one pair is tried first on the next.
        hints.update({failure.key: failure.case for failure in result.failures})
        return result

    def _store(self, path: Path, suite: Suite, key: str, result: PairResult) -> None:
        selection = self.selection(suite, key)
        record = {
            "suite": key,
            "masker": _described(suite, "name"),
            "policy": _described(suite, "policy"),
            "profile": self.profile_of(suite),
            "seed": self.seed_of(suite),
            "rules": [rule.id for rule in selection.rules],
            "pairs": list(selection.pairs),
            "missing": list(suite.missing),
            "position": suite.names.index(result.pair),
            "result": result.as_json(),
        }
        _save(path, json.dumps(record, ensure_ascii=True, default=str))
        if self.counterexamples is not None:
            for failure in result.failures:
                target = self.counterexamples / f"{failure.identifier}.json"
                if failure.known is None and not target.exists():
                    _save(target, json.dumps(failure.as_json(), ensure_ascii=False, indent=2, default=str) + "\n")


@dataclass(frozen=True, eq=False, slots=True)
class Check:
    """One rule on one pair; calling it passes, or ends the test as failed, skipped or accepted."""

    asking: Asking
    suite: Suite
    key: str
    rule: Rule
    place: Place

    def __repr__(self) -> str:
        return f"<check of {self.rule.id} on {self.place.pair.name}>"

    def __call__(self) -> None:
        """Ask, unless another test has asked already, and report this rule."""
        import pytest

        result = self._result()
        tally = result.tallies.get(self.rule.id, Tally())
        self.asking.note(rule=self.rule.id, pair=result.pair, checks=tally.run)
        found = [item for item in result.failures if item.rule.id == self.rule.id and item.subject is Subject.MASKER]
        broken = [failure for failure in found if failure.known is None]
        if broken:
            pytest.fail(_failure_text(broken), pytrace=False)
        if result.conflicts:
            pytest.fail(self._conflict_text(result), pytrace=False)
        accepted = [failure for failure in found if failure.known is not None]
        if accepted:
            pytest.xfail(f"known failure: {accepted[0].known}")
            pytest.fail(_failure_text(accepted), pytrace=False)  # with --runxfail, which switches xfail off
        if tally.run == 0:
            pytest.skip(_reason(result, tally))

    def _result(self) -> PairResult:
        """The pair's result, or that of its template with generation tags where the masker needs them."""
        result = self.asking.result(self.suite, self.key, self.place.pair)
        if result.excluded is None or self.place.instead is None or result.conflicts:
            return result
        other = self.asking.result(self.suite, self.key, self.place.instead)
        return other if other.excluded is None else result

    def _conflict_text(self, result: PairResult) -> str:
        """All about an adapter's problem in the first test of a pair, one line in the others."""
        first = result.conflicts[0]
        more = f" (and {len(result.conflicts) - 1} more)" if len(result.conflicts) > 1 else ""
        head = f"ADAPTER  {first.problem}{more}"
        if not self.asking.first_time(self.key, result.pair):
            return f"{head} on {result.pair}: nothing can be said about {self.rule.id}"
        lines = [
            head,
            f"  on {result.pair}, {first.count} time(s); this says nothing about the masker behind the adapter",
        ]
        if first.case is not None:
            lines += [
                f"    {_cut(json.dumps(message, ensure_ascii=False, default=str))}" for message in first.case.messages
            ]
        return "\n".join([*lines, *(f"    {line}" for line in first.traceback.rstrip().splitlines()[-12:])])


@dataclass(frozen=True, eq=False, slots=True)
class KnownCheck:
    """One accepted failure: the test fails when its conversation no longer does, since the entry then has to go."""

    asking: Asking
    suite: Suite
    key: str
    entry: KnownFailure

    def __repr__(self) -> str:
        return f"<check of {self.entry.identifier}>"

    def __call__(self) -> None:
        """Replay the stored conversation, and nothing else."""
        import pytest

        guard = TimeLimit(self.suite.seconds)
        result = self.entry.replay(self.suite.masker, pairs=self.suite.pairs, guard=guard)
        counterexample = self.entry.counterexample
        asked = result.outcome not in (Outcome.NOT_ASKED, Outcome.CRASHED)
        self.asking.note(rule=counterexample.rule.id, pair=counterexample.pair, checks=int(asked))
        stale = self.entry.verdict(result)
        if stale is not None:
            self.asking.note(stale=stale)
            pytest.fail(f"{stale}\n  in {self.suite.known_path}", pytrace=False)
        if result.outcome is Outcome.CRASHED:
            pytest.fail(f"ADAPTER  {result.sentence}\n{result.traceback}", pytrace=False)
        if result.outcome is Outcome.NOT_ASKED:
            pytest.skip(result.sentence)


def checks(suite: Suite, key: str, asking: Asking) -> Iterator[tuple[str, str, Check | KnownCheck]]:
    """The tests of a suite as (id, group, check), pair by pair; the same list in every process."""
    for place in suite.places:
        for rule in suite.rules:
            yield f"{rule.id}-{place.pair.name}", place.pair.name, Check(asking, suite, key, rule, place)
    if suite.known is not None:
        for entry in suite.known.entries:
            check = KnownCheck(asking, suite, key, entry)
            yield f"known-failure-{entry.identifier}", entry.counterexample.pair, check


def stored(folder: Path) -> Iterator[Mapping[str, Any]]:
    """The records that all processes of a run stored, in the order of the pairs."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    yield from sorted(records, key=lambda record: (record["suite"], record["position"]))


def _failure_text(failures: Sequence[Failure]) -> str:
    first, *rest = failures
    lines = failure_lines(first)
    for failure in rest:
        kind = Counterexample.of(failure).kind.value
        lines += [f"also {kind} in {failure.zone or 'the whole answer'}:", f"  {replay_command(failure)}"]
    return "\n".join(lines)


def _reason(result: PairResult, tally: Tally) -> str:
    if result.excluded is not None:
        return result.excluded
    if not tally.excluded:
        return "no conversation was asked about this rule"
    reasons = Counter(tally.excluded)
    return "; ".join(
        f"{reason} ({count} of {reasons.total()} conversations)" for reason, count in reasons.most_common(_REASONS)
    )


def _described(suite: Suite, name: str) -> str:
    try:
        value = getattr(suite.masker, name)
    except Exception as error:  # noqa: BLE001  (a masker that cannot be made is told as the problem of each pair)
        return f"({type(error).__name__})"
    return value if isinstance(value, str) else repr(value)


def _read(path: Path) -> PairResult | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return PairResult.from_json(record["result"])


def _save(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", text)[:80]


def _cut(text: str) -> str:
    return text if len(text) <= 96 else text[:95] + "…"
