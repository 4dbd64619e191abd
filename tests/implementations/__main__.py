"""Compares the implementations of every vocabulary: `python -m tests.implementations`.

--examples 200     texts per vocabulary (the stored table was made with 1000)
--seed 0           another seed, other texts
--only mistral-v3  these vocabularies only
--write            keep what was found: results/, differences.toml, implementations.md and the appendix
--pins             ask about the texts of differences.toml only, where they have no answers of this series yet
--appendix         write spec/10-where-tokenizers-differ.md and implementations.md from what is kept, and no more

Without --write it ends with 1 where a known difference is no longer as `differences.toml` says, or one was found that it
does not hold.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from maskspec.corpus._libraries import transformers_major
from tests.implementations.appendix import PAGE, appendix, consequences, told_anew
from tests.implementations.compare import compare
from tests.implementations.panel import Panel
from tests.implementations.pins import FILE, ask, pins, renewed, updated, written
from tests.implementations.registry import VOCABULARIES, forget
from tests.implementations.results import TABLE, as_json, load, store, table, versions


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the module's documentation says; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.implementations", description="Compares implementations.")
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=list(VOCABULARIES), default=list(VOCABULARIES))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--pins", action="store_true")
    parser.add_argument("--appendix", action="store_true")
    options = parser.parse_args(arguments)
    if options.pins:
        for name in options.only:
            _complete(name)
    if options.pins or options.appendix:
        return _write_pages()
    surprises = 0
    for name in options.only:
        surprises += _one(name, options)
        forget()
    if options.write:
        _write_pages()
    return 1 if surprises and not options.write else 0


def _one(name: str, options: argparse.Namespace) -> int:
    entry = VOCABULARIES[name]
    series = transformers_major()
    if entry.missing:
        print(f"{name}: not compared, {entry.missing}", flush=True)
        if options.write:
            _keep(series, options, "missing", name, entry.missing)
        return 0
    found = compare(entry, examples=options.examples, seed=options.seed)
    kinds = {kind.value: count for kind, count in found.shown.items()}
    print(f"{name}: {found.alike} of {found.texts} alike, {found.seconds:.0f} s, {kinds}", flush=True)
    panel = Panel.of(entry)
    if options.write:
        _keep(series, options, "vocabularies", name, as_json(found))
        entries = updated(pins(), panel, found, consequences())
        FILE.write_text(written(entries), encoding="utf-8")
        pins.cache_clear()
        return 0
    surprises = 0
    for pin in pins():
        if pin.vocabulary == name:
            answers = {each: answer.said for answer in ask(panel, pin) for each in answer.implementations}
            stored = {each: answer.said for answer in pin.of(series) for each in answer.implementations}
            for each in sorted(answers.keys() & stored.keys()):
                if answers[each] != stored[each]:
                    surprises += 1
                    print(f"  {pin.name}: {each} gives {answers[each]}, stored is {stored[each]}")
    known = {pin.kind for pin in pins() if pin.vocabulary == name and pin.differs(series)}
    new = ({*found.smallest} | {kind for _, kind in found.smallest_round_trips}) - known
    for kind in new:
        surprises += 1
        print(f"  not in differences.toml: {kind.value}")
    return surprises


def _complete(name: str) -> None:
    """Give the entries of a vocabulary the answers of this series where they have none."""
    series = transformers_major()
    entry = VOCABULARIES[name]
    if entry.missing or all(pin.of(series) for pin in pins() if pin.vocabulary == name):
        return
    panel = Panel.of(entry)
    entries = [renewed(pin, panel, series) if pin.vocabulary == name else pin for pin in pins()]
    FILE.write_text(written(entries), encoding="utf-8")
    pins.cache_clear()
    forget()
    print(f"{name}: answers of transformers {series} added", flush=True)


def _keep(series: int, options: argparse.Namespace, part: str, name: str, what: Any) -> None:
    kept = load(series)
    kept.update(versions=versions(), examples=options.examples, seed=options.seed)
    for each in ("vocabularies", "missing"):
        kept.setdefault(each, {}).pop(name, None)
    kept[part][name] = what
    kept["vocabularies"] = {each: kept["vocabularies"][each] for each in VOCABULARIES if each in kept["vocabularies"]}
    store(series, kept)


def _write_pages() -> int:
    FILE.write_text(written(told_anew(pins())), encoding="utf-8")
    pins.cache_clear()
    TABLE.write_text(table(), encoding="utf-8")
    PAGE.write_text(appendix(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
