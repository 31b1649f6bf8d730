"""Undoing an undo, and undoing where somebody else wrote between two runs."""

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from cpimportd.core.model import Group, Unit
from cpimportd.core.problems import ProblemError
from cpimportd.core.verdicts import Judgement
from tests.support.books.before_and_after import books, three_days

INTEREST = "Уплата процентов"


def texts(made):
    one = made.receipt(9, "5000.00")
    noted = {**one, "comment": "one"}
    return [made.Day(receipts=[row]) for row in (one, noted, {**noted, "payment_purpose": "two"})]


def one_that_came_and_changed(made):
    one, new = made.receipt(9, "5000.00"), made.receipt(8, "1.00")
    return [made.Day(receipts=rows) for rows in ([one], [one, new], [one, {**new, "payment_purpose": "two"}])]


def lines(made):
    one = made.expense(1, "100.00")
    shares = ([("100.00", None)], [("60.00", None), ("40.00", INTEREST)], [("70.00", None), ("30.00", INTEREST)])
    return [
        made.Day(expenses=[one], details=[made.line(one, a, kind or "Погашение долга") for a, kind in day])
        for day in shares
    ]


def contracts(made):
    one = {**made.receipt(9, "5000.00"), "payer": None, "contract_date": None}
    known = {**one, "payer": "СЕВЕРНЫЙ БАНК ПАО"}
    return [made.Day(receipts=[row]) for row in (one, known, {**known, "contract_date": date(2021, 9, 23)})]


@pytest.mark.asyncio
@pytest.mark.parametrize("days", [texts, one_that_came_and_changed, lines, contracts, three_days])
@pytest.mark.parametrize("first", [1, 2])
async def test_an_undo_of_several_runs_can_be_undone_and_that_again(
    database, publish_day, made, sql, take_back, days, first
):
    """A document may have an entry of each run in the undo's journal: they are gone through the other way round."""
    states = []
    for day in days(made):
        states.append(books(sql, database, contracts=False))
        await publish_day(day)
    after = books(sql, database)
    await take_back(first, through=True)
    before = books(sql, database)
    assert books(sql, database, contracts=False) == states[first - 1]
    await take_back(4)
    assert books(sql, database) == after
    await take_back(5)
    assert books(sql, database) == before


@pytest.mark.asyncio
async def test_rekeyed_documents_that_changed_go_and_come_back_with_their_lines(
    database, publish_day, made, sql, take_back
):
    first, _, _ = three_days(made)
    await publish_day(first)
    before = books(sql, database)
    pairs, expenses, details = {}, [], []
    for row in first.expenses:
        new = {**row, "operation_id": row["operation_id"].replace("0Л00", "0М00"), "amount": row["amount"] + 1}
        pairs[row["operation_id"]] = new["operation_id"]
        expenses.append(new)
        details += [made.line(new, str(row["amount"])), made.line(new, "1.00", INTEREST)]

    def judge(facts):
        return {fact.unit: Judgement(rekeyed=pairs) for fact in facts if fact.unit.group is Group.EXPENSES}

    await publish_day(replace(first, expenses=expenses, details=details, judge=judge))
    after = books(sql, database)
    for run, expected in ((2, before), (3, after), (4, before), (5, after)):
        await take_back(run)
        assert books(sql, database) == expected, run


@pytest.mark.asyncio
async def test_the_undo_of_a_run_that_put_something_right_can_be_undone(database, publish_day, made, sql, take_back):
    day = made.Day(receipts=[made.receipt(1, "100.00"), made.receipt(2, "50.00")])
    await publish_day(day)
    sql(database, "DELETE FROM fin_receipts WHERE amount = 50")
    await publish_day(replace(day, put_right=True))
    after = books(sql, database)
    for run in (2, 3, 4):
        await take_back(run)
        now = books(sql, database)
        assert {**now, "cpimportd.served": ()} == {**after, "cpimportd.served": ()}, run


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "somebody",
    [
        "UPDATE fin_expenses SET comment = 'by hand' WHERE amount = 300.5",
        "UPDATE fin_expenses SET amount = amount + 1 WHERE amount = 300.5",
        "UPDATE fin_expense_details SET payment_amount = 1 WHERE payment_amount = 300.5",
        "DELETE FROM fin_expenses WHERE amount = 300.5",
        "INSERT INTO fin_expenses (operation_id, organization_id, amount, department_id, is_active) "
        "SELECT 'Списание 77 от 01.03.2024 10:00:00', id, 5, 8, true FROM fin_organizations",
    ],
)
async def test_what_somebody_else_wrote_after_the_run_does_not_come_back_with_it(
    database, publish_day, made, sql, take_back, somebody
):
    """The way out that a refused undo names: a run that puts it right, then an undo through that."""

    def but_for_new_rows():
        return {t: [re.sub('"created_at": "[^"]*"', "", row) for row in rows]
                for t, rows in books(sql, database, contracts=False).items()}  # fmt: skip

    first, second, _ = three_days(made)
    await publish_day(first)
    before = but_for_new_rows()
    await publish_day(second)
    sql(database, somebody)
    with pytest.raises(ProblemError, match="somebody else"):
        await take_back(2)
    await publish_day(replace(second, put_right=True))
    await take_back(2, through=True)
    assert but_for_new_rows() == before


def renamed(made):
    """A day, and the next, on which 1C calls the organization by another name."""
    rows = [made.receipt(number, f"{number}00.00") for number in (1, 2)]
    return made.Day(receipts=rows), made.Day(
        receipts=[{**row, "organization": "ЛОТОС ПЛЮС ООО"} for row in rows],
        judge=lambda facts: {fact.unit: Judgement(accepted=("renamed",), renamed_from="ЛОТОС ООО") for fact in facts},
    )


@pytest.mark.asyncio
async def test_a_run_from_before_a_renaming_is_refused(database, publish_day, made, sql, take_back):
    """Its documents stand under the new name: to take it back alone would take them from there."""
    for day in renamed(made):
        await publish_day(day)
    after = books(sql, database)
    with pytest.raises(ProblemError, match="rename an organization"):
        await take_back(1)
    assert books(sql, database) == after


@pytest.mark.asyncio
async def test_documents_that_are_another_organizations_by_now_are_not_taken_from_it(
    database, publish_day, made, sql, take_back
):
    """As above, where the journal of the renaming is no more (journal.keep), and an older version made it: that one did
    not say that the old name had come to its end."""
    for day in renamed(made):
        await publish_day(day)
    sql(
        database,
        "DELETE FROM cpimportd.change",
        "DELETE FROM cpimportd.run_unit WHERE run_id = 2 AND organization = 'ЛОТОС ООО'",
    )
    after = books(sql, database)
    with pytest.raises(ProblemError, match="belong to ЛОТОС ПЛЮС ООО by now"):
        await take_back(1)
    assert books(sql, database) == after


@pytest.mark.asyncio
async def test_a_run_whose_journal_is_gone_is_refused(database, publish_day, made, sql, take_back):
    """No sum need tell that nothing came back."""
    one = made.expense(1, "100.00")
    for contract in (one["contract"], "Договор N 9 от 01.02.2022"):
        await publish_day(made.Day(expenses=[{**one, "contract": contract}], details=[made.line(one, "100.00")]))
    after = books(sql, database)
    sql(database, "DELETE FROM cpimportd.change")
    with pytest.raises(ProblemError, match=r"journal\.keep"):
        await take_back(2)
    assert books(sql, database) == after


@pytest.mark.asyncio
async def test_an_undo_by_a_version_that_kept_no_steps_is_refused(database, publish_day, made, sql, take_back):
    first, second, _ = three_days(made)
    await publish_day(first)
    await publish_day(second)
    await take_back(2)
    sql(database, "UPDATE cpimportd.change SET step = NULL")
    with pytest.raises(ProblemError, match="older version"):
        await take_back(3)


@pytest.mark.asyncio
async def test_a_key_that_had_been_another_documents_is_free_for_a_rekeyed_one(database, publish_day, made, sql):
    """Somebody deleted that one, and 1C on the same day: its lineage was left over."""
    unit = Unit("ЛОТОС ООО", Group.RECEIPTS)
    one, other = made.receipt(1, "100.00"), made.receipt(2, "50.00")
    await publish_day(made.Day(receipts=[one, other]))
    sql(database, "DELETE FROM fin_receipts WHERE amount = 50")
    await publish_day(made.Day(receipts=[one], put_right=True))
    again = {**one, "operation_id": other["operation_id"]}
    pairs = {one["operation_id"]: other["operation_id"]}
    await publish_day(made.Day(receipts=[again], judge=lambda _: {unit: Judgement(rekeyed=pairs)}))
    rows = sql(
        database, "SELECT l.operation_id, f.amount FROM cpimportd.lineage l JOIN fin_receipts f USING (operation_id)"
    )
    assert [tuple(row) for row in rows] == [(other["operation_id"], Decimal("100.00"))]
