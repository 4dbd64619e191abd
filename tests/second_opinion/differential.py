"""The zones of a conversation, found from the outside: change something, render again, see what moved.

The reference follows every character through the template. This module knows the
template only by what it prints, and asks four questions of it:

1. *Which characters are source text?* Each character of one message is replaced by a
   character of its own that stands nowhere else. Where that one comes out, the original
   had been printed. Accepted is only a text that gives the base text back when the
   originals are put in again; where a change makes the template print something else,
   the pieces are changed one by one, and those that do it are *content-dependent*.
2. *Where does a message begin?* Where the text of the messages before it ends: after the
   last source character of an earlier message, the characters on which the text of the
   whole conversation and that of the messages before it agree are the close of the earlier message.
3. *What does the generation prompt supply?* What the text shares with the messages
   before it rendered with `add_generation_prompt`.
4. *What follows the last message?* What stands there too when one more message is
   appended is its close; the rest may belong to it or to nobody.

What no difference can tell is not guessed: such a border has an earliest and a latest
place, the zones are worked out for both, and a character that differs is undetermined,
with the `Limit` that says why.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.second_opinion.borders import GENERATED, Borders, Vocabulary
from tests.second_opinion.changes import Differential, find_sources
from tests.second_opinion.limits import UNKNOWN, Limit
from tests.second_opinion.plain import Message, PlainTemplate
from tests.second_opinion.zones import Zones


@dataclass(slots=True)
class Opinion:
    """For each character of `text`: its source, its owner, its zone and verdict; or, in `limits`, why they are not known.

    An owner, zone or source that is not known is `UNKNOWN`; `source_limits` says why a source is not.
    """

    text: str
    sources: list[Any]
    owners: list[Any]
    zones: list[str]
    verdicts: list[str]
    limits: list[Limit | None]
    source_limits: list[Limit | None]


def opinion(
    template: PlainTemplate,
    messages: Sequence[Message],
    *,
    vocabulary: Vocabulary,
    tools: Sequence[Message] | None = None,
    variables: Mapping[str, Any] | None = None,
) -> Opinion | None:
    """The second opinion on one conversation; None where the template refuses it."""
    conversation = Differential(template, list(messages), tools, variables or {})
    text = conversation.prefix(len(messages))
    if text is None:
        return None
    analysis = Borders(conversation, vocabulary, text, find_sources(conversation, text))
    early, late = Zones(analysis).layout(latest=False), Zones(analysis).layout(latest=True)
    nothing: list[Limit | None] = [None] * len(text)
    result = Opinion(text, early.sources, early.owners, early.zones, early.verdicts, [*nothing], [*nothing])
    limit = _limits(analysis)
    for at in range(len(text)):
        for known, other in (
            (result.owners, late.owners),
            (result.zones, late.zones),
            (result.verdicts, late.verdicts),
        ):
            if known[at] != other[at]:
                known[at] = UNKNOWN
                result.limits[at] = limit(at)
    for at, reason in _between(analysis):
        for values, doubted in ((result.zones, ("CONTEXT",)), (result.verdicts, ())):
            if values[at] in ("SCAFFOLD", "train", *doubted) and result.owners[at] is UNKNOWN:
                values[at] = UNKNOWN
                result.limits[at] = reason
    for at, reason in _overlaps(analysis):
        for values in (result.owners, result.zones, result.verdicts):
            values[at] = UNKNOWN
        result.limits[at] = reason
    for near, at in _near_merged(analysis):
        touched = {messages[known]["role"] for known in (*near, result.owners[at]) if isinstance(known, int)}
        for values in (result.owners, *((result.zones, result.verdicts) if touched & GENERATED else ())):
            if values[at] is not UNKNOWN:
                values[at] = UNKNOWN
                result.limits[at] = Limit.MERGED
    for index in analysis.merged:
        for start, end, _ in analysis.own[index] if messages[index]["role"] in GENERATED else ():
            for values in (result.zones, result.verdicts):
                values[start:end] = [UNKNOWN] * (end - start)
            result.limits[start:end] = [Limit.MERGED] * (end - start)
    for reason, places in (
        (Limit.ROLE_DECIDES, _role_words(analysis)),
        (Limit.CONTENT_DECIDES, analysis.found.doubtful),
    ):
        for at in places:
            if late.sources[at] is None:
                result.sources[at] = UNKNOWN
                result.source_limits[at] = reason
    return result


def _role_words(analysis: Borders) -> Iterable[int]:
    """Where the name of a role that cannot be changed stands in the header of its message."""
    for index in analysis.found.role_decides:
        start, end = analysis.borders[index].earliest, analysis.borders[index + 1].latest
        role = re.escape(analysis.conversation.messages[index]["role"])
        for found in re.finditer(role, analysis.text[start:end], re.IGNORECASE):
            yield from range(start + found.start(), start + found.end())


def _limits(analysis: Borders) -> Callable[[int], Limit]:
    """For a character that is not known, the limit whose place is nearest."""
    places = dict.fromkeys(analysis.found.doubtful, Limit.CONTENT_DECIDES)
    for border in analysis.borders:
        if border.earliest != border.latest and border.limit:
            for at in range(border.earliest, border.latest):
                places.setdefault(at, border.limit)
    known = sorted(places)

    def nearest(at: int) -> Limit:
        right = bisect_left(known, at)
        return places[min(known[max(0, right - 1) : right + 1], key=lambda place: abs(place - at))]

    return nearest


def _between(analysis: Borders) -> Iterable[tuple[int, Limit]]:
    """Where an answer may begin or end: a place between the earliest and the latest one would give other zones than both."""
    roles = [message["role"] for message in analysis.conversation.messages]
    for index, border in enumerate(analysis.borders):
        if border.limit and GENERATED.intersection(roles[max(0, index - 1) : index + 1]):
            start, before = border.earliest, index - 1
            while before >= 0 and not analysis.own[before]:
                # Nothing shows that this message is printed at all.
                start, before = min(start, analysis.borders[before].earliest), before - 1
            yield from ((at, border.limit) for at in range(start, border.latest))


def _overlaps(analysis: Borders) -> Iterable[tuple[int, Limit]]:
    """Where two borders may be: their earliest and their latest places are not all that is possible."""
    times: Counter[int] = Counter()
    for border in analysis.borders:
        for at in range(border.earliest, border.latest):
            times[at] += 1
            if times[at] == 2 and border.limit:
                yield at, border.limit


def _near_merged(analysis: Borders) -> Iterable[tuple[tuple[int, ...], int]]:
    """The literals beside the text of a merged message, with that message and the one whose source text ends them."""
    sourced = {
        at: source.message
        for places in analysis.found.places
        for start, end, source in places
        for at in range(start, end)
    }
    for index in analysis.merged:
        for start, end, _ in analysis.own[index]:
            for step, first in ((-1, start - 1), (1, end)):
                last = first
                while 0 <= last < len(analysis.text) and last not in sourced:
                    last += step
                near = (index, sourced[last]) if last in sourced else (index,)
                yield from ((near, at) for at in range(first, last, step))
