"""The tiktoken library behind the tokenizer protocol: the slow counterpart of a converted rank file."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from maskspec.corpus._libraries import need
from maskspec.errors import CorpusError, TokenizerError
from maskspec.tokenizers._adapter import check_encodable
from maskspec.tokens import Encoding, SpecialTokens

__all__ = ["TiktokenTokenizer", "read_ranks"]


def read_ranks(path: Path) -> dict[bytes, int]:
    """Return the ranks of a tiktoken file: one line per token, base64 and rank.

    tiktoken's own reader keeps a copy by path in a temporary folder and would
    go on using it after the file changed.

    Raises:
        CorpusError: a line is not of that form.
    """
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line:
            continue
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error) as error:
            raise CorpusError(f"{path}, line {number}: not a base64 token and its rank; the file is damaged") from error
    return ranks


class TiktokenTokenizer:
    """A `tiktoken.Encoding` as a `maskspec.tokens.Tokenizer`; it knows no offsets."""

    def __init__(self, encoding: Any, *, name: str, special_tokens: SpecialTokens) -> None:
        self._encoding = encoding
        self._name = name
        self._special_tokens = special_tokens

    @classmethod
    def from_folder(
        cls, folder: Path, *, name: str, added: Sequence[str], variables: Mapping[str, str], stops: Sequence[str]
    ) -> TiktokenTokenizer:
        """Return the tokenizer of a folder that holds `tokenizer.tiktoken` and its conversion.

        The pattern and the special tokens are those of `tokenizer.json`; the
        tokens in `added` get the ids that follow.
        """
        tiktoken = need("tiktoken", purpose=f"the slow tokenizer {folder.name}")
        document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        tokens = {token["content"]: token["id"] for token in document["added_tokens"]}
        for token in added:
            tokens.setdefault(token, max(tokens.values()) + 1)
        encoding = tiktoken.Encoding(
            folder.name,
            pat_str=document["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"],
            mergeable_ranks=read_ranks(folder / "tokenizer.tiktoken"),
            special_tokens=tokens,
        )
        special = SpecialTokens(
            bos=variables.get("bos_token"),
            eos=variables.get("eos_token"),
            pad=variables.get("pad_token"),
            added=tuple(sorted(tokens, key=lambda token: (-len(token), token))),
            stops=tuple(stops),
            variables=dict(variables),
        )
        return cls(encoding, name=name, special_tokens=special)

    @property
    def name(self) -> str:
        """A short name for reports."""
        return self._name

    @property
    def raw(self) -> Any:
        """The tokenizer itself: a `tiktoken.Encoding` knows neither its end of turn nor what a template sees."""
        return self

    @property
    def special_tokens(self) -> SpecialTokens:
        """The special tokens of the vocabulary."""
        return self._special_tokens

    def encode(self, text: str) -> Encoding:
        """Encode with every special token recognised; there are no offsets.

        Raises:
            TokenizerError: the text holds a lone surrogate, which tiktoken would silently replace.
        """
        check_encodable(text, self._name)
        return Encoding(self._encoding.encode(text, allowed_special="all"), None)

    def token(self, token_id: int) -> str:
        """The text of one id; bytes that are no text of their own are written as a backslash, x and two digits."""
        return self._bytes(token_id).decode("utf-8", errors="backslashreplace")

    def surfaces(self, ids: Sequence[int]) -> Sequence[bytes]:
        """The UTF-8 bytes that each id contributes to the text."""
        return [self._bytes(token_id) for token_id in ids]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; bytes that are no text become U+FFFD."""
        return b"".join(self.surfaces(ids)).decode("utf-8", errors="replace")

    def _bytes(self, token_id: int) -> bytes:
        try:
            found: bytes = self._encoding.decode_single_token_bytes(token_id)
        except KeyError as error:
            raise TokenizerError(f"{self._name}: there is no token with id {token_id!r}") from error
        return found
