"""Asking one template and many: what a template does never ends the run, and the result is the same every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskspec.corpus import Template, load_template
from maskspec.errors import CorpusError, MissingPackageError, UsageError
from maskspec.findings import COLLECTIONS, Family, FindingKind, Step, examine, kinds_named, select_templates, survey
from maskspec.findings import selection as selecting
from maskspec.findings.facts import FACTS
from maskspec.findings.reports import as_jsonl
from maskspec.rendering import Limits
from tests.findings.asking import template

PLAIN = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}{% endfor %}"
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def kinds(source: str) -> set[FindingKind]:
    return set(examine(template(source), examples=2).kinds)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{% for m in messages %}", {FindingKind.DOES_NOT_COMPILE}),
        ("{{ nothing.such.as.this }}", {FindingKind.REFUSES_PLAIN}),
        ("{{ 'x' * 99999999 }}", {FindingKind.LIMIT_EXCEEDED}),
        ("{{ messages.__class__.__mro__ }}", {FindingKind.REFUSES_PLAIN, FindingKind.FORBIDDEN}),
    ],
    ids=["syntax", "undefined", "size", "sandbox"],
)
def test_a_template_that_cannot_be_rendered_has_that_as_a_finding(source: str, expected: set[FindingKind]) -> None:
    assert kinds(source) == expected


def test_an_endless_template_is_asked_no_more() -> None:
    source = PLAIN + "{% if messages|length == 3 %}" + ENDLESS + "{% endif %}"
    found = examine(template(source), limits=Limits(seconds=0.1))
    assert FindingKind.LIMIT_EXCEEDED in found.kinds
    assert found.asked < 10, "the fourth conversation has three messages"


def test_generated_conversations_find_what_no_fixed_one_shows_and_are_made_small() -> None:
    source = PLAIN.replace("{{ m.content }}", "{{ m.content if loop.index != 13 }}")
    wanted = frozenset({FindingKind.CONTENT_DROPPED})
    assert examine(template(source), kinds=wanted, examples=0).findings == ()
    found = examine(template(source), kinds=wanted, examples=60)
    assert found.findings, "some generated conversation has thirteen messages"
    for finding in found.findings:
        assert len(finding.case.messages) == 13
        assert len(finding.case.text) < 1000


def test_the_smallest_conversation_is_kept() -> None:
    found = examine(template(PLAIN), examples=20)
    (ignored,) = found.of(FindingKind.REASONING_IGNORED)
    assert [dict(message) for message in ignored.case.messages] == [
        {"role": "user", "content": "Q"},
        {"role": "assistant", "content": "A", "reasoning_content": "R"},
    ]
    assert ignored.conversations > 1


TEMPLATES = [
    Template("b", PLAIN, "a test"),
    Template("a", "{% for m in messages %}", "a test"),
    Template("c", PLAIN.replace("{{ eos_token }}", ""), "a test"),
]


def test_a_survey_is_in_the_order_of_names_whatever_the_number_of_processes() -> None:
    steps: list[Step] = []
    alone = survey(TEMPLATES, examples=3, progress=steps.append)
    assert [each.template for each in alone.templates] == ["a", "b", "c"]
    assert [(step.done, step.total, step.template) for step in steps] == [(1, 3, "a"), (2, 3, "b"), (3, 3, "c")]
    assert steps[-1].findings == alone.findings
    assert as_jsonl(survey(TEMPLATES, examples=3, jobs=2)) == as_jsonl(alone)


def test_kinds_that_were_not_asked_for_are_not_there() -> None:
    wanted = {FindingKind.STOP_MISSING, FindingKind.DOES_NOT_COMPILE}
    found = survey(TEMPLATES, kinds=wanted, examples=0)
    assert [(each.template, each.kinds) for each in found.templates] == [
        ("a", {FindingKind.DOES_NOT_COMPILE}),
        ("b", set()),
        ("c", {FindingKind.STOP_MISSING}),
    ]
    assert list(found.counts) == [FindingKind.DOES_NOT_COMPILE, FindingKind.STOP_MISSING]


def test_wrong_numbers_and_names_are_refused() -> None:
    with pytest.raises(UsageError, match="examples is -1"):
        survey(TEMPLATES, examples=-1)
    with pytest.raises(UsageError, match="jobs is 0"):
        survey(TEMPLATES, jobs=0)
    with pytest.raises(UsageError, match="two templates called 'a'"):
        survey([TEMPLATES[1], TEMPLATES[1]])


def test_kinds_are_named_by_themselves_or_by_their_family() -> None:
    assert kinds_named(["stop-missing"]) == {FindingKind.STOP_MISSING}
    assert kinds_named(["tags"]) == {kind for kind, fact in FACTS.items() if fact.family is Family.TAGS}
    assert len(kinds_named(["tags"])) == 9
    assert kinds_named([]) == set(FindingKind)
    with pytest.raises(UsageError, match="no kind of finding 'stops'; families are rendering, history, stop"):
        kinds_named(["stop", "stops"])


def test_templates_are_selected_by_collection_name_and_file(tmp_path: Path) -> None:
    (tmp_path / "own.jinja").write_text(PLAIN)
    chosen, missing = select_templates(["embedded", str(tmp_path / "own.jinja"), "embedded:chatml"], eos="<|end|>")
    names = [each.name for each in chosen]
    assert missing == ()
    assert names.count("embedded:chatml") == 1
    assert names[-1] == str(tmp_path / "own.jinja")
    assert len(names) == len(COLLECTIONS["embedded"]()) + 1
    assert {each.eos for each in chosen} == {"<|end|>"}
    assert select_templates(["embedded:chatml"])[0][0].eos == load_template("chatml").eos == "<|im_end|>"
    with pytest.raises(CorpusError, match="nowhere"):
        select_templates(["nowhere"])


def test_a_collection_that_is_not_installed_is_missing_unless_it_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> tuple[Template, ...]:
        raise MissingPackageError("trl is not installed; install it with: pip")

    monkeypatch.setattr(selecting, "COLLECTIONS", {"embedded": COLLECTIONS["embedded"], "trl": absent})
    chosen, missing = select_templates()
    assert len(chosen) == len(COLLECTIONS["embedded"]())
    assert missing == ("trl is not installed; install it with: pip",)
    with pytest.raises(MissingPackageError):
        select_templates(["trl"])
