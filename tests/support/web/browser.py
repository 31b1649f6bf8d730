"""A real browser before the dashboard: Debian's chromium, driven by playwright; whatever it complains of is kept."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.web.served import TOKEN, Served

CHROMIUM = next(
    (path for path in ("/usr/bin/chromium", shutil.which("chromium")) if path and os.access(path, os.X_OK)), None
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; a test that needs it is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium here: apt-get install chromium")
    # As root it has no sandbox; it only ever sees our own pages here.
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@dataclass
class Window:
    """One page with storage of its own."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def open(self, process: Served, *, token: str | None = TOKEN) -> Page:
        """The dashboard, once it shows what it has."""
        self.page.goto(process.address + "/" + ("" if token is None else f"#token={token}"))
        if token is not None:
            self.page.wait_for_selector("#board:not([hidden]) #chart > *")
        return self.page


@contextmanager
def window(browser: Browser, **options: Any) -> Iterator[Window]:
    """A window with its size, language and colours; it must have had nothing to complain of."""
    options = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", **options}
    context = browser.new_context(**options)
    context.set_default_timeout(30_000)
    made = Window(context.new_page())
    made.page.add_init_script(
        "addEventListener('securitypolicyviolation', (e) => console.error('CSP: ' + e.violatedDirective))"
    )
    made.page.on(
        "console", lambda said: made.complaints.append(said.text) if said.type in {"error", "warning"} else None
    )
    made.page.on("pageerror", lambda error: made.complaints.append(str(error)))
    made.page.on("dialog", lambda dialog: (made.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    yield made
    context.close()
