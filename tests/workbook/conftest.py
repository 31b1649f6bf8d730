"""Workbooks as 1C writes them, and every way they come broken."""

import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cpimportd.demo.workbook import write_workbook
from cpimportd.workbook.guards import ZipLimits

SAMPLES = Path(__file__).resolve().parents[1] / "samples"

Change = Callable[[str, bytes], tuple[str, bytes] | None]


@pytest.fixture(scope="session")
def limits() -> ZipLimits:
    return ZipLimits(entries=1000, unpacked=2**31, ratio=400)


@pytest.fixture
def simple(tmp_path) -> Path:
    """Three columns, two rows, a total; C2 is one of 1C's empties."""
    path = tmp_path / "simple.xlsx"
    write_workbook(path, ["A", "B", "C"], [["x", 1, None], ["y", 2.5, "z"]], {"B": 3.5})
    return path


@pytest.fixture
def expenses() -> Path:
    return SAMPLES / "day1" / "Lotos - Spisanie kredity XLSX.xlsx"


@pytest.fixture
def changed(tmp_path) -> Callable[[Path, Change], Path]:
    """A copy of a workbook with every part passed through a function; None leaves the part out."""

    def change(source: Path, each: Change, name: str = "changed.xlsx") -> Path:
        target = tmp_path / name
        with zipfile.ZipFile(source) as package, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
            for part in package.namelist():
                kept = each(part, package.read(part))
                if kept is not None:
                    copy.writestr(*kept)
        return target

    return change


@pytest.fixture
def in_sheet(changed) -> Callable[[Path, bytes, bytes], Path]:
    """A copy of a workbook with one text of its sheet replaced."""

    def replace(source: Path, old: bytes, new: bytes) -> Path:
        def each(part: str, content: bytes) -> tuple[str, bytes]:
            if "worksheets" not in part:
                return part, content
            assert old in content
            return part, content.replace(old, new)

        return changed(source, each)

    return replace


@pytest.fixture
def binary_xls() -> Callable[[Path, Sequence[Sequence[str | float]]], Path]:
    """Write a BIFF8 workbook ([MS-XLS]) in an OLE2 container ([MS-CFB])."""
    return _write_xls


def _record(kind: int, content: bytes) -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def _write_xls(path: Path, rows: Sequence[Sequence[str | float]]) -> Path:
    bof = struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0x0600)
    name = "Лист_1".encode("utf-16-le")
    sheet = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0x0600))
    for at, row in enumerate(rows):
        for column, cell in enumerate(row):
            place = struct.pack("<HHH", at, column, 0)
            if isinstance(cell, str):
                text = cell.encode("utf-16-le")
                sheet += _record(0x0204, place + struct.pack("<HB", len(cell), 1) + text)
            else:
                sheet += _record(0x0203, place + struct.pack("<d", cell))
    sheet += _record(0x000A, b"")
    bound = struct.pack("<IBBBB", 0, 0, 0, len(name) // 2, 1) + name
    head = _record(0x0809, bof) + _record(0x0042, struct.pack("<H", 1200))
    offset = len(head) + len(_record(0x0085, bound)) + len(_record(0x000A, b""))
    stream = head + _record(0x0085, struct.pack("<I", offset) + bound[4:]) + _record(0x000A, b"") + sheet
    path.write_bytes(_ole2("Workbook", stream))
    return path


def _ole2(stream_name: str, stream: bytes) -> bytes:
    stream = stream.ljust(max(4096, -(-len(stream) // 512) * 512), b"\0")
    sectors = len(stream) // 512
    chain = [0xFFFFFFFD, 0xFFFFFFFE, *range(3, 2 + sectors), 0xFFFFFFFE]
    fat = struct.pack("<128I", *chain, *[0xFFFFFFFF] * (128 - len(chain)))
    header = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16)
    header += struct.pack(
        "<HHHHH6xIIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0, 0
    )
    header += struct.pack("<108I", *[0xFFFFFFFF] * 108)
    entries = _ole2_entry("Root Entry", 5, 0xFFFFFFFE, 0, child=1) + _ole2_entry(stream_name, 2, 2, len(stream))
    return header + fat + entries.ljust(512, b"\0") + stream


def _ole2_entry(name: str, kind: int, start: int, size: int, child: int = 0xFFFFFFFF) -> bytes:
    text = name.encode("utf-16-le") + b"\0\0"
    siblings = struct.pack("<III", 0xFFFFFFFF, 0xFFFFFFFF, child)
    return (
        text.ljust(64, b"\0")
        + struct.pack("<HBB", len(text), kind, 1)
        + siblings
        + bytes(36)
        + struct.pack("<IQ", start, size)
    )


@pytest.fixture
def encrypted_ole2() -> bytes:
    """What Excel writes for a workbook with a password: the stream EncryptedPackage in an OLE2 container."""
    return _ole2("EncryptedPackage", bytes(5000))
