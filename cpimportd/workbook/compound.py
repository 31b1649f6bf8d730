"""Checks whether a file in a compound container (OLE2, [MS-CFB]) is encrypted, before an engine opens it."""

import struct
from collections.abc import Iterator

from cpimportd.core.phrases import UnfitError

_HEADER = 512
_ENTRY = 128
_END_OF_CHAIN = 0xFFFFFFFA
"""Sector numbers from here on are none ([MS-CFB] 2.1)."""
_STREAM, _ROOT = 2, 5
# A workbook with a password, or with rights management, of Excel 2007 and later ([MS-OFFCRYPTO] 1.3.1), and of earlier.
_PROTECTED = frozenset({"encryptedpackage", "\tdrmcontent"})
_EOF, _FILEPASS = 0x000A, 0x002F
# A protected workbook says so right after its beginning ([MS-XLS] 2.1.7.20.3).
_RECORDS = 10_000


def is_protected(whole: bytes) -> bool:
    """Whether a compound file's content is encrypted.

    A file that is too damaged to say so is not: engines say what is wrong with it.
    """
    try:
        streams = _Container(whole)
        if _PROTECTED & streams.names:
            return True
        book = streams.read("workbook") or streams.read("book")
        return any(kind == _FILEPASS for kind in _globals(book))
    except (struct.error, IndexError, ValueError):
        return False


def _globals(stream: bytes) -> Iterator[int]:
    """The kinds of the records up to the end of the workbook's globals ([MS-XLS] 2.1.4)."""
    at = 0
    for _ in range(_RECORDS):
        kind, length = struct.unpack_from("<HH", stream, at)
        yield kind
        if kind == _EOF:
            return
        at += 4 + length


class _Container:
    """The streams of a compound file, by their folded names."""

    def __init__(self, whole: bytes) -> None:
        self._whole = whole
        shift, small_shift = struct.unpack_from("<HH", whole, 30)
        if shift not in {9, 12} or small_shift != 6:
            raise UnfitError("sector-of-no-size")
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
        """A stream's bytes; none if there is no such stream."""
        start, size = self._streams.get(name, (_END_OF_CHAIN, 0))
        if size >= self._cutoff:
            return self._chain(start)[:size]
        pieces = [self._small[at * 64 : at * 64 + 64] for at in _follow_chain(start, self._small_table)]
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
        return b"".join(self._sector(number) for number in _follow_chain(start, self._table))


def _follow_chain(number: int, table: tuple[int, ...]) -> Iterator[int]:
    """A chain of sectors; one that bites its tail ends when it has as many links as there are sectors."""
    for _ in range(len(table)):
        if number >= _END_OF_CHAIN:
            return
        yield number
        number = table[number]
