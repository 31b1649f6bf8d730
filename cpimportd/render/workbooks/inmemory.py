"""A workbook made without temporary files: the child process that marks one may not write any."""
# ruff: noqa: SLF001 - what a subclass of openpyxl's writer has to touch has no public name

import io
import zipfile
from typing import Any

from openpyxl.drawing.spreadsheet_drawing import SpreadsheetDrawing
from openpyxl.worksheet._writer import WorksheetWriter
from openpyxl.writer.excel import ExcelWriter

from cpimportd.render.workbooks.cells import Book, Sheet


class _InMemory(ExcelWriter):
    """openpyxl's writer, which else keeps each sheet in a temporary file on its way into the zip."""

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


def save_in_memory(book: Book) -> bytes:
    """The workbook's bytes."""
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        _InMemory(book, archive).write_data()
    return result.getvalue()


def drop_drawings(sheet: Sheet) -> None:
    """Leave out charts, images and pivot tables, whose data may come from elsewhere."""
    sheet._charts, sheet._images, sheet._pivots = [], [], []
