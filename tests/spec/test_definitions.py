"""The tables of the specification and the code that they describe list the same things."""

from __future__ import annotations

import re
from dataclasses import fields
from enum import Enum

from maskspec.conformance.report import ExitCode
from maskspec.hazards import HazardKind
from maskspec.policy import PRESETS, Policy, Verdict
from maskspec.rules.catalogue import Status, load_rules
from maskspec.rules.prose import chapters
from maskspec.segmentation import Zone


def table(chapter: str, anchor: str) -> list[list[str]]:
    """The cells of the one table in a section, without its heading row."""
    (section,) = (section for section in chapters()[chapter] if section.anchor == anchor)
    rows = [line.strip("|").split("|") for line in section.prose.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_zones() -> None:
    named = [row[0] for row in table("03-zones.md", "03-zones")]
    assert named == [zone.name for zone in Zone if zone is not Zone.CONTEXT]


def test_policy_fields_and_their_defaults() -> None:
    def spelled(value: object) -> str:
        if isinstance(value, Verdict):
            return value.name
        if isinstance(value, Enum):
            return str(value.value)
        return ", ".join(sorted(value)) if isinstance(value, frozenset) else str(value).lower()

    stated = {row[0].strip("`"): row[1] for row in table("05-policy.md", "fields-and-defaults")}
    assert stated == {field.name: spelled(getattr(Policy(), field.name)) for field in fields(Policy)}


def test_presets_and_what_they_change() -> None:
    stated: set[str] = set()
    for names, difference in table("05-policy.md", "presets"):
        for name in re.findall("`([^`]+)`", names):
            stated.add(name)
            changed = {
                field.name
                for field in fields(Policy)
                if getattr(PRESETS[name], field.name) != getattr(Policy(), field.name)
            }
            assert changed == set(re.findall("`([^`]+)`", difference)), name
            for option, verdict in re.findall(r"`(\w+)` ([A-Z]{4,})", difference):
                assert getattr(PRESETS[name], option) is Verdict[verdict], name
    assert stated == set(PRESETS)


def test_hazards() -> None:
    assert [row[0].strip("`") for row in table("04-tokens.md", "hazards")] == [kind.value for kind in HazardKind]


def test_exit_codes() -> None:
    assert [int(row[0]) for row in table("07-conformance.md", "exit-codes")] == [int(code) for code in ExitCode]


def test_checked_and_specified_families_are_named_in_the_readme() -> None:
    (section,) = (section for section in chapters()["README.md"] if section.anchor == "how-binding-a-rule-is")
    checked, trained = (
        list(dict.fromkeys(rule.family for rule in load_rules().values() if rule.status is status))
        for status in (Status.CHECKED, Status.TRAINED)
    )
    text = " ".join(section.prose.split())
    for families, status in ((checked, "checked"), (trained, "trained")):
        listed = " and ".join(filter(None, (", ".join(families[:-1]), families[-1])))
        assert f"{listed} {'are' if len(families) > 1 else 'is'} {status}." in text
