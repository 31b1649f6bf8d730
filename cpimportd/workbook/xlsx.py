"""The engine for XLSX that calamine does not read correctly: slower, by expat, and row by row.

It reads error values, formulas without a value, every ``_xHHHH_``, prefixes and encodings, and keeps no table of all
cells: a cell far away costs nothing. It gives the same result as calamine where calamine is correct.
"""

import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from html import escape
from io import BytesIO
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


_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
_HIDDEN = ' state="hidden"'
_COPIED_AT_ONCE = 1024 * 1024


def with_usual_names(workbook: Workbook, package: Package) -> BytesIO:
    """A workbook of the same worksheets, shared texts and styles, in memory, whose parts are named as Excel names them.

    Args:
        workbook: a zip that the guards let pass.
        package: which of its parts is what.
    """
    parts = [
        *(("worksheet", f"worksheets/sheet{at}.xml", sheet.part) for at, sheet in enumerate(package.sheets, 1)),
        ("sharedStrings", "sharedStrings.xml", package.strings),
        ("styles", "styles.xml", package.styles),
    ]
    there = [(kind, name, part) for kind, name, part in parts if part is not None]
    copy = BytesIO()
    with (
        workbook.open("rb") as handle,
        zipfile.ZipFile(handle) as source,
        zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target,
    ):
        target.writestr("[Content_Types].xml", "<Types/>")
        target.writestr("_rels/.rels", _relationships([("officeDocument", "xl/workbook.xml")]))
        target.writestr("xl/workbook.xml", _workbook(package))
        target.writestr("xl/_rels/workbook.xml.rels", _relationships((kind, name) for kind, name, _ in there))
        for _, name, part in there:
            with source.open(part) as original, target.open(f"xl/{name}", "w") as copied:
                while piece := original.read(_COPIED_AT_ONCE):
                    copied.write(piece)
    copy.seek(0)
    return copy


def _workbook(package: Package) -> str:
    sheets = "".join(
        f'<sheet name="{escape(sheet.name)}" sheetId="{at}" r:id="rId{at}"{"" if sheet.shown else _HIDDEN}/>'
        for at, sheet in enumerate(package.sheets, 1)
    )
    since = ' date1904="1"' if package.since_1904 else ""
    return f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><workbookPr{since}/><sheets>{sheets}</sheets></workbook>'


def _relationships(targets: Iterable[tuple[str, str]]) -> str:
    relations = "".join(
        f'<Relationship Id="rId{at}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for at, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{_RELATIONSHIPS}">{relations}</Relationships>'
