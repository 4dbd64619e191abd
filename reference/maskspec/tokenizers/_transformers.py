"""Adapters for the tokenizers of transformers, fast and slow, 4.57 and 5.x."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from maskspec.errors import TokenizerError
from maskspec.tokenizers._adapter import Adapter, check_encodable, special_tokens
from maskspec.tokenizers._backend import BackendAdapter, encode_plainly
from maskspec.tokenizers._surfaces import Spelling
from maskspec.tokens import Encoding, SpecialTokens

__all__ = ["FastAdapter", "SentencePieceAdapter", "SlowAdapter", "wrap_transformers"]

# The methods that a call goes through; where a subclass replaces one, only the public call is faithful.
_CALL_PATH = ("__call__", "_encode_plus", "_batch_encode_plus", "_call_one", "encode_plus")


def wrap_transformers(raw: Any, name: str | None, stops: tuple[str, ...]) -> Adapter | None:
    """An adapter for a transformers tokenizer, None for anything else of that library (a model, a processor)."""
    inner = getattr(raw, "tokenizer", None)
    if type(inner).__module__.partition(".")[0] == "mistral_common":
        # transformers' thin class around mistral_common encodes control tokens as text; its templates do not.
        from maskspec.tokenizers._mistral import wrap_mistral

        return wrap_mistral(raw, name, stops)
    if not hasattr(raw, "special_tokens_map") or not callable(raw):
        return None
    name = name or Path(str(getattr(raw, "name_or_path", "") or "")).name or type(raw).__name__
    if getattr(raw, "is_fast", False):
        return FastAdapter(raw, name, stops)
    if hasattr(raw, "sp_model"):
        return SentencePieceAdapter(raw, name, stops)
    return SlowAdapter(raw, name, stops)


def _find_special_tokens(adapter: Adapter, added: Any, stops: tuple[str, ...]) -> SpecialTokens:
    raw = adapter.raw
    return special_tokens(
        variables=raw.special_tokens_map,
        added=added,
        special=[token.content for token in raw.added_tokens_decoder.values() if token.special],
        stops=stops,
        folder=getattr(raw, "name_or_path", None),
        spell=adapter.token,
    )


class FastAdapter(BackendAdapter):
    """A fast tokenizer of transformers; ids and offsets are those of the public call.

    The Rust object behind it is asked directly, which gives the same answer
    sooner, unless its class replaces part of the call.
    """

    def __init__(self, raw: Any, name: str, stops: tuple[str, ...]) -> None:
        super().__init__(raw, name, stops)
        self._direct = self._remember("direct", type(raw), lambda: _calls_plainly(type(raw)))

    @property
    def _backend(self) -> Any:
        return self._raw.backend_tokenizer

    def _special_key(self) -> object:
        variables = tuple((key, str(value)) for key, value in self._raw.special_tokens_map.items())
        return (super()._special_key(), variables)

    def _find_special_tokens(self) -> SpecialTokens:
        return _find_special_tokens(self, self._added_tokens().values(), self._stops)

    def encode(self, text: str) -> Encoding:
        """Encode as `tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)` does."""
        raw = self._raw
        try:
            if self._direct:
                split = bool(getattr(raw, "split_special_tokens", False))
                encoding = encode_plainly(raw.backend_tokenizer, text, split)
                return Encoding(encoding.ids, encoding.offsets)
            result = raw(
                text,
                add_special_tokens=False,
                return_offsets_mapping=True,
                return_attention_mask=False,
                return_token_type_ids=False,
                verbose=False,
            )
        except Exception as error:
            raise self._encoding_error(text, error) from error
        return Encoding(result["input_ids"], result["offset_mapping"])

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens included, without clean-up of spaces."""
        return str(self._raw.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))


def _calls_plainly(kind: type) -> bool:
    """Whether a class leaves the call to transformers' own base classes."""
    return all(
        getattr(kind, method).__module__.startswith("transformers.tokenization_utils")
        for method in _CALL_PATH
        if hasattr(kind, method)
    )


class SlowAdapter(Adapter):
    """A tokenizer of transformers written in Python; it has no offsets, so it is aligned by surfaces."""

    @property
    def special_tokens(self) -> SpecialTokens:
        """The special tokens as a chat template sees them, and all added tokens."""
        raw = self._raw
        variables = tuple((key, str(value)) for key, value in raw.special_tokens_map.items())
        found: SpecialTokens = self._remember(
            "special",
            (self._stops, variables, len(raw.get_added_vocab())),
            lambda: _find_special_tokens(self, raw.get_added_vocab(), self._stops),
        )
        return found

    def _is_added(self, token_id: int) -> bool:
        vocabulary = self._raw.get_added_vocab()
        added: set[int] = self._remember("added", len(vocabulary), lambda: set(vocabulary.values()))
        return token_id in added

    def encode(self, text: str) -> Encoding:
        """Encode as `tokenizer(text, add_special_tokens=False)` does; no offsets."""
        check_encodable(text, self._name)
        try:
            result = self._raw(
                text,
                add_special_tokens=False,
                return_attention_mask=False,
                return_token_type_ids=False,
                verbose=False,
            )
        except Exception as error:
            raise TokenizerError(f"{self._name}: could not encode the text: {error}") from error
        return Encoding(result["input_ids"], None)

    def _piece(self, token_id: int) -> Any:
        size = len(self._raw)
        try:
            token = self._raw.convert_ids_to_tokens([token_id])[0]
        except (IndexError, KeyError, OverflowError, TypeError) as error:
            raise self._unknown_id(token_id, size) from error
        if token is None:
            raise self._unknown_id(token_id, size)
        return token

    def token(self, token_id: int) -> str:
        """The vocabulary's own spelling of one id."""
        piece = self._piece(token_id)
        return piece.decode("utf-8", "backslashreplace") if isinstance(piece, bytes) else str(piece)

    def _surface(self, token_id: int) -> bytes:
        piece = self._piece(token_id)
        if isinstance(piece, bytes):
            return piece
        if self._is_added(token_id):
            return str(piece).encode("utf-8")
        spelling: Spelling = self._remember("spelling", None, self._find_spelling)
        return spelling.surface(str(piece))

    def _find_spelling(self) -> Spelling:
        raw = self._raw
        if hasattr(raw, "byte_decoder"):
            return Spelling(byte_level=True)
        if hasattr(raw, "wordpiece_tokenizer"):
            return Spelling(prefix="##")
        return Spelling(blanks=True, byte_tokens=True)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens included, without clean-up of spaces."""
        return str(
            self._raw.decode(
                list(ids),
                skip_special_tokens=False,
                clean_up_tokenization_spaces=False,
                spaces_between_special_tokens=False,
            )
        )


class SentencePieceAdapter(SlowAdapter):
    """A slow tokenizer on a SentencePiece model, which can say where its pieces came from when it normalises."""

    def _surface(self, token_id: int) -> bytes:
        if self._is_added(token_id):
            return str(self._piece(token_id)).encode("utf-8")
        model = self._raw.sp_model
        if token_id < model.get_piece_size() and model.IsControl(token_id):
            return b""
        return super()._surface(token_id)

    def locate(self, text: str, ids: Sequence[int]) -> Sequence[tuple[int, int]] | None:
        """The character range of each id, from the model itself, section by section between added tokens.

        None where the model alone does not give these ids, because the
        tokenizer does more to the text than SentencePiece does.
        """
        added: Mapping[str, int] = self._raw.get_added_vocab()
        ranges: list[tuple[int, int]] = []
        position = 0
        for part in self._raw.tokens_trie.split(text):
            end = position + len(part)
            if part in added:
                ranges.append((position, end))
                if ids[len(ranges) - 1 : len(ranges)] != [added[part]]:
                    return None
            else:
                section = self._locate_section(part, ids, len(ranges))
                ranges += [(position + first, position + last) for first, last in section]
            position = end
        return ranges if len(ranges) == len(ids) else None

    def _locate_section(self, section: str, ids: Sequence[int], index: int) -> list[tuple[int, int]]:
        """The ranges of the ids from `index` on that one section gave, none where its ids are others.

        The section is encoded as the tokenizer may have done: without the
        legacy flag transformers protects a leading space by an unknown token
        that it removes again, in 4.57 with a `▁` before the text.
        """
        unknown = str(self._raw.unk_token)
        for lead in ("", unknown, unknown + "▁"):
            own, ranges = self._model_offsets(lead + section)
            skipped = len(self._model_offsets(unknown)[0]) if lead else 0
            if len(own) > skipped and own[skipped:] == list(ids[index : index + len(own) - skipped]):
                break
        else:
            return []
        shift = len(lead)
        ranges = [(max(start - shift, 0), max(end - shift, 0)) for start, end in ranges[skipped:]]
        for current in range(len(ranges) - 2, -1, -1):
            start, end = ranges[current]
            # Where one character became several pieces (a ligature), the model gives it to the last of them alone.
            if start == end and self._surface(ids[index + current]).strip():
                ranges[current] = (start, ranges[current + 1][1])
        return ranges

    def _model_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Ids and character ranges as the SentencePiece model itself gives them."""
        model = self._raw.sp_model
        try:
            found = model.encode(text, return_type="offset_mapping")
        except TypeError:
            # Older releases have no offset mapping; their proto counts characters, that of newer ones bytes.
            pieces = model.encode(text, out_type="immutable_proto").pieces
            return [piece.id for piece in pieces], [(piece.begin, piece.end) for piece in pieces]
        return list(found["ids"]), list(found["offsets"])
