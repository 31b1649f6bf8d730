"""Workbooks that somebody made to do harm, or that a program made by mistake: each made out of a good one in its place."""

import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from python_calamine import load_workbook

from cpimportd.demo.workbook import Cell, write_workbook

Make = Callable[[Path], None]

AMOUNT, PURPOSE, NAME = "Сумма", "Назначение платежа", "Списание с расчетного счета"
DTD = (
    '<?xml version="1.0"?><!DOCTYPE sst [<!ENTITY a "{a}">{more}]>'
    '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>{text}</t></si></sst>'
)


def parts_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as package:
        return {name: package.read(name) for name in package.namelist()}


def write_parts(path: Path, parts: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)


def part(name: str, content: Callable[[bytes], bytes]) -> Make:
    """Change one part of the zip, or add it."""

    def make(path: Path) -> None:
        parts = parts_of(path)
        write_parts(path, parts | {name: content(parts.get(name, b""))})

    return make


SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"


def replaced(name: str, old: bytes, new: bytes) -> Make:
    """Change the first place where a text stands in a part."""

    def change(content: bytes) -> bytes:
        assert old in content, old
        return content.replace(old, new, 1)

    return part(name, change)


Table = tuple[list[str], list[list[Cell]], dict[str, Cell]]


def table_of(path: Path) -> Table:
    """Titles, rows and control totals of one of 1C's workbooks."""
    titles, *rows, total = load_workbook(str(path)).get_sheet_by_index(0).to_python(skip_empty_area=False)
    cells = [[None if cell == "" else cell for cell in row] for row in rows]
    return titles, cells, {AMOUNT: total[titles.index(AMOUNT)]}


def cells(change: Callable[[Table], Table | None]) -> Make:
    """Write the workbook anew with some of its cells changed."""

    def make(path: Path) -> None:
        table = table_of(path)
        titles, rows, totals = change(table) or table
        write_workbook(path, titles, rows, totals)

    return make


def cell(title: str, value: Cell) -> Make:
    """Write something else into one cell of the second document, row 3."""

    def change(table: Table) -> None:
        table[1][1][table[0].index(title)] = value

    return cells(change)


def number(written: bytes) -> Make:
    """Write something else as the number of the first amount, as no spreadsheet program would."""

    def make(path: Path) -> None:
        titles, rows, _ = table_of(path)
        old = f"<v>{rows[0][titles.index(AMOUNT)]}</v>".encode()
        replaced(SHEET, old, b"<v>" + written + b"</v>")(path)

    return make


def flat_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", "<Types/>")
        package.writestr(SHEET, bytes(300_000_000))


def nested_bomb(path: Path) -> None:
    """A zip of zips, each level small enough to pass by itself."""
    content = bytes(900_000)
    for _ in range(4):
        layer = BytesIO()
        with zipfile.ZipFile(layer, "w", zipfile.ZIP_DEFLATED) as package:
            for number_ in range(10):
                package.writestr(f"{number_}.zip", content)
        content = layer.getvalue()
    part("xl/media/image1.png", lambda _: content)(path)


def entries(count: int) -> Make:
    """A directory of so many parts of nothing."""

    def make(path: Path) -> None:
        entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0)
        directory = b"".join(entry + b"%08d" % each for each in range(count))
        end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count & 0xFFFF, count & 0xFFFF, len(directory), 34, 0)
        path.write_bytes(b"PK\x03\x04" + bytes(30) + directory + end)

    return make


def entities(levels: int) -> bytes:
    """Billion laughs: each entity is ten of the one before."""
    more = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, levels))
    text = DTD.format(a="ha" * 10, more=more.replace("&a0;", "&a;"), text=f"&a{levels - 1};")
    return text.encode()


def quadratic_entity(_: bytes) -> bytes:
    return DTD.format(a="a" * 100_000, more="", text="&a;" * 20_000).encode()


def external_entity(_: bytes) -> bytes:
    return DTD.format(a="", more='<!ENTITY x SYSTEM "file:///etc/passwd">', text="&x;").encode()


def utf16_entity(_: bytes) -> bytes:
    return entities(9).decode().replace('version="1.0"', 'version="1.0" encoding="UTF-16"').encode("utf-16")


def nested(depth: int) -> Make:
    """So many elements inside each other between two rows."""
    return replaced(SHEET, b"</sheetData>", b"<x>" * depth + b"</x>" * depth + b"</sheetData>")


def slow_to_search(_: bytes) -> bytes:
    """What makes a search by pattern look again and again at the same megabytes."""
    return b"<worksheet " + b't="e" ' * 1_500_000 + b"/>"


def far_cell(path: Path) -> None:
    """One more cell, in the last row of the last column: whoever keeps a table of all cells needs 137 GB."""
    last = b'<row r="1048576"><c r="XFD1048576" t="n"><v>1</v></c></row></sheetData>'
    replaced(SHEET, b"</sheetData>", last)(path)


def heavy_text(path: Path) -> None:
    """One more shared text, of 160 MB."""
    replaced(STRINGS, b"</sst>", b"<si><t>" + b"abcdefgh" * 20_000_000 + b"</t></si></sst>")(path)


def wide(alike: bool) -> Make:
    """16,384 columns, those beyond 1C's all filled in the first row."""

    def change(table: Table) -> Table:
        titles, rows, totals = table
        more = 16_384 - len(titles)
        titles = [*titles, *(("лишнее",) * more if alike else (f"лишнее {place}" for place in range(more)))]
        return titles, [[*row, *([1 if at == 0 else None] * more)] for at, row in enumerate(rows)], totals

    return cells(change)


REQUIRED = (
    NAME,
    "Организация",
    AMOUNT,
    "Вид операции",
    "Банковский счет",
    "Счет учета",
    "Вх. дата",
    "Получатель",
    "Договор",
)


def bad_rows(count: int) -> Make:
    """So many documents more whose amount is none, in a workbook of few columns: all that a reader has room for."""

    def make(path: Path) -> None:
        titles, rows, totals = table_of(path)
        places = [titles.index(title) for title in REQUIRED]
        write_workbook(path, REQUIRED, [[row[place] for place in places] for row in rows], totals)
        lines, chance = [], random.Random(5)
        for row in range(len(rows) + 3, len(rows) + 3 + count):
            # Noise, so that it does not look like a bomb.
            lines.append(
                f'<row r="{row}"><c r="A{row}" t="str"><v>{NAME} 0А00-{chance.getrandbits(48)} от 22.04.2022 8:01:53'
                f'</v></c><c r="C{row}" t="str"><v>x{chance.getrandbits(64):x}</v></c></row>'
            )
        replaced(SHEET, b"</sheetData>", "".join(lines).encode() + b"</sheetData>")(path)

    return make


def binary_in_xlsx(write_xls: Callable[..., Path]) -> Make:
    def make(path: Path) -> None:
        titles, rows, totals = table_of(path)
        last = [totals.get(title, "Итого" if at == 0 else None) for at, title in enumerate(titles)]
        filled = [["" if cell_ is None else cell_ for cell_ in row] for row in (*rows, last)]
        write_xls(path, [titles, *filled])

    return make


def sheets(*pages: tuple[str, str, bytes]) -> Make:
    """Further sheets: name, state, content."""

    def make(path: Path) -> None:
        parts = parts_of(path)
        for at, (name, state, content) in enumerate(pages, 2):
            parts[f"xl/worksheets/sheet{at}.xml"] = content
            for where, end, text in (
                ("xl/workbook.xml", b"</sheets>", f'<sheet name="{name}" sheetId="{at}" state="{state}" r:id="rId9{at}"/>'),
                (
                    "xl/_rels/workbook.xml.rels",
                    b"</Relationships>",
                    f'<Relationship Id="rId9{at}" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
                    f'relationships/worksheet" Target="worksheets/sheet{at}.xml"/>',
                ),
                (
                    "[Content_Types].xml",
                    b"</Types>",
                    f'<Override PartName="/xl/worksheets/sheet{at}.xml" ContentType="application/vnd.openxmlformats-'
                    'officedocument.spreadsheetml.worksheet+xml"/>',
                ),
            ):  # fmt: skip
                parts[where] = parts[where].replace(end, text.encode() + end)
        write_parts(path, parts)

    return make


def same_sheet_again(state: str) -> Make:
    return lambda path: sheets(("Ещё", state, parts_of(path)[SHEET]))(path)


def wrong_checksum(path: Path) -> None:
    """A sheet whose bytes are not those that its checksum was taken of, though they unpack."""
    content = parts_of(path)[SHEET]
    right = struct.pack("<I", zlib.crc32(content))
    raw = path.read_bytes()
    assert raw.count(right) == 2
    path.write_bytes(raw.replace(right, struct.pack("<I", zlib.crc32(content) ^ 1)))


def noise(characters: int) -> str:
    """Text that does not pack well, so that it does not look like a bomb."""
    return random.Random(5).randbytes(characters // 2).hex()
