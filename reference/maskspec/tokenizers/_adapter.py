"""What all adapters share: a name, a cache of surfaces, and special tokens put together in one way."""

from __future__ import annotations

import json
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from maskspec.errors import TokenizerError
from maskspec.tokens import Encoding, SpecialTokens

__all__ = ["Adapter", "Knowledge", "check_encodable", "special_tokens"]


@dataclass(slots=True)
class Knowledge:
    """What was learnt about one tokenizer; it outlives adapters and never refers back to the tokenizer."""

    surfaces: dict[int, bytes] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


_KNOWLEDGE: MutableMapping[Any, Knowledge] = weakref.WeakKeyDictionary()


def _knowledge(raw: Any) -> Knowledge:
    try:
        known = _KNOWLEDGE.get(raw)
    except TypeError:
        # Older releases of tokenizers have objects that cannot be referred to weakly; each adapter learns anew.
        return Knowledge()
    if known is None:
        known = _KNOWLEDGE[raw] = Knowledge()
    return known


class Adapter(ABC):
    """A tokenizer of some library, seen through `maskspec.tokens.Tokenizer`."""

    def __init__(self, raw: Any, name: str, stops: tuple[str, ...]) -> None:
        self._raw = raw
        self._name = name
        self._stops = stops
        self._knowledge = _knowledge(raw)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name!r}>"

    def renamed(self, *, name: str, stops: tuple[str, ...]) -> Self:
        """The same tokenizer under another name or with other declared stops."""
        return type(self)(self._raw, name, stops or self._stops)

    @property
    def name(self) -> str:
        """A short name for reports."""
        return self._name

    @property
    def raw(self) -> Any:
        """The wrapped object itself."""
        return self._raw

    @property
    @abstractmethod
    def special_tokens(self) -> SpecialTokens:
        """The special tokens of the vocabulary."""

    @abstractmethod
    def encode(self, text: str) -> Encoding:
        """Encode exactly as the wrapped tokenizer does without adding special tokens."""

    @abstractmethod
    def token(self, token_id: int) -> str:
        """The vocabulary's own spelling of one id."""

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens included, without clean-up of spaces."""

    @abstractmethod
    def _surface(self, token_id: int) -> bytes:
        """The bytes that one id contributes to a text."""

    def surfaces(self, ids: Sequence[int]) -> Sequence[bytes]:
        """The UTF-8 bytes that each id contributes to the text, in order."""
        known = self._knowledge.surfaces
        try:
            return [known[token_id] for token_id in ids]
        except KeyError:
            for token_id in set(ids).difference(known):
                known[token_id] = self._surface(token_id)
            return [known[token_id] for token_id in ids]

    def _remember(self, fact: str, key: object, find: Callable[[], Any]) -> Any:
        """What `find` returned when `key` last changed."""
        facts = self._knowledge.facts
        known = facts.get(fact)
        if known is None or known[0] != key:
            known = facts[fact] = (key, find())
        return known[1]

    def _unknown_id(self, token_id: int, size: int) -> TokenizerError:
        return TokenizerError(f"{self._name}: there is no token with id {token_id!r} in this vocabulary of {size}")


def check_encodable(text: str, name: str) -> None:
    """Raise `TokenizerError` where `text` is no string or holds a lone surrogate, which UTF-8 cannot express."""
    if not isinstance(text, str):
        raise TokenizerError(f"{name}: can only encode a str, not {type(text).__name__}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TokenizerError(
            f"{name}: character {error.start} of the text is the lone surrogate {text[error.start]!r}, "
            "which no tokenizer can encode; remove it or decode the source with errors='replace'"
        ) from error


def special_tokens(
    *,
    variables: Mapping[str, Any],
    added: Iterable[str],
    special: Iterable[str],
    stops: Sequence[str],
    folder: str | None,
    spell: Any,
) -> SpecialTokens:
    """Put `SpecialTokens` together from what a library calls them.

    `folder` is where the tokenizer was loaded from, if anywhere, and `spell`
    turns an id into a token; both serve to read the eos ids of a
    `generation_config.json` where no stops were declared.
    """
    readable = {
        key: [str(item) for item in value] if isinstance(value, list | tuple) else str(value)
        for key, value in variables.items()
        if value is not None
    }
    eos = readable.get("eos_token")
    named = {key: value for key, value in readable.items() if isinstance(value, str)}
    declared = tuple(stops) or tuple(token for token in _generation_stops(folder, spell) if token != eos)
    return SpecialTokens(
        bos=named.get("bos_token"),
        eos=named.get("eos_token"),
        pad=named.get("pad_token"),
        unk=named.get("unk_token"),
        added=tuple(sorted(set(added), key=lambda token: (-len(token), token))),
        special=tuple(sorted(set(special), key=lambda token: (-len(token), token))),
        stops=declared,
        variables=readable,
    )


def _generation_stops(folder: str | None, spell: Any) -> list[str]:
    """The eos tokens that a model's generation configuration names, none where there is no such file."""
    if not folder:
        return []
    path = Path(folder) / "generation_config.json"
    if not path.is_file():
        return []
    try:
        eos = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id")
    except (ValueError, AttributeError) as error:
        raise TokenizerError(f"{path} is not a JSON object; repair or remove it") from error
    ids = eos if isinstance(eos, list) else [] if eos is None else [eos]
    return [spell(token_id) for token_id in ids]
