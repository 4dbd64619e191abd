"""The page about templates in a real browser: what it shows, how it is used without a mouse, and that it stays inert."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed; `tox -e browser` installs it")

from maskspec.findings.reports import as_html
from tests.browser.conftest import Open
from tests.browser.test_html_report import CONTRAST
from tests.findings.factory import BLANK, large, survey, template, two

pytestmark = pytest.mark.browser


@pytest.fixture
def open_page(open_html: Open) -> Open:
    return lambda found, **options: open_html(as_html(found), **options)


def names(page: Any) -> list[str]:
    # A row that was not drawn yet has no inner text.
    return page.locator("#rows .name").all_text_contents()


def drawn(page: Any) -> None:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_it_opens_without_a_word_and_without_the_network(open_page: Open) -> None:
    opened = open_page(two())
    opened.page.locator("#rows button").first.click()
    assert opened.quiet(), (opened.said, opened.requests)


def test_kinds_with_their_counts_and_templates_with_theirs(open_page: Open) -> None:
    page = open_page(two()).page
    assert page.inner_text("h1") == "Findings about 2 chat templates"
    kinds = page.locator(".kind").evaluate_all(
        "all => all.map((kind) => [kind.dataset.kind, kind.querySelector('.n').textContent])"
    )
    assert kinds == [["history-last-turn", "1"], ["blank-after-stop", "2"], ["tools-dropped", "1"]]
    assert "no stop after an answer" in page.inner_text("#kind-list")
    assert names(page) == ["shop:first", "shop:second"]
    assert page.locator("#rows .n").all_text_contents() == ["2 findings", "2 findings"]


def test_a_kind_shows_the_templates_that_it_concerns(open_page: Open) -> None:
    page = open_page(two()).page
    page.locator('.kind[data-kind="tools-dropped"]').click()
    assert names(page) == ["shop:second"]
    assert page.inner_text("#shown") == "1 of 2 templates"
    assert "Do not train tool use with this template" in page.inner_text("#chosen")
    page.locator("#rows button").click()
    assert page.inner_text("article.chosen h3") == "tool schemas are not printed"
    page.keyboard.press("Escape")
    page.locator('.kind[data-kind="tools-dropped"]').click()
    assert names(page) == ["shop:first", "shop:second"]
    assert page.locator("#chosen").is_hidden()


def test_a_template_opens_on_its_findings(open_page: Open) -> None:
    page = open_page(two()).page
    page.locator("#rows button").first.click()
    assert page.inner_text("#panel-title") == "shop:first"
    assert page.locator("#panel article").count() == 2
    first = page.locator("#panel article").first
    assert first.locator(".conversation > li").all_text_contents() == [
        "userQ",
        "assistantA",
        "so far the beginning",
        "userP",
    ]
    assert first.locator(".excerpt mark").all_inner_texts() == ["<|last|>A", "A<|user|>P"]
    assert first.locator(".remedy").inner_text().startswith("Print every turn alike")
    second = page.locator("#panel article").nth(1)
    assert second.locator("h3").inner_text().startswith("white space after the stop: ↵")
    assert second.locator("mark").text_content() == "↵\n"


def test_it_is_used_without_a_mouse(open_page: Open) -> None:
    page = open_page(survey(*(template(f"shop:{number}", BLANK) for number in range(4)))).page
    page.locator("#rows button").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.inner_text("#panel-title") == "shop:2"
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#panel-title") == "shop:3"
    assert page.locator("#next").is_disabled()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    drawn(page)
    assert page.evaluate("() => document.activeElement.querySelector('.name').textContent") == "shop:1"
    page.keyboard.press("End")
    assert page.evaluate("() => document.activeElement.querySelector('.name').textContent") == "shop:3"
    assert page.locator('#rows [tabindex="0"]').count() == 1


def test_the_filters_and_the_order(open_page: Open) -> None:
    found = survey(template("shop:a", BLANK), template("shop:b", BLANK, BLANK), template("mine.jinja"))
    page = open_page(found).page
    assert names(page) == ["shop:a", "shop:b", "mine.jinja"]
    page.select_option("#order", "findings")
    drawn(page)
    assert names(page) == ["shop:b", "shop:a", "mine.jinja"]
    page.select_option("#filter-collection", "others")
    drawn(page)
    assert names(page) == ["mine.jinja"]
    page.get_by_role("button", name="Clear filters").click()
    page.fill("#filter-name", "B")
    drawn(page)
    assert names(page) == ["shop:b"]


def test_an_address_opens_a_template(open_page: Open) -> None:
    page = open_page(two(), address="#shop%3Asecond").page
    assert page.inner_text("#panel-title") == "shop:second"


def test_texts_of_templates_are_never_markup(open_page: Open) -> None:
    name = "</script><img src=x onerror=alert(1)>"
    opened = open_page(survey(template(name, BLANK)))
    assert opened.page.inner_text("#panel-title") == name
    assert opened.page.locator("img").count() == 0
    assert opened.quiet()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(open_page: Open, scheme: str) -> None:
    page = open_page(two(), color_scheme=scheme).page
    page.locator('.kind[data-kind="tools-dropped"]').click()
    assert page.evaluate(CONTRAST) == []
    page.locator("#rows button").click()
    assert page.locator("#panel article").count() == 2
    assert page.evaluate(CONTRAST) == []


def test_the_theme_can_be_chosen_and_is_kept(open_page: Open) -> None:
    opened = open_page(two(), color_scheme="dark")
    ground = "() => getComputedStyle(document.body).backgroundColor"
    dark = opened.page.evaluate(ground)
    opened.page.get_by_role("button", name="Light theme").click()
    light = opened.page.evaluate(ground)
    assert light != dark
    opened.load()
    assert opened.page.evaluate(ground) == light
    assert opened.page.inner_text("#theme") == "Dark theme"


@pytest.mark.parametrize("width", [320, 768])
def test_nothing_is_wider_than_a_small_screen(open_page: Open, width: int) -> None:
    page = open_page(two(), viewport={"width": width, "height": 800}).page
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    page.locator("#rows button").first.click()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_of_a_large_report_only_what_is_looked_at_is_built(open_page: Open) -> None:
    page = open_page(large(860, 20)).page
    assert page.locator("#rows li").count() == 860
    assert page.locator("#panel article").count() == 0
    page.locator('.kind[data-kind="tools-dropped"]').click()
    assert page.inner_text("#shown") == "860 templates"
    page.locator("#rows button").nth(700).click()
    assert page.locator("#panel article").count() == 20
    assert page.locator("#panel article.chosen").count() == 5
