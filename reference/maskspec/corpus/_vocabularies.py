"""Turns a vocabulary file of a package into a transformers tokenizer.

The packages keep vocabularies in four forms (see `Format`), and the special
tokens of three of them stand in the code of the package or in the model's
configuration, not in the file. The manifest lists them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from maskspec.corpus._libraries import need, transformers_major
from maskspec.corpus._manifest import Format, Vocabulary
from maskspec.corpus._own import prepend_bos, sentencepiece_slow
from maskspec.corpus._tiktoken import read_ranks
from maskspec.errors import CorpusError

__all__ = ["build_vocabulary", "has_slow"]


def has_slow(vocabulary: Vocabulary) -> bool:
    """Whether a slow implementation exists beside the fast one."""
    return vocabulary.format is Format.SENTENCEPIECE


def build_vocabulary(
    vocabulary: Vocabulary, path: Path, *, variables: Mapping[str, str], slow: bool = False, legacy: bool | None = None
) -> Any:
    """Return the transformers tokenizer of a vocabulary file.

    `variables` are bos_token, eos_token, pad_token and unk_token; `legacy`
    overrides the vocabulary's own setting of transformers' flag.

    Raises:
        CorpusError: the file is damaged, or a slow tokenizer was asked for where there is none.
        MissingPackageError: transformers, or a library it needs, is not installed.
    """
    if slow and not has_slow(vocabulary):
        raise CorpusError(f"the vocabulary {vocabulary.name} has no slow tokenizer: only SentencePiece ones do")
    legacy = vocabulary.legacy if legacy is None else legacy
    purpose = f"the vocabulary {vocabulary.name}"
    try:
        if vocabulary.format is Format.SENTENCEPIECE:
            raw = _sentencepiece(path, variables=variables, slow=slow, legacy=legacy, purpose=purpose)
        elif vocabulary.format is Format.HUGGINGFACE:
            raw = _fast(need("tokenizers", purpose=purpose).Tokenizer.from_file(str(path)), variables, purpose)
        else:
            raw = _ranked(vocabulary, path, variables, purpose)
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CorpusError(f"{path} is no intact {vocabulary.format.value} vocabulary: {error}") from error
    return raw


def _fast(backend: Any, variables: Mapping[str, str], purpose: str) -> Any:
    transformers = need("transformers", purpose=purpose)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, clean_up_tokenization_spaces=False, **dict(variables)
    )


def _sentencepiece(path: Path, *, variables: Mapping[str, str], slow: bool, legacy: bool, purpose: str) -> Any:
    processor = need("sentencepiece", purpose=purpose).SentencePieceProcessor(model_file=str(path))
    pieces = range(processor.get_piece_size())
    control = [processor.id_to_piece(index) for index in pieces if processor.is_control(index)]
    if slow:
        return sentencepiece_slow(path, legacy=legacy, prefix=True, variables=variables, added=control)
    transformers = need("transformers", purpose=purpose)
    settings = {"legacy": legacy, "add_prefix_space": True, "clean_up_tokenization_spaces": False, **variables}
    if transformers_major() >= 5:
        module = need("transformers.tokenization_utils_sentencepiece", purpose=purpose)
        vocabulary, _, merges = module.SentencePieceExtractor(str(path)).extract(True)
        raw = transformers.LlamaTokenizer(vocab=vocabulary, merges=merges, **settings)
    else:
        need("google.protobuf", purpose=purpose)
        raw = transformers.LlamaTokenizerFast(vocab_file=str(path), from_slow=True, **settings)
    tokenizers = need("tokenizers", purpose=purpose)
    raw.add_tokens(
        [tokenizers.AddedToken(piece, normalized=False, special=True) for piece in control], special_tokens=True
    )
    return raw


def _ranked(vocabulary: Vocabulary, path: Path, variables: Mapping[str, str], purpose: str) -> Any:
    if vocabulary.format is Format.TEKKEN:
        document = json.loads(path.read_text(encoding="utf-8"))
        settings = document["config"]
        reserved = settings["default_num_special_tokens"]
        kept = settings["default_vocab_size"] - reserved
        ranks = {
            base64.b64decode(each["token_bytes"]): each["rank"] for each in document["vocab"] if each["rank"] < kept
        }
        pattern, first_id, first_special = settings["pattern"], reserved, 0
        size = reserved
    else:
        ranks = read_ranks(path)
        pattern, first_id, first_special = vocabulary.pattern, 0, len(ranks)
        size = vocabulary.size - len(ranks) if vocabulary.size else len(vocabulary.tokens)
    special = list(vocabulary.tokens)
    special += [vocabulary.reserved.format(vocabulary.reserved_from + place) for place in range(size - len(special))]
    return _byte_level(
        ranks,
        pattern=pattern,
        normalizer=vocabulary.normalizer,
        ids=first_id,
        special={token: first_special + place for place, token in enumerate(special)},
        plain=vocabulary.plain,
        variables=variables,
        purpose=purpose,
    )


def _byte_level(
    ranks: Mapping[bytes, int],
    *,
    pattern: str,
    normalizer: str,
    ids: int,
    special: Mapping[str, int],
    plain: Sequence[str],
    variables: Mapping[str, str],
    purpose: str,
) -> Any:
    tokenizers = need("tokenizers", purpose=purpose)
    texts = {token.decode("latin-1").translate(_BYTE_CHARACTERS): rank for token, rank in ranks.items()}
    vocabulary = {text: ids + rank for text, rank in texts.items()} | dict(special)
    backend = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocab=vocabulary, merges=_merges(texts), fuse_unk=False, ignore_merges=True)
    )
    if normalizer:
        backend.normalizer = getattr(tokenizers.normalizers, normalizer)()
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(pattern), behavior="isolated"),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = tokenizers.decoders.ByteLevel()
    backend.post_processor = tokenizers.processors.ByteLevel(trim_offsets=False)
    for token in special:
        added = tokenizers.AddedToken(token, normalized=False, special=token not in plain)
        (backend.add_tokens if token in plain else backend.add_special_tokens)([added])
    raw = _fast(backend, variables, purpose)
    if variables.get("bos_token"):
        prepend_bos(raw)
    return raw


def _byte_characters() -> dict[int, int]:
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: 256 + place for place, byte in enumerate(others)}


_BYTE_CHARACTERS = _byte_characters()
"""GPT-2's printable stand-ins for the bytes that are not printable (openai/gpt-2, `bytes_to_unicode`)."""


def _merges(ranks: Mapping[str, int]) -> list[tuple[str, str]]:
    # Every way to split a token into two tokens, by rank: the rule of transformers' TikTokenConverter, whose reader
    # keeps a copy of the file by path and would go on using it after the file changed.
    merges: list[tuple[str, str]] = []
    for text in sorted(ranks, key=ranks.__getitem__):
        splits = [
            (text[:cut], text[cut:]) for cut in range(1, len(text)) if text[:cut] in ranks and text[cut:] in ranks
        ]
        if len(splits) > 1:
            splits.sort(key=lambda split: (ranks[split[0]], ranks[split[1]]))
        merges += splits
    return merges
