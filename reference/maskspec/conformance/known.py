"""Failures that a project accepts for now: a TOML file with a reason and a counterexample each.

    [[OPEN-1]]
    reason = "the header is trained until the next major version"
    pairs = ["chatml+*"]
    case = '''{"maskspec_counterexample": 2, ...}'''

An accepted failure no longer fails a run, and only that one: it is told apart by
rule, kind and zone. The stored conversation is what is replayed to see whether the
failure is still there; once it is not, the entry has to go.
"""

from __future__ import annotations

import fnmatch
import json
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskspec.conformance.counterexamples import PREFIX, Counterexample
from maskspec.conformance.protocol import Masker
from maskspec.conformance.replaying import Outcome, Replay, replay
from maskspec.conformance.report import Category, Failure
from maskspec.conformance.reports import write_whole
from maskspec.corpus import Pair
from maskspec.errors import UsageError
from maskspec.rules import Kind, load_rules
from maskspec.suggestions import suggestion

__all__ = ["Category", "KnownFailure", "KnownFailures"]

_KEYS = ("reason", "case", "kind", "zone", "pairs", "class", "versions")
_EVERYWHERE = ("*",)
_HEADER = """\
# Failures that are accepted for now. Each has a reason and the conversation that shows it.
# `pairs` says where it is accepted (names or patterns such as "chatml+*"); without it, everywhere.
# An entry whose conversation no longer fails has to be removed.
"""


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """One accepted failure: where it is accepted and why, and the counterexample that shows it.

    `identifier` is unique in its file: `open-1-trained-opening`, with a number from the second of that name on.
    """

    identifier: str
    reason: str
    counterexample: Counterexample
    pairs: tuple[str, ...] = _EVERYWHERE
    category: Category | None = None
    versions: str = ""

    def covers(self, *, rule: str, kind: Kind, zone: str, pair: str) -> bool:
        """Whether a failure is this one."""
        known = self.counterexample
        return (known.rule.id, known.kind, known.zone) == (rule, kind, zone) and any(
            fnmatch.fnmatchcase(pair, pattern) for pattern in self.pairs
        )

    def replay(
        self,
        masker: Masker,
        *,
        pairs: Iterable[Pair] = (),
        guard: Callable[[Callable[[], Any]], Any] | None = None,
    ) -> Replay:
        """Ask the masker about the stored conversation again; `pairs` are looked through before the corpora."""
        pair = next((item for item in pairs if item.name == self.counterexample.pair), None)
        return replay(self.counterexample, masker, pair=pair, guard=guard)

    def verdict(self, result: Replay) -> str | None:
        """Why this entry has to go, None while it is right (or while nothing can be said)."""
        if result.outcome is Outcome.NO_LONGER_FAILS:
            return (
                f"{self.identifier}: fixed, remove it: {self.counterexample.rule.id} no longer fails "
                f"on its conversation and {self.counterexample.pair}"
            )
        if result.outcome is Outcome.FAILS_DIFFERENTLY:
            return f"{self.identifier}: out of date, store it anew: {result.sentence}"
        return None


@dataclass(frozen=True, slots=True)
class KnownFailures:
    """The accepted failures of one file."""

    path: Path
    entries: tuple[KnownFailure, ...] = ()

    @classmethod
    def read(cls, path: Path | str) -> KnownFailures:
        """Read a file of accepted failures.

        Raises:
            UsageError: it is missing or wrong anywhere; the message names the table and what to do.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UsageError(
                f"there is no file {path} of known failures; a run writes one with --write-known-failures "
                "(under pytest --maskspec-write-known-failures), and an empty file says that there are none"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read: {error}") from None
        return cls(path=path, entries=_parse(text, str(path)))

    def accepted(self, *, rule: str, kind: Kind | str, zone: str, pair: str) -> KnownFailure | None:
        """The entry that accepts this failure on this pair, None when there is none."""
        kind = Kind(kind)
        found = (entry for entry in self.entries if entry.covers(rule=rule, kind=kind, zone=zone, pair=pair))
        return next(found, None)

    def reason(self, *, rule: str, kind: Kind | str, zone: str, pair: str) -> str | None:
        """Why this failure is accepted on this pair, None when it is not."""
        entry = self.accepted(rule=rule, kind=kind, zone=zone, pair=pair)
        return None if entry is None else entry.reason

    def stale(
        self,
        masker: Masker,
        *,
        pairs: Iterable[Pair] = (),
        guard: Callable[[Callable[[], Any]], Any] | None = None,
    ) -> tuple[str, ...]:
        """A sentence for each entry that has to go, found by replaying its conversation and nothing else."""
        pairs = tuple(pairs)
        verdicts = (entry.verdict(entry.replay(masker, pairs=pairs, guard=guard)) for entry in self.entries)
        return tuple(verdict for verdict in verdicts if verdict is not None)

    @classmethod
    def append(cls, path: Path | str, failures: Iterable[Failure], *, reason: str) -> tuple[str, ...]:
        """Add the failures that the file does not yet accept, on the pairs that showed them; returns their identifiers.

        What stands in the file is left as it is, comments included. A missing file is made.

        Raises:
            UsageError: the reason is empty, or the file is wrong as it stands.
        """
        path = Path(path)
        if not reason.strip():
            raise UsageError("known failures are accepted for a reason; say it with --reason (--maskspec-reason)")
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        present = _parse(old, str(path))
        blocks = []
        for failure in failures:
            places = tuple(
                pair
                for pair in failure.pairs
                if not any(
                    entry.covers(rule=failure.rule.id, kind=failure.kind, zone=failure.zone, pair=pair)
                    for entry in present
                )
            )
            if places:
                blocks.append(_block(failure, reason.strip(), places))
        if not blocks:
            return ()
        new = "\n".join([old.rstrip("\n") + "\n" if old.strip() else _HEADER, *blocks])
        entries = _parse(new, str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, new)
        before = {entry.identifier for entry in present}
        return tuple(entry.identifier for entry in entries if entry.identifier not in before)


def _parse(text: str, name: str) -> tuple[KnownFailure, ...]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name} is not valid TOML: {error}") from None
    entries: list[KnownFailure] = []
    used: Counter[str] = Counter()
    for rule, tables in document.items():
        if rule not in load_rules():
            hint = suggestion(rule, load_rules(), otherwise="`maskspec rules` lists them")
            raise UsageError(f"{name}: there is no rule {rule!r}{hint}")
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise UsageError(f"{name}, {rule}: write its entries as [[{rule}]], with two brackets")
        for number, table in enumerate(tables, 1):
            entries.append(_entry(table, rule, used, where=f"{name}, [[{rule}]] number {number}"))
    return tuple(entries)


def _entry(table: Mapping[str, Any], rule: str, used: Counter[str], *, where: str) -> KnownFailure:
    for key in table:
        if key not in _KEYS:
            hint = suggestion(key, _KEYS, otherwise=f"known are {', '.join(_KEYS)}")
            raise UsageError(f"{where}: unknown key {key!r}{hint}")
    for key in ("reason", "case"):
        if key not in table:
            raise UsageError(f"{where}: missing key {key!r}; {_REMEDIES[key]}")
        if not isinstance(table[key], str) or not table[key].strip():
            raise UsageError(f"{where}: {key!r} must be text and not empty; {_REMEDIES[key]}")
    counterexample = _counterexample(table["case"], where=f"{where}, case")
    if counterexample.rule.id != rule:
        raise UsageError(f"{where}: its case shows {counterexample.rule.id}; move it to [[{counterexample.rule.id}]]")
    for key, known in (("kind", counterexample.kind.value), ("zone", counterexample.zone)):
        if table.get(key, known) != known:
            raise UsageError(f"{where}: {key!r} is {table[key]!r}, but its case shows {known!r}; leave the key out")
    pairs = table.get("pairs", list(_EVERYWHERE))
    if not isinstance(pairs, list) or not pairs or not all(isinstance(item, str) and item for item in pairs):
        raise UsageError(f"{where}: 'pairs' must be a list of names or patterns; leave the key out for all pairs")
    stem = "-".join(part for part in (rule, counterexample.kind.value.replace(" ", "-"), counterexample.zone) if part)
    stem = stem.lower().replace("_", "-")
    used[stem] += 1
    return KnownFailure(
        identifier=stem if used[stem] == 1 else f"{stem}-{used[stem]}",
        reason=table["reason"].strip(),
        counterexample=counterexample,
        pairs=tuple(pairs),
        category=_category(table.get("class"), where),
        versions=_text(table.get("versions", ""), "versions", where),
    )


_REMEDIES = {
    "reason": "say why the failure is accepted",
    "case": "copy the counterexample's JSON or its id from a report",
}


def _counterexample(text: str, *, where: str) -> Counterexample:
    if text.strip().startswith(PREFIX):
        try:
            return Counterexample.parse(text)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from None
    try:
        record = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{where} is damaged ({error}); {_REMEDIES['case']}") from None
    return Counterexample.from_json(record, where=where)


def _category(value: Any, where: str) -> Category | None:
    if value is None:
        return None
    try:
        return Category(value)
    except ValueError:
        known = ", ".join(member.value for member in Category)
        raise UsageError(f"{where}: 'class' is {value!r}; known are {known}") from None


def _text(value: Any, key: str, where: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{where}: {key!r} must be text, not {value!r}")
    return value


def _block(failure: Failure, reason: str, pairs: tuple[str, ...]) -> str:
    counterexample = Counterexample.of(failure)
    places = ", ".join(_string(pair) for pair in pairs)
    if len(places) > 90:
        places = "\n" + "".join(f"    {_string(pair)},\n" for pair in pairs)
    return (
        f"[[{counterexample.rule.id}]]\n"
        f"reason = {_string(reason)}\n"
        f"kind = {_string(counterexample.kind.value)}\n"
        f"zone = {_string(counterexample.zone)}\n"
        f"pairs = [{places}]\n"
        f"case = '''\n{_readable(counterexample)}\n'''\n"
    )


def _readable(counterexample: Counterexample) -> str:
    """The record as JSON to be read in a review: one line for every field and message, nothing invisible in it."""
    fields = []
    for key, value in counterexample.as_json().items():
        if key in ("messages", "tools") and value:
            items = ",\n".join(f"    {_json(item)}" for item in value)
            fields.append(f"  {_json(key)}: [\n{items}\n  ]")
        else:
            fields.append(f"  {_json(key)}: {_json(value)}")
    return "{\n" + ",\n".join(fields) + "\n}"


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return "".join(item if item.isprintable() else _escaped(item) for item in text).replace("'''", "\\u0027" * 3)


def _escaped(character: str) -> str:
    return json.dumps(character, ensure_ascii=True)[1:-1] if ord(character) != 0x7F else "\\u007f"


def _string(text: str) -> str:
    """A TOML basic string with nothing invisible in it."""
    shown = {"\\": "\\\\", '"': '\\"'}
    return '"' + "".join(shown.get(item, item) if item.isprintable() else f"\\U{ord(item):08x}" for item in text) + '"'
