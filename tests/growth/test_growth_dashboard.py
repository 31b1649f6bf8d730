"""The dashboard of two hundred organizations: what is wrong is seen at once, the rest is one key away."""

import shutil
import tempfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.web.browser import chromium, window
from tests.support.web.served import TOKEN, Served, configure


@pytest.fixture
def served(imported):
    folder = Path(tempfile.mkdtemp(prefix="web-", dir="/tmp"))
    (folder / "state").mkdir(mode=0o700)
    keys = {
        "state_directory": str(folder / "state"),
        "database.url": imported.url,
        "web.listen": "127.0.0.1:0",
        "web.token": TOKEN,
    }
    with Served(folder, configure(folder / "cpimportd.toml", keys)) as process:
        yield process
    shutil.rmtree(folder)


def test_of_six_hundred_workbooks_it_shows_those_with_something_wrong_and_all_if_asked(imported, served):
    broken = {file.name for file in imported.reports[1].files if file.status.value == "held"}
    with chromium() as browser, window(browser) as opened:
        page = opened.open(served)
        rows = page.locator("#files tbody th")
        assert set(rows.all_inner_texts()) == broken
        expect(page.locator("#files-more")).to_have_text(f"{600 - len(broken)} more workbooks. Show all of them")
        assert page.locator("#held > li").count() == len(imported.days[1].held)
        page.locator("#files-more button").focus()
        page.keyboard.press("Enter")
        expect(rows).to_have_count(600)
        expect(page.locator("#files-more")).to_have_text("")
    assert opened.complaints == []


def test_sums_by_month_are_those_of_all_until_one_organization_is_chosen(served):
    with chromium() as browser, window(browser) as opened:
        page = opened.open(served)
        page.locator("#months-details summary").click()
        owners = page.locator("#months tbody td:nth-child(2)")
        assert set(owners.all_inner_texts()) == {"All"}
        page.locator("#organization").select_option("ДОЧЕРНЯЯ 10 ООО")
        assert set(owners.all_inner_texts()) == {"ДОЧЕРНЯЯ 10 ООО"}
    assert opened.complaints == []
