"""The bridge per contract, and what a run keeps for explaining and undoing it."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

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
    (row,) = sql(database, "SELECT * FROM cpimportd.run_contract WHERE run_id = 2")
    assert (row["added"], row["removed"], row["changed"]) == (0, 0, Decimal("0.50"))


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
