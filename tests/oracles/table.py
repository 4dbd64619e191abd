"""What the oracles said, as stored (one JSON file each) and as the table `oracles.md`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.oracles.oracle import Oracle, Owner

HERE = Path(__file__).parent
TABLE = HERE / "oracles.md"

_HEAD = """# The reference against oracles

Written by `python -m tests.oracles`. An oracle is code that nobody here wrote and that answers which ids a model is
trained on. It and the reference are asked the same conversations; counted are tokens that both train or neither does.
A first line per pair is for the fixed shapes and is checked by the tests, a second one for generated
conversations. *Same ids* says in how many conversations the oracle's ids are those of the template's text; where they
are not, the two are compared by the characters that the tokens spell. *Open* are tokens that the principle leaves open
and neither trains; they count as agreement. Excluded conversations stand below each table with the reason.

Every disagreement falls into a class, and every class is either an error, with its owner, or a policy that can be
declared and makes both agree. The smallest case of each class is run by the tests.
"""


def results(name: str) -> Path:
    """Where the results of an oracle are stored."""
    return HERE / "results" / f"{name}.json"


def load(name: str) -> Mapping[str, Any]:
    """What is stored about an oracle; nothing where it has not been run."""
    path = results(name)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def store(name: str, found: Mapping[str, Any]) -> None:
    """Keep what was found."""
    results(name).parent.mkdir(exist_ok=True)
    results(name).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def table(oracles: Mapping[str, Oracle]) -> str:
    """The whole table from what is stored, in the order of the oracles."""
    lines = [_HEAD, *_summary(oracles)]
    for name, oracle in oracles.items():
        stored = load(name)
        if stored:
            lines += _oracle(oracle, stored)
    return "\n".join(lines) + "\n"


def _summary(oracles: Mapping[str, Oracle]) -> list[str]:
    lines = [
        "| oracle | pairs | conversations | tokens | agree | our bugs | their bugs | declared policies |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, oracle in oracles.items():
        stored = load(name)
        if not stored:
            continue
        owners = {each.name: each.owner for each in oracle.classes}
        total: Counter[str] = Counter()
        by_owner: Counter[Owner] = Counter()
        for row in stored["pairs"].values():
            for part in row.values():
                total.update({key: part[key] for key in ("conversations", "tokens", "agreed")})
                for kind, count in part["classes"].items():
                    by_owner[owners[kind]] += count
        counts = " | ".join(str(by_owner[owner]) for owner in Owner)
        lines.append(
            f"| {oracle.name} | {len(stored['pairs'])} | {total['conversations']} | {total['tokens']} "
            f"| {_percent(total['agreed'], total['tokens'])} | {counts} |"
        )
    return [*lines, "", "The last three columns count tokens."]


def _percent(part: int, whole: int) -> str:
    if not whole:
        return "–"
    return "100 %" if part == whole else f"{min(99.99, 100 * part / whole):.2f} %"


def _oracle(oracle: Oracle, stored: Mapping[str, Any]) -> list[str]:
    lines = [
        "",
        f"## {oracle.name}",
        "",
        ", ".join(f"{package} {version}" for package, version in stored["versions"].items())
        + f"; generated conversations until {stored['enough']} were compared, at most {stored['most']}.",
        "",
        "| pair | conversations | excluded | same ids | tokens | agree | open | disagreements |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    excluded: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for pair in oracle.pairs:
        row = stored["pairs"][pair]
        for part in (row["fixed"], row["generated"]):
            kinds = ", ".join(f"{kind} {count}" for kind, count in part["classes"].items()) or "none"
            lines.append(
                f"| {pair if part is row['fixed'] else ''} | {part['conversations']} | {sum(part['excluded'].values())} "
                f"| {part['same ids']} | {part['tokens']} | {part['agreed']} | {part['open']} | {kinds} |"
            )
            excluded.update(part["excluded"])
            seen.update(part["classes"])
    if excluded:
        reasons = "; ".join(f"{reason} ({count})" for reason, count in sorted(excluded.items()))
        lines += ["", f"Excluded: {reasons}."]
    lines += ["", "| class | whose matter | what it is | smallest case | tokens |", "|---|---|---|---|--:|"]
    for each in oracle.classes:
        owner = each.owner.value
        if each.policy:
            owner = ", ".join(f"`{option}={_shown(value)}`" for option, value in each.policy.items())
            owner = f"declared policy: {owner}"
        lines.append(
            f"| {each.name} | {owner}; {each.whose} | {each.why} "
            f"| {each.case.pair}: `{_messages(each.case.messages)}` | {seen[each.name] or 'the case'} |"
        )
    return lines


def _shown(value: Any) -> str:
    return str(getattr(value, "value", value))


def _messages(messages: Any) -> str:
    text = json.dumps([_short(message) for message in messages], ensure_ascii=False)
    return text.replace("|", "\\|").replace("`", "'")


def _short(message: Mapping[str, Any]) -> Any:
    return {message["role"]: message["content"]} | {
        key: value for key, value in message.items() if key not in ("role", "content")
    }
