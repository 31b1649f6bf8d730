"""Reads binary XLSB record by record ([MS-XLSB] 2.1.4): calamine's Python binding returns its error values as empty.

That binding also returns whole dates as numbers. 1C writes no XLSB: somebody saved such a workbook in Excel.
"""

import posixpath
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple
from xml.etree.ElementTree import fromstring

from cpimportd.core.model import Cell
from cpimportd.core.phrases import UnfitError
from cpimportd.workbook.markup import BUILT_IN, Shown
from cpimportd.workbook.openfile import Workbook
from cpimportd.workbook.package import fold_name
from cpimportd.workbook.sheets import Row, Sheet, cell_of_serial, error_value

_BOOK, _RELATIONS = "xl/workbook.bin", "xl/_rels/workbook.bin.rels"
_ROW, _RK, _ERROR, _BOOL, _REAL, _TEXT, _SHARED = 0, 2, 3, 4, 5, 6, 7
_FORMULA_TEXT, _FORMULA_NUMBER, _FORMULA_BOOL, _FORMULA_ERROR, _RICH_TEXT = 8, 9, 10, 11, 62
_NUMBERS, _TEXTS = {_RK, _REAL, _FORMULA_NUMBER}, {_TEXT, _FORMULA_TEXT}
_WITHOUT_COLUMN = range(12, 19)
_SHARED_ITEM, _FORMAT, _CELL_FORMAT = 19, 44, 47
_BEGIN_DATA, _END_DATA, _BOOK_PROPERTIES, _SHEET, _BEGIN_CELL_FORMATS, _END_CELL_FORMATS = 145, 146, 153, 156, 617, 618
_BLANKS = re.compile(rb"(?:\x01\x08.{8})++", re.DOTALL)
_MOST_ROWS, _MOST_COLUMNS = 1_048_576, 16_384
_STYLE = 0xFFFFFF
_RK_SCALED, _RK_INTEGER = 1, 2

# What of a format's code is no letter of it: texts, and brackets but those around hours, minutes or seconds.
_ASIDE = re.compile(r'".*?"|\[(?!hh?\]|mm?\]|ss?\])[^\]]*\]')
_MOMENT, _SPAN = re.compile(r"(?<![_\\])[dmhysDMHYS]"), re.compile(r"\[(?:hh?|mm?|ss?)\]", re.IGNORECASE)

_int = struct.Struct("<I").unpack_from
_double = struct.Struct("<d").unpack_from


class Xlsb(NamedTuple):
    """A binary workbook: its worksheets that are shown, or the hidden one where it is the only one."""

    sheets: tuple[Sheet, ...]
    since_1904: bool


class _Context(NamedTuple):
    """What a sheet's cells refer to: texts, and per cell format whether it shows a date, and if so a duration."""

    texts: Sequence[str]
    dates: Mapping[int, bool]
    since_1904: bool


def open_xlsb(workbook: Workbook) -> Xlsb:
    """Read a binary workbook; its rows are read as they are asked for, and may raise the same.

    Args:
        workbook: a zip that the guards let pass.

    Raises:
        ValueError, KeyError, IndexError, struct.error, xml.etree.ElementTree.ParseError: its records make no sense.
    """
    with workbook.open("rb") as handle, zipfile.ZipFile(handle) as package:
        names = {fold_name(name): name for name in package.namelist()}

        def part(name: str) -> bytes:
            return package.read(names[name])

        relations = _relations(part(_RELATIONS))
        of_kind = dict(relations.values())
        styles, shared = (part(of_kind[kind]) if kind in of_kind else b"" for kind in ("styles", "sharedStrings"))
        book = list(_records(part(_BOOK)))
        pages = [_page(content) for kind, content in book if kind == _SHEET]
        sheets = [page for page in pages if relations[page.relation][0] == "worksheet"]
        shown = [page for page in sheets if not page.state] or (sheets if len(sheets) == 1 else [])
        parts = [part(relations[page.relation][1]) for page in shown]
    since_1904 = any(content[0] & 1 for kind, content in book if kind == _BOOK_PROPERTIES)
    texts = [_wide(content, 1)[0] for kind, content in _records(shared) if kind == _SHARED_ITEM]
    context = _Context(texts, _dates(styles), since_1904)
    rows = (partial(_rows, content, context) for content in parts)
    return Xlsb(tuple(Sheet(page.name, each) for page, each in zip(shown, rows, strict=True)), since_1904)


class _Page(NamedTuple):
    name: str
    state: int
    relation: str


def _page(content: bytes) -> _Page:
    relation, end = _wide(content, 8)
    return _Page(_wide(content, end)[0], _int(content)[0], relation)


def _rows(part: bytes, context: _Context) -> Iterator[Row]:
    """Every row of a sheet, those that it leaves out too.

    Raises:
        ValueError: it is cut off, or its rows or cells are out of order, so that one would be lost.
    """
    last, cells = 0, dict[int, Cell]()
    records = _records(part)
    if not any(kind == _BEGIN_DATA for kind, _ in records):
        raise UnfitError("no-cells")
    for kind, content in records:
        if kind in (_ROW, _END_DATA):
            if last:
                yield last, _in_place(cells)
            if kind == _END_DATA:
                return
            number, cells = _int(content)[0] + 1, {}
            if not last < number <= _MOST_ROWS:
                raise UnfitError("row-after", row=number, other=last)
            yield from ((missing, ()) for missing in range(last + 1, number))
            last = number
        elif kind <= _FORMULA_ERROR or kind in _WITHOUT_COLUMN or kind == _RICH_TEXT:
            column = _int(content)[0]
            if kind in _WITHOUT_COLUMN or column in cells or column >= _MOST_COLUMNS or not last:
                raise UnfitError("cell-without-place", row=last)
            cells[column] = _cell(kind, content, context)
    raise UnfitError("rows-without-end")


def _in_place(cells: Mapping[int, Cell]) -> tuple[Cell, ...]:
    return tuple([cells.get(column) for column in range(max(cells) + 1)]) if cells else ()


def _cell(kind: int, content: bytes, context: _Context) -> Cell:
    if kind == _SHARED:
        return context.texts[_int(content, 8)[0]] or None
    if kind in _NUMBERS:
        number = _of_rk(_int(content, 8)[0]) if kind == _RK else float(_double(content, 8)[0])
        elapsed = context.dates.get(_int(content, 4)[0] & _STYLE)
        return number if elapsed is None else cell_of_serial(number, since_1904=context.since_1904, elapsed=elapsed)
    if kind in _TEXTS:
        return _wide(content, 8)[0] or None
    if kind in (_BOOL, _FORMULA_BOOL):
        return bool(content[8])
    if kind in (_ERROR, _FORMULA_ERROR):
        return error_value(content[8])
    return _wide(content, 9)[0] or None if kind == _RICH_TEXT else None


def _of_rk(packed: int) -> float:
    """A number in four bytes ([MS-XLSB] 2.5.122)."""
    if packed & _RK_INTEGER:
        number = float((packed >> 2) - (1 << 30 if packed >> 31 else 0))
    else:
        number = float(_double(struct.pack("<II", 0, packed & ~3))[0])
    return number / 100 if packed & _RK_SCALED else number


def _dates(styles: bytes) -> dict[int, bool]:
    """The places of the cell formats that show dates, and whether as durations."""
    codes: dict[int, str] = {}
    found: dict[int, bool] = {}
    place = -1
    for kind, content in _records(styles):
        if kind == _FORMAT:
            codes[struct.unpack_from("<H", content)[0]] = _wide(content, 2)[0]
        elif kind == _BEGIN_CELL_FORMATS:
            place = 0
        elif kind == _END_CELL_FORMATS:
            break
        elif kind == _CELL_FORMAT and place >= 0:
            (number,) = struct.unpack_from("<H", content, 2)
            shown = shown_by(codes[number]) if number in codes else BUILT_IN.get(number, Shown.NUMBER)
            if shown is not Shown.NUMBER:
                found[place] = shown is Shown.SPAN
            place += 1
    return found


def shown_by(code: str) -> Shown:
    """As what a format's first section shows a number, as openpyxl judges it, without whose import a reader starts.

    It differs from that of ``markup`` in rare codes; a workbook is to be read tomorrow as it was yesterday.
    """
    first = code.partition(";")[0]
    if not _MOMENT.search(_ASIDE.sub("", first)):
        return Shown.NUMBER
    return Shown.SPAN if _SPAN.search(first) else Shown.MOMENT


def _records(part: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and content of each record but empty cells.

    Raises:
        ValueError: the part is cut off.
    """
    at, end = 0, len(part)
    while at < end:
        if blanks := _BLANKS.match(part, at):
            at = blanks.end()
            continue
        kind, start, at = _head(part, at)
        if at > end:
            raise UnfitError("record-cut-off")
        yield kind, part[start:at]


def _head(part: bytes, at: int) -> tuple[int, int, int]:
    """A record's kind, and where its content begins and ends.

    Raises:
        IndexError: it is cut off.
    """
    kind, size = part[at], part[at + 1]
    if not (kind | size) & 0x80:
        return kind, at + 2, at + 2 + size
    at += 1
    if kind & 0x80:
        kind = (kind & 0x7F) | (part[at] & 0x7F) << 7
        at += 1
    size = 0
    for shift in (0, 7, 14, 21):
        byte = part[at]
        size |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            break
    return kind, at, at + size


def _wide(content: bytes, at: int) -> tuple[str, int]:
    """A counted text in UTF-16, and where it ends; without a text its count is all ones ([MS-XLSB] 2.5.168).

    Raises:
        ValueError: it is cut off.
    """
    (length,) = _int(content, at)
    if length == 0xFFFF_FFFF:
        return "", at + 4
    end = at + 4 + 2 * length
    if end > len(content):
        raise UnfitError("text-cut-off")
    return content[at + 4 : end].decode("utf-16-le", errors="surrogatepass"), end


def _relations(content: bytes) -> dict[str, tuple[str, str]]:
    """By its id, the kind of each part that the workbook refers to, and the part; the guards let no DTD pass."""
    found = {}
    for relation in fromstring(content):  # noqa: S314
        target = fold_name(posixpath.normpath(posixpath.join("/xl", relation.get("Target", "").replace("\\", "/")))[1:])
        found[relation.get("Id", "")] = (relation.get("Type", "").rpartition("/")[2], target)
    return found
