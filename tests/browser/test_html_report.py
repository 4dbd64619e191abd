"""The HTML report in a real browser: what it shows, how it is used without a mouse, and that it stays inert."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed; `tox -e browser` installs it")

from maskspec.conformance.report import Tally
from maskspec.rules import Row
from tests.browser.conftest import Open
from tests.reports.factory import ROLE_1, failure, large, mixed, pair_result, report, rule
from tests.reports.test_html import HOSTILE, hostile

pytestmark = pytest.mark.browser


def matrix(page: Any) -> list[list[str]]:
    """What the grid shows: a row of names, then a row for each rule."""
    return page.evaluate(
        """() => [...document.querySelectorAll("#scroller tr")].map((row) => [...row.children].map((cell) =>
            (cell.querySelector(".rule-id, .name") || cell).textContent))"""
    )


def focused(page: Any) -> str:
    return page.evaluate(
        "() => (document.activeElement.getAttribute('aria-label') || document.activeElement.textContent).trim()"
    )


def place(page: Any) -> list[int] | None:
    return page.evaluate("() => document.activeElement.place || null")


def settle(page: Any) -> None:
    """Wait until what was typed is drawn, which happens with the next frame."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def cell(page: Any, row: int, column: int) -> Any:
    return page.locator("#scroller tr").nth(row).locator("> *").nth(column)


def test_it_opens_without_a_word_and_without_the_network(open_report: Open) -> None:
    opened = open_report(mixed())
    cell(opened.page, 1, 1).click()
    assert opened.quiet(), (opened.said, opened.requests)


def test_the_verdict_and_the_smallest_failing_conversation_come_first(open_report: Open) -> None:
    page = open_report(mixed()).page
    assert page.inner_text("h1") == "Breaks 2 rules: ROLE-1, STOP-1"
    assert page.inner_text("#counts").startswith("44 checks · 20 conversations · 2 pairs (1 left out) · 3 rules · 4 s")
    first = page.locator("main > section:visible").first
    assert first.get_attribute("id") == "smallest"
    seen = first.inner_text()
    for part in (
        "ROLE-1", "A masker MUST NOT train what a user wrote.", "spec/06-rules.md#role-1",
        "1 token of message 0 (user) is trained", "chatml+words", "Hi", "Yo", "maskspec replay",
    ):  # fmt: skip
        assert part in seen
    assert page.locator("#smallest .t.wrong").bounding_box()["y"] < 1000, "it must be seen without scrolling"


def test_the_matrix_shows_the_state_of_every_cell(open_report: Open) -> None:
    page = open_report(mixed()).page
    assert matrix(page) == [
        ["rule", "chatml", "zephyr", "gemma"],
        ["ROLE-1", "✕", "✓", "–"],
        ["STOP-1", "K", "✕", "–"],
        ["TOKEN-3", "N", "–", "–"],
    ]
    labels = page.locator("#scroller td").evaluate_all("cells => cells.map((cell) => cell.getAttribute('aria-label'))")
    assert labels == [
        "failed", "passed", "excluded", "known", "failed", "excluded", "noted", "excluded", "excluded",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "column", "expected"),
    [
        (1, 1, ("ROLE-1 on chatml+words", "2 failed", "8 passed", "1 token of message 0 (user) is trained", "TRAIN")),
        (1, 2, ("ROLE-1 on zephyr+words", "10 passed")),
        (2, 1, ("STOP-1 on chatml+words", "1 known", "9 passed", "Accepted: shop masks leave empty turns alone")),
        (2, 2, ("4 failed", "6 excluded", "Why it was not asked", "6", "the template rejects the conversation")),
        (3, 1, ("TOKEN-3 on chatml+words", "10 noted", "the tokenizer adds a token without text")),
        (3, 3, ("TOKEN-3 on gemma+words", "1 excluded", "unsupported by the masker: only ChatML")),
        (1, 0, ("ROLE-1 on every pair", "18 passed", "2 failed", "1 token of message 0 (user) is trained")),
        (0, 1, ("chatml+words", "2 failed", "17 passed", "1 known", "10 noted", "The stop of a turn")),
    ],
)
def test_every_cell_opens_on_what_lies_behind_it(
    open_report: Open, row: int, column: int, expected: tuple[str, ...]
) -> None:
    page = open_report(mixed()).page
    cell(page, row, column).click()
    seen = page.inner_text("#panel")
    assert [part for part in expected if part not in seen] == []


def test_a_cell_far_down_opens_its_own_rule(open_report: Open) -> None:
    page = open_report(large(rules=24, templates=3, tokenizers=1)).page
    cell(page, 17, 2).click()
    assert page.inner_text("#panel-title") == "ERULE-1 on template-01+tokenizer-0"


def test_a_rule_that_was_not_asked_says_so(open_report: Open) -> None:
    page = open_report(report(pair_result(tallies={"STOP-1": Tally(passed=1)}))).page
    cell(page, 1, 1).click()
    assert "was not asked here" in page.inner_text("#panel")


def test_tokens_carry_zone_verdict_and_mark(open_report: Open) -> None:
    page = open_report(mixed()).page
    tokens = page.locator("#smallest .t").evaluate_all(
        "all => all.map((token) => [token.dataset.z, token.dataset.v, token.classList.contains('wrong'), token.textContent])"
    )
    assert tokens == [
        ["OPENING", "IGNORE", False, "<|im_start|>"],
        ["OPENING", "IGNORE", False, "user↵"],
        ["CONTENT", "IGNORE", True, "Hi"],
        ["STOP", "IGNORE", False, "<|im_end|>"],
        ["TAIL", "EITHER", False, "↵"],
        ["OPENING", "IGNORE", False, "<|im_start|>assistant↵"],
        ["CONTENT", "TRAIN", False, "Yo"],
        ["STOP", "TRAIN", False, "<|im_end|>"],
    ]
    rows = page.locator("#smallest tbody tr").all_inner_texts()
    assert [row.split() for row in rows] == [
        ["…", "1", "token", "without", "an", "error"],
        ["1", "user↵", "OPENING", "0", "IGNORE", "IGNORE"],
        ["✕", "2", "Hi", "CONTENT", "0", "IGNORE", "TRAIN"],
        ["3", "<|im_end|>", "STOP", "0", "IGNORE", "IGNORE"],
        ["…", "4", "tokens", "without", "an", "error"],
    ]
    page.get_by_role("button", name="Show all 8 tokens").click()
    assert page.locator("#smallest tbody tr").count() == 8


# Without a mouse.


def test_the_keyboard_alone_reaches_opens_and_closes(open_report: Open) -> None:
    page = open_report(mixed()).page
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the matrix of rules and templates"
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("Tab")
        if place(page):
            break
    assert place(page) == [1, 1]
    walk = [
        ("ArrowRight", [1, 2]), ("ArrowDown", [2, 2]), ("End", [2, 3]), ("ArrowRight", [2, 3]), ("Home", [2, 0]),
        ("ArrowUp", [1, 0]), ("ArrowUp", [1, 0]), ("ArrowRight", [1, 1]), ("ArrowUp", [0, 1]), ("ArrowLeft", [0, 1]),
        ("Control+End", [3, 3]), ("PageUp", [0, 3]), ("PageDown", [3, 3]), ("Control+Home", [1, 0]), ("End", [1, 3]),
    ]  # fmt: skip
    for key, expected in walk:
        page.keyboard.press(key)
        assert place(page) == expected, key
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.locator("#panel").is_visible()
    assert focused(page) == "ROLE-1 on chatml+words"
    page.keyboard.press("Escape")
    assert not page.locator("#panel").is_visible()
    settle(page)
    assert place(page) == [1, 1]


def test_one_cell_of_the_grid_can_be_reached_with_tab(open_report: Open) -> None:
    page = open_report(large(rules=8, templates=5, tokenizers=2)).page
    for _ in range(3):
        assert page.locator("#scroller [tabindex='0']").count() == 1
        page.locator("#scroller [tabindex='0']").press("ArrowDown")


def test_the_focus_is_visible(open_report: Open) -> None:
    page = open_report(mixed()).page
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.locator("#scroller [tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_focused_cell_is_not_under_the_headers(open_report: Open) -> None:
    page = open_report(large(rules=45, templates=40, tokenizers=3)).page
    page.locator("#scroller [tabindex='0']").focus()
    for key in ["Control+End", *["PageUp"] * 3, *["ArrowLeft"] * 30, "ArrowUp"]:
        page.keyboard.press(key)
        assert page.evaluate(
            """() => {
                const box = document.activeElement.getBoundingClientRect();
                const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
                return document.activeElement.contains(top);
            }"""
        ), key


def test_roles_and_names_for_assistive_software(open_report: Open) -> None:
    page = open_report(mixed()).page
    grid = page.get_by_role("grid", name="How every rule stands on every template")
    assert grid.get_by_role("columnheader").count() == 4
    assert grid.get_by_role("rowheader").count() == 3
    assert grid.get_by_role("gridcell").count() == 9
    cell(page, 1, 1).click()
    assert page.get_by_role("dialog", name="ROLE-1 on chatml+words").is_visible()
    assert page.evaluate(
        "() => document.querySelectorAll('button:not([aria-label])').values().every((b) => b.textContent.trim())"
    )


def test_from_finding_to_finding(open_report: Open) -> None:
    page = open_report(mixed()).page
    cell(page, 1, 1).click()
    assert page.locator("#previous").is_disabled()
    seen = [page.inner_text("#panel-title")]
    while page.locator("#next").is_enabled():
        page.locator("#next").click()
        seen.append(page.inner_text("#panel-title"))
    assert seen == [
        "ROLE-1 on chatml+words", "STOP-1 on chatml+words", "STOP-1 on zephyr+words", "TOKEN-3 on chatml+words",
    ]  # fmt: skip
    page.keyboard.press("Escape")
    settle(page)
    assert place(page) == [3, 1]


# Templates with several tokenizers, filters, the address.


def test_a_template_with_several_tokenizers_opens_into_columns(open_report: Open) -> None:
    pairs = [
        pair_result("chatml+words", {"ROLE-1": Tally(passed=1)}),
        pair_result("zephyr+words", {"ROLE-1": Tally(passed=1)}),
        pair_result("chatml+bytes", {"ROLE-1": Tally(failed=1)}, failures=(failure(pair="chatml+bytes"),)),
    ]
    page = open_report(report(*pairs, rules=(ROLE_1,))).page
    assert matrix(page) == [["rule", "chatml", "zephyr"], ["ROLE-1", "✕", "✓"]]
    header = cell(page, 0, 1)
    assert header.get_attribute("aria-expanded") == "false"
    header.focus()
    page.keyboard.press("Enter")
    assert matrix(page) == [["rule", "chatml", "words", "bytes", "zephyr"], ["ROLE-1", "✕", "✓", "✕", "✓"]]
    assert cell(page, 0, 1).get_attribute("aria-expanded") == "true"
    assert place(page) == [0, 1]
    cell(page, 1, 3).click()
    assert page.inner_text("#panel-title") == "ROLE-1 on chatml+bytes"
    page.keyboard.press("Escape")
    every = page.get_by_role("button", name="Show every tokenizer")
    assert every.get_attribute("aria-pressed") == "true"
    every.click()
    assert matrix(page) == [["rule", "chatml", "zephyr"], ["ROLE-1", "✕", "✓"]]


def test_a_pair_with_a_name_of_its_own_has_it_in_the_matrix(open_report: Open) -> None:
    plain = pair_result("llama-3", {"ROLE-1": Tally(passed=1)})
    pairs = [replace(plain, template="NousResearch-Meta-Llama-3"), pair_result("zephyr+words")]
    page = open_report(report(*pairs, rules=(ROLE_1,))).page
    assert matrix(page)[0] == ["rule", "llama-3", "zephyr"]
    assert cell(page, 0, 1).get_attribute("title") == "llama-3: NousResearch-Meta-Llama-3"
    page.fill("#filter-template", "nous")
    settle(page)
    assert matrix(page)[0] == ["rule", "llama-3"]


def test_a_cell_of_several_tokenizers_shows_no_other_template(open_report: Open) -> None:
    other = failure(
        pair="zephyr+words", explanation="seen on zephyr", pairs=("zephyr+words", "chatml+words", "chatml+bytes")
    )
    own = [failure(pair=name, explanation=f"seen on {name}") for name in ("chatml+words", "chatml+bytes")]
    pairs = [
        pair_result("zephyr+words", {"ROLE-1": Tally(failed=1)}, failures=(other,)),
        *(pair_result(item.pair, {"ROLE-1": Tally(failed=1)}, failures=(item,)) for item in own),
    ]
    page = open_report(report(*pairs, rules=(ROLE_1,), failures=(other,))).page
    cell(page, 1, 2).click()
    seen = page.inner_text("#panel-body")
    assert "seen on chatml+words" in seen
    assert "2 conversations on 2 pairs" in seen
    assert "seen on zephyr" not in seen


def test_filters(open_report: Open) -> None:
    page = open_report(mixed()).page
    shown = page.locator("#shown")
    page.fill("#filter-rule", "stop")
    settle(page)
    assert [row[0] for row in matrix(page)] == ["rule", "STOP-1"]
    page.fill("#filter-rule", "")
    page.select_option("#filter-family", "TOKEN")
    settle(page)
    assert [row[0] for row in matrix(page)] == ["rule", "TOKEN-3"]
    assert shown.inner_text() == "1 rule × 3 templates"
    page.get_by_role("button", name="Clear filters").click()
    settle(page)
    assert shown.inner_text() == "3 rules × 3 templates"
    page.fill("#filter-template", "zeph")
    settle(page)
    assert matrix(page)[0] == ["rule", "zephyr"]
    page.fill("#filter-template", "nothing like it")
    settle(page)
    assert page.inner_text(".nothing") == "Nothing matches these filters."
    page.get_by_role("button", name="Clear filters").click()
    settle(page)
    assert shown.inner_text() == "3 rules × 3 templates"


def test_a_state_keeps_the_rows_and_columns_that_show_it(open_report: Open) -> None:
    page = open_report(mixed()).page
    chip = page.locator(".chip[data-state='noted']")
    assert chip.inner_text().split() == ["N", "noted", "1"]
    chip.click()
    assert matrix(page) == [["rule", "chatml"], ["TOKEN-3", "N"]]
    assert chip.get_attribute("aria-pressed") == "true"
    page.locator(".chip[data-state='failed']").click()
    assert matrix(page) == [
        ["rule", "chatml", "zephyr"], ["ROLE-1", "✕", "✓"], ["STOP-1", "K", "✕"], ["TOKEN-3", "N", "–"],
    ]  # fmt: skip
    assert page.locator("td.dim").count() == 3
    page.get_by_role("button", name="Clear filters").click()
    settle(page)
    assert page.locator("td.dim").count() == 0
    assert chip.get_attribute("aria-pressed") == "false"


def test_the_address_names_the_open_cell(open_report: Open) -> None:
    opened = open_report(mixed())
    cell(opened.page, 2, 2).click()
    address = opened.page.url.partition("#")[2]
    assert address == "STOP-1@zephyr%2Bwords"
    again = open_report(mixed(), address=f"#{address}").page
    assert again.inner_text("#panel-title") == "STOP-1 on zephyr+words"
    again.keyboard.press("Escape")
    assert "#" not in again.url
    for odd in ("#%@%", "#NONE-1@nowhere", "#@"):
        assert not open_report(mixed(), address=odd).page.locator("#panel").is_visible()


def test_the_copy_button_copies_the_command(open_report: Open) -> None:
    page = open_report(mixed(), permissions=["clipboard-read", "clipboard-write"]).page
    page.locator("#smallest .copy").click()
    page.locator("#smallest .copy", has_text="Copied").wait_for()
    page.locator("#filter-rule").focus()
    page.keyboard.press("Control+V")
    assert page.input_value("#filter-rule") == page.inner_text("#smallest .copyable code")
    assert page.inner_text("#announcement") == "Command copied"


# Light, dark, small, on paper, without a script.

CONTRAST = """() => {
  const numbers = (color) => {
    const found = color.match(/[\\d.]+/g).map(Number);
    return color.startsWith("color(") ? [...found.slice(0, 3).map((part) => part * 255), found[3] ?? 1] : [...found.slice(0, 3), found[3] ?? 1];
  };
  const over = (top, under, alpha) => under.map((part, at) => top[at] * alpha + part * (1 - alpha));
  const light = (color) => {
    const [r, g, b] = color.map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const above = [];
    for (let at = element; at; at = at.parentElement) {
      const color = numbers(getComputedStyle(at).backgroundColor);
      above.push(color);
      if (color[3] === 1) break;
    }
    return above.reduceRight((under, color) => over(color, under, color[3]), [255, 255, 255]);
  };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility({ checkOpacity: true }) || element.closest("script, style, noscript, :disabled, .dim, .unseen")) continue;
    const under = ground(element);
    const color = numbers(getComputedStyle(element).color);
    const opacity = Number(getComputedStyle(element).opacity);
    const text = over(color, under, color[3] * opacity);
    const [a, b] = [light(text), light(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) low.push(`${ratio.toFixed(2)} ${element.tagName}.${element.className}: ${walker.currentNode.data.trim().slice(0, 30)}`);
  }
  return [...new Set(low)];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(open_report: Open, scheme: str) -> None:
    zones = ("OPENING", "REASONING", "CONTENT", "TOOL_CALL", "SCAFFOLD", "STOP", "TAIL", "CONTEXT")
    rows = tuple(
        Row(index=k, text="a\n\x00", zone=zone, message=0, expected="TRAIN", got="IGNORE", wrong=k % 2 == 0)
        for k, zone in enumerate(zones)
    )
    every = report(
        *mixed().pairs, pair_result("x+y", {"ROLE-1": Tally(failed=1)}, failures=(failure(pair="x+y", rows=rows),))
    )
    page = open_report(every, color_scheme=scheme).page
    for summary in page.locator("summary").all():
        summary.click()
    cell(page, 1, 4).click()
    assert page.locator("#panel .t").count() == len(zones)
    assert page.evaluate(CONTRAST) == []


def test_the_theme_follows_the_system_until_it_is_chosen(open_report: Open) -> None:
    opened = open_report(mixed(), color_scheme="dark")
    page = opened.page
    ground = "() => getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.emulate_media(color_scheme="light")
    light = page.evaluate(ground)
    assert dark != light
    button = page.locator("#theme")
    assert button.inner_text() == "Dark theme"
    button.click()
    assert page.evaluate(ground) == dark
    assert button.inner_text() == "Light theme"
    opened.load()
    assert page.evaluate(ground) == dark, "the choice is kept"
    page.locator("#theme").click()
    assert page.evaluate(ground) == light


@pytest.mark.parametrize("width", [320, 420, 800, 1400])
def test_the_page_never_scrolls_sideways(open_report: Open, width: int) -> None:
    page = open_report(large(rules=12, templates=40, tokenizers=2), viewport={"width": width, "height": 800}).page
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    cell(page, 2, 1).click()
    assert page.evaluate(
        "() => document.getElementById('panel').scrollWidth <= document.getElementById('panel').clientWidth"
    )


def test_on_paper_findings_are_open_and_controls_are_gone(open_report: Open) -> None:
    page = open_report(mixed(), color_scheme="dark").page
    page.emulate_media(media="print")
    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert "the stop of message 1 is not trained" in page.inner_text("#findings")
    for control in ("#filters", "#theme", ".copy"):
        assert not page.locator(control).first.is_visible()
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.evaluate("() => dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


def test_without_scripts_the_verdict_is_there(open_report: Open) -> None:
    opened = open_report(mixed(), load=False, java_script_enabled=False)
    opened.page.goto(opened.path.as_uri())
    assert opened.page.inner_text("h1") == "Breaks 2 rules: ROLE-1, STOP-1"
    assert "need JavaScript" in opened.page.inner_text("body")


# What others wrote stays text.


def test_hostile_text_is_shown_and_does_nothing(open_report: Open) -> None:
    opened = open_report(hostile())
    page = opened.page
    for row in range(4):
        for column in range(3):
            if (row, column) != (0, 0):
                cell(page, row, column).click()
                page.keyboard.press("Escape")
    cell(page, 1, 1).click()
    for summary in page.locator("summary").all():
        if summary.is_visible():
            summary.click()
    assert opened.quiet(), (opened.said, opened.requests)
    assert page.locator("script").count() == 2
    assert page.locator("img").count() == 0
    assert HOSTILE.replace("\u2028", r"\u{2028}").replace("\ud800", r"\u{d800}") in page.inner_text(
        "#panel .explanation"
    )


def test_the_policy_would_stop_a_script_that_got_in(open_report: Open) -> None:
    opened = open_report(mixed())
    opened.page.evaluate(
        "() => document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hacked = 1\">')"
    )
    opened.page.wait_for_timeout(100)
    assert opened.page.evaluate("() => window.hacked") is None
    assert any("Content Security Policy" in line for line in opened.said)


def test_text_that_turns_direction_is_spelled_out(open_report: Open) -> None:
    row = Row(index=0, text="a\u202eb\u200f\u00a0", zone="", message=None, expected="IGNORE", got="TRAIN", wrong=True)
    page = open_report(report(pair_result(failures=(failure(rows=(row,)),)))).page
    assert page.inner_text("#smallest .t") == r"a\u{202e}b\u{200f}\u{a0}"


# Many cells.


def test_twenty_thousand_cells_cost_a_few_times_a_bare_table(open_report: Open) -> None:
    many = large(rules=50, templates=100, tokenizers=4)
    page = open_report(many).page
    drawn = page.evaluate(
        """() => {
            const start = performance.now();
            document.getElementById("expand").click();
            document.getElementById("scroller").offsetHeight;
            return performance.now() - start;
        }"""
    )
    assert page.locator("#scroller td").count() == 50 * (400 + 100)
    bare = page.evaluate(
        """() => {
            const start = performance.now();
            const table = document.createElement("table");
            for (let row = 0; row < 50; row += 1) {
                const line = table.insertRow();
                for (let column = 0; column < 500; column += 1) line.insertCell().textContent = "x";
            }
            document.body.append(table);
            table.offsetHeight;
            const passed = performance.now() - start;
            table.remove();
            return passed;
        }"""
    )
    print(f"25,000 cells drawn in {drawn:.0f} ms, a bare table of as many in {bare:.0f} ms")
    assert drawn < 12 * bare


def test_rules_of_one_family_stand_together(open_report: Open) -> None:
    rules = (rule("ROLE-1"), rule("ROLE-2"), rule("STOP-1"))
    page = open_report(report(pair_result(), rules=rules)).page
    groups = page.locator("#scroller tbody").evaluate_all(
        "all => all.map((group) => [group.getAttribute('aria-label'), group.rows.length])"
    )
    assert groups == [["ROLE", 2], ["STOP", 1]]
