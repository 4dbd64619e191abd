"""Adapter for `tokenizers.Tokenizer`, and the part of it that transformers' fast tokenizers share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from maskspec.errors import TokenizerError
from maskspec.tokenizers._adapter import Adapter, check_encodable, special_tokens
from maskspec.tokenizers._surfaces import Spelling
from maskspec.tokens import Encoding, SpecialTokens

__all__ = ["BackendAdapter", "encode_plainly", "wrap_backend"]


def wrap_backend(raw: Any, name: str | None, stops: tuple[str, ...]) -> Adapter | None:
    """An adapter for a `tokenizers.Tokenizer`, None for anything else of that library."""
    if not hasattr(raw, "get_added_tokens_decoder"):
        return None
    return BackendAdapter(raw, name or type(raw.model).__name__, stops)


def encode_plainly(backend: Any, text: str, split_special_tokens: bool | None = None) -> Any:
    """Encode without special tokens, truncation or padding, leaving the settings of `backend` as they were.

    Truncation and padding are settings of the object, not of the call, and stay
    behind from whoever used it last. `split_special_tokens` None keeps the
    object's own setting.
    """
    truncation, padding, split = backend.truncation, backend.padding, backend.encode_special_tokens
    wanted = split if split_special_tokens is None else split_special_tokens
    if truncation is None and padding is None and split == wanted:
        return backend.encode(text, add_special_tokens=False)
    try:
        backend.no_truncation()
        backend.no_padding()
        backend.encode_special_tokens = wanted
        return backend.encode(text, add_special_tokens=False)
    finally:
        if truncation is not None:
            backend.enable_truncation(**truncation)
        if padding is not None:
            backend.enable_padding(**padding)
        backend.encode_special_tokens = split


class BackendAdapter(Adapter):
    """A `tokenizers.Tokenizer`; ids are those of `encode(text, add_special_tokens=False)`, never cut or padded.

    It does not know which of its tokens is bos or eos. Tokens added after the
    special tokens were first asked for are seen; an ordinary piece that is
    turned into an added token later is not.
    """

    @property
    def _backend(self) -> Any:
        return self._raw

    @property
    def special_tokens(self) -> SpecialTokens:
        """All added tokens; no bos, eos, pad or template variables, since this kind of object has none."""
        found: SpecialTokens = self._remember("special", self._special_key(), self._find_special_tokens)
        return found

    def _special_key(self) -> object:
        size: int = self._remember("size", None, self._backend.get_vocab_size)
        return (self._stops, self._backend.id_to_token(size))

    def _find_special_tokens(self) -> SpecialTokens:
        return special_tokens(
            variables={},
            added=self._added_tokens().values(),
            special=self._flagged_special(),
            stops=self._stops,
            folder=None,
            spell=self.token,
        )

    def _flagged_special(self) -> list[str]:
        return [token.content for token in self._backend.get_added_tokens_decoder().values() if token.special]

    def _added_tokens(self) -> dict[int, str]:
        return {token_id: token.content for token_id, token in self._backend.get_added_tokens_decoder().items()}

    def encode(self, text: str) -> Encoding:
        """Encode with offsets; raises `TokenizerError` where the vocabulary cannot."""
        try:
            encoding = encode_plainly(self._backend, text)
        except Exception as error:
            raise self._encoding_error(text, error) from error
        return Encoding(encoding.ids, encoding.offsets)

    def _encoding_error(self, text: str, error: Exception) -> TokenizerError:
        check_encodable(text, self._name)
        return TokenizerError(f"{self._name}: could not encode the text: {error}")

    def token(self, token_id: int) -> str:
        """The vocabulary's own spelling of one id."""
        try:
            token = self._backend.id_to_token(token_id)
        except (OverflowError, TypeError):
            token = None
        if token is None:
            raise self._unknown_id(token_id, self._backend.get_vocab_size())
        return str(token)

    def _surface(self, token_id: int) -> bytes:
        added: dict[int, str] = self._remember("added", self._special_key(), self._added_tokens)
        spelling: Spelling = self._remember("spelling", None, self._find_spelling)
        if token_id not in added:
            return spelling.surface(self.token(token_id))
        # Gemma lists runs of blanks among its added tokens, and decodes them as any other piece.
        blank = spelling.blanks and not added[token_id].strip("▁")
        return spelling.surface(added[token_id]) if blank else added[token_id].encode("utf-8")

    def _find_spelling(self) -> Spelling:
        """Read the vocabulary's conventions off the parts that undo them (the decoder) or apply them."""
        backend = self._backend
        parts = [part for stage in (backend.decoder, backend.pre_tokenizer) for part in _parts(stage)]
        kinds = {part["type"]: part for part in parts}
        normalisers = list(_parts(backend.normalizer))
        blanks = "Metaspace" in kinds or any(
            part["type"] == "Replace" and "▁" in (part.get("content"), *dict(part["pattern"]).values())
            for part in (*parts, *normalisers)
        )
        word_piece = kinds.get("WordPiece")
        return Spelling(
            byte_level="ByteLevel" in kinds,
            blanks=blanks,
            byte_tokens="ByteFallback" in kinds or bool(getattr(backend.model, "byte_fallback", False)),
            prefix=word_piece["prefix"] if word_piece else "",
            suffix=kinds["BPEDecoder"]["suffix"] if "BPEDecoder" in kinds else "",
        )

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens included."""
        return str(self._backend.decode(list(ids), skip_special_tokens=False))


def _parts(stage: Any) -> Iterator[dict[str, Any]]:
    """The JSON of every step of a normaliser, pre-tokenizer or decoder, nested sequences flattened."""
    if stage is None:
        return
    try:
        pending = [json.loads(stage.__getstate__())]
    except Exception:  # noqa: BLE001 - the library raises a bare Exception for steps written in Python
        # Such a step has no JSON and leaves the vocabulary's conventions to the other stages.
        return
    while pending:
        part = pending.pop()
        for nested in ("normalizers", "pretokenizers", "decoders"):
            pending.extend(part.get(nested, ()))
        yield part
