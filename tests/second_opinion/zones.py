"""Question 3: what does the generation prompt supply? And, with the borders known, the zone of every character."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from tests.second_opinion.borders import GENERATED, PROBE, PROBE_IN_PARTS, Borders, agreement
from tests.second_opinion.changes import Source


@dataclass(frozen=True, slots=True)
class Layout:
    """Source, owner, zone and verdict of every character."""

    sources: list[Source | None]
    owners: list[int | None]
    zones: list[str]
    verdicts: list[str]


@dataclass(frozen=True, slots=True)
class Zones:
    """The zones of one conversation."""

    found: Borders

    def opening(self, index: int, start: int, end: int, first_source: int | None) -> tuple[int, bool]:
        """Where the opening of a message ends, and whether a prompt confirms it."""
        latest = end if first_source is None else first_source
        prompt, history = self.found.conversation.prefix(index, True), self.found.conversation.prefix(index)
        best, asked = start, prompt is not None and history is not None and prompt != history
        goes_on = prompt is not None and self.found.text.startswith(prompt)
        if prompt is not None and (goes_on or (asked and self.found.text.startswith(prompt[:start]))):
            best = self._supplied(self.found.text, prompt, start, latest)
        if prompt is not None and history is not None and asked and not goes_on:
            added = prompt[self.found.outside_markers(prompt, agreement(prompt, history)) :]
            for skipped in range(len(added)):
                if self.found.text.endswith(added[:skipped], 0, start):
                    shifted = " " * start + added[skipped:]
                    best = max(best, self._supplied(" " * start + self.found.text[start:], shifted, start, latest))
        if best > start or (asked and index > 0):
            return best, True
        header = self._header(index, start)
        agreed = agreement(self.found.text[start:latest], header)
        agreed = self.found.outside_markers(self.found.text[start:], agreed)
        return start + agreed, agreed == 0

    def _supplied(self, text: str, prompt: str, start: int, latest: int) -> int:
        agreed = min(agreement(text, prompt), latest)
        return max(start, min(self.found.outside_markers(text, agreed), self.found.outside_markers(prompt, agreed)))

    def _header(self, index: int, start: int) -> str:
        """What stands before a plain answer in the place of the message."""
        messages = self.found.conversation.messages
        parts = [PROBE_IN_PARTS] if isinstance(messages[index].get("content"), list) else []
        for content in (*parts, PROBE):
            for rest in ([], messages[index + 1 :]):
                answer = {"role": messages[index]["role"], "content": content}
                text = self.found.conversation.render([*messages[:index], answer, *rest]) or ""
                at = text.find(PROBE)
                if at >= start and text.startswith(self.found.text[:start]):
                    return text[start:at]
                if at >= 0:
                    tails = (text[at - size : at] for size in range(min(at, 500), 0, -1))
                    return next((tail for tail in tails if self.found.text.startswith(tail, start)), "")
        return ""

    # The zones, with every border at its earliest or at its latest place

    def layout(self, *, latest: bool) -> Layout:
        """Sources, owners, zones and verdicts, with doubtful characters as source text or as literals."""
        size = len(self.found.text)
        sources: list[Source | None] = [None] * size
        for places in self.found.found.places:
            for start, end, source in places:
                sources[start:end] = [source] * (end - start)
        if not latest:
            for position, source in self.found.found.doubtful.items():
                sources[position] = source
        borders = [border.latest if latest else border.earliest for border in self.found.borders]
        owners: list[int | None] = [None] * size
        for index, (start, end) in enumerate(pairwise(borders)):
            owners[start:end] = [index] * (end - start)
        for index in self.found.merged:
            for start, end, source in self.found.own[index]:
                owners[start:end] = [source.message] * (end - start)
        zones, verdicts = ["CONTEXT"] * size, ["ignore"] * size
        for index, message in enumerate(self.found.conversation.messages):
            start, end = borders[index], borders[index + 1]
            if message["role"] in GENERATED and start < end:
                for begin, stop, zone, verdict in self._zones(index, start, end, sources, owners):
                    zones[begin:stop] = [zone] * (stop - begin)
                    verdicts[begin:stop] = [verdict] * (stop - begin)
        return Layout(sources, owners, zones, verdicts)

    def _zones(
        self, index: int, start: int, end: int, sources: list[Source | None], owners: list[int | None]
    ) -> Iterable[tuple[int, int, str, str]]:
        text, words = self.found.text, self.found.vocabulary
        kinds = {
            at: source.kind
            for at in range(start, end)
            if (source := sources[at]) is not None and source.message == index and at not in self.found.quoted
        }
        body = [at for at, kind in kinds.items() if kind != "HEADER"]
        foreign = {at for at in range(start, end) if sources[at] is not None and at not in kinds}
        if start == 0 and words.bos and text.startswith(words.bos) and 0 not in kinds:
            start = len(words.bos)
            owners[:start] = [None] * start
        opening_end, certain = self.opening(index, start, end, body[0] if body else None)
        yield start, opening_end, "OPENING", "ignore" if certain else "either"
        last = max(body[-1] + 1 if body else 0, opening_end)
        for at in range(opening_end, last):
            kind = kinds.get(at, "HEADER")
            zone = "CONTEXT" if at in foreign else "SCAFFOLD" if kind == "HEADER" else kind
            yield at, at + 1, zone, "ignore" if zone == "CONTEXT" else "train"
        closing = max([at + 1 for at in (*kinds, *foreign) if at >= last], default=last)
        for at in range(last, closing):
            yield at, at + 1, *(("CONTEXT", "ignore") if at in foreign else ("SCAFFOLD", "train"))
        stops = _first_of(words.stops, text, closing, end)
        if stops is None:
            stops = _first_of([token for token in words.special if token not in words.never_stops], text, closing, end)
        if stops is None:
            stops = self._boundary_stop(index, end, owners)
        if stops is None:
            visible = closing + len(text[closing:end].rstrip())
            yield closing, visible, "SCAFFOLD", "train"
            yield visible, end, "TAIL", "either"
            return
        yield closing, stops[0], "SCAFFOLD", "train"
        yield *stops, "STOP", "train"
        yield stops[1], max(end, stops[1]), "TAIL", "either"
        if stops[1] > end:
            owners[end : stops[1]] = [index] * (stops[1] - end)

    def _boundary_stop(self, index: int, end: int, owners: list[int | None]) -> tuple[int, int] | None:
        """The token after the turn that ends it: a declared one, or a special one that begins another role's message."""
        words, messages = self.found.vocabulary, self.found.conversation.messages
        if end >= len(self.found.text):
            return None
        following = owners[end]
        if following is None:
            end += len(self.found.text[end:]) - len(self.found.text[end:].lstrip())
        elif messages[following]["role"] == messages[index]["role"]:
            return None
        tokens = list(words.stops)
        if following is not None and not words.declared:
            tokens += [token for token in words.special if token not in words.never_stops]
        length = max(
            (len(token) for token in tokens if token.strip() and self.found.text.startswith(token, end)), default=0
        )
        return (end, end + length) if length else None


def _first_of(tokens: Iterable[str], text: str, start: int, end: int) -> tuple[int, int] | None:
    found = [(at, -len(token)) for token in tokens if token.strip() and (at := text.find(token, start, end)) >= 0]
    return (min(found)[0], min(found)[0] - min(found)[1]) if found else None
