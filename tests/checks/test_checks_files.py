"""A file by itself: its control totals, and what a wrong file does to the units that depend on it."""

from decimal import Decimal

import pytest

from cpimportd.checks.integrity import integrity
from cpimportd.core.model import Group, Kind, Unit
from cpimportd.core.problems import problem

RECEIPTS_OF_A = Unit("А", Group.RECEIPTS)


def codes(verdict):
    return [p.code for p in verdict.problems]


def judge(day, served=(), known=None, **options):
    return integrity(day.snapshots, list(served), known_expenses=known or {}, **options)


def test_a_day_on_which_everything_is_right_is_published(two):
    verdict = judge(two)
    assert {u.name for u in verdict.units} == {
        "Лотос/receipts", "Лотос/expenses", "Север/receipts", "Север/expenses"
    }  # fmt: skip
    assert not any(u.held or u.problems or u.unchanged for u in verdict.units.values())
    assert not any(f.held or f.problems or f.ignored for f in verdict.files.values())
    details = verdict.files[two.number("Лотос rasshifrovka.xlsx")]
    assert (details.kind, details.organizations) == (Kind.DETAILS, ("Лотос",))
    assert verdict.units[Unit("Лотос", Group.EXPENSES)].file_nos == {1, 2}


@pytest.mark.parametrize(
    ("sums", "totals", "expected"),
    [
        ({"Сумма": "10"}, {"Сумма": "10.00"}, []),
        ({"Сумма": "10"}, {"Сумма": "10.01"}, ["control-total"]),
        ({"Сумма": "10"}, {}, ["control-total-missing"]),
        ({"Сумма": "10", "Комиссия": "1.5"}, {"Комиссия": "1.5"}, ["control-total-missing"]),
        ({"Сумма": "10", "Комиссия": "1.5"}, {"Сумма": "10"}, []),
        ({"Сумма": "10", "Комиссия": "1.5"}, {"Сумма": "10", "Комиссия": "1.50"}, []),
        ({"Сумма": "10", "Комиссия": "1.5"}, {"Сумма": "10", "Комиссия": "1.51"}, ["control-total"]),
        ({"Сумма": "10"}, {"Сумма": "10", "Комиссия": "1"}, ["control-total"]),
        ({" СУММА ": "10"}, {" СУММА ": "10"}, []),
        # The reader's sum agrees with the total, but the documents that would be published do not.
        ({"Сумма": "11"}, {"Сумма": "11"}, ["control-total"]),
        # A sum of rates may carry fractions of a kopeck where 1C shows a rounded total.
        ({"Сумма": "10", "Курс расчетов": "3.0004"}, {"Сумма": "10", "Курс расчетов": "3"}, []),
    ],
)
def test_every_filled_total_must_match_and_the_main_one_must_be_there(day, sums, totals, expected):
    day.add("a.xlsx", Kind.RECEIPTS, [("П 1", "А", 10)], sums=sums, totals=totals)
    verdict = judge(day)
    assert [p.code for p in verdict.files[0].problems] == expected
    assert verdict.files[0].held == verdict.units[RECEIPTS_OF_A].held == bool(expected)


def test_a_difference_is_told_to_the_kopeck(day):
    day.add("a.xlsx", Kind.RECEIPTS, [("П 1", "А", "1234567.89")], totals={"Сумма": "1234567.90"})
    (found,) = judge(day).files[0].problems
    assert (
        found.message
        == "«Сумма» sums to 1\u00a0234\u00a0567,89, but Итого says 1\u00a0234\u00a0567,90: difference -0,01"
    )


def test_a_file_with_rejects_is_held_for_them_and_not_for_its_total(day):
    reject = problem("reject", file="a.xlsx", row=3, column="Сумма", cell="", reason="«abc» is no amount")
    day.add("a.xlsx", Kind.RECEIPTS, [("П 1", "А", 10)], totals={"Сумма": "20"}, problems=[reject])
    verdict = judge(day)
    assert codes(verdict.files[0]) == ["reject"]
    assert codes(verdict.units[RECEIPTS_OF_A]) == ["reject"]


def test_of_a_thousand_rejects_the_unit_tells_the_first(day):
    rejects = [problem("reject", file="a.xlsx", row=row, cell="", reason="no") for row in range(3, 1003)]
    day.add("a.xlsx", Kind.RECEIPTS, [("П 1", "А", 10)], problems=rejects)
    verdict = judge(day)
    assert len(verdict.files[0].problems) == 1000
    assert [p.row for p in verdict.units[RECEIPTS_OF_A].problems] == [3]


def test_warnings_hold_nothing(day):
    warning = problem("amount-zero", file="a.xlsx", count=1, row=2)
    day.add("a.xlsx", Kind.RECEIPTS, [("П 1", "А", 0)], problems=[warning])
    verdict = judge(day)
    assert not verdict.files[0].held
    assert not verdict.units[RECEIPTS_OF_A].held


def test_a_wrong_file_holds_every_organization_in_it_and_no_other(two):
    rows = [("П А", "А", 1), ("П Б", "Б", 2)]
    two.add("both.xlsx", Kind.RECEIPTS, rows, totals={"Сумма": "4"})
    held = {u.name for u, v in judge(two).units.items() if v.held}
    assert held == {"А/receipts", "Б/receipts"}


def test_a_wrong_file_holds_also_whom_it_named_last_time(day, new_day):
    yesterday = new_day()
    yesterday.add("both.xlsx", Kind.RECEIPTS, [("П А", "А", 1), ("П Б", "Б", 2)])
    day.add("both.xlsx", Kind.RECEIPTS, [("П А", "А", 1)], totals={"Сумма": "3"})
    verdict = judge(day, yesterday.remembered())
    assert {u.name: codes(v) for u, v in verdict.units.items()} == {
        "А/receipts": ["control-total"],
        "Б/receipts": ["control-total"],
    }


@pytest.mark.parametrize("code", ["file-empty", "file-damaged"])
def test_an_unreadable_file_holds_what_it_named_last_time(two, code):
    today = two.without("Лотос postuplenie.xlsx")
    broken = today.broken("Лотос postuplenie.xlsx", code)
    today.snapshots[-1] = broken = type(broken)(file=broken.file, file_no=99, problems=broken.problems)
    verdict = judge(today, two.remembered())
    assert {u.name for u, v in verdict.units.items() if v.held} == {"Лотос/receipts"}
    assert codes(verdict.units[Unit("Лотос", Group.RECEIPTS)]) == [code]
    assert (verdict.files[99].kind, verdict.files[99].organizations) == (Kind.RECEIPTS, ("Лотос",))


def test_a_file_that_could_not_be_fetched_counts_as_unreadable(two):
    name = "Лотос postuplenie.xlsx"
    failure = problem("download-short", file=name, got=1, size=2)
    verdict = judge(two.without(name), two.remembered(), fetch_problems=[failure])
    assert {u.name: codes(v) for u, v in verdict.units.items() if v.held} == {"Лотос/receipts": ["download-short"]}
    assert verdict.problems == (failure,)


def test_an_unfetched_file_is_known_again_though_its_name_had_to_be_escaped(day, new_day):
    yesterday = new_day()
    name = "bell\x07.xlsx"
    yesterday.add(name, Kind.RECEIPTS, [("П А", "А", 1)])
    failure = problem("download-failed", file=name, reason="gone")
    assert failure.file != name
    assert judge(day, yesterday.remembered(), fetch_problems=[failure]).units[RECEIPTS_OF_A].held


def test_an_unreadable_file_with_a_new_name_holds_nothing_but_is_itself_held(two):
    two.broken("news.xlsx")
    verdict = judge(two)
    assert verdict.files[6].held
    assert not any(u.held for u in verdict.units.values())


def test_a_file_of_no_kind_and_without_a_word_about_it_is_held_all_the_same(day):
    day.add("readme.xlsx", None)
    assert codes(judge(day).files[0]) == ["kind-unknown"]


def test_a_workbook_with_nothing_but_a_zero_total_is_an_empty_snapshot_of_what_it_held(day, new_day):
    yesterday = new_day()
    yesterday.add("a.xlsx", Kind.RECEIPTS, [("П А", "А", 1)])
    day.add("a.xlsx", Kind.RECEIPTS, totals={"Сумма": "0"}, sums={})
    verdict = judge(day, yesterday.remembered())
    assert verdict.units[RECEIPTS_OF_A].file_nos == {0}
    assert not verdict.units[RECEIPTS_OF_A].held
    assert not verdict.units[RECEIPTS_OF_A].closed
    assert verdict.files[0].organizations == ("А",)


def test_the_sums_of_documents_are_exact(day):
    day.add("a.xlsx", Kind.RECEIPTS, [(f"П {i}", "А", "0.10") for i in range(3)], totals={"Сумма": "0.3"})
    assert not judge(day).units[RECEIPTS_OF_A].held
    assert sum((d.amount for d in day.snapshots[0].documents), Decimal(0)) == Decimal("0.3")
