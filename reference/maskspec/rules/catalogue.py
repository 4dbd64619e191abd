"""The rules of the specification as data: reads `spec/rules.toml`, and nothing that is wrong in it.

Reports, checks and tests all need the same facts about a rule: its sentence,
how binding it is, where it is explained and what checks it. They live in one
file beside the prose, and this module is the only reader of that file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from maskspec.data import data_path
from maskspec.errors import CorpusError

__all__ = ["Level", "Rule", "Status", "load_rules", "parse_rules", "rule_order"]


class Level(StrEnum):
    """How binding a rule is, in the sense of RFC 2119."""

    MUST = "MUST"
    """A masker that breaks the rule does not conform."""

    SHOULD = "SHOULD"
    """There may be a good reason to break the rule; whoever does so knows it and says it."""


class Status(StrEnum):
    """What looks at a rule today."""

    CHECKED = "checked"
    """The rule has an executable check that the suite runs."""

    TRAINED = "trained"
    """The rule needs a model, so `maskspec train-check` looks at it and the suite, which sees labels, does not."""

    SPECIFIED = "specified"
    """The rule is written down and binding; nothing checks it yet."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One numbered requirement of the specification.

    `sentence` is the requirement itself, word for word as in the prose.
    `chapter` is a file in `spec/` and `anchor` the heading in it that explains
    the rule. `check` is `module:function` for a checked or a trained rule and None
    for one that is specified only. `prose_sha256` is the hash of the rule's section at
    the time somebody last compared prose and check.
    """

    id: str
    level: Level
    family: str
    title: str
    sentence: str
    chapter: str
    anchor: str
    status: Status
    check: str | None
    prose_sha256: str

    @property
    def location(self) -> str:
        """Where the rule is explained, as a path inside `spec/`: `06-rules.md#role-1`."""
        return f"{self.chapter}#{self.anchor}"


_Member = TypeVar("_Member", Level, Status)

_REQUIRED = ("id", "level", "family", "title", "sentence", "chapter", "anchor", "status", "prose_sha256")
_IDENTIFIER = re.compile(r"(?P<family>[A-Z]+)-[1-9][0-9]*")
_ROOMS = {Status.CHECKED: "maskspec.rules.", Status.TRAINED: "maskspec.training.", Status.SPECIFIED: None}
_SHAPES = {
    "title": re.compile(r"\S(.*\S)?"),
    "sentence": re.compile(r"[A-Z][^\n]*\."),
    "chapter": re.compile(r"[0-9]{2}-[a-z-]+\.md"),
    "anchor": re.compile(r"[a-z]+-[0-9]+"),
    "check": re.compile(r"maskspec\.(rules|training)\.[a-z_]+:[a-z][a-z0-9_]*"),
    "prose_sha256": re.compile(r"[0-9a-f]{64}"),
}


def rule_order(rule_id: str) -> tuple[str, int]:
    """Return a sorting key that puts `RULE-10` after `RULE-9`."""
    family, _, number = rule_id.partition("-")
    return family, int(number)


@cache
def load_rules(path: Path | None = None) -> Mapping[str, Rule]:
    """Return every rule by its id, in the order of the specification.

    `path` is another catalogue to read instead of the one that maskspec ships.

    Raises:
        CorpusError: the catalogue is missing or not valid; the message names
            the rule and the field.
    """
    source = path if path is not None else data_path("spec", "rules.toml")
    return parse_rules(source.read_text(encoding="utf-8"), name=str(source))


def parse_rules(text: str, *, name: str = "rules.toml") -> Mapping[str, Rule]:
    """Return the rules that the text of a catalogue holds; `name` stands for it in errors.

    Raises:
        CorpusError: as `load_rules`.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CorpusError(f"{name} is not valid TOML: {error}") from error
    tables = document.get("rule")
    if set(document) != {"rule"} or not isinstance(tables, list) or not tables:
        raise CorpusError(f"{name} must hold [[rule]] tables and nothing else, at least one of them")
    rules: dict[str, Rule] = {}
    for position, table in enumerate(tables):
        if not isinstance(table, dict):
            raise CorpusError(f"{name}, rule number {position + 1}: must be a [[rule]] table, not {table!r}")
        rule = _rule(table, where=f"{name}, rule {table.get('id', f'number {position + 1}')}")
        if rule.id in rules:
            raise CorpusError(f"{name}, rule {rule.id}: this id is used twice; ids are unique and never reused")
        rules[rule.id] = rule
    return MappingProxyType(rules)


def _rule(table: Mapping[str, Any], *, where: str) -> Rule:
    for field, value in table.items():
        if field not in (*_REQUIRED, "check"):
            raise CorpusError(f"{where}: unknown field {field!r}; known are {', '.join((*_REQUIRED, 'check'))}")
        if not isinstance(value, str):
            raise CorpusError(f"{where}: field {field!r} must be text, not {value!r}")
        if field in _SHAPES and not _SHAPES[field].fullmatch(value):
            raise CorpusError(f"{where}: field {field!r} has an unexpected form: {value!r}")
    missing = [field for field in _REQUIRED if field not in table]
    if missing:
        raise CorpusError(f"{where}: missing field {missing[0]!r}")
    identifier = _IDENTIFIER.fullmatch(table["id"])
    if identifier is None:
        raise CorpusError(f"{where}: an id is FAMILY-NUMBER, not {table['id']!r}")
    if table["family"] != identifier["family"]:
        raise CorpusError(f"{where}: field 'family' is {table['family']!r}, but the id says {identifier['family']!r}")
    level = _member(Level, table["level"], where=f"{where}: field 'level'")
    if level not in table["sentence"].split():
        raise CorpusError(f"{where}: the sentence does not hold the word {level}, which the field 'level' promises")
    status = _member(Status, table["status"], where=f"{where}: field 'status'")
    room = _ROOMS[status]
    if (room is not None) != ("check" in table):
        raise CorpusError(f"{where}: a rule has a 'check' unless its status is {Status.SPECIFIED.value!r}")
    if room is not None and not table["check"].startswith(room):
        raise CorpusError(f"{where}: the check of a rule that is {status.value} stands in {room}*")
    return Rule(
        id=table["id"],
        level=level,
        family=table["family"],
        title=table["title"],
        sentence=table["sentence"],
        chapter=table["chapter"],
        anchor=table["anchor"],
        status=status,
        check=table.get("check"),
        prose_sha256=table["prose_sha256"],
    )


def _member(kind: type[_Member], value: str, *, where: str) -> _Member:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(member.value for member in kind)
        raise CorpusError(f"{where} is {value!r}; known are {known}") from None
