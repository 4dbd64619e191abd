"""Asks many templates, in several processes where that is wanted; the result is the same with any number."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from importlib import metadata

from maskspec.corpus import Template
from maskspec.errors import UsageError
from maskspec.findings.conversations import PLAIN
from maskspec.findings.examination import EXAMPLES, examine, with_finding
from maskspec.findings.facts import FACTS
from maskspec.findings.kinds import FindingKind
from maskspec.findings.records import Finding, Observation, Survey, TemplateFindings

__all__ = ["Step", "survey"]


@dataclass(frozen=True, slots=True)
class Step:
    """How far a run is: templates done, all of them, findings so far, and the template that was finished last."""

    done: int
    total: int
    findings: int
    template: str


def survey(
    templates: Iterable[Template],
    *,
    kinds: Iterable[FindingKind] = FindingKind,
    examples: int = EXAMPLES,
    seed: int = 0,
    jobs: int = 1,
    progress: Callable[[Step], None] | None = None,
    missing: Sequence[str] = (),
) -> Survey:
    """The findings about many templates, in the order of their names.

    `kinds` are those looked for, `examples` the number of generated conversations for each
    template, `seed` what they are drawn with, `jobs` the number of processes. The result does
    not depend on `jobs`, nor on the clock. A template that ends its process (for want of
    memory, say) has that as a finding.

    Raises UsageError for a number of examples below 0, of jobs below 1, or two templates of one name.
    """
    if examples < 0:
        raise UsageError(f"examples is {examples}; a number of conversations is 0 or more")
    if jobs < 1:
        raise UsageError(f"jobs is {jobs}; at least one process is needed")
    ordered = sorted(templates, key=lambda template: template.name)
    names = [template.name for template in ordered]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"there are two templates called {twice!r}; give each a name of its own")
    wanted = frozenset(kinds)
    ask = partial(examine, kinds=wanted, examples=examples, seed=seed)
    found: dict[str, TemplateFindings] = {}
    seen = 0
    for result in _asked_here(ask, ordered) if jobs == 1 else _asked_elsewhere(ask, ordered, jobs):
        found[result.template] = result
        seen += len(result.findings)
        if progress is not None:
            progress(Step(len(found), len(ordered), seen, result.template))
    return Survey(
        templates=tuple(found[name] for name in names),
        examples=examples,
        seed=seed,
        versions=_versions({template.origin.partition(" ")[0] for template in ordered}),
        kinds=tuple(kind for kind in FACTS if kind in wanted),
        missing=tuple(missing),
    )


_Ask = Callable[[Template], TemplateFindings]


def _asked_here(ask: _Ask, templates: Sequence[Template]) -> Iterator[TemplateFindings]:
    for template in templates:
        yield ask(template)


def _asked_elsewhere(ask: _Ask, templates: Sequence[Template], jobs: int) -> Iterator[TemplateFindings]:
    """Results as they come; what a process left that came to an end is asked again, each in a process of its own."""
    left = {template.name: template for template in templates}
    try:
        with _pool(min(jobs, len(templates) or 1)) as pool:
            for future in as_completed([pool.submit(ask, template) for template in templates]):
                result = future.result()
                del left[result.template]
                yield result
    except BrokenProcessPool:
        for template in left.values():
            yield _asked_alone(ask, template)


def _asked_alone(ask: _Ask, template: Template) -> TemplateFindings:
    try:
        with _pool(1) as pool:
            return pool.submit(ask, template).result()
    except BrokenProcessPool:
        detail = "the process that rendered the template came to an end"
        return with_finding(template, Finding(Observation(FindingKind.LIMIT_EXCEEDED, detail), PLAIN))


def _pool(jobs: int) -> ProcessPoolExecutor:
    # Started afresh: libraries with threads of their own do not survive a fork.
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))


_DECISIVE = ("maskspec", "hypothesis", "jinja2")


def _versions(origins: Iterable[str]) -> dict[str, str]:
    """The versions of what decides about texts and conversations, and of the packages that templates came from."""
    found: dict[str, str] = {}
    for name in (*_DECISIVE, *sorted(origins)):
        try:
            found[name] = metadata.version(name)
        except (metadata.PackageNotFoundError, ValueError):
            continue
    return found
