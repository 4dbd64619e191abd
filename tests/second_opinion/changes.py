"""Question 1: which characters are source text? Messages are changed character by character, and rendered again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

from tests.second_opinion.plain import Message, PlainTemplate

_HEADER = frozenset({"role", "name", "id", "tool_call_id"})
_REASONING = frozenset({"reasoning_content", "reasoning", "thinking"})
_CALLS = frozenset({"tool_calls", "function_call", "function_calls"})

_FIRST_MARK, _MARKS = 0xE000, 6400
"""The private use area: characters that no template knows."""

MARKER = r"<[^<>\s]{1,80}>|\[/?[A-Z_]{2,40}\]"
"""What looks like a special token."""


def kind_of_field(name: str | int) -> str:
    """HEADER, REASONING, TOOL_CALL or CONTENT, by the name of a message's field."""
    if name in _HEADER:
        return "HEADER"
    if name in _REASONING:
        return "REASONING"
    return "TOOL_CALL" if name in _CALLS else "CONTENT"


class Source(NamedTuple):
    """One character of a message: message, path of the value, place in it."""

    message: int
    path: tuple[str | int, ...]
    offset: int

    @property
    def kind(self) -> str:
        """The kind of field that it stands in."""
        return kind_of_field(self.path[0])


class Piece(NamedTuple):
    """Characters `start` to `end` of a value (or of a key) in a message, changed together."""

    message: int
    path: tuple[str | int, ...]
    key: bool
    value: Any
    start: int
    end: int


def _leaves(value: Any, path: tuple[str | int, ...], message: int) -> Iterable[Piece]:
    """The pieces of all values and of all keys below the fields of a message."""
    if isinstance(value, str):
        yield from _pieces(value, path, message, False)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if path:
                yield from _pieces(key, (*path, key), message, True)
            yield from _leaves(item, (*path, key), message)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index), message)
    elif value is not None:
        yield Piece(message, path, False, value, 0, 1)


def _is_structure(piece: Piece) -> bool:
    """Names that templates read a message by: they are printed only where a part or a call is printed whole."""
    return "arguments" not in piece.path[:-1] and (piece.key or piece.path[-1] == "type")


def _pieces(text: str, path: tuple[str | int, ...], message: int, key: bool) -> Iterable[Piece]:
    """Words and what looks like a tag whole, everything else in single characters."""
    for found in re.finditer(rf"{MARKER}|\w+|(?s:.)", text):
        yield Piece(message, path, key, text, *found.span())


def _is_markup(piece: Piece) -> bool:
    return isinstance(piece.value, str) and piece.value[piece.start] in "<[" and piece.end > piece.start + 1


def _replaced(value: Any, path: tuple[str | int, ...], new: Mapping[tuple[Any, bool], Any]) -> Any:
    """A copy with some of the values and keys replaced."""
    if (path, False) in new:
        return new[path, False]
    if isinstance(value, Mapping):
        return {new.get(((*path, key), True), key): _replaced(item, (*path, key), new) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, (*path, index), new) for index, item in enumerate(value)]
    return value


@lru_cache(maxsize=4096)
def _forms(original: str) -> tuple[str, ...]:
    """How a template may print a character: as it is, in another case, escaped for JSON, Python or HTML."""
    escaped = {json.dumps(original)[1:-1], json.dumps(original, ensure_ascii=False)[1:-1], repr(original)[1:-1]}
    escaped |= {{"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&#34;", "'": "&#39;"}.get(original, original)}
    return tuple({original, original.upper(), original.lower(), *escaped, f"\\{original}"} - {""})


def explain(changed: str, base: str, forms: Mapping[str, tuple[str, ...]]) -> list[tuple[int, int, str]] | None:
    """Where in `base` the originals of the marks in `changed` stand; None where putting them back does not give `base`."""
    states: dict[int, Any] = {0: None}
    for piece in re.split("([\ue000-\uf8ff])", changed):
        if not piece:
            continue
        following: dict[int, Any] = {}
        for position, found in states.items():
            for form in forms.get(piece, (piece,)):
                if base.startswith(form, position):
                    end = position + len(form)
                    following[end] = (position, end, piece, found) if piece in forms else found
        states = following
    if len(base) not in states:
        return None
    found, places = states[len(base)], []
    while found is not None:
        start, end, mark, found = found
        places.append((start, end, mark))
    return places[::-1]


@dataclass(slots=True)
class Differential:
    """One conversation under one template, rendered again and again."""

    template: PlainTemplate
    messages: list[Message]
    tools: Sequence[Message] | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    renders: int = 0
    _known: dict[tuple[int, bool], str | None] = field(default_factory=dict)

    def render(self, messages: Sequence[Message], prompt: bool = False) -> str | None:
        self.renders += 1
        return self.template.text(messages, tools=self.tools, prompt=prompt, more=self.variables)

    def prefix(self, count: int, prompt: bool = False) -> str | None:
        """The text of the first `count` messages."""
        if (count, prompt) not in self._known:
            self._known[count, prompt] = self.render(self.messages[:count], prompt)
        return self._known[count, prompt]

    def locate(
        self, pieces: Sequence[Piece], messages: Sequence[Message], base: str
    ) -> list[tuple[int, int, Source]] | None:
        """Where the characters of these pieces (of one message) stand in `base`, the text of `messages`."""
        taken = set(re.findall("[\ue000-\uf8ff]", base))
        marks = (chr(_FIRST_MARK + number) for number in range(_MARKS) if chr(_FIRST_MARK + number) not in taken)
        new: dict[tuple[Any, bool], Any] = {}
        origin: dict[str, Source] = {}
        forms: dict[str, tuple[str, ...]] = {}
        numbers: dict[str, str] = {}
        for (path, key), group in groupby(pieces, lambda piece: (piece.path, piece.key)):
            for piece in group:
                source_path = path if not key else (*path, "key")
                if isinstance(piece.value, str):
                    text = new.get((path, key), piece.value)
                    for offset in range(piece.start, piece.end):
                        mark = next(marks, None)
                        if mark is None:
                            return None
                        text = text[:offset] + mark + text[offset + 1 :]
                        origin[mark] = Source(piece.message, source_path, offset)
                        forms[mark] = _forms(piece.value[offset])
                    new[path, key] = text
                    continue
                mark = next(marks)
                number = 904_500_000 + len(numbers)
                new[path, key] = (not piece.value) if isinstance(piece.value, bool) else number
                if isinstance(piece.value, bool):
                    numbers[str(not piece.value)] = numbers[json.dumps(not piece.value)] = mark
                numbers[str(number)] = mark
                origin[mark] = Source(piece.message, source_path, 0)
                forms[mark] = (str(piece.value), json.dumps(piece.value))
        index = pieces[0].message
        changed = self.render(
            [_replaced(message, (), new) if number == index else message for number, message in enumerate(messages)]
        )
        if changed is None:
            return None
        changed = re.sub(r"\\u(e[0-9a-f]{3}|f[0-8][0-9a-f]{2})", lambda found: chr(int(found[1], 16)), changed)
        for number_text, mark in numbers.items():
            changed = changed.replace(number_text, mark)
        places = explain(changed, base, forms)
        return None if places is None else [(start, end, origin[mark]) for start, end, mark in places]

    def find(
        self, pieces: Sequence[Piece], base: str
    ) -> tuple[list[tuple[int, int, Source]], list[Piece], list[Piece]]:
        """Places of all pieces that can be changed without changing anything else; those pieces; the others.

        What looks like markup is changed on its own: changed with all the rest,
        it may make a template print the whole in another way.
        """
        markup = [piece for piece in pieces if _is_markup(piece)]
        places, good, deciding = self._find([piece for piece in pieces if not _is_markup(piece)], base)
        for piece in markup:
            some, fine, refused = self._find([piece], base)
            places, good, deciding = places + some, good + fine, deciding + refused
        if any(_is_markup(piece) for piece in deciding):
            dropped = {piece for piece in good if _is_markup(piece)}
            offsets = {(piece.message, piece.path, at) for piece in dropped for at in range(piece.start, piece.end)}
            places = [place for place in places if place[2] not in offsets]
            good = [piece for piece in good if piece not in dropped]
            deciding = sorted({*deciding, *dropped}, key=pieces.index)
        return places, good, deciding

    def _find(
        self, pieces: Sequence[Piece], base: str
    ) -> tuple[list[tuple[int, int, Source]], list[Piece], list[Piece]]:
        if not pieces:
            return [], [], []
        places = self.locate(pieces, self.messages, base)
        if places is not None:
            return places, list(pieces), []
        if len(pieces) == 1:
            return [], [], list(pieces)
        middle = len(pieces) // 2
        left, right = self._find(pieces[:middle], base), self._find(pieces[middle:], base)
        return left[0] + right[0], left[1] + right[1], left[2] + right[2]

    def is_printed(self, piece: Piece, base: str) -> bool:
        """Whether a piece that cannot be changed alone has any effect: white space that is trimmed has none."""
        if not isinstance(piece.value, str):
            return True
        new = {(piece.path, piece.key): piece.value[: piece.start] + piece.value[piece.end :]}
        return base != self.render(
            [_replaced(item, (), new) if number == piece.message else item for number, item in enumerate(self.messages)]
        )


@dataclass(slots=True)
class Findings:
    """What the changes of all messages have shown."""

    places: list[list[tuple[int, int, Source]]]
    good: list[list[Piece]]
    doubtful: dict[int, Source]
    role_decides: set[int]


def find_sources(conversation: Differential, base: str) -> Findings:
    """Change every message in turn."""
    found = Findings([], [], {}, set())
    for index, message in enumerate(conversation.messages):
        pieces = [piece for piece in _leaves(message, (), index) if piece.path != ("role",)]
        values = [piece for piece in pieces if not _is_structure(piece)]
        structure = [piece for piece in pieces if _is_structure(piece) and piece.value in base]
        role = Piece(index, ("role",), False, message["role"], 0, len(message["role"]))
        places, good, deciding = conversation.find(values, base)
        for few in (structure, [role]):
            further, _, refused = conversation.find(few, base)
            places += further
            deciding += [piece for piece in refused if piece is not role]
            if role in refused:
                found.role_decides.add(index)
        found.places.append(sorted(places))
        found.good.append(good)
        deciding = [piece for piece in deciding if conversation.is_printed(piece, base)]
        found.doubtful.update(_doubtful(deciding, places, base))
    taken = {at for places in found.places for start, end, _ in places for at in range(start, end)}
    found.doubtful = {at: source for at, source in found.doubtful.items() if at not in taken}
    return found


def _doubtful(
    pieces: Sequence[Piece], places: Sequence[tuple[int, int, Source]], base: str
) -> Iterable[tuple[int, Source]]:
    """Characters that may be those of content-dependent pieces, to judge by their neighbours."""
    runs: list[Piece] = []
    for piece in pieces:
        if runs and runs[-1][:4] == piece[:4] and runs[-1].end == piece.start:
            runs[-1] = runs[-1]._replace(end=piece.end)
        else:
            runs.append(piece)
    for run in runs:
        path = (*run.path, "key") if run.key else run.path
        text = run.value[run.start : run.end] if isinstance(run.value, str) else json.dumps(run.value)
        if run.key:
            quoted = re.finditer(rf"(?<!\w){re.escape(run.value)}(?!\w)", base)
            yield from ((at, Source(run.message, path, 0)) for found in quoted for at in range(*found.span()))
            continue
        known = {source.offset: (start, end) for start, end, source in reversed(places) if source.path == path}
        before, after = known.get(run.start - 1), known.get(run.end)
        spans: list[tuple[int, int]] = []
        if before and after:
            spans = [(before[1], after[0])]
        elif before:
            length = next((size for size in range(len(text), 0, -1) if base.startswith(text[:size], before[1])), 0)
            spans = [(before[1], before[1] + length)]
        elif after:
            length = next((size for size in range(len(text), 0, -1) if base.endswith(text[-size:], 0, after[0])), 0)
            spans = [(after[0] - length, after[0])]
        elif text.strip():
            spans = [found.span() for found in re.finditer(re.escape(text.strip()), base)]
        for start, end in spans:
            for position in range(start, end):
                yield position, Source(run.message, path, run.start)
