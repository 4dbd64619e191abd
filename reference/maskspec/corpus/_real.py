"""Real vocabularies with the templates their models were published with, from installed packages and what was added."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from maskspec.corpus._collections import collection_template
from maskspec.corpus._libraries import CORPORA, SUITE, lacking
from maskspec.corpus._manifest import Package, RealPair, Source, Vocabulary, manifest
from maskspec.corpus._sources import LIBRARIES, add_command, is_here, vocabulary_file
from maskspec.corpus._vocabularies import build_vocabulary, has_slow
from maskspec.corpus.packages import installed_version, verify, version_note
from maskspec.corpus.records import Kind, Pair, Template
from maskspec.corpus.validation import suggestion
from maskspec.errors import CorpusError, MissingPackageError
from maskspec.tokens import Tokenizer

__all__ = [
    "MissingPair",
    "RealPairs",
    "in_default_run",
    "load_real_tokenizer",
    "real_pair",
    "real_pairs",
    "verify_pair",
    "verify_pairs",
]


@dataclass(frozen=True, slots=True)
class MissingPair:
    """A pair of the manifest that cannot be used here: the packages it lacks and the command that installs them."""

    name: str
    packages: tuple[str, ...]
    install: str


@dataclass(frozen=True, slots=True)
class RealPairs:
    """The pairs of the manifest, in its order: those whose packages are installed, and the others."""

    found: tuple[Pair, ...]
    missing: tuple[MissingPair, ...]


def real_pairs(*, slow: bool | None = False, everything: bool = False) -> RealPairs:
    """Return the real pairs that can be used here, and what the others lack.

    `slow` chooses fast (False), slow (True) or both (None); only SentencePiece
    vocabularies have a slow tokenizer. `everything` adds the pairs that a run without
    named pairs leaves out: those that need the extra `corpora` or `maskspec corpus add`.
    No tokenizer is loaded and no package is imported. A package in another version
    than the manifest's is used, and `Pair.note` says so.
    """
    found: list[Pair] = []
    missing: list[MissingPair] = []
    for entry in manifest().pairs.values():
        if not (entry.default or everything):
            continue
        vocabulary = manifest().vocabularies[entry.vocabulary]
        modes = [mode for mode in (False, True) if slow in (None, mode) and (has_slow(vocabulary) or not mode)]
        absent = _missing(entry, vocabulary)
        if absent is not None:
            missing.append(absent)
        else:
            found += [_pair(entry, vocabulary, slow=mode, legacy=None) for mode in modes]
    return RealPairs(tuple(found), tuple(missing))


def in_default_run(name: str) -> bool:
    """Whether a run that names no pair asks about this one; always so for pairs that are not in the manifest."""
    entry = manifest().pairs.get(name.partition(":")[0])
    return entry is None or entry.default


def _packages(entry: RealPair, vocabulary: Vocabulary) -> tuple[Package, Package]:
    collection = manifest().collections[entry.template.partition(":")[0]]
    return manifest().packages[vocabulary.package], manifest().packages[collection.package]


def _missing(entry: RealPair, vocabulary: Vocabulary) -> MissingPair | None:
    holder, templates = _packages(entry, vocabulary)
    to_add = holder.source is not Source.PIP and not is_here(vocabulary)
    pip = [each for each in (holder, templates) if each.source is Source.PIP and installed_version(each) is None]
    libraries = lacking(LIBRARIES[vocabulary.format])
    if not pip and not libraries and not to_add:
        return None
    # One command for an extra that brings a missing library; the rest has a command of its own.
    extra = CORPORA if any(each.extra == "corpora" for each in pip) else SUITE
    brought = ("suite", "corpora") if libraries and extra == CORPORA else ("suite",) if libraries else ()
    commands = [extra] if libraries else []
    commands += [each.install for each in pip if each.extra not in brought]
    commands += [add_command(entry.name)] if to_add else []
    return MissingPair(
        entry.name,
        packages=tuple(dict.fromkeys((*(each.name for each in pip), *((holder.name,) if to_add else ()), *libraries))),
        install=" && ".join(dict.fromkeys(commands)),
    )


def real_pair(name: str) -> Pair:
    """Return one real pair by name, with `:slow` and `:legacy` for the slow tokenizer and its legacy prefix.

    Raises:
        CorpusError: the name is unknown, or the pair has no slow tokenizer.
        MissingPackageError: a package it needs is not installed.
    """
    stem, *modes = name.split(":")
    known = manifest().pairs
    unknown = [mode for mode in modes if mode not in ("slow", "legacy")]
    if stem not in known or unknown:
        what = f"unknown mode {unknown[0]!r} in" if unknown and stem in known else "unknown pair"
        raise CorpusError(f"{what} {name!r}{suggestion(stem, known) if stem not in known else ''}")
    entry = known[stem]
    vocabulary = manifest().vocabularies[entry.vocabulary]
    if modes and not has_slow(vocabulary):
        raise CorpusError(
            f"{stem} has no slow tokenizer, so {name!r} is no pair: only SentencePiece vocabularies have one"
        )
    absent = _missing(entry, vocabulary)
    if absent is not None:
        raise MissingPackageError(f"{name} needs {', '.join(absent.packages)}; install with: {absent.install}")
    return _pair(entry, vocabulary, slow="slow" in modes, legacy=True if "legacy" in modes else None)


def _pair(entry: RealPair, vocabulary: Vocabulary, *, slow: bool, legacy: bool | None) -> Pair:
    return Pair(
        name=_name(entry.name, slow, legacy),
        template=_template(entry, vocabulary),
        kind=Kind.PACKAGE if manifest().packages[vocabulary.package].source is Source.PIP else Kind.ADDED,
        load=partial(load_real_tokenizer, entry.name, slow=slow, legacy=legacy),
        libraries=LIBRARIES[vocabulary.format],
        slow=slow,
        licence=entry.licence,
        note="; ".join(filter(None, (*map(version_note, _installed(entry, vocabulary)), entry.note))),
    )


def _installed(entry: RealPair, vocabulary: Vocabulary) -> list[Package]:
    return [each for each in _packages(entry, vocabulary) if each.source is Source.PIP]


def _name(stem: str, slow: bool, legacy: bool | None) -> str:
    return stem + (":slow" if slow else "") + (":legacy" if legacy else "")


def _template(entry: RealPair, vocabulary: Vocabulary) -> Template:
    collection, _, name = entry.template.partition(":")
    plain = tuple(marker for marker in entry.markers if marker in vocabulary.plain)
    return replace(
        collection_template(collection, name),
        bos=entry.variables.get("bos_token"),
        eos=entry.variables.get("eos_token"),
        pad=entry.variables.get("pad_token"),
        stops=entry.stops,
        special=tuple(marker for marker in entry.markers if marker not in plain),
        added=plain,
    )


@cache
def load_real_tokenizer(name: str, *, slow: bool = False, legacy: bool | None = None) -> Tokenizer:
    """Return the tokenizer of a real pair, once per process.

    `legacy` overrides the flag that decides whether a SentencePiece tokenizer
    puts a space after every added token (transformers 5 knows it for slow ones only).
    """
    from maskspec.tokenizers import wrap

    entry = manifest().pairs[name]
    raw = _raw_tokenizer(entry.vocabulary, tuple(entry.variables.items()), slow, legacy)
    return wrap(raw, name=_name(name, slow, legacy), stops=entry.stops)


@cache
def _raw_tokenizer(name: str, variables: tuple[tuple[str, str], ...], slow: bool, legacy: bool | None) -> Any:
    # Pairs that differ in the template alone share one tokenizer: the largest takes seconds and 200 MB.
    vocabulary = manifest().vocabularies[name]
    path = vocabulary_file(vocabulary)
    return build_vocabulary(vocabulary, path, variables=dict(variables), slow=slow, legacy=legacy)


def verify_pair(name: str) -> None:
    """Check the vocabulary and the template of a real pair against the hashes of the manifest.

    Raises:
        CorpusError: one differs, or the pair is unknown.
        MissingPackageError: a package is not installed.
    """
    pair = real_pair(name)
    entry = manifest().pairs[name.partition(":")[0]]
    vocabulary = manifest().vocabularies[entry.vocabulary]
    package, templates = _packages(entry, vocabulary)
    path = vocabulary_file(vocabulary)
    verify(path, vocabulary.sha256, remedy=f"install the version it was made for: {package.install}")
    found = hashlib.sha256(pair.template.source.encode()).hexdigest()
    if found != entry.template_sha256:
        raise CorpusError(
            f"the template {entry.template} of {pair.template.origin} is not the one that the manifest describes: "
            f"its SHA-256 is {found}, expected {entry.template_sha256}; install the version it "
            f"was made for: {templates.install}"
        )


def verify_pairs(names: Iterable[str] | None = None) -> None:
    """Check several real pairs, by default all that are found here."""
    for name in names if names is not None else [pair.name for pair in real_pairs(everything=True).found]:
        verify_pair(name)
