"""Everything that generators need to know of one template, found out once: what it renders, reads and prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maskspec.alignment import align
from maskspec.corpus import Pair
from maskspec.errors import AlignmentError
from maskspec.shapes.abilities import Capability
from maskspec.shapes.fixed import Shape, quotation, shapes_for
from maskspec.shapes.markers import DECOMPOSED, ROLE_MARKERS, TAGS
from maskspec.shapes.probing import Outcome, accepts, probed, refused_texts, seams_of
from maskspec.shapes.reading import template_literals, variable_candidates
from maskspec.shapes.schemas import SCHEMAS, is_flat
from maskspec.tokens import Tokenizer

__all__ = ["TemplateTraits", "shapes_for_pair", "traits", "traits_of_pair"]


@dataclass(frozen=True, slots=True, eq=False)
class TemplateTraits:
    """What one template renders, and what it is sensitive to. Equal only to itself: there is one per template.

    `variables` are the template variables that it reads, with the values that it takes
    and looks for; `literals` are texts of the template, markers first; `tokens` are the
    special tokens of the vocabulary; `seams` are what is printed between a question and its
    answer, and between an answer and the next question where there may be one. What the
    template does not take inside a message and what the tokenizer cannot spell is in
    `refused` and nowhere else. `ignored` are capabilities of which the
    template takes the conversation and leaves the text out. `schemas` are numbers of
    `SCHEMAS` that it takes. Every sequence has a fixed order.
    """

    capabilities: frozenset[Capability]
    ignored: frozenset[Capability] = frozenset()
    variables: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    literals: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    seams: tuple[str, ...] = ()
    schemas: tuple[int, ...] = (0,)

    def able(self, *needed: Capability) -> bool:
        """Whether the template has all of these capabilities."""
        return self.capabilities.issuperset(needed)

    def weight(self, capability: Capability, usual: int = 1) -> int:
        """How often to choose something: as usual where it is printed, once where it is ignored, else never."""
        if capability in self.capabilities:
            return usual
        return 1 if capability in self.ignored else 0


def traits(
    template: str,
    *,
    special_tokens: Mapping[str, Any] | None = None,
    template_kwargs: Mapping[str, Any] | None = None,
    tokens: tuple[str, ...] = (),
    unspelled: tuple[str, ...] = (),
) -> TemplateTraits:
    """The traits of a template, from Jinja source; remembered for the process.

    `special_tokens` are the vocabulary's template variables (`bos_token`, `eos_token`, …), `template_kwargs` what
    is passed with every conversation, `tokens` further special tokens of the vocabulary, `unspelled` texts that its
    tokenizer cannot spell.
    """
    given = dict(template_kwargs or {})
    spelled = tuple(value for value in (special_tokens or {}).values() if isinstance(value, str) and value)
    known = tuple(dict.fromkeys((*spelled, *tokens)))
    key = (
        template,
        repr(sorted((special_tokens or {}).items())),
        repr(sorted(given.items())),
        (*known, "", *unspelled),
    )
    if key not in _KNOWN:
        literals = template_literals(template)
        seams = seams_of(template, special_tokens=special_tokens, template_kwargs=given)
        markers = tuple(dict.fromkeys((*known, *literals, *seams, *ROLE_MARKERS, *TAGS)))
        refused = refused_texts(template, markers, special_tokens=special_tokens, template_kwargs=given)
        outcomes = probed(template, special_tokens=special_tokens, template_kwargs=given)
        nested = outcomes.get(Capability.NESTED_ARGUMENTS) is Outcome.PRINTED
        _KNOWN[key] = TemplateTraits(
            capabilities=frozenset(each for each, outcome in outcomes.items() if outcome is Outcome.PRINTED),
            ignored=frozenset(each for each, outcome in outcomes.items() if outcome is Outcome.IGNORED),
            variables=tuple(
                (name, taken)
                for name, values in variable_candidates(template).items()
                if name not in given and (taken := _taken(template, special_tokens, given, name, values))
            ),
            literals=tuple(text for text in literals if text not in refused),
            tokens=tuple(text for text in known if text not in refused),
            seams=tuple(text for text in seams if text not in refused),
            refused=(*(text for text in markers if text in refused), *unspelled),
            schemas=tuple(
                number
                for number, schema in enumerate(SCHEMAS)
                if (nested or is_flat(schema))
                and any(
                    accepts(template, tools=(tool,), special_tokens=special_tokens, template_kwargs=given)
                    for tool in (schema, schema["function"])
                )
            )
            or (0,),
        )
    return _KNOWN[key]


_KNOWN: dict[tuple[str, str, str, tuple[str, ...]], TemplateTraits] = {}


def _taken(
    template: str,
    special_tokens: Mapping[str, Any] | None,
    given: Mapping[str, Any],
    name: str,
    values: tuple[Any, ...],
) -> tuple[Any, ...]:
    """The values of a variable under which the template still prints a plain round."""
    return tuple(
        value
        for value in values
        if accepts(template, special_tokens=special_tokens, template_kwargs={**given, name: value})
    )


def traits_of_pair(pair: Pair) -> TemplateTraits:
    """The traits of a pair's template with the pair's vocabulary; loads the tokenizer."""
    return traits(
        pair.template.source,
        special_tokens=pair.special_tokens,
        template_kwargs=pair.template_kwargs,
        tokens=tuple(dict.fromkeys((*pair.stops, *pair.template.markers))),
        unspelled=tuple(text for text in DECOMPOSED if not _spelled(pair.tokenizer, f"e{text}b")),
    )


def _spelled(tokenizer: Tokenizer, text: str) -> bool:
    """Whether every character of a text has a token: tokenizers that normalise to NFC merge combining marks away."""
    try:
        align(text, tokenizer.encode(text), tokenizer)
    except AlignmentError:
        return False
    return True


def shapes_for_pair(pair: Pair, *, flags: bool) -> tuple[Shape, ...]:
    """The fixed shapes that a pair's template renders and its tokenizer spells, in their order.

    Behind those that decide about an adapter's wiring stands one that quotes the template's own markers, unless the
    template refuses them. `flags` says whether the policy honours `train`, `weight` and character spans; without it
    the shapes that carry them are left out.
    """
    found = traits_of_pair(pair)
    able = found.capabilities
    first, *others = shapes_for(able | {Capability.FLAGS} if flags else able)
    own = [quotation(found.seams[0], found.seams[-1])] if found.seams else []
    return tuple(
        shape
        for shape in (first, *others[:3], *own, *others[3:])
        if not any(text in content for text in found.refused for content in shape.texts())
    )
