"""A workbook of plain tables: a sheet each, with titles that stay in sight."""

import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from cpimportd.render.workbooks.cells import Sheet, cell_of, text_cell

_BOLD: Final = Font(bold=True)


class Titled(NamedTuple):
    """A column of a sheet: its title and width in characters."""

    title: str
    width: int


class Table(NamedTuple):
    """A sheet: its name, its columns, and a value per column in every row."""

    title: str
    columns: Sequence[Titled]
    rows: Iterable[Sequence[object]] | AsyncIterable[Sequence[object]]


async def write_tables(path: Path, tables: Iterable[Table]) -> None:
    """Write tables into a workbook, row by row as they come: it may hold every document of the books.

    Args:
        path: where to; it is overwritten.
        tables: a sheet each. Sums are Decimal, dates are dates; a text stays a text, whatever it looks like.

    Raises:
        OSError: it cannot be written.
    """
    book = Workbook(write_only=True)
    try:
        for table in tables:
            sheet = _add_sheet(book, table.title, table.columns)
            async for row in _each(table.rows):
                sheet.append([cell_of(sheet, value) for value in row])
        with path.open("wb") as file:
            book.save(file)
    except OSError:
        _abandon(book)
        raise


def _abandon(book: Workbook) -> None:
    """Let openpyxl end here what it writes: on a full disk it would fail again, with a traceback, when it is freed."""
    sheets: Iterable[Any] = book.worksheets
    for sheet in sheets:
        for begun in (sheet._rows, sheet._writer and sheet._writer.xf):  # noqa: SLF001 - they have no public name
            with contextlib.suppress(Exception):
                begun.close()


async def _each(rows: Iterable[Sequence[object]] | AsyncIterable[Sequence[object]]) -> AsyncIterator[Sequence[object]]:
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            yield row
    else:
        for one in rows:
            yield one


def _add_sheet(book: Workbook, title: str, columns: Sequence[Titled]) -> Sheet:
    sheet: Sheet = book.create_sheet(title)
    for number, column in enumerate(columns, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = column.width
    sheet.freeze_panes = "A2"
    header = []
    for column in columns:
        cell = text_cell(sheet, column.title)
        cell.font = _BOLD
        header.append(cell)
    sheet.append(header)
    return sheet
