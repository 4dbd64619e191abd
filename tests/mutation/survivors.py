"""The mutants that no test catches, each with the reason why that is accepted; and the table of scores.

`survivors.toml` is written by hand. An entry names a mutant by module, function and
changed line, not by number, so that it holds when lines move. It may list several
changes of one line that are accepted for one reason.
"""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.mutants import Mutant
from tests.mutation.running import Attempt

__all__ = ["ACCEPTED", "Score", "read_reasons", "score", "table"]

ACCEPTED = Path(__file__).with_name("survivors.toml")

_Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Score:
    """What the tests made of the mutants of one module.

    `exist` are all mutants of the module, `mutants` those that were run. `late` are the killed ones that ran out of time or memory. `explained` are the
    survivors with their reasons, `unexplained` those without; `stale` are entries of
    `survivors.toml` for mutants that are caught or no longer exist.
    """

    module: str
    exist: int
    mutants: int
    killed: int
    late: int
    explained: Sequence[tuple[Mutant, str]]
    unexplained: Sequence[Mutant]
    stale: Sequence[str]

    @property
    def percent(self) -> float:
        """Killed mutants of a hundred."""
        return 100 * self.killed / self.mutants if self.mutants else 100.0


def read_reasons(path: Path) -> Mapping[_Key, str]:
    """The accepted survivors of a file, by module, function, line and changed line.

    Raises ValueError for an entry without a reason and for one that stands there twice.
    """
    reasons: dict[_Key, str] = {}
    for module, entries in tomllib.loads(path.read_text(encoding="utf-8")).items():
        for entry in entries:
            if not entry["reason"].strip():
                raise ValueError(f"{module}: {entry['was']!r} has no reason")
            for now in entry["now"]:
                key = (module, entry["function"], entry["was"], now)
                if key in reasons:
                    raise ValueError(f"{module}: {entry['was']!r} -> {now!r} stands there twice")
                reasons[key] = entry["reason"].strip()
    return reasons


def score(module: str, attempts: Iterable[Attempt], reasons: Mapping[_Key, str], *, exist: int) -> Score:
    """Count what became of the mutants of one module."""
    tried = [attempt for attempt in attempts if attempt.mutant.module == module]
    survivors = [attempt.mutant for attempt in tried if not attempt.test]
    keys = {mutant.key for mutant in survivors}
    return Score(
        module,
        exist,
        len(tried),
        len(tried) - len(survivors),
        sum(attempt.late for attempt in tried),
        [(mutant, reasons[mutant.key]) for mutant in survivors if mutant.key in reasons],
        [mutant for mutant in survivors if mutant.key not in reasons],
        [f"{key[1]}: {key[2]!r} -> {key[3]!r}" for key in reasons if key[0] == module and key not in keys],
    )


def table(scores: Sequence[Score], made: str) -> str:
    """The scores and the survivors as Markdown; `made` says how they were made."""
    lines = ["# What the tests notice when the reference is broken", "", made, ""]
    lines += ["| module | mutants | run | killed | survived | score |", "|---|---:|---:|---:|---:|---:|"]
    for one in scores:
        late = f" ({one.late} late)" if one.late else ""
        counts = f"{one.exist} | {one.mutants} | {one.killed}{late} | {one.mutants - one.killed}"
        lines.append(f"| `{one.module}` | {counts} | {one.percent:.1f} % |")
    exist, mutants, killed = (sum(getattr(one, name) for one in scores) for name in ("exist", "mutants", "killed"))
    whole = 100 * killed / mutants if mutants else 100.0
    lines += [f"| together | {exist} | {mutants} | {killed} | {mutants - killed} | {whole:.1f} % |", ""]
    lines += ["## The survivors, and why each is accepted"]
    for one in scores:
        together: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
        for mutant, reason in [*one.explained, *((mutant, "**not explained**") for mutant in one.unexplained)]:
            together[mutant.function, reason].append((mutant.was, mutant.now))
        if together:
            lines += ["", f"### `{one.module}`"]
        for (function, reason), changes in together.items():
            lines += ["", f"`{function}`: {reason}", ""]
            for (was, now), times in Counter(changes).items():
                lines.append(f"- {_code(was)} → {_code(now)}{f' ({times} times)' if times > 1 else ''}")
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    """Text as code in Markdown, whatever back ticks it holds."""
    fence = "`" if "`" not in text else "``"
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}" if text else "nothing"
