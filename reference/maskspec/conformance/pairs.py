"""The pairs of a full run: own templates with own tokenizers, and every real pair that is installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from maskspec.corpus import Markers, Pair, embedded_pairs, load_pair, real_pairs, trl_templates
from maskspec.errors import MissingPackageError

__all__ = ["default_pairs", "find_pair", "twin_name"]

_TAGGED = ".generation+"

# Which of trl's training templates (hand-placed generation tags) belongs to which real pair.
_TRAINING: Mapping[str, str] = {
    "qwen2.5": "qwen2_5_training",
    "qwen3": "qwen3_training",
    "qwen3-instruct-2507": "qwen3_instruct_2507_training",
    "qwen3.5": "qwen3_5_think_training",
    "qwen3.6": "qwen3_6_training",
    "llama-3": "llama3_training",
    "deepseek-v3": "deepseekv3_training",
}


def default_pairs() -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    """The pairs of a full run, and a line for each real pair that is not installed. No tokenizer is loaded.

    Every own template runs with every own tokenizer, its markers as tokens of their
    own; once with the markers as plain text; and once with a slow tokenizer. Real
    vocabularies run with their own template, and with trl's training template where
    trl is installed. An embedded pair is named even where a library that its tokenizer
    needs is not installed; `Pair.lacking` says so.
    """
    embedded = (
        *embedded_pairs(),
        *_one_each(embedded_pairs(markers=Markers.PLAIN)),
        *_one_each(embedded_pairs(slow=True)),
    )
    real = real_pairs()
    missing = [f"{item.name}: {item.install}" for item in real.missing]
    training: tuple[Pair, ...] = ()
    try:
        training = tuple(_training_pairs(real.found))
    except MissingPackageError as error:
        missing.append(f"trl's training templates: {error}")
    return (*embedded, *real.found, *training), tuple(missing)


def find_pair(name: str) -> Pair:
    """One pair by name, of those that a full run asks about or any other that the corpus knows.

    Raises:
        CorpusError: there is none; the message says what comes near.
    """
    stem, plus, training = name.partition("+trl:")
    if plus and _TRAINING.get(stem) == training:
        return next(_training_pairs([load_pair(stem)]))
    return load_pair(name)


def twin_name(pair: Pair) -> str | None:
    """The name of the pair that prints the same text from a template without generation tags; None for others."""
    return pair.name.replace(_TAGGED, "+", 1) if _TAGGED in pair.name else None


def _one_each(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """One pair for each template, with another tokenizer from template to template."""
    by_template: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_template.setdefault(pair.template.name, []).append(pair)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(map(_untagged, by_template)))}
    for name, choices in by_template.items():
        yield choices[numbers[_untagged(name)] % len(choices)]


def _untagged(name: str) -> str:
    return name.removesuffix(".generation")


def _training_pairs(pairs: Iterable[Pair]) -> Iterator[Pair]:
    templates = {template.name: template for template in trl_templates(training=True)}
    for pair in pairs:
        name = _TRAINING.get(pair.name)
        if name in templates:
            template = replace(pair.template, name=name, source=templates[name].source, origin=templates[name].origin)
            yield replace(pair, name=f"{pair.name}+trl:{name}", template=template)
