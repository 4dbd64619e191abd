"""Checks the hashes of `corpora/manifest.toml` (`python -m maskspec.corpus.manifest`) and refreshes them (`--write`).

Only values of hashes and counts are rewritten, in place, so comments and order
stay. A package that is not installed keeps the hashes it has, and is named.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from maskspec.corpus._collections import collection_template, collection_templates, folder_digest
from maskspec.corpus._manifest import Manifest, read_manifest
from maskspec.corpus._sources import published_hash
from maskspec.corpus.packages import sha256
from maskspec.data import data_path
from maskspec.errors import CorpusError, MissingPackageError

__all__ = ["current_hashes", "differences", "main", "rewrite"]

_TABLE = re.compile(r"\[\[(\w+)\]\]\s*")
_SETTING = re.compile(r'("[^"]+"|\w+) = ("[0-9a-f]*"|\d+)\s*')

Hashes = dict[tuple[str, str, str], str]
"""TOML values of what is on this machine, by kind of table, name of the entry, and key."""


def current_hashes(manifest: Manifest, root: Path) -> tuple[Hashes, list[str]]:
    """Return the hashes of everything that is here, and a sentence for everything that is not.

    `root` is the `corpora` folder with the own tokenizers.
    """
    found: Hashes = {}
    missing: list[str] = []

    def record(kind: str, name: str, key: str, value: Callable[[], str | int]) -> None:
        try:
            found[kind, name, key] = json.dumps(value())
        except MissingPackageError as error:
            missing.append(f"{kind} {name}: {error}")

    for entry in manifest.tokenizers:
        for file in entry.files:
            path = root / "tokenizers" / entry.name / file
            record("tokenizer", entry.name, file, partial(sha256, path))
    for name in manifest.collections:
        record("collection", name, "count", partial(_count, name))
        record("collection", name, "sha256", partial(_digest, name))
    for name, vocabulary in manifest.vocabularies.items():
        record("vocabulary", name, "sha256", partial(published_hash, vocabulary, manifest.packages[vocabulary.package]))
    for name, pair in manifest.pairs.items():
        record("pair", name, "template_sha256", partial(_template_hash, pair.template))
    return found, missing


def _count(collection: str) -> int:
    return len(collection_templates(collection))


def _digest(collection: str) -> str:
    return folder_digest(collection_templates(collection))


def _template_hash(reference: str) -> str:
    collection, _, name = reference.partition(":")
    return hashlib.sha256(collection_template(collection, name).source.encode()).hexdigest()


def rewrite(text: str, hashes: Hashes) -> str:
    """Return the text of a manifest with its hashes replaced."""
    lines = []
    kind = name = ""
    for line in text.splitlines(keepends=True):
        table = _TABLE.fullmatch(line)
        if table:
            kind, name = table[1], ""
        elif line.startswith("name = ") and not name:
            name = json.loads(line.removeprefix("name = "))
        setting = _SETTING.fullmatch(line)
        value = hashes.get((kind, name, setting[1].strip('"'))) if setting else None
        lines.append(f"{setting[1]} = {value}\n" if setting and value is not None else line)
    return "".join(lines)


def differences(text: str, hashes: Hashes) -> list[str]:
    """Return the lines that `rewrite` would change, as `line number: old -> new`."""
    pairs = zip(text.splitlines(), rewrite(text, hashes).splitlines(), strict=True)
    return [f"line {number}: {old} -> {new}" for number, (old, new) in enumerate(pairs, start=1) if old != new]


def main(arguments: Sequence[str] | None = None) -> int:
    """Check or write the hashes; return 0 when right, 1 when not, 3 when something is not here to be checked."""
    parser = argparse.ArgumentParser(
        prog="python -m maskspec.corpus.manifest", description="Check or refresh the hashes of the corpora."
    )
    parser.add_argument("--write", action="store_true", help="replace the hashes in the manifest")
    parser.add_argument("--manifest", type=Path, help="the manifest (default: the one of maskspec)")
    chosen = parser.parse_args(arguments)
    path = chosen.manifest or data_path("corpora", "manifest.toml")
    try:
        hashes, missing = current_hashes(read_manifest(path), data_path("corpora"))
    except CorpusError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    text = path.read_text(encoding="utf-8")
    changed = differences(text, hashes)
    for sentence in (*changed, *missing):
        sys.stdout.write(f"{sentence}\n")
    sys.stdout.write(f"{len(hashes)} values checked, {len(changed)} differ, {len(missing)} not here\n")
    if chosen.write:
        path.write_text(rewrite(text, hashes), encoding="utf-8")
        return 0
    return 1 if changed else 3 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
