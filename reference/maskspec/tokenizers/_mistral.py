"""Adapter for mistral_common, whose vocabularies encode text without looking for control tokens in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from maskspec.errors import TokenizerError
from maskspec.tokenizers._adapter import Adapter, check_encodable, special_tokens
from maskspec.tokenizers._surfaces import Spelling
from maskspec.tokens import Encoding, SpecialTokens

__all__ = ["MistralAdapter", "wrap_mistral"]

_PIECES = Spelling(blanks=True, byte_tokens=True)


def wrap_mistral(raw: Any, name: str | None, stops: tuple[str, ...]) -> Adapter | None:
    """An adapter for a `MistralTokenizer`, an instruct tokenizer or a vocabulary; None for anything else."""
    if not {"encode", "id_to_piece", "is_special", "special_ids"} <= set(dir(_vocabulary(raw))):
        return None
    return MistralAdapter(raw, name or _default_name(_vocabulary(raw)), stops)


def _vocabulary(raw: Any) -> Any:
    """The vocabulary inside a `MistralTokenizer`, an instruct tokenizer or transformers' class around them."""
    while True:
        inner = getattr(raw, "instruct_tokenizer", None)
        if inner is None:
            inner = getattr(raw, "tokenizer", None)
        if inner is None:
            return raw
        raw = inner


def _default_name(vocabulary: Any) -> str:
    try:
        return str(vocabulary.file_path.name)
    except ValueError:
        return type(vocabulary).__name__


class MistralAdapter(Adapter):
    """A vocabulary of mistral_common; it has no offsets, so it is aligned by surfaces.

    `encode` cuts the text at control tokens (`<s>`, `[INST]`, `[/INST]`,
    `[TOOL_CALLS]`, …) and gives every piece in between to the vocabulary, as the
    instruct tokenizers of mistral_common do with the parts of a message. So the
    ids of `"<s>[INST]" + question + "[/INST]" + answer + "</s>"` equal
    `encode_chat_completion(…).tokens` for v2, v3, v7 and tekken, tool calls
    included, as long as no message holds the spelling of a control token
    (mistral_common would encode it as text). The equality is with that
    text and no other: a template that writes a space after `[INST]` asks a
    SentencePiece vocabulary to encode that space too, on top of the one it adds.

    In v1 `[INST]` is ordinary text and mistral_common encodes each turn apart;
    the two still agree where turns are joined by a space the vocabulary would
    have added anyway: `"<s>[INST] question [/INST] answer</s>[INST] …"`.
    """

    @property
    def _model(self) -> Any:
        return _vocabulary(self._raw)

    @property
    def special_tokens(self) -> SpecialTokens:
        """Bos, eos, pad and unk of the vocabulary, with all control tokens as added tokens."""
        found: SpecialTokens = self._remember("special", self._stops, self._find_special_tokens)
        return found

    def _find_special_tokens(self) -> SpecialTokens:
        model = self._model
        names = {"bos_token": model.bos_id, "eos_token": model.eos_id, "unk_token": model.unk_id}
        names["pad_token"] = model.pad_id
        variables = {name: model.id_to_piece(token_id) for name, token_id in names.items() if token_id >= 0}
        return special_tokens(
            variables=variables,
            added=self._controls(),
            special=self._controls(),
            stops=self._stops,
            folder=None,
            spell=self.token,
        )

    def _controls(self) -> dict[str, int]:
        model = self._model
        found: dict[str, int] = self._remember(
            "controls", None, lambda: {model.id_to_piece(token_id): token_id for token_id in model.special_ids}
        )
        return found

    def _cutter(self) -> re.Pattern[str]:
        longest_first = sorted(self._controls(), key=len, reverse=True)
        return re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")

    def encode(self, text: str) -> Encoding:
        """Encode piece by piece between control tokens; no offsets."""
        check_encodable(text, self._name)
        controls = self._controls()
        cutter: re.Pattern[str] = self._remember("cutter", None, self._cutter)
        encode = self._model.encode
        ids: list[int] = []
        try:
            for position, piece in enumerate(cutter.split(text)):
                if position % 2:
                    ids.append(controls[piece])
                elif piece:
                    ids += encode(piece, bos=False, eos=False)
        except Exception as error:
            raise TokenizerError(f"{self._name}: could not encode the text: {error}") from error
        return Encoding(ids, None)

    def token(self, token_id: int) -> str:
        """The vocabulary's own spelling of one id."""
        model = self._model
        if not 0 <= token_id < model.n_words:
            raise self._unknown_id(token_id, model.n_words)
        return str(model.id_to_piece(token_id))

    def _surface(self, token_id: int) -> bytes:
        token = self.token(token_id)
        model = self._model
        if model.is_special(token_id):
            return token.encode("utf-8")
        if hasattr(model, "id_to_byte_piece"):
            return bytes(model.id_to_byte_piece(token_id))
        return _PIECES.surface(token)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, control tokens included, without the space that SentencePiece adds to every piece."""
        model = self._model
        adds_space = not hasattr(model, "id_to_byte_piece")
        parts: list[bytes] = []
        begins = True
        for token_id, surface in zip(ids, self.surfaces(ids), strict=True):
            parts.append(surface.removeprefix(b" ") if begins and adds_space else surface)
            begins = model.is_special(token_id)
        return b"".join(parts).decode("utf-8", "replace")
