"""The page of several runs in a real browser: overview, one masker's matrix, the finding, and the way back."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed; `tox -e browser` installs it")

from maskspec.conformance.advice import parse_advice
from maskspec.conformance.comparison import Comparison
from maskspec.conformance.reports.combined import comparison_as_html
from tests.browser.conftest import Open
from tests.browser.test_html_report import CONTRAST, focused, place, settle
from tests.reports.factory import ADVICE, beside_each_other, two_versions
from tests.reports.test_html import HOSTILE, hostile

pytestmark = pytest.mark.browser

NEW = "#masker=shop%20masks%202.0"


@pytest.fixture
def open_two(open_html: Open) -> Open:
    page = comparison_as_html(Comparison.of(two_versions(), advice=parse_advice(ADVICE)))
    return lambda **options: open_html(page, **options)


def overview(page: Any) -> list[list[str]]:
    """What the matrix of maskers shows: a row of names, then a row for each rule or pair."""
    return page.evaluate(
        """() => [...document.querySelectorAll("#across-scroller tr")].map((row) => [...row.children].map((cell) =>
            (cell.querySelector(".rule-id, .name, .mono") || cell).textContent))"""
    )


def cell(page: Any, row: int, column: int, box: str = "across-scroller") -> Any:
    return page.locator(f"#{box} tr").nth(row).locator("> *").nth(column)


def arrived(page: Any, name: str) -> None:
    """Wait until this masker is shown; the browser tells a change of address a moment later."""
    page.wait_for_function(
        "(name) => !document.getElementById('one').hidden && document.querySelector('#masker-name').textContent === name",
        arg=name,
    )


def returned(page: Any) -> None:
    """Wait until the overview is shown again."""
    page.wait_for_function("() => !document.getElementById('overview').hidden")


def test_it_opens_without_a_word_and_without_the_network(open_two: Open) -> None:
    opened = open_two()
    cell(opened.page, 2, 2).click()
    opened.page.keyboard.press("Escape")
    opened.page.locator("#masker-list a").first.click()
    arrived(opened.page, "shop masks 1.0")
    assert opened.quiet(), (opened.said, opened.requests)


def test_the_overview_shows_every_masker_under_every_rule(open_two: Open) -> None:
    page = open_two().page
    assert page.inner_text("h1:visible") == "2 maskers under the rules of maskspec"
    assert overview(page) == [
        ["", "shop masks 1.0", "shop masks 2.0"],
        ["ROLE-1", "✕ 1", "✓"],
        ["STOP-1", "✕ 1", "B 2"],
        ["TOKEN-3", "N 1", "N 1"],
    ]
    assert page.locator("#masker-list tr").all_inner_texts() == [
        "masker\tpairs\trun\tpassed\tfailed\tknown\tnoted\texcluded\tnot accepted\tbugs\tno class\tpolicy",
        "shop masks 1.0\t2\t44\t27\t6\t1\t10\t16\t✕2\t0\tK1\t0",
        "shop masks 2.0\t2\t40\t26\t0\t4\t10\t0\t0\tB1\t0\tP1",
    ]
    assert page.locator("#version-list tr").all_inner_texts()[1:] == [
        "shop masks 1.0\t0.1.0\t–\tquick\t7\t4 s", "shop masks 2.0\t0.1.0\t5.23.0\tquick\t8\t4 s",
    ]  # fmt: skip


def test_the_rows_can_be_pairs(open_two: Open) -> None:
    page = open_two().page
    page.select_option("#across-rows", "pairs")
    assert overview(page) == [
        ["", "shop masks 1.0", "shop masks 2.0"],
        ["chatml+words", "✕ 1", "B 1"],
        ["zephyr+words", "✕ 1", "·"],
        ["gemma+words", "–", "·"],
        ["llama+words", "·", "B 1"],
    ]
    assert not page.locator("#across-family-label").is_visible()
    cell(page, 1, 2).click()
    assert page.inner_text("#panel-title") == "chatml+words with shop masks 2.0"
    assert [text.split("\n")[0] for text in page.locator("#panel summary").all_inner_texts()] == ["B", "P", "N"]
    page.keyboard.press("Escape")
    cell(page, 2, 2).click()
    assert "was not asked on this pair" in page.inner_text("#panel")


def test_a_cell_of_the_overview_opens_what_is_behind_it(open_two: Open) -> None:
    page = open_two().page
    cell(page, 2, 2).click()
    seen = page.inner_text("#panel")
    for part in (
        "STOP-1 with shop masks 2.0", "3 known bug", "1 policy", "11 passed", "the stop of message 1 is not trained",
        "Accepted, bug: the stop is searched for by its text", "3 conversations on 2 pairs",
    ):  # fmt: skip
        assert part in seen
    assert page.locator("#panel summary").all_inner_texts()[1].startswith("P")
    page.get_by_role("link", name="shop masks 2.0 in full").click()
    arrived(page, "shop masks 2.0")
    assert page.inner_text("h1:visible") == "shop masks 2.0"
    assert not page.locator("#panel").is_visible()


def test_from_finding_to_finding_across_maskers(open_two: Open) -> None:
    page = open_two().page
    cell(page, 1, 1).click()
    assert page.locator("#previous").is_disabled()
    titles = [page.inner_text("#panel-title")]
    while page.locator("#next").is_enabled():
        page.locator("#next").click()
        titles.append(page.inner_text("#panel-title"))
    assert titles == [
        "ROLE-1 with shop masks 1.0", "STOP-1 with shop masks 1.0", "STOP-1 with shop masks 2.0",
        "TOKEN-3 with shop masks 1.0", "TOKEN-3 with shop masks 2.0",
    ]  # fmt: skip
    page.keyboard.press("Escape")
    settle(page)
    assert place(page) == [3, 2]


def test_a_rule_opens_on_all_maskers_and_from_there_on_one(open_two: Open) -> None:
    page = open_two().page
    cell(page, 2, 0).click()
    assert page.inner_text("#panel-title") == "STOP-1 with every masker"
    assert page.locator("#panel tbody tr").all_inner_texts() == [
        "✕\tshop masks 1.0\t4 failed, 1 known, 9 passed",
        "B\tshop masks 2.0\t3 known bug, 1 policy, 11 passed",
    ]
    page.get_by_role("button", name="shop masks 2.0").click()
    assert page.inner_text("#panel-title") == "STOP-1 with shop masks 2.0"


def test_a_masker_opens_its_own_matrix_and_that_its_finding(open_two: Open) -> None:
    page = open_two().page
    cell(page, 0, 2).click()
    arrived(page, "shop masks 2.0")
    assert page.inner_text("h1:visible") == "shop masks 2.0"
    assert focused(page) == "shop masks 2.0"
    assert not page.locator("#overview").is_visible()
    assert page.inner_text("#verdict") == "Breaks 1 rule: STOP-1"
    grid = page.evaluate(
        """() => [...document.querySelectorAll("#scroller tr")].map((row) => [...row.children].map((cell) =>
            (cell.querySelector(".rule-id, .name") || cell).textContent))"""
    )
    assert grid == [
        ["rule", "chatml", "llama"], ["ROLE-1", "✓", "✓"], ["STOP-1", "B", "B"], ["TOKEN-3", "N", "·"],
    ]  # fmt: skip
    cell(page, 2, 2, "scroller").click()
    assert page.inner_text("#panel-title") == "STOP-1 on llama+words"
    assert "the stop of message 1 is lost" in page.inner_text("#panel")
    assert page.locator("#panel .t.wrong").count() == 1
    assert page.url.endswith(f"{NEW}&cell=STOP-1@llama%2Bwords")
    page.keyboard.press("Escape")
    settle(page)
    assert page.url.endswith(NEW)


def test_what_to_do_is_shown_with_the_masker_that_it_is_for(open_two: Open) -> None:
    page = open_two(address=NEW).page
    assert page.inner_text("#advice .body").split("\n")[0].startswith("Asked as its trainer calls it")
    assert page.locator("#advice li").all_inner_texts() == [
        "Give stop a value & look at <the labels>.", "Read its page.",
    ]  # fmt: skip
    assert page.locator("#advice ul").count() == 1
    assert page.locator("#advice code").all_inner_texts() == ["train_on_headers: true", "stop", 'stop: "</s>"']
    assert page.locator("#advice a").get_attribute("href") == "https://example.org/stops?a=1"
    page.select_option("#other", label="shop masks 1.0")
    arrived(page, "shop masks 1.0")
    assert page.inner_text("h1:visible") == "shop masks 1.0"
    assert not page.locator("#advice").is_visible()
    assert page.inner_text("#findings-title") == "2 findings"


def test_accepted_findings_stand_under_their_class_and_reason(open_two: Open) -> None:
    page = open_two(address=NEW).page
    assert page.locator("#more h2").all_inner_texts() == [
        "Known failures, accepted: bugs", "Known failures, accepted: policy", "Notes about tokenizers",
    ]  # fmt: skip
    assert page.locator("#more .list > .reason").all_inner_texts() == [
        "the stop is searched for by its text", "the masker trains headers on purpose",
    ]  # fmt: skip
    page.select_option("#other", label="shop masks 1.0")
    arrived(page, "shop masks 1.0")
    assert page.locator("#more h2").all_inner_texts() == [
        "Known failures that no longer fail", "Known failures, accepted", "Notes about tokenizers",
        "Not installed, so not asked",
    ]  # fmt: skip


def test_addresses_lead_back_and_forth(open_two: Open) -> None:
    opened = open_two(address=f"{NEW}&cell=STOP-1@llama%2Bwords")
    page = opened.page
    assert page.inner_text("#panel-title") == "STOP-1 on llama+words"
    page.keyboard.press("Escape")
    page.get_by_role("link", name="All maskers").click()
    returned(page)
    assert focused(page) == "shop masks 2.0"
    page.locator("#masker-list a").first.click()
    arrived(page, "shop masks 1.0")
    assert page.inner_text("h1:visible") == "shop masks 1.0"
    page.go_back()
    returned(page)
    page.go_forward()
    arrived(page, "shop masks 1.0")
    assert page.inner_text("h1:visible") == "shop masks 1.0"
    assert page.title() == "shop masks 1.0: 2 maskers under the rules of maskspec"
    for odd in ("#masker=nobody", "#masker=%", "#x"):
        opened.load(odd)
        returned(page)
        assert page.locator("#overview").is_visible()
    assert opened.quiet(), opened.said


def test_filters_of_the_overview(open_two: Open) -> None:
    page = open_two().page
    page.fill("#across-name", "stop")
    settle(page)
    assert [row[0] for row in overview(page)] == ["", "STOP-1"]
    page.get_by_role("button", name="Clear filters").click()
    settle(page)
    page.select_option("#across-family", "ROLE")
    settle(page)
    assert page.inner_text("#across-shown") == "1 rule × 2 maskers"
    page.get_by_role("button", name="Clear filters").click()
    settle(page)
    page.locator("#across-states .chip[data-state='bug']").click()
    assert overview(page) == [["", "shop masks 2.0"], ["STOP-1", "B 2"]]
    page.get_by_role("button", name="Clear filters").click()
    settle(page)
    assert page.inner_text("#across-shown") == "3 rules × 2 maskers"


def test_filters_of_a_masker_do_not_last_beyond_it(open_two: Open) -> None:
    page = open_two(address=NEW).page
    page.fill("#filter-rule", "role")
    settle(page)
    assert page.inner_text("#shown") == "1 rule × 2 templates"
    page.select_option("#other", label="shop masks 1.0")
    arrived(page, "shop masks 1.0")
    assert page.input_value("#filter-rule") == ""
    assert page.inner_text("#shown") == "3 rules × 3 templates"


def test_the_keyboard_alone_leads_to_a_finding_and_back(open_two: Open) -> None:
    page = open_two().page
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the matrix"
    page.keyboard.press("Enter")
    for _ in range(12):
        page.keyboard.press("Tab")
        if place(page):
            break
    assert place(page) == [1, 1]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.inner_text("#panel-title") == "STOP-1 with shop masks 2.0"
    page.keyboard.press("Escape")
    settle(page)
    assert place(page) == [2, 2]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    arrived(page, "shop masks 2.0")
    assert focused(page) == "shop masks 2.0"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert focused(page) == "← All maskers"
    page.keyboard.press("Enter")
    returned(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(open_html: Open, scheme: str) -> None:
    runs = [*two_versions(), *beside_each_other(maskers=5, rules=9, pairs=6)]
    page = open_html(comparison_as_html(Comparison.of(runs, advice=parse_advice(ADVICE))), color_scheme=scheme).page
    assert page.evaluate(CONTRAST) == []
    cell(page, 2, 0).click()
    assert page.evaluate(CONTRAST) == []
    page.keyboard.press("Escape")
    page.locator("#masker-list a").nth(1).click()
    arrived(page, "shop masks 2.0")
    for summary in page.locator("#more summary").all():
        summary.click()
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("width", [320, 800])
def test_the_page_never_scrolls_sideways(open_html: Open, width: int) -> None:
    many = comparison_as_html(Comparison.of(beside_each_other(maskers=13, rules=12, pairs=30)))
    page = open_html(many, viewport={"width": width, "height": 800}).page
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    page.locator("#masker-list a").nth(1).click()
    arrived(page, "masker-01 1.1.0")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_hostile_text_is_shown_and_does_nothing(open_html: Open) -> None:
    advice = parse_advice(f"## shop masks 2.0\n{HOSTILE.replace(chr(0xD800), '')}\n")
    opened = open_html(comparison_as_html(Comparison.of([("a", hostile()), *two_versions()], advice=advice)))
    page = opened.page
    for row in range(4):
        for column in range(3):
            if row and column:
                cell(page, row, column).click()
                page.keyboard.press("Escape")
    page.locator("#masker-list a").last.click()
    arrived(page, "shop masks 2.0")
    assert "<img src=x onerror=alert(2)>" in page.inner_text("#advice")
    page.get_by_role("link", name="All maskers").click()
    returned(page)
    page.locator("#masker-list a").first.click()
    page.wait_for_function("() => !document.getElementById('one').hidden")
    assert opened.quiet(), (opened.said, opened.requests)
    assert page.locator("script").count() == 2
    assert page.locator("img").count() == 0


# Many cells.

SPENT = """(act) => {
  const start = performance.now();
  act();
  document.documentElement.offsetHeight;
  return performance.now() - start;
}"""


def test_twenty_thousand_cells_open_and_are_filtered_at_once(open_html: Open) -> None:
    comparison = Comparison.of(beside_each_other(maskers=13, rules=41, pairs=36))
    opened = open_html(comparison_as_html(comparison), load=False)
    page = opened.load()
    ready = page.evaluate("() => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    bare = page.evaluate(
        f"""() => ({SPENT})(() => {{
            const table = document.createElement("table");
            for (let row = 0; row < 41; row += 1) {{
                const line = table.insertRow();
                for (let column = 0; column < 36; column += 1) line.insertCell().textContent = "x";
            }}
            document.body.append(table);
            table.offsetHeight;
            table.remove();
        }})"""
    )
    assert page.locator("#across-scroller td").count() == 41 * 13
    chip = page.evaluate(f"() => ({SPENT})(() => document.querySelector('#across-states .chip').click())")
    page.locator("#across-filters button[type=reset]").click()
    settle(page)
    rows = page.evaluate(
        f"""() => ({SPENT})(() => {{
            document.getElementById("across-rows").value = "pairs";
            document.getElementById("across-rows").dispatchEvent(new Event("change"));
        }})"""
    )
    assert page.locator("#across-scroller td").count() == 36 * 13
    masker = page.evaluate(
        f"""() => ({SPENT})(() => {{
            history.replaceState(null, "", "#masker=masker-01%201.1.0");
            dispatchEvent(new HashChangeEvent("hashchange"));
        }})"""
    )
    assert page.locator("#scroller td").count() == 41 * 36
    filtered = page.evaluate(f"() => ({SPENT})(() => document.querySelector('#filter-states .chip').click())")
    print(
        f"19,188 cells: page ready after {ready:.0f} ms, overview filtered in {chip:.0f} ms, turned to pairs in "
        f"{rows:.0f} ms, a masker opened in {masker:.0f} ms and filtered in {filtered:.0f} ms; a bare table of 1,476 "
        f"cells in {bare:.0f} ms"
    )
    # Only a page that drew all maskers at once, or looked through all of them for each cell, would take longer.
    assert masker < 60 * max(bare, 5)
    assert max(chip, filtered) < 30 * max(bare, 5)
