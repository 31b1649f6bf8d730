"""The engine for what calamine does not read right: slower, by expat, and row by row.

It knows error values, formulas without a value, every ``_xHHHH_``, prefixes and encodings, and keeps no table of all
cells: one far away costs nothing. What calamine reads right, this engine reads alike.
"""

import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar
from xml.etree.ElementTree import ParseError

from cpimportd.core.phrases import Phrase, exception, phrase, reason_of
from cpimportd.core.problems import ProblemError, problem
from cpimportd.workbook.markup import as_problem, cell_formats, shared_texts
from cpimportd.workbook.memory import raise_if_memory_was_missing
from cpimportd.workbook.openfile import Workbook
from cpimportd.workbook.package import Package
from cpimportd.workbook.sheetmarkup import SheetError, SheetParser, Styles
from cpimportd.workbook.sheets import Row, Sheet, shown_sheets

_PIECE = 64 * 1024
_Read = TypeVar("_Read")


def sheets(workbook: Workbook, package: Package, file: str, reason: Phrase | None = None) -> tuple[Sheet, ...]:
    """The worksheets that are shown, or the hidden one where it is the only one.

    Args:
        workbook: a zip that the guards let pass.
        package: which of its parts is what.
        file: the name to use in problems.
        reason: why calamine did not read it, which is the better reason to show; None where it was not asked.

    Raises:
        ProblemError: ``file-damaged``, here or later, from a sheet's rows.
        MemoryError: there was no room, here or later.
    """
    try:
        with workbook.open("rb") as handle, zipfile.ZipFile(handle) as archive:
            texts = [] if package.strings is None else _part(archive, package.strings, file, shared_texts)
            formats = [] if package.styles is None else _part(archive, package.styles, file, cell_formats)
    except ProblemError:
        raise
    except Exception as error:
        raise _file_damaged(error, file, reason) from error
    styles = Styles(formats, package.since_1904)
    return tuple(
        Sheet(sheet.name, partial(_rows, workbook, sheet.part, partial(SheetParser, texts, styles), file, reason))
        for sheet in shown_sheets(package.sheets)
    )


def _part(archive: zipfile.ZipFile, part: str, file: str, read: Callable[[bytes], list[_Read]]) -> list[_Read]:
    return as_problem(file, part, lambda: read(archive.read(part)))


def _rows(
    workbook: Workbook, part: str, start: Callable[[], SheetParser], file: str, reason: Phrase | None
) -> Iterator[Row]:
    try:
        parser = start()
        with workbook.open("rb") as handle, zipfile.ZipFile(handle) as archive, archive.open(part) as stream:
            while piece := stream.read(_PIECE):
                yield from parser.feed(piece)
            yield from parser.end_of_part()
    except Exception as error:
        raise _file_damaged(error, file, reason, part) from error


def _file_damaged(error: Exception, file: str, reason: Phrase | None, part: str | None = None) -> ProblemError:
    raise_if_memory_was_missing(error)
    own = reason_of(error) if isinstance(error, SheetError | ParseError) else exception(error)
    here = own if part is None else phrase("in-a-part", part=part, said=own)
    return ProblemError(problem("file-damaged", file=file, reason=reason or here))
