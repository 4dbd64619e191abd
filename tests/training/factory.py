"""Subjects for the tests of the training check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maskspec.training.subject import Subject

__all__ = ["PAIR", "subject_of"]

PAIR = "chatml+bytelevel-gpt2"


def subject_of(pair: str = PAIR, masker: Any = None) -> Subject:
    """A pair with a masker, by default the reference."""
    from maskspec.adapters.reference import ReferenceMasker
    from maskspec.cli.pairs import find_target
    from maskspec.training.subject import Subject

    target = find_target(pair=pair, template=None, tokenizer=None)
    chosen = ReferenceMasker() if masker is None else masker
    return Subject(chosen, target.name, target.template, target.tokenizer, target.template_kwargs)
