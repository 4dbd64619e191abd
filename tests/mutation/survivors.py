"""The mutants that no test catches, each with the reason why that is accepted; and the table of scores.

`survivors.toml` is written by hand. An entry names a mutant by module, function and
changed line, not by number, so that it holds when lines move. It may list several
changes of one line that are accepted for one reason. A reason begins with its kind.
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

KINDS = ("equivalent", "speed only", "message text only")
"""Why a mutant may live: no input shows it; it costs time alone; an error or a warning reads otherwise."""

_Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Score:
    """What the tests made of the mutants of one module.

    `exist` are all mutants of the module that are Python, `mutants` those that were run. `late` are the killed
    ones that ran out of time or memory. `explained` are the survivors with their reasons, `unexplained` those
    without; `stale` are entries of `survivors.toml` for mutants that are caught or no longer exist.
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

    Raises ValueError for an entry whose reason is none of `KINDS`, and for one that stands there twice.
    """
    reasons: dict[_Key, str] = {}
    for module, entries in tomllib.loads(path.read_text(encoding="utf-8")).items():
        for entry in entries:
            kind, _, why = entry["reason"].partition(": ")
            if kind not in KINDS or not why.strip():
                raise ValueError(f"{module}: the reason for {entry['was']!r} must be {' or '.join(KINDS)}: and why")
            for now in entry["now"]:
                key = (module, entry["function"], entry["was"], now)
                if key in reasons:
                    raise ValueError(f"{module}: {entry['was']!r} -> {now!r} stands there twice")
                reasons[key] = entry["reason"].strip()
    return reasons


def score(module: str, attempts: Iterable[Attempt], reasons: Mapping[_Key, str], *, exist: int) -> Score:
    """Count what became of the mutants of one module."""
    of_module = [attempt for attempt in attempts if attempt.mutant.module == module]
    tried = [attempt for attempt in of_module if attempt.valid]
    survivors = [attempt.mutant for attempt in tried if not attempt.test]
    keys = {mutant.key for mutant in survivors}
    return Score(
        module,
        exist - (len(of_module) - len(tried)),
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
    lines.append(f"| module | mutants | killed | score | survived | {' | '.join(KINDS)} | not explained |")
    lines.append("|---|" + "---:|" * (5 + len(KINDS)))
    lines += [_row(f"`{one.module}`", [one]) for one in scores]
    lines += [_row("together", scores), ""]
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


def _row(name: str, scores: Sequence[Score]) -> str:
    run, killed, late = (sum(getattr(one, count) for one in scores) for count in ("mutants", "killed", "late"))
    unexplained = sum(len(one.unexplained) for one in scores)
    kinds = Counter(reason.partition(":")[0] for one in scores for _, reason in one.explained)
    percent = 100 * killed / run if run else 100.0
    cells = [run, f"{killed} ({late} late)" if late else killed, f"{percent:.1f} %", run - killed]
    return f"| {' | '.join(map(str, [name, *cells, *(kinds[kind] for kind in KINDS), unexplained]))} |"


def _code(text: str) -> str:
    """Text as code in Markdown, whatever back ticks it holds."""
    fence = "`" if "`" not in text else "``"
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}" if text else "nothing"
