"""Turns the tokenizers people have into the one protocol that the reference asks for.

`wrap` looks at what an object is by the modules its class comes from and by the
methods it has. It imports nothing that the object did not bring along, so a
user of one library never needs another.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from maskspec.errors import TokenizerError
from maskspec.tokenizers._adapter import Adapter
from maskspec.tokens import Tokenizer

__all__ = ["wrap"]

_SUPPORTED = (
    "transformers tokenizers (fast and slow), tokenizers.Tokenizer, "
    "MistralTokenizer, InstructTokenizer, Tekkenizer and SentencePieceTokenizer of mistral_common, "
    "and objects with the methods of maskspec.tokens.Tokenizer"
)


def wrap(tokenizer: object, *, name: str | None = None, stops: Sequence[str] = ()) -> Tokenizer:
    """Return `tokenizer` as a `maskspec.tokens.Tokenizer`.

    `name` is what reports call it (default: what it was loaded from). `stops`
    are the tokens declared to end a turn, such as `("<|im_end|>",)`; where none
    are given and the tokenizer was loaded from a folder with a
    `generation_config.json`, its eos ids are used. An object that satisfies the
    protocol is returned as it is.

    Wrapping is cheap: what has been learnt about a tokenizer is kept as long
    as the tokenizer lives, so wrapping the same object again costs
    microseconds. Raises `TokenizerError` for an object of another kind.
    """
    if isinstance(stops, str):
        raise TokenizerError(f"stops must be a sequence of tokens, not one string; did you mean stops=({stops!r},)?")
    if isinstance(tokenizer, Adapter):
        if name is None and not stops:
            return tokenizer
        return tokenizer.renamed(name=name or tokenizer.name, stops=tuple(stops))
    kind: Any = type(tokenizer)
    library = _library(kind)
    if library == "transformers":
        from maskspec.tokenizers._transformers import wrap_transformers

        adapter: Adapter | None = wrap_transformers(tokenizer, name, tuple(stops))
    elif library == "tokenizers":
        from maskspec.tokenizers._backend import wrap_backend

        adapter = wrap_backend(tokenizer, name, tuple(stops))
    elif library == "mistral_common":
        from maskspec.tokenizers._mistral import wrap_mistral

        adapter = wrap_mistral(tokenizer, name, tuple(stops))
    else:
        adapter = None
    if adapter is not None:
        return adapter
    if isinstance(tokenizer, Tokenizer):
        if name is not None or stops:
            raise TokenizerError(
                f"{kind.__qualname__} brings its own name and special tokens; "
                "declare the stops in its special_tokens instead"
            )
        return tokenizer
    raise TokenizerError(
        f"cannot use a {kind.__module__}.{kind.__qualname__} as a tokenizer; supported are {_SUPPORTED}"
    )


@cache
def _library(kind: Any) -> str | None:
    """The library, among those with an adapter, that a class or one of its bases comes from."""
    bases: tuple[type, ...] = kind.__mro__
    modules = {cls.__module__.partition(".")[0] for cls in bases}
    return next((library for library in ("transformers", "tokenizers", "mistral_common") if library in modules), None)
