"""openpyxl's read-only mode: eight times slower than calamine, and right where calamine is not.

It shows error values such as ``#REF!`` and reads parts in UTF-16. It needs part names to be written as declared, and a
``<dimension>`` forgotten.
"""

import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol, cast

import openpyxl
from openpyxl.utils.datetime import MAC_EPOCH

from cpimportd.model import Cell, CellError
from cpimportd.problems import ProblemError, problem
from cpimportd.workbook.memory import raise_if_memory_was_missing
from cpimportd.workbook.parts import with_declared_names
from cpimportd.workbook.serials import cell_of_serial
from cpimportd.workbook.sheets import Row, Sheet
from cpimportd.workbook.sheetxml import SheetParser


class _Book(Protocol):
    epoch: object
    _date_formats: set[int]
    _timedelta_formats: set[int]


class _Page(Protocol):
    """A read-only worksheet, whose own class openpyxl's type stubs do not tell from an ordinary one."""

    title: str
    sheet_state: str
    parent: _Book
    _shared_strings: Sequence[str]

    def _get_source(self) -> IO[bytes]: ...


def sheets(path: Path, file: str, reason: str) -> tuple[Sheet, ...]:
    """The worksheets that are shown, or the hidden one where it is the only one.

    Args:
        path: a zip that the guards let pass.
        file: the name to use in problems.
        reason: why calamine did not read it, which is the better reason to show; "" where it was not asked.

    Raises:
        ProblemError: ``file-damaged``, here or later, from a sheet's rows.
        MemoryError: there was no room, here or later.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its remarks are on styles, which nobody here looks at
        try:
            book = openpyxl.load_workbook(with_declared_names(path), read_only=True, data_only=True)
        except Exception as error:
            raise _damaged(error, file, reason) from error
    pages = cast("list[_Page]", book.worksheets)
    shown = [page for page in pages if page.sheet_state == "visible"]
    if not shown and len(pages) == 1:
        shown = pages
    return tuple(Sheet(page.title, partial(_rows, page, file, reason)) for page in shown)


def _rows(page: _Page, file: str, reason: str) -> Iterator[Row]:
    rows = _numbered(page)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except Exception as error:
            raise _damaged(error, file, reason) from error
        yield row


def _numbered(page: _Page) -> Iterator[Row]:
    """Every row of a sheet, those that it leaves out too.

    Raises:
        ValueError: rows are out of order, so that one of them would be lost.
    """
    last = 0
    with page._get_source() as source:  # noqa: SLF001 - openpyxl's own way to it makes dates of what are none
        for number, cells in SheetParser(source, page._shared_strings, data_only=True).parse():  # noqa: SLF001
            if number <= last:
                raise ValueError(f"row {number} stands after row {last}")
            yield from ((missing, ()) for missing in range(last + 1, number))
            row: list[Cell] = [None] * max((cell["column"] for cell in cells), default=0)
            for cell in cells:
                row[cell["column"] - 1] = _value(cell, page.parent)
            yield number, tuple(row)
            last = number


def _value(cell: dict[str, Any], book: _Book) -> Cell:
    value, kind = cast("Cell", cell["value"]), cell["data_type"]
    if value is None or value == "":
        return None
    if kind == "e":
        return CellError(str(value))
    if kind == "n" and isinstance(value, float | int) and cell["style_id"] in book._date_formats:  # noqa: SLF001
        elapsed = cell["style_id"] in book._timedelta_formats  # noqa: SLF001
        return cell_of_serial(value, since_1904=book.epoch == MAC_EPOCH, elapsed=elapsed)
    return value


def _damaged(error: Exception, file: str, reason: str) -> ProblemError:
    raise_if_memory_was_missing(error)
    return ProblemError(problem("file-damaged", file=file, reason=reason or f"{type(error).__name__}: {error}"))
