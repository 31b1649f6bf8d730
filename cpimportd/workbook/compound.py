"""What a file in a compound container (OLE2, [MS-CFB]) says of itself before an engine opens it."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_HEADER = 512
_ENTRY = 128
_END_OF_CHAIN = 0xFFFFFFFA
"""Sector numbers from here on are none ([MS-CFB] 2.1)."""
_STREAM, _ROOT = 2, 5
# A workbook with a password, or with rights management, of Excel 2007 and later ([MS-OFFCRYPTO] 1.3.1), and of earlier.
_PROTECTED = frozenset({"encryptedpackage", "\tdrmcontent"})
_BOF, _EOF, _FILEPASS, _CODEPAGE = 0x0809, 0x000A, 0x002F, 0x0042
_BIFF5 = 0x0500
# A protected workbook says so right after its beginning ([MS-XLS] 2.1.7.20.3).
_RECORDS = 10_000


@dataclass(frozen=True, slots=True)
class Binary:
    """What a compound file says of itself.

    Attributes:
        is_protected: its content is encrypted.
        without_encoding: a workbook of Excel 5 or 95, whose texts are bytes, that does not say of which encoding.
    """

    is_protected: bool = False
    without_encoding: bool = False


def look_at(whole: bytes) -> Binary:
    """What a compound file says of itself; nothing where it is too damaged to say anything: engines tell of that."""
    try:
        streams = _Container(whole)
        if _PROTECTED & streams.names:
            return Binary(is_protected=True)
        book = streams.read("workbook") or streams.read("book")
        records = dict(_globals(book))
    except (struct.error, IndexError, ValueError):
        return Binary()
    if _FILEPASS in records:
        return Binary(is_protected=True)
    is_biff5 = records.get(_BOF, b"")[:2] == struct.pack("<H", _BIFF5)
    return Binary(without_encoding=is_biff5 and _CODEPAGE not in records)


def _globals(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """The records up to the end of the workbook's globals ([MS-XLS] 2.1.4), less their continuations."""
    at = 0
    for _ in range(_RECORDS):
        kind, length = struct.unpack_from("<HH", stream, at)
        yield kind, stream[at + 4 : at + 4 + length]
        if kind == _EOF:
            return
        at += 4 + length


class _Container:
    """The streams of a compound file, by their folded names."""

    def __init__(self, whole: bytes) -> None:
        self._whole = whole
        shift, small_shift = struct.unpack_from("<HH", whole, 30)
        if shift not in {9, 12} or small_shift != 6:
            raise ValueError("a sector of no known size")
        self._size = 1 << shift
        directory, self._cutoff, small_table = (struct.unpack_from("<I", whole, at)[0] for at in (48, 56, 60))
        self._table = self._sectors_table()
        entries = self._chain(directory)
        self._streams: dict[str, tuple[int, int]] = {}
        small = b""
        for at in range(0, len(entries) - _ENTRY + 1, _ENTRY):
            length, kind = struct.unpack_from("<HB", entries, at + 64)
            start, size = struct.unpack_from("<II", entries, at + 116)
            name = entries[at : at + max(min(length, 64) - 2, 0)].decode("utf-16-le", errors="replace").casefold()
            if kind == _ROOT:
                small = self._chain(start)
            elif kind == _STREAM:
                self._streams.setdefault(name, (start, size))
        self._small = small
        raw = self._chain(small_table)
        self._small_table = struct.unpack(f"<{len(raw) // 4}I", raw)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._streams)

    def read(self, name: str) -> bytes:
        """A stream's bytes; none where there is no such stream."""
        start, size = self._streams.get(name, (_END_OF_CHAIN, 0))
        if size >= self._cutoff:
            return self._chain(start)[:size]
        pieces = [self._small[at * 64 : at * 64 + 64] for at in _followed(start, self._small_table)]
        return b"".join(pieces)[:size]

    def _sectors_table(self) -> tuple[int, ...]:
        """The table of which sector follows which ([MS-CFB] 2.3), whose own sectors the header lists."""
        places = list(struct.unpack_from("<109I", self._whole, 76))
        further, most = struct.unpack_from("<I", self._whole, 68)[0], len(self._whole) // self._size + 1
        while further < _END_OF_CHAIN and len(places) <= most:
            sector = self._sector(further)
            *more, further = struct.unpack(f"<{len(sector) // 4}I", sector)
            places += more
        table = b"".join(self._sector(place) for place in places if place < _END_OF_CHAIN)
        return struct.unpack(f"<{len(table) // 4}I", table)

    def _sector(self, number: int) -> bytes:
        start = (number + 1) * self._size
        return self._whole[start : start + self._size].ljust(self._size, b"\0")

    def _chain(self, start: int) -> bytes:
        return b"".join(self._sector(number) for number in _followed(start, self._table))


def _followed(number: int, table: tuple[int, ...]) -> Iterator[int]:
    """A chain of sectors; one that bites its tail ends when it has as many links as there are sectors."""
    for _ in range(len(table)):
        if number >= _END_OF_CHAIN:
            return
        yield number
        number = table[number]
