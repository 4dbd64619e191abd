"""Which part of the rendering belongs to which message, and what each part is.

The second arrow of the data flow: origins become *regions* (the characters
owned by one message) and regions become *zones*. Nothing here knows which
messages are selected; that is the policy's business.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from maskspec.markers import markers_of, uncut
from maskspec.prompts import GenerationPrompt, GenerationPrompts, common_prefix
from maskspec.rendering import OriginKind, Rendering, Span
from maskspec.stretches import Stretch, stretches
from maskspec.tokens import SpecialTokens

__all__ = ["Segment", "Segmentation", "Zone", "segment"]


class Zone(Enum):
    """What a stretch of a region is."""

    __hash__ = object.__hash__

    OPENING = "opening"
    """What the generation prompt supplies, up to where the model begins to generate."""
    REASONING = "reasoning"
    """Source characters of the message's reasoning."""
    CONTENT = "content"
    """Source characters of the message's content."""
    TOOL_CALL = "tool_call"
    """Source characters of the message's tool calls."""
    SCAFFOLD = "scaffold"
    """Template text between the opening and the stop, such as `</think>` or `{"name": "`."""
    STOP = "stop"
    """The token that ends the turn."""
    TAIL = "tail"
    """Template text after the stop, typically a newline."""
    CONTEXT = "context"
    """Everything that belongs to no message: default system prompts, tool schemas, text between turns."""


SOURCE_ZONES = frozenset({Zone.REASONING, Zone.CONTENT, Zone.TOOL_CALL})


class Segment(NamedTuple):
    """Characters `start` to `end` (half-open) of the text: one zone of one message.

    `message` is None for CONTEXT outside any message. `certain` is false for
    an OPENING that no generation prompt confirms.
    """

    start: int
    end: int
    zone: Zone
    message: int | None
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The zones of a rendering, covering its text from 0 to its end without gaps or overlaps.

    `without_stop` are the rendered messages that no stop token ends.
    `boundary_stops` are the messages whose stop the next message prints.
    """

    segments: tuple[Segment, ...]
    without_stop: frozenset[int]
    boundary_stops: frozenset[int]


def segment(
    rendering: Rendering,
    *,
    roles: Sequence[str],
    generated: frozenset[str],
    prompts: GenerationPrompts,
    special_tokens: SpecialTokens,
) -> Segmentation:
    """Divide a rendering into zones.

    `roles` are the roles of the messages, by index. Messages of a role in
    `generated` are what the model may be asked to generate: their opening is
    what the generation prompt supplies. For every other message the opening
    is its leading literal.
    """
    divider = _Divider(rendering, roles, generated, prompts, special_tokens)
    return divider.divide()


class _Divider:
    def __init__(
        self,
        rendering: Rendering,
        roles: Sequence[str],
        generated: frozenset[str],
        prompts: GenerationPrompts,
        special_tokens: SpecialTokens,
    ) -> None:
        self.text = rendering.text
        self.roles = roles
        self.generated = generated
        self.prompts = prompts
        self.stretches = stretches(rendering.spans)
        markers = markers_of(
            special_tokens.added,
            special_tokens.special,
            tuple(filter(None, (*special_tokens.stops, special_tokens.eos))),
            tuple(filter(None, (special_tokens.bos, special_tokens.pad, special_tokens.unk))),
            special_tokens.bos,
        )
        self.stops_are_declared = bool(special_tokens.stops)
        self.declared_stops = markers.stops
        self.special = markers.special
        self.bos = markers.bos
        self.markers = markers.cut_points
        self.segments: list[Segment] = []
        self.without_stop: set[int] = set()
        self.boundary_stops: set[int] = set()

    def divide(self) -> Segmentation:
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for position, stretch in enumerate(self.stretches):
            if stretch.owner is not None:
                first.setdefault(stretch.owner, position)
                last[stretch.owner] = position
        borrowed = 0
        for position, stretch in enumerate(self.stretches):
            owner = stretch.owner
            start, borrowed = stretch.start + borrowed, 0
            if owner is None:
                self._add(start, stretch.end, Zone.CONTEXT, None)
                continue
            if start == 0 and self.roles[owner] in self.generated:
                stretch, start = self._after_bos(stretch)
            if owner == 0 and first[owner] == position and self.roles[owner] in self.generated:
                stretch, start = self._after_default_prompt(stretch, start)
            zones = [_own_zone(span, owner) for span in stretch.spans]
            opening_end, certain = start, True
            if first[owner] == position:
                opening_end, certain = self._opening(stretch, zones, owner)
                opening_end = max(opening_end, start)
            self._add(start, opening_end, Zone.OPENING, owner, certain)
            body_end = self._body(stretch, zones, owner, opening_end)
            if last[owner] == position:
                borrowed = self._ending(stretch, owner, body_end, position)
            else:
                self._add(body_end, stretch.end, Zone.SCAFFOLD, owner)
        return Segmentation(tuple(self.segments), frozenset(self.without_stop), frozenset(self.boundary_stops))

    def _add(self, start: int, end: int, zone: Zone, message: int | None, certain: bool = True) -> None:
        if end <= start:
            return
        if self.segments:
            begin, _, last_zone, last_message, last_certain = self.segments[-1]
            if last_zone is zone and last_message == message and last_certain is certain:
                self.segments[-1] = Segment(begin, end, zone, message, certain)
                return
        self.segments.append(Segment(start, end, zone, message, certain))

    def _after_bos(self, stretch: Stretch) -> tuple[Stretch, int]:
        """The first stretch without the beginning-of-sequence token, which nobody generates; and where that starts."""
        found = self.bos.match(self.text)
        first, *rest = stretch.spans
        printed = first.origin.kind in (OriginKind.LITERAL, OriginKind.VARIABLE)
        if found is None or found.end() > first.end or not printed:
            return stretch, stretch.start
        begin = found.end()
        self._add(0, begin, Zone.CONTEXT, None)
        return Stretch(stretch.owner, [first._replace(start=begin), *rest]), begin

    def _after_default_prompt(self, stretch: Stretch, start: int) -> tuple[Stretch, int]:
        """The first message's stretch without what the template prints ahead of its header: a default system prompt.

        The prompt of no messages lacks it, since the template prints it with the first one.
        """
        sources = (span.start for span in stretch.spans if _own_zone(span, 0))
        limit = next(sources, stretch.end)
        for added in self.prompts.before(0, stretch.start).added:
            begin = self.text.rfind(added, start, limit) if added.strip() else -1
            if begin > start and not self.text.startswith(added, start):
                self._add(start, begin, Zone.CONTEXT, None)
                kept = [span for span in stretch.spans if span.end > begin]
                return Stretch(0, [kept[0]._replace(start=max(begin, kept[0].start)), *kept[1:]]), begin
        return stretch, start

    # The opening

    def _opening(self, stretch: Stretch, zones: Sequence[Zone | None], owner: int) -> tuple[int, bool]:
        """Where the opening of a message ends, and whether a generation prompt confirms it."""
        limit = next((span.start for span, zone in zip(stretch.spans, zones, strict=True) if zone), None)
        if self.roles[owner] not in self.generated:
            return self._leading_literal(stretch, limit), True
        prompt = self.prompts.before(owner, stretch.start)
        end = self._supplied(stretch, prompt, limit)
        if end != limit:
            agreed = end - stretch.start
            if not prompt.added:
                agreed = prompt.agreed_header(self.text[stretch.start : stretch.end if limit is None else limit])
            surprise = self.prompts.surprising(owner, stretch.start, agreed)
            if surprise is not None:
                prompt = surprise
                end = self._supplied(stretch, prompt, limit)
        if end > stretch.start or (prompt.added and owner > 0):
            return end, True
        if prompt.added:
            # Before the first message there is nothing to answer, and few templates are written for that prompt.
            prompt = self.prompts.without_prompt(owner, stretch.start)
        end = stretch.start + prompt.agreed_header(self.text[stretch.start : stretch.end if limit is None else limit])
        end = self._outside_markers(stretch.start, end, prompt.header)
        return end, end == stretch.start

    def _supplied(self, stretch: Stretch, prompt: GenerationPrompt, limit: int | None) -> int:
        """The end of what the generation prompt supplies of a region: the longest agreement with it."""
        furthest = stretch.start
        for added in prompt.added:
            end = self._agreement(stretch, added)
            if limit is not None:
                end = min(end, limit)
            furthest = max(furthest, self._outside_markers(stretch.start, end, added))
            if furthest - stretch.start == len(added):
                break
        return furthest

    def _leading_literal(self, stretch: Stretch, limit: int | None) -> int:
        """The end of the leading literal; for a message without sources, of its first marker and line."""
        if limit is not None:
            return limit
        header = [span for span in stretch.spans if span.origin.kind is OriginKind.MESSAGE]
        after_header = header[-1].end if header else stretch.start
        return self._first(self.declared_stops, after_header, stretch.end)[0]

    def _agreement(self, stretch: Stretch, added: str) -> int:
        """Where the text of a region stops agreeing with what the generation prompt adds.

        The added text may begin with the close of the previous turn, which the
        text before the region already holds.
        """
        region = self.text[stretch.start : min(stretch.end, stretch.start + len(added))]
        best = common_prefix(region, added)
        if best == len(added):
            return stretch.start + best
        for skipped in range(1, len(added)):
            if self.text.endswith(added[:skipped], 0, stretch.start):
                best = max(best, common_prefix(region, added[skipped:]))
        return stretch.start + best

    def _outside_markers(self, start: int, end: int, supplied: str) -> int:
        """Move the end of an opening back to the start of a marker that it would cut."""
        end = uncut(self.text, end, self.markers, start=start)
        shared = self.text[start:end]
        if shared == supplied:
            return end
        begin = supplied.find(shared)
        for found in self.markers.finditer(supplied):
            if begin >= 0 and found.start() < begin + len(shared) < found.end():
                return max(start, start + found.start() - begin)
        return end

    # The body

    def _body(self, stretch: Stretch, zones: Sequence[Zone | None], owner: int, opening_end: int) -> int:
        """Zones from the opening to the last source character; returns where that is."""
        body_end = max((span.end for span, zone in zip(stretch.spans, zones, strict=True) if zone), default=opening_end)
        position = opening_end
        for span, own in zip(stretch.spans, zones, strict=True):
            if span.end <= position or span.start >= body_end:
                continue
            start, end = max(position, span.start), min(span.end, body_end)
            zone = own or (Zone.CONTEXT if _is_foreign(span, owner) else Zone.SCAFFOLD)
            self._add(start, end, zone, owner)
            position = end
        return max(body_end, opening_end)

    # The stop

    def _ending(self, stretch: Stretch, owner: int, start: int, position: int) -> int:
        """Zones after the last source character; returns how many characters of the next stretch the stop takes."""
        end = stretch.end
        literal = self._closing_literal(stretch, start)
        # Header fields, quotations and tool schemas after the content: only what follows them can stop the turn.
        for span in stretch.spans:
            if span.end > start and span.start < literal:
                zone = Zone.CONTEXT if _is_foreign(span, owner) else Zone.SCAFFOLD
                self._add(max(start, span.start), min(span.end, literal), zone, owner)
        start = literal
        generated = self.roles[owner] in self.generated
        stop_start, stop_end = self._first(self.declared_stops, start, end)
        if generated:
            stop_start, stop_end = self._last_of_turn(stretch, owner, stop_start, stop_end)
        if stop_start == end and generated:
            stop_start, stop_end = self._first(self.special, start, end)
        if stop_start < end:
            self._add(start, stop_start, Zone.SCAFFOLD, owner)
            self._add(stop_start, stop_end, Zone.STOP, owner)
            self._add(stop_end, end, Zone.TAIL, owner)
            return 0
        stop_start, stop_end = self._boundary_stop(owner, position) if generated else (end, end)
        if stop_start < stop_end:
            self._add(start, stop_start, Zone.SCAFFOLD, owner)
            self._add(stop_start, stop_end, Zone.STOP, owner)
            self.boundary_stops.add(owner)
            return stop_end - end
        self.without_stop.add(owner)
        visible = start + len(self.text[start:end].rstrip())
        self._add(start, visible, Zone.SCAFFOLD, owner)
        self._add(visible, end, Zone.TAIL, owner)
        return 0

    def _last_of_turn(self, stretch: Stretch, owner: int, start: int, end: int) -> tuple[int, int]:
        """The stop after one behind which the turn goes on: with a header of its own, as a generation prompt gives."""
        while self.text[end : stretch.end].strip():
            headers = self.prompts.before(owner, stretch.start).added
            header = next((added for added in headers if added.strip() and self.text.startswith(added, end)), None)
            if header is None:
                break
            found = self._first(self.declared_stops, end + len(header), stretch.end)
            if found[0] >= stretch.end:
                break
            start, end = found
        return start, end

    def _closing_literal(self, stretch: Stretch, start: int) -> int:
        """Where the template's own text begins after the last source character."""
        for span in stretch.spans:
            if span.start >= start and span.origin.kind in (OriginKind.MESSAGE, OriginKind.TOOL):
                start = span.end
        return start

    def _first(self, tokens: re.Pattern[str], start: int, end: int) -> tuple[int, int]:
        """Where the first token of a pattern stands between two positions; (end, end) for none."""
        found = tokens.search(self.text, start, end)
        return found.span() if found else (end, end)

    def _boundary_stop(self, owner: int, position: int) -> tuple[int, int]:
        """Where the special token stands that begins the output after this turn and so ends it; empty for none.

        Where stops are declared, only those count. Text that belongs to nobody, or
        to a message of the same role, can only end the turn with a declared stop;
        before that of nobody, white space may stand.
        """
        nothing = (0, 0)
        if position + 1 >= len(self.stretches):
            return nothing
        following = self.stretches[position + 1]
        start = following.start
        if following.owner is None:
            start += len(self.text[start : following.end]) - len(self.text[start : following.end].lstrip())
        found = self.declared_stops.match(self.text, start, following.end)
        is_other = following.owner is not None and self.roles[following.owner] != self.roles[owner]
        if found is None and is_other and not self.stops_are_declared:
            found = self.special.match(self.text, start, following.end)
        return found.span() if found else nothing


def _is_foreign(span: Span, owner: int) -> bool:
    """Whether a span repeats a tool schema, or another message than the one whose region it stands in."""
    origin = span.origin
    return origin.kind is OriginKind.TOOL or (origin.kind is OriginKind.MESSAGE and origin.message != owner)


def _own_zone(span: Span, owner: int) -> Zone | None:
    """The zone of a message's own source characters, by their path; None for literals and for header fields."""
    origin = span.origin
    if origin.kind is not OriginKind.MESSAGE or origin.message != owner:
        return None
    return _zone_of_field(origin.path[0] if origin.path else "")


_HEADER_FIELDS = frozenset({"role", "name", "tool_call_id", "id", ""})
_REASONING_FIELDS = frozenset({"reasoning_content", "thinking", "reasoning"})
_CALL_FIELDS = frozenset({"tool_calls", "function_call", "function_calls"})


def _zone_of_field(field: str | int) -> Zone | None:
    if field in _HEADER_FIELDS:
        return None
    if field in _REASONING_FIELDS:
        return Zone.REASONING
    return Zone.TOOL_CALL if field in _CALL_FIELDS else Zone.CONTENT
