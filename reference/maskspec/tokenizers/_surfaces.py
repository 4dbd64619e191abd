"""From a vocabulary's spelling of a token to the bytes it contributes to a text.

Every kind of vocabulary writes spaces and bytes its own way: GPT-2 maps each
byte to a printable character (`Ġ` is a space), SentencePiece writes `▁` for a
space and `<0xE4>` for a byte, WordPiece writes `##` before a continuation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

__all__ = ["Spelling"]

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@cache
def _byte_of_character() -> dict[str, int]:
    """The inverse of GPT-2's map from bytes to printable characters (openai/gpt-2, src/encoder.py)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {chr(byte): byte for byte in printable}
    rest = (byte for byte in range(256) if byte not in set(printable))
    table.update((chr(0x100 + offset), byte) for offset, byte in enumerate(rest))
    return table


@dataclass(frozen=True, slots=True)
class Spelling:
    """How one vocabulary writes its tokens.

    `byte_level`: in GPT-2's characters for bytes. `blanks`: with `▁` for a
    space. `byte_tokens`: with `<0xE4>` for single bytes. `prefix` and `suffix`
    mark word continuations and word ends and are no part of the text.
    """

    byte_level: bool = False
    blanks: bool = False
    byte_tokens: bool = False
    prefix: str = ""
    suffix: str = ""

    def surface(self, token: str) -> bytes:
        """The UTF-8 bytes that an ordinary token contributes."""
        if self.byte_level:
            table = _byte_of_character()
            try:
                return bytes([table[character] for character in token])
            except KeyError:
                # A piece added without the map, as some converters do, spells itself.
                return token.encode("utf-8")
        if self.byte_tokens and (byte := _BYTE_TOKEN.fullmatch(token)):
            return bytes([int(byte[1], 16)])
        if self.prefix:
            token = token.removeprefix(self.prefix)
        if self.suffix:
            token = token.removesuffix(self.suffix)
        if self.blanks:
            token = token.replace("▁", " ")
        return token.encode("utf-8")
