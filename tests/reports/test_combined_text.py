"""Several runs in a terminal: short, and no line too long."""

from __future__ import annotations

from maskspec.conformance.advice import parse_advice
from maskspec.conformance.comparison import Comparison
from maskspec.conformance.reports.combined import comparison_as_text
from maskspec.conformance.reports.text import WIDTH
from tests.reports.factory import ADVICE, beside_each_other, two_versions

EXPECTED = """\
2 maskers under the rules of maskspec
3 rules on 4 pairs of template and tokenizer: 15 cells, 84 checks.

  masker          pairs  run  passed  failed  known  noted  excluded
  shop masks 1.0      2   44      27       6      1     10        16
  shop masks 2.0      2   40      26       0      4     10         0

shop masks 1.0
  Breaks 2 rules: ROLE-1, STOP-1
  not accepted: ROLE-1, STOP-1

shop masks 2.0
  Breaks 1 rule: STOP-1
  bug: STOP-1
  What to do
    Asked as its trainer calls it, with train_on_headers: true; a second line.
    - Give stop a value & look at <the labels>.
    - Read its page (https://example.org/stops?a=1).
      stop: "</s>"

Conversations and token tables: --format markdown, or --format html for a page.
"""


def test_the_whole_text() -> None:
    assert comparison_as_text(Comparison.of(two_versions(), advice=parse_advice(ADVICE))) == EXPECTED


def test_a_large_comparison_stays_short_and_narrow() -> None:
    lines = comparison_as_text(Comparison.of(beside_each_other(maskers=13, rules=41, pairs=36))).splitlines()
    assert len(lines) < 13 * 15 + 25
    assert max(map(len, lines)) <= WIDTH
