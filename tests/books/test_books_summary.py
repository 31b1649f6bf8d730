"""The summary adds up what is in the tables, each amount once."""

import json
from decimal import Decimal

import pytest

from cpimportd.books.reports.overview import summary
from cpimportd.books.schema.upgrade import upgrade
from cpimportd.config.settings import Database
from cpimportd.core.model import Kind
from cpimportd.core.typed import to_json

FILL = """
    INSERT INTO fin_organizations (id, name, department_id, is_active) VALUES (1, 'A', 8, true), (2, 'B', 9, true);
    INSERT INTO fin_contracts (id, contract_number, department_id, is_active)
    VALUES (1, 'N 1', 8, true), (2, 'N 2', 8, false), (3, 'N 1', 9, true);
    INSERT INTO fin_receipts (operation_id, organization_id, amount, currency, department_id, is_active) VALUES
    ('r1', 1, 1000.10, 'RUB', 8, true), ('r2', 1, 0.20, 'CNY', 8, false), ('r3', 2, 77, 'RUB', 9, true);
    INSERT INTO fin_expenses (operation_id, organization_id, contract_id, amount, currency, unconfirmed_by_bank,
                              department_id, is_active) VALUES
    ('e1', 1, 1, 300.30, 'RUB', false, 8, true), ('e2', 1, 1, 50, NULL, true, 8, true),
    ('e3', 2, 3, 5, 'RUB', true, 9, true);
    INSERT INTO fin_expense_details (expense_operation_id, payment_type, payment_amount, department_id) VALUES
    ('e1', 'Погашение долга', 200, 8), ('e1', 'Погашение долга', 50.25, 8), ('e1', 'Уплата процентов', 50.05, 8),
    ('e2', 'Комиссия', 30, 8), ('e2', NULL, 20, 8), ('e3', 'Погашение долга', 5, 9);
"""


@pytest.mark.asyncio
@pytest.mark.parametrize("in_transaction", [True, False])
async def test_every_amount_of_the_department_is_counted_once(
    backend_database, connect, sql, superuser_url, in_transaction
):
    await upgrade(Database(url=backend_database))
    sql(superuser_url(backend_database), "INSERT INTO departments VALUES (80, 'x', 'x', '', true, now(), now())")
    sql(backend_database, FILL)
    async with connect(backend_database) as connection:
        if in_transaction:
            async with connection.transaction():
                found = await summary(connection, 8)
        else:
            found = await summary(connection, 8)
        empty = await summary(connection, 80)
    assert (found.total_receipts, found.total_expenses) == (Decimal("1000.30"), Decimal("350.30"))
    assert found.net_balance == Decimal("650.00")
    assert (found.principal, found.interest, found.other) == (Decimal("250.25"), Decimal("50.05"), Decimal(50))
    assert found.principal + found.interest + found.other == found.documents[Kind.DETAILS].sum
    assert {kind.value: total.rows for kind, total in found.documents.items()} == {
        "receipts": 2,
        "expenses": 2,
        "details": 5,
    }
    assert found.active_contracts == 1
    assert (found.unconfirmed.rows, found.unconfirmed.sum) == (1, Decimal(50))
    assert {c.currency: (c.receipts, c.expenses) for c in found.currencies} == {
        "": (0, Decimal(50)),
        "CNY": (Decimal("0.20"), 0),
        "RUB": (Decimal("1000.10"), Decimal("300.30")),
    }
    assert (empty.total_receipts, empty.net_balance, empty.active_contracts, empty.last_run) == (0, 0, 0, None)


@pytest.mark.asyncio
async def test_the_latest_run_and_the_latest_that_published_are_told(database, connect, sql):
    sql(
        database,
        "INSERT INTO cpimportd.runs (department_id, status) VALUES (8, 'published'), (8, 'unchanged'), (8, 'failed')",
    )
    async with connect(database) as connection:
        found = await summary(connection, 8)
    assert (found.last_run.status, found.last_published.status) == ("failed", "published")
    shown = json.loads(json.dumps(to_json(found)))
    assert shown["last_run"]["status"] == "failed"
    assert shown["net_balance"] == "0.00"
    assert shown["documents"]["details"] == {"rows": 0, "sum": "0.00"}
