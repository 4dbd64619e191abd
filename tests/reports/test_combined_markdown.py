"""Several runs as a document to be committed: overview, versions, sections, and what is left out for length."""

from __future__ import annotations

import re

import pytest

from maskspec.conformance.advice import parse_advice
from maskspec.conformance.comparison import Comparison
from maskspec.conformance.report import Report
from maskspec.conformance.reports.combined import comparison_as_markdown
from maskspec.conformance.reports.combined.markdown import MOST_BYTES
from maskspec.rules import Row
from tests.reports.factory import ADVICE, beside_each_other, failure, pair_result, report, rule, two_versions
from tests.reports.test_html import HOSTILE, hostile

HEAD = """\
# 2 maskers under the rules of maskspec

3 rules on 4 pairs of template and tokenizer: 15 cells, 84 checks.

## Overview
"""

TABLES = """\
| masker | ROLE | STOP | TOKEN |
|---|---|---|---|
| [shop masks 1.0](#shop-masks-10) | ❌ 1 of 1 | ❌ 1 of 1 | ✅ 1 |
| [shop masks 2.0](#shop-masks-20) | ✅ 1 | ❌ 1 of 1 | ✅ 1 |

## Counts

Checks, that is a rule on a conversation; and findings, each with the smallest conversation that shows it.

| masker | pairs | run | passed | failed | known | noted | excluded | not accepted | bug | accepted without a class | policy |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
| [shop masks 1.0](#shop-masks-10) | 2 | 44 | 27 | 6 | 1 | 10 | 16 | 2 | 0 | 1 | 0 |
| [shop masks 2.0](#shop-masks-20) | 2 | 40 | 26 | 0 | 4 | 10 | 0 | 0 | 1 | 0 | 1 |

## Versions

| masker | maskspec | transformers | profile | seed | day | time |
|---|---|---|---|--:|---|--:|
| [shop masks 1.0](#shop-masks-10) | 0.1.0 | – | quick | 7 | 2026-11-23 | 4 s |
| [shop masks 2.0](#shop-masks-20) | 0.1.0 | 5.23.0 | quick | 8 | 2026-11-23 | 4 s |
"""

SECTION = """\
## shop masks 2.0

**Breaks 1 rule: STOP-1.** 2 findings: 1 bug, 1 policy.

Declared: `Policy()`

### What to do

Asked as **its trainer** calls it, with `train_on_headers: true`; a second line.

- Give `stop` a value &#38; look at &#60;the labels&#62;.
- Read [its page](<https://example.org/stops?a=1>).

```
stop: "</s>"
```

### Bugs

the stop is searched for by its text

<details>
<summary>STOP-1 untrained STOP: The stop of a turn (3 conversations on 2 pairs)</summary>

A masker MUST train the stop of every selected turn. On `chatml+words`: the stop of message 1 is not trained

```json
{"role": "user", "content": "Hi"}
{"role": "assistant", "content": "Yo"}
```

| | index | token | zone | expected | got |
|---|--:|---|---|---|---|
| | … | | | | |
|  | 1 | <code>user&#92;n</code> | OPENING | IGNORE | IGNORE |
| ❌ | 2 | `Hi` | CONTENT | IGNORE | TRAIN |
|  | 3 | <code>&#60;&#124;im&#95;end&#124;&#62;</code> | STOP | IGNORE | IGNORE |
| | … |  | | | |

Seen on `chatml+words`, `llama+words`.

```sh
maskspec replay ID
```

</details>

### Differences of policy, on purpose

the masker trains headers on purpose
"""


@pytest.fixture
def document(short_commands: None) -> str:
    return comparison_as_markdown(Comparison.of(two_versions(), advice=parse_advice(ADVICE)))


@pytest.mark.parametrize("part", [HEAD, TABLES, SECTION], ids=["head", "tables", "section"])
def test_what_the_document_says(document: str, part: str) -> None:
    assert part in document


def test_every_link_of_the_overview_leads_to_a_section(document: str) -> None:
    # GitHub: lower case, marks left out, a hyphen for each space.
    anchors = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall("^## (.*)$", document, re.M)
    }
    links = re.findall(r"\]\(#([^)]*)\)", document)
    assert len(links) == 6
    assert set(links) <= anchors


def test_counts_by_rule_and_by_pair_are_folded(document: str) -> None:
    old = document.split("## shop masks 1.0")[1].split("## shop masks 2.0")[0]
    assert "<summary>Counts by rule (3)</summary>" in old
    assert "| ROLE-1 | Messages of other roles | 20 | 18 | 2 | 0 | 0 | 0 |" in old
    assert "| STOP-1 | The stop of a turn | 14 | 9 | 4 | 1 | 0 | 6 |" in old
    assert "| `chatml+words` | 10 | 17 | 2 | 1 | 10 | ROLE-1, STOP-1 |" in old
    assert "| `gemma+words` | | | | | | left out: unsupported by the masker: only ChatML |" in old
    assert "- not installed: mistral: python -m pip install mistral-common" in old
    assert "- ROLE-2 on chatml+words: no longer fails" in old
    assert document.count("<details>") == document.count("</details>")


def test_notes_about_tokenizers_are_told_once(document: str) -> None:
    assert document.count("the tokenizer adds a token without text") == 1


def big(name: str, *, findings: int, known: str | None = None) -> tuple[str, Report]:
    rows = tuple(
        Row(index=k, text="x" * 50, zone="CONTENT", message=0, expected="TRAIN", got="IGNORE", wrong=True)
        for k in range(24)
    )
    made = [
        failure(
            rule(f"ROLE-{number + 1}"),
            explanation=f"{name} number {number}",
            messages=({"role": "user", "content": "y" * 3000},),
            rows=rows,
            known=known,
        )
        for number in range(findings)
    ]
    return name, report(
        pair_result(failures=tuple(made)), rules=tuple(item.rule for item in made), masker=name, failures=tuple(made)
    )


def test_what_is_too_long_is_listed_and_counted() -> None:
    document = comparison_as_markdown(
        Comparison.of([big("open", findings=150), big("accepted", findings=60, known="why")])
    )
    assert 0.9 * MOST_BYTES < len(document.encode()) < MOST_BYTES + 10_000
    full = {int(number) for number in re.findall(r": open number (\d+)$", document, re.M)}
    left = {
        int(number) - 1
        for number in re.findall(r"^- ROLE-(\d+) trained CONTENT", document.split("## accepted")[0], re.M)
    }
    assert full
    assert full.isdisjoint(left)
    assert (len(full | left), f"Left out for length, but for their names ({len(left)}):" in document) == (150, True)
    # What is not accepted comes before what is.
    assert "accepted number" not in document
    assert "Left out for length, but for their names (60):" in document
    assert "y" * 1250 not in document


def test_every_masker_gets_its_turn() -> None:
    document = comparison_as_markdown(Comparison.of([big("many", findings=300), big("few", findings=3)]))
    assert set(re.findall(r": few number (\d+)$", document, re.M)) == {"0", "1", "2"}


def test_twenty_thousand_cells_stay_readable() -> None:
    document = comparison_as_markdown(Comparison.of(beside_each_other(maskers=13, rules=41, pairs=36)))
    assert len(document.encode()) < 500 * 1024
    assert document.count("\n## ") == 3 + 13


def test_nothing_that_others_wrote_is_markup() -> None:
    advice = parse_advice(f"## m\n{HOSTILE.replace(chr(0xD800), '')}\n")
    document = comparison_as_markdown(Comparison.of([("a", hostile())], advice=advice))
    # Outside of fences: what GitHub would read as HTML.
    outside = re.sub(r"^(`{3,})[^\n]*\n.*?\n\1$", "", document, flags=re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"</?([a-z]+)", outside)) <= {"details", "summary", "code"}
    assert "<script" not in outside
    assert "<img" not in outside
