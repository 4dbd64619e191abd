"""Whether the words of the messages reach the output: whole, trimmed, cut, changed, or not at all.

Every character of the output knows the place of the message that it was copied from, so
the characters that no output came from are those that the template leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maskspec.findings.kinds import FindingKind
from maskspec.findings.records import Excerpt, Observation, excerpt
from maskspec.findings.subject import Asked
from maskspec.rendering import OriginKind, Span

__all__ = ["contents"]

_Path = tuple[str | int, ...]
_Spans = Mapping[tuple[int, _Path], list[Span]]
_THINK = re.compile(r"</?think>")


def contents(asked: Asked) -> Iterator[Observation]:
    """What becomes of the words of every message that is printed, of its calls, and of the tool schemas."""
    spans = _by_place(asked)
    printed = {part.message for part in asked.segmentation.segments}
    for index, message in enumerate(asked.messages):
        if index in printed:
            yield from _content(asked, index, message, spans)
            yield from _reasoning(asked, index, message, spans)
            yield from _calls(asked, index, message, spans)
        elif not asked.is_generated(index) and _words(message):
            # Answers of which nothing is printed are a hazard.
            yield _lost(asked, index, "the template prints nothing for")
    if asked.case.tools and not any(span.origin.kind is OriginKind.TOOL for span in asked.rendering.spans):
        yield Observation(FindingKind.TOOLS_DROPPED, "tool schemas are given, and nothing of them is printed")


def _by_place(asked: Asked) -> _Spans:
    """The spans that were copied from values of messages, by message and path."""
    found: dict[tuple[int, _Path], list[Span]] = {}
    for span in asked.rendering.spans:
        origin = span.origin
        if origin.kind is OriginKind.MESSAGE and origin.message is not None and not origin.is_key:
            found.setdefault((origin.message, origin.path), []).append(span)
    return found


def _words(message: Mapping[str, Any]) -> bool:
    """Whether a message has content that is more than white space."""
    content = message.get("content")
    if isinstance(content, str):
        return bool(content.strip())
    return any(str(part.get("text", "")).strip() for part in content or () if isinstance(part, Mapping))


def _lost(asked: Asked, index: int, what: str) -> Observation:
    role = asked.role(index)
    detail = f"{what} message {index} ({role})"
    if role == "system" and index == 0:
        return Observation(FindingKind.SYSTEM_LOST, detail, "", index, excerpts=_around(asked, index))
    variant = "a system message after the first round" if role == "system" else role
    return Observation(FindingKind.MESSAGE_LOST, detail, variant, index, excerpts=_around(asked, index))


def _around(asked: Asked, index: int) -> tuple[Excerpt, ...]:
    """The place of a message; for one that is not printed, what the next one begins with."""
    start, end = asked.span_of(index)
    if start == end:
        following = [part.start for part in asked.segmentation.segments if (part.message or -1) > index]
        start = end = min(following, default=len(asked.text))
    return (excerpt(asked.text, start, end),)


@dataclass(frozen=True, slots=True)
class _Copy:
    """What became of one text: which of its characters are missing, and which are printed otherwise.

    `changed` and `escaped` are places of the text, each with where its output stands.
    """

    text: str
    missing: tuple[int, ...]
    changed: tuple[tuple[int, int, int], ...]
    escaped: tuple[tuple[int, int, int], ...]

    @property
    def is_lost(self) -> bool:
        """Whether nothing of the text is printed."""
        return len(self.missing) == len(self.text)

    @property
    def inside(self) -> str:
        """The missing characters without the white space at the edges of the text."""
        kept = self.text.strip()
        first = self.text.find(kept)
        return "".join(self.text[place] for place in self.missing if first <= place < first + len(kept))


def _copy(asked: Asked, text: str, spans: Sequence[Span]) -> _Copy:
    printed: dict[int, str] = {}
    places: dict[int, tuple[int, int]] = {}
    for span in spans:
        if span.offset is None:
            continue
        for step in range(span.end - span.start):
            place = span.offset + step
            printed[place] = printed.get(place, "") + asked.text[span.start + step]
            start, _ = places.get(place, (span.start + step, 0))
            places[place] = (start, span.start + step + 1)
    if not printed and spans:
        # Written anew, as a number is: all of it came from there.
        whole = asked.text[spans[0].start : spans[-1].end]
        return _Copy(text, (), () if text in whole else ((0, spans[0].start, spans[-1].end),), ())
    other = [place for place, shown in printed.items() if place < len(text) and shown.strip(text[place])]
    escaped = [place for place in other if printed[place][0] in ("\\", "&")]
    return _Copy(
        text,
        tuple(place for place in range(len(text)) if place not in printed),
        tuple((place, *places[place]) for place in other if place not in escaped),
        tuple((place, *places[place]) for place in escaped),
    )


def _content(asked: Asked, index: int, message: Mapping[str, Any], spans: _Spans) -> Iterator[Observation]:
    content = message.get("content")
    if isinstance(content, list | tuple):
        yield from _parts(asked, index, content, spans)
    elif isinstance(content, str) and content:
        yield from _text(asked, index, content, spans.get((index, ("content",)), ()))


def _text(asked: Asked, index: int, text: str, spans: Sequence[Span]) -> Iterator[Observation]:
    role = asked.role(index)
    copied = _copy(asked, text, spans)
    reasons = "</think>" in text and asked.is_generated(index)
    if copied.is_lost and text.strip() and not reasons:
        if role == "system":
            yield _lost(asked, index, "the template prints nothing of the content of")
        else:
            detail = f"nothing of the content of message {index} ({role}) is printed"
            variant = f"{role}, beside tool calls" if asked.messages[index].get("tool_calls") else role
            yield Observation(FindingKind.CONTENT_DROPPED, detail, variant, index, excerpts=_around(asked, index))
        return
    inside = copied.inside
    if inside and reasons:
        if _THINK.sub("", inside).strip():
            detail = f"message {index} loses {_quoted(inside)}"
            yield Observation(FindingKind.REASONING_INLINE, detail, "", index, excerpts=_around(asked, index))
    elif inside.strip():
        detail = f"message {index} ({role}) loses {_quoted(inside)}"
        yield Observation(FindingKind.CONTENT_CUT, detail, role, index, excerpts=_around(asked, index))
    elif copied.missing:
        edges = "".join(text[place] for place in copied.missing)
        detail = f"message {index} ({role}) loses {_quoted(edges)}"
        yield Observation(FindingKind.CONTENT_TRIMMED, detail, role, index, excerpts=_around(asked, index))
    for kind, changes in ((FindingKind.CONTENT_ALTERED, copied.changed), (FindingKind.CONTENT_ESCAPED, copied.escaped)):
        if changes:
            place, start, end = changes[0]
            detail = f"message {index} ({role}) has {text[place]!r}, and the output {_quoted(asked.text[start:end])}"
            yield Observation(kind, detail, role, index, excerpts=(excerpt(asked.text, start, end),))


def _parts(asked: Asked, index: int, parts: Sequence[Any], spans: _Spans) -> Iterator[Observation]:
    role = asked.role(index)
    texts = {number: part["text"] for number, part in enumerate(parts) if isinstance(part, Mapping) and "text" in part}
    whole = spans.get((index, ("content",)), ())
    if whole and any(span.offset is None for span in whole):
        detail = f"the parts of message {index} ({role}) are printed as the list that they are"
        piece = excerpt(asked.text, whole[0].start, whole[-1].end)
        yield Observation(FindingKind.PARTS_SPELLED_OUT, detail, role, index, excerpts=(piece,))
        return
    places = {number: spans.get((index, ("content", number, "text")), []) for number in texts}
    lost = [number for number, text in texts.items() if text.strip() and not places[number]]
    if any("type" in map(str, path) for message, path in spans if message == index and path[:1] == ("content",)):
        first = min(span.start for (message, path), all_ in spans.items() if message == index and path for span in all_)
        detail = f"the parts of message {index} ({role}) are printed as the list that they are"
        piece = excerpt(asked.text, first, asked.span_of(index)[1])
        yield Observation(FindingKind.PARTS_SPELLED_OUT, detail, role, index, excerpts=(piece,))
    elif lost and len(lost) == sum(bool(text.strip()) for text in texts.values()):
        if role == "system":
            yield _lost(asked, index, "the template prints nothing of the content of")
        else:
            detail = f"nothing of the content of message {index} ({role}), given in parts, is printed"
            variant = f"{role}, in parts"
            yield Observation(FindingKind.CONTENT_DROPPED, detail, variant, index, excerpts=_around(asked, index))
    elif lost:
        detail = f"of {len(texts)} parts of message {index} ({role}) {len(lost)} are not printed"
        yield Observation(FindingKind.PARTS_DROPPED, detail, role, index, excerpts=_around(asked, index))


def _reasoning(asked: Asked, index: int, message: Mapping[str, Any], spans: _Spans) -> Iterator[Observation]:
    text = message.get("reasoning_content")
    if not isinstance(text, str) or not text.strip() or spans.get((index, ("reasoning_content",))):
        return
    later = [place for place in asked.answers if place > index]
    asked_again = any(role == "user" for role in asked.conversation.roles[index + 1 :])
    kept = any(spans.get((place, ("reasoning_content",))) for place in later)
    if asked_again and kept:
        detail = f"the reasoning of message {index} is not printed, that of the last answer is"
        yield Observation(FindingKind.REASONING_EARLIER, detail, "", index, excerpts=_around(asked, index))
    elif not asked_again:
        variant = "beside tool calls" if message.get("tool_calls") else ""
        detail = f"the reasoning of message {index} is not printed"
        yield Observation(FindingKind.REASONING_IGNORED, detail, variant, index, excerpts=_around(asked, index))


def _calls(asked: Asked, index: int, message: Mapping[str, Any], spans: _Spans) -> Iterator[Observation]:
    calls = message.get("tool_calls")
    if not calls or not isinstance(calls, list | tuple):
        return
    printed = [path for place, path in spans if place == index and path[:1] == ("tool_calls",)]
    needed: list[_Path] = []
    for number, call in enumerate(calls):
        needed += [path for path in _leaves(call, ("tool_calls", number)) if path[-1] not in ("id", "type")]
    missing = [path for path in needed if not any(path[: len(shown)] == shown for shown in printed)]
    if not missing:
        return
    names = ", ".join(str(path[-1]) for path in missing)
    if len(missing) == len(needed):
        detail = f"nothing of the tool call of message {index} is printed"
        yield Observation(FindingKind.CALLS_DROPPED, detail, "", index, excerpts=_around(asked, index))
    else:
        whole = {path[1] for path in missing} - {path[1] for path in needed if path not in missing}
        variant = "a further call" if whole else "an argument" if missing[0][-1] != "name" else "the name"
        detail = f"of the tool calls of message {index} is not printed: {names}"
        yield Observation(FindingKind.CALLS_CUT, detail, variant, index, excerpts=_around(asked, index))


def _leaves(value: Any, path: _Path) -> Iterator[_Path]:
    """The paths of all texts and numbers that are not empty; an empty object as text is."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _leaves(item, (*path, number))
    elif value not in (None, "", "{}", True, False):
        yield path


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
