"""Makes the pictures of the documentation from the real thing: the demo, kept, in a real browser.

usage: python tests/support/web/make_pictures.py [FOLDER]        default: docs/pictures

Needs chromium (apt-get install chromium) and the extras demo and test. Run it from the checkout's root when the page has
changed, and look at what came out.
"""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.support.web.browser import chromium

LARGEST = 150_000


@contextmanager
def kept_demo() -> Iterator[str]:
    """The address of the demo's dashboard."""
    argv = [sys.executable, "-u", "-m", "cpimportd", "demo", "--keep"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        try:
            yield next(found[0] for line in demo.stdout if (found := re.search(r"http://\S+#token=\S+", line)))
        finally:
            demo.send_signal(signal.SIGTERM)
            demo.communicate()


def top(_: Page) -> None:
    """The page as it opens."""


def chart(page: Page) -> None:
    page.locator("#days-title").scroll_into_view_if_needed()
    page.evaluate("scrollTo(0, document.getElementById('days-title').offsetTop - 40)")


def second_run(page: Page) -> None:
    page.locator("button.day").last.click()
    page.locator(".same-day button").nth(1).click()
    page.locator(".document").first.wait_for()
    page.evaluate("document.querySelectorAll('#run-body section')[3].scrollIntoView()")


PICTURES = {
    "dashboard.png": (1180, 820, "light", "en-GB", top),
    "dashboard-chart.png": (1180, 820, "light", "en-GB", chart),
    "dashboard-run.png": (1000, 640, "light", "ru-RU", second_run),
    "dashboard-phone.png": (360, 740, "dark", "ru-RU", top),
}


def main(folder: Path) -> None:
    """Make them all."""
    folder.mkdir(parents=True, exist_ok=True)
    with kept_demo() as address, chromium() as browser:
        for name, (width, height, scheme, locale, show) in PICTURES.items():
            size = {"width": width, "height": height}
            context = browser.new_context(viewport=size, color_scheme=scheme, locale=locale, reduced_motion="reduce")
            page = context.new_page()
            page.goto(address)
            page.wait_for_selector("#board:not([hidden]) .plot svg")
            show(page)
            page.wait_for_timeout(500)
            made = folder / name
            page.screenshot(path=made)
            context.close()
            print(f"{made}: {made.stat().st_size} bytes{' — too large' if made.stat().st_size > LARGEST else ''}")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[3] / "docs" / "pictures")
