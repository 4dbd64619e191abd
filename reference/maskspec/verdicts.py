"""From verdicts for characters to one verdict per token.

Tokens are in order and so are judgements, so every judgement covers one slice
of tokens: the work is a binary search per judgement, not a loop per token.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from maskspec.alignment import Alignment
from maskspec.policy import Judgement, Policy, Verdict

__all__ = ["IGNORE_INDEX", "TokenVerdicts", "token_verdicts"]

IGNORE_INDEX = -100
"""The label of a position without loss: what `torch.nn.CrossEntropyLoss` ignores."""


@dataclass(frozen=True, slots=True)
class TokenVerdicts:
    """A label, verdict and loss weight for each of n tokens, and the indices of those that straddle.

    A label is the token's id where its verdict is TRAIN and `IGNORE_INDEX` elsewhere.
    `straddling` tokens have characters to train and characters to ignore.
    """

    labels: tuple[int, ...]
    verdicts: tuple[Verdict, ...]
    weights: tuple[float, ...]
    straddling: tuple[int, ...]


def token_verdicts(
    ids: Sequence[int], alignment: Alignment, judgements: Sequence[Judgement], policy: Policy
) -> TokenVerdicts:
    """The verdict of every token, and its label.

    A token takes the verdict that all its characters have; where some are
    EITHER, the others decide. A *straddling* token has characters to train and
    characters to ignore, and takes the policy's verdict. A phantom is IGNORE
    where both neighbouring characters are, and EITHER elsewhere.
    """
    starts, ends = alignment.starts, alignment.ends
    verdicts = [Verdict.IGNORE] * len(starts)
    weights = [0.0] * len(starts)
    labels = [IGNORE_INDEX] * len(starts)
    runs = _runs(judgements)
    crossing: list[int] = []
    for start, end, verdict, weight in runs:
        first = bisect_left(starts, start)
        last = bisect_right(ends, end, first)
        verdicts[first:last] = [verdict] * (last - first)
        if verdict is Verdict.TRAIN:
            weights[first:last] = [weight] * (last - first)
            labels[first:last] = ids[first:last]
        crossing.extend(
            index for index in range(last, bisect_left(starts, end, last)) if not crossing or crossing[-1] < index
        )
    straddling: list[int] = []
    borders = [run[0] for run in runs]
    for index in crossing:
        inside = runs[bisect_right(borders, starts[index]) - 1 : bisect_left(borders, ends[index])]
        decided = {verdict for _, _, verdict, _ in inside} - {Verdict.EITHER}
        if len(decided) > 1:
            straddling.append(index)
        verdicts[index] = policy.straddling if len(decided) > 1 else decided.pop()
        if verdicts[index] is Verdict.TRAIN:
            labels[index] = ids[index]
            weights[index] = next(weight for _, _, verdict, weight in inside if verdict is Verdict.TRAIN)
    boundaries = [judgement.start for judgement in judgements] if alignment.phantoms else []
    for index in alignment.phantoms:
        verdicts[index] = _phantom_verdict(starts[index], judgements, boundaries)
        weights[index] = 0.0
        labels[index] = IGNORE_INDEX
    return TokenVerdicts(tuple(labels), tuple(verdicts), tuple(weights), tuple(straddling))


def _runs(judgements: Sequence[Judgement]) -> list[tuple[int, int, Verdict, float]]:
    """Judgements that follow each other with the same verdict and weight, as one."""
    runs: list[tuple[int, int, Verdict, float]] = []
    for judgement in judgements:
        verdict = judgement.verdict
        if runs and runs[-1][2] is verdict and (runs[-1][3] == judgement.weight or verdict is not Verdict.TRAIN):
            runs[-1] = (runs[-1][0], judgement.end, verdict, runs[-1][3])
        else:
            runs.append((judgement.start, judgement.end, verdict, judgement.weight))
    return runs


def _phantom_verdict(position: int, judgements: Sequence[Judgement], boundaries: list[int]) -> Verdict:
    following = bisect_right(boundaries, position) - 1
    preceding = bisect_left(boundaries, position) - 1
    neighbours = {judgements[index].verdict for index in {following, preceding} if index >= 0}
    return Verdict.IGNORE if neighbours <= {Verdict.IGNORE} else Verdict.EITHER
