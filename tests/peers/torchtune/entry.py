"""torchtune by its own entry point and nothing of maskspec: messages in, tokens with and without loss out."""

from __future__ import annotations

import importlib.util
import json
import os
import warnings
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.peers.alone import needs

os.environ.setdefault("TIKTOKEN_CACHE_DIR", "")

needed = needs("torchtune", "0.6.1")


def module(name: str) -> Any:
    """A module of torchtune, which imports some of its own by names that it deprecates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module(name)


def row(tokenizer: Any, messages: list[dict[str, Any]], *, train_on_input: bool = False) -> dict[str, Any]:
    """Tokens and labels of one row, as `chat_dataset(conversation_style="openai")` makes them."""
    transform = module("torchtune.datasets._sft").SFTTransform(
        message_transform=module("torchtune.data").OpenAIToMessages(train_on_input=train_on_input),
        model_transform=tokenizer,
    )
    made: dict[str, Any] = transform({"messages": messages})
    return made


def trained(answer: Mapping[str, Any]) -> list[bool]:
    """Which tokens carry loss."""
    assert all(label in (-100, token) for token, label in zip(answer["tokens"], answer["labels"], strict=True))
    return [bool(label != -100) for label in answer["labels"]]


def chat(*texts: str, system: str | None = None) -> list[dict[str, Any]]:
    """User and assistant in turn, behind a system message if there is one."""
    turns = [{"role": ("user", "assistant")[index % 2], "content": text} for index, text in enumerate(texts)]
    return turns if system is None else [{"role": "system", "content": system}, *turns]


def mistral(**options: Any) -> Any:
    """torchtune's Mistral tokenizer on the vocabulary of Mistral 7B v0.1, which mistral-common ships."""
    return module("torchtune.models.mistral").mistral_tokenizer(_model(), **options)


def llama2(**options: Any) -> Any:
    """torchtune's Llama 2 tokenizer; Mistral's vocabulary of the same kind stands in for Llama's."""
    return module("torchtune.models.llama2").llama2_tokenizer(_model(), **options)


def llama3(**options: Any) -> Any:
    """torchtune's Llama 3 tokenizer on Meta's own file."""
    try:
        path = metadata.distribution("llama-models").locate_file("models/llama3/tokenizer.model")
    except metadata.PackageNotFoundError:
        pytest.skip("needs the vocabulary of Llama 3: python -m pip install llama-models==0.3.0")
    return module("torchtune.models.llama3").llama3_tokenizer(str(path), **options)


def qwen(folder: Path, **options: Any) -> Any:
    """torchtune's Qwen 2.5 tokenizer on a vocabulary of single bytes."""
    words, merges = _files(folder, [])
    return module("torchtune.models.qwen2_5").qwen2_5_tokenizer(path=words, merges_file=merges, **options)


def phi4(folder: Path, *merges: tuple[str, str], **options: Any) -> Any:
    """torchtune's Phi-4 tokenizer on a vocabulary of single bytes and these merges, the first of which has id 256."""
    words, joined = _files(folder, list(merges))
    return module("torchtune.models.phi4").phi4_tokenizer(vocab_path=words, merges_path=joined, **options)


def _model() -> str:
    found = importlib.util.find_spec("mistral_common")
    if found is None or found.origin is None:
        pytest.skip("needs the vocabulary of Mistral v1: python -m pip install mistral-common==1.13.1")
    return str(Path(found.origin).parent / "data" / "tokenizer.model.v1")


def _files(folder: Path, merges: list[tuple[str, str]]) -> tuple[str, str]:
    """A byte-level vocabulary: the id of a byte is the byte, that of a merge 256 and its number."""
    spelled = module("torchtune.modules.transforms.tokenizers._gpt2").bytes_to_unicode()
    vocabulary = {char: byte for byte, char in spelled.items()}
    vocabulary |= {"".join(pair): 256 + number for number, pair in enumerate(merges)}
    words, joined = folder / "vocab.json", folder / "merges.txt"
    words.write_text(json.dumps(vocabulary), encoding="utf-8")
    lines = "".join(f"{left} {right}\n" for left, right in merges)
    joined.write_text(f"#version: 0.2\n{lines}", encoding="utf-8")
    return str(words), str(joined)
