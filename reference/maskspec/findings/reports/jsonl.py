"""A report about templates as JSON Lines; the last line proves that it is complete, as in the report about a masker."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

from maskspec.conformance.reports.plain import one_line
from maskspec.findings.facts import FACTS
from maskspec.findings.kinds import FindingKind
from maskspec.findings.records import Survey, TemplateFindings

__all__ = ["VERSION", "as_jsonl"]

VERSION = 1
"""Of the format."""


def as_jsonl(survey: Survey) -> str:
    """One JSON record a line: header, kinds, templates each followed by its findings, footer.

    `spec/schemas/findings.schema.json` describes them. Every line is ASCII.
    """
    records: list[dict[str, Any]] = [
        {
            "record": "header",
            "maskspec_findings": VERSION,
            "examples": survey.examples,
            "seed": survey.seed,
            "versions": dict(survey.versions),
            "missing": list(survey.missing),
        }
    ]
    counts = survey.counts
    records += [_kind(kind, counts[kind]) for kind in survey.kinds]
    for template in survey.templates:
        records.append(_template(template))
        records += [
            {"record": "finding", "template": template.template, **finding.as_json()} for finding in template.findings
        ]
    body = "".join(one_line(record) + "\n" for record in records)
    footer = {
        "record": "footer",
        "records": dict(Counter(record["record"] for record in records)),
        "sha256": hashlib.sha256(body.encode("ascii")).hexdigest(),
    }
    return body + one_line(footer) + "\n"


def _kind(kind: FindingKind, templates: int) -> dict[str, Any]:
    fact = FACTS[kind]
    return {
        "record": "kind",
        "kind": kind.value,
        "family": fact.family.value,
        "title": fact.title,
        "meaning": fact.meaning,
        "remedy": fact.remedy,
        "templates": templates,
    }


def _template(template: TemplateFindings) -> dict[str, Any]:
    return {
        "record": "template",
        "template": template.template,
        "origin": template.origin,
        "sha256": template.sha256,
        "asked": template.asked,
        "refused": template.refused,
        "findings": len(template.findings),
    }
