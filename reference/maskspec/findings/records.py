"""What was found out about templates, as plain records that files can hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maskspec.conformance.cases import Case
from maskspec.findings.kinds import FindingKind

__all__ = ["Excerpt", "Finding", "Observation", "Survey", "TemplateFindings", "excerpt"]

_AROUND = 60
_MARKED = 160


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A piece of a rendering: what is meant, with some characters before and after; `label` says which rendering."""

    label: str
    before: str
    marked: str
    after: str

    def as_json(self) -> dict[str, str]:
        """The excerpt as JSON data."""
        return {"label": self.label, "before": self.before, "marked": self.marked, "after": self.after}


def excerpt(text: str, start: int, end: int, *, label: str = "rendering") -> Excerpt:
    """The characters `start` to `end` of a rendering, cut in the middle where there are many, and those around them."""
    marked = text[start:end]
    if len(marked) > _MARKED:
        half = _MARKED // 2
        marked = f"{marked[:half]} … {marked[-half:]}"
    before = ("…" if start > _AROUND else "") + text[max(0, start - _AROUND) : start]
    after = text[end : end + _AROUND] + ("…" if end + _AROUND < len(text) else "")
    return Excerpt(label, before, marked, after)


@dataclass(frozen=True, slots=True)
class Observation:
    """One fact that one conversation shows.

    `variant` tells observations of one kind apart where the difference matters to whoever mends
    it: the role that is refused, the token that is the stop. `message` is the index of the message
    in question, `beginning` the number of messages of the beginning that is rendered otherwise.
    """

    kind: FindingKind
    detail: str
    variant: str = ""
    message: int | None = None
    beginning: int | None = None
    excerpts: tuple[Excerpt, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about one template, with the smallest conversation that shows it.

    `conversations` is the number of conversations asked that show it.
    """

    observation: Observation
    case: Case
    conversations: int = 1

    @property
    def kind(self) -> FindingKind:
        """The kind of the finding."""
        return self.observation.kind

    @property
    def variant(self) -> str:
        """What tells it apart from others of its kind."""
        return self.observation.variant

    def as_json(self) -> dict[str, Any]:
        """The finding as JSON data; `beginning` is there where a beginning of the conversation matters."""
        seen = self.observation
        record: dict[str, Any] = {
            "kind": seen.kind.value,
            "variant": seen.variant,
            "detail": seen.detail,
            "message": seen.message,
            "conversations": self.conversations,
            "conversation": self.case.as_json(),
            "excerpts": [each.as_json() for each in seen.excerpts],
        }
        if seen.beginning is not None:
            record["beginning"] = seen.beginning
        return record


@dataclass(frozen=True, slots=True)
class TemplateFindings:
    """All that was found about one template.

    `origin` says where the template was read, `sha256` is that of its source, `asked` the number of
    conversations it was asked to render and `refused` that of those it refused.
    """

    template: str
    origin: str
    sha256: str
    asked: int
    refused: int
    findings: tuple[Finding, ...]

    @property
    def kinds(self) -> frozenset[FindingKind]:
        """The kinds of findings."""
        return frozenset(finding.kind for finding in self.findings)

    def of(self, kind: FindingKind) -> tuple[Finding, ...]:
        """The findings of one kind."""
        return tuple(finding for finding in self.findings if finding.kind is kind)


@dataclass(frozen=True, slots=True)
class Survey:
    """A report about templates: what was found about each, and what has to be the same to find it again.

    `missing` says what could not be asked because a package is not installed.
    """

    templates: tuple[TemplateFindings, ...]
    examples: int
    seed: int
    versions: Mapping[str, str]
    kinds: tuple[FindingKind, ...]
    missing: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[FindingKind, int]:
        """For each kind that was looked for, the number of templates with such a finding."""
        counted = Counter(kind for each in self.templates for kind in each.kinds)
        return {kind: counted[kind] for kind in self.kinds}

    def concerned(self, kind: FindingKind) -> tuple[TemplateFindings, ...]:
        """The templates with a finding of a kind."""
        return tuple(each for each in self.templates if kind in each.kinds)

    @property
    def findings(self) -> int:
        """The number of findings."""
        return sum(len(each.findings) for each in self.templates)
