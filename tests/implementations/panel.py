"""The implementations of one vocabulary as a panel: asked a text, one or all, and remembered what they said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from maskspec.corpus._manifest import Format
from maskspec.errors import TokenizerError
from maskspec.tokens import Tokenizer
from tests.implementations.classes import Answer, Difference, RoundTrip
from tests.implementations.registry import Entry, implementations

__all__ = ["Comparison", "Panel"]

_LEAD = "z\n"
"""What stands before a text that is asked about inside another: SentencePiece merges nothing across the newline."""


@dataclass(slots=True)
class Panel:
    """The implementations of one vocabulary, asked with a memory."""

    tokenizers: Mapping[str, Tokenizer]
    special: tuple[str, ...]
    begins_with_space: bool
    """Whether some of them put a space before a text, which hides what else happens at its beginning."""
    splits: bool = False
    """Whether the vocabulary splits a text by a pattern before it merges."""
    _known: dict[tuple[str, str], Answer] = field(default_factory=dict)

    @classmethod
    def of(cls, entry: Entry) -> Panel:
        """Those of a vocabulary that are here."""
        found = implementations(entry.name)
        fast = next(iter(found.values()))
        splitter = fast.raw.backend_tokenizer.pre_tokenizer
        return cls(
            found,
            fast.special_tokens.added,
            begins_with_space=entry.vocabulary.format in (Format.SENTENCEPIECE, Format.SPLINTR_PIECES),
            splits=splitter is not None and b"Regex" in splitter.__getstate__(),
        )

    def ask(self, name: str, text: str) -> Answer:
        """What one implementation says about a text."""
        known = self._known.get((name, text))
        if known is None:
            tokenizer = self.tokenizers[name]
            try:
                ids = tuple(tokenizer.encode(text).ids)
                known = Answer(ids, tuple(tokenizer.surfaces(ids)))
            except TokenizerError as error:
                known = Answer((), (), str(error))
            if len(text) < 200:
                self._known[name, text] = known
        return known

    def inside(self, name: str, text: str) -> Answer | None:
        """The same behind other text, less what stands for that; None where the two cannot be told apart."""
        lead, whole = self.ask(name, _LEAD), self.ask(name, _LEAD + text)
        count = len(lead.ids)
        if whole.error or whole.ids[:count] != lead.ids:
            return None
        return Answer(whole.ids[count:], whole.surfaces[count:])

    def groups(self, answers: Mapping[str, Answer | None]) -> list[list[str]]:
        """The names by their answers, those of the first group first."""
        found: dict[object, list[str]] = {}
        for name, answer in answers.items():
            if answer is not None:
                found.setdefault((answer.ids, bool(answer.error)), []).append(name)
        return list(found.values())


@dataclass(slots=True)
class Comparison:
    """What was found on one vocabulary."""

    vocabulary: str
    names: tuple[str, ...]
    texts: int = 0
    conversations: int = 0
    seconds: float = 0.0
    """Processor time, loading included."""
    alike: int = 0
    """Texts that all implementations give the same ids for."""
    different: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Texts that two implementations give other ids for."""
    classes: Counter[tuple[str, str, Difference]] = field(default_factory=Counter)
    shown: Counter[Difference] = field(default_factory=Counter)
    """Texts on which two implementations or more show a class."""
    smallest: dict[Difference, dict[str, int]] = field(default_factory=dict)
    """The smallest texts of each class and how often each came out."""
    round_trips: Counter[tuple[str, RoundTrip]] = field(default_factory=Counter)
    smallest_round_trips: dict[tuple[str, RoundTrip], str] = field(default_factory=dict)
    offsets: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By implementation and outcome: alignment by offsets against alignment by what the tokens spell."""
    labels: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By two implementations and outcome, over conversations."""
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Conversations that the reference cannot mask with a tokenizer, by the kind of error."""
    trained_texts: dict[tuple[str, str], str] = field(default_factory=dict)
    """The shortest text that two implementations lead to other labels for."""
