"""Which zones of which messages carry loss.

The defaults are the principle: a token carries loss if and only if, at
inference time, the model would have had to generate it. Every option is a
convention that somebody's masker follows on purpose; declaring it is what
turns a difference into a choice instead of a bug.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from itertools import pairwise
from typing import NamedTuple

from maskspec.conversation import Conversation, Message, canonical_roles
from maskspec.errors import PolicyError
from maskspec.rendering import OriginKind, Rendering
from maskspec.segmentation import Segment, Segmentation, Zone
from maskspec.suggestions import suggestion

__all__ = ["PRESETS", "Judgement", "Policy", "Stops", "Turns", "Verdict", "judge"]


class Verdict(Enum):
    """The policy's answer for one token."""

    __hash__ = object.__hash__

    TRAIN = "train"
    """The token carries loss."""
    IGNORE = "ignore"
    """The token is context."""
    EITHER = "either"
    """The principle does not decide; a masker may do both, and the reference ignores it."""


class Turns(Enum):
    """Which messages of the selected roles are trained."""

    ALL = "all"
    """Every one."""
    LAST = "last"
    """Only the last one."""
    LAST_ROUND = "last_round"
    """Those after the last user message."""


class Stops(Enum):
    """Which stop tokens are trained."""

    TURN = "turn"
    """The stop of every selected message."""
    LAST = "last"
    """Only the stop of the last selected message."""
    NONE = "none"
    """No stop."""
    ALL = "all"
    """The stops of all messages of every role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """For each zone, whether it is trained; and for which messages.

    `roles` are template role names; the ShareGPT names are understood
    (`{"gpt"}` is `{"assistant"}`). `generated` are the roles for which the
    template's generation prompt asks. While `flags` is true, a message's own
    `train` or `weight` flag wins over roles and turns, and its character spans
    limit what of its content is trained.

    `turns` and `stop` take the enum or its value. Raises `PolicyError`,
    naming the value, for anything that no policy can hold.
    """

    roles: frozenset[str] = frozenset({"assistant"})
    turns: Turns = Turns.ALL
    stop: Stops = Stops.TURN
    opening: Verdict = Verdict.IGNORE
    reasoning: Verdict = Verdict.TRAIN
    content: Verdict = Verdict.TRAIN
    tool_call: Verdict = Verdict.TRAIN
    scaffold: Verdict = Verdict.TRAIN
    tail: Verdict = Verdict.EITHER
    straddling: Verdict = Verdict.EITHER
    flags: bool = True
    generated: frozenset[str] = field(default=frozenset({"assistant", "model"}))

    def __post_init__(self) -> None:
        for name, kind in _ENUM_FIELDS.items():
            object.__setattr__(self, name, _member(kind, getattr(self, name), name))
        for name in ("roles", "generated"):
            object.__setattr__(self, name, _roles(getattr(self, name), name))
        if not isinstance(self.flags, bool):
            raise PolicyError(f"flags must be True or False, not {self.flags!r}")

    def __repr__(self) -> str:
        """The text of all options, the same in every process: members of a set in the order of the alphabet."""
        return f"Policy({', '.join(f'{option.name}={_shown(getattr(self, option.name))}' for option in fields(self))})"

    @classmethod
    def preset(cls, name: str, **changes: object) -> Policy:
        """A named convention from `PRESETS`, with further options changed."""
        if name not in PRESETS:
            raise PolicyError(f"there is no policy preset {name!r}{_otherwise(name, PRESETS)}")
        return PRESETS[name].changed(**changes)

    def changed(self, **changes: object) -> Policy:
        """The same policy with some options changed."""
        known = {option.name for option in fields(self)}
        for name in changes:
            if name not in known:
                raise PolicyError(f"a policy has no option {name!r}{_otherwise(name, known)}")
        return replace(self, **changes)  # type: ignore[arg-type]

    def zone_verdict(self, zone: Zone) -> Verdict:
        """The verdict for a zone of a selected message; STOP is decided by `stop`."""
        option = _OPTION_OF_ZONE.get(zone)
        if option is None:
            return Verdict.TRAIN if zone is Zone.STOP else Verdict.IGNORE
        verdict: Verdict = getattr(self, option)
        return verdict

    def selected(self, conversation: Conversation) -> frozenset[int]:
        """The indices of the messages that this policy trains."""
        messages = conversation.messages
        chosen = [index for index, message in enumerate(messages) if message.role in self.roles]
        if self.turns is Turns.LAST:
            chosen = chosen[-1:]
        elif self.turns is Turns.LAST_ROUND:
            last_user = max((index for index, message in enumerate(messages) if message.role == "user"), default=-1)
            chosen = [index for index in chosen if index > last_user]
        if not self.flags:
            return frozenset(chosen)
        flagged = {index: message.flag for index, message in enumerate(messages) if message.flag is not None}
        return frozenset({*chosen, *(index for index, flag in flagged.items() if flag)}) - {
            index for index, flag in flagged.items() if not flag
        }


_OPTION_OF_ZONE: Mapping[Zone, str] = {
    Zone.OPENING: "opening",
    Zone.REASONING: "reasoning",
    Zone.CONTENT: "content",
    Zone.TOOL_CALL: "tool_call",
    Zone.SCAFFOLD: "scaffold",
    Zone.TAIL: "tail",
}

_ENUM_FIELDS: Mapping[str, type[Enum]] = {
    "turns": Turns,
    "stop": Stops,
    **dict.fromkeys(("opening", "reasoning", "content", "tool_call", "scaffold", "tail", "straddling"), Verdict),
}


def _shown(value: object) -> str:
    return f"frozenset({{{', '.join(map(repr, sorted(value)))}}})" if isinstance(value, frozenset) else repr(value)


def _member(kind: type[Enum], value: object, name: str) -> Enum:
    if isinstance(value, kind):
        return value
    try:
        return kind(value)
    except ValueError:
        options = [str(member.value) for member in kind]
        raise PolicyError(
            f"{name} must be one of {', '.join(options)}, not {value!r}{_otherwise(str(value), options)}"
        ) from None


def _roles(value: object, name: str) -> frozenset[str]:
    if isinstance(value, str):
        raise PolicyError(f"{name} must be a set of role names, not the text {value!r}; did you mean {{{value!r}}}?")
    if not isinstance(value, Iterable):
        raise PolicyError(f"{name} must be a set of role names, not {value!r}")
    names = list(value)
    if not names:
        raise PolicyError(f"{name} is empty; name at least one role, such as {{'assistant'}}")
    for role in names:
        if not isinstance(role, str) or not role:
            raise PolicyError(f"{name} holds {role!r}, which is not a role name")
    return frozenset(_SHAREGPT.get(role, role) for role in names)


_SHAREGPT = {name: next(iter(canonical_roles([name]))) for name in ("gpt", "human")}


def _otherwise(name: str, known: Iterable[str]) -> str:
    return suggestion(name, known, otherwise=f"known: {', '.join(sorted(known))}")


PRESETS: Mapping[str, Policy] = {
    "principle": Policy(),
    "tail-ignored": Policy(tail=Verdict.IGNORE),
    "tail-trained": Policy(tail=Verdict.TRAIN),
    "opening-trained": Policy(opening=Verdict.TRAIN),
    "scaffold-ignored": Policy(scaffold=Verdict.IGNORE),
    "reasoning-ignored": Policy(reasoning=Verdict.IGNORE, scaffold=Verdict.EITHER),
    "straddling-trained": Policy(straddling=Verdict.TRAIN),
    "last-turn": Policy(turns=Turns.LAST),
    "last-round": Policy(turns=Turns.LAST_ROUND),
    "axolotl": Policy(tail=Verdict.IGNORE, straddling=Verdict.TRAIN),
    "transformers": Policy(straddling=Verdict.TRAIN),
    "llama-factory": Policy(tail=Verdict.TRAIN),
    "torchtune": Policy(opening=Verdict.TRAIN, tail=Verdict.TRAIN),
}
"""Conventions of maskers in use, by name; the chapter on known disagreements says who follows which."""


class Judgement(NamedTuple):
    """Characters `start` to `end` (half-open): one zone, one verdict, one reason."""

    start: int
    end: int
    zone: Zone
    message: int | None
    verdict: Verdict
    weight: float
    reason: str


def judge(
    segmentation: Segmentation, rendering: Rendering, conversation: Conversation, policy: Policy
) -> tuple[Judgement, ...]:
    """The verdict of the policy for every character: judgements that cover the text without gaps or overlaps.

    `weight` is the factor by which a trained character's loss counts: the
    message's or span's own, else 1.
    """
    selected = policy.selected(conversation)
    last = max(selected, default=None)
    messages = conversation.messages
    judgements: list[Judgement] = []
    for part in segmentation.segments:
        start, end, zone, index, _ = part
        message = None if index is None else messages[index]
        if message is None or zone is Zone.CONTEXT:
            judgements.append(Judgement(start, end, zone, index, Verdict.IGNORE, 1.0, "outside every message"))
            continue
        if zone is Zone.CONTENT and index in selected and _has_spans(message, policy):
            judgements.extend(_by_spans(part, rendering, message, policy))
            continue
        verdict, reason = _verdict(part, message, selected, last, policy)
        weight = 1.0 if message.weight is None else message.weight
        judgements.append(Judgement(start, end, zone, index, verdict, weight, reason))
    return tuple(judgements)


def _verdict(
    part: Segment, message: Message, selected: frozenset[int], last: int | None, policy: Policy
) -> tuple[Verdict, str]:
    chosen = part.message in selected
    if part.zone is Zone.STOP:
        return _stop_verdict(part, message, chosen, last, policy)
    if not chosen:
        return Verdict.IGNORE, _why_unselected(message, policy)
    verdict = policy.zone_verdict(part.zone)
    if part.zone is Zone.OPENING and not part.certain and verdict is Verdict.IGNORE:
        return Verdict.EITHER, "no prompt confirms it"
    if _has_spans(message, policy):
        return (Verdict.EITHER if verdict is Verdict.EITHER else Verdict.IGNORE), "outside its spans"
    return verdict, _REASONS[part.zone]


_REASONS: Mapping[Zone, str] = {
    Zone.OPENING: "the prompt supplies it",
    Zone.REASONING: "generated reasoning",
    Zone.CONTENT: "generated content",
    Zone.TOOL_CALL: "generated tool call",
    Zone.SCAFFOLD: "generated template text",
    Zone.TAIL: "after the stop",
}


def _stop_verdict(
    part: Segment, message: Message, chosen: bool, last: int | None, policy: Policy
) -> tuple[Verdict, str]:
    if policy.stop is Stops.ALL:
        return Verdict.TRAIN, "stops of all roles"
    if not chosen:
        return Verdict.IGNORE, _why_unselected(message, policy)
    if policy.stop is Stops.NONE:
        return Verdict.IGNORE, "no stops are trained"
    if policy.stop is Stops.LAST and part.message != last:
        return Verdict.IGNORE, "only the last stop"
    if _has_spans(message, policy) and not _ends_in_span(message):
        return Verdict.IGNORE, "outside its spans"
    return Verdict.TRAIN, "generated stop"


def _why_unselected(message: Message, policy: Policy) -> str:
    if policy.flags and message.flag is False:
        return "flagged not to train"
    return f"{message.role} is not selected" if message.role not in policy.roles else "another turn is selected"


def _has_spans(message: Message, policy: Policy) -> bool:
    return policy.flags and bool(message.spans)


def _ends_in_span(message: Message) -> bool:
    end = len(message.text)
    return any(span.train and span.start < end <= span.end for span in message.spans)


def _by_spans(part: Segment, rendering: Rendering, message: Message, policy: Policy) -> Iterator[Judgement]:
    """Judgements inside content of which only character spans are trained."""
    for start, end, offset in _content_pieces(part, rendering):
        cuts = {start, end}
        if offset is not None:
            for span in message.spans:
                cuts.update(
                    start + edge - offset for edge in (span.start, span.end) if offset < edge < offset + end - start
                )
        ordered = sorted(cuts)
        for left, right in pairwise(ordered):
            at = None if offset is None else offset + left - start
            inside = next((span for span in message.spans if at is not None and span.start <= at < span.end), None)
            if inside is not None and inside.train:
                weight = next(given for given in (inside.weight, message.weight, 1.0) if given is not None)
                verdict, reason = policy.content, "inside a span to train"
            else:
                weight, verdict, reason = 1.0, Verdict.IGNORE, "outside its spans"
            yield Judgement(left, right, part.zone, part.message, verdict, weight, reason)


def _content_pieces(part: Segment, rendering: Rendering) -> Iterator[tuple[int, int, int | None]]:
    """Pieces of a content segment with the offset of each in the message's text, None where it is not known."""
    for span in rendering.spans_between(part.start, part.end):
        start, end = max(span.start, part.start), min(span.end, part.end)
        copied = span.origin.kind is OriginKind.MESSAGE and span.origin.path == ("content",)
        known = copied and span.offset is not None
        yield start, end, (span.offset or 0) + start - span.start if known else None
