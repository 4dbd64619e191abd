"""The Markdown report: the verdict first, and nothing in a conversation that Markdown reads as markup."""

from __future__ import annotations

import html
import re

import pytest

from maskspec.conformance.report import Conflict
from maskspec.conformance.reports import as_markdown
from maskspec.conformance.reports.markdown import LIMIT
from maskspec.rules import Row
from tests.reports.factory import ROLE_1, failure, mixed, pair_result, report

EXPECTED = """\
# maskspec: shop masks

**shop masks: breaks 2 rule(s): ROLE-1, STOP-1; 1 known failure(s) accepted.**

Policy `Policy()`, profile quick, seed 7, 20 conversations on 2 pair(s), 4 s.

## Failures

<details open>
<summary>ROLE-1 MUST  Messages of other roles (trained, CONTENT; 2 conversation(s) on 1 pair(s))</summary>

A masker MUST NOT train what a user wrote. (`spec/06-rules.md#role-1`)

On `chatml+words`: 1 token of message 0 (user) is trained

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

```sh
maskspec replay ID
```

</details>
"""


@pytest.mark.usefixtures("short_commands")
def test_the_verdict_and_the_smallest_failure_stand_first() -> None:
    assert as_markdown(mixed()).startswith(EXPECTED)


def test_the_table_of_rules() -> None:
    lines = as_markdown(mixed()).splitlines()
    start = lines.index("## Rules")
    assert lines[start + 2 : start + 7] == [
        "| | rule | level | title | passed | failed | known | noted | excluded |",
        "|---|---|---|---|--:|--:|--:|--:|--:|",
        "| ❌ | ROLE-1 | MUST | Messages of other roles | 18 | 2 | 0 | 0 | 0 |",
        "| ❌ | STOP-1 | MUST | The stop of a turn | 9 | 4 | 1 | 0 | 6 |",
        "| ✅ | TOKEN-3 | SHOULD | Phantom tokens | 0 | 0 | 0 | 10 | 10 |",
    ]


HOSTILE = "a|b`c``d<script>&amp;\n# x\x00\x1b[31m\u202e[l](javascript:0)*_~$@team"


def test_a_token_stays_in_its_cell() -> None:
    row = Row(index=0, text=HOSTILE, zone="CONTENT", message=0, expected="IGNORE", got="TRAIN", wrong=True)
    text = as_markdown(report(pair_result(failures=(failure(rows=(row,)),))))
    (line,) = [line for line in text.splitlines() if line.startswith("| ❌ | 0 |")]
    assert line.count("|") == 7
    cell = line.split("|")[3].strip()
    shown = re.fullmatch(r"<code>([^<>|`*\[\]~$@]*)</code>", cell)
    assert shown is not None
    assert (
        html.unescape(shown[1]) == r"a|b`c``d<script>&amp;\n# x\x00\x1b[31m\u202e[l](javascript:0)*_~$@team"[:59] + "…"
    )


@pytest.mark.parametrize("place", ["explanation", "masker", "reason", "known", "problem"])
def test_no_text_becomes_markup(place: str) -> None:
    item = failure(explanation=HOSTILE if place == "explanation" else "x", known=HOSTILE if place == "known" else None)
    pairs = (
        pair_result(
            failures=(item,),
            conflicts=(Conflict(pair="p", problem=HOSTILE if place == "problem" else "x", count=1),),
            excluded=None,
        ),
        pair_result("b+c", excluded=HOSTILE if place == "reason" else "x"),
    )
    text = as_markdown(report(*pairs, rules=(ROLE_1,), masker=HOSTILE if place == "masker" else "m"))
    assert "<script>" not in text
    assert "](javascript" not in text
    assert "@team" not in text
    assert "\x00" not in text
    assert "\x1b" not in text
    assert "\n# x" not in text


def test_a_fence_is_longer_than_any_in_the_conversation() -> None:
    item = failure(messages=({"role": "user", "content": "````\n</details>"},))
    text = as_markdown(report(pair_result(failures=(item,))))
    assert '`````json\n{"role": "user", "content": "````\\n</details>"}\n`````' in text


def test_a_huge_report_says_what_it_leaves_out() -> None:
    rows = tuple(
        Row(index=k, text="|" * 60, zone="CONTENT", message=0, expected="IGNORE", got="TRAIN", wrong=True)
        for k in range(24)
    )
    failures = tuple(failure(zone=f"ZONE{number}", rows=rows) for number in range(200))
    text = as_markdown(report(pair_result(failures=failures)))
    assert len(text.encode()) < LIMIT + 50_000
    assert re.search(r"^[0-9]+ further failure\(s\) are in the other formats", text, re.MULTILINE)


def test_a_run_that_conforms_says_so_in_its_first_lines() -> None:
    text = as_markdown(report(pair_result(tallies={})))
    assert text.splitlines()[2].startswith("**shop masks: no check could be run")
    assert "## Failures" not in text
