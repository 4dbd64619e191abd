"""Whether the rendering of a conversation's beginning is a beginning of the rendering of the whole.

Where it is not, what a model saw at inference is not what it is trained on afterwards.
Which feature of the template rewrites the history is read off the origins: from which
message, and which field, the characters came that are there in one text and not in the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from maskspec.conformance.cases import Case
from maskspec.errors import MaskspecError, TemplateError, TemplateLimitExceeded
from maskspec.findings.conversations import PLAIN, SYSTEM
from maskspec.findings.kinds import FindingKind
from maskspec.findings.records import Observation, excerpt
from maskspec.findings.subject import Asked, Subject
from maskspec.markers import uncut
from maskspec.prompts import common_prefix
from maskspec.rendering import OriginKind
from maskspec.segmentation import Zone

__all__ = ["histories", "surroundings"]

_TOOLS = (-1, "tools")
_Place = tuple[int, str]


def histories(asked: Asked) -> Iterator[Observation]:
    """The beginnings of the conversation that are rendered otherwise, the shortest for each reason."""
    seen: set[tuple[FindingKind, str]] = set()
    for count in range(1, len(asked.messages)):
        if not (asked.is_generated(count - 1) or asked.is_generated(count)):
            continue  # nobody is asked between two questions, or between the results of two calls
        try:
            if asked.text.startswith(asked.renderer.text(count=count)):
                continue
            case = asked.case
            beginning = asked.subject.ask(
                Case(messages=case.messages[:count], tools=case.tools, template_kwargs=case.template_kwargs)
            )
        except TemplateLimitExceeded:
            raise
        except MaskspecError:
            continue
        found = _observation(beginning, asked, count)
        if (found.kind, found.variant) not in seen:
            seen.add((found.kind, found.variant))
            yield found


@dataclass(frozen=True, slots=True)
class _Printed:
    """What a rendering prints of messages: the characters by message and field, in the order of first places."""

    texts: dict[_Place, str]

    @property
    def order(self) -> list[_Place]:
        """The places in the order in which they are first printed."""
        return list(self.texts)

    def text(self, place: _Place) -> str:
        """What is printed of a place."""
        return self.texts.get(place, "")


def _printed(asked: Asked, count: int) -> _Printed:
    texts: dict[_Place, str] = {}
    for span in asked.rendering.spans:
        origin = span.origin
        place = _TOOLS
        if origin.kind is OriginKind.MESSAGE:
            if origin.message is None or origin.message >= count or not origin.path or origin.path[0] == "role":
                continue
            place = (origin.message, str(origin.path[0]))
        elif origin.kind is not OriginKind.TOOL:
            continue
        texts[place] = texts.get(place, "") + asked.text[span.start : span.end]
    return _Printed(texts)


def _observation(beginning: Asked, whole: Asked, count: int) -> Observation:
    kind, variant, detail = _reason(beginning, whole, count)
    start = _parting(beginning, whole)
    return Observation(
        kind,
        f"the first {count} of {len(whole.messages)} messages are rendered otherwise: {detail}",
        variant,
        beginning=count,
        excerpts=(
            excerpt(beginning.text, start, _end(beginning.text, start), label="the beginning alone"),
            excerpt(whole.text, start, _end(whole.text, start), label="the whole"),
        ),
    )


def _parting(beginning: Asked, whole: Asked) -> int:
    """Where the two texts part, outside of markers."""
    start = common_prefix(beginning.text, whole.text)
    return min(uncut(beginning.text, start), uncut(whole.text, start))


_SHOWN = 80


def _end(text: str, start: int) -> int:
    return min(len(text), start + _SHOWN)


def _reason(beginning: Asked, whole: Asked, count: int) -> tuple[FindingKind, str, str]:
    before, after = _printed(beginning, count), _printed(whole, count)
    changed = [
        place for place in dict.fromkeys((*before.order, *after.order)) if before.text(place) != after.text(place)
    ]
    for index, name in changed:
        verb = "drops" if len(after.text((index, name))) < len(before.text((index, name))) else "adds"
        if name == "reasoning_content":
            return FindingKind.HISTORY_REASONING, "", f"the template {verb} the reasoning of message {index}"
        if name == "content" and "</think>" in str(beginning.messages[index].get("content")):
            return FindingKind.HISTORY_REASONING, "inside the content", f"the template {verb} text of message {index}"
    if _TOOLS in changed:
        return FindingKind.HISTORY_TOOLS, "", "tool schemas come or go"
    for index, name in changed:
        role = beginning.role(index)
        if role in ("system", "developer"):
            return FindingKind.HISTORY_SYSTEM, "", f"text of the {role} message comes or goes"
        blank = before.text((index, name)).strip() == after.text((index, name)).strip()
        what = "white space of the content" if blank else "tool calls" if name == "tool_calls" else name
        return FindingKind.HISTORY_CONTENT, f"{role}: {what}", f"message {index} ({role}) has other {what}"
    moved = _moved(before.order, after.order, beginning)
    if moved is not None:
        return moved
    start = _parting(beginning, whole)
    if start >= _last_end(beginning, count - 1):
        rest = beginning.text[start:]
        variant = "blank" if not rest.strip() else "text"
        return FindingKind.HISTORY_END, variant, f"the text ends with {_quoted(rest)} only when nothing follows"
    ahead = next((span.origin.message for span in whole.sources if span.start <= start < span.end), None)
    if ahead is not None and ahead >= count:
        kind = FindingKind.HISTORY_SYSTEM if whole.role(ahead) == "system" else FindingKind.HISTORY_CONTENT
        return kind, "a later message", f"message {ahead} ({whole.role(ahead)}) is printed ahead of earlier ones"
    return FindingKind.HISTORY_LAST_TURN, "", "template text inside an earlier turn is another"


def _last_end(asked: Asked, index: int) -> int:
    """Where the last message ends, but for what the template prints behind it: its words, else its stop."""
    words = [span.end for span in asked.sources if span.origin.message == index]
    stops = [part.end for part in asked.segments_of(index, Zone.STOP)]
    return max(words or stops, default=asked.span_of(index)[0])


def _moved(before: list[_Place], after: list[_Place], asked: Asked) -> tuple[FindingKind, str, str] | None:
    """Which source stands elsewhere among the others."""
    if before == after:
        return None
    if [place for place in before if place != _TOOLS] == [place for place in after if place != _TOOLS]:
        return FindingKind.HISTORY_TOOLS, "", "the tool schemas are printed at another place"

    def without_system(places: list[_Place]) -> list[_Place]:
        return [place for place in places if place[0] < 0 or asked.role(place[0]) not in ("system", "developer")]

    if without_system(before) == without_system(after):
        return FindingKind.HISTORY_SYSTEM, "", "the system text is printed at another place"
    return FindingKind.HISTORY_CONTENT, "order", "the messages are printed in another order"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")


_LATER = timedelta(days=2012, hours=7, minutes=11, seconds=13)
_PROSE = re.compile(r"(?:[^\W\d_]+[,.:;]?[ \n]+){3}[^\W\d_]+|[\u3040-\u30ff\u4e00-\u9fff]{6}")
"""Four words in a row, or six characters of a script without spaces."""


def surroundings(subject: Subject) -> Iterator[tuple[Case, Observation]]:
    """What the template prints of its own: dates, a default system prompt, sentences ahead of the messages."""
    for case in (PLAIN, SYSTEM):
        asked, later = _asked(subject, case), _asked(subject.at(subject.clock + _LATER), case)
        if asked is not None and later is not None and asked.text != later.text:
            start = common_prefix(asked.text, later.text)
            while start and not asked.text[start - 1].isspace():
                start -= 1
            shown = [excerpt(each.text, start, _date_end(each.text, start)) for each in (asked, later)]
            yield case, Observation(FindingKind.DATE, "the text depends on the clock", excerpts=tuple(shown))
            break
    plain, told = _asked(subject, PLAIN), _asked(subject, SYSTEM)
    if plain is not None and told is not None:
        start, end = _only_in(plain.text, told.text)
        if len(re.findall(r"[^\W\d_]", plain.text[start:end])) >= _LETTERS and end <= _first_word(plain):
            detail = f"without a system message the template prints {_quoted(plain.text[start:end].strip())}"
            yield PLAIN, Observation(FindingKind.DEFAULT_SYSTEM, detail, excerpts=(excerpt(plain.text, start, end),))
    for case, asked in ((SYSTEM, told), (PLAIN, plain)):
        if asked is not None and (case is SYSTEM or told is None):
            found = _PROSE.search(asked.text, 0, _first_word(asked))
            if found is not None:
                detail = f"ahead of the messages the template prints {_quoted(found.group())}"
                piece = excerpt(asked.text, *found.span())
                yield case, Observation(FindingKind.PREAMBLE, detail, excerpts=(piece,))
                break


_LETTERS = 8


def _asked(subject: Subject, case: Case) -> Asked | None:
    try:
        return subject.ask(case)
    except TemplateLimitExceeded:
        raise
    except TemplateError:
        return None


def _first_word(asked: Asked) -> int:
    """Where the first words of a message stand."""
    return next((span.start for span in asked.sources), 0)


def _only_in(text: str, other: str) -> tuple[int, int]:
    """What stands in a text between what it shares with another one at both ends."""
    start = common_prefix(text, other)
    shared = common_prefix(text[start:][::-1], other[start:][::-1])
    return start, len(text) - shared


def _date_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return end if 0 <= end <= start + _SHOWN else _end(text, start)
