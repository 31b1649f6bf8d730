"""The publishing transaction on a real PostgreSQL: what is written, what is not, and what the journal says."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from cpimportd.core.model import Group, Kind, Unit
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.report import RunStatus
from cpimportd.core.verdicts import Judgement

LOTOS = Unit("ЛОТОС ООО", Group.EXPENSES)
SUMS = """SELECT (SELECT coalesce(sum(amount), 0) FROM fin_receipts) AS receipts,
                 (SELECT coalesce(sum(amount), 0) FROM fin_expenses) AS expenses,
                 (SELECT coalesce(sum(payment_amount), 0) FROM fin_expense_details) AS details"""


def first_day(made):
    one, two, three = (made.expense(n, f"{n}00.50") for n in (1, 2, 3))
    return made.Day(
        receipts=[made.receipt(9, "5000.00")],
        expenses=[one, two, three],
        details=[
            made.line(one, "60.50"),
            made.line(one, "40.00", "Уплата процентов"),
            made.line(two, "200.50"),
            made.line(three, "300.50"),
        ],
    )


@pytest.mark.asyncio
async def test_a_first_day_fills_the_tables_and_what_they_refer_to(database, publish_day, made, sql):
    published = await publish_day(first_day(made))
    assert published.status is RunStatus.PUBLISHED
    (sums,) = sql(database, SUMS)
    assert tuple(sums) == (Decimal("5000.00"), Decimal("601.50"), Decimal("601.50"))
    (contract,) = sql(
        database, "SELECT c.*, o.name FROM fin_contracts c JOIN fin_organizations o ON o.id = organization_id"
    )
    assert (contract["contract_number"], str(contract["contract_date"]), contract["counterparty"], contract["name"]) == (
        "Договор N 17 от 23.09.2021", "2021-09-23", "СЕВЕРНЫЙ БАНК ПАО", "ЛОТОС ООО")  # fmt: skip
    (log,) = sql(database, "SELECT * FROM fin_import_logs WHERE table_name = 'fin_expense_details'")
    assert (log["rows_inserted"], log["status"], log["source_file"]) == (4, "success", "details.xlsx")
    assert len(sql(database, "SELECT * FROM cpimportd.lineage WHERE first_run > 0")) == 4
    assert sql(database, "SELECT * FROM cpimportd.change") == []


@pytest.mark.asyncio
async def test_the_bridge_explains_every_kopeck(publish_day, made):
    day = first_day(made)
    await publish_day(day)
    _one, two, three = day.expenses
    dearer = {**two, "amount": Decimal("250.00")}
    four = made.expense(4, "7.00")
    published = await publish_day(
        made.Day(
            receipts=day.receipts,
            expenses=[dearer, three, four],
            details=[made.line(two, "250.00"), made.line(three, "300.50"), made.line(four, "7.00")],
        )
    )
    report = next(u for u in published.units if u.unit == LOTOS)
    assert (report.inserted, report.removed, report.updated, report.unchanged) == (1, 1, 1, 1)
    told = {
        bridge.kind.value: (bridge.opening, bridge.added, bridge.removed, bridge.changed, bridge.closing)
        for bridge in report.bridges
    }
    whole = tuple(map(Decimal, ("601.50", "7.00", "100.50", "49.50", "557.50")))
    assert told == {
        "expenses": whole,
        "details": whole,
        "principal": tuple(map(Decimal, ("561.50", "7.00", "60.50", "49.50", "557.50"))),
        "interest": tuple(map(Decimal, ("40.00", "0", "40.00", "0", "0"))),
        "other": (0, 0, 0, 0, 0),
    }
    assert not any(bridge.unexplained for bridge in report.bridges)


@pytest.mark.asyncio
async def test_rows_that_did_not_change_are_not_written(database, publish_day, made, sql):
    day = first_day(made)
    await publish_day(day)
    before = sql(database, "SELECT xmin::text, * FROM fin_expenses ORDER BY id")
    lines = sql(database, "SELECT xmin::text, * FROM fin_expense_details ORDER BY id")
    lineage = sql(database, "SELECT xmin::text, * FROM cpimportd.lineage ORDER BY operation_id")
    moved = replace(day, expenses=day.expenses[::-1], details=day.details[::-1])
    published = await publish_day(moved)
    assert all(u.unchanged and not u.updated for u in published.units)
    assert sql(database, "SELECT xmin::text, * FROM fin_expenses ORDER BY id") == before
    assert sql(database, "SELECT xmin::text, * FROM fin_expense_details ORDER BY id") == lines
    assert sql(database, "SELECT xmin::text, * FROM cpimportd.lineage ORDER BY operation_id") == lineage


@pytest.mark.asyncio
async def test_where_one_document_changes_all_others_stay_as_they_were_written(database, publish_day, made, sql):
    day = first_day(made)
    await publish_day(day)
    one, two, three = day.expenses
    queries = (
        "SELECT xmin::text, * FROM fin_receipts",
        f"SELECT xmin::text, * FROM fin_expenses WHERE operation_id <> '{two['operation_id']}' ORDER BY id",
        f"SELECT xmin::text, * FROM fin_expense_details WHERE expense_operation_id <> '{two['operation_id']}' ORDER BY id",
        f"SELECT xmin::text, * FROM cpimportd.lineage WHERE operation_id <> '{two['operation_id']}' ORDER BY operation_id",
    )
    before = [sql(database, query) for query in queries]
    assert [len(rows) for rows in before] == [1, 2, 3, 3]
    dearer = {**two, "amount": Decimal("250.00")}
    lines = [*day.details[:2], made.line(two, "250.00"), day.details[3]]
    published = await publish_day(replace(day, expenses=[one, dearer, three], details=lines))
    assert sum(unit.updated for unit in published.units) == 1
    assert [sql(database, query) for query in queries] == before


@pytest.mark.asyncio
async def test_the_journal_keeps_what_was_before(database, publish_day, made, sql):
    day = first_day(made)
    await publish_day(day)
    one, two, three = day.expenses
    dearer = {**two, "amount": Decimal("250.00")}
    await publish_day(made.Day(expenses=[one, dearer], details=[*day.details[:2], made.line(two, "250.00")]))
    update, delete = sql(database, "SELECT * FROM cpimportd.change ORDER BY seq")
    assert (update["op"], update["amount_before"], update["amount_after"], update["why"]) == (
        "update", Decimal("200.50"), Decimal("250.00"), "snapshot")  # fmt: skip
    old, new = json.loads(update["old"]), json.loads(update["new"])
    assert set(old) == {"amount", "details"}
    assert (old["amount"], new["amount"]) == (200.50, 250.00)
    assert [x["payment_amount"] for x in old["details"]] == [200.50]
    gone = json.loads(delete["old"])
    assert (delete["op"], delete["operation_id"]) == ("delete", three["operation_id"])
    assert gone["organization"] == "ЛОТОС ООО"
    assert gone["recipient"] == "СЕВЕРНЫЙ БАНК ПАО"
    assert [x["payment_amount"] for x in gone["details"]] == [300.50]


@pytest.mark.asyncio
async def test_an_extra_column_that_changed_is_kept_without_touching_the_backends_row(database, publish_day, made, sql):
    day = first_day(made)
    await publish_day(day)
    before = sql(database, "SELECT xmin::text FROM fin_expenses ORDER BY id")
    noted = {**day.expenses[0], "extra": {"Основание": "устно"}}
    published = await publish_day(replace(day, expenses=[noted, *day.expenses[1:]]))
    assert sql(database, "SELECT xmin::text FROM fin_expenses ORDER BY id") == before
    (change,) = sql(database, "SELECT * FROM cpimportd.change")
    assert json.loads(change["new"])["extra"] == {"Основание": "устно"}
    (kept,) = sql(database, "SELECT extra FROM cpimportd.lineage WHERE extra <> '{}'")
    assert json.loads(kept["extra"]) == {"Основание": "устно"}
    assert sum(u.updated for u in published.units) == 1


@pytest.mark.asyncio
async def test_a_dry_run_says_the_same_and_leaves_nothing(database, publish_day, made, sql):
    day = first_day(made)
    tried = await publish_day(replace(day, dry_run=True))
    assert tuple(sql(database, SUMS)[0]) == (0, 0, 0)
    assert sql(database, "SELECT * FROM cpimportd.runs") == []
    done = await publish_day(day)
    assert [u.bridges for u in tried.units] == [u.bridges for u in done.units]


@pytest.mark.asyncio
async def test_a_unit_that_the_guards_hold_keeps_yesterdays_books(database, publish_day, made, sql):
    day = first_day(made)
    await publish_day(day)
    held = problem("shrunk", organization="ЛОТОС ООО", count=2, before=3, sum="1", limit="1", unit=LOTOS.name)
    published = await publish_day(
        made.Day(
            receipts=[made.receipt(9, "6000.00")],
            expenses=day.expenses[:1],
            details=day.details[:2],
            judge=lambda _: {LOTOS: Judgement(problems=(held,))},
        )
    )
    assert published.status is RunStatus.PARTIAL
    assert tuple(sql(database, SUMS)[0]) == (Decimal("6000.00"), Decimal("601.50"), Decimal("601.50"))
    (unit,) = sql(database, "SELECT * FROM cpimportd.run_unit WHERE status = 'held' AND kind = 'expenses'")
    assert json.loads(unit["problems"])[0]["code"] == "shrunk"


@pytest.mark.asyncio
async def test_sums_that_differ_from_the_control_total_roll_everything_back(database, publish_day, made, sql):
    day = first_day(made)
    with pytest.raises(ProblemError) as raised:
        await publish_day(replace(day, control_totals={Kind.DETAILS: Decimal("601.51")}))
    assert raised.value.problems[0].code == "sums-differ"
    assert tuple(sql(database, SUMS)[0]) == (0, 0, 0)
    assert sql(database, "SELECT * FROM fin_organizations") == []


@pytest.mark.asyncio
async def test_a_retimed_document_is_paired_in_the_journal_and_counted_once(database, publish_day, made, sql):
    day = first_day(made)
    await publish_day(day)
    one = day.expenses[0]
    later = {**one, "operation_id": str(one["operation_id"]).replace("10:01:00", "11:02:03")}
    pair = {str(one["operation_id"]): str(later["operation_id"])}
    published = await publish_day(
        made.Day(
            expenses=[later, *day.expenses[1:]],
            details=[made.line(later, "100.50"), *day.details[2:]],
            judge=lambda _: {LOTOS: Judgement(retimed=pair)},
        )
    )
    report = next(u for u in published.units if u.unit == LOTOS)
    assert (report.retimed, report.inserted, report.removed) == (1, 0, 0)
    assert all(b.added == b.removed == 0 and b.unexplained == 0 for b in report.bridges)
    (change,) = sql(database, "SELECT * FROM cpimportd.change")
    assert (change["op"], change["paired_with"]) == ("delete", later["operation_id"])


@pytest.mark.asyncio
async def test_accepted_rekeyed_documents_keep_their_rows(database, publish_day, made, sql):
    day = first_day(made)
    await publish_day(day)
    ids = sql(database, "SELECT id, amount FROM fin_expenses ORDER BY id")
    renamed = [{**e, "operation_id": str(e["operation_id"]).replace("Списание с", "Списание со")} for e in day.expenses]
    pairs = {str(old["operation_id"]): str(new["operation_id"]) for old, new in zip(day.expenses, renamed, strict=True)}
    lines = [{**x, "operation_id": pairs[str(x["operation_id"])]} for x in day.details]
    published = await publish_day(
        made.Day(
            expenses=renamed, details=lines, accepted=("rekeyed",), judge=lambda _: {LOTOS: Judgement(rekeyed=pairs)}
        )
    )
    report = next(u for u in published.units if u.unit == LOTOS)
    assert (report.inserted, report.removed) == (0, 0)
    assert sql(database, "SELECT id, amount FROM fin_expenses ORDER BY id") == ids
    assert len(sql(database, "SELECT * FROM cpimportd.change WHERE op = 'rekey' AND why = 'accepted'")) == 3
    assert len(sql(database, "SELECT * FROM cpimportd.lineage WHERE kind = 'expenses'")) == 3
    assert all(b.unexplained == 0 for b in report.bridges)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("document", "payment_type", "held"),
    [({}, "Погашение долга", False), ({"contract": "Договор N 18"}, "Погашение долга", True), ({}, "Проценты", True)],
    ids=["only the time", "the contract", "the payment type"],
)
async def test_a_retimed_document_of_a_closed_period_is_held_with_what_else_changed(
    publish_day, made, document, payment_type, held
):
    end = date(2100, 1, 1)
    day, guards = first_day(made), made.guarded(LOTOS, closed_before=end)
    await publish_day(day)
    one, *others = day.expenses
    later = {**one, **document, "operation_id": str(one["operation_id"]).replace("10:01:00", "11:02:03")}
    lines = [made.line(later, "40.00", "Уплата процентов"), made.line(later, "60.50", payment_type)]
    again = made.Day(expenses=[later, *others], details=[*lines, *day.details[2:]], judge=guards, closed_before=end)
    published = await publish_day(again)
    (unit,) = [unit for unit in published.units if unit.unit == LOTOS]
    assert [found.code for found in unit.problems] == (["period-closed"] if held else [])
    assert unit.retimed == (0 if held else 1)


@pytest.mark.asyncio
async def test_a_contract_text_that_several_share_belongs_to_none(database, publish_day, made, sql):
    shared = {"contract": "Основной договор", "contract_date": None}
    mine = made.expense(1, "1.00", **shared)
    theirs = made.expense(2, "2.00", organization="СЕВЕРНАЯ ООО", **shared)
    await publish_day(made.Day(expenses=[mine]))
    (alone,) = sql(database, "SELECT * FROM fin_contracts")
    assert alone["organization_id"] is not None
    await publish_day(made.Day(expenses=[mine, theirs]))
    (contract,) = sql(database, "SELECT * FROM fin_contracts")
    assert contract["organization_id"] is None
    assert contract["counterparty"] == "СЕВЕРНЫЙ БАНК ПАО"


@pytest.mark.asyncio
@pytest.mark.parametrize("alone", ["receipts", "expenses"])
async def test_a_contracts_counterparty_does_not_depend_on_which_unit_is_published(
    database, publish_day, made, sql, alone
):
    paid, got = made.expense(1, "1.00"), made.receipt(2, "2.00", recipient="ЮЖНЫЙ БАНК ПАО")
    both = {"receipts": [got], "expenses": [paid]}
    await publish_day(made.Day(**both))
    await publish_day(made.Day(**{alone: [{**both[alone][0], "comment": "ещё раз"}]}))
    (contract,) = sql(database, "SELECT * FROM fin_contracts")
    assert contract["counterparty"] is None
    assert contract["organization_id"] is not None


@pytest.mark.asyncio
async def test_what_a_human_wrote_into_a_contract_is_never_overwritten(database, publish_day, made, sql):
    sql(database, """INSERT INTO fin_contracts (contract_number, counterparty, department_id, is_active, created_at, updated_at)
                     VALUES ('Договор N 17 от 23.09.2021', 'Банк по-своему', 8, false, now(), now())""")  # fmt: skip
    await publish_day(first_day(made))
    (contract,) = sql(database, "SELECT * FROM fin_contracts")
    assert (contract["counterparty"], str(contract["contract_date"])) == ("Банк по-своему", "2021-09-23")
    assert contract["organization_id"] is not None
    assert contract["is_active"] is False


@pytest.mark.asyncio
async def test_a_contract_of_ours_without_documents_rests_and_comes_back(database, publish_day, made, sql):
    one = made.expense(1, "1.00")
    other = made.expense(2, "2.00", contract="Договор N 99")
    await publish_day(made.Day(expenses=[one, other]))
    await publish_day(made.Day(expenses=[one]))
    active = "SELECT is_active FROM fin_contracts WHERE contract_number = 'Договор N 99'"
    assert sql(database, active)[0]["is_active"] is False
    await publish_day(made.Day(expenses=[one, other]))
    assert sql(database, active)[0]["is_active"] is True


@pytest.mark.asyncio
async def test_another_departments_document_is_reported_to_the_guards(database, publish_day, made, sql):
    day = first_day(made)
    await publish_day(day)
    sql(
        database,
        "INSERT INTO departments (id, name, code, is_active, created_at, updated_at) VALUES (9, 'X', 'X', true, now(), now())",
        "UPDATE fin_expenses SET department_id = 9 WHERE amount = 100.50",
    )
    again = replace(
        day, judge=lambda facts: {f.unit: Judgement(stuck=bool(f.other_departments)) for f in facts}, facts=[]
    )
    await publish_day(again)
    facts = next(f for f in again.facts if f.unit == LOTOS)
    assert facts.other_departments == (day.expenses[0]["operation_id"],)
    assert sql(database, "SELECT count(*) FROM fin_expenses WHERE department_id = 8")[0][0] == 2
