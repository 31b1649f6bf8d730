"""Units: missing files, partners, what was asked for, strictness, what a human accepted."""

from decimal import Decimal

import pytest

from cpimportd.checks.guards import Earlier
from cpimportd.checks.integrity import integrity
from cpimportd.checks.plausibility import plausibility
from cpimportd.config.settings import Guards
from cpimportd.core.model import Group, Kind, Unit
from cpimportd.core.problems import problem
from cpimportd.core.unit_facts import DocumentFact, UnitFacts

LOTOS_RECEIPTS = Unit("Лотос", Group.RECEIPTS)
LOTOS_EXPENSES = Unit("Лотос", Group.EXPENSES)
LOTOS_FILES = ("Лотос postuplenie.xlsx", "Лотос spisanie.xlsx", "Лотос rasshifrovka.xlsx")


def judge(day, served=(), known=None, **options):
    return integrity(day.snapshots, list(served), known_expenses=known or {}, **options)


def codes(verdict):
    return [p.code for p in verdict.problems]


def held(verdict):
    return {u.name for u, v in verdict.units.items() if v.held}


def test_an_organization_whose_file_does_not_come_is_held_and_not_emptied(two):
    verdict = judge(two.without("Лотос postuplenie.xlsx"), two.remembered())
    assert held(verdict) == {"Лотос/receipts"}
    unit = verdict.units[LOTOS_RECEIPTS]
    assert codes(unit) == ["file-missing"]
    assert unit.problems[0].file == "Лотос postuplenie.xlsx"
    assert "accept 'Лотос/receipts'" in unit.problems[0].way_out
    assert not unit.closed


def test_accepted_by_name_an_organization_is_closed(two):
    accepted = frozenset({"Лотос/receipts", "Лотос/expenses"})
    verdict = judge(two.without(*LOTOS_FILES), two.remembered(), accepted=accepted)
    assert held(verdict) == set()
    assert verdict.units[LOTOS_RECEIPTS].closed
    assert verdict.units[LOTOS_EXPENSES].closed
    assert verdict.units[LOTOS_EXPENSES].accepted == ("file-missing",)
    assert not verdict.units[Unit("Север", Group.RECEIPTS)].closed


@pytest.mark.parametrize("absent", ["Лотос spisanie.xlsx", "Лотос rasshifrovka.xlsx"])
def test_half_of_expenses_and_details_cannot_be_accepted(two, absent):
    verdict = judge(two.without(absent), two.remembered(), two.known_expenses(), accepted=frozenset({"Лотос/expenses"}))
    assert codes(verdict.units[LOTOS_EXPENSES]) == ["file-missing", "partner-missing"]
    assert held(verdict) == {"Лотос/expenses"}


def test_an_accept_overrides_no_integrity_check(two):
    two.add("dup.xlsx", Kind.RECEIPTS, [("П Лотос 0", "Лотос", 100)])
    assert held(judge(two, accepted=frozenset({"Лотос/receipts"}))) == {"Лотос/receipts"}


def test_an_accept_of_no_unit_is_said(two):
    verdict = judge(two, accepted=frozenset({"Лотос/recepits"}))
    assert codes(verdict) == ["accept-unknown"]
    assert held(verdict) == set()


def test_a_renamed_file_changes_nothing(day, new_day):
    yesterday = new_day()
    yesterday.add("old.xlsx", Kind.RECEIPTS, [("П 1", "А", 1)])
    day.add("new.xlsx", Kind.RECEIPTS, [("П 1", "А", 1), ("П 2", "А", 1)])
    assert held(judge(day, yesterday.remembered())) == set()


def test_an_organization_that_its_file_names_no_more_is_held(day, new_day):
    yesterday = new_day()
    yesterday.add("both.xlsx", Kind.RECEIPTS, [("П 1", "А", 1), ("П 2", "Б", 1)])
    day.add("both.xlsx", Kind.RECEIPTS, [("П 1", "А", 1)])
    assert held(judge(day, yesterday.remembered())) == {"Б/receipts"}


def test_one_of_an_organizations_two_files_that_does_not_come_is_missed(day, new_day):
    yesterday = new_day()
    yesterday.add("2024.xlsx", Kind.RECEIPTS, [("П 1", "А", 1)])
    yesterday.add("2025.xlsx", Kind.RECEIPTS, [("П 2", "А", 1)])
    day.add("2025.xlsx", Kind.RECEIPTS, [("П 2", "А", 1), ("П 3", "А", 1)])
    verdict = judge(day, yesterday.remembered())
    unit = Unit("А", Group.RECEIPTS)
    assert not verdict.units[unit].problems  # the other one may hold its documents: the books have to be asked
    assert [entry.file for entry in verdict.units[unit].gone] == ["2024.xlsx"]
    lost = DocumentFact("П 1", "1", 2024, Decimal(1), None)
    facts = UnitFacts(unit, 2, 2, Decimal(2), gone=(lost,))
    judged = plausibility(
        [facts],
        Guards(),
        frozenset(),
        organizations_today=frozenset({"А"}),
        earlier={unit: Earlier(gone=verdict.units[unit].gone)},
    )
    assert [(p.code, p.file) for p in judged[unit].problems] == [("file-missing", "2024.xlsx")]
    assert judged[unit].held
    day.add("2024 new.xlsx", Kind.RECEIPTS, [("П 1", "А", 1)])
    assert held(judge(day, yesterday.remembered())) == set()


def test_expenses_without_details_are_published_where_nobody_ever_exported_details(day):
    day.organization("Лотос", details=False)
    unit = judge(day).units[LOTOS_EXPENSES]
    assert codes(unit) == ["details-never"]
    assert not unit.held


@pytest.mark.parametrize("kind", [Kind.DETAILS, None])
def test_expenses_without_details_are_held_while_an_unreadable_file_may_hold_them(day, kind):
    day.organization("Лотос", details=False)
    day.broken("r.xlsx", kind=kind)
    assert codes(judge(day).units[LOTOS_EXPENSES]) == ["partner-held"]
    other = judge(day.without("r.xlsx"), fetch_problems=[problem("download-failed", file="r.xlsx", reason="gone")])
    assert codes(other.units[LOTOS_EXPENSES]) == ["partner-held"]


def test_of_several_unreadable_workbooks_the_one_named_like_the_units_own_comes_first(day):
    day.organization("Лотос", details=False)
    for name in ("Кран rasshifrovka.xlsx", "ЛОТОС  Rasshifrovka.xlsx", "Мост rasshifrovka.xlsx"):
        day.broken(name, kind=Kind.DETAILS)
    (told,) = judge(day).units[LOTOS_EXPENSES].problems
    assert told.file == "ЛОТОС  Rasshifrovka.xlsx"
    assert told.message.endswith("is, and so are «Кран rasshifrovka.xlsx», «Мост rasshifrovka.xlsx»")


def test_details_without_expenses_are_held_on_the_first_day_too(day, two):
    day.snapshots = [s for s in two.snapshots if s.kind is Kind.DETAILS]
    verdict = judge(day, known=two.known_expenses())
    assert codes(verdict.units[LOTOS_EXPENSES]) == ["partner-missing"]


def test_broken_details_hold_the_expenses_with_them(two):
    name = "Лотос rasshifrovka.xlsx"
    broken = two.broken(name)
    today = two.without(name)
    today.snapshots.append(broken)
    unit = judge(today, two.remembered()).units[LOTOS_EXPENSES]
    assert codes(unit) == ["file-empty", "partner-held"]
    assert unit.problems[1].message == "Лотос: held because Лотос rasshifrovka.xlsx is"


def test_thirteen_of_eighteen_broken_files_leave_the_right_ones(day, new_day):
    yesterday = new_day()
    for i in range(6):
        yesterday.organization(f"О{i}")
    for s in yesterday.snapshots:
        if s.file_no < 5:
            day.snapshots.append(s)
        else:
            broken = day.broken(s.file.name)
            assert broken.file_no == s.file_no
    known = {k: v for k, v in yesterday.known_expenses().items() if v[0] not in ("О0", "О1")}
    verdict = judge(day, yesterday.remembered(), known)
    assert {u.name for u, v in verdict.units.items() if not v.held} == {"О0/receipts", "О0/expenses", "О1/receipts"}
    assert len(verdict.units) == 12


@pytest.mark.parametrize("only", [{Kind.EXPENSES}, {Kind.DETAILS}, {Kind.EXPENSES, Kind.DETAILS}])
def test_asked_for_details_or_expenses_both_come(two, only):
    two.broken("Север postuplenie 2.xlsx", kind=Kind.RECEIPTS)
    verdict = judge(two, only=frozenset(only))
    assert {u.name for u in verdict.units} == {"Лотос/expenses", "Север/expenses"}
    assert {two.snapshots[n].kind for n, f in verdict.files.items() if f.ignored} == {Kind.RECEIPTS}
    assert not any(f.held for f in verdict.files.values())


def test_what_was_not_asked_for_is_not_missed(two):
    only_expenses = two.without("Лотос postuplenie.xlsx", "Север postuplenie.xlsx")
    verdict = judge(only_expenses, two.remembered(), only=frozenset({Kind.EXPENSES}))
    assert held(verdict) == set()


def test_when_strict_one_held_unit_holds_all(two):
    two.add("bad.xlsx", Kind.RECEIPTS, [("П", "А", 1)], totals={"Сумма": "2"})
    verdict = judge(two, strict=True)
    assert all(v.held for v in verdict.units.values())
    assert codes(verdict.units[LOTOS_EXPENSES]) == ["strict"]
    assert codes(verdict.units[Unit("А", Group.RECEIPTS)]) == ["control-total"]


def test_when_strict_a_broken_file_of_nobody_holds_all(two):
    two.broken("what.xlsx")
    assert all(v.held for v in judge(two, strict=True).units.values())


def test_strictness_holds_nothing_on_a_right_day(two):
    assert held(judge(two, strict=True)) == set()


def test_what_is_held_after_comparing_with_the_books_holds_all_too(two):
    facts = [UnitFacts(unit, 2, 2, Decimal(2)) for unit in judge(two).units]
    undone = {LOTOS_EXPENSES: 7}
    judged = plausibility(
        facts, Guards(), frozenset(), organizations_today=frozenset({"Лотос", "Север"}), strict=True, undone=undone
    )
    others = {unit.name for unit, one in judged.items() if [found.code for found in one.problems] == ["strict"]}
    assert others == {"Лотос/receipts", "Север/receipts", "Север/expenses"}
    assert all(one.held for one in judged.values())
    assert codes(judged[LOTOS_EXPENSES]) == ["undone"]
