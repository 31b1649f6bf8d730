"""The reconciliation finds what was broken and says after which run; the weekly summary says what the period brought."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cpimportd.books.reports.reconciliation import grouped
from tests.support import launcher
from tests.support.database import Templates
from tests.support.two_days import TwoDays


class Books:
    """A copy of the two days' books, to be broken."""

    def __init__(self, url: str, config: Path, sql: Callable[..., list[Any]]) -> None:
        self.url, self.config, self._sql = url, config, sql

    def sql(self, *statements: str) -> list[Any]:
        return self._sql(self.url, *statements)

    def command(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return launcher.run(*arguments, "--config", str(self.config), **options)

    def reconcile(self, code: int, *arguments: str) -> dict[str, Any]:
        done = self.command("reconcile", "--json", *arguments)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.fixture
def books(two_days: TwoDays, templates: Templates, tmp_path: Path, sql: Callable[..., list[Any]]) -> Iterator[Books]:
    template = two_days.url.partition("@/")[2].partition("?")[0]
    name = templates.fresh(template, "cpimportd")
    url = templates.server.url(name, "cpimportd")
    config = tmp_path / "cpimportd.toml"
    config.write_text(two_days.config.read_text().replace(two_days.url, url))
    config.chmod(0o600)
    yield Books(url, config, sql)
    templates.drop([name])


def test_what_nobody_touched_agrees(books):
    found = books.reconcile(0)
    assert found["equal"] is True
    assert found["problems"] == []
    (served,) = books.sql("SELECT count(*) AS units FROM (SELECT DISTINCT kind, organization FROM cpimportd.served) u")
    assert len(found["accounts"]) == served["units"] > 5
    for account in found["accounts"]:
        assert account["books"] == account["journal"]
        assert account["equal"] is True
    plain = books.command("reconcile").stdout
    assert "Books, control totals and journal agree." in plain
    assert "\x1b" not in plain


def test_an_amount_that_somebody_changed_is_found_with_the_run_after_which_it_broke(books):
    books.sql(
        "UPDATE fin_receipts SET amount = amount + 10.01 WHERE id = (SELECT min(r.id) FROM fin_receipts r"
        " JOIN fin_organizations o ON o.id = r.organization_id WHERE o.name LIKE 'ЛОТОС%')"
    )
    found = books.reconcile(3)
    assert [one["code"] for one in found["problems"]] == ["books-apart", "books-moved"]
    moved = found["problems"][1]
    (last,) = books.sql(
        "SELECT max(run_id) AS run FROM cpimportd.run_unit"
        " WHERE organization LIKE 'ЛОТОС%' AND kind = 'receipts' AND status = 'published'"
    )
    assert f"run {last['run']} of " in moved["message"]
    assert moved["organization"].startswith("ЛОТОС")
    assert "cpimportd run" in moved["way_out"]
    wrong = [account for account in found["accounts"] if not account["equal"]]
    (account,) = wrong
    assert Decimal(account["books"]) - Decimal(account["journal"]) == Decimal("10.01")
    assert "Differences" in books.command("reconcile").stdout


def test_a_document_that_somebody_removed_is_found(books):
    books.sql(
        "DELETE FROM fin_expense_details WHERE id = (SELECT min(id) FROM fin_expense_details WHERE payment_amount > 0)"
    )
    found = books.reconcile(3)
    assert {one["code"] for one in found["problems"]} == {"books-apart", "books-moved"}
    assert {account["kind"] for account in found["accounts"] if not account["equal"]} == {"details"}


def test_a_journal_that_does_not_continue_where_it_ended_is_reported_with_both_runs(books):
    (unit,) = books.sql(
        "SELECT run_id, organization FROM cpimportd.run_unit WHERE kind = 'expenses' AND status = 'published'"
        " AND run_id > (SELECT min(run_id) FROM cpimportd.run_unit) ORDER BY run_id DESC, organization LIMIT 1"
    )
    run, name = unit["run_id"], unit["organization"]
    books.sql(
        f"UPDATE cpimportd.run_unit SET opening = opening - 5, added = added + 5"
        f" WHERE run_id = {run} AND organization = '{name}' AND kind = 'expenses'"
    )
    (wrong,) = books.reconcile(3)["problems"]
    assert (wrong["code"], wrong["organization"]) == ("journal-gap", name)
    assert f"in run {run} of " in wrong["message"]
    books.sql(
        f"UPDATE cpimportd.run_unit SET added = added - 5 WHERE run_id = {run} AND organization = '{name}' AND kind = 'expenses'"
    )
    codes = {one["code"] for one in books.reconcile(3)["problems"]}
    assert codes >= {"journal-gap", "journal-open"}
    books.sql("UPDATE cpimportd.runs SET started_at = started_at - interval '60 days'")
    assert books.reconcile(0)["equal"] is True  # history, of which an earlier reconciliation told
    assert books.reconcile(3, "--since", "2020-01-01")["equal"] is False


def test_an_undo_leaves_books_workbooks_and_journal_agreed(books):
    done = books.command("undo", "3", "--through", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert books.reconcile(0)["equal"] is True


def test_a_control_total_speaks_of_all_organizations_of_its_workbook():
    rows = [
        ("receipts", "А", "one.xlsx", Decimal(5)),
        ("receipts", "Б", "one.xlsx", Decimal(5)),
        ("receipts", "Б", "two.xlsx", Decimal(2)),
        ("receipts", "В", "three.xlsx", None),
        ("expenses", "А", "four.xlsx", Decimal(9)),
    ]
    names = ("kind", "organization", "file", "control_total")
    found = {group.organizations: group for group in grouped([dict(zip(names, row, strict=True)) for row in rows])}
    assert found["А", "Б"].total == Decimal(7)
    assert found["А", "Б"].files == ("one.xlsx", "two.xlsx")
    assert found["В",].total is None
    assert found["А",].total == Decimal(9)


def test_the_weekly_summary_says_what_the_period_brought(books):
    found = json.loads(books.command("report", "--json").stdout)
    assert found["runs"] == {"published": 3, "partial": 1}
    by_unit = {(one["organization"], one["kind"]): one for one in found["organizations"]}
    for one in by_unit.values():
        moved = Decimal(one["opening"]) + Decimal(one["added"]) - Decimal(one["removed_sum"]) + Decimal(one["changed"])
        assert moved == Decimal(one["closing"])
    assert len(found["files"]) > 5
    assert all(one["modified"] for one in found["files"])
    assert books.command("report", "--json", "--since", "2100-01-01").returncode == 2
    plain = books.command("report").stdout
    assert "3 published, 1 partial" in plain
    assert "What changed, per organization" in plain


def test_sums_by_month_count_no_amount_twice(books):
    books.sql("UPDATE fin_receipts SET document_date = current_date", "UPDATE fin_expenses SET document_date = current_date")  # fmt: skip
    (month,) = json.loads(books.command("report", "--json").stdout)["months"]
    (sums,) = books.sql(
        "SELECT (SELECT sum(amount) FROM fin_receipts) AS receipts, (SELECT sum(amount) FROM fin_expenses) AS expenses,"
        " (SELECT sum(payment_amount) FROM fin_expense_details WHERE payment_type = 'Погашение долга') AS principal,"
        " (SELECT sum(payment_amount) FROM fin_expense_details WHERE payment_type = 'Уплата процентов') AS interest"
    )
    assert {name: Decimal(month[name]) for name in sums.keys()} == dict(sums)  # noqa: SIM118 - a record


@pytest.mark.parametrize(
    ("job", "title"),
    [("report", "сводка с "), ("reconcile", "сверка сошлась: база, файлы и журнал говорят одно")],
    ids=["report", "reconcile"],
)
def test_a_job_that_is_sent_goes_the_way_of_an_alert(books, web, job, title):
    environ = {**os.environ, "CPIMPORTD_ALERTS__URLS": f"json://{web.address}/x"}
    done = books.command(job, "--send", env=environ)
    assert done.returncode == 0, done.stderr
    (told,) = web.titles
    assert told.startswith(f"cpimportd, подразделение 8: {title}")
    assert "ЛОТОС" in web.requests[0].json["message"]
    nobody = books.command(job, "--send")
    assert (nobody.returncode, "config-incomplete" in nobody.stderr) == (2, True)


def test_differences_are_sent_with_the_remedy_first(books, web):
    books.sql("UPDATE fin_receipts SET amount = amount + 1 WHERE id = (SELECT min(id) FROM fin_receipts)")
    environ = {**os.environ, "CPIMPORTD_ALERTS__URLS": f"json://{web.address}/x"}
    assert books.command("reconcile", "--send", env=environ).returncode == 3
    assert "сверка НЕ сошлась: расхождений 2" in web.titles[0]
    lines = web.requests[0].json["message"].splitlines()
    assert "[books-apart]" in lines[0]
    assert lines[1].startswith("  → ")
