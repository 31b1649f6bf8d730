"""The dashboard in a real browser: what it shows, to whom, in which language, by which keys, on which screens."""

import re
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from cpimportd.books.journal.movements import What
from cpimportd.core.formatting import amount
from cpimportd.core.model import Kind
from cpimportd.core.report import FileStatus, RunStatus, UnitStatus
from cpimportd.core.waiting import WHAT
from cpimportd.daemon.messages import STAGE_TEXTS
from tests.support.daemon.fixtures import notify, place
from tests.support.web.browser import chromium, window
from tests.support.web.served import API, TOKEN, Served

__all__ = ["notify", "place"]

HOSTILE = "<img src=x onerror=alert(1)><b>ООО</b>"


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def opened(browser):
    """``opened(process, **options)``: the dashboard in a new window; it complained of nothing."""
    windows = []

    def show(process, *, token=TOKEN, **options):
        made = window(browser, **options)
        windows.append((made, made.__enter__()))
        return windows[-1][1].open(process, token=token)

    yield show
    for manager, one in windows:
        manager.__exit__(None, None, None)
        assert one.complaints == []


def figure(page, name: str) -> str:
    return page.locator(f".f-{name} .sum").inner_text()


def test_it_shows_the_figures_that_the_database_has(opened, served):
    summary = served.get(f"{API}/summary")
    page = opened(served)
    for name, key in (
        ("receipts", "total_receipts"),
        ("expenses", "total_expenses"),
        ("principal", "principal"),
        ("interest", "interest"),
    ):
        assert figure(page, name) == amount(Decimal(summary[key]))
    months = served.get(f"{API}/import/months")["months"]
    page.locator("#months-details summary").click()
    assert page.locator("#months tbody tr").count() == len(months)
    shown = page.locator("#months tbody td:nth-child(3)").all_inner_texts()
    assert sorted(shown) == sorted(amount(Decimal(one["principal"])) for one in months)
    known = sorted(one["month"] for one in months)
    (first_year, first), (last_year, last) = (map(int, month.split("-")) for month in (known[0], known[-1]))
    assert page.locator("#chart .column").count() == (last_year - first_year) * 12 + last - first + 1
    assert page.locator("#files tbody tr").count() == len(served.get(f"{API}/import/overview")["files"])


def test_the_token_is_taken_out_of_the_address_and_stays_in_this_window(opened, served):
    page = opened(served)
    assert page.url == served.address + "/"
    assert page.evaluate("sessionStorage.length") == 1
    assert TOKEN not in page.evaluate(
        "JSON.stringify({...localStorage}) + document.cookie + document.documentElement.outerHTML"
    )
    page.reload()
    page.wait_for_selector("#board:not([hidden])")
    page.get_by_role("button", name="Forget the token").click()
    expect(page.locator("#login")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_who_has_no_token_is_asked_for_it_and_sees_nothing(browser, served):
    with window(browser) as one:  # a browser itself complains of each 401 here
        page = one.open(served, token=None)
        field = page.get_by_label("Token")
        expect(field).to_be_focused()
        assert "ЛОТОС" not in page.content().upper()
        field.fill("a-wrong-token-0123456789")
        field.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("This is not the token.")
        field.fill(TOKEN)
        field.press("Enter")
        expect(page.locator("#board")).to_be_visible()
        assert all("401" in text for text in one.complaints)


def test_held_units_are_reported_with_their_reason_and_way_out_in_both_languages(opened, served):
    held = served.get(f"{API}/import/overview")["held"]
    page = opened(served, locale="ru-RU")
    assert page.evaluate("document.documentElement.lang") == "ru"
    assert page.locator("#held > li").count() == len(held)
    expect(page.locator("#held")).to_contain_text("Файл пуст (0 байт): выгрузка оборвалась")
    expect(page.locator("#held")).to_contain_text("Что делать: Выгрузите")
    page.get_by_role("button", name="English").click()
    expect(page.locator("#held")).to_contain_text("the file has 0 bytes: a broken upload")
    expect(page.locator("h1#headline")).to_have_text("Something is wrong")
    page.reload()  # the choice is remembered, against the browser's own language
    expect(page.locator("#days-title")).to_have_text("The last 30 days")


def test_every_word_is_there_in_both_languages(opened, served):
    words = opened(served).evaluate("import('/static/texts.js').then((texts) => texts.words)")
    russian_forms = {name for name in words["ru"] if name.startswith("m_")}
    assert words["en"].keys() == words["ru"].keys() - russian_forms
    keys = {f"status_{one.value}" for kind in (RunStatus, UnitStatus, FileStatus) for one in kind}
    keys |= {f"m_{one.value}" for kind in (UnitStatus, FileStatus) for one in kind}
    keys |= {f"diff_{what.value}" for what in What} | {f"kind_{kind.value}" for kind in Kind}
    keys |= {f"stage_{doing}" for doing in STAGE_TEXTS.values()} | {
        f"light_{state}" for state in ("green", "yellow", "red")
    }
    keys |= {
        f"why_{code}"
        for code in (
            "all-well",
            "no-run",
            "last-failed",
            "held",
            "held-files",
            "schedule-failed",
            "slotless",
            "stale",
            "waiting",
        )
    }
    keys |= {f"why_{code}" for code in ("run-waiting", "refused")}
    keys |= {f"wait_{code}" for code in (*WHAT, "next", "until")}
    keys |= {f"why_daemon-{how}" for how in ("not-running", "permission", "silent")}
    assert keys <= words["ru"].keys()
    for name, forms in words["ru"].items():
        if isinstance(forms, dict):
            assert forms.keys() == {"one", "few", "many", "other"}, name


def test_the_keyboard_alone_reaches_everything(opened, served):
    page = opened(served)
    seen = []
    for _ in range(80):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "document.activeElement.id || document.activeElement.className || document.activeElement.tagName"
        )
        seen.append(name)
        if name == "plot":
            break
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", f"no focus is seen on {name}"
    assert seen[0] == "skip"
    order = [seen.index(name) for name in ("trigger", "link", "organization", "period", "plot")]
    assert order == sorted(order)
    before = page.locator(".readout strong").inner_text()
    page.keyboard.press("ArrowLeft")
    assert page.locator(".readout strong").inner_text() != before
    value = page.get_by_role("slider").get_attribute("aria-valuetext")
    assert value.startswith(page.locator(".readout strong").inner_text())


def test_a_day_leads_to_its_runs_their_diff_and_back_by_escape(opened, served):
    page = opened(served)
    day = page.locator("button.day").last
    day.focus()
    assert "import" in day.get_attribute("aria-label")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("What was noticed")
    runs = dialog.locator(".same-day button")
    if runs.count() > 1:
        runs.nth(1).click()
        expect(dialog.locator(".document").first).to_be_visible()
        run = int(runs.nth(1).inner_text())
        first = served.get(f"/runs/{run}/diff?limit=1")["documents"][0]
        expect(dialog.locator(".document").first).to_contain_text(first["operation_id"])
        expect(dialog).to_contain_text("re-timed")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(day).to_be_focused()


@pytest.mark.parametrize(("width", "locale"), [(320, "ru-RU"), (360, "en-GB"), (768, "ru-RU")])
def test_on_a_telephone_nothing_has_to_be_scrolled_sideways(opened, served, width, locale):
    page = opened(served, viewport={"width": width, "height": 740}, locale=locale, has_touch=True)
    fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert page.evaluate(fits)
    page.locator("button.day").last.tap()
    expect(page.locator("#run-body section").first).to_be_visible()
    assert page.evaluate("document.querySelector('dialog').scrollWidth <= document.querySelector('dialog').clientWidth")
    small = "[...document.querySelectorAll('button.day')].filter((b) => b.getBoundingClientRect().width < 24).length"
    assert page.evaluate(small) == 0


CONTRAST = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (e) => { for (; e; e = e.parentElement) { const c = channels(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0.99) return c; } return [255, 255, 255]; };
  const found = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.closest(".unseen, .skip, option, noscript")) continue;
    const style = getComputedStyle(e);
    const color = e.namespaceURI.endsWith("svg") ? style.fill : style.color;
    const [a, b] = [light(channels(color)), light(ground(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) found.push([e.className?.baseVal ?? e.className, e.textContent.slice(0, 30), ((a + 0.05) / (b + 0.05)).toFixed(2)].join("|"));
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_in_light_and_dark(opened, served, scheme):
    page = opened(served, color_scheme=scheme)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(paper.split("(")[1].split(",")[0]) < 60) == (scheme == "dark")
    assert page.evaluate(CONTRAST) == []
    page.locator("button.day").last.click()
    expect(page.locator("#run-body section").first).to_be_visible()
    assert page.evaluate(CONTRAST) == []


def test_who_wants_no_motion_gets_none(opened, served):
    page = opened(served, reduced_motion="reduce")
    moving = "[...document.querySelectorAll('*')].filter((e) => parseFloat(getComputedStyle(e).transitionDuration) > 0).length"
    assert page.evaluate(moving) == 0


def test_a_hostile_name_is_shown_as_the_text_that_it_is(browser, serve, make_database, published_template, sql):
    url = make_database(published_template)
    sql(
        url,
        f"UPDATE fin_organizations SET name = '{HOSTILE}' WHERE id = (SELECT min(id) FROM fin_organizations)",
        f"UPDATE cpimportd.run_unit SET organization = '{HOSTILE}' WHERE status = 'held'",
        f"""UPDATE cpimportd.held SET organization = '{HOSTILE}', problems = jsonb_build_array(jsonb_build_object(
                'code', 'file-empty', 'message', '{HOSTILE}', 'way_out', '{HOSTILE}', 'file', '{HOSTILE}', 'row', 1,
                'column', '{HOSTILE}', 'value', '{HOSTILE}', 'organization', '{HOSTILE}'))""",
        f"""UPDATE cpimportd.snapshot SET file = '{HOSTILE}.xlsx', organizations = ARRAY['{HOSTILE}']
            WHERE id = (SELECT max(id) FROM cpimportd.snapshot)""",
        f"""UPDATE cpimportd.runs SET report = jsonb_set(report, '{{units}}', (
                SELECT jsonb_agg(u || jsonb_build_object('organization', '{HOSTILE}', 'unit', '{HOSTILE}/' || n,
                    'problems', jsonb_build_array(jsonb_build_object('code', 'file-empty', 'message', '{HOSTILE}',
                        'way_out', '{HOSTILE}', 'file', '{HOSTILE}', 'row', 1, 'column', '{HOSTILE}', 'value', '{HOSTILE}',
                        'organization', '{HOSTILE}'))))
                FROM jsonb_array_elements(report->'units') WITH ORDINALITY AS units (u, n)))
            WHERE id = (SELECT max(id) FROM cpimportd.runs)""",
    )
    with window(browser) as one:
        page = one.open(serve(url))
        expect(page.locator("#held h3").first).to_contain_text(HOSTILE)
        expect(page.locator("#files")).to_contain_text(HOSTILE)
        page.get_by_label("Organization").select_option(HOSTILE)
        assert page.evaluate("document.querySelectorAll('main img, main b, [onerror]').length") == 0
        assert one.complaints == []


def test_markup_cannot_come_in_by_mistake(browser, served):
    with window(browser) as one:
        page = one.open(served)
        tried = "(() => { try { document.createElement('p').innerHTML = '<b>x</b>'; return 'done' } catch (e) { return e.name } })()"
        assert page.evaluate(tried) == "TypeError"
        assert all("Trusted" in text or "trusted" in text for text in one.complaints)


def test_what_an_import_waits_for_is_shown_in_the_language_of_the_page(browser, place):
    place.due_slot()
    place.configure({"source.url": "ftp://127.0.0.1:9/", "source.user": "finance", "retry.wait_first": 30})
    config = place.configure({"web.listen": "127.0.0.1:0", "web.token": TOKEN, "retry.wait_longest": 60})
    place.start()
    with Served(place.folder, config) as process, window(browser, locale="ru-RU") as one:
        page = one.open(process)
        expect(page.locator("#stage")).to_contain_text(
            re.compile(r"ожидание: FTP-сервер: connection refused; следующая попытка в [\d:]+; ждёт до [\d:]+"),
            timeout=20_000,
        )
        page.get_by_role("button", name="English").click()
        expect(page.locator("#stage")).to_contain_text("waits for the FTP server: connection refused; next try")


def test_progress_and_its_end_appear_by_themselves(browser, place):
    place.sample("day1")
    config = place.configure({"web.listen": "127.0.0.1:0", "web.token": TOKEN})
    with place.database_gate(b"LOCK TABLE") as gate, Served(place.folder, config) as process, window(browser) as one:
        daemon = place.start()
        page = one.open(process)
        expect(page.locator("#headline")).to_have_text("Needs attention")
        expect(page.locator("#reasons")).to_have_text("Nothing was imported yet.")
        expect(page.locator("#next")).to_contain_text("Next import")
        page.get_by_role("button", name="Import now").click()
        assert gate.reached.wait(100)
        expect(page.locator("#stage")).to_contain_text("Importing: publishing")
        gate.open()
        daemon.wait_runs(1)
        expect(page.locator("#live")).to_be_hidden()
        expect(page.locator("#headline")).to_have_text("All is well")
        assert figure(page, "receipts") == amount(place.truth("day1")["receipts_sum"])
        assert one.complaints == []


def test_a_database_that_is_unreachable_is_reported_with_its_remedy(
    browser, serve, make_database, published_template, superuser_url, sql
):
    url = make_database(published_template)
    process = serve(url)
    with window(browser) as one:  # a browser itself complains of each 503
        page = one.open(process)
        name = url.split("/")[3].split("?")[0]
        other = superuser_url(url).replace(f"/{name}?", "/postgres?")
        sql(
            other,
            f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false',
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )
        page.get_by_label("Months").select_option("12")
        expect(page.locator("#away")).to_contain_text("What to do:")
        sql(other, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        page.get_by_label("Months").select_option("24")
        expect(page.locator("#away")).to_be_hidden()
        assert all("503" in text or "500" in text for text in one.complaints), one.complaints
