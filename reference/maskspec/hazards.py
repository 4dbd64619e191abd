"""What a correct mask should still warn about.

A hazard is not an error: the mask is what the specification says. It names a
place where the template, the tokenizer or the data makes that mask fragile,
surprising, or different from what somebody else's masker will give.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from maskspec.conversation import Conversation, Message
from maskspec.policy import Policy, Verdict
from maskspec.rendering import OriginKind, Rendering
from maskspec.segmentation import Segmentation, Zone
from maskspec.tokens import SpecialTokens

__all__ = ["Hazard", "HazardKind", "conversation_hazards"]


class HazardKind(Enum):
    """The kinds of hazard."""

    STRADDLING = "straddling"
    """A token has characters to train and characters to ignore."""
    PHANTOM = "phantom"
    """A token spells no character of the text."""
    DOUBLED_BOS = "doubled_bos"
    """The text begins with two beginning-of-sequence tokens."""
    NO_STOP = "no_stop"
    """A selected message ends without any stop token: the model does not learn to stop there."""
    BOUNDARY_STOP = "boundary_stop"
    """The stop of a selected message is printed by the message after it, or after all messages."""
    UNCONFIRMED_OPENING = "unconfirmed_opening"
    """No generation prompt confirms the text before a selected message."""
    GENERATION_TAGS_DISAGREE = "generation_tags_disagree"
    """The template's `{% generation %}` tags and the principle give different answers."""
    REASONING_DROPPED = "reasoning_dropped"
    """The template does not print reasoning that a selected message holds."""
    CONTENT_DROPPED = "content_dropped"
    """The template does not print all content of a selected message."""
    NOT_RENDERED = "not_rendered"
    """The template prints nothing for a selected message."""
    NOTHING_TRAINED = "nothing_trained"
    """No token of the conversation is trained; `mask` refuses such a conversation unless told to allow it."""
    UNKNOWN_TOKEN = "unknown_token"
    """A trained token is the unknown token: the vocabulary cannot spell the text."""


@dataclass(frozen=True, slots=True)
class Hazard:
    """One hazard, with the message and the token index that it concerns where there is one."""

    kind: HazardKind
    detail: str
    message: int | None = None
    token: int | None = None


def conversation_hazards(
    conversation: Conversation,
    rendering: Rendering,
    segmentation: Segmentation,
    policy: Policy,
    special_tokens: SpecialTokens,
) -> Iterator[Hazard]:
    """The hazards that do not depend on how the text is tokenised."""
    bos = special_tokens.bos
    if bos and rendering.text.startswith(bos):
        following = rendering.text[len(bos) :].lstrip()
        if following.startswith(bos):
            yield Hazard(HazardKind.DOUBLED_BOS, f"the text begins with {bos!r} twice", token=0)
    selected = policy.selected(conversation)
    rendered = {part.message for part in segmentation.segments}
    for index in sorted(selected):
        if index not in rendered:
            yield Hazard(HazardKind.NOT_RENDERED, "the template prints nothing for this message", index)
            continue
        if index in segmentation.without_stop:
            yield Hazard(HazardKind.NO_STOP, "no stop token ends this turn; declare one or mend the template", index)
        if index in segmentation.boundary_stops:
            yield Hazard(HazardKind.BOUNDARY_STOP, "the stop of this turn is printed after its own text", index)
    for part in segmentation.segments:
        if part.zone is Zone.OPENING and not part.certain and part.message in selected:
            shown = rendering.text[part.start : part.end]
            yield Hazard(
                HazardKind.UNCONFIRMED_OPENING, f"no generation prompt confirms the opening {shown!r}", part.message
            )
    yield from _dropped_text(conversation, rendering, selected & rendered)
    if rendering.generation_ranges is not None:
        principle = Policy(roles=policy.generated, flags=False)
        selected = principle.selected(conversation)
        yield from _disagreeing_tags(rendering, segmentation, principle, selected, rendering.generation_ranges)


def _dropped_text(conversation: Conversation, rendering: Rendering, indices: frozenset[int | None]) -> Iterator[Hazard]:
    """Reasoning and content of selected messages that the template does not print."""
    printed: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for span in rendering.spans:
        origin = span.origin
        if origin.kind is OriginKind.MESSAGE and origin.message in indices and not origin.is_key and origin.path:
            field = "reasoning" if origin.path[0] in _REASONING_FIELDS else origin.path[0]
            if field in ("reasoning", "content") and origin.message is not None:
                length = span.end - span.start
                at = span.offset if span.offset is not None else 0
                reach = length if span.offset is not None else len(_own_text(conversation[origin.message], str(field)))
                printed.setdefault((origin.message, str(field)), []).append((at, at + reach))
    for index in sorted(index for index in indices if index is not None):
        message = conversation[index]
        for field, kind in (("reasoning", HazardKind.REASONING_DROPPED), ("content", HazardKind.CONTENT_DROPPED)):
            text = _own_text(message, field)
            missing = _missing(text, printed.get((index, field), []))
            if missing:
                tagged = field == "content" and ("</think>" in text or "<think>" in text)
                yield Hazard(
                    HazardKind.REASONING_DROPPED if tagged else kind,
                    f"the template drops {len(missing)} of {len(text)} characters of the {field}, "
                    f"from {missing[:30]!r}",
                    index,
                )


_REASONING_FIELDS = frozenset({"reasoning_content", "thinking", "reasoning"})


def _own_text(message: Message, field: str) -> str:
    if field == "reasoning":
        return message.reasoning if isinstance(message.reasoning, str) else ""
    return message.content if isinstance(message.content, str) else ""


def _missing(text: str, ranges: list[tuple[int, int]]) -> str:
    """The characters outside the printed ranges, white space at the edges of a gap not counted."""
    missing: list[str] = []
    position = 0
    for start, end in sorted(ranges):
        if start > position:
            missing.append(text[position:start].strip())
        position = max(position, end)
    missing.append(text[position:].strip())
    return "".join(missing)


def _disagreeing_tags(
    rendering: Rendering,
    segmentation: Segmentation,
    policy: Policy,
    selected: frozenset[int],
    ranges: tuple[tuple[int, int], ...],
) -> Iterator[Hazard]:
    """Where the template's generation tags and the principle differ, at most once per message."""
    position = 0
    reported: set[int | None] = set()
    for part in segmentation.segments:
        chosen = part.message in selected
        verdict = policy.zone_verdict(part.zone) if chosen and part.certain else Verdict.IGNORE
        if verdict is Verdict.EITHER or (chosen and not part.certain) or part.message in reported:
            continue
        while position < len(ranges) and ranges[position][1] <= part.start:
            position += 1
        tagged = sum(
            min(end, part.end) - max(start, part.start) for start, end in _overlapping(ranges, position, part.end)
        )
        length = part.end - part.start
        if tagged != (length if verdict is Verdict.TRAIN else 0):
            reported.add(part.message)
            shown = rendering.text[part.start : part.end]
            covered = "do not cover" if not tagged else "cover" if tagged == length else "cover only part of"
            yield Hazard(
                HazardKind.GENERATION_TAGS_DISAGREE,
                f"the template's generation tags {covered} the {part.zone.value} text "
                f"{shown if len(shown) <= 30 else shown[:30] + '…'!r}, which the principle "
                f"{'ignores' if verdict is Verdict.IGNORE else 'trains'}",
                part.message,
            )


def _overlapping(ranges: tuple[tuple[int, int], ...], first: int, end: int) -> Iterator[tuple[int, int]]:
    for position in range(first, len(ranges)):
        if ranges[position][0] >= end:
            return
        yield ranges[position]
