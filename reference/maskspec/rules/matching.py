"""Which elements of two sequences must belong together, however the difference between them came about.

A masker's ids that differ from the canonical ones have lost, gained or replaced some
tokens. Where turns repeat each other, several stories explain the difference equally
well: with one of three equal turns gone, nobody can say which. `certain_pairs` pairs
two elements only when *every* shortest story does, and no story that is hardly longer
pairs one of them with another element, so nothing is laid over the wrong turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

__all__ = ["certain_pairs"]

_LIMIT = 200_000
"""The most steps of one comparison (elements times width of the band); beyond it only the ends are paired."""

_SLACK = 4
"""How many changes more a story may need and still be one that could be true.

An end token too many behind a conversation that was cut is one change more than the
story in which the cut went through the middle and the end token is the right one.
"""

_MOST_DEMANDED = 8
"""How many elements in a row suffice beside another stretch, however long that is."""


def certain_pairs(
    left: Sequence[int], right: Sequence[int], *, alike: Callable[[slice, slice], bool]
) -> list[int | None]:
    """For each element of `left`, the position of its partner in `right`; None where that is not certain.

    Pairs are equal elements, in order. A run of pairs has to be as long as the stretches
    beside it that found no partner (at most eight): elements that agree by chance are no
    evidence. Not so where `alike` says of both sides of a stretch that they mean the same.
    """
    distance = _distance(left, right)
    pairs = _ends(left, right) if distance is None else _forced(left, right, distance)
    return _without_chance(pairs, len(right), alike)


def _ends(left: Sequence[int], right: Sequence[int]) -> list[int | None]:
    """Pairs in the common beginning and the common end, those left out that could belong to both."""
    shorter = min(len(left), len(right))
    front = next((k for k in range(shorter) if left[k] != right[k]), shorter)
    back = next((k for k in range(shorter) if left[-1 - k] != right[-1 - k]), shorter)
    shift = len(right) - len(left)
    pairs: list[int | None] = []
    for index in range(len(left)):
        at_front = index if index < front else None
        at_back = index + shift if index >= len(left) - back else None
        both = at_front is not None and at_back is not None and at_front != at_back
        pairs.append(None if both else at_front if at_front is not None else at_back)
    return pairs


def _distance(left: Sequence[int], right: Sequence[int]) -> int | None:
    """How many elements were inserted or removed, at the least (Myers' greedy search); None beyond the limit."""
    size = len(left) + len(right)
    reach = {1: 0}
    for distance in range(size + 1):
        slack = (distance + _SLACK - abs(len(left) - len(right))) // 2
        if (abs(len(left) - len(right)) + 2 * max(slack, 0) + 1) * (len(left) + 1) > _LIMIT:
            return None
        if distance * distance > _LIMIT:
            return None
        for diagonal in range(-distance, distance + 1, 2):
            down = diagonal == -distance or (
                diagonal != distance and reach.get(diagonal - 1, -1) < reach.get(diagonal + 1, -1)
            )
            x = reach.get(diagonal + 1, 0) if down else reach[diagonal - 1] + 1
            y = x - diagonal
            while x < len(left) and y < len(right) and left[x] == right[y]:
                x += 1
                y += 1
            reach[diagonal] = x
            if x >= len(left) and y >= len(right):
                return distance
    return None


class _Band:
    """The numbers of changes between all beginnings of two sequences, as far as a story that counts can pass there.

    `rows[i][k - low]` is the number for the first i elements of one and the first i + k of the other.
    """

    def __init__(self, left: Sequence[int], right: Sequence[int], distance: int) -> None:
        surplus = len(right) - len(left)
        slack = (distance + _SLACK - abs(surplus)) // 2
        self.low = min(0, surplus) - slack
        self.width = abs(surplus) + 2 * slack + 1
        self.far = distance + _SLACK + 1
        above: list[int] = []
        self.rows: list[list[int]] = []
        for i in range(len(left) + 1):
            row = [self.far] * self.width
            for place in range(self.width):
                j = i + self.low + place
                if not 0 <= j <= len(right):
                    continue
                best = 0 if i == 0 and j == 0 else self.far
                if i and j and left[i - 1] == right[j - 1]:
                    best = min(best, above[place])
                if i and place + 1 < self.width:
                    best = min(best, above[place + 1] + 1)
                if j and place:
                    best = min(best, row[place - 1] + 1)
                row[place] = best
            self.rows.append(row)
            above = row


def _forced(left: Sequence[int], right: Sequence[int], distance: int) -> list[int | None]:
    """The pairs that every shortest story has and that no story of little more than its length contradicts."""
    if distance == 0:
        return list(range(len(left)))
    forward = _Band(left, right, distance)
    backward = _Band(left[::-1], right[::-1], distance)
    surplus = len(right) - len(left)
    pairs: list[int | None] = []
    for i in range(len(left)):
        here, after = forward.rows[i], backward.rows[len(left) - i - 1]
        partners: list[int] = []
        lost = False
        for place in range(forward.width):
            if here[place] >= forward.far:
                continue
            diagonal = forward.low + place
            # The rest of the way, from the other end: its diagonals count from there.
            kept = surplus - diagonal - backward.low
            j = i + diagonal
            if 0 <= j < len(right) and left[i] == right[j] and here[place] + after[kept] <= distance + _SLACK:
                partners.append(j)
            if kept + 1 < backward.width and here[place] + 1 + after[kept + 1] == distance:
                lost = True
        pairs.append(partners[0] if len(partners) == 1 and not lost else None)
    return pairs


_Run = tuple[slice, slice]
"""A stretch of both sides that belongs together."""


def _without_chance(pairs: list[int | None], total: int, alike: Callable[[slice, slice], bool]) -> list[int | None]:
    """Drop runs of pairs that are too short beside what was replaced, until all that are left are long enough."""
    runs = _runs(pairs)
    while True:
        runs = _joined(runs, len(pairs), total, alike)
        demanded = [min(_MOST_DEMANDED, max(map(_length, gap))) for gap in _gaps(runs, len(pairs), total)]
        kept = [
            run for run, around in zip(runs, pairwise(demanded), strict=True) if max(around) <= min(map(_length, run))
        ]
        if len(kept) == len(runs):
            break
        runs = kept
    inside = {index for mine, _ in runs for index in range(mine.start, mine.stop)}
    return [pair if index in inside else None for index, pair in enumerate(pairs)]


def _length(part: slice) -> int:
    length: int = part.stop - part.start
    return length


def _runs(pairs: Sequence[int | None]) -> list[_Run]:
    """Pairs that follow each other on both sides."""
    runs: list[_Run] = []
    for index, partner in enumerate(pairs):
        if partner is None:
            continue
        if runs and (runs[-1][0].stop, runs[-1][1].stop) == (index, partner):
            mine, theirs = runs[-1]
            runs[-1] = (slice(mine.start, index + 1), slice(theirs.start, partner + 1))
        else:
            runs.append((slice(index, index + 1), slice(partner, partner + 1)))
    return runs


def _gaps(runs: Sequence[_Run], size: int, total: int) -> list[_Run]:
    """What lies before, between and behind runs; one more than there are runs."""
    edges = [(0, 0), *((mine.stop, theirs.stop) for mine, theirs in runs)]
    begins = [*((mine.start, theirs.start) for mine, theirs in runs), (size, total)]
    return [(slice(edge[0], begin[0]), slice(edge[1], begin[1])) for edge, begin in zip(edges, begins, strict=True)]


def _joined(runs: list[_Run], size: int, total: int, alike: Callable[[slice, slice], bool]) -> list[_Run]:
    """Runs with what lies beside them where its two sides mean the same: that is evidence as well."""
    gaps = _gaps(runs, size, total)
    joined: list[_Run] = []
    for number, (mine, theirs) in enumerate(runs):
        before, behind = gaps[number], gaps[number + 1]
        if number and joined and joined[-1][0].stop == before[0].stop and joined[-1][1].stop == before[1].stop:
            mine, theirs = slice(joined[-1][0].start, mine.stop), slice(joined[-1][1].start, theirs.stop)
            joined.pop()
        elif not number and any(map(_length, before)) and alike(*before):
            mine, theirs = slice(0, mine.stop), slice(0, theirs.stop)
        if any(map(_length, behind)) and alike(*behind):
            mine, theirs = slice(mine.start, behind[0].stop), slice(theirs.start, behind[1].stop)
        joined.append((mine, theirs))
    return joined
