"""Conversations that can be learnt and noise that cannot: what a model trained on a right mask must tell apart.

Every user message is a few words drawn at random, and a last word that decides the answer.
Nothing else decides it, so a model that has learnt the lesson answers conversations it has
never seen, and one that was trained on the words of the user gains on what only chance can say.
The answers differ in length: to be right a model has to know when to stop.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

__all__ = ["ANSWERS", "NOISE", "Lesson", "lessons"]

ANSWERS: Mapping[str, str] = MappingProxyType(
    {
        "sun": "warm",
        "rain": "wet and cold",
        "snow": "white",
        "wind": "loud at night",
        "fire": "hot",
        "moon": "far away",
        "tree": "green",
        "sea": "deep and salt",
    }
)
"""The last word of a user message, and the answer to it."""

NOISE: tuple[str, ...] = (
    "one", "two", "three", "four", "hand", "book", "door", "time",
    "line", "part", "name", "work", "land", "house", "place", "water",
)  # fmt: skip
"""The words before the last one; each is as likely as every other."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One conversation of the lesson, in the OpenAI shape, user and assistant in turn."""

    messages: tuple[Mapping[str, Any], ...]

    @property
    def rounds(self) -> int:
        """How many questions it holds."""
        return len(self.messages) // 2

    def before(self, number: int) -> list[dict[str, Any]]:
        """The messages up to and including a question (from 0)."""
        return [dict(message) for message in self.messages[: 2 * number + 1]]


def lessons(count: int, *, seed: int, rounds: Sequence[int] = (1, 2, 3, 4)) -> tuple[Lesson, ...]:
    """So many conversations, the same for the same seed; the numbers of rounds take turns."""
    source = random.Random(f"maskspec lessons {seed}")
    return tuple(_lesson(source, rounds[number % len(rounds)]) for number in range(count))


def _lesson(source: random.Random, rounds: int) -> Lesson:
    messages: list[Mapping[str, Any]] = []
    for _ in range(rounds):
        words = [source.choice(NOISE) for _ in range(source.randint(2, 5))]
        asked = source.choice(tuple(ANSWERS))
        messages.append({"role": "user", "content": " ".join([*words, asked])})
        messages.append({"role": "assistant", "content": ANSWERS[asked]})
    return Lesson(tuple(messages))
