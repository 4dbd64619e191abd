"""The texts that implementations are compared on, and how one that shows a difference is made small.

Hypothesis draws them from the pieces that conversations are generated from (every class of text,
the vocabulary's own special tokens and the literals of its template among them), and whole conversations
of the template are rendered. The same seed gives the same texts everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from maskspec.corpus import Pair
from maskspec.errors import TemplateRejected
from maskspec.rendering import render
from maskspec.shapes import traits_of_pair
from maskspec.strategies import Generated, sample
from maskspec.strategies.pieces import pieces_for, spell
from maskspec.strategies.rounds import CODES
from maskspec.strategies.sampling import drawn

__all__ = ["Drawn", "conversations", "shrink", "shrink_long", "texts"]

_LONGEST = 300
"""Longer texts are cut into stretches before they are made small."""


def texts(pair: Pair, *, examples: int, seed: int) -> list[str]:
    """`examples` texts of every class, with the pair's markers and literals; now and then nothing but whitespace."""
    pieces = pieces_for(traits_of_pair(pair))
    return drawn(CODES.map(lambda code: spell(code, pieces, blank=True)), examples=examples, seed=seed)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A generated conversation and the text that the template makes of it."""

    conversation: Generated
    text: str


def conversations(pair: Pair, *, examples: int, seed: int) -> list[Drawn]:
    """`examples` generated conversations of a pair with their texts, less the few that its template refuses."""
    found = []
    for each in sample(pair, flags=False, examples=examples, seed=seed):
        try:
            rendering = render(
                each.messages,
                template=pair.template.source,
                tools=each.tools,
                template_kwargs={**pair.template_kwargs, **each.template_kwargs},
                special_tokens=pair.special_tokens,
            )
        except TemplateRejected:
            # Two template variables that are fine alone may not be together.
            continue
        found.append(Drawn(each, rendering.text))
    return found


def shrink(text: str, still: Callable[[str], bool], *, whole: Sequence[str] = ()) -> str:
    """A text as small as leaving out and simplifying can make it, for which `still` holds; `whole` tokens stay whole.

    Plain and deterministic: stretches are left out, longest first, then each character is tried as the
    letter `a`, until nothing changes.
    """
    cutter = re.compile("|".join([*map(re.escape, sorted(whole, key=len, reverse=True)), "."]), re.DOTALL)
    units = cutter.findall(text)
    before: list[str] = []
    while units != before:
        before = units
        length = max(1, len(units) // 2)
        while length:
            place = 0
            while place < len(units) and len(units) > 1:
                candidate = units[:place] + units[place + length :]
                if candidate and still("".join(candidate)):
                    units = candidate
                else:
                    place += length
            length //= 2
        for place, unit in enumerate(units):
            if unit in whole or unit == "a":
                continue
            candidate = [*units[:place], "a", *units[place + 1 :]]
            if still("".join(candidate)):
                units = candidate
    return "".join(units)


def shrink_long(text: str, still: Callable[[str], bool], held: Sequence[str]) -> str:
    """The smallest text; of a long one, first a stretch that shows the difference by itself, where there is one."""
    if len(text) > _LONGEST:
        for start in range(0, len(text), _LONGEST // 2):
            part = text[start : start + _LONGEST]
            if still(part):
                return shrink(part, still, whole=held)
    return shrink(text, still, whole=held)
