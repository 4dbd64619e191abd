"""Asks a template one conversation and says which findings it shows, as (kind, variant)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from maskspec.conformance.cases import Case
from maskspec.corpus import Template
from maskspec.findings import FindingKind, Observation, examine
from maskspec.findings.contents import contents
from maskspec.findings.histories import histories, surroundings
from maskspec.findings.prompts import hazards, prompts
from maskspec.findings.roles import roles
from maskspec.findings.stops import stops
from maskspec.findings.subject import Subject
from maskspec.findings.tags import tags

OBSERVERS = (histories, stops, tags, contents, roles, prompts, hazards)

Messages = Sequence[Mapping[str, Any]]
Shown = set[tuple[str, str]]


def template(source: str, *, eos: str | None = None, name: str = "tried") -> Template:
    return Template(name, source, "a test", eos=eos)


def observations(
    source: str, messages: Messages, *, tools: Messages | None = None, eos: str | None = None, **variables: Any
) -> list[Observation]:
    """What all observers say about one conversation."""
    asked = Subject(template(source, eos=eos)).ask(Case(messages=messages, tools=tools, template_kwargs=variables))
    return [seen for observer in OBSERVERS for seen in observer(asked)]


def shown(
    source: str, messages: Messages, *, tools: Messages | None = None, eos: str | None = None, **variables: Any
) -> Shown:
    """The kinds and variants of what all observers say."""
    return _named(observations(source, messages, tools=tools, eos=eos, **variables))


def surrounded(source: str) -> Shown:
    """What a template prints of its own."""
    return _named([seen for _, seen in surroundings(Subject(template(source)))])


def examined(source: str, *kinds: FindingKind) -> Shown:
    """The findings of these kinds after all fixed conversations."""
    found = examine(template(source), kinds=frozenset(kinds), examples=0)
    return {(finding.kind.value, finding.variant) for finding in found.findings}


def _named(seen: Sequence[Observation]) -> Shown:
    return {(each.kind.value, each.variant) for each in seen}
