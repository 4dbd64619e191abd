"""From an entry of the manifest to a verified file: installed, added by the user, or built from a library's answers."""

from __future__ import annotations

import hashlib
from pathlib import Path

from maskspec.corpus._libraries import FAST
from maskspec.corpus._manifest import Format, Package, Source, Vocabulary, manifest
from maskspec.corpus._storage import kept_file, write_whole
from maskspec.corpus.packages import installed_version, locate, sha256, verify
from maskspec.errors import CorpusError, MissingPackageError

__all__ = ["LIBRARIES", "add_command", "is_here", "published_hash", "vocabulary_file"]

LIBRARIES = {
    Format.SENTENCEPIECE: (*FAST, "sentencepiece", "google.protobuf"),
    Format.TEKKEN: FAST,
    Format.TIKTOKEN: FAST,
    Format.HUGGINGFACE: FAST,
    Format.SPLINTR_RANKS: FAST,
    Format.SPLINTR_PIECES: (*FAST, "sentencepiece", "google.protobuf"),
    Format.GGUF: FAST,
}
"""The modules that building a vocabulary of each format imports, besides the package that holds it."""

_BUILT = {Format.SPLINTR_RANKS: "tiktoken", Format.SPLINTR_PIECES: "model"}


def is_here(vocabulary: Vocabulary) -> bool:
    """Whether the vocabulary can be had without fetching anything; nothing is read."""
    package = manifest().packages[vocabulary.package]
    if package.source is Source.PIP:
        return installed_version(package) is not None
    return kept_file(package, vocabulary.file).is_file()


def add_command(name: str) -> str:
    """Return the command that adds what a pair or a package lacks."""
    return f"maskspec corpus add {name}"


def vocabulary_file(vocabulary: Vocabulary) -> Path:
    """Return the file of a vocabulary; what was added or built is compared with the manifest's hash each time.

    Raises:
        CorpusError: the file is not the one that the manifest describes.
        MissingPackageError: the package is not installed, or nothing was added.
    """
    package = manifest().packages[vocabulary.package]
    if vocabulary.format in _BUILT:
        return _built(vocabulary, package)
    if package.source is Source.PIP:
        return locate(package, vocabulary.file)
    path = kept_file(package, vocabulary.file)
    again = add_command(package.name)
    if not path.is_file():
        raise MissingPackageError(f"the vocabulary {vocabulary.name} was not added yet; add it with: {again}")
    verify(path, vocabulary.sha256, remedy=f"add it again with: {again}")
    return path


def _built(vocabulary: Vocabulary, package: Package) -> Path:
    path = kept_file(package, f"{vocabulary.file}.{_BUILT[vocabulary.format]}")
    if path.is_file() and sha256(path) == vocabulary.sha256:
        return path
    content = _content(vocabulary, package)
    found = hashlib.sha256(content).hexdigest()
    if found != vocabulary.sha256:
        raise CorpusError(
            f"{package.name} {installed_version(package)} gives another {vocabulary.file!r} than the one that "
            f"the manifest describes: its SHA-256 is {found}, expected {vocabulary.sha256}; install the version it was "
            f"made for: {package.install}"
        )
    write_whole(path, [content])
    return path


def _content(vocabulary: Vocabulary, package: Package) -> bytes:
    from maskspec.corpus._splintr import model_bytes, rank_bytes

    if installed_version(package) is None:
        raise MissingPackageError(f"{package.name} is not installed; install it with: {package.install}")
    build = rank_bytes if vocabulary.format is Format.SPLINTR_RANKS else model_bytes
    return build(vocabulary.file, vocabulary.ranks)


def published_hash(vocabulary: Vocabulary, package: Package) -> str:
    """Return the SHA-256 of what this machine has for a vocabulary, whatever the manifest says.

    Raises:
        MissingPackageError: this machine has nothing.
    """
    if vocabulary.format in _BUILT:
        return hashlib.sha256(_content(vocabulary, package)).hexdigest()
    if package.source is Source.PIP:
        return sha256(locate(package, vocabulary.file))
    path = kept_file(package, vocabulary.file)
    if not path.is_file():
        raise MissingPackageError(f"it was not added; add it with: {add_command(package.name)}")
    return sha256(path)
