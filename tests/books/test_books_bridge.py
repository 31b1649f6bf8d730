"""The bridge per contract, and what a run keeps for explaining and undoing it."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from cpimportd.books.database import queries
from cpimportd.books.journal.contracts import bridges_of_run
from cpimportd.books.publish import account, merge, stage
from cpimportd.core.model import Kind
from cpimportd.core.problems import ProblemError
from cpimportd.core.report import TERMS
from cpimportd.core.verdicts import Judgement

BY_CONTRACT = """
    SELECT coalesce(k.contract_number, '') AS contract, sum(f.amount) AS total
    FROM fin_expenses f LEFT JOIN fin_contracts k ON k.id = f.contract_id GROUP BY 1
"""


def sums(sql, database):
    return {row["contract"]: row["total"] for row in sql(database, BY_CONTRACT)}


def two_days(made):
    one, two, three, four = (made.expense(n, f"{n}00.50") for n in (1, 2, 3, 4))
    other = {**made.expense(5, "50.00"), "contract": "Договор N 9 от 01.02.2022"}
    none = {**made.expense(6, "6.00"), "contract": None}
    first = [one, two, three, four, other, none]
    moved = {**two, "contract": other["contract"]}
    dearer = {**three, "amount": Decimal("310.50")}
    new = {**made.expense(7, "70.00"), "contract": other["contract"]}
    second = [one, moved, dearer, other, new, {**none, "comment": "seen"}]
    return (
        made.Day(expenses=rows, details=[made.line(row, str(row["amount"])) for row in rows])
        for rows in (first, second)
    )


@pytest.mark.asyncio
async def test_the_bridge_per_contract_explains_what_the_books_held_and_hold(database, publish_day, made, sql):
    first, second = two_days(made)
    await publish_day(first)
    before = sums(sql, database)
    await publish_day(second)
    after = sums(sql, database)
    rows = sql(database, "SELECT * FROM cpimportd.run_contract WHERE run_id = 2 AND kind = 'expenses'")
    bridges = {row["contract"]: row for row in rows}
    assert set(bridges) == {"Договор N 17 от 23.09.2021", "Договор N 9 от 01.02.2022"}
    for contract, row in bridges.items():
        assert row["opening"] == before[contract]
        assert row["closing"] == after[contract]
        assert row["opening"] + row["added"] - row["removed"] + row["changed"] == row["closing"]
    held = bridges["Договор N 17 от 23.09.2021"]
    assert (held["added"], held["removed"], held["changed"]) == (0, Decimal("601.00"), Decimal("10.00"))
    (unit,) = sql(database, "SELECT * FROM cpimportd.run_unit WHERE run_id = 2 AND kind = 'expenses'")
    moved = sum(row["closing"] - row["opening"] for row in bridges.values())
    assert moved == unit["closing"] - unit["opening"]


@pytest.mark.asyncio
async def test_a_retimed_document_is_a_change_of_its_contract_and_nothing_else(database, publish_day, made, sql):
    day, _ = two_days(made)
    await publish_day(day)
    one = day.expenses[0]
    later = {**one, "operation_id": one["operation_id"].replace("10:01:00", "11:01:00"), "amount": Decimal("101.00")}
    pair = {one["operation_id"]: later["operation_id"]}
    await publish_day(
        made.Day(
            expenses=[later, *day.expenses[1:]],
            details=[made.line(later, "101.00"), *day.details[1:]],
            judge=lambda facts: {fact.unit: Judgement(retimed=pair) for fact in facts},
        )
    )
    rows = sql(database, "SELECT * FROM cpimportd.run_contract WHERE run_id = 2")
    assert {row["kind"]: (row["added"], row["removed"], row["changed"]) for row in rows} == {
        kind: (0, 0, Decimal("0.50")) for kind in ("expenses", "details", "principal")
    }


@pytest.mark.asyncio
async def test_the_journal_says_where_what_was_before_had_come_from(database, publish_day, made, sql):
    first, second = two_days(made)
    await publish_day(first)
    lineage = {
        row["operation_id"]: dict(row)
        for row in sql(database, "SELECT * FROM cpimportd.lineage WHERE kind = 'expenses'")
    }
    await publish_day(second)
    entries = sql(database, "SELECT * FROM cpimportd.change WHERE run_id = 2 AND kind = 'expenses'")
    assert {row["op"] for row in entries} == {"update", "delete"}
    for row in entries:
        then = json.loads(row["lineage"])
        known = lineage[row["operation_id"]]
        for name in ("first_run", "last_run", "snapshot_id", "source_row", "detail_rows", "number"):
            assert then[name] == known[name]


@pytest.mark.asyncio
async def test_a_run_keeps_what_was_served_before_it(database, publish_day, made, sql):
    first, second = two_days(made)
    await publish_day(first)
    served = sql(database, "SELECT file, digest FROM cpimportd.served ORDER BY kind")
    await publish_day(second)
    rows = sql(database, "SELECT kind, served_before FROM cpimportd.run_unit WHERE run_id = 2 ORDER BY kind")
    kept = [entry for row in rows for entry in json.loads(row["served_before"])]
    assert [(entry["file"], entry["digest"]) for entry in kept] == [tuple(row) for row in served]
    (empty,) = sql(database, "SELECT served_before FROM cpimportd.run_unit WHERE run_id = 1 AND kind = 'expenses'")
    assert json.loads(empty["served_before"]) == []


@pytest.mark.asyncio
async def test_a_held_unit_replaced_nothing(database, publish_day, made, sql):
    first, second = two_days(made)
    await publish_day(first)
    held = replace(second, judge=lambda facts: {fact.unit: Judgement(stuck=True) for fact in facts})
    await publish_day(held)
    rows = sql(database, "SELECT served_before FROM cpimportd.run_unit WHERE run_id = 2")
    assert [row["served_before"] for row in rows] == [None, None]
    assert not sql(database, "SELECT * FROM cpimportd.run_contract WHERE run_id = 2")


PRINCIPAL, INTEREST = "Погашение долга", "Уплата процентов"
SEVENTEEN, NINE = "Договор N 17 от 23.09.2021", "Договор N 9 от 01.02.2022"


def paid_days(made):
    """A document whose lines pay something else on the second day, and one that goes to another contract with its lines."""
    one, two = made.expense(1, "100.50"), made.expense(2, "200.50")
    stays = {**made.expense(3, "50.00"), "contract": NINE}
    lines = [
        made.line(two, "150.00", PRINCIPAL),
        made.line(two, "50.50", "Прочее"),
        made.line(stays, "50.00", INTEREST),
    ]
    yield made.Day(expenses=[one, two, stays], details=[made.line(one, "100.50", PRINCIPAL), *lines])
    parts = [made.line(one, "60.00", PRINCIPAL), made.line(one, "40.50", INTEREST)]
    yield made.Day(expenses=[one, {**two, "contract": NINE}, stays], details=[*parts, *lines])


def terms(*amounts):
    return tuple(map(Decimal, amounts))


def moved_in(sql, database, run):
    """Per contract and figure: opening, added, removed, changed, closing."""
    rows = sql(database, f"SELECT * FROM cpimportd.run_contract WHERE run_id = {run}")
    return {(row["contract"], row["kind"]): tuple(row[name] for name in TERMS) for row in rows}


@pytest.mark.asyncio
async def test_the_bridge_per_contract_tells_what_its_documents_pay(database, publish_day, made, sql, take_back):
    first, second = paid_days(made)
    await publish_day(first)
    await publish_day(second)
    assert moved_in(sql, database, 2) == {
        (SEVENTEEN, "expenses"): terms("301.00", 0, "200.50", 0, "100.50"),
        (SEVENTEEN, "details"): terms("301.00", 0, "200.50", 0, "100.50"),
        (SEVENTEEN, "principal"): terms("250.50", 0, "150.00", "-40.50", "60.00"),
        (SEVENTEEN, "interest"): terms(0, 0, 0, "40.50", "40.50"),
        (SEVENTEEN, "other"): terms("50.50", 0, "50.50", 0, 0),
        (NINE, "expenses"): terms("50.00", "200.50", 0, 0, "250.50"),
        (NINE, "details"): terms("50.00", "200.50", 0, 0, "250.50"),
        (NINE, "principal"): terms(0, "150.00", 0, 0, "150.00"),
        (NINE, "other"): terms(0, "50.50", 0, 0, "50.50"),
    }
    await take_back(2)
    back = moved_in(sql, database, 3)
    assert back[SEVENTEEN, "principal"] == terms("60.00", "150.00", 0, "40.50", "250.50")
    assert back[SEVENTEEN, "interest"] == terms("40.50", 0, 0, "-40.50", 0)
    assert back[NINE, "other"] == terms("50.50", 0, "50.50", 0, 0)
    assert back.keys() == moved_in(sql, database, 2).keys()


@pytest.mark.asyncio
async def test_a_payment_type_that_changes_is_all_that_moves(database, publish_day, made, sql, connect):
    first, _ = paid_days(made)
    await publish_day(first)
    one, *others = first.details
    await publish_day(replace(first, details=[{**one, "payment_type": INTEREST}, *others]))
    assert moved_in(sql, database, 2) == {
        (SEVENTEEN, "principal"): terms("250.50", 0, 0, "-100.50", "150.00"),
        (SEVENTEEN, "interest"): terms(0, 0, 0, "100.50", "100.50"),
    }
    async with connect(database) as connection:
        told = [(one.contract, one.kind.value) async for one in bridges_of_run(connection, 1)]
    assert told == [
        *((SEVENTEEN, figure) for figure in ("expenses", "details", "principal", "other")),
        *((NINE, figure) for figure in ("expenses", "details", "interest")),
    ]


@pytest.mark.asyncio
async def test_what_somebody_made_of_a_contracts_lines_is_where_its_bridges_open(database, publish_day, made, sql):
    first, _ = paid_days(made)
    await publish_day(first)
    sql(
        database,
        f"UPDATE fin_expense_details SET payment_type = '{INTEREST}' WHERE payment_amount = 100.50",
        "DELETE FROM fin_expense_details WHERE payment_amount = 50.50",
    )
    await publish_day(replace(first, put_right=True))
    assert moved_in(sql, database, 2) == {
        (SEVENTEEN, "details"): terms("250.50", 0, 0, "50.50", "301.00"),
        (SEVENTEEN, "principal"): terms("150.00", 0, 0, "100.50", "250.50"),
        (SEVENTEEN, "interest"): terms("100.50", 0, 0, "-100.50", 0),
        (SEVENTEEN, "other"): terms(0, 0, 0, "50.50", "50.50"),
    }


@pytest.mark.asyncio
async def test_a_contract_whose_lines_are_not_what_was_compared_stops_the_run(database, publish_day, made, connect):
    """Between the comparison and the bridge a line of the books becomes another, as a trigger could make it."""
    first, _ = paid_days(made)
    await publish_day(first)
    async with connect(database) as connection, connection.transaction():
        await stage.lay_out(connection, 8, 1, "Europe/Moscow")
        await connection.execute(queries.sql("undo", "create"))
        await connection.execute("INSERT INTO stage_unit (organization, kind) VALUES ('ЛОТОС ООО', 'expenses')")
        await connection.execute(queries.sql("facts", "find_organizations"))
        await merge.remember(connection)
        await merge.match(connection, 1)
        await connection.execute("DELETE FROM cpimportd.run_contract")
        await account.bridge_contracts(connection)
        assert not await connection.fetch("SELECT FROM cpimportd.run_contract")
        await connection.execute("UPDATE fin_expense_details SET payment_amount = 43.50 WHERE payment_amount = 50.50")
        with pytest.raises(ProblemError) as stopped:
            await account.bridge_contracts(connection)
    (found,) = stopped.value.problems
    assert (found.code, found.organization, found.value) == (
        "sums-differ", f"ЛОТОС ООО, {SEVENTEEN}", Kind.DETAILS.table,
    )  # fmt: skip
    assert (found.facts["sum"], found.facts["total"]) == ("294.00", "301.00")
