"""openpyxl's read-only mode: eight times slower than calamine, and right where calamine is not.

It shows error values such as ``#REF!`` and reads parts in UTF-16. It needs part names to be written as declared, and a
``<dimension>`` forgotten.
"""

import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Protocol, cast

import openpyxl

from cpimportd.model import Cell, CellError
from cpimportd.problems import ProblemError, problem
from cpimportd.workbook.memory import raise_if_memory_was_missing
from cpimportd.workbook.parts import with_declared_names
from cpimportd.workbook.sheets import Row, Sheet


class _Cell(Protocol):
    value: Cell
    data_type: str


class _Page(Protocol):
    """A read-only worksheet, whose own class openpyxl's type stubs do not tell from an ordinary one."""

    title: str
    sheet_state: str

    def reset_dimensions(self) -> None: ...
    def iter_rows(self) -> Iterator[tuple[_Cell, ...]]: ...


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
    page.reset_dimensions()  # 1C's <dimension> names only the last cell, and others lie outright
    rows = enumerate(page.iter_rows(), 1)
    while True:
        try:
            number, row = next(rows)
            cells = tuple(_value(cell) for cell in row)
        except StopIteration:
            return
        except Exception as error:
            raise _damaged(error, file, reason) from error
        yield number, cells


def _value(cell: _Cell) -> Cell:
    value = cell.value
    if value is None or value == "":
        return None
    return CellError(str(value)) if cell.data_type == "e" else value


def _damaged(error: Exception, file: str, reason: str) -> ProblemError:
    raise_if_memory_was_missing(error)
    return ProblemError(problem("file-damaged", file=file, reason=reason or f"{type(error).__name__}: {error}"))
