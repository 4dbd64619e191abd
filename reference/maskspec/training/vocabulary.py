"""The ids that a model sees: those of the tokenizer, or for a small model only the tokens that occur.

A model of a few hundred thousand parameters with a real vocabulary would be all vocabulary. Giving
the tokens that occur the numbers 0, 1, 2, … leaves labels, positions and gradients as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from maskspec.training.problems import TrainingError
from maskspec.training.samples import Reply, Sample
from maskspec.verdicts import IGNORE_INDEX

__all__ = ["LEAST", "Vocabulary", "choose_vocabulary"]

LEAST = 512
"""The smallest number of tokens that a model knows, so that at the start none of them is likely."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`size` tokens that a model knows; `numbers` gives its id for a tokenizer's id, None where both are the same."""

    size: int
    numbers: Mapping[int, int] | None = None
    originals: tuple[int, ...] = ()

    def to_model(self, ids: Iterable[int]) -> tuple[int, ...]:
        """The model's ids for ids or labels of the tokenizer.

        Raises:
            TrainingError: an id is not in the vocabulary.
        """
        if self.numbers is None:
            return tuple(ids)
        try:
            return tuple(IGNORE_INDEX if each == IGNORE_INDEX else self.numbers[each] for each in ids)
        except KeyError as error:
            raise TrainingError(f"the label {error.args[0]} is no token of its conversation; see LABEL-2") from None

    def to_tokenizer(self, ids: Iterable[int]) -> tuple[int, ...]:
        """The tokenizer's ids for ids of the model; numbers that stand for no token become the first."""
        if self.numbers is None:
            return tuple(ids)
        return tuple(self.originals[each] if each < len(self.originals) else self.originals[0] for each in ids)

    def sample(self, sample: Sample) -> Sample:
        """A sample in the model's ids."""
        return replace(
            sample,
            ids=self.to_model(sample.ids),
            labels=self.to_model(sample.labels),
            expected=self.to_model(sample.expected),
            replies=tuple(map(self.reply, sample.replies)),
        )

    def reply(self, reply: Reply) -> Reply:
        """A question in the model's ids."""
        return replace(reply, prompt=self.to_model(reply.prompt), bare=self.to_model(reply.bare))


def choose_vocabulary(samples: Sequence[Sample], stops: Iterable[int], *, length: int, most: int) -> Vocabulary:
    """The vocabulary for a model: the tokenizer's `length` tokens, or those that occur where that is more than `most`.

    A `most` of 0 takes the tokenizer's vocabulary whatever its length is.
    """
    occurring = {each for sample in samples for each in sample.ids} | set(stops)
    for sample in samples:
        for reply in sample.replies:
            occurring |= {*reply.prompt, *reply.bare}
    needed = max(length, max(occurring) + 1)
    if not most or needed <= most:
        return Vocabulary(size=max(needed, LEAST))
    originals = tuple(sorted(occurring))
    return Vocabulary(
        size=max(len(originals), LEAST),
        numbers={original: number for number, original in enumerate(originals)},
        originals=originals,
    )
