"""What the reference asks of a tokenizer: four facts and four functions.

The reference never imports a tokenizer library. `maskspec.tokenizers.wrap`
turns the objects people have (transformers fast and slow, `tokenizers.Tokenizer`,
mistral_common) into this protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

__all__ = ["Encoding", "SpecialTokens", "Tokenizer"]


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """The tokens of a vocabulary that stand for something other than ordinary text.

    `variables` are what a chat template sees (`bos_token`, `eos_token`, …, the
    `special_tokens_map` of transformers). `added` are all strings that the
    tokenizer always encodes as one token of their own, special or not
    (`<|im_end|>`, `<think>`, …), longest first; `special` are those of them that
    the vocabulary flags as special (`<|im_end|>`, but not `<think>`). `stops`
    are the tokens declared to end a turn; empty when nothing was declared
    beyond `eos`.
    """

    bos: str | None = None
    eos: str | None = None
    pad: str | None = None
    unk: str | None = None
    added: tuple[str, ...] = ()
    special: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Encoding:
    """Token ids of one text, with the character range of each where the tokenizer knows it.

    `ids` has length n. `offsets` has length n too, as half-open character
    ranges into the text, or is None when the tokenizer has none (slow ones).
    """

    ids: Sequence[int]
    offsets: Sequence[tuple[int, int]] | None


@runtime_checkable
class Tokenizer(Protocol):
    """Anything that turns text into ids and can say what each id spells."""

    @property
    def name(self) -> str:
        """A short name for reports."""

    @property
    def raw(self) -> Any:
        """The wrapped object itself, for adapters that need it."""

    @property
    def special_tokens(self) -> SpecialTokens:
        """The special tokens of the vocabulary."""

    def encode(self, text: str) -> Encoding:
        """Encode exactly as `tokenizer(text, add_special_tokens=False)` does."""

    def token(self, token_id: int) -> str:
        """The vocabulary's own spelling of one id (`Ġworld`, `▁world`, `<0xE4>`), for display."""

    def surfaces(self, ids: Sequence[int]) -> Sequence[bytes]:
        """The UTF-8 bytes that each id contributes to the text, in order, for alignment without offsets.

        The first piece of a SentencePiece text may spell a space that the
        text does not hold; alignment knows about it. An id without text gives b"".
        """

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens included, without clean-up of spaces."""
