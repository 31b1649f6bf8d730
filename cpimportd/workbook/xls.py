"""Reads binary XLS (BIFF5 to BIFF8) by xlrd: it shows error values, which calamine's Python binding returns as empty.

A sheet of XLS has at most 65,536 rows, so xlrd, which is five times slower, costs two seconds at worst.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import xlrd
import xlrd.book
import xlrd.compdoc
import xlrd.sheet

from cpimportd.core.model import Cell
from cpimportd.core.phrases import Reason, UnfitError, phrase, reason_of
from cpimportd.core.problems import ProblemError, problem
from cpimportd.workbook.memory import raise_if_memory_was_missing
from cpimportd.workbook.openfile import Workbook
from cpimportd.workbook.sheets import Row, Sheet, cell_of_serial, error_value

_FIRST_UNICODE = 80
"""xlrd's number for BIFF8, whose texts need no code page."""
_WITHOUT_CODEPAGE = "cp1251"
_ELAPSED = 7
"""A type of cells beside xlrd's own: a number that is shown as a duration."""
_ELAPSED_FORMAT = re.compile(r"\[(?:h{1,2}|m{1,2}|s{1,2})\]", re.IGNORECASE)
# xlrd goes on where a stream is shorter than its directory says, and the rows behind the cut would be missing.
_TRUNCATED = re.compile(r"expected size|File is truncated")


@dataclass(frozen=True, slots=True)
class Xls:
    """A binary workbook: its worksheets that are shown, or the hidden one where it is the only one."""

    sheets: tuple[Sheet, ...]
    since_1904: bool


def open_xls(workbook: Workbook, file: str) -> Xls:
    """Read a binary workbook.

    Args:
        workbook: an OLE2 container.
        file: the name to use in problems.

    Raises:
        ProblemError: ``file-encrypted``, ``file-damaged``.
        MemoryError: there was no room to read it.
    """
    try:
        with workbook.open("rb") as handle:
            book = _opened(handle.read())
        pages = [book.sheet_by_index(index) for index in range(book.nsheets)]
    except xlrd.XLRDError as error:
        if "encrypted" in str(error):
            raise ProblemError(problem("file-encrypted", file=file)) from error
        raise _damaged(error, file) from error
    except Exception as error:
        # It trusts its input: what is wrong with a file shows as an index, a struct, a text or an assertion.
        raise _damaged(error, file) from error
    shown = [page for page in pages if not page.visibility]
    if not shown and len(pages) == 1:
        shown = pages
    since_1904 = book.datemode == 1
    return Xls(tuple(Sheet(page.name, partial(_rows, page, since_1904)) for page in shown), since_1904)


def _opened(content: bytes) -> xlrd.book.Book:
    """Open a workbook; BIFF5 that does not say its code page is Russian Windows's, as 1C is.

    Raises:
        ValueError: it is cut off.
    """
    encoding = None
    while True:
        remarks = io.StringIO()
        book = xlrd.open_workbook(
            file_contents=content,
            logfile=remarks,
            encoding_override=encoding,
            on_demand=True,
            ragged_rows=True,
            # 1C and others chain their sectors in ways that Excel reads and xlrd calls corrupt.
            ignore_workbook_corruption=True,
        )
        if found := _TRUNCATED.search(remarks.getvalue()):
            raise UnfitError("cut-off", remark=found[0])
        if encoding or book.biff_version >= _FIRST_UNICODE or book.codepage is not None:
            break
        encoding = _WITHOUT_CODEPAGE
    for place, xf in enumerate(book.xf_list):
        shown_as = book.format_map.get(xf.format_key)
        if shown_as is not None and _ELAPSED_FORMAT.search(shown_as.format_str):
            book._xf_index_to_xl_type_map[place] = _ELAPSED  # noqa: SLF001 - nothing public tells durations from dates
    return book


def _rows(page: xlrd.sheet.Sheet, since_1904: bool) -> Iterator[Row]:
    for index in range(page.nrows):
        types, values = page.row_types(index), page.row_values(index)
        if not types or max(types) <= xlrd.XL_CELL_NUMBER:
            yield index + 1, tuple([None if value == "" else value for value in values])
        else:
            yield index + 1, tuple([_cell(*both, since_1904) for both in zip(types, values, strict=True)])


def _cell(kind: int, value: str | float, since_1904: bool) -> Cell:
    if isinstance(value, str):
        return value or None
    if kind == xlrd.XL_CELL_ERROR:
        return error_value(int(value))
    if kind == xlrd.XL_CELL_BOOLEAN:
        return bool(value)
    if kind in (xlrd.XL_CELL_DATE, _ELAPSED):
        return cell_of_serial(value, since_1904=since_1904, elapsed=kind == _ELAPSED)
    return value


def _damaged(error: Exception, file: str) -> ProblemError:
    raise_if_memory_was_missing(error)
    return ProblemError(problem("file-damaged", file=file, reason=_reason(error)))


def _reason(error: Exception) -> Reason:
    if isinstance(error, xlrd.XLRDError | xlrd.compdoc.CompDocError | ValueError):
        return reason_of(error)
    return phrase("cut-off-or-senseless", kind=type(error).__name__, said=str(error))
