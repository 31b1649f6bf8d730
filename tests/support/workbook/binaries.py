"""One table as XLSX, as XLS (BIFF5 or BIFF8, [MS-XLS]) and as XLSB ([MS-XLSB]), written element by element."""

import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from openpyxl.utils import get_column_letter

from cpimportd.core.model import CellError
from tests.support.workbook.ole2 import ole2_container, record

ERRORS = {
    "#NULL!": 0x00,
    "#DIV/0!": 0x07,
    "#VALUE!": 0x0F,
    "#REF!": 0x17,
    "#NAME?": 0x1D,
    "#NUM!": 0x24,
    "#N/A": 0x2A,
    "#GETTING_DATA": 0x2B,
}


class Shown(NamedTuple):
    """A number in a cell that is formatted as a date, or as a duration."""

    number: float
    elapsed: bool = False


class Raw(NamedTuple):
    """A cell of XLSX, word for word: its attributes, and what is inside it."""

    attributes: str
    inside: str


class Formula(NamedTuple):
    """A formula of which only the result matters."""

    result: "Value"


Value = str | float | bool | CellError | Shown | Raw | Formula | None
Write = Callable[..., Path]

_STYLES = {False: 1, True: 2}
_DATE, _ELAPSED = 14, 46


def write_xlsx(path: Path, rows: Sequence[Sequence[Value]], *, since_1904: bool = False) -> Path:
    """An XLSX of one sheet, its texts shared."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    texts: dict[str, int] = {}
    data = "".join(
        f'<row r="{at}">{"".join(_xlsx_cell(f"{get_column_letter(column)}{at}", cell, texts) for column, cell in enumerate(row, 1))}</row>'
        for at, row in enumerate(rows, 1)
    )
    formats = "".join(f'<xf numFmtId="{number}"/>' for number in (0, _DATE, _ELAPSED))
    kinds = {
        "workbook": "sheet.main",
        "worksheets/sheet1": "worksheet",
        "styles": "styles",
        "sharedStrings": "sharedStrings",
    }
    overrides = "".join(
        f'<Override PartName="/xl/{name}.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.{kind}+xml"/>'
        for name, kind in kinds.items()
    )
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default '
        f'Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>{overrides}</Types>',
        "_rels/.rels": _relations(officeDocument="xl/workbook.xml"),
        "xl/_rels/workbook.xml.rels": _relations(
            worksheet="worksheets/sheet1.xml", styles="styles.xml", sharedStrings="sharedStrings.xml"
        ),
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/'
        f'relationships"><workbookPr date1904="{since_1904:d}"/><sheets><sheet name="Лист" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{data}</sheetData></worksheet>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><fonts count="1"><font/></fonts><cellStyleXfs count="1"><xf/>'
        f'</cellStyleXfs><cellXfs count="3">{formats}</cellXfs></styleSheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{main}">{"".join(f"<si><t>{escape(text)}</t></si>" for text in texts)}</sst>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return path


def _xlsx_cell(address: str, cell: Value, texts: dict[str, int]) -> str:
    formula = ""
    if isinstance(cell, Formula):
        formula, cell = "<f>A1</f>", cell.result
    if isinstance(cell, Raw):
        return f'<c r="{address}" {cell.attributes}>{cell.inside}</c>'
    if cell is None:
        return f'<c r="{address}"/>'
    style = f' s="{_STYLES[cell.elapsed]}"' if isinstance(cell, Shown) else ""
    value = cell.number if isinstance(cell, Shown) else cell
    if isinstance(value, CellError):
        kind = ' t="e"'
    elif isinstance(value, bool):
        kind, value = ' t="b"', int(value)
    elif isinstance(value, str) and formula:
        kind, value = ' t="str"', escape(value)
    elif isinstance(value, str):
        kind, value = ' t="s"', texts.setdefault(value, len(texts))
    else:
        kind = ""
    return f'<c r="{address}"{style}{kind}>{formula}<v>{value}</v></c>'


def write_xls(path: Path, rows: Sequence[Sequence[Value]], *, since_1904: bool = False, biff: int = 8) -> Path:
    """An XLS of one sheet; as BIFF5 it is in cp1251 and says so."""
    version = {5: 0x0500, 8: 0x0600}[biff]
    bof = struct.pack("<HHHH", version, 0x0005, 0, 0) + (bytes(8) if biff == 8 else b"")
    sheet = record(0x0809, struct.pack("<HHHH", version, 0x0010, 0, 0) + (bytes(8) if biff == 8 else b""))
    for at, row in enumerate(rows):
        for column, cell in enumerate(row):
            sheet += _xls_cell(at, column, cell, biff)
    sheet += record(0x000A, b"")
    head = record(0x0809, bof) + record(0x0042, struct.pack("<H", 1200 if biff == 8 else 1251))
    head += record(0x0022, struct.pack("<H", since_1904))
    for number_format in (0, _DATE, _ELAPSED):
        head += record(0x00E0, struct.pack("<HHH", 0, number_format, 1).ljust(20 if biff == 8 else 16, b"\0"))
    name = _xls_text("Лист", biff, "<B")
    offset = len(head) + 4 + 6 + len(name) + 4
    head += record(0x0085, struct.pack("<IBB", offset, 0, 0) + name) + record(0x000A, b"")
    path.write_bytes(ole2_container("Workbook" if biff == 8 else "Book", head + sheet))
    return path


def _xls_text(text: str, biff: int, length: str) -> bytes:
    if biff == 8:
        return struct.pack(length, len(text)) + b"\1" + text.encode("utf-16-le")
    return struct.pack(length, len(text)) + text.encode("cp1251")


def _xls_cell(row: int, column: int, cell: Value, biff: int) -> bytes:
    style = _STYLES[cell.elapsed] if isinstance(cell, Shown) else 0
    place = struct.pack("<HHH", row, column, style)
    if isinstance(cell, Formula):
        return _xls_formula(place, cell.result, biff)
    if isinstance(cell, CellError):
        return record(0x0205, place + struct.pack("<BB", ERRORS[cell], 1))
    if isinstance(cell, bool):
        return record(0x0205, place + struct.pack("<BB", cell, 0))
    if isinstance(cell, str):
        return record(0x0204, place + _xls_text(cell, biff, "<H"))
    if cell is None:
        return record(0x0201, place)
    number = cell.number if isinstance(cell, Shown) else cell
    if abs(number) < 2**29 and number == int(number):
        return record(0x027E, place + struct.pack("<i", int(number) << 2 | 2))
    return record(0x0203, place + struct.pack("<d", number))


def _xls_formula(place: bytes, result: Value, biff: int) -> bytes:
    text = b""
    if isinstance(result, CellError):
        value = struct.pack("<BxB3xH", 2, ERRORS[result], 0xFFFF)
    elif isinstance(result, str):
        value, text = struct.pack("<B5xH", 0, 0xFFFF), record(0x0207, _xls_text(result, biff, "<H"))
    else:
        value = struct.pack("<d", result)
    return record(0x0006, place + value + struct.pack("<HIH", 0, 0, 1) + b"\x16") + text


def write_xlsb(path: Path, rows: Sequence[Sequence[Value]], *, since_1904: bool = False) -> Path:
    """An XLSB of one sheet, its texts in the cells."""
    data = b""
    for at, row in enumerate(rows):
        data += _brt(0, struct.pack("<IIHBBBI", at, 0, 300, 0, 0, 0, 0))
        data += b"".join(_xlsb_cell(column, cell) for column, cell in enumerate(row) if cell is not None)
    relation = _wide("rId1")
    book = _brt(131) + _brt(153, struct.pack("<II", since_1904, 0) + _wide(""))
    book += _brt(143) + _brt(156, struct.pack("<II", 0, 1) + relation + _wide("Лист")) + _brt(144) + _brt(132)
    formats = b"".join(
        _brt(47, struct.pack("<HHHHHBBH", 0, number, 0, 0, 0, 0, 0, 0)) for number in (0, _DATE, _ELAPSED)
    )
    parts = {
        "[Content_Types].xml": b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        b'<Default Extension="bin" ContentType="application/vnd.ms-excel.sheet.binary.macroEnabled.main"/>'
        b'<Override PartName="/xl/worksheets/sheet1.bin" ContentType="application/vnd.ms-excel.worksheet"/></Types>',
        "_rels/.rels": _relations(officeDocument="xl/workbook.bin"),
        "xl/_rels/workbook.bin.rels": _relations(worksheet="worksheets/sheet1.bin", styles="styles.bin"),
        "xl/workbook.bin": book,
        "xl/worksheets/sheet1.bin": _brt(129) + _brt(148, _dimension(rows)) + _brt(145) + data + _brt(146) + _brt(130),
        "xl/styles.bin": _brt(278) + _brt(617, struct.pack("<I", 3)) + formats + _brt(618) + _brt(279),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return path


def _dimension(rows: Sequence[Sequence[Value]]) -> bytes:
    return struct.pack("<IIII", 0, len(rows) - 1, 0, max(map(len, rows)) - 1)


def _relations(**targets: str) -> bytes:
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    entries = "".join(
        f'<Relationship Id="rId{number}" Type="{office}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets.items(), 1)
    )
    namespace = "http://schemas.openxmlformats.org/package/2006/relationships"
    return f'<Relationships xmlns="{namespace}">{entries}</Relationships>'.encode()


def _brt(kind: int, content: bytes = b"") -> bytes:
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size, left = b"", len(content)
    while True:
        size += bytes([left & 0x7F | (0x80 if left > 0x7F else 0)])
        left >>= 7
        if not left:
            return head + size + content


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def _xlsb_cell(column: int, cell: Value) -> bytes:
    is_formula = isinstance(cell, Formula)
    value = cell.result if isinstance(cell, Formula) else cell
    style = _STYLES[value.elapsed] if isinstance(value, Shown) else 0
    place = struct.pack("<II", column, style)
    end = struct.pack("<HII", 0, 0, 0) if is_formula else b""
    if isinstance(value, CellError):
        return _brt(11 if is_formula else 3, place + bytes([ERRORS[value]]) + end)
    if isinstance(value, bool):
        return _brt(10 if is_formula else 4, place + bytes([value]) + end)
    if isinstance(value, str):
        return _brt(8 if is_formula else 6, place + _wide(value) + end)
    number = value.number if isinstance(value, Shown) else value
    if not is_formula and abs(number) < 2**29 and number == int(number):
        return _brt(2, place + struct.pack("<i", int(number) << 2 | 2))
    return _brt(9 if is_formula else 5, place + struct.pack("<d", number) + end)
