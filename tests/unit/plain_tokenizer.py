"""A tokenizer whose ids can be worked out by hand: markers, words with the space before them, and single characters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from maskspec.tokens import Encoding, SpecialTokens


class PlainTokenizer:
    """Satisfies the protocol of `maskspec.tokens`; ids are given in the order in which tokens are first met.

    `merged` are further strings that become one token wherever they stand.
    `unknown` are characters that the vocabulary lacks.
    """

    def __init__(
        self, *added: str, merged: Sequence[str] = (), unknown: str = "", offsets: bool = True, **special: Any
    ) -> None:
        self.special = SpecialTokens(added=added, special=added, **special)
        pieces = [*map(re.escape, sorted((*added, *merged), key=len, reverse=True)), r" ?[A-Za-z]+", r"(?s:.)"]
        self.pattern = re.compile("|".join(pieces))
        self.unknown = unknown
        self.offsets = offsets
        self.vocabulary: list[str] = []

    @property
    def name(self) -> str:
        return "plain"

    @property
    def raw(self) -> Any:
        return self

    @property
    def special_tokens(self) -> SpecialTokens:
        return self.special

    def encode(self, text: str) -> Encoding:
        found = list(self.pattern.finditer(text))
        ids = [self.id_of(match.group()) for match in found]
        return Encoding(ids, [match.span() for match in found] if self.offsets else None)

    def id_of(self, piece: str) -> int:
        if self.special.unk is not None and piece in self.unknown:
            piece = self.special.unk
        if piece not in self.vocabulary:
            self.vocabulary.append(piece)
        return 1000 + self.vocabulary.index(piece)

    def token(self, token_id: int) -> str:
        return self.vocabulary[token_id - 1000]

    def surfaces(self, ids: Sequence[int]) -> Sequence[bytes]:
        return [self.token(token_id).encode() for token_id in ids]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(self.token, ids))
