"""Rendering with the origin of every character: the first arrow of the data flow.

Read in this order: `origins` (what an origin is), `traced` (strings that
carry origins), `trace` (who owns what a template prints), `values` and
`filters` (how other values become text), `codegen` and `environment` (the
sandbox), `limits`, `render` (the public function).
"""

from __future__ import annotations

from maskspec.rendering.limits import Limits
from maskspec.rendering.origins import Origin, OriginKind
from maskspec.rendering.render import Clock, ConversationRenderer, Rendering, Span, render

__all__ = ["Clock", "ConversationRenderer", "Limits", "Origin", "OriginKind", "Rendering", "Span", "render"]
