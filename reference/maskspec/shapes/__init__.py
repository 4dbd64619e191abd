"""Fixed conversation shapes, and what a template can render: the cases that every run begins with.

Read in this order: `abilities` (what a template can be able to do), `messages` (the
words), `schemas` and `markers` (what to try), `probing` (finding out by rendering),
`reading` (finding out from the source), `fixed` (the shapes), `traits` (all of it for one template or pair).
"""

from __future__ import annotations

from maskspec.shapes.abilities import Capability
from maskspec.shapes.fixed import SHAPES, Shape, shapes_for
from maskspec.shapes.messages import WEATHER_TOOL, tool_call
from maskspec.shapes.probing import capabilities
from maskspec.shapes.traits import TemplateTraits, shapes_for_pair, traits, traits_of_pair

__all__ = [
    "SHAPES",
    "WEATHER_TOOL",
    "Capability",
    "Shape",
    "TemplateTraits",
    "capabilities",
    "shapes_for",
    "shapes_for_pair",
    "tool_call",
    "traits",
    "traits_of_pair",
]
