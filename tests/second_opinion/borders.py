"""Questions 2 and 4: where does each message begin, and where does the last one end?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.second_opinion.changes import MARKER, Differential, Findings, Source
from tests.second_opinion.limits import Limit
from tests.second_opinion.plain import Message

GENERATED = frozenset({"assistant", "model"})
"""Roles that a generation prompt asks for."""

PROBE = "secondopinionprobe"
PROBE_IN_PARTS = [{"type": "text", "text": PROBE}]
"""The content of a message that is put in another's place."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The strings that end a turn by declaration, the special ones, those of them that never end a turn, and all added ones."""

    stops: tuple[str, ...]
    special: tuple[str, ...]
    never_stops: tuple[str, ...]
    added: tuple[str, ...]
    bos: str | None = None
    declared: bool = True


def agreement(left: str, right: str) -> int:
    """The number of characters that two texts share at their start."""
    end = min(len(left), len(right))
    return next((at for at in range(end) if left[at] != right[at]), end)


def _weight(message: Message) -> int:
    """How unlikely a message is to be printed elsewhere than in its turn: instructions are moved, answers are not."""
    if message["role"] in GENERATED:
        return 100
    return 1 if message["role"] in ("system", "developer") else 10


class Border(NamedTuple):
    """The first character of a message: between an earliest and a latest place, with the reason if they differ."""

    earliest: int
    latest: int
    limit: Limit | None = None


class Shared(NamedTuple):
    """What the text shares with another one after a source character: up to which earliest and latest place of the text.

    `whole` says whether the other text ends there; `rest` is how it goes on.
    """

    earliest: int
    latest: int
    whole: bool
    rest: str


@dataclass(slots=True)
class Borders:
    """One conversation: which of its sources are quotations, and the borders of its messages, one more than there are.

    `own` are the places of the characters that a message prints itself, `quoted` those where a later one repeats them;
    `merged` are the messages that are printed inside another one.
    """

    conversation: Differential
    vocabulary: Vocabulary
    text: str
    found: Findings
    own: list[list[tuple[int, int, Source]]] = field(default_factory=list)
    quoted: set[int] = field(default_factory=set)
    merged: set[int] = field(default_factory=set)
    borders: list[Border] = field(default_factory=list)
    _marker: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        added = sorted(
            {*self.vocabulary.added, *self.vocabulary.special, *self.vocabulary.stops} - {""}, key=len, reverse=True
        )
        self._marker = re.compile("|".join([*map(re.escape, added), MARKER]))
        for index, places in enumerate(self.found.places):
            self.own.append(self._own(index, places))
        self._look_for_merged()
        for index in range(len(self.conversation.messages) + 1):
            self.borders.append(self._border(index))

    def outside_markers(self, text: str, end: int) -> int:
        """The same place, or the start of the marker that it would cut."""
        for found in self._marker.finditer(text):
            if found.start() >= end:
                break
            if found.end() > end:
                return found.start()
        return end

    def _own(self, index: int, places: list[tuple[int, int, Source]]) -> list[tuple[int, int, Source]]:
        """The places where the message itself prints its characters: those that are there before the next message is."""
        count = index + 1
        prefix = self.conversation.prefix(count)
        if not places or prefix is None or not self.found.good[index]:
            return places
        early = self.conversation.locate(self.found.good[index], self.conversation.messages[:count], prefix)
        if early is None:
            return places
        if not early and any(source.kind != "HEADER" for _, _, source in places):
            self.merged.add(index)
            return places
        left = [source for _, _, source in early]
        known = set(left)
        counted = {(*piece.path, "key") if piece.key else piece.path for piece in self.found.good[index]}
        later = [places[0][0] for places in self.found.places[index + 1 :] if places]
        own: list[tuple[int, int, Source]] = []
        for start, end, source in places:
            if source in left:
                left.remove(source)
            elif source.path in counted and (source in known or start > min(later, default=start)):
                self.quoted.update(range(start, end))
                continue
            own.append((start, end, source))
        return own

    def _look_for_merged(self) -> None:
        """Messages that are printed inside or before earlier ones: all but the heaviest choice that follow each other."""
        printed = [index for index, places in enumerate(self.own) if places and index not in self.merged]
        best: dict[int, tuple[int, tuple[int, ...]]] = {}
        for index in printed:
            start = self.own[index][0][0]
            before = [best[other] for other in best if self.own[other][-1][1] <= start]
            weight, chain = max(before, default=(0, ()))
            best[index] = weight + _weight(self.conversation.messages[index]), (*chain, index)
        _, kept = max(best.values(), default=(0, ()))
        self.merged.update(index for index in printed if index not in kept)

    def _anchor(self, count: int) -> int | None:
        """The last message before `count` with characters of its own."""
        return next(
            (at for at in reversed(range(count)) if self.content(at) and at not in self.merged),
            None,
        )

    def content(self, index: int) -> list[tuple[int, int, Source]]:
        return [place for place in self.own[index] if place[2].path != ("role",)]

    def _border(self, index: int) -> Border:
        """Where message `index` begins, or where the last one ends."""
        messages = self.conversation.messages
        anchor = self._anchor(index)
        at = 0 if anchor is None else self.content(anchor)[-1][1]
        floor = max(at, self.borders[-1].earliest if self.borders else 0)
        ahead = [self.content(later)[0][0] for later in range(index, len(messages)) if self.content(later)]
        ceiling = max(min([place for place in ahead if place >= at], default=len(self.text)), floor)
        if index == len(messages):
            found = self._continued(index, anchor)
            if found is None:
                return Border(floor, ceiling, Limit.FINAL_TEXT)
            first = found.latest if found.latest == ceiling else found.earliest
            if first < ceiling and self._prompts_always(index):
                return Border(floor, ceiling, Limit.PROMPT_ALWAYS)
            return Border(max(first, floor), ceiling, Limit.FINAL_TEXT)
        shorter = self.conversation.prefix(index)
        if shorter is None and index == 0:
            place = self._after_preamble(ceiling)
            return Border(floor, ceiling, Limit.EMPTY_REFUSED) if place is None else Border(place, place)
        agreed = None if shorter is None else self._shared(anchor, messages[:index], shorter)
        if agreed is None:
            return Border(floor, ceiling, Limit.PREFIX_REFUSED if shorter is None else Limit.PREFIX_REWRITTEN)
        earliest, latest = agreed.earliest, agreed.latest
        if anchor is None and not agreed.whole:
            # The text in common may be a coincidence (a default system prompt, a given one).
            place = self._after_preamble(ceiling) if index == 0 else None
            earliest, latest = (floor, latest) if place is None else (place, place)
        if index and anchor != index - 1 and not agreed.whole:
            return Border(floor, ceiling, Limit.PREFIX_REWRITTEN)
        always = self._prompts_always(index)
        unasked = always and messages[index]["role"] in GENERATED
        limit = Limit.PROMPT_ALWAYS if unasked and latest > at else Limit.OTHER_END
        other = self._continued(index, anchor) if index else None
        if other is not None and not agreed.whole and self._closes_otherwise(agreed, other):
            other = self._continued(index, anchor, messages[index + 1 :])
            if other is None or other.latest <= latest:
                return Border(min(earliest, floor), ceiling, Limit.OTHER_END)
            earliest, latest = other.earliest, other.latest
        elif other is not None and not unasked and max(earliest, other.earliest) <= min(latest, other.latest):
            earliest, latest = max(earliest, other.earliest), min(latest, other.latest)
        elif other is not None:
            earliest, latest = min(earliest, other.earliest), max(latest, other.latest)
        elif unasked and index:
            earliest = floor
        if always and index and not agreed.whole and not unasked and not self._after_marker(earliest):
            # A close is never seen without the header of an answer behind it, which may share its beginning with this one.
            earliest, limit = floor, Limit.PROMPT_ALWAYS
        if agreed.whole and index:
            earliest = min(earliest, self._before_repeated_marker(index, latest))
        closed = self._marker.match(self.text, at) if index and latest == at else None
        if closed and messages[index - 1]["role"] in GENERATED:
            # An answer that ends with its text where nothing follows may still be closed where something does.
            latest = closed.end()
        earliest, latest = (min(max(place, floor), ceiling) for place in (earliest, latest))
        if earliest == latest and anchor is not None:
            between = self.text[latest:ceiling]
            return Border(earliest, latest + len(between) - len(between.lstrip()), Limit.SEPARATOR)
        return Border(earliest, latest, limit)

    def _prompts_always(self, count: int) -> bool:
        """Whether the first `count` messages are printed alike with and without a generation prompt."""
        return self.conversation.prefix(count) == self.conversation.prefix(count, True)

    def _after_marker(self, place: int) -> bool:
        """Whether a marker ends here."""
        return any(found.end() == place for found in self._marker.finditer(self.text, 0, place))

    def _before_repeated_marker(self, index: int, end: int) -> int:
        """The end of a close, or the start of its last marker where message `index` begins with that marker elsewhere.

        A template may print the marker of a result behind a call that has none, and with the result where there is one.
        """
        messages, shorter = self.conversation.messages, self.conversation.prefix(index + 1)
        close = next((found for found in self._marker.finditer(self.text, 0, end) if found.end() == end), None)
        if close is None or messages[index]["role"] in GENERATED or messages[index - 1]["role"] not in GENERATED:
            return end
        twice = self.conversation.render([*messages[: index + 1], messages[index]])
        if twice is None or shorter is None or not twice.startswith(shorter + close[0]):
            return end
        return close.start()

    def _closes_otherwise(self, alone: Shared, continued: Shared) -> bool:
        """Whether two other texts, which leave this one at the same place, go on with the same close there.

        Then the message that ends here is printed in another way in both, and
        what they share with this text says nothing about where its close ends.
        """
        if alone.latest != continued.latest:
            return False
        common = agreement(alone.rest, continued.rest)
        return bool(min(self.outside_markers(rest, common) for rest in (alone.rest, continued.rest)))

    def _continued(self, index: int, anchor: int | None, rest: Sequence[Message] = ()) -> Shared | None:
        """What the text shares with that of the messages before `index` and another one than this, with `rest` behind it."""
        messages = self.conversation.messages
        last = messages[index - 1]["role"]
        taken = {message["role"] for message in messages[index - 1 : index + 1]}
        roles = [role for role in ("user", "assistant", "tool") if role not in taken]
        if index < len(messages) and messages[index]["role"] != last:
            roles.append(last)
        for role in roles:
            for content in (PROBE, PROBE_IN_PARTS):
                more = [*messages[:index], {"role": role, "content": content}, *rest]
                longer = self.conversation.render(more)
                if longer is not None and PROBE in longer:
                    agreed = self._shared(anchor, more, longer)
                    if agreed is not None:
                        return agreed
        return None

    def _after_preamble(self, first: int) -> int | None:
        """Where the first message begins, if what stands before it in another place stands before its text too."""
        role = self.conversation.messages[0]["role"]
        answered = [*self.conversation.messages]
        if answered[-1]["role"] == role:
            answered.append({"role": "assistant" if role == "user" else "user", "content": PROBE})
        before = self.conversation.render(answered)
        after = self.conversation.render([*answered, {"role": role, "content": PROBE.upper()}])
        if before is None or after is None or not after.startswith(before):
            return None
        header = after[len(before) :].partition(PROBE.upper())
        return first - len(header[0]) if header[1] and self.text.endswith(header[0], 0, first) else None

    def _shared(self, anchor: int | None, messages: Sequence[Message], other: str) -> Shared | None:
        """What the text shares with another one after the last source character of a message.

        Where the other goes on, it may go on in the way in which the next message begins: a
        marker and white space before it may be no part of the close that both share.
        """
        here = there = 0
        if anchor is not None:
            places = self.conversation.locate(self.found.good[anchor], messages, other)
            if places is None:
                return None
            _, here, last = self.content(anchor)[-1]
            times = sum(source == last for _, _, source in self.content(anchor))
            ends = [end for _, end, source in places if source == last]
            if len(ends) < times:
                return None
            there = ends[times - 1]
        agreed = agreement(self.text[here:], other[there:])
        agreed = min(self.outside_markers(self.text[here:], agreed), self.outside_markers(other[there:], agreed))
        latest, rest = here + agreed, other[there + agreed :]
        if not rest:
            return Shared(latest, latest, True, rest)
        markers = [found for found in self._marker.finditer(self.text, here, latest) if found.end() == latest]
        close = self.text[here : markers[-1].start() if markers else latest]
        return Shared(here + len(close.rstrip()), latest, False, rest)
