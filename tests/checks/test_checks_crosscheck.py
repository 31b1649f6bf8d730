"""Expenses against their details."""

from decimal import Decimal

import pytest

from cpimportd.checks.attribution import unknown_expenses
from cpimportd.checks.integrity import integrity
from cpimportd.core.model import Group, Kind, Unit
from cpimportd.core.problems import problem

A = Unit("А", Group.EXPENSES)


def judge(day, served=(), known=None, **options):
    return integrity(day.snapshots, list(served), known_expenses=known or {}, **options)


def codes(verdict):
    return [p.code for p in verdict.problems]


@pytest.mark.parametrize(
    ("expenses", "details", "expected", "held"),
    [
        ([("1", 10), ("2", 5)], [("1", 4), ("2", 5), ("1", 6)], [], False),
        ([("1", 10), ("2", 5)], [("1", 4), ("2", 5)], ["totals-disagree", "details-sum"], True),
        # Two wrong documents whose differences cancel: the totals agree, the documents do not.
        ([("1", 10), ("2", 5)], [("1", 9), ("2", 6)], ["details-sum", "details-sum"], True),
        # One expense without details explains the whole difference.
        ([("1", 10), ("2", 5)], [("1", 10)], ["details-absent"], False),
        # Several are not told from details that were cut off.
        ([("1", 10), ("2", 5), ("3", 1)], [("1", 10)], ["totals-disagree", "details-absent"], True),
        # One without details, but another document disagrees too.
        ([("1", 10), ("2", 5)], [("1", 9)], ["totals-disagree", "details-sum", "details-absent"], True),
        # An expense of 0 needs no details.
        ([("1", 10), ("2", 0), ("3", 0)], [("1", 10)], [], False),
    ],
)
def test_details_must_sum_to_their_expense_and_the_totals_to_each_other(day, expenses, details, expected, held):
    day.add("e.xlsx", Kind.EXPENSES, [(key, "А", amount) for key, amount in expenses])
    day.add("d.xlsx", Kind.DETAILS, [(key, None, amount) for key, amount in details])
    unit = judge(day).units[A]
    assert codes(unit) == expected
    assert unit.held == unit.exports_disagree == held


def test_a_wrong_document_is_named_with_both_sums(day):
    day.add("e.xlsx", Kind.EXPENSES, [("С 1", "А", "10.50")])
    day.add("d.xlsx", Kind.DETAILS, [("С 1", None, 4), ("С 1", None, 6)])
    found = judge(day).units[A].problems[-1]
    assert (found.message, found.file, found.row) == (
        "С 1: its details sum to 10,00, the expense says 10,50 (row 2 of «e.xlsx»)", "d.xlsx", 2
    )  # fmt: skip


def test_one_organizations_disagreement_does_not_hold_the_other_in_the_same_files(day):
    day.add("e.xlsx", Kind.EXPENSES, [("1", "А", 10), ("2", "Б", 10)])
    day.add("d.xlsx", Kind.DETAILS, [("1", None, 9), ("2", None, 10)])
    verdict = judge(day)
    assert {u.organization: v.held for u, v in verdict.units.items()} == {"А": True, "Б": False}


def test_details_that_nobody_knows_an_expense_of_are_wrong_in_the_whole_file(day):
    day.add("e.xlsx", Kind.EXPENSES, [("1", "А", 10), ("2", "Б", 10)])
    day.add("d.xlsx", Kind.DETAILS, [("1", None, 10), ("2", None, 10), ("3", None, 1), ("3", None, 2)])
    verdict = judge(day)
    assert [(p.code, p.row, p.value) for p in verdict.files[1].problems] == [("orphan-detail", 4, "3")]
    assert all(v.held and v.exports_disagree for v in verdict.units.values())


def test_many_orphans_are_listed_up_to_twenty_and_counted(day):
    day.add("e.xlsx", Kind.EXPENSES, [("x", "А", 10)])
    day.add("d.xlsx", Kind.DETAILS, [("x", None, 10), *((f"о{i}", None, 1) for i in range(50))])
    problems = judge(day).files[1].problems
    assert len(problems) == 21
    assert problems[-1].message == "30 more of orphan-detail, not listed"


def test_an_expense_that_only_the_books_know_does_not_save_its_details_from_being_orphans(day):
    day.add("e.xlsx", Kind.EXPENSES, [("1", "А", 10)])
    day.add("d.xlsx", Kind.DETAILS, [("1", None, 10), ("deleted", None, 3)])
    assert unknown_expenses(day.snapshots) == {"deleted"}
    verdict = judge(day, known={"deleted": ("А", Decimal(3))})
    assert [p.code for p in verdict.files[1].problems] == ["orphan-detail"]
    assert verdict.units[A].held


def test_with_an_empty_expenses_file_details_find_their_organization_through_the_books(two):
    name = "Лотос spisanie.xlsx"
    today = two.without(name)
    broken = two.broken(name)
    today.snapshots.append(broken)
    known = two.known_expenses()
    assert unknown_expenses(today.snapshots) == {"С Лотос 0", "С Лотос 1", "С Лотос 2"}
    verdict = judge(today, two.remembered(), {k: known[k] for k in unknown_expenses(today.snapshots)})
    lotos = verdict.units[Unit("Лотос", Group.EXPENSES)]
    assert codes(lotos) == ["file-empty", "partner-held"]
    assert lotos.file_nos == {two.number("Лотос rasshifrovka.xlsx"), broken.file_no}
    assert not lotos.exports_disagree
    assert [p.code for p in verdict.files[two.number("Лотос rasshifrovka.xlsx")].problems] == []
    assert {u.name for u, v in verdict.units.items() if v.held} == {"Лотос/expenses"}


def test_details_of_a_new_expense_are_blamed_on_the_broken_file_that_may_hold_it(two):
    name = "Лотос spisanie.xlsx"
    today = two.without(name, "Лотос rasshifrovka.xlsx")
    today.snapshots.append(two.broken(name))
    today.snapshots.append(two.add("Лотос r.xlsx", Kind.DETAILS, [("С Лотос 0", None, 10), ("новый", None, 1)]))
    verdict = judge(today, two.without("Лотос r.xlsx").remembered(), {"С Лотос 0": ("Лотос", Decimal(10))})
    (found,) = verdict.files[today.number("Лотос r.xlsx")].problems
    assert found.code == "expense-unseen"
    assert found.message == (
        "1 documents have details here (first: новый), but stand in no expenses file that is right; "
        "«Лотос spisanie.xlsx» is not"
    )


def test_rejected_rows_are_not_told_a_second_time_as_missing_sums(day):
    reject = problem("reject", file="d.xlsx", row=3, cell="", reason="no amount")
    day.add("e.xlsx", Kind.EXPENSES, [("1", "А", 10)])
    day.add("d.xlsx", Kind.DETAILS, [("1", None, 4)], problems=[reject])
    assert codes(judge(day).units[A]) == ["reject", "partner-held"]


def test_a_wrong_total_and_the_document_that_explains_it_are_both_told(day):
    day.add("e.xlsx", Kind.EXPENSES, [("1", "А", 10)])
    day.add("d.xlsx", Kind.DETAILS, [("1", None, 9)], totals={"Сумма платежа": "10"})
    unit = judge(day).units[A]
    assert codes(unit) == ["control-total", "partner-held", "totals-disagree", "details-sum"]
    assert not unit.exports_disagree


@pytest.fixture
def halves(day):
    """One organization with its expenses in two files and its details in one."""
    day.add("e1.xlsx", Kind.EXPENSES, [("1", "А", 10)])
    day.add("e2.xlsx", Kind.EXPENSES, [("2", "А", 5), ("3", "А", 5)])
    day.add("d.xlsx", Kind.DETAILS, [("1", None, 10), ("2", None, 5), ("3", None, 5)])
    return day


def test_half_of_the_expenses_cannot_be_accepted_away_from_under_their_details(halves):
    today = halves.without("e2.xlsx")
    verdict = judge(today, halves.remembered(), halves.known_expenses(), accepted=frozenset({"А/expenses"}))
    assert codes(verdict.units[A]) == ["orphan-detail", "file-missing", "partner-held"]
    assert verdict.units[A].held
    # The details are right in themselves: what is missing is e2.
    assert verdict.units[A].problems[-1].message == "А: held because e2.xlsx is"


def test_a_workbook_that_is_wrong_for_want_of_another_one_is_not_the_one_to_correct(halves):
    """Details whose new expense lies in the broken workbook: the details' name comes first, the fault is the other's."""
    today = halves.without("e2.xlsx", "d.xlsx")
    today.add("a details.xlsx", Kind.DETAILS, [("1", None, 10), ("new", None, 5)])
    today.snapshots.append(halves.broken("e2.xlsx"))
    verdict = judge(today, halves.remembered(), {"1": ("А", Decimal(10))})
    (told,) = [found for found in verdict.units[A].problems if found.code == "partner-held"]
    assert (told.file, told.message) == ("e2.xlsx", "А: held because e2.xlsx is")


@pytest.mark.parametrize("fetched", [True, False])
def test_all_workbooks_that_are_wrong_are_named(halves, fetched):
    today = halves.without("e2.xlsx", "d.xlsx")
    today.snapshots.append(halves.broken("d.xlsx"))
    failures = []
    if fetched:
        today.snapshots.append(halves.broken("e2.xlsx"))
    else:
        failures = [problem("download-failed", file="e2.xlsx", reason="gone")]
    verdict = judge(today, halves.remembered(), halves.known_expenses(), fetch_problems=failures)
    (told,) = [found for found in verdict.units[A].problems if found.code == "partner-held"]
    assert {told.file, told.message.partition("«")[2].rstrip("»")} == {"d.xlsx", "e2.xlsx"}
    assert ", and so is «" in told.message


def test_half_of_the_details_cannot_be_accepted_away(day):
    day.add("e.xlsx", Kind.EXPENSES, [("1", "А", 10), ("2", "А", 5), ("3", "А", 5)])
    day.add("d1.xlsx", Kind.DETAILS, [("1", None, 10)])
    day.add("d2.xlsx", Kind.DETAILS, [("2", None, 5), ("3", None, 5)])
    verdict = judge(day.without("d2.xlsx"), day.remembered(), accepted=frozenset({"А/expenses"}))
    assert codes(verdict.units[A]) == ["file-missing", "totals-disagree", "details-absent"]
    assert verdict.units[A].held


@pytest.mark.parametrize("fetched", [True, False])
def test_details_are_no_orphans_while_the_file_of_their_expenses_is_broken(halves, fetched):
    today = halves.without("e2.xlsx")
    failures = []
    if fetched:
        today.snapshots.append(halves.broken("e2.xlsx"))
    else:
        failures = [problem("download-failed", file="e2.xlsx", reason="gone")]
    verdict = judge(today, halves.remembered(), halves.known_expenses(), fetch_problems=failures)
    assert codes(verdict.units[A]) == ["file-empty" if fetched else "download-failed", "partner-held"]
    assert verdict.files[today.number("d.xlsx")].problems == ()


def test_details_that_could_not_be_fetched_are_not_told_a_second_time_as_missing_sums(day):
    day.add("e.xlsx", Kind.EXPENSES, [("1", "А", 10), ("2", "А", 5), ("3", "А", 5)])
    day.add("d1.xlsx", Kind.DETAILS, [("1", None, 10)])
    day.add("d2.xlsx", Kind.DETAILS, [("2", None, 5), ("3", None, 5)])
    failure = problem("download-failed", file="d2.xlsx", reason="gone")
    verdict = judge(day.without("d2.xlsx"), day.remembered(), fetch_problems=[failure])
    assert codes(verdict.units[A]) == ["download-failed", "partner-held"]


def test_details_are_no_orphans_while_the_file_of_their_expenses_is_unread(halves):
    served = halves.remembered()
    today = halves.unread("e1.xlsx", "e2.xlsx")
    with pytest.raises(ValueError, match="not read"):
        judge(today, served, halves.known_expenses())
