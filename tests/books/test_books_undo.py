"""Undoing runs: the books to the row as they were before, whatever the run had done to them."""

import json
from dataclasses import replace

import pytest

from cpimportd.books.database.connection import connect
from cpimportd.books.journal.memory import foreign_writes, undone
from cpimportd.config.settings import Database
from cpimportd.core.model import Group, Unit
from cpimportd.core.problems import ProblemError
from cpimportd.core.verdicts import Judgement
from tests.support.books.before_and_after import books, three_days

LOTOS = Unit("ЛОТОС ООО", Group.EXPENSES)


@pytest.mark.asyncio
async def test_the_books_are_to_the_row_what_they_were_before_the_run(database, publish_day, made, sql, take_back):
    first, second, _ = three_days(made)
    await publish_day(first)
    before = books(sql, database, contracts=False)
    await publish_day(second)
    assert books(sql, database, contracts=False) != before
    undone_run = await take_back(2)
    assert books(sql, database, contracts=False) == before
    (run,) = sql(database, "SELECT * FROM cpimportd.runs WHERE id = 3")
    assert (run["trigger"], run["undoes"], run["requested_by"], run["status"]) == (
        "undo", [2], "olga@office", "published")  # fmt: skip
    report = next(unit for unit in undone_run.units if unit.unit == LOTOS)
    assert (report.inserted, report.removed, report.updated) == (1, 1, 3)
    assert all(bridge.unexplained == 0 for unit in undone_run.units for bridge in unit.bridges)
    active = sql(database, "SELECT contract_number FROM fin_contracts WHERE is_active")
    assert [row[0] for row in active] == ["Договор N 17 от 23.09.2021"]


@pytest.mark.asyncio
async def test_an_undo_can_be_undone(database, publish_day, made, sql, take_back):
    first, second, _ = three_days(made)
    await publish_day(first)
    await publish_day(second)
    after = books(sql, database)
    await take_back(2)
    await take_back(3)
    assert books(sql, database) == after
    assert not sql(database, "SELECT * FROM cpimportd.undone_unit")


@pytest.mark.asyncio
async def test_a_run_that_later_ones_built_upon_is_refused_and_undone_through_them(
    database, publish_day, made, sql, take_back
):
    first, second, third = three_days(made)
    await publish_day(first)
    before = books(sql, database, contracts=False)
    await publish_day(second)
    await publish_day(third)
    after = books(sql, database)
    with pytest.raises(ProblemError) as refused:
        await take_back(2)
    assert refused.value.problems[0].code == "undo-refused"
    assert "--through" in refused.value.problems[0].way_out
    assert books(sql, database) == after
    await take_back(2, through=True)
    assert books(sql, database, contracts=False) == before
    (run,) = sql(database, "SELECT undoes FROM cpimportd.runs ORDER BY id DESC LIMIT 1")
    assert run["undoes"] == [3, 2]


@pytest.mark.asyncio
async def test_the_first_run_can_be_undone_and_leaves_no_document(database, publish_day, made, sql, take_back):
    first, _, _ = three_days(made)
    await publish_day(first)
    await take_back(1)
    left = books(sql, database, contracts=False)
    assert not any(left.values())
    assert not sql(database, "SELECT * FROM fin_contracts WHERE is_active")


@pytest.mark.asyncio
async def test_rekeyed_and_retimed_documents_get_their_keys_back(database, publish_day, made, sql, take_back):
    first, _, _ = three_days(made)
    await publish_day(first)
    before = books(sql, database)
    renamed = [{**row, "operation_id": row["operation_id"].replace("0Л00", "0М00")} for row in first.expenses]
    pairs = {old["operation_id"]: new["operation_id"] for old, new in zip(first.expenses, renamed, strict=True)}
    new = dict(zip([row["operation_id"] for row in first.expenses], renamed, strict=True))
    lines = [{**line, "operation_id": new[line["operation_id"]]["operation_id"]} for line in first.details]
    day = replace(
        first,
        expenses=renamed,
        details=lines,
        judge=lambda facts: {fact.unit: Judgement(rekeyed=pairs) for fact in facts if fact.unit == LOTOS},
    )
    await publish_day(day)
    assert {row["op"] for row in sql(database, "SELECT op FROM cpimportd.change WHERE kind = 'expenses'")} >= {"rekey"}
    await take_back(2)
    assert books(sql, database) == before


@pytest.mark.asyncio
async def test_what_the_predecessor_had_left_comes_back_too(database, publish_day, made, sql, take_back):
    first, second, _ = three_days(made)
    await publish_day(first)
    sql(database, "TRUNCATE cpimportd.lineage, cpimportd.served, cpimportd.fingerprint")
    sql(database, "UPDATE fin_expenses SET accounting_account = '51.0', currency = 'руб.'")
    sql(database, "INSERT INTO fin_expense_details (expense_operation_id, payment_amount, payment_type, department_id, "
                  "settlement_rate, created_at) SELECT operation_id, amount, 'Погашение долга', 8, 1, now() "
                  "FROM fin_expenses")  # fmt: skip
    before = books(sql, database, contracts=False)
    await publish_day(second)
    await take_back(2)
    after = books(sql, database, contracts=False)
    # Documents that nothing changed were adopted: they have a lineage now.
    assert {name: rows for name, rows in after.items() if name != "cpimportd.lineage"} == {
        name: rows for name, rows in before.items() if name != "cpimportd.lineage"
    }


@pytest.mark.asyncio
async def test_sums_of_another_time_are_refused_and_nothing_is_changed(database, publish_day, made, sql, take_back):
    first, second, _ = three_days(made)
    await publish_day(first)
    await publish_day(second)
    sql(database, "UPDATE cpimportd.run_unit SET opening = opening + 1 WHERE run_id = 2 AND kind = 'expenses'")
    after = books(sql, database)
    with pytest.raises(ProblemError) as refused:
        await take_back(2)
    assert refused.value.problems[0].code == "undo-differs"
    assert books(sql, database) == after


@pytest.mark.asyncio
async def test_somebody_elses_writes_since_are_refused(database, publish_day, made, sql, take_back):
    first, second, _ = three_days(made)
    await publish_day(first)
    await publish_day(second)
    sql(database, "UPDATE fin_expenses SET comment = 'by hand' WHERE amount = 250")
    with pytest.raises(ProblemError) as refused:
        await take_back(2)
    assert "somebody else" in refused.value.problems[0].message


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        ("SELECT 1", "there is no such run"),
        ("UPDATE cpimportd.run_unit SET served_before = NULL", "older version"),
        ("UPDATE cpimportd.runs SET status = 'failed'", "published nothing"),
        ("UPDATE cpimportd.run_unit SET accepted = '{renamed}'", "rename"),
    ],
)
async def test_a_run_that_cannot_be_undone_is_refused_with_the_reason(
    database, publish_day, made, sql, take_back, prepare, words
):
    first, _, _ = three_days(made)
    await publish_day(first)
    sql(database, prepare)
    with pytest.raises(ProblemError, match=words):
        await take_back(99 if words == "there is no such run" else 1)


@pytest.mark.asyncio
async def test_what_was_undone_is_remembered_until_something_else_is_published(
    database, publish_day, made, sql, take_back
):
    first, second, third = three_days(made)
    await publish_day(first)
    await publish_day(second)
    await take_back(2)
    connection = await connect(Database(url=database))
    try:
        remembered = await undone(connection, 8)
        assert not await foreign_writes(connection, 8)
    finally:
        await connection.close()
    assert remembered[LOTOS].undone_run == 2
    digests = {row["digest"] for row in sql(database, "SELECT digest FROM cpimportd.snapshot WHERE run_id = 2")}
    assert remembered[LOTOS].digests < digests
    await publish_day(third)
    assert not sql(database, "SELECT * FROM cpimportd.undone_unit")


@pytest.mark.asyncio
async def test_the_backends_log_and_the_journal_tell_of_the_undo(database, publish_day, made, sql, take_back):
    first, second, _ = three_days(made)
    await publish_day(first)
    await publish_day(second)
    await take_back(2)
    logs = sql(
        database, "SELECT table_name, source_file FROM fin_import_logs WHERE source_file LIKE 'undo%' ORDER BY 1"
    )
    assert [tuple(row) for row in logs] == [("fin_expenses", "undo of run 2"), ("fin_receipts", "undo of run 2")]
    entries = sql(database, "SELECT op, why, old, new FROM cpimportd.change WHERE run_id = 3 AND kind = 'expenses'")
    assert {row["why"] for row in entries} == {"undone"}
    assert {row["op"] for row in entries} == {"insert", "delete", "update"}
    back = next(json.loads(row["new"]) for row in entries if row["op"] == "insert")
    assert back["amount"] == 400.5


@pytest.mark.asyncio
async def test_a_document_that_somebody_deleted_comes_back_with_a_word_in_the_journal_and_stays(
    database, publish_day, made, sql, take_back
):
    first, _, _ = three_days(made)
    await publish_day(first)
    two = first.expenses[1]["operation_id"]
    sql(database, f"DELETE FROM fin_expenses WHERE operation_id = '{two}'")
    await publish_day(replace(first, put_right=True))
    put_right = books(sql, database)
    (entry,) = sql(database, "SELECT * FROM cpimportd.change WHERE run_id = 2")
    assert (entry["op"], entry["operation_id"], entry["why"]) == ("insert", two, "put-right")
    new = json.loads(entry["new"])
    assert (new["organization"], [line["payment_amount"] for line in new["details"]]) == ("ЛОТОС ООО", [200.5])
    (lineage,) = sql(database, f"SELECT * FROM cpimportd.lineage WHERE operation_id = '{two}'")
    assert (lineage["first_run"], lineage["last_run"]) == (1, 1)
    (contract,) = sql(
        database, "SELECT opening, added, closing FROM cpimportd.run_contract WHERE run_id = 2 AND kind = 'expenses'"
    )
    (unit,) = sql(
        database, "SELECT opening, added, closing FROM cpimportd.run_unit WHERE run_id = 2 AND kind = 'expenses'"
    )
    assert tuple(contract) == tuple(unit)
    await take_back(2)
    after = books(sql, database)
    assert {name: rows for name, rows in after.items() if name != "cpimportd.served"} == {
        name: rows for name, rows in put_right.items() if name != "cpimportd.served"
    }
