"""The tokens of a vocabulary, and what looks like one, as patterns to find them by in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Markers", "markers_of", "uncut"]

_LOOKS = (r"<[^<>\s]{1,80}>", r"\[/?[A-Z_]{2,40}\]")
"""Patterns of what looks like a marker, whether or not the vocabulary has a token for it."""

_LOOKING = re.compile("|".join(_LOOKS))

_REACH = 200
"""Characters around a place in which a marker that it cuts may stand; no known marker is longer."""


@dataclass(frozen=True, slots=True)
class Markers:
    """Patterns of a vocabulary: declared stops, special tokens that can end a turn, what an opening may not cut."""

    stops: re.Pattern[str]
    special: re.Pattern[str]
    cut_points: re.Pattern[str]
    bos: re.Pattern[str]


@lru_cache(maxsize=256)
def markers_of(
    added: tuple[str, ...],
    special: tuple[str, ...],
    stops: tuple[str, ...],
    never_stops: tuple[str, ...],
    bos: str | None,
) -> Markers:
    """The patterns for a vocabulary's added and special tokens, its stops, and those that never end a turn."""
    return Markers(
        stops=_any_of(stops),
        special=_any_of(token for token in special if token in stops or token not in never_stops),
        cut_points=_any_of(added, *_LOOKS),
        bos=_any_of([bos] if bos else []),
    )


def _any_of(tokens: Iterable[str], *patterns: str) -> re.Pattern[str]:
    """A pattern for any of the tokens, the longest first, or of further patterns; it matches nothing when empty."""
    spelled = sorted({token for token in tokens if token.strip()}, key=lambda token: (-len(token), token))
    return re.compile("|".join([*map(re.escape, spelled), *patterns]) or r"(?!)")


def uncut(text: str, place: int, markers: re.Pattern[str] = _LOOKING, *, start: int = 0) -> int:
    """A place of a text, moved back to the start of the marker that it would cut, as far as that is behind `start`."""
    for found in markers.finditer(text, max(start, place - _REACH), min(len(text), place + _REACH)):
        if found.start() < place < found.end():
            return found.start()
    return place
