"""What every strategy of this package ends in: a conversation as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Generated"]


@dataclass(frozen=True, slots=True)
class Generated:
    """A generated conversation in plain data that nobody else holds.

    `messages` are message dicts in the OpenAI shape, `tools` the tool schemas (None without tools), `template_kwargs`
    the template variables to render with on top of those that always go with the template.
    """

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None = None
    template_kwargs: dict[str, Any] = field(default_factory=dict)
