"""Conversations for those who judge them all and go on: a list instead of a test function."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from hypothesis.strategies import SearchStrategy

from maskspec.corpus import Pair
from maskspec.shapes import TemplateTraits, traits_of_pair
from maskspec.strategies.conversations import conversations_of
from maskspec.strategies.generated import Generated
from maskspec.strategies.steady import BACKEND

__all__ = ["drawn", "sample", "sample_traits"]

T = TypeVar("T")


def sample(pair: Pair, *, flags: bool, examples: int, seed: int) -> list[Generated]:
    """`examples` conversations that a pair's template renders, the smallest one first; loads the tokenizer.

    The same seed gives the same conversations in every process that has the same versions of maskspec and its
    dependencies, whatever else is loaded. The settings are complete, so the Hypothesis profile of a host program
    neither matters nor changes, and nothing is written to disk.
    """
    return sample_traits(traits_of_pair(pair), flags=flags, examples=examples, seed=seed)


def sample_traits(traits: TemplateTraits, *, flags: bool, examples: int, seed: int) -> list[Generated]:
    """The same for a template whose traits are known."""
    return drawn(conversations_of(traits, flags=flags), examples=examples, seed=seed)


def drawn(strategy: SearchStrategy[T], *, examples: int, seed: int) -> list[T]:
    """What a strategy draws, as a list: the same for the same seed, whatever the host's Hypothesis profile is."""
    found: list[T] = []

    @seeded(seed)
    @settings(
        max_examples=examples,
        phases=(Phase.generate,),
        deadline=None,
        database=None,
        derandomize=False,
        print_blob=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
        backend=BACKEND,
    )
    @given(strategy)
    def collect(value: T) -> None:
        found.append(value)

    collect()
    return found
