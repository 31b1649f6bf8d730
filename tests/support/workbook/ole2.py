"""A BIFF8 workbook ([MS-XLS]) in an OLE2 container ([MS-CFB]), written byte by byte."""

import struct
from collections.abc import Sequence
from pathlib import Path


def record(kind: int, content: bytes) -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def write_biff8(path: Path, rows: Sequence[Sequence[str | float]]) -> Path:
    bof = struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0x0600)
    name = "Лист_1".encode("utf-16-le")
    sheet = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0x0600))
    for at, row in enumerate(rows):
        for column, cell in enumerate(row):
            place = struct.pack("<HHH", at, column, 0)
            if isinstance(cell, str):
                text = cell.encode("utf-16-le")
                sheet += record(0x0204, place + struct.pack("<HB", len(cell), 1) + text)
            else:
                sheet += record(0x0203, place + struct.pack("<d", cell))
    sheet += record(0x000A, b"")
    bound = struct.pack("<IBBBB", 0, 0, 0, len(name) // 2, 1) + name
    head = record(0x0809, bof) + record(0x0042, struct.pack("<H", 1200))
    offset = len(head) + len(record(0x0085, bound)) + len(record(0x000A, b""))
    stream = head + record(0x0085, struct.pack("<I", offset) + bound[4:]) + record(0x000A, b"") + sheet
    path.write_bytes(ole2_container("Workbook", stream))
    return path


def ole2_container(stream_name: str, stream: bytes) -> bytes:
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
