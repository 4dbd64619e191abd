"""How long each masker takes for a conversation, side by side in one run: `python -m tests.peers.speed [--write]`.

Every masker gets the same conversations through its adapter, in turn inside every round, so that a slow moment of the
machine hits all of them. What it answers is compared with the reference: ids where they should be the same, and how
many tokens are labelled otherwise. `--write` keeps the table in speed.md.
"""

from __future__ import annotations

import argparse
import gc
import math
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from maskspec.conformance import find_pair
from maskspec.conformance.loading import load_masker
from maskspec.conformance.protocol import Labelled, Request, Unsupported
from maskspec.corpus import Pair
from maskspec.errors import MissingPackageError
from tests.benchmarks.cases import TURNS, conversation

__all__ = ["Course", "growth", "measured", "table"]

TABLE = Path(__file__).with_name("speed.md")

PLAIN = "qwen3-instruct-2507"
TAGGED = "qwen3-instruct-2507+trl:qwen3_instruct_2507_training"
"""A vocabulary and template that every masker of the first tier knows; the second has generation tags and the same text."""

MASKERS = {
    "reference": PLAIN,
    "transformers": TAGGED,
    "trl": TAGGED,
    "axolotl": PLAIN,
    "unsloth-zoo": PLAIN,
    "renderers": PLAIN,
    "tinker-cookbook": PLAIN,
    "llamafactory": PLAIN,
}

SAME, WITHOUT_END, OTHER = "same", "same, without what stands behind the last stop", "other"

_ROUNDS = 9
_BUDGET = 20.0  # seconds for all rounds of one masker at one length; at least three rounds are made
_LEAST = 3


@dataclass
class Course:
    """One masker over all lengths: its name, the seconds of a call by number of turns, and what it answered."""

    name: str
    seconds: dict[int, float] = field(default_factory=dict)
    ratios: dict[int, float] = field(default_factory=dict)
    ids: str = SAME
    other_labels: int = 0
    tokens: int = 0


def growth(seconds: dict[int, float]) -> float:
    """The exponent b of the power a·nᵇ that fits the seconds of n turns best, over all but a single turn."""
    points = [(math.log(turns), math.log(value)) for turns, value in seconds.items() if turns > 1]
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def measured(maskers: dict[str, str], turns: Sequence[int] = TURNS) -> tuple[list[Course], list[str]]:
    """Time the maskers that are installed; the second value says why others are not there."""
    courses, absent, loaded = [], [], {}
    for name, pair in maskers.items():
        try:
            loaded[name] = load_masker(name), find_pair(pair)
            _ask(*loaded[name], conversation(1))
        except (MissingPackageError, ImportError, Unsupported) as error:
            loaded.pop(name, None)
            absent.append(f"{name}: {error}")
    courses = [Course(name) for name in loaded]
    for length in turns:
        _one_length(courses, loaded, length)
    return courses, absent


def _one_length(courses: list[Course], loaded: dict[str, tuple[Any, Pair]], length: int) -> None:
    messages = conversation(length)
    calls = max(1, 32 // length)
    expected = _ask(*loaded[courses[0].name], messages)
    rounds: dict[str, list[float]] = {course.name: [] for course in courses}
    left = {}
    for course in courses:
        started = time.perf_counter()
        answer = _ask(*loaded[course.name], messages)
        left[course.name] = _rounds((time.perf_counter() - started) * calls)
        found = _compared(answer.input_ids, expected.input_ids)
        if found != SAME:
            course.ids = found
        if course.ids != OTHER:
            course.tokens += len(answer.labels)
            course.other_labels += sum(a != b for a, b in zip(answer.labels, expected.labels, strict=False))
    gc.collect()
    gc.disable()
    try:
        for number in range(_ROUNDS):
            for course in courses[number % len(courses) :] + courses[: number % len(courses)]:
                if number < left[course.name]:
                    rounds[course.name].append(_timed(*loaded[course.name], messages, calls))
    finally:
        gc.enable()
    base = rounds[courses[0].name]
    for course in courses:
        values = rounds[course.name]
        course.seconds[length] = statistics.median(values)
        course.ratios[length] = statistics.median(a / b for a, b in zip(values, base, strict=False))


def _compared(ids: Sequence[int], expected: Sequence[int]) -> str:
    if tuple(ids) == tuple(expected):
        return SAME
    return WITHOUT_END if tuple(ids) == tuple(expected[: len(ids)]) else OTHER


def _rounds(seconds: float) -> int:
    return max(_LEAST, min(_ROUNDS, int(_BUDGET / max(seconds, 1e-9))))


def _timed(masker: Any, pair: Pair, messages: list[dict[str, Any]], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        _ask(masker, pair, messages)
    return (time.perf_counter() - started) / calls


def _ask(masker: Any, pair: Pair, messages: list[dict[str, Any]]) -> Labelled:
    answer: Labelled = masker.mask(
        Request(
            messages=[dict(message) for message in messages],
            template=pair.template.source,
            tokenizer=pair.tokenizer.raw,
            policy=masker.policy,
            template_kwargs=dict(pair.template_kwargs),
            special_tokens=dict(pair.special_tokens),
            stops=pair.stops,
            pair=pair.name,
        )
    )
    return answer


def table(courses: Sequence[Course]) -> str:
    """The courses as a Markdown table: milliseconds for a conversation, and how many times the reference's."""
    lengths = list(courses[0].seconds)
    head = " | ".join(f"{length} turn{'s' * (length > 1)}" for length in lengths)
    lines = [f"| masker | {head} | growth | ids | labels |", "|---|" + "---:|" * (len(lengths) + 1) + "---|---|"]
    for course in courses:
        cells = " | ".join(f"{course.seconds[n] * 1e3:.1f} ({course.ratios[n]:.2f})" for n in lengths)
        labels = "not compared" if course.ids == OTHER else f"{course.other_labels} of {course.tokens} other"
        lines.append(f"| {course.name} | {cells} | {growth(course.seconds):.2f} | {course.ids} | {labels} |")
    return "\n".join(lines)


def _document(courses: Sequence[Course], absent: Sequence[str]) -> str:
    packages = ["transformers", "trl", "axolotl", "unsloth_zoo", "renderers", "tinker-cookbook", "llamafactory"]
    versions = []
    for package in packages:
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    how = (
        "Made by `tox -e peers-speed`, which is `python -m tests.peers.speed --write`. Milliseconds for one conversation, "
        "the median of rounds in which every masker has its turn, and in brackets how many times the reference's in the "
        "same round. A turn is a question and an answer, 1,400 characters together. Growth is the exponent b of the power "
        "nᵇ that fits 16 to 256 turns: 1 is linear. The time is that of the masker behind its adapter, so it holds the "
        "adapter's few lines too. Labels of whose tokens the ids are the same are compared with the reference's under its own "
        "policy, which leaves the newline behind a stop out; a masker may train it and be right."
    )
    what = (
        f"`{PLAIN}`; for maskers that need generation tags trl's template of it, which prints the same text. Python "
        f"{platform.python_version()}, {', '.join(versions)}."
    )
    lines = ["# The speed of maskers, side by side", "", how, "", what, "", table(courses)]
    if absent:
        lines += ["", "Not there:", "", *(f"- {line}" for line in absent)]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure, print, and keep the table where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers.speed", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"keep the table in {TABLE.name}")
    given = parser.parse_args()
    text = _document(*measured(MASKERS))
    print(text)
    if given.write:
        TABLE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
