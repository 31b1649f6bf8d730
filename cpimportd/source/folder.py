"""A local folder as a source: for tests, mounts, and an FTP daemon on the same machine."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from cpimportd.config import settings
from cpimportd.core.phrases import PhraseError, phrase, reason_of
from cpimportd.core.problems import ProblemError, problem
from cpimportd.source import listing
from cpimportd.source.address import Address
from cpimportd.source.interface import Entry, FileState, FileTooLargeError, Listing

BLOCK = 1024 * 1024
_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""No symbolic link is followed, and a pipe that took the file's name cannot make us wait."""


class FolderSource:
    """Regular files of one folder; its subfolders and symbolic links are left alone. Session and source in one."""

    def __init__(self, address: Address, source: settings.Source) -> None:
        self._path = address.path
        self._encoding = source.encoding
        self._limit = source.transfer_timeout.total_seconds()
        self._permits = asyncio.Semaphore(source.parallel)

    @property
    def label(self) -> str:
        """How problems name it."""
        return "this machine"

    @property
    def folder(self) -> str:
        """The folder's path."""
        return os.fsdecode(self._path)

    @asynccontextmanager
    async def session(self) -> AsyncIterator["FolderSource"]:
        """The folder itself; up to source.parallel sessions at once."""
        async with self._permits:
            yield self

    async def close(self) -> None:
        """Nothing is held open."""

    async def list(self) -> Listing:
        """The workbooks in the folder.

        Raises:
            ProblemError: source-listing.
        """
        try:
            lines = await asyncio.to_thread(self._lines)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ProblemError(
                problem("source-listing", server=self.label, folder=self.folder, reason=reason)
            ) from error
        try:
            return listing.split_listing(lines, self._encoding)
        except FileTooLargeError as error:
            raise ProblemError(
                problem("source-listing", server=self.label, folder=self.folder, reason=reason_of(error))
            ) from error

    def _lines(self) -> Sequence[listing.Line]:
        lines = []
        with os.scandir(self._path) as entries:
            for entry in entries:
                kind: listing.FileKind = "other"
                if entry.is_symlink():
                    kind = "link"
                elif entry.is_file(follow_symlinks=False):
                    kind = "file"
                try:
                    lines.append(listing.Line(entry.name, kind, _look(entry.stat(follow_symlinks=False))))
                except FileNotFoundError:
                    continue  # it was renamed or removed while the folder was read
        return lines

    async def look(self, entry: Entry) -> FileState:
        """The file's size and modification time at this moment.

        Raises:
            ProblemError: download-failed.
        """
        try:
            return _look(await asyncio.to_thread(os.lstat, self._place(entry)))
        except OSError as error:
            raise _failed(entry, error) from error

    async def download(self, entry: Entry, write: Callable[[bytes], None], start: int = 0) -> None:
        """Hand over the file's bytes, those before ``start`` left out.

        Raises:
            ProblemError: download-failed.
        """
        try:
            async with asyncio.timeout(self._limit):
                descriptor = await asyncio.to_thread(_open_regular, self._place(entry))
                with open(descriptor, "rb", buffering=0) as file:  # noqa: ASYNC230, PTH123 - opened in a thread above
                    file.seek(start)
                    while block := await asyncio.to_thread(file.read, BLOCK):
                        write(block)
        except OSError as error:
            raise _failed(entry, error) from error

    def _place(self, entry: Entry) -> bytes:
        return os.path.join(self._path, entry.wire)  # noqa: PTH118 - pathlib knows no bytes


class NoFileError(PhraseError, OSError):
    """What was a file is none any more."""


def _open_regular(path: bytes) -> int:
    descriptor = os.open(path, _OPEN_FLAGS)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NoFileError("no-regular-file")
    return descriptor


def _look(status: os.stat_result) -> FileState:
    return FileState(status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def _failed(entry: Entry, error: OSError) -> ProblemError:
    silent = isinstance(error, TimeoutError) and not error.strerror
    reason = phrase("no-answer") if silent else error.strerror or reason_of(error)
    return ProblemError(problem("download-failed", file=entry.name, reason=reason))
