"""Files that did not change since they were published, and which of them must be read all the same."""

import pytest

from cpimportd.checks.integrity import integrity
from cpimportd.checks.units import files_to_parse
from cpimportd.core.model import Group, Kind, Unit

LOTOS_EXPENSES = Unit("Лотос", Group.EXPENSES)


def judge(day, served=(), known=None, **options):
    return integrity(day.snapshots, list(served), known_expenses=known or {}, **options)


def test_on_a_day_without_changes_nothing_is_read_and_every_unit_is_unchanged(two):
    today, served = two.unread(), two.remembered()
    assert files_to_parse(today.snapshots, served) == frozenset()
    verdict = judge(today, served)
    assert len(verdict.units) == 4
    assert all(v.unchanged and not v.held and not v.problems for v in verdict.units.values())
    assert verdict.files[two.number("Лотос spisanie.xlsx")].kind is Kind.EXPENSES
    assert verdict.files[two.number("Лотос rasshifrovka.xlsx")].organizations == ("Лотос",)


def test_an_unchanged_file_is_known_by_its_content_under_another_name(two):
    served = two.remembered()
    today = two.unread()
    # 1C stamps the workbook anew each day: its bytes differ, what it holds does not.
    renamed = [type(s.file)(f"x{s.file.name}", s.file.path, 1, None, f"new {s.file_no}") for s in today.snapshots]
    today.snapshots = [
        type(s)(file=f, file_no=s.file_no, digest=s.digest, unchanged=True)
        for s, f in zip(today.snapshots, renamed, strict=True)
    ]
    assert files_to_parse(today.snapshots, served) == frozenset()
    assert all(v.unchanged for v in judge(today, served).units.values())


def test_the_partner_of_a_changed_file_is_read(two):
    served = two.remembered()
    changed = two.add("new.xlsx", Kind.EXPENSES, [("С Лотос 9", "Лотос", 1)])
    today = two.unread(*(s.file.name for s in two.snapshots if s is not changed))
    expected = {two.number("Лотос spisanie.xlsx"), two.number("Лотос rasshifrovka.xlsx")}
    assert files_to_parse(today.snapshots, served) == expected
    with pytest.raises(ValueError, match=r"Лотос/expenses.*not read"):
        judge(today, served)


def test_reading_on_goes_through_files_of_several_organizations_until_it_stands_still(day):
    day.add("eAB.xlsx", Kind.EXPENSES, [("1", "А", 1), ("2", "Б", 1)])
    day.add("dA.xlsx", Kind.DETAILS, [("1", None, 1)])
    day.add("dBV.xlsx", Kind.DETAILS, [("2", None, 1), ("3", None, 1)])
    day.add("eV.xlsx", Kind.EXPENSES, [("3", "В", 1)])
    day.add("eG.xlsx", Kind.EXPENSES, [("4", "Г", 1)])
    day.add("dG.xlsx", Kind.DETAILS, [("4", None, 1)])
    served = day.remembered()
    foreign = frozenset({Unit("А", Group.EXPENSES)})
    assert files_to_parse(day.unread().snapshots, served, foreign) == {0, 1, 2, 3}


def test_foreign_writes_make_the_units_files_be_read_and_no_others(two):
    today = two.unread()
    assert files_to_parse(today.snapshots, two.remembered(), frozenset({Unit("Север", Group.RECEIPTS)})) == {
        two.number("Север postuplenie.xlsx")
    }


def test_the_rest_of_a_unit_is_read_when_a_file_of_it_is_gone(day):
    day.add("2024.xlsx", Kind.RECEIPTS, [("П 1", "А", 1)])
    day.add("2025.xlsx", Kind.RECEIPTS, [("П 2", "А", 1)])
    served = day.remembered()
    today = day.without("2024.xlsx")
    assert files_to_parse(today.unread().snapshots, served) == {1}
    accepted = frozenset({"А/receipts"})
    with pytest.raises(ValueError, match="not read"):
        judge(today.unread(), served, accepted=accepted)
    verdict = judge(today, served, accepted=accepted)
    (unit,) = verdict.units.values()
    assert not unit.held
    assert not unit.closed


def test_an_unchanged_file_that_the_books_know_nothing_of_is_read(two):
    assert files_to_parse(two.unread().snapshots, []) == set(range(6))


def test_a_held_unit_needs_no_reading_to_be_judged(two):
    name = "Лотос rasshifrovka.xlsx"
    served, today = two.remembered(), two.unread()
    broken = two.broken(name)
    today.snapshots = [s for s in today.snapshots if s.file.name != name] + [broken]
    verdict = judge(today, served)
    assert verdict.units[LOTOS_EXPENSES].held
    assert not verdict.units[LOTOS_EXPENSES].unchanged
    assert verdict.units[Unit("Север", Group.EXPENSES)].unchanged


def test_details_that_changed_find_the_unread_expenses_through_the_books(two):
    served, known = two.remembered(), two.known_expenses()
    name = "Лотос rasshifrovka.xlsx"
    old = [s for s in two.snapshots if s.file.name != name]
    changed = two.add("new name.xlsx", Kind.DETAILS, [("С Лотос 0", None, 10)])
    today = two.unread()
    today.snapshots = [s for s in today.snapshots if s.file.name in {s.file.name for s in old}] + [changed]
    assert two.number("Лотос spisanie.xlsx") in files_to_parse(today.snapshots, served, known_expenses=known)


def test_strictness_leaves_unchanged_units_unchanged(two):
    today = two.unread()
    today.snapshots.append(two.broken("what.xlsx"))
    verdict = judge(today, two.remembered(), strict=True)
    assert all(v.unchanged and not v.held for v in verdict.units.values())
