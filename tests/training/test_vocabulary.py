"""A small model with a large vocabulary sees the tokens that occur, renumbered, and nothing else changes."""

from __future__ import annotations

import pytest

from maskspec.training.problems import TrainingError
from maskspec.training.samples import Part, Reply, Sample
from maskspec.training.vocabulary import LEAST, choose_vocabulary

SAMPLE = Sample(
    ids=(900, 7, 150000, 7),
    labels=(-100, -100, 150000, 7),
    expected=(-100, -100, 150000, 7),
    parts=(Part.TEMPLATE, Part.USER, Part.ANSWER, Part.STOP),
    texts=("a", "b", "c", "b"),
    replies=(Reply(prompt=(900, 30), bare=(900,), opening="x", answers=("c",)),),
)


def test_tokens_that_occur_are_numbered_in_their_order() -> None:
    vocabulary = choose_vocabulary([SAMPLE], [8], length=151000, most=4096)
    assert vocabulary.originals == (7, 8, 30, 900, 150000)
    renumbered = vocabulary.sample(SAMPLE)
    assert renumbered.ids == (3, 0, 4, 0)
    assert renumbered.labels == (-100, -100, 4, 0)
    assert renumbered.replies[0].prompt == (3, 2)
    assert vocabulary.size == LEAST
    assert vocabulary.to_tokenizer((4, 0, 3)) == (150000, 7, 900)


def test_a_number_without_a_token_is_read_as_some_token() -> None:
    vocabulary = choose_vocabulary([SAMPLE], [8], length=151000, most=4096)
    assert vocabulary.to_tokenizer((LEAST - 1,)) == (7,)


def test_a_vocabulary_that_is_small_enough_stays_as_it_is() -> None:
    vocabulary = choose_vocabulary([SAMPLE], [8], length=151000, most=0)
    assert vocabulary.size == 151000
    assert vocabulary.sample(SAMPLE) == SAMPLE
    assert vocabulary.to_tokenizer((4, 0)) == (4, 0)


def test_the_size_covers_every_id_whatever_the_tokenizer_says_of_itself() -> None:
    assert choose_vocabulary([SAMPLE], [8], length=10, most=0).size == 150001


def test_a_label_that_is_no_token_of_its_conversation_is_refused() -> None:
    vocabulary = choose_vocabulary([SAMPLE], [8], length=151000, most=4096)
    with pytest.raises(TrainingError, match="the label 42 is no token of its conversation; see LABEL-2"):
        vocabulary.sample(SAMPLE.with_labels((-100, -100, 42, 7)))
