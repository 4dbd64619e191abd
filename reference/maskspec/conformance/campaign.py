"""A run over many pairs: what is done in which order, what an earlier run has done already, and what became of it.

The order of work never decides about a result. First every pair is asked about, each for
itself. Then failures are made smaller, the known ones by the conversation that they were
accepted with, the others in rounds: of each kind the smallest case of all pairs is
searched, and what is found is tried on every other pair; what does not fail there is
searched in the next round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from maskspec.conformance.cases import Case
from maskspec.conformance.journal import Journal
from maskspec.conformance.known import KnownFailures
from maskspec.conformance.pairrun import ATTEMPTS, HUNG, Key, entry_for, left_out, order
from maskspec.conformance.pairs import twin_name
from maskspec.conformance.profiles import Plan
from maskspec.conformance.report import Conflict, Failure, PairResult, Tally
from maskspec.conformance.tasks import Task, Workers
from maskspec.corpus import Pair
from maskspec.rules import Subject

__all__ = ["Campaign", "Progress"]

# An own template with generation tags is there for maskers that need the tags. A masker
# that answered about its twin would be asked the same twice.
_SAME_TEXT = "the same text was asked about with the template without generation tags"
_HUNG_ELSEWHERE = "not asked, because the adapter hung on other pairs"
_ENDED = "the process that asked the adapter ended"
_INTERRUPTED = "interrupted before its end"

_HANGS = 3
_ROUNDS = 4
_BEFORE_ROUNDS = -1
_LAST_ATTEMPTS = 80


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: pairs done of all pairs, a pair in work, and kinds of failure found so far.

    `shrinking` says that all pairs are asked and failures are being made smaller.
    """

    pair: str
    done: int
    total: int
    failures: int
    shrinking: bool = False


class Campaign:
    """The state of one run; hand it to whoever does the work."""

    def __init__(
        self,
        pairs: Sequence[Pair],
        plan: Plan,
        *,
        known: KnownFailures | None = None,
        journal: Journal | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._known = known
        self._pairs = {pair.name: pair for pair in pairs}
        self._position = {name: number for number, name in enumerate(self._pairs)}
        self._plan = plan
        self._journal = journal
        self._progress = progress
        self._results: dict[str, PairResult] = dict(journal.examined) if journal is not None else {}
        self._found: dict[str, list[Failure]] = {}
        self._kinds: set[Key] = set()
        for result in self._results.values():
            self._count(result.failures)
        self._round = 0

    @property
    def results(self) -> tuple[PairResult, ...]:
        """The results so far, in the order of the pairs; of a pair that is not done, the failures found on it."""
        return tuple(
            self._results[name] if name in self._results else self._partial(name, self._found[name])
            for name in self._pairs
            if name in self._results or name in self._found
        )

    @property
    def unfinished(self) -> tuple[str, ...]:
        """The pairs that are not done."""
        return tuple(name for name in self._pairs if name not in self._results)

    def run(self, workers: Workers) -> None:
        """Do everything that is not done yet."""
        tagged = {name: twin for name, pair in self._pairs.items() if (twin := twin_name(pair)) in self._pairs}
        self._examine([name for name in self._pairs if name not in tagged], workers)
        for name, twin in tagged.items():
            if name not in self._results and self._results[str(twin)].excluded is None:
                self._results[name] = left_out(self._pairs[name], self._plan.rules, _SAME_TEXT)
        self._examine(list(tagged), workers)
        self._shrink(workers)
        self._tell("", shrinking=True)

    def begin(self, task: Task) -> PairResult | None:
        """Tell how far the run is; nothing more is asked of an adapter that hung too often."""
        self._tell(task.pair, shrinking=task.result is not None)
        if task.result is None and sum(result.excluded == HUNG for result in self._results.values()) >= _HANGS:
            return left_out(self._pairs[task.pair], self._plan.rules, _HUNG_ELSEWHERE)
        return None

    def found(self, failure: Failure) -> None:
        """Keep a failure that was just seen."""
        self._found.setdefault(failure.pair, []).append(failure)
        self._count([failure])
        if self._journal is not None:
            self._journal.add_found(failure)

    def done(self, task: Task, result: PairResult) -> None:
        """Keep the result of a task."""
        self._results[result.pair] = result
        if self._journal is None:
            return
        if task.result is None:
            self._journal.add_examined(result)
        else:
            self._journal.add_shrunk(self._round, result)

    def lost(self, task: Task, problem: str, case: Case | None, *, hung: bool) -> None:
        """Keep what is known of a pair whose process ended in the middle."""
        conflict = Conflict(pair=task.pair, problem=problem, count=1, case=case)
        if task.result is not None:
            result = replace(task.result, conflicts=(*task.result.conflicts, conflict))
        else:
            result = self._partial(
                task.pair, self._found.get(task.pair, []), conflict, excluded=HUNG if hung else _ENDED
            )
        self.done(task, result)

    def _count(self, failures: Sequence[Failure]) -> None:
        self._kinds.update(failure.key for failure in failures if failure.subject is Subject.MASKER)

    def _examine(self, names: Sequence[str], workers: Workers) -> None:
        early: Mapping[str, Sequence[Case]] = self._journal.found if self._journal is not None else {}
        todo = [Task(pair=name, first=tuple(early.get(name, ()))) for name in names if name not in self._results]
        workers.run(todo, self)

    def _shrink(self, workers: Workers) -> None:
        pending = {(name, failure.key) for name, failure in self._failures()}
        pending -= self._accepted(workers)
        number = 0
        while pending:
            last = number >= 2 * _ROUNDS
            chosen = pending if last else set(self._smallest(pending))
            failed = self._search(chosen, workers, number, attempts=_LAST_ATTEMPTS if last else ATTEMPTS)
            pending -= chosen
            new: dict[Key, list[Case]] = {}
            for name, key in sorted(chosen, key=self._place):
                case = self._failure(name, key).case
                new.setdefault(key, []).append(case)
            failed |= self._try(pending, new, workers, number + 1)
            pending = {
                (name, key)
                for name, key in pending
                if name not in failed
                and all(self._failure(name, key).case.digest != case.digest for case in new.get(key, ()))
            }
            number += 2

    def _accepted(self, workers: Workers) -> set[tuple[str, Key]]:
        """The known failures that show on the conversation they were accepted with: it was made small then."""
        stored = {
            (name, failure.key): entry.counterexample.case
            for name, failure in self._failures()
            if (entry := entry_for(failure, self._known)) is not None
        }
        tasks = [
            Task(pair=name, result=self._results[name], keys=keys, hints={key: [stored[name, key]] for key in keys})
            for name, keys in self._by_pair(set(stored))
        ]
        failed = self._do(tasks, workers, _BEFORE_ROUNDS)
        return {
            (name, key)
            for (name, key), case in stored.items()
            if name in failed or self._failure(name, key).case.digest == case.digest
        }

    def _search(self, chosen: set[tuple[str, Key]], workers: Workers, number: int, *, attempts: int) -> set[str]:
        tasks = [
            Task(pair=name, result=self._results[name], keys=keys, attempts=attempts)
            for name, keys in self._by_pair(chosen)
        ]
        return self._do(tasks, workers, number)

    def _try(
        self, pending: set[tuple[str, Key]], hints: Mapping[Key, Sequence[Case]], workers: Workers, number: int
    ) -> set[str]:
        tasks = [
            Task(pair=name, result=self._results[name], keys=keys, hints={key: hints[key] for key in keys})
            for name, keys in self._by_pair({item for item in pending if item[1] in hints})
        ]
        return self._do(tasks, workers, number)

    def _do(self, tasks: Sequence[Task], workers: Workers, number: int) -> set[str]:
        """Do what an earlier run has not done of one round; returns the pairs on which the adapter failed for good."""
        self._round = number
        known = self._journal.shrunk if self._journal is not None else {}
        todo = []
        for task in tasks:
            earlier = known.get((number, task.pair))
            if earlier is None:
                todo.append(task)
            else:
                self._results[task.pair] = earlier
        workers.run(todo, self)
        before = {task.pair: task.result for task in tasks if task.result is not None}
        return {name for name, result in before.items() if result.conflicts != self._results[name].conflicts}

    def _smallest(self, pending: set[tuple[str, Key]]) -> Iterator[tuple[str, Key]]:
        """For each kind of failure the pair with the smallest case."""
        by_key: dict[Key, list[str]] = {}
        for name, key in sorted(pending, key=self._place):
            by_key.setdefault(key, []).append(name)
        for key, names in by_key.items():
            yield min(names, key=lambda name: order(self._failure(name, key).case)), key

    def _by_pair(self, chosen: set[tuple[str, Key]]) -> Iterator[tuple[str, tuple[Key, ...]]]:
        by_pair: dict[str, list[Key]] = {}
        for name, key in sorted(chosen, key=self._place):
            by_pair.setdefault(name, []).append(key)
        for name, keys in by_pair.items():
            yield name, tuple(keys)

    def _place(self, item: tuple[str, Key]) -> tuple[int, str, str, str]:
        name, (rule, zone, kind) = item
        return self._position[name], rule, zone, kind.value

    def _failures(self) -> Iterator[tuple[str, Failure]]:
        for name, result in self._results.items():
            if result.excluded is None:
                for failure in result.failures:
                    yield name, failure

    def _failure(self, name: str, key: Key) -> Failure:
        return next(failure for failure in self._results[name].failures if failure.key == key)

    def _partial(
        self, name: str, failures: Sequence[Failure], *conflicts: Conflict, excluded: str = _INTERRUPTED
    ) -> PairResult:
        """A pair that was not asked about to the end, with the failures seen so far."""
        result = left_out(self._pairs[name], self._plan.rules, excluded, *conflicts)
        tallies = dict(result.tallies)
        for failure in failures:
            tallies[failure.rule.id] += Tally(noted=1) if failure.subject is Subject.TOKENIZER else Tally(failed=1)
        return replace(result, failures=tuple(failures), tallies=tallies)

    def _tell(self, pair: str, *, shrinking: bool) -> None:
        if self._progress is not None:
            total = len(self._pairs)
            self._progress(
                Progress(
                    pair=pair, done=len(self._results), total=total, failures=len(self._kinds), shrinking=shrinking
                )
            )
