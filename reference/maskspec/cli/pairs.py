"""Pairs of template and tokenizer by name: which ones to check on, and the one to trace with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maskspec.errors import MissingPackageError, UsageError
from maskspec.suggestions import suggestion

if TYPE_CHECKING:
    from maskspec.corpus import Pair
    from maskspec.tokens import Tokenizer

__all__ = ["Target", "find_target", "select_pairs"]


@dataclass(frozen=True, slots=True)
class Target:
    """What to trace with: template source, tokenizer and the pair's own template variables."""

    name: str
    template: str
    tokenizer: Tokenizer
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)


def find_target(*, pair: str | None, template: str | None, tokenizer: str | None, stops: Sequence[str] = ()) -> Target:
    """The pair of that name, or a template and a tokenizer from wherever they are.

    An own template with an own tokenizer is taken as the pair of both, so that the
    template's markers are tokens. Without a tokenizer, the one beside the template is used.

    Raises:
        UsageError: neither a pair nor a template is named, or both are.
        CorpusError: a name leads nowhere.
    """
    from maskspec.conformance import find_pair
    from maskspec.corpus import embedded_templates, embedded_tokenizers, load_template, load_tokenizer
    from maskspec.tokenizers import wrap

    if pair is not None:
        if template is not None or tokenizer is not None:
            raise UsageError("--pair names template and tokenizer already; leave out --template and --tokenizer")
        return _target(find_pair(pair), stops)
    if template is None:
        raise UsageError("name a pair with --pair, or a template with --template; `maskspec corpus list` lists them")
    own_template = template in {item.name for item in embedded_templates()}
    own_tokenizer = tokenizer is not None and tokenizer.partition(":")[0] in {i.name for i in embedded_tokenizers()}
    if own_template and tokenizer is None:
        raise UsageError(f"template {template!r} has no tokenizer of its own; name one with --tokenizer")
    if own_template and own_tokenizer:
        return _target(find_pair(f"{template}+{tokenizer}"), stops)
    source = load_template(template)
    vocabulary = load_tokenizer(tokenizer if tokenizer is not None else template)
    declared = tuple(stops) or source.stops
    if declared:
        vocabulary = wrap(vocabulary, stops=declared)
    return Target(name=f"{source.name} + {vocabulary.name}", template=source.source, tokenizer=vocabulary)


def _target(pair: Pair, stops: Sequence[str]) -> Target:
    from maskspec.tokenizers import wrap

    tokenizer = wrap(pair.tokenizer, stops=tuple(stops)) if stops else pair.tokenizer
    return Target(
        name=pair.name, template=pair.template.source, tokenizer=tokenizer, template_kwargs=pair.template_kwargs
    )


def select_pairs(
    *, names: Sequence[str] = (), templates: Sequence[str] = (), tokenizers: Sequence[str] = ()
) -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    """The pairs to check on and a line for each that is not installed; without a choice, those of a full run.

    Raises:
        UsageError: a name fits no pair.
        MissingPackageError: none of the pairs can be loaded here.
    """
    from maskspec.conformance import default_pairs, find_pair
    from maskspec.corpus import SUITE

    chosen: Sequence[Pair]
    missing: tuple[str, ...] = ()
    if names:
        if templates or tokenizers:
            raise UsageError("--pair names template and tokenizer already; leave out --template and --tokenizer")
        chosen = [find_pair(name) for name in names]
    else:
        everything, missing = default_pairs()
        chosen = [
            pair
            for pair in everything
            if (not templates or pair.template.name in templates)
            and (not tokenizers or tokenizer_name(pair) in tokenizers)
        ]
        _require_known(templates, {pair.template.name for pair in everything}, "template")
        _require_known(tokenizers, {tokenizer_name(pair) for pair in everything}, "tokenizer")
    if not chosen:
        raise UsageError("no pair has both that template and that tokenizer; `maskspec corpus list` lists the pairs")
    if all(pair.lacking for pair in chosen):
        packages = dict.fromkeys(name for pair in chosen for name in pair.lacking)
        raise MissingPackageError(
            f"no tokenizer can be loaded here: that needs {', '.join(packages)}; install with: {SUITE}"
        )
    return tuple(chosen), missing


def tokenizer_name(pair: Pair) -> str:
    """The tokenizer's part of a pair's name, without modes (`:slow`); the whole name of a real pair."""
    stem = pair.name.partition(":")[0]
    return stem.partition("+")[2] or stem


def _require_known(names: Iterable[str], known: Iterable[str], what: str) -> None:
    known = sorted(known)
    for name in names:
        if name not in known:
            hint = suggestion(name, known, otherwise="`maskspec corpus list` lists them")
            raise UsageError(f"there is no {what} {name!r} among the pairs{hint}")
