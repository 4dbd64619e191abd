"""Compares the second opinion with the reference, character by character, and names every difference."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from itertools import groupby
from typing import Any

from maskspec.conversation import Conversation
from maskspec.corpus import Template
from maskspec.errors import TemplateError
from maskspec.policy import Judgement, Policy, judge
from maskspec.prompts import GenerationPrompts
from maskspec.rendering import ConversationRenderer, OriginKind, Rendering
from maskspec.segmentation import Segmentation, segment
from maskspec.shapes import SHAPES, traits
from maskspec.strategies import Generated
from maskspec.strategies.sampling import sample_traits
from maskspec.tokens import SpecialTokens
from tests.second_opinion.borders import GENERATED, Vocabulary
from tests.second_opinion.changes import Source, kind_of_field
from tests.second_opinion.differential import Opinion, opinion
from tests.second_opinion.limits import UNKNOWN, Limit
from tests.second_opinion.plain import NOW, Message, PlainTemplate
from tests.second_opinion.reasons import Reason, nearest, printed_together, writing


class Aspect(Enum):
    """What is compared of every character."""

    SOURCE = "source"
    OWNER = "owner"
    ZONE = "zone"
    VERDICT = "verdict"


@dataclass(frozen=True)
class Reference:
    """What maskspec says about one conversation under the template `source`."""

    source: str
    rendering: Rendering
    segmentation: Segmentation
    judgements: tuple[Judgement, ...]

    @cached_property
    def sources(self) -> list[Any]:
        """Message and kind of field that every character was copied from, None for everything but message text."""
        found: list[Any] = []
        for span in self.rendering.spans:
            origin = span.origin
            copied = origin.kind is OriginKind.MESSAGE
            source = (origin.message, kind_of_field(origin.path[0] if origin.path else "role")) if copied else None
            found += [source] * (span.end - span.start)
        return found

    @cached_property
    def owners(self) -> list[Any]:
        """The message of every character."""
        return _by_character([(part.start, part.end, part.message) for part in self.segmentation.segments])

    @cached_property
    def zones(self) -> list[Any]:
        """The zone of every character."""
        return _by_character([(part.start, part.end, part.zone.name) for part in self.segmentation.segments])

    @cached_property
    def verdicts(self) -> list[Any]:
        """The verdict of every character under the default policy."""
        return _by_character([(part.start, part.end, part.verdict.value) for part in self.judgements])


def _by_character(parts: Sequence[tuple[int, int, Any]]) -> list[Any]:
    return [value for start, end, value in parts for _ in range(start, end)]


def reference(template: Template, asked: Generated) -> Reference:
    """The first opinion; raises what maskspec raises."""
    tokens = special_tokens(template)
    messages, tools = deepcopy(asked.messages), deepcopy(asked.tools)
    conversation = Conversation.from_messages(messages, tools=tools)
    renderer = ConversationRenderer(
        conversation,
        template=template.source,
        special_tokens=tokens.variables,
        template_kwargs=asked.template_kwargs,
        clock=lambda: NOW,
    )
    rendering, policy = renderer.rendering(), Policy()
    segmentation = segment(
        rendering,
        roles=conversation.roles,
        generated=policy.generated,
        prompts=GenerationPrompts(renderer, template=template.source, text=rendering.text),
        special_tokens=tokens,
    )
    return Reference(template.source, rendering, segmentation, judge(segmentation, rendering, conversation, policy))


def special_tokens(template: Template) -> SpecialTokens:
    """What is declared of the template's vocabulary; else `<s>`, `</s>` and what the source writes like a special token."""
    bos, eos, pad = template.bos, template.eos, template.pad
    stops, special = template.stops, template.special
    if not (stops or bos or eos):
        bos, eos, pad = "<s>", "</s>", "</s>"
        written = re.findall(r"<[|｜][^<>|｜\s]{1,60}[|｜]>|<(?:start|end)_of_[a-z_]+>", template.source)
        special = tuple(dict.fromkeys((bos, eos, *written)))
    given = {"bos_token": bos, "eos_token": eos, "pad_token": pad}
    variables = {name: value for name, value in given.items() if value is not None}
    added = tuple(dict.fromkeys((*special, *template.added)))
    return SpecialTokens(bos=bos, eos=eos, pad=pad, stops=stops, special=special, added=added, variables=variables)


def second_opinion(template: Template, plain: PlainTemplate, asked: Generated) -> Opinion | None:
    """The second opinion on the same; None where the template refuses the conversation."""
    tokens = special_tokens(template)
    stops = tuple(token for token in (*tokens.stops, tokens.eos) if token)
    never = tuple(token for token in (tokens.bos, tokens.pad) if token and token not in stops)
    words = Vocabulary(stops, tokens.special, never, tokens.added, tokens.bos, bool(tokens.stops))
    return opinion(plain, asked.messages, vocabulary=words, tools=asked.tools, variables=asked.template_kwargs)


@dataclass(frozen=True, slots=True)
class Difference:
    """Consecutive characters about which the two opinions differ in the same way; `reason` is None for one without a name."""

    aspect: Aspect
    start: int
    end: int
    second: Any
    first: Any
    reason: Reason | None


@dataclass(slots=True)
class Comparison:
    """One conversation: characters of which both opinions say the same, by aspect; those the second cannot tell; the rest."""

    text: str
    agreed: Counter[Aspect] = field(default_factory=Counter)
    unknown: Counter[tuple[Aspect, Limit | None]] = field(default_factory=Counter)
    limits: dict[Limit | Reason | None, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)


def compare(second: Opinion, first: Reference, roles: Sequence[str]) -> Comparison:
    """Hold the two opinions against each other; both are about the same text."""
    assert second.text == first.rendering.text
    result = Comparison(second.text)
    for limits in (second.limits, second.source_limits):
        result.limits.update({limit: at for at, limit in reversed(list(enumerate(limits))) if limit is not None})
    generated = [owner is not None and roles[owner] in GENERATED for owner in first.owners]
    zones = [zone if own else "CONTEXT" for zone, own in zip(first.zones, generated, strict=True)]
    sources = [
        source if source is None or source is UNKNOWN else (source.message, source.kind) for source in second.sources
    ]
    for aspect, known, others in (
        (Aspect.SOURCE, sources, first.sources),
        (Aspect.OWNER, second.owners, first.owners),
        (Aspect.ZONE, second.zones, zones),
        (Aspect.VERDICT, second.verdicts, first.verdicts),
    ):
        pairs = list(zip(known, others, strict=True))
        for (mine, other), group in groupby(range(len(pairs)), key=pairs.__getitem__):
            places = list(group)
            if mine == other:
                result.agreed[aspect] += len(places)
            elif mine is UNKNOWN:
                limits = second.source_limits if aspect is Aspect.SOURCE else second.limits
                result.unknown.update((aspect, limits[at]) for at in places)
            else:
                reason = _reason(aspect, places, mine, other, second, first, roles)
                result.differences.append(Difference(aspect, places[0], places[-1] + 1, mine, other, reason))
    return result


def _reason(
    aspect: Aspect,
    places: Sequence[int],
    mine: Any,
    other: Any,
    second: Opinion,
    first: Reference,
    roles: Sequence[str],
) -> Reason | None:
    """The name of a difference, by what both opinions say about its first character."""
    at = places[0]
    source, owner, owner_first = second.sources[at], second.owners[at], first.owners[at]
    trained = "train" in (second.verdicts[at], first.verdicts[at])

    def generated(message: Any) -> bool:
        return isinstance(message, int) and 0 <= message < len(roles) and roles[message] in GENERATED

    if _taken_apart(places, second, first):
        return Reason.BRANCHES_AGREE
    if aspect is Aspect.SOURCE:
        by_role = source is not UNKNOWN and source is not None and source.path == ("role",) and other is None
        by_other = mine is not None and other is not None and mine[0] != other[0] and not trained
        return Reason.BRANCHES_AGREE if by_role or by_other else None
    if aspect is Aspect.OWNER and not generated(mine) and not generated(other):
        copied = isinstance(source, Source) and first.sources[at] is not None
        return None if copied else Reason.CONTROL_FLOW
    before_all_sources = not any(first.sources[: at + 1])
    if {owner, owner_first} == {0, None} and before_all_sources and not trained:
        return Reason.CONTROL_FLOW
    if isinstance(source, Source) or first.sources[at] is not None:
        return None
    return _reason_of_literal(places, second, first, roles, trained=trained)


def _taken_apart(places: Sequence[int], second: Opinion, first: Reference) -> bool:
    """White space and tags that a template may write itself between the pieces of a text which it takes apart at them.

    Either both opinions give the same verdict, or the reference has it in the opening and a closing tag follows, at which
    the template takes the text apart; changed as a whole, it is printed as a whole.
    """
    at, behind = places[0], places[-1] + 1
    if not re.fullmatch(r"(\s|</?\w+>)+", second.text[at:behind]):
        return False
    start = at
    while start and second.sources[start] is None and second.text[start].isspace():
        start -= 1
    source = second.sources[start]
    if not isinstance(source, Source) or first.sources[start] is not None:
        return False
    if start == at and second.verdicts[at] == first.verdicts[at]:
        return True
    own = [
        place
        for place, each in enumerate(second.sources)
        if isinstance(each, Source) and each.message == source.message
    ]
    return first.zones[at] == "OPENING" and re.search(r"</\w+>", second.text[behind : own[-1]]) is not None


def _reason_of_literal(
    places: Sequence[int], second: Opinion, first: Reference, roles: Sequence[str], *, trained: bool
) -> Reason | None:
    """The name of a difference about text of the template's own."""
    at, behind = places[0], places[-1] + 1
    owner, owner_first, text = second.owners[at], first.owners[at], second.text[at:behind]
    written = writing(first.source)
    sources = [known and known[0] for known in first.sources]

    def generated(message: Any) -> bool:
        return isinstance(message, int) and 0 <= message < len(roles) and roles[message] in GENERATED

    around = nearest(sources, at, behind)
    if around == (owner_first, owner) and owner_first != owner and written.joins(text):
        return Reason.ONE_EXPRESSION
    if owner == owner_first and generated(owner) and not text.strip():
        # What stands behind it decides whether a blank at the end of a turn is scaffold or tail.
        nobodys = behind < len(second.text) and not any(each is not None for each in first.owners[behind:])
        return Reason.AFTER_THE_LOOP if nobodys and written.after else None
    if owner_first is None and not trained:
        return Reason.CONTROL_FLOW
    if first.owners[-1] is None and owner_first is None and generated(owner) and owner == len(roles) - 1:
        if not text.strip():
            return Reason.PRINTED_BY_BOTH
        return Reason.AFTER_THE_LOOP if written.after else None
    ahead = generated(owner) and owner_first in (owner - 1, None) and not generated(owner_first)
    if ahead and owner not in sources[:at] and written.prints_ahead(text):
        return Reason.PRINTED_AHEAD
    for known in (owner, owner_first):
        for left, right in ((known, known + 1), (known - 1, known)) if generated(known) else ():
            if generated(left) and generated(right) and printed_together(second.text, sources, left, right):
                return Reason.JOINED_ANSWERS
    later = isinstance(owner, int) and isinstance(owner_first, int) and owner < owner_first
    return Reason.PRINTED_BY_BOTH if later and (not trained or written.after) else None


def fixed_conversations(names: Sequence[str] = ()) -> Iterator[tuple[str, Generated]]:
    """The fixed shapes without training flags; all of them, or those that are named."""
    for shape in SHAPES:
        if not names or shape.name in names:
            messages, tools = shape.fresh()
            yield shape.name, Generated([_without_flags(message) for message in messages], tools)


def generated_conversations(template: Template, examples: int, seed: int) -> Iterator[tuple[str, Generated]]:
    """Conversations drawn for a template."""
    if examples:
        found = traits(template.source, special_tokens=special_tokens(template).variables)
        for number, asked in enumerate(sample_traits(found, flags=False, examples=examples, seed=seed)):
            yield f"generated {number}", asked


def _without_flags(message: Message) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key not in ("train", "weight", "spans")}


@dataclass(slots=True)
class Examined:
    """What was found out about one template: `odd` are conversations that one opinion renders and the other does not."""

    template: str
    comparisons: list[tuple[str, Comparison]] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    @property
    def unnamed(self) -> list[tuple[str, str, Difference]]:
        """The differences for which there is no reason: conversation, text before and inside, difference."""
        return [
            (name, f"{found.text[max(0, each.start - 40) : each.start]}⟦{found.text[each.start : each.end]}⟧", each)
            for name, found in self.comparisons
            for each in found.differences
            if each.reason is None
        ]


def examine(template: Template, conversations: Iterator[tuple[str, Generated]]) -> Examined:
    """Compare both opinions on every conversation that the template renders."""
    plain = PlainTemplate(template.source, special_tokens(template).variables)
    result = Examined(template.name)
    for name, asked in conversations:
        second = second_opinion(template, plain, asked)
        try:
            first = reference(template, asked)
        except TemplateError as error:
            if second is not None:
                result.odd.append(f"{name}: {error}")
            continue
        if second is None or second.text != first.rendering.text:
            result.odd.append(f"{name}: another text")
            continue
        roles = [message["role"] for message in asked.messages]
        result.comparisons.append((name, compare(second, first, roles)))
    return result
