"""Other people's tokenizers behind the one protocol, so that the reference can mask with each of them.

Nothing here tokenises. A `Reader` hands a text to a library as its documentation
says, special tokens recognised in the text and none put around it, and keeps ids,
bytes and text apart, so that a library that gets one of them wrong shows it. Only
the SentencePiece library has no notion of special tokens in a text; there the text is
cut at them first, which is what every user of that library does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maskspec.errors import TokenizerError
from maskspec.tokens import Encoding, SpecialTokens

__all__ = ["Reader", "from_kitoken", "from_sentencepiece", "from_splintr", "from_tiktoken"]

Ids = Callable[[str], Sequence[int]]
Bytes = Callable[[int], bytes]
Text = Callable[[Sequence[int]], str]


@dataclass(frozen=True, slots=True)
class Reader:
    """A tokenizer as three functions: the ids of a text, the bytes of an id, the text of ids."""

    name: str
    special_tokens: SpecialTokens
    ids: Ids
    bytes_of: Bytes
    text: Text

    @property
    def raw(self) -> Any:
        """The tokenizer itself: what is wrapped knows no special tokens by name."""
        return self

    def encode(self, text: str) -> Encoding:
        """Encode; there are no offsets. Raises `TokenizerError` where the library refuses the text."""
        try:
            return Encoding(list(self.ids(text)), None)
        except Exception as error:
            raise TokenizerError(f"{self.name}: could not encode the text: {error}") from error

    def token(self, token_id: int) -> str:
        """The text of one id, bytes that are no text of their own with a backslash."""
        return self.bytes_of(token_id).decode("utf-8", "backslashreplace")

    def surfaces(self, ids: Sequence[int]) -> Sequence[bytes]:
        """The bytes of each id."""
        return [self.bytes_of(token_id) for token_id in ids]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, as the library decodes."""
        return self.text(ids)


def from_tiktoken(encoding: Any, *, name: str, special_tokens: SpecialTokens) -> Reader:
    """A `tiktoken.Encoding`."""
    return Reader(
        name,
        special_tokens,
        ids=lambda text: encoding.encode(text, allowed_special="all"),
        bytes_of=encoding.decode_single_token_bytes,
        text=encoding.decode,
    )


def from_splintr(handle: Any, *, name: str, special_tokens: SpecialTokens) -> Reader:
    """A tokenizer of splintr, whose `encode_raw` recognises special tokens and puts none around the text."""
    return Reader(
        name,
        special_tokens,
        ids=handle.encode_raw,
        # Special tokens have no bytes there, only a text.
        bytes_of=lambda token_id: (
            bytes(handle.decode_token_bytes(token_id)) or str(handle.decode_with_special([token_id])).encode()
        ),
        text=lambda ids: str(handle.decode_with_special(list(ids))),
    )


def from_kitoken(handle: Any, *, name: str, special_tokens: SpecialTokens, bytes_of: Bytes) -> Reader:
    """A `Kitoken`; it has no bytes of single ids, so those of another reader of the vocabulary serve for alignment."""
    return Reader(
        name,
        special_tokens,
        ids=lambda text: handle.encode(text, True),
        bytes_of=bytes_of,
        text=lambda ids: bytes(handle.decode(list(ids), True)).decode("utf-8", "replace"),
    )


def from_sentencepiece(
    processor: Any, *, name: str, special_tokens: SpecialTokens, tokens: Mapping[str, int], right: Sequence[str] = ()
) -> Reader:
    """A `SentencePieceProcessor`: the text is cut at `tokens`; those in `right` take the whitespace behind them."""
    longest_first = sorted(tokens, key=len, reverse=True)
    alternatives = "|".join(re.escape(token) + (r"\s*" if token in right else "") for token in longest_first)
    cutter = re.compile(f"({alternatives})")
    by_id = {number: token for token, number in tokens.items()}

    def ids(text: str) -> list[int]:
        found: list[int] = []
        for position, part in enumerate(cutter.split(text)):
            if position % 2:
                found.append(tokens[part] if part in tokens else tokens[part.rstrip()])
            elif part:
                found += processor.encode(part)
        return found

    def bytes_of(token_id: int) -> bytes:
        if token_id in by_id:
            return by_id[token_id].encode()
        piece = processor.id_to_piece(token_id)
        if processor.is_byte(token_id):
            return bytes([int(piece[3:-1], 16)])
        return str(piece).replace("▁", " ").encode()

    def text(given: Sequence[int]) -> str:
        parts: list[str] = []
        run: list[int] = []
        for token_id in (*given, None):
            if token_id is not None and token_id not in by_id:
                run.append(token_id)
                continue
            parts.append(processor.decode(run) if run else "")
            run = []
            parts.append("" if token_id is None else by_id[token_id])
        return "".join(parts)

    return Reader(name, special_tokens, ids=ids, bytes_of=bytes_of, text=text)
