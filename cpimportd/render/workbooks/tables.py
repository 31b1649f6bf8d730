"""A workbook of plain tables: a sheet each, with titles that stay in sight.

Cells keep their types: texts stay texts, sums are numbers, dates are dates.
"""

import os
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from cpimportd.core import files
from cpimportd.core.problems import ProblemError, printable, problem
from cpimportd.core.system import require_replaceable, unusable

Book: TypeAlias = Any
Sheet: TypeAlias = Any
SomeCell: TypeAlias = Any
"""What openpyxl's type stubs tell apart too finely, or do not know: its sheets and cells have many kinds."""

Row: TypeAlias = Sequence[object]

SUM_FORMAT: Final = "#,##0.00"
DATE_FORMAT: Final = "DD.MM.YYYY"
_LONGEST: Final = 30_000
"""Characters of a text; a cell holds 32,767."""

_ACTIVE: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet program may take for the beginning of a formula (OWASP, "CSV Injection")."""

_TOP: Final = Alignment(vertical="top", wrap_text=True)
_BOLD: Final = Font(bold=True)


class Titled(NamedTuple):
    """A column of a sheet: its title and width in characters."""

    title: str
    width: int


class Table(NamedTuple):
    """A sheet: its name, its columns, and a value per column in every row."""

    title: str
    columns: Sequence[Titled]
    rows: Iterable[Row] | AsyncGenerator[Row, None]


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
            async with aclosing(_each(table.rows)) as rows:
                async for row in rows:
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
            with suppress(Exception):
                begun.close()


def _each(rows: Iterable[Row] | AsyncGenerator[Row, None]) -> AsyncGenerator[Row, None]:
    return rows if isinstance(rows, AsyncGenerator) else _at_once(rows)


async def _at_once(rows: Iterable[Row]) -> AsyncGenerator[Row, None]:
    for row in rows:
        yield row


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


def harmless(text: object) -> str:
    """A text from a file or a server as a cell may hold it: control characters escaped, its lines kept."""
    return "\n".join(printable(line, _LONGEST) for line in str(text)[: 2 * _LONGEST].split("\n"))[:_LONGEST]


def neutralize(cell: SomeCell) -> None:
    """Make a text cell stay text, whatever it begins with, also after it is edited.

    Stored as a string and marked with the quote prefix (ECMA-376, 18.8.45), which is how a spreadsheet program itself
    keeps a text that looks like a formula.
    """
    cell.data_type = "s"
    if cell.value.startswith(_ACTIVE):
        cell.quotePrefix = True


def text_cell(sheet: Sheet, text: object) -> SomeCell:
    """A cell with a text from outside."""
    cell = WriteOnlyCell(sheet, harmless(text))
    neutralize(cell)
    cell.alignment = _TOP
    return cell


def cell_of(sheet: Sheet, value: object) -> SomeCell:
    """A cell with a value of the books: sums as numbers with a format, dates as dates, all else as text."""
    if value is None:
        return None
    if isinstance(value, bool):
        return text_cell(sheet, "да" if value else "нет")
    if isinstance(value, Decimal | int | date):
        cell = WriteOnlyCell(sheet, value)  # type: ignore[arg-type] # it takes more than its stub says
        cell.number_format = (
            SUM_FORMAT if isinstance(value, Decimal) else DATE_FORMAT if isinstance(value, date) else "0"
        )
        cell.alignment = Alignment(vertical="top")
        return cell
    return text_cell(sheet, value)


def make_folder(path: Path) -> None:
    """Make a folder that a user named, private, with those above it; one that is there is left as it is.

    Raises:
        ProblemError: ``disk``, ``machine-exhausted``.
    """
    try:
        files.make_folder(path)
    except OSError as error:
        raise ProblemError(unusable(path, error)) from error


def write_output(path: Path, write: Callable[[Path], None], *, force: bool = False) -> None:
    """Write a file by a function that is given a temporary one, see :func:`opened_output`.

    Raises:
        ProblemError: ``output-exists``, ``disk``, ``machine-exhausted``.
    """
    with opened_output(path, force=force) as temporary:
        write(temporary)


@contextmanager
def opened_output(path: Path, *, force: bool = False) -> Iterator[Path]:
    """A file to be written, mode 0600, under a temporary name in its folder; it has its own name once it is whole.

    With ``force`` a file of that name is replaced.

    Raises:
        ProblemError: ``output-exists``, ``disk``, ``machine-exhausted``.
    """
    if not force and os.path.lexists(path):
        raise _exists(path)
    try:
        require_replaceable(path)
        with files.replacing(path, force=force) as temporary:
            yield temporary
            files.sync(temporary)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise ProblemError(unusable(path, error)) from error


def _exists(path: Path) -> ProblemError:
    return ProblemError(problem("output-exists", path=str(path)))
