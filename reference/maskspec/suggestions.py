"""What somebody may have meant who wrote an unknown name: one way for every message of maskspec that says so."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["close_names", "suggestion"]


def close_names(name: str, known: Iterable[str], *, most: int = 2) -> list[str]:
    """The known names that are like an unknown one, closest first; only that which differs in case."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    folded = name.strip().casefold()
    close = [folded] if folded in by_folded else difflib.get_close_matches(folded, by_folded, n=most, cutoff=0.6)
    return [by_folded[match] for match in close]


def suggestion(name: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """The end of a sentence: `; did you mean 'x' or 'y'?`, or `; ` and what to do where no known name is close."""
    close = close_names(name, known)
    if close:
        return f"; did you mean {' or '.join(map(repr, close))}?"
    return f"; {otherwise}" if otherwise else ""
