"""Cells of a workbook that hold what they say: texts stay texts, sums are numbers, dates are dates."""

from datetime import date
from decimal import Decimal
from typing import Any, Final, TypeAlias

from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment

from cpimportd.core.problems import printable

Book: TypeAlias = Any
Sheet: TypeAlias = Any
SomeCell: TypeAlias = Any
"""What openpyxl's type stubs tell apart too finely, or do not know: its sheets and cells have many kinds."""

SUM_FORMAT: Final = "#,##0.00"
DATE_FORMAT: Final = "DD.MM.YYYY"
_LONGEST: Final = 30_000
"""Characters of a text; a cell holds 32,767."""

_ACTIVE: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet program may take for the beginning of a formula (OWASP, "CSV Injection")."""

_TOP: Final = Alignment(vertical="top", wrap_text=True)


def harmless(text: object) -> str:
    """A text from a file or a server as a cell may hold it: control characters escaped, its lines kept."""
    return "\n".join(printable(line, _LONGEST) for line in str(text)[: 2 * _LONGEST].split("\n"))[:_LONGEST]


def neutralize(cell: SomeCell) -> None:
    """Make a text cell stay text, whatever it begins with, also once somebody edits it.

    Stored as a string and marked with the quote prefix (ECMA-376, 18.8.45), which is how a spreadsheet program itself
    keeps a text that looks like a formula.
    """
    cell.data_type = "s"
    if cell.value.startswith(_ACTIVE):
        cell.quotePrefix = True


def text_cell(sheet: Sheet, text: object) -> SomeCell:
    """A cell with a text of somebody else's."""
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
