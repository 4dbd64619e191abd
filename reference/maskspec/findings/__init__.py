"""Facts about chat templates: what whoever trains with one, or writes one, has to know, each with a conversation.

A template is asked fixed conversations and generated ones; no tokenizer is needed.

    from maskspec.corpus import load_template
    from maskspec.findings import FACTS, Family, FindingKind, examine, select_templates, survey

    found = examine(load_template("./my-model"))             # one template: a file, a folder, a name, a hub id
    for finding in found.findings:
        fact = FACTS[finding.kind]
        print(f"{finding.kind.value}: {fact.title}")         # history-reasoning: reasoning goes from the history
        print(finding.observation.detail)                    # the first 2 of 4 messages are rendered otherwise: …
        for message in finding.case.messages:                # the smallest conversation that shows it
            print(message["role"], message.get("content"))
        for piece in finding.observation.excerpts:           # and the text around it
            print(f"{piece.label}: {piece.before}[{piece.marked}]{piece.after}")
        print(f"What to do: {fact.remedy}")

    unstable = {kind for kind, fact in FACTS.items() if fact.family is Family.HISTORY}
    assert not found.kinds & unstable, "train one sample per turn with this template"

    templates, missing = select_templates(["trl"])           # many templates, in two processes
    result = survey(templates, kinds={FindingKind.STOP_MISSING}, jobs=2, missing=missing)
    for kind, count in result.counts.items():
        print(count, kind.value, [each.template for each in result.concerned(kind)])

Read in this order: `kinds` and `facts` (what there is to find), `records`, `subject` (one template that is being
asked), `conversations` (what it is asked), `histories`, `stops`, `tags`, `contents`, `roles`,
`prompts` (the facts), `examination` (one template), `selection`, `survey` (many), `reports`.
"""

from __future__ import annotations

from maskspec.findings.examination import EXAMPLES, examine
from maskspec.findings.facts import FACTS, Fact, kinds_named
from maskspec.findings.kinds import Family, FindingKind
from maskspec.findings.records import Excerpt, Finding, Observation, Survey, TemplateFindings
from maskspec.findings.selection import COLLECTIONS, select_templates
from maskspec.findings.survey import Step, survey

__all__ = [
    "COLLECTIONS",
    "EXAMPLES",
    "FACTS",
    "Excerpt",
    "Fact",
    "Family",
    "Finding",
    "FindingKind",
    "Observation",
    "Step",
    "Survey",
    "TemplateFindings",
    "examine",
    "kinds_named",
    "select_templates",
    "survey",
]
