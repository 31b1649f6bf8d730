"""A workbook's sheets as rows of cells: read by calamine, or by openpyxl where calamine would not read them right.

Runs in the child process, after the guards.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from cpimportd.problems import ProblemError, problem
from cpimportd.workbook.guards import Contents
from cpimportd.workbook.memory import raise_if_memory_was_missing
from cpimportd.workbook.sheets import Row, Sheet


@dataclass(frozen=True, slots=True)
class Cells:
    """A workbook's worksheets: those that are shown, or the hidden one where it is the only one."""

    engine: Literal["calamine", "openpyxl"]
    sheets: tuple[Sheet, ...]


def open_cells(path: Path, contents: Contents, file: str) -> Cells:
    """Open a workbook with the engine that reads it right.

    Args:
        path: the workbook.
        contents: what the guards say of it.
        file: the name to use in problems.

    Returns:
        Its sheets. A row of them may still raise ``file-damaged``: openpyxl reads as it goes.

    Raises:
        ProblemError: ``file-encrypted``, ``file-damaged``, ``file-not-workbook`` (no worksheet in it).
        MemoryError: there was no room to open it.
    """
    reason = ""
    cells: Cells | None = None
    if not contents.needs_openpyxl:
        try:
            cells = _with_calamine(path)
        except PasswordError as error:
            raise ProblemError(problem("file-encrypted", file=file)) from error
        except CalamineError as error:
            raise_if_memory_was_missing(error)
            reason = str(error)
        except BaseException as error:
            # A panic of Rust arrives as a class of its own under BaseException, which no module exports.
            if type(error).__name__ != "PanicException":
                raise
            raise_if_memory_was_missing(error)
            reason = f"panic: {error}"
    if cells is None and contents.is_zip:
        # A quarter of a second to import, and hardly any file needs it.
        from cpimportd.workbook import second_engine  # noqa: PLC0415

        cells = Cells("openpyxl", second_engine.sheets(path, file, reason))
    if cells is None:
        raise ProblemError(problem("file-damaged", file=file, reason=reason))
    if not cells.sheets:
        raise ProblemError(problem("file-not-workbook", file=file, reason="it has no worksheet"))
    return cells


def _with_calamine(path: Path) -> Cells:
    # By its content, not its name: a binary XLS is often called .xlsx.
    with path.open("rb") as handle:
        book = CalamineWorkbook.from_filelike(handle)
    pages = [meta for meta in book.sheets_metadata if meta.typ is SheetTypeEnum.WorkSheet]
    chosen = [meta.name for meta in pages if meta.visible is SheetVisibleEnum.Visible]
    if not chosen and len(pages) == 1:
        chosen = [pages[0].name]
    return Cells(
        "calamine", tuple(Sheet(name, partial(_calamine_rows, book.get_sheet_by_name(name))) for name in chosen)
    )


def _calamine_rows(sheet: CalamineSheet) -> Iterator[Row]:
    # iter_rows counts empty rows above the data, but leaves out empty columns to the left of it.
    left: tuple[None, ...] = (None,) * (sheet.start[1] if sheet.start else 0)
    for number, row in enumerate(sheet.iter_rows(), 1):
        yield number, (*left, *[None if cell == "" else cell for cell in row])
