"""Generated workbooks are like 1C's to the byte, and both readers read back what was written."""

import re
import zipfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from python_calamine import CalamineWorkbook

from cpimportd.demo.workbook import write_workbook

SAMPLES = sorted((Path(__file__).parents[1] / "samples").glob("day*/*.xlsx"))


def read(path):
    return CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python(skip_empty_area=False)


def parts(path):
    """Every part in the package's order, with its stamp; the samples write some amounts with a last zero."""
    with zipfile.ZipFile(path) as package:
        return [
            (entry.filename, entry.date_time, re.sub(rb"(\.\d)0</v>", rb"\1</v>", package.read(entry)))
            for entry in package.infolist()
        ]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_rewritten_sample_is_the_same_part_by_part(sample, tmp_path):
    titles, *rows, last = read(sample)
    assert last[0] == "Итого"
    totals = {title: cell for title, cell in zip(titles[1:], last[1:], strict=True) if cell != ""}
    stamp = datetime(*zipfile.ZipFile(sample).infolist()[0].date_time)  # noqa: DTZ001
    write_workbook(tmp_path / "copy.xlsx", titles, rows, totals, stamp=stamp)
    for ours, theirs in zip(parts(tmp_path / "copy.xlsx"), parts(sample), strict=True):
        assert ours == theirs


ROWS = [
    ["Списание 1", 'ООО "Ёж & <Сын>"', Decimal("0.10"), None],
    ["Списание 2", "1\u00a0234\u00a0567,89", 1_234_567.89, Decimal(-5)],
    ["Списание 3", "", 0, Decimal("4000000.00")],
]
TITLES = ["Документ", "Текст", "Сумма", "Комиссия"]


def test_calamine_reads_back_what_was_written(tmp_path):
    path = tmp_path / "a.xlsx"
    write_workbook(path, TITLES, ROWS, {"Сумма": Decimal("1234567.99")})
    assert read(path) == [
        TITLES,
        ["Списание 1", 'ООО "Ёж & <Сын>"', 0.1, ""],
        ["Списание 2", "1\u00a0234\u00a0567,89", 1234567.89, -5],
        ["Списание 3", "", 0, 4000000],
        ["Итого", "", 1234567.99, ""],
    ]


@pytest.mark.filterwarnings("ignore:Workbook contains no default style")
def test_openpyxl_reads_back_what_was_written(tmp_path):
    path = tmp_path / "a.xlsx"
    write_workbook(path, TITLES, ROWS, {"Сумма": Decimal("1234567.99")}, sheet="Лист & 1")
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Лист & 1"]
    assert list(book.active.values) == [
        tuple(TITLES),
        ("Списание 1", 'ООО "Ёж & <Сын>"', 0.1, None),
        ("Списание 2", "1\u00a0234\u00a0567,89", 1234567.89, -5),
        ("Списание 3", None, 0, 4000000),
        ("Итого", None, 1234567.99, None),
    ]
    assert [str(cells) for cells in book.active.merged_cells.ranges] == ["A5:B5"]


def test_title_rows_come_above_the_header(tmp_path):
    path = tmp_path / "a.xlsx"
    write_workbook(path, TITLES, ROWS, None, title_rows=["Списания", "Период: 2020 - 2025"])
    cells = read(path)
    assert [row[0] for row in cells] == [
        "Списания",
        "Период: 2020 - 2025",
        "Документ",
        "Списание 1",
        "Списание 2",
        "Списание 3",
    ]


def test_capital_shared_strings_disagree_with_the_content_types(tmp_path):
    path = tmp_path / "a.xlsx"
    write_workbook(path, TITLES, ROWS, {"Сумма": 1}, capital_shared_strings=True)
    package = zipfile.ZipFile(path)
    assert "xl/SharedStrings.xml" in package.namelist()
    assert "xl/sharedStrings.xml" not in package.namelist()
    assert b"/xl/sharedStrings.xml" in package.read("[Content_Types].xml")


def test_only_the_stamps_differ_between_two_days_of_the_same_content(tmp_path):
    for day in (1, 2):
        stamp = datetime(2026, 11, day, 6, 0)  # noqa: DTZ001
        write_workbook(tmp_path / f"{day}.xlsx", TITLES, ROWS, {"Сумма": 1}, stamp=stamp)
    first, second = (zipfile.ZipFile(tmp_path / f"{day}.xlsx") for day in (1, 2))
    assert (tmp_path / "1.xlsx").read_bytes() != (tmp_path / "2.xlsx").read_bytes()
    assert {i.filename: i.CRC for i in first.infolist()} == {i.filename: i.CRC for i in second.infolist()}


def test_a_row_of_the_wrong_width_is_refused(tmp_path):
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        write_workbook(tmp_path / "a.xlsx", TITLES, [["only one"]], None)
