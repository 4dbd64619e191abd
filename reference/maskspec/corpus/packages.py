"""Finds files inside installed packages without importing the packages.

A package is known by its distribution name and its files by the path that
pip recorded, so a corpus package that pulls in a heavy library on import costs
nothing, and one installed without its dependencies works.
"""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

from maskspec.corpus._manifest import Package
from maskspec.errors import CorpusError, MissingPackageError

__all__ = ["installed_version", "locate", "sha256", "verify", "version_note"]


def installed_version(package: Package) -> str | None:
    """Return the installed version of a package, None where it is not installed."""
    try:
        return metadata.version(package.name)
    except metadata.PackageNotFoundError:
        return None


def locate(package: Package, file: str) -> Path:
    """Return the path of a file or folder inside an installed package.

    Raises:
        MissingPackageError: the package is not installed.
        CorpusError: it is, but has no such file.
    """
    try:
        distribution = metadata.distribution(package.name)
    except metadata.PackageNotFoundError as error:
        raise MissingPackageError(f"{package.name} is not installed; install it with: {package.install}") from error
    path = Path(str(distribution.locate_file(file)))
    if not path.exists():
        raise CorpusError(
            f"{package.name} {distribution.version} has no {file} (looked for it at {path}); the manifest was made for "
            f"version {package.version}, which installs with: {package.install}"
        )
    return path


def version_note(package: Package) -> str:
    """Return a sentence when the installed version is not the one that was hashed, ``""`` when it is."""
    version = installed_version(package)
    if version is None or version == package.version:
        return ""
    return f"{package.name} {version} is installed, the manifest was made for {package.version}"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror or error}") from error


def verify(path: Path, expected: str, *, remedy: str) -> None:
    """Compare a file with the hash that the manifest holds for it.

    Raises:
        CorpusError: they differ; the message names the file, both hashes and `remedy`.
    """
    found = sha256(path)
    if found != expected:
        raise CorpusError(
            f"{path} is not the file that the manifest describes: its SHA-256 is {found}, expected {expected}; {remedy}"
        )
