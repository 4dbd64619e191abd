r"""The runnable examples of the specification: reads the `maskspec` blocks of the chapters.

An example says what is masked, with what, and what the principle makes of it:

    rules: ROLE-1 STOP-1
    template: chatml
    tokenizer: bytelevel-gpt2
    user: Hi
    assistant: Hello!
    expect: <|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n⟦Hello!<|im_end|>⟧⟨\n⟩

Characters between ⟦ and ⟧ must be trained, those between ⟨ and ⟩ may be, and
all others must not be. The README of the specification describes the notation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

from maskspec.errors import CorpusError
from maskspec.rules.prose import Fence, chapters

__all__ = [
    "LANGUAGE",
    "Example",
    "Expectation",
    "Handling",
    "Mark",
    "Step",
    "Treatment",
    "load_examples",
    "parse_example",
    "spelled",
]

LANGUAGE = "maskspec"
"""The language of a fenced block that holds an example."""


class Mark(Enum):
    """What an example expects of one character; a token whose characters differ in it is straddling."""

    TRAIN = "⟦⟧"
    """The character carries loss."""

    IGNORE = ""
    """The character carries no loss."""

    EITHER = "⟨⟩"
    """Both are accepted."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What masking must give: a text with one mark per character, or the name of an error.

    `hazards` are the names of hazards that must be reported as well. Exactly
    one of `text` and `error` is not None; `marks` has the length of `text`.
    """

    text: str | None = None
    marks: tuple[Mark, ...] = ()
    error: str | None = None
    hazards: tuple[str, ...] = ()


class Treatment(Enum):
    """What is done with a masked conversation before it is compared; the value is the key in an example."""

    TRUNCATE = "truncate"
    """Masked under a limit, `right 12`: on which side to cut, and how many tokens to leave."""

    PAD = "pad"
    """Collated, `left 3 </s>`: on which side to add how many padding tokens, and which token they are."""

    PACK = "pack"
    """Packed with the samples before it into one row, `64`: the largest number of tokens in the row."""

    BATCH = "batch"
    """Masked in one call with the samples before it, `2`: which of them is compared, counted from 1."""


@dataclass(frozen=True, slots=True)
class Handling:
    """A treatment with what its line says; `side` and `token` are empty where the treatment has none."""

    treatment: Treatment
    number: int
    side: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One masking: everything said up to an `expect` or `error` line, and what that line says.

    `policy` is the name of a preset, the fields of a policy, or None for the default.
    `handling` is what becomes of the answer before it is compared, None for nothing;
    `samples` are the conversations that were set aside before.
    """

    template: str
    tokenizer: str
    policy: str | Mapping[str, Any] | None
    tools: Sequence[Mapping[str, Any]] | None
    variables: Mapping[str, Any]
    messages: tuple[Mapping[str, Any], ...]
    expectation: Expectation
    handling: Handling | None = None
    samples: tuple[tuple[Mapping[str, Any], ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """One fenced example: the rules it shows and its steps.

    `illustration` is the reason why the example is read but not run; None for
    one that runs. `line` is the 1-based line of the block in its chapter.
    """

    chapter: str
    line: int
    rules: tuple[str, ...]
    illustration: str | None
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """A name for reports: the chapter and the line."""
        return f"{self.chapter}:{self.line}"


_HANDLINGS = {
    Treatment.TRUNCATE: re.compile(r"(?P<side>left|right) (?P<number>[1-9]\d*)"),
    Treatment.PAD: re.compile(r"(?P<side>left|right) (?P<number>[1-9]\d*) (?P<token>\S+)"),
    Treatment.PACK: re.compile(r"(?P<number>[1-9]\d*)"),
    Treatment.BATCH: re.compile(r"(?P<number>[1-9]\d*)"),
}
_ROLES = ("system", "developer", "user", "assistant", "tool")
_LINE = re.compile(r"([a-z]+):(?: (.*))?")
_ESCAPE = re.compile(r"\\(?:(?P<short>[nrts\\])|u(?P<code>[0-9a-f]{4})|(?P<wrong>.?))")
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "s": " ", "\\": "\\"}
_BRACKETS = {"⟦": Mark.TRAIN, "⟧": Mark.TRAIN, "⟨": Mark.EITHER, "⟩": Mark.EITHER}


@cache
def load_examples() -> tuple[Example, ...]:
    """Return every example of every chapter, in reading order.

    Raises:
        CorpusError: an example is not valid; the message names chapter and line.
    """
    return tuple(
        parse_example(fence, chapter=chapter)
        for chapter, sections in chapters().items()
        for section in sections
        for fence in section.fences
        if fence.language == LANGUAGE
    )


def parse_example(fence: Fence, *, chapter: str = "example") -> Example:
    """Read one example; `chapter` is the file it stands in.

    Raises:
        CorpusError: a line is not understood, a value is not valid, or the
            example expects nothing.
    """
    reader = _Reader()
    for number, key, value in _fields(fence, chapter):
        try:
            reader.read(key, value)
        except ValueError as error:
            raise CorpusError(f"{chapter}, line {number}: {error}") from error
    where = f"{chapter}, line {fence.line}"
    if reader.pending:
        raise CorpusError(f"{where}: the last line of an example must say what is expected")
    if reader.illustration is None and not reader.steps:
        raise CorpusError(
            f"{where}: an example needs an 'expect' or 'error' line, or an 'illustration' with its reason"
        )
    return Example(chapter, fence.line, tuple(reader.rules), reader.illustration, tuple(reader.steps))


def spelled(text: str, marks: Sequence[Mark]) -> str:
    """Return a text with its marks in the notation of the examples; the reverse of reading an `expect` line."""
    parts: list[str] = []
    current = Mark.IGNORE
    for character, mark in zip(text, marks, strict=True):
        if mark is not current:
            parts += [current.value[1:], mark.value[:1]]
            current = mark
        parts.append(_spelled_character(character))
    parts.append(current.value[1:])
    return "".join(parts)


def _spelled_character(character: str) -> str:
    for short, meaning in _SHORT.items():
        if character == meaning and character != " ":
            return f"\\{short}"
    if character in _BRACKETS or (not character.isprintable() and ord(character) <= 0xFFFF):
        return f"\\u{ord(character):04x}"
    return character


def _fields(fence: Fence, chapter: str) -> Iterator[tuple[int, str, str]]:
    """Yield (line, key, value); indented lines continue the value of the line above."""
    current: tuple[int, str, str] | None = None
    for number, line in enumerate(fence.text.splitlines(), start=fence.line + 1):
        if line.startswith("  ") and current is not None:
            current = (current[0], current[1], current[2] + line.strip())
            continue
        if current is not None:
            yield current
        matched = _LINE.fullmatch(line.rstrip())
        if matched is None:
            raise CorpusError(f"{chapter}, line {number}: expected 'key: value', found {line!r}")
        current = (number, matched[1], matched[2] or "")
    if current is not None:
        yield current


class _Reader:
    """What an example has said so far; an `expect` or `error` line turns it into a step."""

    def __init__(self) -> None:
        self.rules: list[str] = []
        self.illustration: str | None = None
        self.template = ""
        self.tokenizer = ""
        self.policy: str | Mapping[str, Any] | None = None
        self.tools: Sequence[Mapping[str, Any]] | None = None
        self.variables: Mapping[str, Any] = {}
        self.messages: list[Mapping[str, Any]] = []
        self.hazards: tuple[str, ...] = ()
        self.handling: Handling | None = None
        self.samples: list[tuple[Mapping[str, Any], ...]] = []
        self.steps: list[Step] = []
        self.pending = False

    def read(self, key: str, value: str) -> None:
        self.pending = key not in ("expect", "error", "illustration", "rules")
        match key:
            case "rules":
                self.rules += value.split()
            case "illustration":
                self.illustration = value
            case "template":
                self.template = value
            case "tokenizer":
                self.tokenizer = value
            case "policy":
                self.policy = json.loads(value) if value.startswith("{") else value or None
            case "tools":
                self.tools = json.loads(value)
            case "variables":
                self.variables = json.loads(value)
            case "hazards":
                self.hazards = tuple(value.split())
            case "truncate" | "pad" | "pack" | "batch":
                self.handling = _handling(Treatment(key), value)
            case "sample":
                self.samples.append(tuple(self.messages))
                self.messages = []
            case "conversation":
                self.messages = []
                if value.startswith("["):
                    self.messages.extend(json.loads(value))
            case "expect":
                text, marks = _expected(value)
                self._step(Expectation(text=text, marks=marks, hazards=self.hazards))
            case "error":
                self._step(Expectation(error=value))
            case _ if key in _ROLES:
                fields = json.loads(value) if value.startswith("{") else {"content": _unescaped(value)}
                self.messages.append({"role": key, **fields})
            case _:
                raise ValueError(f"unknown key {key!r}")

    def _step(self, expectation: Expectation) -> None:
        if not self.template or not self.tokenizer:
            raise ValueError("'template' and 'tokenizer' must come before the expectation")
        handling, self.handling = self.handling, None
        if handling is not None and handling.treatment is Treatment.BATCH and handling.number > len(self.samples) + 1:
            raise ValueError(
                f"'batch: {handling.number}' asks for more than the {len(self.samples) + 1} conversation(s)"
            )
        self.hazards = ()
        self.steps.append(
            Step(
                template=self.template,
                tokenizer=self.tokenizer,
                policy=self.policy,
                tools=self.tools,
                variables=self.variables,
                messages=tuple(self.messages),
                expectation=expectation,
                handling=handling,
                samples=tuple(self.samples),
            )
        )


def _handling(treatment: Treatment, value: str) -> Handling:
    matched = _HANDLINGS[treatment].fullmatch(value)
    if matched is None:
        named = _HANDLINGS[treatment].groupindex
        shapes = {"side": "'left' or 'right'", "number": "a number from 1 on", "token": "a token"}
        wanted = ", ".join(shape for name, shape in shapes.items() if name in named)
        raise ValueError(f"'{treatment.value}' needs {wanted}; found {value!r}")
    said = matched.groupdict()
    return Handling(treatment, int(said["number"]), side=said.get("side", ""), token=said.get("token", ""))


def _unescaped(value: str) -> str:
    def meaning(matched: re.Match[str]) -> str:
        if matched["short"] is not None:
            return _SHORT[matched["short"]]
        if matched["code"] is not None:
            return chr(int(matched["code"], 16))
        raise ValueError(f"unknown escape {matched[0]!r}; known are \\n \\r \\t \\s \\\\ and \\u with four digits")

    return _ESCAPE.sub(meaning, value)


def _expected(value: str) -> tuple[str, tuple[Mark, ...]]:
    text: list[str] = []
    marks: list[Mark] = []
    current = Mark.IGNORE
    for piece in re.split("([⟦⟧⟨⟩])", value):
        mark = _BRACKETS.get(piece)
        if mark is None:
            characters = _unescaped(piece)
            text.append(characters)
            marks += [current] * len(characters)
        elif piece in "⟦⟨" and current is Mark.IGNORE:
            current = mark
        elif piece in "⟧⟩" and current is mark:
            current = Mark.IGNORE
        else:
            raise ValueError(f"unexpected {piece!r}; brackets come in pairs and are not nested")
    if current is not Mark.IGNORE:
        raise ValueError(f"missing {current.value[1]!r}")
    return "".join(text), tuple(marks)
