"""A file that grows while a run goes on, so that whatever ends the run, nothing found so far is lost.

One JSON record a line, each written with one call and forced to the disk: a header that
says what is asked of whom; every kind of failure as soon as it is seen; every pair when it
is done. A process may be killed at any moment; a last line that was written by half
is left out when the file is read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskspec.conformance.cases import Case
from maskspec.conformance.locks import lock
from maskspec.conformance.report import Failure, PairResult
from maskspec.errors import UsageError

__all__ = ["Header", "Journal"]

_FORMAT = 1
_WHAT = {
    "masker": "another masker",
    "masker_path": "the masker was named in another way",
    "policy": "the masker declares another policy",
    "profile": "another profile",
    "seed": "another seed",
    "rules": "other rules",
    "pairs": "other pairs",
    "versions": "other versions are installed",
}


@dataclass(frozen=True, slots=True)
class Header:
    """What a run asks of whom: two runs with the same header ask the same questions."""

    masker: str
    masker_path: str
    policy: str
    profile: str
    seed: int
    rules: tuple[str, ...]
    pairs: tuple[str, ...]
    versions: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """The header as JSON data."""
        return {
            "masker": self.masker,
            "masker_path": self.masker_path,
            "policy": self.policy,
            "profile": self.profile,
            "seed": self.seed,
            "rules": list(self.rules),
            "pairs": list(self.pairs),
            "versions": dict(self.versions),
        }

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that name the run."""
        text = json.dumps(self.as_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def differences(self, record: Mapping[str, Any]) -> list[str]:
        """What an earlier run's header says otherwise, in words."""
        found = []
        for name, value in self.as_json().items():
            other = record.get(name)
            if other == value:
                continue
            if isinstance(value, (list, dict)):
                found.append(_WHAT[name])
            else:
                found.append(f"{_WHAT[name]} ({other!r} in the journal, {value!r} now)")
        return found


@dataclass(slots=True)
class Journal:
    """An open journal, and what an earlier run left in it.

    `examined` are the pairs that were asked about to the end, `found` the failing cases of
    those that were not, `shrunk` the results of making failures smaller, by round and pair.
    """

    path: Path
    examined: dict[str, PairResult] = field(default_factory=dict)
    found: dict[str, list[Case]] = field(default_factory=dict)
    shrunk: dict[tuple[int, str], PairResult] = field(default_factory=dict)
    _file: int = -1

    @classmethod
    def create(cls, path: Path, header: Header) -> Journal:
        """Begin a new journal; one that is there already is replaced.

        Raises:
            UsageError: the file cannot be written, or another run is writing it.
        """
        journal = cls(path=path)
        journal._open()
        os.ftruncate(journal._file, 0)
        journal.append("header", maskspec_journal=_FORMAT, **header.as_json())
        return journal

    @classmethod
    def resume(cls, path: Path, header: Header) -> Journal:
        """Go on with the journal of an interrupted run.

        Raises:
            UsageError: there is none, it is of another run (the message says what differs),
                another run is writing it, or it is damaged.
        """
        if not path.exists():
            raise UsageError(f"there is no journal {path} to go on with; run without --resume")
        journal = cls(path=path)
        journal._open()
        try:
            journal._read(header)
        except UsageError:
            journal.close()
            raise
        return journal

    @staticmethod
    def is_busy(path: Path) -> bool:
        """Whether a run that goes on is writing this journal."""
        if not path.exists():
            return False
        with path.open("rb") as file:
            return not lock(file.fileno(), shared=True)

    def append(self, record: str, **values: Any) -> None:
        """Write one record and force it to the disk."""
        line = json.dumps({"record": record, **values}, ensure_ascii=True, default=str) + "\n"
        data = line.encode()
        while data:
            data = data[os.write(self._file, data) :]
        os.fsync(self._file)

    def add_found(self, failure: Failure) -> None:
        """Keep the case of a kind of failure that was just seen on its pair."""
        self.append(
            "found",
            pair=failure.pair,
            rule=failure.rule.id,
            kind=failure.kind.value,
            zone=failure.zone,
            explanation=failure.explanation,
            case=failure.case.as_json(),
        )

    def add_examined(self, result: PairResult) -> None:
        """Keep the result of a pair that was asked about to the end."""
        self.append("examined", result=result.as_json())

    def add_shrunk(self, number: int, result: PairResult) -> None:
        """Keep a pair's result after a round of making failures smaller."""
        self.append("shrunk", round=number, result=result.as_json())

    def close(self) -> None:
        """Close the file and keep it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def remove(self) -> None:
        """Close the file and remove it."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise UsageError(f"the journal {self.path} cannot be written: {error.strerror}") from None
        if not lock(self._file):
            self.close()
            raise UsageError(f"another run is writing the journal {self.path}; wait for its end")

    def _read(self, header: Header) -> None:
        with self.path.open("rb") as file:
            content = file.read()
        complete = content.rfind(b"\n") + 1
        records = [self._record(number, line) for number, line in enumerate(content[:complete].splitlines(), start=1)]
        first = records[0] if records else {}
        if first.get("record") != "header" or first.get("maskspec_journal") != _FORMAT:
            raise UsageError(
                f"{self.path} is no journal of this version of maskspec; remove it and run without --resume"
            )
        different = header.differences(first)
        if different:
            raise UsageError(
                f"the journal {self.path} is of another run: {'; '.join(different)}; "
                "repeat that run's options, or run without --resume"
            )
        for number, record in enumerate(records[1:], start=2):
            try:
                self._take(record)
            except (KeyError, TypeError, ValueError) as error:
                raise self._damaged(number) from error
        if complete < len(content):
            os.ftruncate(self._file, complete)

    def _record(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except ValueError as error:
            raise self._damaged(number) from error
        if not isinstance(record, dict):
            raise self._damaged(number)
        return record

    def _damaged(self, number: int) -> UsageError:
        return UsageError(f"line {number} of the journal {self.path} is damaged; remove it and run without --resume")

    def _take(self, record: Mapping[str, Any]) -> None:
        if record["record"] == "found":
            self.found.setdefault(record["pair"], []).append(Case.from_json(record["case"]))
        elif record["record"] == "examined":
            result = PairResult.from_json(record["result"])
            # A pair on which the adapter failed for good is asked about again: the adapter may be repaired by now.
            if result.excluded is None or not result.conflicts:
                self.examined[result.pair] = result
        elif record["record"] == "shrunk":
            result = PairResult.from_json(record["result"])
            self.shrunk[record["round"], result.pair] = result
