"""A workbook's sheets as rows of cells: read by calamine, or by the second engine where calamine would not be right.

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
from cpimportd.workbook import second_engine
from cpimportd.workbook.canonical import with_usual_names
from cpimportd.workbook.guards import Contents
from cpimportd.workbook.memory import raise_if_memory_was_missing
from cpimportd.workbook.package import Package
from cpimportd.workbook.sheets import Row, Sheet, shown_sheets


@dataclass(frozen=True, slots=True)
class Cells:
    """A workbook's worksheets: those that are shown, or the hidden one where it is the only one."""

    engine: Literal["calamine", "expat"]
    sheets: tuple[Sheet, ...]


def open_cells(path: Path, contents: Contents, file: str) -> Cells:
    """Open a workbook with the engine that reads it right.

    Args:
        path: the workbook.
        contents: what the guards say of it.
        file: the name to use in problems.

    Returns:
        Its sheets. A row of them may still raise ``file-damaged``: the second engine reads as it goes.

    Raises:
        ProblemError: ``file-encrypted``, ``file-damaged``, ``file-not-workbook`` (no worksheet in it).
        MemoryError: there was no room to open it.
    """
    reason = ""
    cells: Cells | None = None
    if not contents.needs_second_engine:
        try:
            cells = _with_calamine(path, contents)
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
    if cells is None and contents.package is not None:
        cells = Cells("expat", second_engine.sheets(path, contents.package, file, reason))
    if cells is None:
        raise ProblemError(problem("file-damaged", file=file, reason=reason))
    if not cells.sheets:
        raise ProblemError(problem("file-not-workbook", file=file, reason="it has no worksheet"))
    return cells


@dataclass(frozen=True, slots=True)
class _Page:
    """One of calamine's worksheets: its place among all sheets, its name, and whether it is shown."""

    place: int
    name: str
    shown: bool


def _with_calamine(path: Path, contents: Contents) -> Cells:
    # By its content, not its name: a binary XLS is often called .xlsx.
    with path.open("rb") as handle:
        package = contents.package
        book = CalamineWorkbook.from_filelike(
            handle if package is None or package.plain else with_usual_names(path, package)
        )
    pages = _pages(book)
    if package is not None and not _agree(pages, package):
        book = CalamineWorkbook.from_filelike(with_usual_names(path, package))
        pages = _pages(book)
    return Cells(
        "calamine",
        tuple(
            Sheet(page.name, partial(_calamine_rows, book.get_sheet_by_index(page.place)))
            for page in shown_sheets(pages)
        ),
    )


def _agree(pages: list[_Page], package: Package) -> bool:
    """Whether calamine sees the worksheets that the package has."""
    return [(page.name, page.shown) for page in pages] == [(sheet.name, sheet.shown) for sheet in package.sheets]


def _pages(book: CalamineWorkbook) -> list[_Page]:
    return [
        _Page(place, meta.name, meta.visible is SheetVisibleEnum.Visible)
        for place, meta in enumerate(book.sheets_metadata)
        if meta.typ is SheetTypeEnum.WorkSheet
    ]


def _calamine_rows(sheet: CalamineSheet) -> Iterator[Row]:
    # iter_rows counts empty rows above the data, but leaves out empty columns to the left of it.
    left: tuple[None, ...] = (None,) * (sheet.start[1] if sheet.start else 0)
    for number, row in enumerate(sheet.iter_rows(), 1):
        yield number, (*left, *[None if cell == "" else cell for cell in row])
