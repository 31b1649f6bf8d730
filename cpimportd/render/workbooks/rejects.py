"""Marks 1C's workbook: cells to be corrected are coloured and commented, and listed on a first sheet.

Nothing in the result executes: formulas become their texts; names, links, validations and conditional formats are left
out. This runs in a child process with limits (:mod:`cpimportd.run.marker`).
"""

# ruff: noqa: SLF001 - what a subclass of openpyxl's writer has to touch has no public name

import io
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final

import openpyxl
from openpyxl.comments import Comment
from openpyxl.drawing.spreadsheet_drawing import SpreadsheetDrawing
from openpyxl.formatting.formatting import ConditionalFormattingList
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import column_index_from_string, get_column_letter
from openpyxl.workbook.defined_name import DefinedNameDict
from openpyxl.worksheet._writer import WorksheetWriter
from openpyxl.worksheet.datavalidation import DataValidationList
from openpyxl.worksheet.hyperlink import Hyperlink
from openpyxl.writer.excel import ExcelWriter

from cpimportd.core.folding import fold
from cpimportd.core.formatting import amount
from cpimportd.render.workbooks.notes import Compared, Note
from cpimportd.render.workbooks.tables import SUM_FORMAT, Book, Sheet, SomeCell, Titled, harmless, neutralize

LIST: Final = "Что исправить"
_AUTHOR: Final = "cpimportd"
_RED: Final = PatternFill("solid", fgColor="FFFFC7CE")
_YELLOW: Final = PatternFill("solid", fgColor="FFFFEB9C")
_LINK: Final = Font(color="FF0563C1", underline="single")
_WRAPPED: Final = Alignment(vertical="top", wrap_text=True)
_TOP: Final = Alignment(vertical="top")
_HEADER_ROWS: Final = 50
_COLUMNS: Final = (
    Titled("№", 6),
    Titled("Ячейка", 14),
    Titled("Колонка", 28),
    Titled("Значение", 28),
    Titled("Что не так", 52),
    Titled("Что сделать", 52),
    Titled("Важность", 16),
    Titled("Документ", 52),
)
_AMOUNTS: Final = (
    Titled("Одна сумма", 22),
    Titled("Сколько", 18),
    Titled("Другая сумма", 22),
    Titled("Сколько", 18),
    Titled("Разница", 40),
)
"""Where two amounts that should be one are among what is to be corrected: they stand beside each other."""
_FIRST_AMOUNT: Final = 4


def mark(source: Path | BinaryIO, notes: Sequence[Note], *, sheet: str | None, columns: Mapping[str, str]) -> bytes:
    """Colour and comment what is to be corrected.

    Args:
        source: the workbook.
        notes: what is to be corrected.
        sheet: the sheet that was read; None: nobody knows, and the active one is taken.
        columns: field → letters of its column, as far as known.

    Returns:
        The workbook that results.

    Raises:
        Exception: whatever openpyxl raises for a file that it cannot read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its remarks are on styles
        book: Book = openpyxl.load_workbook(source, keep_vba=False, keep_links=False)
        _disarm(book)
        page = book[sheet] if sheet in book.sheetnames else book.active
        at = _places(page, notes, columns)
        merged = _merged(page)
        notes_of = defaultdict(list)
        for note, cell in zip(notes, at, strict=True):
            if cell is not None:
                notes_of[merged.get(cell, cell)].append(note)
        for coordinate, its_notes in notes_of.items():
            _comment(page[coordinate], its_notes)
        _list(book, page, notes, at, columns.get("operation_id"))
        return _save_in_memory(book)


def _disarm(book: Book) -> None:
    """Leave nothing that a spreadsheet program computes, follows or loads."""
    book.defined_names = DefinedNameDict()
    for sheet in book.worksheets:
        sheet.defined_names = DefinedNameDict()
        sheet.data_validations = DataValidationList()
        sheet.conditional_formatting = ConditionalFormattingList()
        _drop_drawings(sheet)
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    value = cell.value
                    cell.value = harmless(value if isinstance(value, str) else f"={getattr(value, 'text', '')}")
                    neutralize(cell)
                elif cell.data_type == "s" and isinstance(cell.value, str):
                    neutralize(cell)
                if cell.hyperlink is not None:
                    cell.hyperlink = None


def _places(page: Sheet, notes: Sequence[Note], columns: Mapping[str, str]) -> list[str | None]:
    """The cell of each note: that of its column, else the row's amount or its first that is filled."""
    titles: dict[str, str] = {}
    for row in page.iter_rows(min_row=1, max_row=_HEADER_ROWS):
        for cell in row:
            if isinstance(cell.value, str):
                titles.setdefault(fold(cell.value), cell.column_letter)
    found: list[str | None] = []
    for note in notes:
        if note.row is None or not 1 <= note.row <= page.max_row:
            found.append(None)
            continue
        letters = titles.get(fold(note.column)) if note.column else None
        found.append(f"{letters or columns.get('operation_id') or _first(page, note.row)}{note.row}")
    return found


def _first(page: Sheet, row: int) -> str:
    filled = (cell.column for cell in page[row] if cell.value not in {None, ""})
    return get_column_letter(next(filled, 1))


def _merged(page: Sheet) -> dict[str, str]:
    """Each cell that is merged into another → that one, their top left: only it has a colour and a comment."""
    return {
        f"{get_column_letter(column)}{row}": area.start_cell.coordinate
        for area in page.merged_cells.ranges
        for row, column in area.cells
    }


def _comment(cell: SomeCell, notes: Sequence[Note]) -> None:
    cell.fill = _RED if any(note.grave for note in notes) else _YELLOW
    text = "\n\n".join(harmless(_comment_text(note)) for note in notes)[:8000]
    cell.comment = Comment(text, _AUTHOR, width=360, height=60 + 20 * (text.count("\n") + len(text) // 50))


def _comment_text(note: Note) -> str:
    value = f"\nЗначение: {note.value}" if note.value else ""
    column = f"\nКолонка: {note.column}" if note.column else ""
    return f"{note.text}{column}{value}{_amounts(note.compared)}\nЧто сделать: {note.advice}"


def _amounts(compared: Compared | None) -> str:
    """Both amounts, one below the other, and their difference."""
    if compared is None:
        return ""
    lines = ((compared.here, compared.amount), (compared.there, compared.other))
    told = "".join(f"\n{name}: {amount(Decimal(said))}" for name, said in lines)
    return f"{told}\nРазница: {compared.difference}"


def _list(
    book: Book,
    page: Sheet,
    notes: Sequence[Note],
    at: Sequence[str | None],
    names: str | None,
) -> None:
    """The first sheet: everything that is to be corrected, each with a link to its cell."""
    sheet = book.create_sheet(LIST, 0)
    with_amounts = any(note.compared for note in notes)
    columns = (*_COLUMNS[:_FIRST_AMOUNT], *_AMOUNTS, *_COLUMNS[_FIRST_AMOUNT:]) if with_amounts else _COLUMNS
    for number, column in enumerate(columns, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = column.width
        _put(sheet.cell(1, number), column.title).font = Font(bold=True)
    sheet.freeze_panes = "A2"
    document = column_index_from_string(names) if names else None
    quoted = page.title.replace("'", "''")
    for number, (note, cell) in enumerate(zip(notes, at, strict=True), start=1):
        row = number + 1
        sheet.cell(row, 1).value = number
        link = _put(sheet.cell(row, 2), cell or "")
        if cell is not None:
            link.hyperlink = Hyperlink(ref=link.coordinate, location=f"'{quoted}'!{cell}", display=cell)
            link.font = _LINK
        severity = "Ошибка" if note.grave else "Предупреждение"
        name = page.cell(note.row, document).value if document and cell is not None and note.row else None
        amounts = _as_cells(note.compared) if with_amounts else ()
        texts = (note.column, note.value, *amounts, note.text, note.advice, severity, name)
        for place, text in enumerate(texts, start=3):
            _put(sheet.cell(row, place), "" if text is None else text)
    book.active = 0
    for other in book.worksheets:
        other.sheet_view.tabSelected = other is sheet


def _as_cells(compared: Compared | None) -> tuple[object, ...]:
    if compared is None:
        return (None,) * len(_AMOUNTS)
    one, other = Decimal(compared.amount), Decimal(compared.other)
    return compared.here, one, compared.there, other, compared.difference


def _put(cell: SomeCell, text: object) -> SomeCell:
    if isinstance(text, Decimal):
        cell.value, cell.number_format, cell.alignment = text, SUM_FORMAT, _TOP
        return cell
    cell.value = harmless(text) or None
    if cell.value is not None:
        neutralize(cell)
    cell.alignment = _WRAPPED
    return cell


class _InMemory(ExcelWriter):
    """openpyxl's writer without its temporary files: the child process that marks a workbook may not write any."""

    _archive: zipfile.ZipFile

    def write_worksheet(self, ws: Sheet) -> None:
        """Write one sheet into the archive, as the class above it does."""
        ws._drawing = SpreadsheetDrawing()
        ws._drawing.charts, ws._drawing.images = ws._charts, ws._images
        out = io.BytesIO()
        writer: Any = WorksheetWriter(ws, out)
        writer.write()
        ws._rels = writer._rels
        self._archive.writestr(ws.path[1:], out.getvalue())
        self.manifest.append(ws)


def _save_in_memory(book: Book) -> bytes:
    """The workbook's bytes."""
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        _InMemory(book, archive).write_data()
    return result.getvalue()


def _drop_drawings(sheet: Sheet) -> None:
    """Leave out charts, images and pivot tables, whose data may come from elsewhere."""
    sheet._charts, sheet._images, sheet._pivots = [], [], []
