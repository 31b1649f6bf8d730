"""The same document, or the same file, twice."""

from cpimportd.checks import integrity
from cpimportd.model import Kind


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
