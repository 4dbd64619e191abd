"""The differences that are known: `differences.toml`, read, compared with what is here, and written anew.

An entry is one text, the smallest that was found for a class on a vocabulary, with the answer of every
implementation in each series of transformers. It says as much about those that agree as about those
that do not, so a test notices a difference that goes, one that comes, and one that becomes another.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from maskspec.corpus._libraries import transformers_major
from tests.implementations.classes import Difference, RoundTrip
from tests.implementations.panel import Comparison, Panel

__all__ = ["FILE", "Answers", "Pin", "ask", "pins", "renewed", "updated", "written"]

FILE = Path(__file__).with_name("differences.toml")

_HEAD = """# Where the tokenizers of one vocabulary differ, one smallest text each, with what every implementation makes of it.
#
# Written by `python -m tests.implementations --write`, once under each series of transformers; the consequence and the
# source of each class are in `stories.md`. An answer holds what is the same for all implementations that it names:
# ids and pieces, or for a difference in decoding the text that comes back. `transformers` are the series it was seen in:
# 4 is 4.57.6, 5 is 5.23.0; the other libraries are those of results/4.json and results/5.json, under "versions".
"""


@dataclass(frozen=True, slots=True)
class Answers:
    """What some implementations say: ids and pieces, or the text that comes back from the ids."""

    transformers: tuple[int, ...]
    implementations: tuple[str, ...]
    ids: tuple[int, ...] = ()
    pieces: tuple[str, ...] = ()
    back: str | None = None

    @property
    def said(self) -> object:
        """What two answers are the same by."""
        return (self.ids, self.pieces, self.back)


@dataclass(frozen=True, slots=True)
class Pin:
    """One difference: its class, its vocabulary, the smallest text, and all answers."""

    name: str
    kind: Difference | RoundTrip
    vocabulary: str
    text: str
    consequence: str
    source: str
    answers: tuple[Answers, ...]

    def of(self, series: int) -> tuple[Answers, ...]:
        """The answers of one series of transformers."""
        return tuple(each for each in self.answers if series in each.transformers)

    def differs(self, series: int) -> bool:
        """Whether the implementations give different answers in that series."""
        if isinstance(self.kind, RoundTrip):
            return any(each.back != self.text for each in self.of(series))
        return len({each.said for each in self.of(series)}) > 1


@cache
def pins() -> tuple[Pin, ...]:
    """All entries of the file."""
    document = tomllib.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return tuple(_pin(entry) for entry in document.get("difference", ()))


def _pin(entry: Mapping[str, Any]) -> Pin:
    kinds: dict[str, Difference | RoundTrip] = {each.value: each for each in (*Difference, *RoundTrip)}
    answers = (
        Answers(
            tuple(each["transformers"]),
            tuple(each["implementations"]),
            tuple(each.get("ids", ())),
            tuple(each.get("pieces", ())),
            each.get("back"),
        )
        for each in entry["answer"]
    )
    return Pin(
        entry["name"],
        kinds[entry["class"]],
        entry["vocabulary"],
        entry["text"],
        entry["consequence"],
        entry.get("source", ""),
        tuple(answers),
    )


def ask(panel: Panel, pin: Pin) -> tuple[Answers, ...]:
    """What the implementations that are here say to the text of an entry, those that agree together."""
    series = (transformers_major(),)
    groups: dict[object, list[str]] = {}
    said: dict[object, Answers] = {}
    for name in panel.tokenizers:
        answer = panel.ask(name, pin.text)
        if answer.error:
            one = Answers(series, (), pieces=("refused",))
        elif isinstance(pin.kind, RoundTrip):
            one = Answers(series, (), back=panel.tokenizers[name].decode(answer.ids))
        else:
            one = Answers(series, (), answer.ids, tuple(panel.tokenizers[name].token(each) for each in answer.ids))
        # The spelling of a piece is the library's own (`▁a`, ` a`): only the ids decide.
        key = one.back if isinstance(pin.kind, RoundTrip) else one.ids
        groups.setdefault(key, []).append(name)
        said.setdefault(key, one)
    return tuple(replace(said[key], implementations=tuple(names)) for key, names in groups.items())


def updated(
    known: Iterable[Pin], panel: Panel, found: Comparison, prose: Mapping[str, tuple[str, str]]
) -> tuple[Pin, ...]:
    """The entries with the answers of this series for one vocabulary, and new ones for classes that have none."""
    series = transformers_major()
    result = [renewed(pin, panel, series) if pin.vocabulary == found.vocabulary else pin for pin in known]
    texts: list[tuple[Difference | RoundTrip, list[str]]] = [
        (kind, sorted(counts, key=lambda text, counts=counts: (-counts[text], len(text), text)))
        for kind, counts in found.smallest.items()
    ]
    for kind in RoundTrip:
        by_kind = [text for (_, each), text in found.smallest_round_trips.items() if each is kind]
        if by_kind:
            texts.append((kind, sorted(by_kind, key=lambda text: (len(text), text))))
    for kind, candidates in texts:
        here = [pin for pin in result if pin.vocabulary == found.vocabulary and pin.kind is kind]
        if any(pin.differs(series) for pin in here):
            continue
        stem = f"{_slug(kind.value)}-{found.vocabulary}"
        name = stem if not here else f"{stem}-{len(here) + 1}"
        consequence, source = prose[kind.value]
        text = _shown(panel, candidates[0], kind)
        result.append(renewed(Pin(name, kind, found.vocabulary, text, consequence, source, ()), panel, series))
    return tuple(sorted(result, key=lambda pin: (_order(pin.kind), pin.name)))


def _shown(panel: Panel, text: str, kind: Difference | RoundTrip) -> str:
    """The text as it is shown: behind a letter where that keeps what happens at the beginning out of the answers."""
    if kind in (Difference.AFTER_SPECIAL, Difference.OTHER_MERGES, Difference.AT_SPECIAL):
        inside = {name: panel.inside(name, text) for name in panel.tokenizers}
        wanted = [sorted(group) for group in panel.groups(inside)]
        for candidate in (text, f"a{text}"):
            plain = [sorted(group) for group in panel.groups({each: panel.ask(each, candidate) for each in inside})]
            if sorted(plain) == sorted(wanted):
                return candidate
    return text


def renewed(pin: Pin, panel: Panel, series: int) -> Pin:
    """The entry with the answers of this series; those that both series share are joined."""
    others = [
        replace(each, transformers=tuple(number for number in each.transformers if number != series))
        for each in pin.answers
    ]
    answers: list[Answers] = [each for each in others if each.transformers]
    for new in ask(panel, pin):
        same = next(
            (k for k, old in enumerate(answers) if (old.said, old.implementations) == (new.said, new.implementations)),
            None,
        )
        if same is None:
            answers.append(new)
        else:
            answers[same] = replace(new, transformers=tuple(sorted({series, *answers[same].transformers})))
    return replace(pin, answers=tuple(sorted(answers, key=lambda each: (each.transformers, each.implementations))))


def _order(kind: Difference | RoundTrip) -> int:
    return [*Difference, *RoundTrip].index(kind)


def _slug(words: str) -> str:
    return "-".join("".join(letter if letter.isalnum() else " " for letter in words.lower()).split())


def written(entries: Sequence[Pin]) -> str:
    """The file."""
    blocks = [_HEAD]
    for pin in entries:
        lines = [
            "[[difference]]",
            f"name = {_string(pin.name)}",
            f"class = {_string(pin.kind.value)}",
            f"vocabulary = {_string(pin.vocabulary)}",
            f"text = {_string(pin.text)}",
            f"consequence = {_string(pin.consequence)}",
        ]
        lines += [f"source = {_string(pin.source)}"] if pin.source else []
        for each in pin.answers:
            lines += ["[[difference.answer]]", f"transformers = {list(each.transformers)}"]
            lines += [f"implementations = [{', '.join(map(_string, each.implementations))}]"]
            if each.back is not None:
                lines += [f"back = {_string(each.back)}"]
            else:
                lines += [f"ids = {list(each.ids)}", f"pieces = [{', '.join(map(_string, each.pieces))}]"]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _string(text: str) -> str:
    return '"' + "".join(map(_character, text)) + '"'


def _character(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    if letter == "▁" or (letter.isascii() and letter.isprintable()):
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"
