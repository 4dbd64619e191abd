"""The page as a file: self-contained, its data intact, its security policy that of its own parts."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from maskspec.conformance.report import Conflict, Report
from maskspec.conformance.reports import as_html
from maskspec.rules import Row
from tests.reports.factory import failure, large, mixed, pair_result, report

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>@@DATA@@\u2028\ud800<!--<script>"


class Page(HTMLParser):
    """The elements of a page, and the texts of its script and style elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is not None:
            self.texts.setdefault(self.cdata_elem, []).append(data)


def data(page: str) -> Any:
    return json.loads(page.split('<script type="application/json" id="data">')[1].split("</script>")[0])


def test_the_verdict_is_in_the_page_itself() -> None:
    page = as_html(mixed())
    assert '<html lang="en" data-state="violations">' in page
    plain = html.unescape(re.sub("<[^>]+>", "", page))
    assert "Breaks 2 rules: ROLE-1, STOP-1" in plain
    assert "1 known failure accepted" in plain


def test_nothing_outside_the_page_is_named() -> None:
    page = as_html(mixed())
    found = Page(page)
    addresses = [
        value
        for _, attributes in found.tags
        for name, value in attributes.items()
        if name in ("src", "href", "action", "data", "poster", "srcset")
    ]
    assert addresses == ["data:,", "#matrix"]
    assert not re.search(r"https?:|@import|url\(", page)


def test_the_security_policy_allows_this_script_and_style_and_nothing_else() -> None:
    found = Page(as_html(mixed()))
    policy = next(attributes["content"] for tag, attributes in found.tags if attributes.get("http-equiv"))
    assert policy is not None
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert parts == {
        "default-src": "'none'",
        "script-src": digest(found.texts["script"][-1]),
        "style-src": digest(found.texts["style"][0]),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on") or name == "style"]


def hostile() -> Report:
    item = failure(
        explanation=HOSTILE,
        messages=({"role": HOSTILE, "content": HOSTILE, HOSTILE: HOSTILE},),
        pair=HOSTILE,
        known=None,
    )
    conflict = Conflict(pair=HOSTILE, problem=HOSTILE, count=1, traceback=HOSTILE)
    return report(
        pair_result(HOSTILE, failures=(item,), conflicts=(conflict,)),
        pair_result("b+c", excluded=HOSTILE),
        masker=HOSTILE,
        policy=HOSTILE,
        stale=(HOSTILE,),
        missing=(HOSTILE,),
        unfinished=(HOSTILE,),
        versions={HOSTILE: HOSTILE},
    )


def test_no_text_ends_its_element_or_fills_a_place() -> None:
    page = as_html(hostile())
    ordinary = [tag for tag, _ in Page(as_html(mixed())).tags if tag != "span"]
    assert [tag for tag, _ in Page(page).tags if tag != "span"] == ordinary
    assert data(page)["masker"] == HOSTILE
    assert page.encode("utf-8")


def test_the_data_say_how_every_rule_stands_on_every_pair() -> None:
    run = data(as_html(mixed()))
    reasons = run["reasons"]
    one_tokenizer = reasons.index("the vocabulary has only one tokenizer here, slow or fast")
    rejected = reasons.index("the template rejects the conversation")
    chatml_only = reasons.index("unsupported by the masker: only ChatML")
    assert run["cells"] == [
        [[8, 2, 0, 0], [9, 0, 1, 0], [0, 0, 0, 10]],
        [10, [0, 4, 0, 0, rejected, 6], [0, 0, 0, 0, one_tokenizer, 10]],
        [[0, 0, 0, 0, chatml_only, 1]] * 3,
    ]
    assert [run["findings"][number]["rule"] for number in run["broken"]] == [0, 1]
    assert run["smallest"] == run["broken"][0]
    assert [run["findings"][number]["known"] for number in run["known"]] == [
        "shop masks leave empty turns alone on purpose"
    ]
    assert [run["rules"][run["findings"][number]["rule"]]["id"] for number in run["notes"]] == ["TOKEN-3"]


def test_the_smallest_failure_is_a_must_with_the_shortest_conversation() -> None:
    from tests.reports.factory import STOP_1, TOKEN_3

    long = failure(messages=({"role": "user", "content": "x" * 50}, {"role": "assistant", "content": "y"}))
    short = failure(STOP_1, messages=({"role": "assistant", "content": "z"},))
    should = failure(TOKEN_3, messages=())
    run = data(as_html(report(pair_result(failures=(long, should, short)))))
    smallest = run["findings"][run["smallest"]]
    assert run["cases"][smallest["case"]]["messages"] == [{"role": "assistant", "content": "z"}]


@pytest.mark.parametrize(("templates", "tokenizers", "most"), [(40, 3, 0.8), (100, 4, 2.5)])
def test_a_page_of_many_cells_stays_small(templates: int, tokenizers: int, most: float) -> None:
    made = large(rules=50, templates=templates, tokenizers=tokenizers)
    assert len(made.pairs) * len(made.rules) == 50 * templates * tokenizers
    assert len(as_html(made)) < most * 1e6


def test_of_a_very_long_text_the_page_holds_what_lies_around_the_errors() -> None:
    rows = tuple(
        Row(index=k, text="x", zone="CONTENT", message=0, expected="TRAIN", got="IGNORE", wrong=k in (5, 40_000))
        for k in range(50_000)
    )
    (finding, _) = data(as_html(report(pair_result(failures=(failure(rows=rows),)))))["findings"]
    assert [token[0] for token in finding["tokens"]] == [*range(26), *range(39_980, 40_021)]
    assert finding["omitted"] == 50_000 - 26 - 41


def test_a_figure_stands_in_the_page_as_an_image_that_cannot_run() -> None:
    drawing = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    page = as_html(mixed(), figures=[("Loss & steps", 'the "loss" by role', drawing)])
    (image,) = [attributes for tag, attributes in Page(page).tags if tag == "img"]
    assert image["alt"] == 'the "loss" by role'
    assert image["src"] is not None
    kind, _, stored = image["src"].partition(",")
    assert (kind, base64.b64decode(stored).decode()) == ("data:image/svg+xml;base64", drawing)
    assert "<h2>Loss &amp; steps</h2>" in page
    assert "alert(1)" not in page


def test_a_page_without_figures_has_none() -> None:
    page = as_html(mixed())
    assert "img" not in {tag for tag, _ in Page(page).tags}
    assert "@@" not in page.split('<script type="application/json"')[0]
