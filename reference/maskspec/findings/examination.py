"""Asks one template all conversations, and keeps the smallest that shows each fact."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from maskspec.conformance.cases import Case
from maskspec.conformance.shrinking import shrink, size
from maskspec.corpus import Template
from maskspec.errors import (
    MaskspecError,
    ProvenanceError,
    TemplateError,
    TemplateLimitExceeded,
    TemplateSecurityError,
    TemplateSyntaxError,
)
from maskspec.findings.contents import contents
from maskspec.findings.conversations import PLAIN, PROBES, Group, generated_cases, shape_cases
from maskspec.findings.facts import FACTS
from maskspec.findings.histories import histories, surroundings
from maskspec.findings.kinds import Family, FindingKind
from maskspec.findings.prompts import hazards, prompts
from maskspec.findings.records import Finding, Observation, TemplateFindings
from maskspec.findings.roles import roles
from maskspec.findings.stops import stops
from maskspec.findings.subject import LIMITS, Asked, Subject
from maskspec.findings.tags import tags
from maskspec.rendering import Limits
from maskspec.shapes import traits

__all__ = ["EXAMPLES", "examine", "with_finding"]

EXAMPLES = 20
"""Generated conversations for each template, unless the caller says otherwise."""

_SMALL = 200
"""Characters of a conversation that need not be made smaller."""

_ATTEMPTS = 60
_VARIANTS = 4
"""Findings of one kind about one template."""

_Observer = Callable[[Asked], Iterator[Observation]]
_OBSERVERS: Mapping[_Observer, frozenset[Family]] = {
    histories: frozenset({Family.HISTORY}),
    stops: frozenset({Family.STOP}),
    tags: frozenset({Family.TAGS}),
    contents: frozenset({Family.CONTENT, Family.ROLES}),
    roles: frozenset({Family.ROLES}),
    prompts: frozenset({Family.PROMPT}),
    hazards: frozenset({Family.STOP, Family.ROLES, Family.PROMPT}),
}


def examine(
    template: Template,
    *,
    kinds: frozenset[FindingKind] = frozenset(FindingKind),
    examples: int = EXAMPLES,
    seed: int = 0,
    limits: Limits = LIMITS,
) -> TemplateFindings:
    """Everything that is found about a template: fixed conversations, and `examples` generated ones.

    The same arguments give the same findings on the same versions. A template that cannot
    be compiled or rendered has that as a finding; nothing that a template does is raised.
    `limits` are those of one rendering; a template that goes beyond them is asked no more.
    """
    return _Examination(Subject(template, limits=limits), kinds, examples, seed).run()


def with_finding(template: Template, *findings: Finding, asked: int = 0, refused: int = 0) -> TemplateFindings:
    """The record of a template with these findings."""
    return TemplateFindings(
        template=template.name,
        origin=template.origin,
        sha256=hashlib.sha256(template.source.encode("utf-8", "surrogatepass")).hexdigest(),
        asked=asked,
        refused=refused,
        findings=findings,
    )


@dataclass(slots=True)
class _Kept:
    """The smallest case so far that shows a fact, and who saw it."""

    observation: Observation
    case: Case
    observer: _Observer | None
    last: Case
    count: int = 1


class _Examination:
    def __init__(self, subject: Subject, kinds: frozenset[FindingKind], examples: int, seed: int) -> None:
        self._template = subject.template
        self._subject = subject
        self._kinds = kinds
        self._examples = examples
        self._seed = seed
        self._kept: dict[tuple[FindingKind, str], _Kept] = {}
        self._refusals: dict[Group, list[tuple[Case, TemplateError]]] = {}
        self._taken: set[Group] = set()
        self._asked = 0
        self._refused = 0
        families = {FACTS[kind].family for kind in kinds}
        self._observers = [each for each, of in _OBSERVERS.items() if of & families]

    def run(self) -> TemplateFindings:
        """Ask everything, unless the template goes beyond its limits: then nothing more is asked."""
        try:
            self._ask_all()
        except TemplateLimitExceeded as error:
            self._keep(Observation(FindingKind.LIMIT_EXCEEDED, str(error)), PLAIN, None)
        except TemplateSyntaxError as error:
            self._keep(Observation(FindingKind.DOES_NOT_COMPILE, str(error)), PLAIN, None)
        self._tell_refusals()
        return with_finding(self._template, *self._findings(), asked=self._asked, refused=self._refused)

    def _ask_all(self) -> None:
        for probe in PROBES:
            self._ask(probe.case, probe.group)
        for case, observation in surroundings(self._subject):
            self._keep(observation, case, None)
        for case in shape_cases():
            self._ask(case)
        found = traits(self._template.source, special_tokens=self._subject.special_tokens.variables)
        for case in generated_cases(found, examples=self._examples, seed=self._seed):
            self._ask(case)

    def _ask(self, case: Case, group: Group | None = None) -> None:
        self._asked += 1
        try:
            asked = self._subject.ask(case)
            for observer in self._observers:
                for observation in observer(asked):
                    self._keep(observation, case, observer)
        except (TemplateLimitExceeded, TemplateSyntaxError):
            raise
        except TemplateError as error:
            self._refused += 1
            if group is not None:
                self._refusals.setdefault(group, []).append((case, error))
            if isinstance(error, (ProvenanceError, TemplateSecurityError)):
                traced = isinstance(error, ProvenanceError)
                kind = FindingKind.UNTRACEABLE if traced else FindingKind.FORBIDDEN
                self._keep(Observation(kind, str(error)), case, None)
        except MaskspecError as error:
            self._keep(Observation(FindingKind.UNTRACEABLE, str(error)), case, None)
        else:
            if group is not None:
                self._taken.add(group)

    def _keep(self, observation: Observation, case: Case, observer: _Observer | None) -> None:
        if observation.kind not in self._kinds:
            return
        key = (observation.kind, observation.variant)
        known = self._kept.get(key)
        if known is None:
            self._kept[key] = _Kept(observation, case, observer, last=case)
            return
        if known.last is not case:
            known.last = case
            known.count += 1
        if _order(case) < _order(known.case):
            known.observation, known.case, known.observer = observation, case, observer

    def _tell_refusals(self) -> None:
        """An ability that every conversation of its group was refused for; a template that takes nothing has none."""
        if self._asked and self._asked == self._refused:
            case, error = next(iter(self._refusals.values()))[0]
            self._keep(Observation(FindingKind.REFUSES_PLAIN, _short(error)), case, None)
            return
        for group, refused in self._refusals.items():
            if group not in self._taken:
                case, error = min(refused, key=lambda each: _order(each[0]))
                self._keep(Observation(group.kind, _short(error), group.variant), case, None)

    def _findings(self) -> Iterable[Finding]:
        for variant, general in _IMPLIED.items():
            if general in self._kept:
                self._kept.pop(variant, None)
        order = {kind: number for number, kind in enumerate(FACTS)}
        for kind in sorted({kind for kind, _ in self._kept}, key=order.__getitem__):
            several = sorted(
                (kept for (each, _), kept in self._kept.items() if each is kind),
                key=lambda kept: (-kept.count, _order(kept.case), kept.observation.variant),
            )
            for kept in several[:_VARIANTS]:
                yield Finding(*self._smallest(kept), conversations=kept.count)

    def _smallest(self, kept: _Kept) -> tuple[Observation, Case]:
        """The observation and its case, made smaller where it is not small already."""
        observation, observer = kept.observation, kept.observer
        if observer is None or len(kept.case.text) <= _SMALL:
            return observation, replace(kept.case, fixed=True)

        first = kept.case.messages[0]["role"]

        def shown_by(case: Case) -> Observation | None:
            if case.messages[0]["role"] != first or not _results_follow_calls(case):
                return None
            try:
                seen = list(observer(self._subject.ask(case)))
            except MaskspecError:
                return None
            same = (each for each in seen if (each.kind, each.variant) == (observation.kind, observation.variant))
            return next(same, None)

        case = shrink(kept.case, shown_by, attempts=_ATTEMPTS)
        return shown_by(case) or observation, replace(case, fixed=True)


_IMPLIED = {(FindingKind.REASONING_IGNORED, "beside tool calls"): (FindingKind.REASONING_IGNORED, "")}
"""Findings that go without saying where a more general one is told."""


def _order(case: Case) -> tuple[int, bool, int]:
    """From small to large; of two answers, the empty one says less."""
    messages, length = size(case)
    silent = any(not message.get("content") and not message.get("tool_calls") for message in case.messages)
    return messages, silent, length


def _results_follow_calls(case: Case) -> bool:
    """Whether every tool result stands behind a call or another result."""
    before: Mapping[str, Any] = {}
    for message in case.messages:
        if message["role"] == "tool" and not (before.get("tool_calls") or before.get("role") == "tool"):
            return False
        before = message
    return True


def _short(error: TemplateError) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else text[:200] + "…"
