"""In the backend's house: nothing added to its tables, its columns filled as it expects, its other departments untouched."""

from datetime import timedelta
from decimal import Decimal

import pytest

from cpimportd.books.schema.upgrade import upgrade
from cpimportd.config.settings import Database
from cpimportd.core.report import RunStatus, UnitStatus
from cpimportd.demo.workbook import write_workbook

SHAPE = """
    SELECT c.table_name, c.column_name, c.data_type, c.character_maximum_length, c.column_default, c.is_nullable
    FROM information_schema.columns c WHERE c.table_schema = 'public' ORDER BY 1, 2"""
INDEXES = "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"
TITLES = ["Поступление на расчетный счет", "Организация", "Вид операции", "Банковский счет", "Счет учета",
          "Номер входящего документа", "Дата входящего документа", "Плательщик", "Договор", "Сумма",
          "Назначение платежа"]  # fmt: skip


def receipt(number: int, amount: str, *, organization: str = "ЛОТОС ООО", purpose: str = "Кредит") -> list[object]:
    return [f"Поступление на расчетный счет 0Л00-{number:06} от {1 + number % 28:02}.03.2024 9:00:00", organization,
            "Получение кредита в банке", "ПРИМЕРБАНК (руб.)", "51", f"{number}", f"{1 + number % 28:02}.03.2024",
            "БАНК ПАО", "Договор N 1 от 01.02.2020", Decimal(amount), purpose]  # fmt: skip


def upload(workplace, name: str, rows: list[list[object]]) -> None:
    write_workbook(workplace.upload / name, TITLES, rows, {"Сумма": sum(row[9] for row in rows)})


@pytest.fixture
def backend(make_database, workplace_for):
    return workplace_for(make_database(backend=True))


@pytest.mark.asyncio
async def test_nothing_is_added_to_the_backends_tables(backend, sql):
    before = sql(backend.url, SHAPE), sql(backend.url, INDEXES)
    await upgrade(Database(url=backend.url))
    backend.sample("day1")
    assert (await backend.run()).code == 0
    assert (sql(backend.url, SHAPE), sql(backend.url, INDEXES)) == before
    foreign_keys = """SELECT count(*) FROM pg_constraint WHERE contype = 'f'
                      AND conrelid::regclass::text LIKE 'cpimportd.%' AND confrelid::regclass::text NOT LIKE 'cpimportd.%'"""
    assert sql(backend.url, foreign_keys)[0][0] == 0


@pytest.mark.asyncio
async def test_every_column_that_the_backend_cannot_do_without_is_written(backend, sql):
    await upgrade(Database(url=backend.url))
    backend.sample("day1")
    await backend.run()
    empty = sql(backend.url, """
        SELECT (SELECT count(*) FROM fin_expenses WHERE department_id = 8 AND (unconfirmed_by_bank IS NULL OR currency IS NULL
                    OR is_active IS NULL OR updated_at IS NULL OR created_at IS NULL OR document_date IS NULL))
             + (SELECT count(*) FROM fin_receipts WHERE department_id = 8 AND (currency IS NULL OR updated_at IS NULL))
             + (SELECT count(*) FROM fin_expense_details WHERE department_id = 8 AND settlement_rate IS NULL)
             + (SELECT count(*) FROM fin_import_logs WHERE processed_by = 'cpimportd'
                AND (rows_inserted IS NULL OR rows_updated IS NULL OR rows_failed IS NULL OR import_date IS NULL))""")  # fmt: skip
    assert empty[0][0] == 0
    logs = sql(backend.url, "SELECT * FROM fin_import_logs WHERE processed_by = 'cpimportd'")
    assert {log["table_name"] for log in logs} == {"fin_receipts", "fin_expenses", "fin_expense_details"}
    assert {log["status"] for log in logs} == {"success"}
    assert {log["source_file"] for log in logs} == {path.name for path in backend.upload.iterdir()}


@pytest.mark.asyncio
async def test_updated_at_moves_with_a_change_and_only_then(workplace, sql):
    workplace.sample("day1")
    await workplace.run()
    stamps = {r["operation_id"]: r["updated_at"] for r in sql(workplace.url, "SELECT * FROM fin_expenses")}
    ids = sql(workplace.url, "SELECT last_value FROM fin_expenses_id_seq")
    workplace.sample("day2")
    await workplace.run()
    changed = {r["operation_id"] for r in sql(workplace.url, "SELECT * FROM cpimportd.change WHERE op = 'update'")}
    for row in sql(workplace.url, "SELECT * FROM fin_expenses"):
        if row["operation_id"] in stamps:
            assert (row["updated_at"] > stamps[row["operation_id"]]) is (row["operation_id"] in changed)
    # Four documents were re-timed, and these alone used up ids.
    assert sql(workplace.url, "SELECT last_value FROM fin_expenses_id_seq")[0][0] == ids[0][0] + 4
    (zone,) = sql(workplace.url, "SELECT abs(extract(epoch FROM max(updated_at) - localtimestamp)) FROM fin_expenses")
    assert zone[0] < timedelta(minutes=5).total_seconds()


@pytest.mark.asyncio
async def test_a_department_that_does_not_exist_is_said_and_not_created(workplace, sql):
    workplace.sample("day1")
    report = await workplace.run(workplace.settings.model_copy(update={"department_id": 77}))
    assert [p.code for p in report.problems] == ["department-missing"]
    assert sql(workplace.url, "SELECT count(*) FROM departments")[0][0] == 1


@pytest.mark.asyncio
async def test_a_missing_right_is_said_with_the_grant_that_it_takes(backend, sql, superuser_url):
    await upgrade(Database(url=backend.url))
    sql(superuser_url(backend.url), "REVOKE DELETE ON fin_receipts FROM cpimportd",
        "REVOKE USAGE ON SEQUENCE fin_expenses_id_seq FROM cpimportd")  # fmt: skip
    backend.sample("day1")
    report = await backend.run()
    assert (report.status, {p.code for p in report.problems}) == (RunStatus.FAILED, {"database-rights"})
    assert any("GRANT DELETE ON" in p.way_out for p in report.problems)
    assert any("GRANT USAGE ON SEQUENCE" in p.way_out for p in report.problems)


@pytest.mark.asyncio
async def test_a_text_that_does_not_fit_is_cut_kept_whole_in_extra_and_told(workplace, sql):
    long = "Очень длинный плательщик " * 20
    row = receipt(1, "10.00")
    row[7] = long
    upload(workplace, "Поступление.xlsx", [row])
    report = await workplace.run()
    assert report.code == 0
    assert "text-cut" in {p.code for p in report.all_problems}
    (kept,) = sql(workplace.url, "SELECT payer FROM fin_receipts")
    assert kept["payer"] == long.strip()[:255]
    assert long.strip() in sql(workplace.url, "SELECT extra::text FROM cpimportd.lineage")[0][0]


@pytest.mark.asyncio
async def test_a_key_that_does_not_fit_is_a_reject(workplace, sql):
    row = receipt(1, "10.00")
    row[8] = "Договор " + "N" * 300
    upload(workplace, "Поступление.xlsx", [row])
    report = await workplace.run()
    assert report.code == 3
    (reject,) = [p for p in report.all_problems if p.code == "reject"]
    assert (reject.row, reject.column) == (2, "Договор")
    assert workplace.books["receipts"] == 0


@pytest.mark.asyncio
async def test_all_rejects_of_a_file_are_listed_with_row_column_and_value(workplace):
    bad = [receipt(n, "10.00") for n in range(1, 5)]
    bad[0][9] = "десять"
    bad[2][6] = "31.02.2024"
    bad[3][1] = None
    write_workbook(workplace.upload / "Поступление.xlsx", TITLES, bad, {"Сумма": 40})
    report = await workplace.run()
    rejects = {(p.row, p.column, p.value) for p in report.all_problems if p.code == "reject"}
    assert {(2, "Сумма", "десять"), (4, "Дата входящего документа", "31.02.2024")} <= rejects
    assert {row for row, *_ in rejects} == {2, 4, 5}
    assert workplace.books["receipts"] == 0


@pytest.mark.asyncio
async def test_an_organization_renamed_in_1c_is_held_and_once_accepted_keeps_its_rows(workplace, sql):
    rows = [receipt(n, "10.00") for n in range(1, 11)]
    upload(workplace, "Поступление.xlsx", rows)
    await workplace.run()
    ids = sql(workplace.url, "SELECT id, operation_id FROM fin_receipts ORDER BY id")
    upload(workplace, "Поступление.xlsx", [[row[0], "ЛОТОС ПЛЮС ООО", *row[2:]] for row in rows])
    held = await workplace.run()
    assert held.code == 3
    assert "renamed" in {p.code for p in held.all_problems}
    await workplace.run(accepted=("ЛОТОС ПЛЮС ООО/receipts",))
    assert sql(workplace.url, "SELECT id, operation_id FROM fin_receipts ORDER BY id") == ids
    names = "SELECT DISTINCT o.name FROM fin_receipts r JOIN fin_organizations o ON o.id = r.organization_id"
    assert [r["name"] for r in sql(workplace.url, names)] == ["ЛОТОС ПЛЮС ООО"]
    again = await workplace.run()
    assert (again.status, again.code) == (RunStatus.UNCHANGED, 0)


@pytest.mark.asyncio
async def test_nothing_overrides_an_integrity_check(workplace):
    rows = [receipt(n, "10.00") for n in range(1, 4)]
    write_workbook(workplace.upload / "Поступление.xlsx", TITLES, rows, {"Сумма": 31})
    report = await workplace.run(accepted=("ЛОТОС ООО/receipts",))
    assert report.code == 3
    assert "control-total" in {p.code for p in report.all_problems}
    assert workplace.books["receipts"] == 0


@pytest.mark.asyncio
async def test_one_file_of_two_organizations_is_an_atom_of_integrity(workplace):
    rows = [receipt(1, "10.00"), receipt(2, "20.00", organization="МОСТ ООО")]
    upload(workplace, "Поступление.xlsx", rows)
    report = await workplace.run()
    assert {u.unit.organization for u in report.units} == {"ЛОТОС ООО", "МОСТ ООО"}
    assert report.code == 0
    write_workbook(workplace.upload / "Поступление.xlsx", TITLES, [*rows, receipt(3, "5.00")], {"Сумма": 36})
    report = await workplace.run()
    assert {u.unit.organization for u in report.units if u.status is UnitStatus.HELD} == {"ЛОТОС ООО", "МОСТ ООО"}
    assert workplace.books["receipts_sum"] == Decimal("30.00")


@pytest.mark.asyncio
async def test_two_files_of_one_organization_are_one_snapshot(workplace):
    upload(workplace, "Поступление 2023.xlsx", [receipt(1, "10.00")])
    upload(workplace, "Поступление 2024.xlsx", [receipt(2, "20.00")])
    report = await workplace.run()
    assert (report.code, workplace.books["receipts_sum"]) == (0, Decimal("30.00"))
    upload(workplace, "Поступление 2024.xlsx", [receipt(2, "21.00"), receipt(3, "1.00")])
    report = await workplace.run()
    assert (report.code, workplace.books["receipts_sum"]) == (0, Decimal("32.00"))


ACTIVE = "SELECT name, is_active FROM fin_organizations WHERE department_id = 8 ORDER BY name"


def active(workplace) -> dict[str, bool]:
    return {row["name"]: row["is_active"] for row in workplace.sql(workplace.url, ACTIVE)}


def called(rows, name):
    return [[row[0], name, *row[2:]] for row in rows]


async def call(workplace, rows, name):
    """1C calls the organization so from now on, and a human accepts it."""
    upload(workplace, "Поступление.xlsx", called(rows, name))
    report = await workplace.run(accepted=(f"{name}/receipts",))
    assert report.status is RunStatus.PUBLISHED
    return report


@pytest.fixture
def rows():
    return [receipt(n, "10.00") for n in range(1, 11)]


@pytest.mark.asyncio
async def test_the_old_name_of_a_renamed_organization_is_active_no_more_and_active_again_on_its_return(workplace, rows):
    upload(workplace, "Поступление.xlsx", rows)
    await workplace.run()
    report = await call(workplace, rows, "ЛОТОС ПЛЮС ООО")
    assert active(workplace) == {"ЛОТОС ООО": False, "ЛОТОС ПЛЮС ООО": True}
    assert "old-name-active" not in {found.code for found in report.all_problems}
    journal = "SELECT op, operation_id, old, new FROM cpimportd.change WHERE kind = 'organization' AND run_id = $1"
    (line,) = workplace.sql(workplace.url, journal.replace("$1", str(report.run)))
    assert (line["op"], line["operation_id"], line["new"]) == ("reference", "ЛОТОС ООО", '{"is_active": false}')
    await call(workplace, rows, "ЛОТОС ООО")  # and back
    assert active(workplace) == {"ЛОТОС ООО": True, "ЛОТОС ПЛЮС ООО": False}
    assert (await workplace.run()).status is RunStatus.UNCHANGED


@pytest.mark.asyncio
async def test_an_old_name_that_still_has_expenses_stays_active(workplace, rows):
    upload(workplace, "Поступление.xlsx", rows)
    await workplace.run()
    workplace.sql(
        workplace.url,
        "INSERT INTO fin_expenses (operation_id, organization_id, amount, currency, unconfirmed_by_bank, department_id, "
        "is_active, created_at, updated_at) SELECT 'Списание 1', id, 5, 'RUB', false, 8, true, now(), now() "
        "FROM fin_organizations",
    )
    await call(workplace, rows, "ЛОТОС ПЛЮС ООО")
    assert active(workplace) == {"ЛОТОС ООО": True, "ЛОТОС ПЛЮС ООО": True}


@pytest.mark.asyncio
async def test_a_name_that_somebody_else_made_is_never_touched_but_told_of(workplace, rows):
    workplace.sql(
        workplace.url,
        "INSERT INTO fin_organizations (name, department_id, is_active, created_at, updated_at) "
        "VALUES ('ЛОТОС ООО', 8, true, now(), now())",
    )
    upload(workplace, "Поступление.xlsx", rows)
    await workplace.run()
    report = await call(workplace, rows, "ЛОТОС ПЛЮС ООО")
    assert active(workplace) == {"ЛОТОС ООО": True, "ЛОТОС ПЛЮС ООО": True}
    (told,) = [found for found in report.all_problems if found.code == "old-name-active"]
    assert (told.organization, told.value) == ("ЛОТОС ПЛЮС ООО", "ЛОТОС ООО")
    assert report.code == 0


@pytest.mark.asyncio
async def test_what_a_human_decided_about_a_name_stays(workplace, rows):
    upload(workplace, "Поступление.xlsx", rows)
    await workplace.run()
    workplace.sql(workplace.url, "UPDATE fin_organizations SET is_active = false")  # by hand, while it has documents
    await call(workplace, rows, "ЛОТОС ПЛЮС ООО")
    await call(workplace, rows, "ЛОТОС ООО")
    assert active(workplace) == {"ЛОТОС ООО": False, "ЛОТОС ПЛЮС ООО": False}
    workplace.sql(workplace.url, "UPDATE fin_organizations SET is_active = true WHERE name = 'ЛОТОС ПЛЮС ООО'")
    assert (await workplace.run()).status is RunStatus.UNCHANGED
    assert active(workplace)["ЛОТОС ПЛЮС ООО"]
