"""Asks all implementations of a vocabulary the same texts and says where they differ, class by class.

Every text is asked about twice where a vocabulary puts a space before a text: as it is, and behind
other text, because what happens at the beginning would hide everything else. What differs is made small
with the two implementations concerned and classified. Implementations that give the same ids for
a text are asked about together, so most pairs cost nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from maskspec.corpus import real_pair
from tests.implementations.classes import Answer, Difference, classify
from tests.implementations.labels import compare_labels
from tests.implementations.panel import Comparison, Panel
from tests.implementations.registry import Entry
from tests.implementations.returning import compare_way_back
from tests.implementations.texts import conversations, shrink_long, texts

__all__ = ["compare", "compare_text"]

_THERE_AND_BACK = 200
"""So many texts are decoded again: what is lost on the way shows in nearly every text or in none."""

_SLOW = ("transformers slow", "transformers slow legacy", "mistral-common")
"""Written in Python: in a group of implementations that agree, another one stands for it where there is one."""


def compare(entry: Entry, *, examples: int, seed: int) -> Comparison:
    """Compare the implementations of a vocabulary on `examples` texts, one in six of them a whole conversation.

    Raises:
        Unclassified: two differ in a way that no class describes.
    """
    started = time.process_time()
    panel = Panel.of(entry)
    pair = real_pair(entry.pair.name)
    drawn = conversations(pair, examples=examples // 6, seed=seed)
    plain = texts(pair, examples=examples - len(drawn), seed=seed)
    result = Comparison(entry.name, tuple(panel.tokenizers), texts=len(plain) + len(drawn), conversations=len(drawn))
    for text in (*plain, *(each.text for each in drawn)):
        compare_text(panel, text, result)
    for text in plain[:_THERE_AND_BACK]:
        compare_way_back(panel, text, result)
    for each in drawn:
        compare_labels(panel, pair, each, result)
    result.seconds = time.process_time() - started
    return result


def compare_text(panel: Panel, text: str, result: Comparison) -> None:
    answers = {name: panel.ask(name, text) for name in panel.tokenizers}
    groups = panel.groups(answers)
    result.alike += len(groups) == 1
    for first, second in combinations(groups, 2):
        for pair in _pairs(first, second, result.names):
            result.different[pair] += 1
    shown: set[tuple[str, str, Difference]] = set()
    questions: list[tuple[Mapping[str, Answer | None], Callable[[str, str], Answer | None]]] = [(answers, panel.ask)]
    if panel.begins_with_space:
        questions.append(({name: panel.inside(name, text) for name in panel.tokenizers}, panel.inside))
    for asked, ask in questions:
        for first, second in combinations(panel.groups(asked), 2):
            found = _smallest(panel, text, _quickest(first), _quickest(second), ask)
            if found is None:
                continue
            smallest, kind = found
            counts = result.smallest.setdefault(kind, {})
            counts[smallest] = counts.get(smallest, 0) + 1
            shown.update((one, other, kind) for one, other in _pairs(first, second, result.names))
    result.classes.update(shown)
    result.shown.update({kind for *_, kind in shown})


def _quickest(group: Sequence[str]) -> str:
    return next((name for name in group if name not in _SLOW), group[0])


def _pairs(first: Iterable[str], second: Sequence[str], order: Sequence[str]) -> Iterator[tuple[str, str]]:
    for one in first:
        for other in second:
            yield (one, other) if order.index(one) < order.index(other) else (other, one)


def _smallest(
    panel: Panel, text: str, one: str, other: str, ask: Callable[[str, str], Answer | None]
) -> tuple[str, Difference] | None:
    def differ(candidate: str) -> bool:
        answers = ask(one, candidate), ask(other, candidate)
        return None not in answers and answers[0] != answers[1] and _ids(answers[0]) != _ids(answers[1])

    smallest = shrink_long(text, differ, tuple(token for token in panel.special if token in text))
    answers = ask(one, smallest), ask(other, smallest)
    if answers[0] is None or answers[1] is None:
        return None
    return smallest, classify(
        smallest, answers[0], answers[1], panel.special, inside=ask == panel.inside, pattern=panel.splits
    )


def _ids(answer: Answer | None) -> object:
    return None if answer is None else (answer.ids, bool(answer.error))
