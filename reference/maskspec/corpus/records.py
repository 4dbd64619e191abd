"""What the corpora hand out: templates, and pairs of a template with a tokenizer.

Nothing here reads a file or imports a tokenizer library. A pair knows how to
load its tokenizer and does so when it is first asked for; whether it could is
known without.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from maskspec.corpus._libraries import lacking
from maskspec.tokens import Tokenizer

__all__ = ["Kind", "Markers", "Pair", "StopWriter", "Template"]

_GENERATION_TAG = re.compile(r"\{%[-+]?\s*generation\s*[-+]?%\}")


class Kind(Enum):
    """Where a pair comes from."""

    EMBEDDED = "embedded"
    """An own template with an own small tokenizer; always available."""
    PACKAGE = "package"
    """A real vocabulary with its own template, read from installed packages."""
    ADDED = "added"
    """As `PACKAGE`, but the vocabulary is a file that `maskspec corpus add` fetched from an archive."""
    LOCAL = "local"
    """A folder, file or hub id that the user named."""


class Markers(Enum):
    """What a template's markers are to the tokenizer of an embedded pair."""

    TOKENS = "tokens"
    """Each marker is one token, as in the vocabulary the template was made for."""
    PLAIN = "plain"
    """The markers are ordinary text, as in vocabularies that lack them; bos and eos are the tokenizer's own."""


class StopWriter(Enum):
    """Which message's output holds the token that ends a turn."""

    TURN = "turn"
    """The turn writes its own stop."""
    NEXT_MESSAGE = "next message"
    """The message after it does (a boundary stop)."""


@dataclass(frozen=True, slots=True)
class Template:
    """A chat template and what is known about the vocabulary it was written for.

    `source` is the Jinja source, `origin` says where it was read. `bos`, `eos`
    and `pad` are the strings of the template variables, None where the real
    vocabulary has none or nothing is known. `stops` are the tokens that end an
    assistant turn, most useful first; `special` and `added` are strings that
    are one token each in the real vocabulary, and `text` are strings that look
    like tokens and are not. `capabilities` and `kwargs` (name of a template
    variable, what it does) are empty where nothing is declared.
    """

    name: str
    source: str = field(repr=False)
    origin: str
    bos: str | None = None
    eos: str | None = None
    pad: str | None = None
    stops: tuple[str, ...] = ()
    stop_writer: StopWriter = StopWriter.TURN
    special: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    generation_prompt: str | None = None
    capabilities: Mapping[str, bool] = field(default_factory=dict, hash=False)
    kwargs: Mapping[str, str] = field(default_factory=dict, hash=False)
    aliases: tuple[str, ...] = field(default=(), repr=False)

    @property
    def has_generation_tags(self) -> bool:
        """Whether the source holds `{% generation %}`, from which transformers makes its mask."""
        return _GENERATION_TAG.search(self.source) is not None

    @property
    def markers(self) -> tuple[str, ...]:
        """All strings that are one token each in the real vocabulary, special ones first."""
        return tuple(dict.fromkeys((*self.special, *self.added)))


@dataclass(frozen=True, slots=True)
class Pair:
    """A template joined with a tokenizer, ready to be rendered and encoded.

    `name` is stable and is what `load_pair` takes. `load` gives the tokenizer
    and keeps it for the process; use the property `tokenizer`. `libraries` are the
    modules that loading imports (none are known for what a user named). `licence` is
    the note of the manifest about the vocabulary, `note` what a report should say about
    the pair (another version than the manifest was made for, how the two were joined).
    """

    name: str
    template: Template
    kind: Kind
    load: Callable[[], Tokenizer] = field(repr=False, compare=False)
    markers: Markers = Markers.TOKENS
    slow: bool = False
    libraries: tuple[str, ...] = ()
    template_kwargs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    licence: str = ""
    note: str = ""

    @property
    def lacking(self) -> tuple[str, ...]:
        """The packages that its tokenizer needs and that are not installed; `maskspec.corpus.SUITE` installs them."""
        return lacking(self.libraries)

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, loaded on first use and once per process."""
        return self.load()

    @property
    def special_tokens(self) -> Mapping[str, Any]:
        """The template variables that come from the tokenizer (`bos_token`, `eos_token`, …); loads it."""
        return self.tokenizer.special_tokens.variables

    @property
    def stops(self) -> tuple[str, ...]:
        """The strings that end an assistant turn in this pair; loads the tokenizer."""
        return self.tokenizer.special_tokens.stops
