"""A copy of a workbook for calamine, which finds parts by well-known names and not by relationships."""

import zipfile
from collections.abc import Iterable
from html import escape
from io import BytesIO

from cpimportd.workbook.openfile import Workbook
from cpimportd.workbook.package import Package

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
_HIDDEN = ' state="hidden"'
_PIECE = 1024 * 1024


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
                while piece := original.read(_PIECE):
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
