"""Two days of real-looking exports, from files to books, against their truth to the kopeck."""

import json
import os
from decimal import Decimal

import pytest

from cpimportd.core.model import Kind
from cpimportd.core.report import RunStatus, UnitStatus

WRITES = """SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables
            WHERE relname LIKE 'fin\\_%' ORDER BY relname"""


def assert_books(workplace, report, truth):
    assert report.problems == ()
    books = workplace.books
    for kind in Kind:
        expected = truth[kind.value]
        assert books[kind.value] == expected["rows"] == report.totals[kind].rows
        assert books[f"{kind.value}_sum"] == Decimal(expected["sum"]) == report.totals[kind].sum
    assert (report.principal, report.interest, report.other) == (
        Decimal(truth["principal"]), Decimal(truth["interest"]), Decimal(0))  # fmt: skip
    assert len(workplace.sql(workplace.url, "SELECT * FROM fin_contracts")) == truth["contract_texts"]
    assert len(workplace.sql(workplace.url, "SELECT * FROM fin_bank_accounts")) == truth["bank_accounts"]
    assert len(workplace.sql(workplace.url, "SELECT * FROM fin_organizations")) == truth["organizations"]


@pytest.mark.asyncio
async def test_day_one_adds_up_to_the_kopeck(workplace, truth):
    workplace.sample("day1")
    report = await workplace.run()
    assert (report.status, report.code) == (RunStatus.PUBLISHED, 0)
    assert_books(workplace, report, truth("day1"))
    books = workplace.books
    assert (books["receipts"], books["expenses"], books["details"]) == (80, 400, 570)
    assert books["expenses_sum"] == books["details_sum"] == Decimal("258257969.08")
    assert report.principal == Decimal("130412291.20")
    assert report.interest == Decimal("127845677.88")
    for file in report.files:
        assert (file.rows, file.control_total) == (
            truth("day1")["files"][file.name]["rows"], Decimal(truth("day1")["files"][file.name]["total"]))  # fmt: skip


@pytest.mark.asyncio
async def test_the_same_day_again_writes_nothing(workplace, truth, sql, superuser_url):
    workplace.sample("day1")
    await workplace.run()
    admin = superuser_url(workplace.url)
    before = sql(admin, WRITES)
    books = workplace.books
    start = sql(admin, "SELECT pg_current_wal_insert_lsn()")[0][0]
    report = await workplace.run()
    written = sql(admin, "SELECT pg_current_wal_insert_lsn()")[0][0] - start
    assert (report.status, report.code) == (RunStatus.UNCHANGED, 0)
    assert all(unit.status is UnitStatus.UNCHANGED for unit in report.units)
    assert workplace.books == books
    assert sql(admin, WRITES) == before
    assert written < 100_000
    assert report.totals[Kind.EXPENSES].sum == Decimal(truth("day1")["expenses"]["sum"])
    assert [f.rows for f in report.files] == [truth("day1")["files"][f.name]["rows"] for f in report.files]


@pytest.mark.asyncio
async def test_day_two_changes_exactly_what_changed_in_1c(workplace, truth, sql):
    workplace.sample("day1")
    await workplace.run()
    workplace.sample("day2")
    report = await workplace.run()
    assert (report.status, report.code) == (RunStatus.PUBLISHED, 0)
    day2 = truth("day2")
    assert_books(workplace, report, day2)
    assert (workplace.books["expenses"], workplace.books["details"]) == (396, 563)
    assert workplace.books["expenses_sum"] == Decimal("255535254.80")
    changes = sql(workplace.url, "SELECT * FROM cpimportd.change WHERE run_id = 2 ORDER BY seq")
    removed = {c["operation_id"] for c in changes if c["op"] == "delete" and c["paired_with"] is None}
    retimed = {c["operation_id"]: c["paired_with"] for c in changes if c["op"] == "delete" and c["paired_with"]}
    repriced = [c for c in changes if c["op"] == "update"]
    overnight = day2["overnight"].values()
    assert removed == {operation_id for night in overnight for operation_id in night["deleted"]}
    assert len(retimed) == sum(night["retimed"] for night in overnight)
    assert len(repriced) == sum(night["repriced"] for night in overnight)
    assert len(changes) == len(removed) + len(retimed) + len(repriced)
    added = {r["operation_id"] for r in sql(workplace.url, "SELECT * FROM cpimportd.lineage WHERE first_run = 2")}
    assert added == set(retimed.values())
    for change in repriced:
        assert set(json.loads(change["old"])) == {"amount", "details"}
        assert change["amount_before"] != change["amount_after"]
        assert change["why"] == "snapshot"
    assert all(bridge.unexplained == 0 for unit in report.units for bridge in unit.bridges)


@pytest.mark.asyncio
async def test_every_published_row_says_which_file_and_row_it_came_from(workplace, sql):
    workplace.sample("day1")
    await workplace.run()
    rows = sql(workplace.url, """
        SELECT l.operation_id, l.source_row, s.file, l.detail_rows, d.file AS detail_file, l.number, l.moment
        FROM cpimportd.lineage l JOIN cpimportd.snapshot s ON s.id = l.snapshot_id
        LEFT JOIN cpimportd.snapshot d ON d.id = l.detail_snapshot_id WHERE l.kind = 'expenses'""")  # fmt: skip
    assert len(rows) == 400
    first = next(
        r for r in rows if r["operation_id"] == "Списание с расчетного счета 0Л0Л-000041 от 20.12.2020 1:08:15"
    )
    assert (first["source_row"], first["file"], first["number"]) == (
        2,
        "Lotos - Spisanie kredity XLSX.xlsx",
        "0Л0Л-000041",
    )
    assert (first["detail_rows"], first["detail_file"]) == ([2], "Lotos - Spisanie(rasshifrovka) XLSX.xlsx")
    assert first["moment"].isoformat() == "2020-12-19T22:08:15+00:00"
    assert sum(len(r["detail_rows"]) for r in rows) == 570


@pytest.mark.asyncio
async def test_an_edit_by_hand_is_found_and_put_right_though_the_files_are_the_same(workplace, sql):
    workplace.sample("day1")
    await workplace.run()
    books = workplace.books
    sql(
        workplace.url,
        "UPDATE fin_expenses SET payment_purpose = 'поправлено руками' WHERE id = 7",
        "DELETE FROM fin_receipts WHERE id = 3",
        "UPDATE fin_expense_details SET payment_amount = payment_amount + 1 WHERE id = 11",
    )
    report = await workplace.run()
    assert report.status is RunStatus.PUBLISHED
    assert "foreign-writes" in {p.code for p in report.all_problems}
    after = workplace.books
    assert {k: after[k] for k in after if k.endswith(("_sum", "s"))} == {
        k: books[k] for k in books if k.endswith(("_sum", "s"))
    }
    assert sql(workplace.url, "SELECT * FROM fin_expenses WHERE payment_purpose = 'поправлено руками'") == []
    whys = {c["why"] for c in sql(workplace.url, "SELECT why FROM cpimportd.change WHERE run_id = 2")}
    assert whys == {"put-right"}
    assert (await workplace.run()).status is RunStatus.UNCHANGED


@pytest.mark.asyncio
async def test_an_edit_by_hand_is_told_also_where_the_files_changed(workplace, sql):
    workplace.sample("day1")
    await workplace.run()
    sql(workplace.url, "UPDATE fin_expenses SET payment_purpose = 'поправлено руками' WHERE id = 7")
    workplace.sample("day2")
    report = await workplace.run()
    assert (report.status, report.code) == (RunStatus.PUBLISHED, 0)
    assert "foreign-writes" in {p.code for p in report.all_problems}
    assert sql(workplace.url, "SELECT * FROM fin_expenses WHERE payment_purpose = 'поправлено руками'") == []


@pytest.mark.asyncio
async def test_a_file_renamed_on_the_server_changes_nothing(workplace, sql):
    workplace.sample("day1")
    await workplace.run()
    books = workplace.books
    file = workplace.file("Lotos - Spisanie kredity")
    file.rename(file.with_name("ЛОТОС списание (кредиты) новое.XLSX"))
    report = await workplace.run()
    assert report.code == 0
    assert workplace.books == books


@pytest.mark.asyncio
async def test_a_dry_run_shows_the_changes_and_leaves_the_books(workplace):
    workplace.sample("day1")
    await workplace.run()
    books = workplace.books
    workplace.sample("day2")
    tried = await workplace.run(dry_run=True)
    assert (tried.status, tried.run, workplace.books) == (RunStatus.DRY_RUN, None, books)
    done = await workplace.run()
    assert [u.bridges for u in tried.units] == [u.bridges for u in done.units]
    assert tried.totals[Kind.EXPENSES].rows == 400


@pytest.mark.asyncio
async def test_only_one_kind_leaves_the_other_alone(workplace):
    workplace.sample("day1")
    report = await workplace.run(only=frozenset({Kind.RECEIPTS}))
    assert (report.status, report.code) == (RunStatus.PUBLISHED, 0)
    books = workplace.books
    assert (books["receipts"], books["expenses"], books["details"]) == (80, 0, 0)
    assert (await workplace.run()).status is RunStatus.PUBLISHED
    assert workplace.books["expenses"] == 400


def test_a_run_loads_neither_sqlalchemy_nor_alembic(workplace, tmp_path):
    """They serve the schema and its migrations; a run would load a hundred modules to compare names of columns."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    for name in ("sqlalchemy", "alembic"):
        (hidden / f"{name}.py").write_text(f"raise ModuleNotFoundError('no', name='{name}')\n")
    workplace.sample("day1")
    done = workplace.command("run", env={**os.environ, "PYTHONPATH": str(hidden)})
    assert done.returncode == 0, done.stderr
