"""The page of several runs as a file: self-contained, small, and its data those of the runs."""

from __future__ import annotations

import html
import re
from dataclasses import replace

from maskspec.conformance.advice import parse_advice
from maskspec.conformance.cases import Case
from maskspec.conformance.comparison import Comparison
from maskspec.conformance.reports.combined import comparison_as_html
from maskspec.rules import Row
from tests.reports.factory import ADVICE, beside_each_other, failure, pair_result, report, two_versions
from tests.reports.test_html import HOSTILE, Page, data, hostile


def test_the_heading_is_in_the_page_itself() -> None:
    plain = html.unescape(re.sub("<[^>]+>", "", comparison_as_html(Comparison.of(two_versions()))))
    assert "2 maskers under the rules of maskspec" in plain
    assert "3 rules on 4 pairs of template and tokenizer: 15 cells, 84 checks." in plain


def test_nothing_outside_the_page_is_named_but_by_advice() -> None:
    page = comparison_as_html(Comparison.of(two_versions()))
    addresses = [
        value for _, attributes in Page(page).tags for name, value in attributes.items() if name in ("src", "href")
    ]
    assert addresses == ["data:,", "#across", "#"]
    assert not re.search(r"https?:|@import|url\(", page)
    assert not [
        name for _, attributes in Page(page).tags for name in attributes if name.startswith("on") or name == "style"
    ]


def test_the_data_of_both_runs() -> None:
    page = data(comparison_as_html(Comparison.of(two_versions(), advice=parse_advice(ADVICE))))
    old, new = page["runs"]
    assert [rule["id"] for rule in page["rules"]] == ["ROLE-1", "STOP-1", "TOKEN-3"]
    assert (old["name"], new["name"]) == ("shop masks 1.0", "shop masks 2.0")
    assert (old["verdict"], old["aside"]) == ("Breaks 2 rules: ROLE-1, STOP-1", "")
    assert (new["verdict"], new["state"]) == ("Breaks 1 rule: STOP-1", "violations"), "an accepted bug is one"
    assert new["cells"] == [[10, [7, 0, 3, 0], [0, 0, 0, 10]], [5, [4, 0, 1, 0], 0]]
    assert new["tally"] == {"run": 40, "passed": 26, "failed": 0, "known": 4, "noted": 10, "excluded": 0}
    # Not accepted, bug, without a class, policy, template, tokenizer.
    assert (old["standings"], new["standings"]) == ([2, 0, 1, 0, 0, 0], [0, 1, 0, 1, 0, 0])
    assert [new["findings"][number].get("class") for number in new["known"]] == ["bug", "policy"]
    assert new["smallest"] == new["known"][0], "without an open failure it is a bug"
    assert old["advice"] is None
    assert new["advice"][1] == {
        "shape": "item",
        "spans": [["Give ", "plain"], ["stop", "code"], [" a value & look at <the labels>.", "plain"]],
    }
    assert new["advice"][2]["spans"][1] == ["its page", "link", "https://example.org/stops?a=1"]


def test_a_conversation_that_runs_share_is_stored_once() -> None:
    page = data(comparison_as_html(Comparison.of(two_versions())))
    assert [len(case["messages"]) for case in page["cases"]] == [2, 4]
    assert page["words"].count("<|im_start|>") == 1


def test_the_tools_of_two_conversations_keep_their_order() -> None:
    one, other = (
        replace(failure(pair=f"a+{name}"), case=Case(messages=[], tools=[tool]))
        for name, tool in (("x", {"a": 1, "b": 2}), ("y", {"b": 2, "a": 1}))
    )
    page = data(comparison_as_html(Comparison.of([("a", report(pair_result(failures=(one, other))))])))
    assert [list(case["tools"][0]) for case in page["cases"]] == [["a", "b"], ["b", "a"]]


def test_of_a_long_text_the_page_holds_what_lies_around_the_errors() -> None:
    rows = tuple(
        Row(index=k, text="x", zone="CONTENT", message=0, expected="TRAIN", got="IGNORE", wrong=k == 250)
        for k in range(500)
    )
    (run,) = data(comparison_as_html(Comparison.of([("a", report(pair_result(failures=(failure(rows=rows),))))])))[
        "runs"
    ]
    over_all, of_the_pair = run["findings"]
    assert [token[0] for token in over_all["tokens"]] == [*range(238, 263)]
    assert [token[0] for token in of_the_pair["tokens"]] == [*range(244, 257)]
    assert (over_all["omitted"], of_the_pair["omitted"]) == (475, 487)


def test_twenty_thousand_cells_stay_below_two_megabytes() -> None:
    comparison = Comparison.of(beside_each_other(maskers=13, rules=41, pairs=36))
    assert comparison.cells == 19_188
    assert len(comparison_as_html(comparison)) < 2e6


def test_no_text_ends_its_element_or_fills_a_place() -> None:
    advice = parse_advice(f"## {two_versions()[1][1].masker}\n{HOSTILE}\n")
    page = comparison_as_html(Comparison.of([("a", hostile()), two_versions()[1]], advice=advice))
    ordinary = comparison_as_html(Comparison.of(two_versions()))
    assert [tag for tag, _ in Page(page).tags] == [tag for tag, _ in Page(ordinary).tags]
    assert data(page)["runs"][0]["masker"] == HOSTILE
    assert page.encode("utf-8")
