"""Reads a workbook's sheets as rows of cells, each format by the engine that reads it correctly.

calamine reads XLSX, or the second engine if calamine would be wrong; xlrd reads XLS; XLSB is read record by record.
Runs in the child process, after the guards.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, time
from functools import partial
from typing import Literal

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from cpimportd.core.model import Cell
from cpimportd.core.phrases import Phrase, PhraseError, phrase, reason_of
from cpimportd.core.problems import ProblemError, problem
from cpimportd.workbook import xls, xlsb, xlsx
from cpimportd.workbook.guards import Contents
from cpimportd.workbook.memory import raise_if_memory_was_missing
from cpimportd.workbook.openfile import Workbook
from cpimportd.workbook.package import Package
from cpimportd.workbook.sheets import Row, Sheet, shown_sheets
from cpimportd.workbook.xlsx import with_usual_names

_ZERO_YEAR = 1899
"""Of the day that calamine makes of what is no number."""


@dataclass(frozen=True, slots=True)
class Cells:
    """A workbook's worksheets: those that are shown, or the hidden one where it is the only one.

    Attributes:
        engine: what reads them.
        sheets: in the workbook's order.
        since_1904: the workbook counts its days from 1904, so that a bare number in a column of dates does.
    """

    engine: Literal["calamine", "expat", "xlrd", "xlsb"]
    sheets: tuple[Sheet, ...]
    since_1904: bool = False


class _UnreadableError(PhraseError):
    """calamine cannot read a workbook, or a row of it, for the reason that it says."""


def open_cells(workbook: Workbook, contents: Contents, file: str) -> Cells:
    """Open a workbook with the engine that reads it right.

    Args:
        workbook: the workbook.
        contents: what the guards say of it.
        file: the name to use in problems.

    Returns:
        Its sheets. A row of them may still raise ``file-damaged``: engines read as they go.

    Raises:
        ProblemError: ``file-encrypted``, ``file-damaged``, ``file-unclear``; ``file-not-workbook``: no worksheet.
        MemoryError: there was no room to open it.
    """
    if not contents.is_zip:
        book = xls.open_xls(workbook, file)
        cells = Cells("xlrd", book.sheets, book.since_1904)
    else:
        cells = _of_zip(workbook, contents, file)
    if not cells.sheets:
        raise ProblemError(problem("file-not-workbook", file=file, reason=phrase("no-worksheet")))
    return cells


def _of_zip(workbook: Workbook, contents: Contents, file: str) -> Cells:
    package = contents.package
    if package is None:
        return _of_xlsb(workbook, file)

    def second(reason: Phrase | None) -> tuple[Sheet, ...]:
        return xlsx.sheets(workbook, package, file, reason)

    if not contents.needs_second_engine:
        try:
            pages = _pages(workbook, package, file)
        except _UnreadableError as error:
            return Cells("expat", second(error.phrase), contents.since_1904)
        rows = [
            partial(_merge_engines, page, contents.odd_numbers, partial(_rows_of_second_engine, second, place))
            for place, page in enumerate(pages)
        ]
        sheets = tuple(Sheet(page.name, each) for page, each in zip(pages, rows, strict=True))
        return Cells("calamine", sheets, contents.since_1904)
    return Cells("expat", second(None), contents.since_1904)


def _rows_of_second_engine(
    second: Callable[[Phrase | None], tuple[Sheet, ...]], place: int, reason: Phrase
) -> Iterator[Row]:
    return second(reason)[place].rows()


def _merge_engines(sheet: CalamineSheet, odd_numbers: bool, second: Callable[[Phrase], Iterator[Row]]) -> Iterator[Row]:
    """A sheet's rows by calamine, and from the first row on that it does not read right by the second engine."""
    last = 0
    try:
        for number, cells in _calamine_rows(sheet):
            if odd_numbers and any(map(_is_doubtful, cells)):
                reason = phrase("number-no-date", row=number)
                break
            yield number, cells
            last = number
        else:
            return
    except _UnreadableError as error:
        reason = error.phrase
    for number, cells in second(reason):
        if number > last:
            yield number, cells


def _is_doubtful(cell: Cell) -> bool:
    """Whether a cell may be a number that calamine took for a date: it makes a time of -1, and a day of no number."""
    return isinstance(cell, time) or (isinstance(cell, datetime) and cell.year == _ZERO_YEAR)


def _of_xlsb(workbook: Workbook, file: str) -> Cells:
    try:
        book = xlsb.open_xlsb(workbook)
    except Exception as error:
        raise _unclear(error, file) from error
    sheets = tuple(Sheet(sheet.name, partial(_rows_or_problem, sheet.rows, file)) for sheet in book.sheets)
    return Cells("xlsb", sheets, book.since_1904)


def _rows_or_problem(read: Callable[[], Iterator[Row]], file: str) -> Iterator[Row]:
    rows = read()
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except Exception as error:
            raise _unclear(error, file) from error
        yield row


@dataclass(frozen=True, slots=True)
class _Page:
    """One of calamine's worksheets: its place among all sheets, its name, and whether it is shown."""

    place: int
    name: str
    shown: bool


def _pages(workbook: Workbook, package: Package, file: str) -> list[CalamineSheet]:
    """The worksheets to read.

    Raises:
        _UnreadableError: calamine cannot read the workbook.
        ProblemError: ``file-encrypted``.
        MemoryError: there was no room to open it.
    """
    try:
        # By its content, not its name: a binary XLS is often called .xlsx.
        with workbook.open("rb") as handle:
            book = CalamineWorkbook.from_filelike(handle if package.plain else with_usual_names(workbook, package))
        pages = _worksheets(book)
        # Check that calamine finds the worksheets of the package.
        if [(page.name, page.shown) for page in pages] != [(sheet.name, sheet.shown) for sheet in package.sheets]:
            book = CalamineWorkbook.from_filelike(with_usual_names(workbook, package))
            pages = _worksheets(book)
        return [book.get_sheet_by_index(page.place) for page in shown_sheets(pages)]
    except PasswordError as error:
        raise ProblemError(problem("file-encrypted", file=file)) from error
    except BaseException as error:
        raise _unreadable(error) from error


def _worksheets(book: CalamineWorkbook) -> list[_Page]:
    # Compared, not identified: before 0.6.2 python-calamine makes such a value anew each time.
    return [
        _Page(place, meta.name, meta.visible == SheetVisibleEnum.Visible)
        for place, meta in enumerate(book.sheets_metadata)
        if meta.typ == SheetTypeEnum.WorkSheet
    ]


def _calamine_rows(sheet: CalamineSheet) -> Iterator[Row]:
    """A sheet's rows.

    Raises:
        _UnreadableError: a row holds what calamine cannot give, such as a number beyond all dates in a cell for dates.
        MemoryError: there was no room for it.
    """
    # iter_rows counts empty rows above the data, but leaves out empty columns to the left of it.
    left: tuple[None, ...] = (None,) * (sheet.start[1] if sheet.start else 0)
    rows = sheet.iter_rows()
    number = 0
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except BaseException as error:
            raise _unreadable(error, number + 1) from error
        number += 1
        yield number, (*left, *[None if cell == "" else cell for cell in row])


def _unreadable(error: BaseException, row: int | None = None) -> _UnreadableError:
    """Translate an exception of calamine; others are raised unchanged.

    A panic of Rust arrives as a class of its own under BaseException, which no module exports.
    """
    is_panic = type(error).__name__ == "PanicException"
    if not is_panic and not isinstance(error, CalamineError | OverflowError | ValueError | OSError):
        raise error
    raise_if_memory_was_missing(error)
    said = phrase("panic" if is_panic else "said", said=str(error))
    return _UnreadableError(said if row is None else phrase("row-said", row=row, said=said))


def _unclear(error: Exception, file: str) -> ProblemError:
    raise_if_memory_was_missing(error)
    return ProblemError(problem("file-unclear", file=file, reason=reason_of(error) or type(error).__name__))
