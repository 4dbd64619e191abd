"""A headless Chromium for the tests of the page, or the reason why there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from maskspec.conformance.reports import as_html

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        own = driver.chromium.executable_path
        found = os.environ.get("MASKSPEC_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
        if found is None and not Path(own).exists():
            pytest.skip("no Chromium found: install one, or name one in MASKSPEC_CHROMIUM")
        opened = driver.chromium.launch(executable_path=found)
        yield opened
        opened.close()


class Opened:
    """A page that was opened from a file, and everything that it said or asked for."""

    def __init__(self, page: Any, path: Path) -> None:
        self.page = page
        self.path = path
        self.said: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: (self.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self.requests.append(request.url))

    def load(self, address: str = "") -> Any:
        self.page.goto(self.path.as_uri() + address)
        self.page.wait_for_selector("html[data-ready]")
        return self.page

    def quiet(self) -> bool:
        """Whether the page said nothing and asked for nothing but itself."""
        return not self.said and all(
            url.partition("#")[0] == self.path.as_uri() or url == "data:," for url in self.requests
        )


Open = Callable[..., Opened]


@pytest.fixture
def open_html(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens the text of a page, in a window of its own."""
    contexts = []

    def open_(text: str, *, address: str = "", load: bool = True, **options: Any) -> Opened:
        path = tmp_path / "page.html"
        path.write_text(text, encoding="utf-8")
        context = browser.new_context(**{"viewport": {"width": 1400, "height": 1000}, **options})
        contexts.append(context)
        opened = Opened(context.new_page(), path)
        if load:
            opened.load(address)
        return opened

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture
def open_report(open_html: Open) -> Open:
    """Opens the page of one run."""
    return lambda report, **options: open_html(as_html(report), **options)
