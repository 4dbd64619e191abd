"""Spans put together by the message that owns them: what the regions of messages are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maskspec.rendering import OriginKind, Span

__all__ = ["Stretch", "stretches"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive spans of one owner."""

    owner: int | None
    spans: Sequence[Span]

    @property
    def start(self) -> int:
        return self.spans[0].start

    @property
    def end(self) -> int:
        return self.spans[-1].end


def stretches(spans: Sequence[Span]) -> list[Stretch]:
    """Spans grouped by owner; text of nobody between two stretches of one message belongs to it.

    What a later message quotes stands in the region of that message, unless
    the quotation is the only place where the earlier one is printed (a system
    prompt merged into the first user turn).
    """
    printed = {span.origin.message for span in spans if _is_source(span) and span.origin.quoted_in is None}
    groups: list[tuple[int | None, list[Span]]] = []
    for span in spans:
        owner = span.origin.message
        if span.origin.quoted_in is not None and owner in printed:
            owner = span.origin.quoted_in
        if groups and groups[-1][0] == owner:
            groups[-1][1].append(span)
        elif len(groups) >= 2 and groups[-1][0] is None and groups[-2][0] == owner and owner is not None:
            groups[-2][1].extend(groups.pop()[1])
            groups[-1][1].append(span)
        else:
            groups.append((owner, [span]))
    return [Stretch(owner, tuple(members)) for owner, members in _without_strays(groups)]


def _without_strays(groups: list[tuple[int | None, list[Span]]]) -> list[tuple[int | None, list[Span]]]:
    """The same with stray literals given to the message in whose midst they stand.

    A template that loops over all messages inside one of them, to look for a call say, prints literals that belong to
    the message of the inner loop. No source character of it is near, so they are no region of it. A header that such a
    literal parts from its message is none: it stands behind an earlier message, and sources of that do not follow.
    """
    owners = [owner for owner, _ in groups if owner is not None]
    if len(set(owners)) == len(owners):
        return groups
    at_home = {owner for owner, spans in groups if any(map(_is_source, spans))}
    kept: list[tuple[int | None, list[Span]]] = []
    for (owner, spans), (following, its_spans) in zip(groups, [*groups[1:], (None, [])], strict=True):
        around = kept[-1][0] if kept else None
        stray = (
            owner is not None
            and owner in at_home
            and around == following
            and around is not None
            and (owner < around or any(map(_is_source, its_spans)))
            and not any(map(_is_source, spans))
        )
        if kept and (stray or around == owner):
            kept[-1][1].extend(spans)
        else:
            kept.append((owner, spans))
    return kept


def _is_source(span: Span) -> bool:
    return span.origin.kind is OriginKind.MESSAGE
