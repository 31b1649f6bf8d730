"""Writes workbooks as 1C:Enterprise 8.3 writes them, byte for byte, with its peculiarities.

These peculiarities matter to readers: a BOM before every part, empty cells of type "error" without a value, a dimension
that names only the last cell, one text once in the shared strings, amounts as plain doubles, no ``docProps``, and a
last row ``Итого``, merged across, with the control totals.
"""

import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from xml.sax.saxutils import escape

from openpyxl.utils import get_column_letter

Cell = str | int | float | Decimal | None
"""What can be written: text, a number, or nothing."""

_BOM = "\ufeff"
_DECLARATION = f'{_BOM}<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEADER_STYLE, _DATA_STYLE, _TOTAL_STYLE = 2, 3, 7
_STYLES = 9
_AMOUNT_STYLE = 4
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9a-fA-F]{4}_)")

_CONTENT_TYPES = f"""{_DECLARATION}<Types xmlns="{_PACKAGE}/content-types">
\t<Override PartName="/xl/styles.xml" ContentType="{_TYPES}.styles+xml"/>
\t<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
\t<Default Extension="xml" ContentType="application/xml"/>
\t<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>
\t<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPES}.worksheet+xml"/>
\t<Override PartName="/xl/sharedStrings.xml" ContentType="{_TYPES}.sharedStrings+xml"/>
</Types>"""

_RELATIONSHIPS = f"""{_DECLARATION}<Relationships xmlns="{_PACKAGE}/relationships">
\t<Relationship Id="rId1" Type="{_DOCUMENT}/officeDocument" Target="xl/workbook.xml"/>
</Relationships>"""

_WORKBOOK_RELATIONSHIPS = f"""{_DECLARATION}<Relationships xmlns="{_PACKAGE}/relationships">
\t<Relationship Id="rId1" Type="{_DOCUMENT}/worksheet" Target="worksheets/sheet1.xml"/>
\t<Relationship Id="rId2" Type="{_DOCUMENT}/styles" Target="styles.xml"/>
\t<Relationship Id="rId3" Type="{_DOCUMENT}/sharedStrings" Target="sharedStrings.xml"/>
</Relationships>"""

_CELL_FORMATS = "\n".join(
    f'\t\t<xf numFmtId="{4 if style == _AMOUNT_STYLE else 0}" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    for style in range(_STYLES)
)
_STYLE_SHEET = f"""{_DECLARATION}<styleSheet xmlns="{_MAIN}">
\t<numFmts count="1">
\t\t<numFmt numFmtId="50" formatCode=""/>
\t</numFmts>
\t<fonts count="1">
\t\t<font>
\t\t\t<name val="Arial"/>
\t\t\t<sz val="8"/>
\t\t</font>
\t</fonts>
\t<fills count="2">
\t\t<fill>
\t\t\t<patternFill patternType="none"/>
\t\t</fill>
\t\t<fill>
\t\t\t<patternFill patternType="gray125"/>
\t\t</fill>
\t</fills>
\t<borders count="1">
\t\t<border>
\t\t\t<left/>
\t\t\t<right/>
\t\t\t<top/>
\t\t\t<bottom/>
\t\t\t<diagonal/>
\t\t</border>
\t</borders>
\t<cellStyleXfs count="1">
\t\t<xf numFmtId="0" fontId="0" fillId="0" borderId="0"/>
\t</cellStyleXfs>
\t<cellXfs count="{_STYLES}">
{_CELL_FORMATS}
\t</cellXfs>
</styleSheet>"""


def write_workbook(
    path: Path,
    titles: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    totals: Mapping[str, Cell] | None,
    *,
    title_rows: Sequence[str] = (),
    sheet: str = "Лист_1",
    capital_shared_strings: bool = False,
    stamp: datetime = datetime(2026, 11, 23, 6, 0, 0),  # noqa: DTZ001  a zip's stamps have no zone
) -> None:
    """Write one workbook.

    Args:
        path: where to; an existing file is replaced.
        titles: the header row.
        rows: the data, one cell for every title.
        totals: by title, what the ``Итого`` row says; None leaves that row out.
        title_rows: texts above the header, one row each.
        sheet: the sheet's name.
        capital_shared_strings: name the part ``xl/SharedStrings.xml`` while the rest of the package says
            ``sharedStrings.xml``, as some 1C releases do.
        stamp: what the zip gives as every part's time.

    Raises:
        ValueError: a row has not as many cells as there are titles, or a total is for a title that does not exist.
    """
    page = _Sheet(len(titles))
    for text in title_rows:
        page.add([text, *[None] * (len(titles) - 1)], _HEADER_STYLE)
        page.merge(len(titles))
    page.add(titles, _HEADER_STYLE)
    for row in rows:
        page.add(row, _DATA_STYLE)
    if totals is not None:
        columns = {titles.index(title): amount for title, amount in totals.items()}
        page.add([columns.get(place, None if place else "Итого") for place in range(len(titles))], _TOTAL_STYLE)
        page.merge(min(columns, default=len(titles)))
    parts = {
        "[Content_Types].xml": _CONTENT_TYPES,
        f"xl/{'S' if capital_shared_strings else 's'}haredStrings.xml": page.shared_strings(),
        "xl/styles.xml": _STYLE_SHEET,
        "xl/workbook.xml": _workbook(sheet),
        "xl/worksheets/sheet1.xml": page.xml(),
        "xl/_rels/workbook.xml.rels": _WORKBOOK_RELATIONSHIPS,
        "_rels/.rels": _RELATIONSHIPS,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in parts.items():
            entry = zipfile.ZipInfo(name, stamp.timetuple()[:6])
            package.writestr(entry, text.encode(), zipfile.ZIP_DEFLATED)


class _Sheet:
    """The one sheet's XML, built row by row as text: a DOM would take ten times as long."""

    def __init__(self, width: int) -> None:
        self._letters = [get_column_letter(place) for place in range(1, width + 1)]
        self._rows: list[str] = []
        self._merged: list[str] = []
        self._texts: dict[str, int] = {}

    def add(self, cells: Sequence[Cell], style: int) -> None:
        number = len(self._rows) + 1
        written = [
            self._cell(f'\t\t\t<c r="{letter}{number}" s="{style}" t="', cell)
            for letter, cell in zip(self._letters, cells, strict=True)
        ]
        self._rows.append(f'\t\t<row r="{number}" ht="25" customHeight="true">\n{"".join(written)}\t\t</row>\n')

    def _cell(self, opening: str, cell: Cell) -> str:
        if cell is None or cell == "":
            return f'{opening}e"/>\n'
        if isinstance(cell, str):
            place = self._texts.setdefault(cell, len(self._texts))
            return f'{opening}s">\n\t\t\t\t<v>{place}</v>\n\t\t\t</c>\n'
        return f'{opening}n">\n\t\t\t\t<v>{_number(cell)}</v>\n\t\t\t</c>\n'

    def merge(self, width: int) -> None:
        """Merge the first cells of the row that was added last."""
        if width > 1:
            self._merged.append(f"A{len(self._rows)}:{self._letters[width - 1]}{len(self._rows)}")

    def xml(self) -> str:
        merged = "".join(f'\t\t<mergeCell ref="{cells}"/>\n' for cells in self._merged)
        return (
            f'{_DECLARATION}<worksheet xmlns="{_MAIN}" xmlns:r="{_DOCUMENT}">\n'
            '\t<sheetPr>\n\t\t<outlinePr summaryBelow="false" summaryRight="false"/>\n\t</sheetPr>\n'
            f'\t<dimension ref="{self._letters[-1]}{len(self._rows)}"/>\n'
            '\t<sheetViews>\n\t\t<sheetView tabSelected="true" workbookViewId="0" rightToLeft="false"/>\n'
            '\t</sheetViews>\n\t<sheetFormatPr defaultColWidth="10.5" customHeight="true" defaultRowHeight="11.429"/>\n'
            f"\t<sheetData>\n{''.join(self._rows)}\t</sheetData>\n"
            + (f'\t<mergeCells count="{len(self._merged)}">\n{merged}\t</mergeCells>\n' if merged else "")
            + '\t<pageMargins left="0.39" right="0.39" top="0.39" bottom="0.39" header="0" footer="0"/>\n</worksheet>'
        )

    def shared_strings(self) -> str:
        count = len(self._texts)
        items = "".join(f"\t<si>\n\t\t{_text(text)}\n\t</si>\n" for text in self._texts)
        return f'{_DECLARATION}<sst xmlns="{_MAIN}" count="{count}" uniqueCount="{count}">\n{items}</sst>'


def _text(text: str) -> str:
    """A shared text, which no program takes for a formula, whatever it begins with; its control characters as they are.

    What XML cannot hold is written ``_x000D_``, and so is what would be read as that (ECMA-376 part 1, 22.9.2.19).
    """
    escaped = _UNWRITABLE.sub(lambda match: f"_x{ord(match[0]):04X}_", text)
    preserved = ' xml:space="preserve"' if text != text.strip() else ""
    return f"<t{preserved}>{escape(escaped)}</t>"


def _number(value: float | Decimal) -> str:
    """The shortest decimal form, as 1C writes doubles: ``65991.78``, ``4``, never ``4.00`` or ``4e6``."""
    text = f"{value if isinstance(value, Decimal) else Decimal(repr(value)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _workbook(sheet: str) -> str:
    name = escape(sheet, {'"': "&quot;"})
    return (
        f'{_DECLARATION}<workbook xmlns="{_MAIN}" xmlns:r="{_DOCUMENT}">\n'
        '\t<workbookPr defaultThemeVersion="124226"/>\n'
        f'\t<sheets>\n\t\t<sheet name="{name}" sheetId="1" r:id="rId1"/>\n\t</sheets>\n'
        '\t<calcPr calcId="124519" refMode="R1C1"/>\n</workbook>'
    )
