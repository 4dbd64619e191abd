"""One conversation to ask about: plain data with an identity that survives files, machines and versions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Case"]


@dataclass(frozen=True, slots=True)
class Case:
    """A conversation in plain data: message dicts, tool schemas, and variables for the template.

    `template_kwargs` are added to those of the pair. `number` counts the cases of a pair
    and picks the option of rules that have several; it is part of the case because the
    answer of such a rule depends on it. `fixed` cases are asked by every rule, generated
    ones by the costly rules only every few cases.
    """

    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] | None = None
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0
    fixed: bool = True

    def as_json(self) -> dict[str, Any]:
        """The case as JSON data; empty parts are left out."""
        record: dict[str, Any] = {"messages": [dict(message) for message in self.messages]}
        if self.tools is not None:
            record["tools"] = [dict(tool) for tool in self.tools]
        if self.template_kwargs:
            record["template_kwargs"] = dict(self.template_kwargs)
        if self.number:
            record["number"] = self.number
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Case:
        """The case that `as_json` described; it is asked by every rule."""
        return cls(
            messages=record["messages"],
            tools=record.get("tools"),
            template_kwargs=record.get("template_kwargs") or {},
            number=record.get("number", 0),
        )

    @property
    def text(self) -> str:
        """The case as one line of canonical JSON: equal for equal cases, whatever the order of keys."""
        return json.dumps(self.as_json(), ensure_ascii=True, sort_keys=True, separators=(",", ":"), default=str)

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that name the case."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]
