"""A database as the predecessor left it: the first run puts it right, and the journal says what it put right."""

import json
from decimal import Decimal

import pytest

from cpimportd.books.schema.upgrade import upgrade
from cpimportd.config.settings import Database
from cpimportd.core.model import Kind
from cpimportd.core.report import RunStatus

GONE = "Списание с расчетного счета 0Л0Л-999999 от 01.02.2021 9:00:00"
GONE_TOO = "Поступление на расчетный счет 0Л0Л-888888 от 01.02.2021 9:00:00"


@pytest.fixture
def predecessor(make_database, workplace_for, sql):
    """The backend's tables with day 1 as the predecessor would have left it, in the ways that it was wrong."""

    def make(*, index: bool = False):
        return workplace_for(make_database(backend=True, details_index=index))

    return make


async def fill_as_predecessor(workplace, sql, *, doubled: bool) -> None:
    """Import day 1, forget that it was us, then make the mistakes of the old importer."""
    url = workplace.url
    await upgrade(Database(url=url))
    workplace.sample("day1")
    await workplace.run()
    sql(
        url,
        "TRUNCATE cpimportd.served, cpimportd.lineage, cpimportd.fingerprint, cpimportd.created_reference, "
        "cpimportd.run_unit, cpimportd.change, cpimportd.snapshot, cpimportd.runs RESTART IDENTITY CASCADE",
        "DELETE FROM fin_import_logs",
        "UPDATE fin_expenses SET accounting_account = accounting_account || '.0', currency = 'руб.' WHERE department_id = 8",
        "UPDATE fin_receipts SET document_number = document_number || '.0' WHERE department_id = 8",
        "UPDATE fin_contracts SET contract_date = NULL, organization_id = NULL WHERE department_id = 8",
        "UPDATE fin_expenses SET amount = 0 WHERE id IN (SELECT min(id) FROM fin_expenses WHERE department_id = 8)",
        f"""INSERT INTO fin_expenses (operation_id, organization_id, amount, currency, unconfirmed_by_bank, document_date,
                                      department_id, is_active, created_at, updated_at)
            SELECT '{GONE}', id, 123.45, 'руб.', false, '2021-02-01', 8, true, now(), now()
            FROM fin_organizations WHERE name = 'ЛОТОС ООО'""",
        f"""INSERT INTO fin_receipts (operation_id, organization_id, amount, currency, document_date, department_id,
                                      is_active, created_at, updated_at)
            SELECT '{GONE_TOO}', id, 54.32, 'руб.', '2021-02-01', 8, true, now(), now()
            FROM fin_organizations WHERE name = 'ЛОТОС ООО'""",
    )
    if doubled:
        sql(
            url,
            """INSERT INTO fin_expense_details (expense_operation_id, contract_number, repayment_type, settlement_account,
                   payment_type, payment_amount, settlement_rate, vat_amount, department_id, created_at)
               SELECT expense_operation_id, contract_number, repayment_type, settlement_account, payment_type,
                      payment_amount, settlement_rate, vat_amount, department_id, now()
               FROM fin_expense_details WHERE department_id = 8""",
        )


@pytest.mark.asyncio
@pytest.mark.parametrize("index", [False, True], ids=["details doubled", "with the unique index"])
async def test_the_first_run_puts_the_predecessors_books_right(predecessor, sql, truth, index):
    workplace = predecessor(index=index)
    await fill_as_predecessor(workplace, sql, doubled=not index)
    others = sql(workplace.url, "SELECT * FROM fin_expenses WHERE department_id <> 8 ORDER BY id")
    report = await workplace.run()
    assert (report.status, report.code) == (RunStatus.PUBLISHED, 0)
    (kept,) = (workplace.state / "backups").iterdir()
    assert kept.read_bytes().startswith(b"PGDMP")
    day1, books = truth("day1"), workplace.books
    assert (books["receipts"], books["expenses"], books["details"]) == (80, 400, 570)
    assert books["expenses_sum"] == books["details_sum"] == Decimal(day1["expenses"]["sum"])
    assert (report.principal, report.interest) == (Decimal(day1["principal"]), Decimal(day1["interest"]))
    changes = sql(workplace.url, "SELECT * FROM cpimportd.change ORDER BY seq")
    removed = {c["operation_id"]: c["why"] for c in changes if c["op"] == "delete"}
    assert removed == {GONE: "put-right", GONE_TOO: "put-right"}
    updates = [c for c in changes if c["op"] == "update"]
    normalised = [c for c in updates if c["why"] == "normalised"]
    put_right = [c for c in updates if c["why"] == "put-right"]
    assert len(normalised) + len(put_right) == 480
    assert len(put_right) == (1 if index else 400)
    (zero,) = [c for c in put_right if c["amount_before"] == 0]
    assert zero["amount_after"] > 0
    accounts = {json.loads(c["old"]).get("accounting_account") for c in updates if c["kind"] == "expenses"}
    assert all(account.endswith(".0") for account in accounts)
    contracts = sql(workplace.url, "SELECT * FROM cpimportd.change WHERE op = 'reference'")
    assert {c["kind"] for c in contracts} == {"contract"}
    dates = sql(
        workplace.url,
        "SELECT contract_date FROM fin_contracts WHERE contract_number LIKE '% от %' AND department_id = 8",
    )
    assert all(row["contract_date"] is not None for row in dates)
    assert sql(workplace.url, "SELECT * FROM fin_expenses WHERE department_id <> 8 ORDER BY id") == others
    assert sql(workplace.url, "SELECT version_num FROM public.alembic_version")[0][0] == "f3a91c0b77de"
    assert (await workplace.run()).status is RunStatus.UNCHANGED


@pytest.mark.asyncio
async def test_documents_of_organizations_that_no_file_names_are_left_and_told(predecessor, sql):
    workplace = predecessor()
    await upgrade(Database(url=workplace.url))
    sql(
        workplace.url,
        """INSERT INTO fin_organizations (name, department_id, is_active, created_at, updated_at)
           VALUES ('Тестовая ООО', 8, true, now(), now())""",
        """INSERT INTO fin_expenses (operation_id, organization_id, amount, currency, unconfirmed_by_bank, department_id,
                                     is_active, created_at, updated_at)
           SELECT 'EXP-0001', id, 1000, 'RUB', false, 8, true, now(), now() FROM fin_organizations
           WHERE name = 'Тестовая ООО'""",
    )
    workplace.sample("day1")
    report = await workplace.run()
    (told,) = [p for p in report.problems if p.code == "not-in-snapshot"]
    assert told.organization == "Тестовая ООО"
    assert "1 documents (expenses), 1\u00a0000,00" in told.message
    assert report.code == 0
    assert len(sql(workplace.url, "SELECT * FROM fin_expenses WHERE operation_id = 'EXP-0001'")) == 1


@pytest.mark.asyncio
async def test_documents_of_a_kind_that_no_file_brings_are_told_of_an_organization_that_has_another_file(
    workplace, sql
):
    workplace.sample("day1")
    for part in ("Lotos - Spisanie kredity", "Lotos - Spisanie(rasshifrovka)"):
        workplace.file(part).unlink()
    await workplace.run()
    sql(
        workplace.url,
        """INSERT INTO fin_expenses (operation_id, organization_id, amount, currency, unconfirmed_by_bank, department_id,
                                     is_active, created_at, updated_at)
           SELECT 'EXP-0001', id, 999, 'RUB', false, 8, true, now(), now() FROM fin_organizations
           WHERE name = 'ЛОТОС ООО'""",
    )
    report = await workplace.run()
    (told,) = [p for p in report.problems if p.code == "not-in-snapshot"]
    assert (told.organization, told.value) == ("ЛОТОС ООО", "expenses")
    only = await workplace.run(only=frozenset({Kind.RECEIPTS}))
    assert "not-in-snapshot" not in {p.code for p in only.problems}
