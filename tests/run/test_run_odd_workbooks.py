"""Whole runs over workbooks that other programs wrote, or that somebody touched by hand: read right, or held by name."""

import gzip
import json
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cpimportd.core.folding import fold
from cpimportd.core.report import FileStatus, RunStatus
from cpimportd.documents.columns import COLUMNS
from tests.support.workbook.ole2 import ole2_container, record

SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
Change = Callable[[str, bytes], bytes]
CHANGES = "SELECT operation_id, old, new FROM cpimportd.change"


def rewrite(file: Path, change: Change, **more: bytes) -> None:
    """Change every part of a workbook, and add others."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: change(name, archive.read(name)) for name in archive.namelist()} | more
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def in_sheet(old: bytes, new: bytes) -> Change:
    def change(name: str, content: bytes) -> bytes:
        assert name != SHEET or old in content
        return content.replace(old, new, 1) if name == SHEET else content

    return change


def prefixed(name: str, content: bytes) -> bytes:
    """Every element of the workbook with a prefix, as Open XML SDK writes them."""
    if not name.startswith("xl/") or name.endswith(".rels"):
        return content
    head, body = content.decode("utf-8-sig").replace("xmlns=", "xmlns:x=").split("?>", 1)
    return (head + "?>" + re.sub(r"<(/?)", r"<\1x:", body)).encode()


def strict(_: str, content: bytes) -> bytes:
    for old, new in (
        (b"schemas.openxmlformats.org/spreadsheetml/2006/main", b"purl.oclc.org/ooxml/spreadsheetml/main"),
        (
            b"schemas.openxmlformats.org/officeDocument/2006/relationships",
            b"purl.oclc.org/ooxml/officeDocument/relationships",
        ),
    ):
        content = content.replace(old, new)
    return content


def strict_with_an_error(name: str, content: bytes) -> bytes:
    error = b't="e"><v>#REF!</v></c>'
    return strict(name, content.replace(b't="e"/>', error, 1) if name == SHEET else content)


def moved(name: str, content: bytes) -> bytes:
    return content.replace(b"worksheets/sheet1.xml", b"data.xml")


def move(file: Path, change: Change = lambda _, content: content) -> None:
    """Store the sheet as xl/data.xml, and say so in relationships and content types."""
    with zipfile.ZipFile(file) as archive:
        sheet = change(SHEET, archive.read(SHEET))
    rewrite(file, moved, **{"xl/data.xml": sheet})
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name != SHEET}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


TITLES = {fold(title) for columns in COLUMNS.values() for column in columns for title in column.titles}
PAYMENT_TYPES = ("Погашение долга", "Уплата процентов")

GOOD: dict[str, Callable[[Path], None]] = {
    "elements with a prefix": lambda file: rewrite(file, prefixed),
    "Strict OOXML": lambda file: rewrite(file, strict),
    "Strict OOXML and one error value where a header has no field": lambda file: rewrite(file, strict_with_an_error),
    "a sheet under another name": move,
    "a compressed logo": lambda file: rewrite(
        file, lambda _, content: content, **{"xl/media/image1.emz": gzip.compress(b"logo")}
    ),
    "an embedded workbook": lambda file: rewrite(
        file, lambda _, content: content, **{"xl/embeddings/Microsoft_Excel_Worksheet.xlsx": file.read_bytes()}
    ),
    "a total of the report": lambda file: rewrite(
        file, lambda _, content: content.replace("<t>Итого</t>".encode(), "<t>ИТОГО ПО ОТЧЕТУ</t>".encode())
    ),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", GOOD)
async def test_good_workbooks_of_other_programs_give_the_same_books(workplace, name, truth):
    workplace.sample("day1")
    for file in workplace.upload.iterdir():
        GOOD[name](file)
    report = await workplace.run()
    assert (report.status, report.code) == (RunStatus.PUBLISHED, 0), report.all_problems
    expected = dict.fromkeys(("receipts", "expenses", "details"), 0)
    sums = dict.fromkeys(expected, 0)
    for file in truth("day1")["files"].values():
        expected[file["kind"]] += file["rows"]
        sums[file["kind"]] += round(float(file["total"]) * 100)
    books = workplace.books
    assert {kind: books[kind] for kind in expected} == expected
    assert {kind: int(books[f"{kind}_sum"] * 100) for kind in sums} == sums


def two_lines(name: str, content: bytes) -> bytes:
    """Every text of more than one word on two lines, as Excel writes it: a carriage return is escaped."""
    if name != STRINGS:
        return content

    def broken(match: re.Match[str]) -> str:
        first, _, rest = match[1].partition(" ")
        stays = not rest or fold(match[1]) in TITLES or " от " in match[1] or match[1] in PAYMENT_TYPES
        return match[0] if stays else f"<t>{first}_x000D_\n{rest}</t>"

    return re.sub(r"<t>([^<]*)</t>", broken, content.decode()).encode()


@pytest.mark.asyncio
async def test_one_error_value_changes_one_extra_and_no_text(workplace):
    workplace.sample("day1")
    for file in workplace.upload.iterdir():
        rewrite(file, two_lines)
    report = await workplace.run()
    assert report.code == 0, report.all_problems
    texts = "SELECT count(*) AS n, min(name) AS name FROM fin_organizations"
    (before,) = workplace.sql(workplace.url, texts)
    assert "\r\n" in before["name"]
    contracts = workplace.sql(workplace.url, "SELECT * FROM fin_contracts ORDER BY id")
    file = workplace.file("Lotos - Spisanie kredity")
    with zipfile.ZipFile(file) as archive:
        sheet = archive.read(SHEET)
    # An empty cell of the third row in a column without a field.
    column = "AB"
    cell = f'<c r="{column}3" s="3" t="e"/>'.encode()
    assert cell in sheet
    rewrite(file, in_sheet(cell, cell[:-2] + b"><v>#REF!</v></c>"))
    report = await workplace.run()
    assert report.code == 0, report.all_problems
    (unit,) = [unit for unit in report.units if unit.unit.name.endswith("ООО/expenses") and unit.updated]
    assert (unit.inserted, unit.updated, unit.removed, unit.unchanged) == (0, 1, 0, 199)
    (change,) = workplace.sql(workplace.url, CHANGES)
    old, new = json.loads(change["old"]), json.loads(change["new"])
    (added,) = dict(new.pop("extra").items() - old.pop("extra").items()).values()
    assert (added, old) == ("#REF!", new)
    assert workplace.sql(workplace.url, "SELECT * FROM fin_contracts ORDER BY id") == contracts
    assert workplace.sql(workplace.url, "SELECT 1 FROM fin_expenses WHERE payment_purpose LIKE '%x000D%'") == []


def locked(file: Path) -> None:
    bof = struct.pack("<HHHH", 0x0600, 0x0005, 0, 0) + bytes(8)
    stream = record(0x0809, bof) + record(0x002F, bytes(54)) + record(0x000A, b"")
    file.write_bytes(ole2_container("Workbook", stream))


HELD: dict[str, tuple[Callable[[Path], None], str]] = {
    "two rows of one number in a sheet under another name": (
        lambda file: move(file, in_sheet(b'<row r="78" ', b'<row r="77" ')),
        "file-damaged",
    ),
    "a binary workbook with a password": (locked, "file-encrypted"),
    "an amount that is a formula without a value": (
        lambda file: rewrite(
            file,
            lambda name, content: re.sub(
                rb'(<c r="AK3" s="\d+") t="n">\s*<v>[^<]*</v>', rb"\1><f>AK4+AK5</f>", content, count=1
            ),
        ),
        "formula-without-value",
    ),
    "a total that does not add up, whatever it is called": (
        lambda file: rewrite(
            file,
            lambda _, content: content.replace("<t>Итого</t>".encode(), "<t>ИТОГО ПО ОТЧЕТУ</t>".encode()).replace(
                b"<v>125016938</v>", b"<v>125016939</v>"
            ),
        ),
        "control-total",
    ),
    "a last row that is the total of a part": (
        lambda file: rewrite(
            file, lambda _, content: content.replace("<t>Итого</t>".encode(), "<t>Итого по договору № 1</t>".encode())
        ),
        "control-total-missing",
    ),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", HELD)
async def test_what_cannot_be_read_right_is_held_by_its_name(workplace, name):
    workplace.sample("day1")
    make, code = HELD[name]
    file = workplace.file("Lotos - Spisanie kredity")
    make(file)
    report = await workplace.run()
    (told,) = [found for found in report.files if found.name == file.name]
    assert (told.status, report.code) == (FileStatus.HELD, 3)
    assert code in {found.code for found in told.problems}
    assert (workplace.books["expenses"], workplace.books["details"]) == (200, 288)


@pytest.mark.asyncio
async def test_a_workbook_that_is_only_stamped_anew_is_unchanged(workplace):
    workplace.sample("day1")

    def stamp(day: str) -> None:
        for file in workplace.upload.iterdir():
            more = {name: f"<x>{day}</x>".encode() for name in ("docProps/core.xml", "docProps/app.xml")}
            rewrite(file, lambda _, content: content, **more)

    stamp("2026-01-01")
    assert (await workplace.run()).status is RunStatus.PUBLISHED
    stamp("2026-01-02")
    assert (await workplace.run()).status is RunStatus.UNCHANGED
