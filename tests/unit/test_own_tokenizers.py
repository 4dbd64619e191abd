"""The small tokenizers of the repository: made again, loaded fast and slow, and crossed with the own templates."""

from __future__ import annotations

import hashlib
import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from maskspec.corpus import (
    Markers,
    embedded_pair,
    embedded_pairs,
    embedded_templates,
    embedded_tokenizers,
    load_embedded_tokenizer,
)
from maskspec.data import data_path
from maskspec.errors import CorpusError, TokenizerError

pytest.importorskip("tokenizers", reason="the own tokenizers are loaded through tokenizers and transformers")
transformers = pytest.importorskip("transformers", reason="the own tokenizers are loaded through transformers")

MAJOR = int(transformers.__version__.partition(".")[0])
NAMES = [entry.name for entry in embedded_tokenizers()]
ROOT = data_path("corpora", "tokenizers")

ORDINARY = [
    "Hello, world! It's 12,345 degrees.",
    "def add(left, right):\n    return left + right\n",
    '{"city": "Lisbon", "values": [1, 2.5, null]}',
    "港口在小镇醒来之前就醒了。",
    "Что вы хотите узнать?",
    "ماذا تريد أن تعرف؟",
    "Good morning 😀 👨‍👩‍👧‍👦 👋🏽!",
    "x\ty\n\n\nz  two   three    four",
    "Zürich, naïve, čeština; ꙮ and 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 are in no training text",
]


def _slow_exists(name: str) -> bool:
    return not (MAJOR >= 5 and name.startswith("bytelevel"))


def test_all_six_kinds_are_there() -> None:
    assert NAMES == [
        "bytelevel-gpt2",
        "bytelevel-qwen",
        "sentencepiece-bpe",
        "sentencepiece-bpe-legacy",
        "sentencepiece-unigram",
        "tiktoken",
    ]


@pytest.mark.parametrize("entry", embedded_tokenizers(), ids=NAMES)
def test_the_files_are_those_of_the_manifest_and_small(entry: Any) -> None:
    folder = ROOT / entry.name
    assert {path.name for path in folder.iterdir()} == set(entry.files)
    for file, expected in entry.files.items():
        content = (folder / file).read_bytes()
        assert hashlib.sha256(content).hexdigest() == expected, file
        assert len(content) < 300_000, file


def test_training_again_gives_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("sentencepiece", reason="SentencePiece vocabularies are trained with its own trainer")
    pytest.importorskip("google.protobuf", reason="SentencePiece models are read through protobuf")
    train = runpy.run_path(str(ROOT / "train.py"))
    train["main"](["--output", str(tmp_path)])
    for name in NAMES:
        for path in sorted((ROOT / name).iterdir()):
            assert (tmp_path / name / path.name).read_bytes() == path.read_bytes(), f"{name}/{path.name}"


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_loads_as_it_is(name: str) -> None:
    raw = transformers.AutoTokenizer.from_pretrained(str(ROOT / name))
    own = load_embedded_tokenizer(name)
    assert raw.is_fast
    assert raw.special_tokens_map == own.raw.special_tokens_map
    for text in ORDINARY:
        assert raw(text, add_special_tokens=False).input_ids == list(own.encode(text).ids)


@pytest.mark.parametrize("slow", [False, True], ids=["fast", "slow"])
@pytest.mark.parametrize("name", NAMES)
def test_ordinary_text_comes_back(name: str, slow: bool) -> None:
    if slow and not _slow_exists(name):
        pytest.skip(f"transformers {MAJOR} has no slow class for {name}")
    tokenizer = load_embedded_tokenizer(name, slow=slow)
    for text in ORDINARY:
        ids = tokenizer.encode(text).ids
        spelled = b"".join(tokenizer.surfaces(ids)).decode()
        # A space before the text is the prefix of the vocabularies that have one, not part of the text.
        assert spelled in (text, " " + text)
        assert 1 < len(ids) < len(text.encode())


@pytest.mark.parametrize("name", NAMES)
def test_slow_and_fast_agree(name: str) -> None:
    if not _slow_exists(name):
        pytest.skip(f"transformers {MAJOR} has no slow class for {name}")
    pairs = {slow: load_embedded_tokenizer(name, template="chatml", slow=slow) for slow in (False, True)}
    for text in ORDINARY:
        conversation = f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n{text}{text}<|im_end|>\n"
        assert list(pairs[True].encode(conversation).ids) == list(pairs[False].encode(conversation).ids)


def test_where_slow_and_fast_unigram_differ() -> None:
    # The manifest's note: only a space at the very start of the text.
    fast = load_embedded_tokenizer("sentencepiece-unigram")
    slow = load_embedded_tokenizer("sentencepiece-unigram", slow=True)
    assert fast.surfaces(fast.encode("two").ids)[0].startswith(b" ")
    if MAJOR >= 5:
        assert b"".join(slow.surfaces(slow.encode("two").ids)) == b"two"
    else:
        assert b"".join(slow.surfaces(slow.encode(" two").ids)) == b"  two"
    assert next(entry for entry in embedded_tokenizers() if entry.name == "sentencepiece-unigram").differences


def test_the_three_ways_to_put_a_prefix_space() -> None:
    spelled = {}
    for name in NAMES:
        if name.startswith("sentencepiece"):
            tokenizer = load_embedded_tokenizer(name)
            spelled[name] = b"".join(tokenizer.surfaces(tokenizer.encode("a</s>b").ids)).decode()
    assert spelled == {
        "sentencepiece-bpe": "a</s>b",
        "sentencepiece-bpe-legacy": " a</s> b",
        "sentencepiece-unigram": " a</s>b",
    }


def test_digits_are_grouped_as_the_patterns_say() -> None:
    def pieces(name: str) -> list[str]:
        raw = load_embedded_tokenizer(name).raw.backend_tokenizer
        return [piece for piece, _ in raw.pre_tokenizer.pre_tokenize_str("ab 1234567")]

    assert pieces("bytelevel-gpt2") == ["ab", "Ġ1234567"]
    assert pieces("bytelevel-qwen") == ["ab", "Ġ", *"1234567"]
    assert pieces("tiktoken") == ["ab", "Ġ", "123", "456", "7"]


def test_the_qwen_vocabulary_normalizes_as_the_real_one_does() -> None:
    tokenizer = load_embedded_tokenizer("bytelevel-qwen")
    assert list(tokenizer.encode("e\u0301").ids) == list(tokenizer.encode("\u00e9").ids)


def test_the_rank_file_converts_as_transformers_converts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # tiktoken would go on reading its copy of an earlier file of the same path.
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    pytest.importorskip("tiktoken", reason="transformers reads rank files through tiktoken")
    path = ROOT / "tiktoken" / "tokenizer.tiktoken"
    document = json.loads((ROOT / "tiktoken" / "tokenizer.json").read_text(encoding="utf-8"))
    pattern = document["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    from transformers.convert_slow_tokenizer import TikTokenConverter

    converted = TikTokenConverter(str(path), pattern=pattern, additional_special_tokens=[]).converted()
    for text in ORDINARY:
        assert converted.encode(text).ids == list(load_embedded_tokenizer("tiktoken").encode(text).ids)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("template", embedded_templates(generation_tags=False), ids=lambda each: each.name)
def test_every_marker_is_one_token(template: Any, name: str) -> None:
    tokenizer = load_embedded_tokenizer(name, template=template)
    for marker in template.markers:
        ids = list(tokenizer.encode(f"{marker}{marker}").ids)
        assert len(ids) == 2, marker
        assert tokenizer.surfaces(ids) == [marker.encode()] * 2
    assert tokenizer.special_tokens.bos == template.bos
    assert tokenizer.special_tokens.eos == template.eos
    assert tokenizer.special_tokens.pad == template.pad
    assert tokenizer.special_tokens.stops == template.stops
    assert set(template.markers) <= set(tokenizer.special_tokens.added)


@pytest.mark.parametrize("name", NAMES)
def test_plain_markers_are_ordinary_text(name: str) -> None:
    entry = next(entry for entry in embedded_tokenizers() if entry.name == name)
    tokenizer = load_embedded_tokenizer(name, template="chatml", markers=Markers.PLAIN)
    assert len(tokenizer.encode("<|im_end|>").ids) > 2
    assert tokenizer.special_tokens.eos == entry.variables["eos_token"]
    assert tokenizer.special_tokens.stops == ("<|im_end|>", entry.variables["eos_token"])


def test_markers_of_ones_own() -> None:
    tokenizer = load_embedded_tokenizer(
        "bytelevel-gpt2", markers=["<one>", "<two>"], special=["<one>"], eos="<one>", stops=["<one>"]
    )
    ids = list(tokenizer.encode("<one>x<two>").ids)
    assert len(ids) == 3
    assert tokenizer.raw.decode(ids, skip_special_tokens=True) == "x<two>"
    assert tokenizer.special_tokens.eos == "<one>"


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("bytelevel")])
def test_bos_is_added_by_the_tokenizers_that_do_so(name: str) -> None:
    tokenizer = load_embedded_tokenizer(name, template="llama-3")
    ids = tokenizer.raw("x").input_ids
    assert ids[0] == tokenizer.raw.bos_token_id
    assert ids[1:] == list(tokenizer.encode("x").ids)


def test_pairs_are_the_cross_product_and_loaded_once() -> None:
    templates = embedded_templates()
    fast = list(embedded_pairs())
    assert len({pair.name for pair in fast}) == len(fast) == len(templates) * len(NAMES)
    everything = list(embedded_pairs(slow=None, markers=None))
    assert {pair.slow for pair in everything} == {False, True}
    assert {pair.markers for pair in everything} == set(Markers)
    assert len({pair.name for pair in everything}) == len(everything)
    for pair in everything[:: len(everything) // 20]:
        assert embedded_pair(pair.name) == pair
        assert embedded_pair(pair.name).tokenizer is pair.tokenizer
        assert pair.tokenizer.name == pair.name
    pair = embedded_pair("mistral-v1+sentencepiece-bpe")
    assert pair.special_tokens["bos_token"] == "<s>"
    assert pair.stops == ("</s>",)


def test_listing_pairs_loads_no_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a tokenizer was loaded")

    monkeypatch.setattr("maskspec.corpus._embedded._load", fail)
    assert list(embedded_pairs())


def test_a_slow_class_that_this_transformers_lacks_is_an_error() -> None:
    if MAJOR < 5:
        pytest.skip("transformers 4 has every slow class")
    with pytest.raises(CorpusError, match="no slow class for bytelevel-gpt2"):
        load_embedded_tokenizer("bytelevel-gpt2", slow=True)


def test_tiktoken_refuses_what_it_cannot_spell() -> None:
    tokenizer = load_embedded_tokenizer("tiktoken", slow=True)
    with pytest.raises(TokenizerError, match="lone surrogate"):
        tokenizer.encode("a\ud800")
    with pytest.raises(TokenizerError, match="no token with id 99999"):
        tokenizer.token(99999)
    whole = tokenizer.encode("港 <|end_of_text|>")
    assert whole.offsets is None
    assert tokenizer.decode(whole.ids) == "港 <|end_of_text|>"
    assert tokenizer.token(whole.ids[-1]) == "<|end_of_text|>"


def test_pairs_and_templates_can_be_kept_in_sets() -> None:
    assert len({*embedded_templates(), *embedded_templates()}) == len(embedded_templates())
    assert len({embedded_pair("chatml+tiktoken"), embedded_pair("chatml+tiktoken")}) == 1


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("bytelevel-gpt", {}, "did you mean 'bytelevel-gpt2'"),
        ("tiktoken", {"template": "chatlm"}, "did you mean 'chatml'"),
        ("tiktoken", {"template": "chatml", "markers": "plane"}, "must be one of"),
    ],
)
def test_unknown_names_are_errors(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        load_embedded_tokenizer(name, **options)
