from zoneinfo import ZoneInfo

import pytest

from cpimportd.core.model import STAGED_COLUMNS, Kind
from cpimportd.demo.organizations import DETAIL_TITLES, EXPENSE_TITLES, RECEIPT_TITLES
from cpimportd.documents.columns import COLUMNS, Presence
from cpimportd.documents.header import has_header
from cpimportd.documents.items import DocumentRow, Header
from cpimportd.documents.understand import understand

TITLES = {Kind.RECEIPTS: RECEIPT_TITLES, Kind.EXPENSES: EXPENSE_TITLES, Kind.DETAILS: DETAIL_TITLES}


def test_every_field_that_comes_from_a_workbook_has_a_column(every_kind):
    derived = {"file_no", "row", "number", "moment"} | ({"organization"} if every_kind is Kind.DETAILS else set())
    assert {column.field for column in COLUMNS[every_kind]} | {"extra"} == {*STAGED_COLUMNS[every_kind]} - derived


@pytest.mark.parametrize("above", [0, 1, 10, 49])
def test_the_header_stands_in_the_first_rows(sheet, every_kind, above):
    found = sheet(every_kind, above=[("Выгрузка", None)] * above).document(amount=5.0).total(5.0).understood()
    assert found.header.kind is every_kind
    assert found.header.row == above + 1
    assert [row.row for row in found.rows] == [above + 2]
    assert found.totals.control_totals == found.totals.sums


def test_no_header_beyond_them_is_looked_for(sheet):
    found = sheet(above=[("Выгрузка", None)] * 50).document().understood(file="spisanie.xlsx", sheet="Лист_7")
    (problem,) = found.items
    assert problem.code == "no-header"
    assert "first 50 rows of sheet Лист_7" in problem.message
    assert "Списание с расчетного счета" in problem.way_out


@pytest.mark.parametrize("rows", [[], [(None,)], [("Привет", "мир")], [("Списание с расчетного счета",)]])
def test_a_sheet_without_a_header_has_nothing_else(understood, rows):
    assert [item.code for item in understood(rows).items] == ["no-header"]


@pytest.mark.parametrize(
    ("titles", "kind"),
    [
        (RECEIPT_TITLES, Kind.RECEIPTS),
        (EXPENSE_TITLES, Kind.EXPENSES),
        (DETAIL_TITLES, Kind.DETAILS),
        (tuple(reversed(DETAIL_TITLES)), Kind.DETAILS),
        (("Списание с расчетного счета", "Сумма"), Kind.EXPENSES),
        (("Списание с расчетного счета", "Сумма платежа"), Kind.DETAILS),
        ((None, "№", *EXPENSE_TITLES), Kind.EXPENSES),
        ((*EXPENSE_TITLES, "Сумма платежа"), Kind.EXPENSES),
        ((*DETAIL_TITLES, "Сумма", "Организация"), Kind.DETAILS),
        (tuple(title for title in EXPENSE_TITLES if title != "Сумма"), Kind.EXPENSES),
        (tuple(title for title in DETAIL_TITLES if title != "Сумма платежа"), Kind.DETAILS),
        (("Списание с расчетного счета 0А00-000523 от 22.04.2022", "Сумма"), None),
        (("Организация", "Сумма"), None),
        ((), None),
    ],
)
def test_expenses_and_details_are_told_apart_by_their_other_titles(titles, kind):
    assert has_header([("Выгрузка",), titles]) is kind


def test_a_header_is_looked_for_in_the_first_fifty_rows_only():
    assert has_header([(None,)] * 49 + [EXPENSE_TITLES]) is Kind.EXPENSES
    assert has_header([(None,)] * 50 + [EXPENSE_TITLES]) is None


@pytest.mark.parametrize(
    "written",
    [
        str.upper,
        lambda title: f"  {title}\u00a0",
        lambda title: title.replace(" ", "\u00a0"),
        lambda title: title.replace(" ", " \n "),
        lambda title: title.replace("е", "ё"),
        lambda title: title.replace("й", "и\u0306"),
        lambda title: f"\ufeff{title}",
    ],
)
def test_titles_are_known_however_they_are_written(sheet, understood, every_kind, written):
    plain = sheet(every_kind).document(amount=5.0)
    found = understood([tuple(map(written, plain.titles)), *plain.rows])
    assert found.problems == []
    assert found.document["amount"] == 5
    assert found.document["extra"] == {}


def test_titles_are_told_as_the_workbook_writes_them(understood):
    titles = ("СПИСАНИЕ  с расчетного счета", "Сумма Платежа ", "договор", "Вид платежа по кредитам займам", None)
    row = ("Списание с расчетного счета 1 от 01.02.2022", "x", "№ 1", "Погашение долга")
    found = understood([titles, row, ("Итого", 5.0)])
    assert found.header.titles == ("СПИСАНИЕ с расчетного счета", "Сумма Платежа", *titles[2:4], "")
    assert [problem.column for problem in found.problems] == ["Сумма Платежа"]
    assert found.totals.control_totals == {"Сумма Платежа": 5}


def test_every_missing_column_is_its_own_problem(sheet, required, every_kind):
    kept = (sheet(every_kind).titles[0], "Сумма", "Сумма платежа")
    missing = [title for title in required(every_kind) if title not in kept]
    assert len(missing) > 1
    found = sheet(every_kind, without=missing).document(amount=5.0).understood()
    assert [(p.code, p.column) for p in found.problems] == [("column-missing", title) for title in missing]
    assert found.header.kind is every_kind
    assert found.rows == []
    assert found.totals == type(found.totals)({}, {}, 0)


def test_a_missing_amount_is_a_missing_column(understood, every_kind):
    titles = tuple(title for title in TITLES[every_kind] if title not in ("Сумма", "Сумма платежа"))
    found = understood([titles])
    assert found.header.kind is every_kind
    assert found.codes == ["column-missing"]


def test_columns_that_every_export_has_are_missed_in_one_warning(understood):
    titles = tuple(title for title in EXPENSE_TITLES if title not in ("Комментарий", "Вх. номер"))
    found = understood([titles])
    (warning,) = (item for item in found.items if getattr(item, "code", "") == "column-absent")
    assert warning.value == "«Вх. номер», «Комментарий»"
    assert warning.effect == "warns"


def test_optional_columns_are_not_missed(understood, every_kind):
    assert [getattr(item, "code", "") for item in understood([TITLES[every_kind]]).items] == ["", ""]
    optional = [column.titles[0] for column in COLUMNS[every_kind] if column.presence is Presence.OPTIONAL]
    assert {"Курс расчетов", "Валюта"} & {*optional}


def test_a_column_that_is_there_twice_is_a_problem(sheet, every_kind):
    plain = sheet(every_kind).document()
    plain.columns = ("Договор ",)
    found = plain.understood()
    assert [(p.code, p.column) for p in found.problems] == [("column-twice", "Договор")]
    assert found.rows == []


def test_two_titles_for_one_field_are_the_column_twice(sheet):
    found = sheet(columns=["Не подтверждено банком"]).document().understood()
    assert [(p.code, p.column) for p in found.problems] == [("column-twice", "Не подтверждено банком")]


@pytest.mark.parametrize("name", ["Lotos - Postuplenie.xlsx", "Most spisanie(rasshifrovka).xlsx"])
def test_a_name_that_says_otherwise_is_a_problem(sheet, name):
    found = sheet(file=name).document().understood()
    (problem,) = found.problems
    assert (problem.code, problem.file) == ("kind-disagrees", name)
    assert "its header says expenses" in problem.message
    assert len(found.rows) == 1, "whose rows they are is still told"


@pytest.mark.parametrize("name", ["spisanie.xlsx", "Book1.xlsx", "postuplenie i spisanie.xlsx"])
def test_a_name_that_agrees_or_says_nothing_is_none(sheet, name):
    assert sheet(file=name).document().understood().problems == []


def test_rows_are_read_as_they_come(sheet):
    asked = []

    def rows():
        for number, cells in sheet().document().document().total(200.0).lines():
            asked.append(number)
            yield number, cells

    items = understand(rows(), file="", sheet="", file_no=0, zone=ZoneInfo("Europe/Moscow"), limits={})
    assert isinstance(next(items), Header)
    assert asked == [1]
    assert next(item for item in items if isinstance(item, DocumentRow)).row == 2
    assert asked == [1, 2]
