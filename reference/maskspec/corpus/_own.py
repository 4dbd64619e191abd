"""Builds the own tokenizers: fast ones from tokenizer.json, slow ones with the library that was there first.

What is slow differs by library: the SentencePiece vocabularies through the
`sentencepiece` package behind transformers' class, the GPT-2 and Qwen ones
through transformers' Python classes, which only 4.x has, and the tiktoken one
through tiktoken itself.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from maskspec.corpus._libraries import FAST, need, transformers_major
from maskspec.corpus._manifest import OwnTokenizer, Slow
from maskspec.errors import CorpusError
from maskspec.tokens import Tokenizer

__all__ = [
    "add_markers",
    "build_fast",
    "build_slow",
    "libraries",
    "prepend_bos",
    "sentencepiece_slow",
    "slow_unavailable",
]

_SLOW_LIBRARIES = {
    Slow.GPT2: FAST,
    Slow.QWEN2: FAST,
    Slow.SENTENCEPIECE: (*FAST, "sentencepiece"),
    Slow.TIKTOKEN: ("tiktoken",),
}


def libraries(entry: OwnTokenizer, *, slow: bool) -> tuple[str, ...]:
    """Return the modules that building the tokenizer imports."""
    return _SLOW_LIBRARIES[entry.slow] if slow else FAST


def slow_unavailable(entry: OwnTokenizer, markers: Sequence[str] = ()) -> str:
    """Return why the slow implementation cannot be had here with these markers, ``""`` where it can."""
    if entry.slow in (Slow.GPT2, Slow.QWEN2) and transformers_major() >= 5:
        return f"transformers 5 has no slow class for {entry.name}; 4.57 has"
    spaced = [marker for marker in markers if "▁" in marker]
    if entry.slow is Slow.SENTENCEPIECE and not entry.legacy and spaced and transformers_major() < 5:
        return f"the slow class of transformers 4 reads U+2581 as a space, so {spaced[0]!r} can be no token of it"
    return ""


def build_fast(
    entry: OwnTokenizer,
    folder: Path,
    *,
    name: str,
    markers: Sequence[str],
    special: Sequence[str],
    variables: Mapping[str, str],
    stops: Sequence[str],
) -> Tokenizer:
    """Return the fast tokenizer, exactly as tokenizer.json describes it, with tokens added."""
    tokenizers = need("tokenizers", purpose=f"the tokenizer {entry.name}")
    transformers = need("transformers", purpose=f"the tokenizer {entry.name}")
    backend = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    raw = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, clean_up_tokenization_spaces=False, **dict(variables)
    )
    add_markers(raw, markers, special, variables)
    if entry.adds_bos:
        prepend_bos(raw)
    return _wrap(raw, name, stops)


def build_slow(
    entry: OwnTokenizer,
    folder: Path,
    *,
    name: str,
    markers: Sequence[str],
    special: Sequence[str],
    variables: Mapping[str, str],
    stops: Sequence[str],
) -> Tokenizer:
    """Return the slow tokenizer with the same tokens added in the same order.

    Raises:
        CorpusError: the installed transformers has no slow class for it.
    """
    reason = slow_unavailable(entry, markers)
    if reason:
        raise CorpusError(f"{reason}; use slow=False, or another major version of transformers")
    if entry.slow is Slow.TIKTOKEN:
        from maskspec.corpus._tiktoken import TiktokenTokenizer

        return TiktokenTokenizer.from_folder(
            folder, name=name, added=_added_in_order(markers, variables), variables=variables, stops=stops
        )
    if entry.slow is Slow.SENTENCEPIECE:
        raw = sentencepiece_slow(
            folder / "tokenizer.model", legacy=entry.legacy, prefix=entry.prefix != "never", variables=variables
        )
    else:
        raw = _byte_level_slow(entry, folder, variables)
    add_markers(raw, markers, special, variables)
    return _wrap(raw, name, stops)


def _byte_level_slow(entry: OwnTokenizer, folder: Path, variables: Mapping[str, str]) -> Any:
    transformers = need("transformers", purpose=f"the slow tokenizer {entry.name}")
    document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    added = {token["content"] for token in document["added_tokens"]}
    vocabulary = document["model"]["vocab"]
    slow_class = transformers.GPT2Tokenizer if entry.slow is Slow.GPT2 else transformers.Qwen2Tokenizer
    with tempfile.TemporaryDirectory() as temporary:
        vocabulary_file, merges_file = Path(temporary, "vocab.json"), Path(temporary, "merges.txt")
        vocabulary_file.write_text(json.dumps(vocabulary), encoding="utf-8")
        merges_file.write_text("#version: 0.2\n" + "\n".join(document["model"]["merges"]) + "\n", encoding="utf-8")
        raw = slow_class(
            vocab_file=str(vocabulary_file),
            merges_file=str(merges_file),
            clean_up_tokenization_spaces=False,
            **_all_variables(variables),
        )
    raw.add_tokens([_added_token(token, special=True) for token in sorted(added)])
    return raw


def _all_variables(variables: Mapping[str, str]) -> dict[str, str | None]:
    # A slow class has defaults of its own for what is not given.
    return {"bos_token": None, "eos_token": None, "pad_token": None, "unk_token": None} | dict(variables)


def sentencepiece_slow(
    model: Path, *, legacy: bool, prefix: bool, variables: Mapping[str, str], added: Sequence[str] = ()
) -> Any:
    """Return transformers' class around the sentencepiece library.

    `legacy` is the flag of the same name in transformers (a prefix space after
    every added token), `prefix` whether a space is put before the text at all,
    and `added` are control pieces to recognise in text.
    """
    if transformers_major() >= 5:
        module = need("transformers.tokenization_utils_sentencepiece", purpose="a slow SentencePiece tokenizer")
        need("sentencepiece", purpose="a slow SentencePiece tokenizer")
        settings: dict[str, Any] = {"special_tokens_pattern": "bos" if variables.get("bos_token") else "none"}
        slow_class = module.SentencePieceBackend
    else:
        need("sentencepiece", purpose="a slow SentencePiece tokenizer")
        need("google.protobuf", purpose="a slow SentencePiece tokenizer")
        settings = {"add_prefix_space": prefix, "add_bos_token": bool(variables.get("bos_token"))}
        slow_class = need("transformers", purpose="a slow SentencePiece tokenizer").LlamaTokenizer
    raw = slow_class(
        vocab_file=str(model),
        legacy=legacy,
        clean_up_tokenization_spaces=False,
        **settings,
        **_all_variables(variables),
    )
    raw.add_tokens([_added_token(token, special=True) for token in added], special_tokens=True)
    return raw


def add_markers(raw: Any, markers: Sequence[str], special: Sequence[str], variables: Mapping[str, str]) -> None:
    """Add template variables and markers as tokens of a transformers tokenizer, in one fixed order of ids."""
    skipped = {*special, *variables.values()}
    for token in _added_in_order(markers, variables):
        raw.add_tokens([_added_token(token, special=token in skipped)], special_tokens=token in skipped)


def _added_in_order(markers: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    return list(dict.fromkeys((*variables.values(), *markers)))


def _added_token(token: str, *, special: bool) -> Any:
    tokenizers = need("tokenizers", purpose="adding tokens to a tokenizer")
    return tokenizers.AddedToken(token, special=special, normalized=False, lstrip=False, rstrip=False)


def prepend_bos(raw: Any) -> None:
    """Make a fast tokenizer put bos before every text encoded with special tokens, as most that have a bos do."""
    if raw.bos_token is None:
        return
    tokenizers = need("tokenizers", purpose="adding bos to a tokenizer")
    raw.backend_tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single=[raw.bos_token, "$A"],
        pair=[raw.bos_token, "$A", f"{raw.bos_token}:1", "$B:1"],
        special_tokens=[(raw.bos_token, raw.bos_token_id)],
    )


def _wrap(raw: Any, name: str, stops: Sequence[str]) -> Tokenizer:
    from maskspec.tokenizers import wrap

    return wrap(raw, name=name, stops=stops)
