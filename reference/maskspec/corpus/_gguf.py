"""Vocabularies in GGUF files, as llama.cpp keeps them for its own tests: byte-level BPE with its merges.

Read here and not with the gguf package, which needs 18 seconds of computing time for
the 250,000 tokens and merges of Command R, where this reader needs one. The format is that of
the GGUF specification (ggml, docs/gguf.md), versions 2 and 3: a header, then
key-value pairs, of which the text arrays hold the vocabulary. Tensors are not read.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from maskspec.errors import CorpusError

__all__ = ["GgufVocabulary", "TokenType", "read_gguf"]

_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Types of values that are numbers, as the codes of the struct module."""
_TEXT, _ARRAY = 8, 9


class TokenType(IntEnum):
    """What a token is (llama.cpp, `enum llama_token_type`)."""

    NORMAL = 1
    """A piece of ordinary text."""
    CONTROL = 3
    """A special token."""
    USER_DEFINED = 4
    """A token of its own that is not special."""


@dataclass(frozen=True, slots=True)
class GgufVocabulary:
    """Tokens by id (in GPT-2's printable stand-ins for bytes), their types, and the merges in order."""

    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[tuple[str, str], ...]


def read_gguf(path: Path) -> GgufVocabulary:
    """Return the byte-level BPE vocabulary of a GGUF file.

    Raises:
        CorpusError: the file is damaged, or its vocabulary is of another kind.
    """
    try:
        fields = _Reader(path.read_bytes()).fields()
        kind = fields["tokenizer.ggml.model"]
        tokens = fields["tokenizer.ggml.tokens"]
        types = fields["tokenizer.ggml.token_type"]
        merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    except (KeyError, ValueError, struct.error) as error:
        raise CorpusError(f"{path} is no intact GGUF vocabulary: {type(error).__name__} {error}") from error
    if kind != "gpt2" or len(tokens) != len(types) or any(len(merge) != 2 for merge in merges):
        raise CorpusError(f"{path} holds no byte-level BPE vocabulary (its kind is {kind!r})")
    return GgufVocabulary(tuple(tokens), tuple(types), tuple((merge[0], merge[1]) for merge in merges))


class _Reader:
    """The key-value pairs of a GGUF file, read from front to back."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def fields(self) -> Mapping[str, Any]:
        """All pairs, by key."""
        magic, version, _tensors, count = self._numbers("4sIQQ")
        if magic != b"GGUF" or version not in (2, 3):
            raise ValueError(f"it begins with {magic!r} and version {version}, not with GGUF and 2 or 3")
        return {self._text(): self._value(self._numbers("I")[0]) for _ in range(count)}

    def _numbers(self, codes: str) -> Sequence[Any]:
        layout = struct.Struct(f"<{codes}")
        found = layout.unpack_from(self._data, self._place)
        self._place += layout.size
        return found

    def _text(self) -> str:
        (length,) = self._numbers("Q")
        end = self._place + length
        if end > len(self._data):
            raise ValueError("it ends in the middle of a text")
        text = self._data[self._place : end].decode("utf-8")
        self._place = end
        return text

    def _value(self, kind: int) -> Any:
        if kind == _TEXT:
            return self._text()
        if kind == _ARRAY:
            of, count = self._numbers("IQ")
            if of in _NUMBERS:
                return self._numbers(f"{count}{_NUMBERS[of]}")
            return [self._value(of) for _ in range(count)]
        if kind not in _NUMBERS:
            raise ValueError(f"{kind} is no type of a value")
        return self._numbers(_NUMBERS[kind])[0]
