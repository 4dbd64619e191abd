"""What became of the mutants so far, so that an interrupted run goes on and what survived can be run again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from tests.mutation.mutants import Mutant
from tests.mutation.running import Attempt

__all__ = ["Journal"]


class Journal:
    """Attempts in a file, one JSON object a line.

    An attempt holds for as long as the changed function is the same; tests that were
    weakened since are not noticed, so remove the file after that. With `again`,
    survivors count as unknown, but for those accepted.
    """

    def __init__(self, path: Path, *, again: bool = False, accepted: Container[Mutant] = ()) -> None:
        self._path = path
        self._again = again
        self._accepted = accepted

    def known(self, mutants: Iterable[Mutant]) -> Mapping[Mutant, Attempt]:
        """The attempts on some mutants that need not be made again."""
        if not self._path.exists():
            return {}
        stored = {}
        for line in self._path.read_text(encoding="utf-8").splitlines():
            record = {"valid": True, **json.loads(line)}
            stored[record["mutant"]] = record
        found = {}
        for mutant in mutants:
            record = stored.get(_digest(mutant))
            if record is None:
                continue
            survived = record["valid"] and not record["test"]
            if not (survived and self._again) or mutant in self._accepted:
                found[mutant] = Attempt(mutant, *(record[name] for name in ("test", "late", "tried", "valid")))
        return found

    def write(self, attempt: Attempt) -> None:
        """Add an attempt."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "mutant": _digest(attempt.mutant),
            "title": attempt.mutant.title,
            "test": attempt.test,
            "late": attempt.late,
            "tried": attempt.tried,
            "valid": attempt.valid,
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _digest(mutant: Mutant) -> str:
    parts = (mutant.module, mutant.function, mutant.was, mutant.now, mutant.body)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
