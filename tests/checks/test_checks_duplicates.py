"""The same document, or the same file, twice."""

import time

import pytest

from cpimportd.checks.integrity import integrity
from cpimportd.core.model import Kind


def judge(day, served=()):
    return integrity(day.snapshots, list(served), known_expenses={})


def held(verdict):
    return {u.name for u, v in verdict.units.items() if v.held}


def test_a_document_in_two_rows_of_a_file_names_both(day):
    day.add("a.xlsx", Kind.RECEIPTS, [("П 1", "А", 1), ("П 2", "А", 1), ("П 1", "А", 1)])
    (found,) = judge(day).files[0].problems
    assert (found.code, found.row, found.value) == ("duplicate-document", 4, "П 1")
    assert found.message == "П 1 stands in row 4 and again in row 2"


def test_a_document_in_two_files_holds_the_units_of_both(day):
    day.add("a.xlsx", Kind.EXPENSES, [("С 1", "А", 1)])
    day.add("b.xlsx", Kind.EXPENSES, [("С 0", "Б", 1), ("С 1", "Б", 1)])
    day.add("c.xlsx", Kind.EXPENSES, [("С 2", "В", 1)])
    verdict = judge(day)
    assert [p.message for p in verdict.files[0].problems] == ["С 1 stands in row 2 and again in row 3 of «b.xlsx»"]
    assert [p.message for p in verdict.files[1].problems] == ["С 1 stands in row 3 and again in row 2 of «a.xlsx»"]
    assert held(verdict) == {"А/expenses", "Б/expenses"}


def test_an_old_name_left_on_the_server_is_told_in_a_length_that_one_reads(day):
    rows = [(f"П {i}", "А", 1) for i in range(100)]
    day.add("new.xlsx", Kind.RECEIPTS, [*rows, ("П 100", "А", 1)])
    day.add("old.xlsx", Kind.RECEIPTS, rows)
    problems = judge(day).files[1].problems
    assert len(problems) == 21
    assert problems[-1].message == "80 more of duplicate-document, not listed"


def test_a_receipt_and_an_expense_of_one_name_are_two_documents(day):
    day.add("a.xlsx", Kind.RECEIPTS, [("1", "А", 1)])
    day.add("b.xlsx", Kind.EXPENSES, [("1", "А", 1)])
    assert held(judge(day)) == set()


def test_several_lines_of_one_document_are_no_duplicates(day):
    day.add("a.xlsx", Kind.EXPENSES, [("С 1", "А", 2)])
    day.add("b.xlsx", Kind.DETAILS, [("С 1", None, 1), ("С 1", None, 1)])
    assert held(judge(day)) == set()


def test_of_two_files_with_the_same_content_the_second_by_name_is_ignored(day):
    rows = [("П 1", "А", 1)]
    day.add("b.xlsx", Kind.RECEIPTS, rows)
    day.add("a.xlsx", Kind.RECEIPTS, rows)
    verdict = judge(day)
    assert verdict.files[0].ignored
    assert [p.message for p in verdict.files[0].problems] == ["has the same content as a.xlsx: it was ignored"]
    assert not verdict.files[1].ignored
    assert [v.file_nos for v in verdict.units.values()] == [{1}]
    assert held(verdict) == set()


def test_two_broken_files_are_not_taken_for_copies_of_each_other(day):
    day.broken("a.xlsx")
    day.broken("b.xlsx")
    verdict = judge(day)
    assert all(f.held and not f.ignored for f in verdict.files.values())


def test_several_files_of_one_kind_and_organization_are_one_snapshot(day):
    day.add("2024.xlsx", Kind.RECEIPTS, [("П 1", "А", 1)])
    day.add("2025.xlsx", Kind.RECEIPTS, [("П 2", "А", 1)])
    (unit,) = judge(day).units.values()
    assert unit.file_nos == {0, 1}
    assert not unit.held


ID = "Списание с расчетного счета 0А00-000523 от 22.04.2022 8:01:53"


def codes(day):
    return [(found.code, found.row) for file in judge(day).files.values() for found in file.problems]


@pytest.mark.parametrize(
    ("other", "amount"),
    [
        (ID.replace("8:01", "9:01"), 7),
        (ID.replace("22.04", "05.12"), 7),
        (ID.replace("8:01", "9:01").replace("расчет", "расчёт"), 7),
        (ID.replace("8:01", "9:01").upper(), 7),
        (ID.replace(" 8:01:53", ""), 7),
        # Only looks like the number, or has other words before it, but the same money on the same day.
        (ID.replace("А", "A").replace("8:01", "9:01"), 5),
        (ID.replace("Списание с расчетного счета", "Платежное поручение").replace("8:01", "9:01"), 5),
    ],
)
def test_a_number_is_given_once_a_year(day, other, amount):
    day.add("a.xlsx", Kind.EXPENSES, [(ID, "ООО А", 5)])
    day.add("b.xlsx", Kind.EXPENSES, [("С 1", "OOO  А", 1), (other, "OOO  А", amount)])
    assert codes(day) == [("number-twice", 2), ("number-twice", 3)]
    told = judge(day).files[1].problems[0]
    assert "row 2 of «a.xlsx»" in told.message
    assert ID in told.message


@pytest.mark.parametrize(
    ("other", "organization", "amount"),
    [
        (ID.replace("2022", "2023"), "ООО А", 5),
        (ID.replace("000523", "000524"), "ООО А", 5),
        (ID.replace("8:01", "9:01"), "ООО Б", 5),
        # Where a prefix was changed from Cyrillic to Latin, numbers begin anew.
        (ID.replace("А", "A").replace("22.04", "22.05"), "ООО А", 5),
        (ID.replace("А", "A").replace("8:01", "9:01"), "ООО А", 7),
        # Documents of two sorts have numbers of their own.
        (ID.replace("Списание с расчетного счета", "Платежное поручение").replace("8:01", "9:01"), "ООО А", 7),
        ("без номера от 22.04.2022 8:01:53", "ООО А", 5),
        ("RCP-523", "ООО А", 5),
    ],
)
def test_what_1c_may_mean_as_two_documents_is_not_held(day, other, organization, amount):
    day.add("a.xlsx", Kind.EXPENSES, [(ID, "ООО А", 5), ("RCP-524", "ООО А", 5)])
    day.add("b.xlsx", Kind.EXPENSES, [(other, organization, amount)])
    assert codes(day) == []


def test_a_receipt_and_an_expense_have_numbers_of_their_own(day):
    day.add("a.xlsx", Kind.RECEIPTS, [(ID, "А", 1)])
    day.add("b.xlsx", Kind.EXPENSES, [(ID.replace("8:01", "9:01"), "А", 1)])
    assert codes(day) == []


def test_names_without_a_number_are_compared_by_how_they_look(day):
    day.add("a.xlsx", Kind.RECEIPTS, [("RCP-1", "А", 1), ("rcp\u20111", "А", 1), ("RСР-1\u00ad", "А", 1)])
    assert codes(day) == [("document-lookalike", 3), ("document-lookalike", 4)]
    told = judge(day).files[0].problems[1].message
    assert "U+0421 CYRILLIC CAPITAL LETTER ES" in told
    assert "U+00AD SOFT HYPHEN" in told


def test_a_document_that_stands_in_three_ways_is_told_of_each(day):
    later = ID.replace("8:01", "9:01")
    day.add("a.xlsx", Kind.RECEIPTS, [(ID, "А", 1), (ID, "А", 1), (later, "А", 1), (f"{later}\u200b", "А", 1)])
    assert sorted(codes(day)) == [
        ("document-lookalike", 5), ("duplicate-document", 3), ("number-twice", 4), ("number-twice", 5),
    ]  # fmt: skip


def test_details_of_one_document_written_in_two_ways_are_held(day):
    day.add("a.xlsx", Kind.EXPENSES, [(ID, "А", 2)])
    day.add("b.xlsx", Kind.DETAILS, [(ID, None, 1), (ID.replace("С", "C"), None, 1)])
    verdict = judge(day)
    assert held(verdict) == {"А/expenses"}
    (found,) = verdict.files[1].problems
    assert (found.code, found.row) == ("orphan-lookalike", 3)
    assert "U+0043 LATIN CAPITAL LETTER C, not U+0421 CYRILLIC CAPITAL LETTER ES" in found.message


def test_many_documents_of_one_number_take_no_time(day):
    started = time.perf_counter()
    moments = [f"{n % 28 + 1:02}.{n % 12 + 1:02}.2022 {n % 24}:{n % 60:02}:{n % 59:02}" for n in range(5_000)]
    day.add("a.xlsx", Kind.RECEIPTS, [(f"Вид {n} 1 от {moment}", "А", 5) for n, moment in enumerate(moments)])
    day.add("b.xlsx", Kind.RECEIPTS, [(f"Вид 1 от {moment}", "Б", n) for n, moment in enumerate(moments)])
    assert judge(day).files[1].held
    assert time.perf_counter() - started < 10
