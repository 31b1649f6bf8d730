"""A workbook that stays open, for reading after no file may be opened any more; and the digest of its content.

The digest contains the version of the reader. A file that is unchanged since yesterday is not even unpacked, so the
recorded digest must show whether a newer reader has to read it again.
"""

import hashlib
import io
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Literal, Protocol, Self

_PIECE = 64 * 1024


class Workbook(Protocol):
    """What an engine reads: a :class:`OpenFile`, or a path where files may be opened."""

    def open(self, mode: Literal["rb"], /) -> IO[bytes]:
        """The workbook from its beginning; each stream has a place of its own."""


class OpenFile:
    """A file that is opened once and read any number of times, also by several readers; a context manager.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def open(self, _mode: Literal["rb"], /) -> io.BufferedReader:
        """The file from its beginning."""
        return io.BufferedReader(_Place(self._descriptor), _PIECE)


class _Place(io.RawIOBase):
    """A position in a file with a shared descriptor: pread(2) does not move the others' positions."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader hands over
        count = os.preadv(self._descriptor, [buffer], self._at)
        self._at += count
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        # Sought in the descriptor itself, which says what is no place; no reading goes by where that stands.
        start = offset + self._at if whence == io.SEEK_CUR else offset
        self._at = os.lseek(self._descriptor, start, io.SEEK_END if whence == io.SEEK_END else io.SEEK_SET)
        return self._at

    def tell(self) -> int:
        return self._at


READER_VERSION: Final = 3
"""Part of every digest: raise it when a file that did not change must be read anew; at most 255."""


class ContentDigest:
    """The SHA-256 of this reader's version and of a workbook's content."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(b"%d\0" % READER_VERSION)
        self.update = self._hash.update

    def text(self) -> str:
        """64 hexadecimal digits, the last two of which are the version instead."""
        return f"{self._hash.hexdigest()[:-2]}{READER_VERSION:02x}"


def is_current(digest: str) -> bool:
    """Whether a digest was made by this version of the reader."""
    return digest.endswith(f"{READER_VERSION:02x}")
