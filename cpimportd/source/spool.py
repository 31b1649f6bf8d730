"""The run's private folder: a file has its final name only once all of it is there."""

import hashlib
import io
from pathlib import Path
from types import TracebackType
from typing import Self

from cpimportd.model import FetchedFile
from cpimportd.problems import ProblemError, problem
from cpimportd.source.contract import Entry, Look, PermanentError


class Spool:
    """Where the files of one run are put.

    Args:
        folder: made with mode 0700, for the books of a holding are nobody else's business.
        largest: bytes that a file may have.

    Raises:
        ProblemError: disk.
    """

    def __init__(self, folder: Path, largest: int) -> None:
        self._folder = folder
        self._largest = largest
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        except OSError as error:
            raise disk_problem(folder, error) from error

    def receive(self, number: int, entry: Entry) -> "Incoming":
        """Begin to take a file. It is stored under its number: the server's name is never a path here."""
        suffix = entry.wire.rpartition(b".")[2].decode("ascii").lower()
        return Incoming(self._folder / f"{number:03}.{suffix}", entry, self._largest)


class Incoming:
    """A file that is arriving, as ``….part``; used as a context manager, which removes what was not kept."""

    def __init__(self, final: Path, entry: Entry, largest: int) -> None:
        self.size = 0
        self._final = final
        self._part = final.with_name(f"{final.name}.part")
        self._entry = entry
        self._largest = largest
        self._digest = hashlib.sha256()
        self._file: io.BufferedWriter | None = None

    def __enter__(self) -> Self:
        try:
            self._file = self._part.open("wb")
        except OSError as error:
            raise disk_problem(self._part, error) from error
        return self

    def write(self, block: bytes) -> None:
        """Append bytes.

        Raises:
            ProblemError: file-too-large, disk.
        """
        assert self._file is not None  # noqa: S101 - entered
        self.size += len(block)
        if self.size > self._largest:
            raise too_large(self._entry, self.size, self._largest)
        self._digest.update(block)
        try:
            self._file.write(block)
        except OSError as error:
            raise disk_problem(self._part, error) from error

    def keep(self, look: Look) -> FetchedFile:
        """Give the file its final name: call it only when all of it is known to be there.

        Raises:
            ProblemError: disk.
        """
        assert self._file is not None  # noqa: S101 - entered
        try:
            self._file.close()
            self._part.replace(self._final)
        except OSError as error:
            raise disk_problem(self._final, error) from error
        return FetchedFile(self._entry.name, self._final, self.size, look.modified, self._digest.hexdigest())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._file is not None:
                self._file.close()
        except OSError:
            pass  # what could not be written is about to be removed
        finally:
            self._part.unlink(missing_ok=True)


def too_large(entry: Entry, size: int, largest: int) -> ProblemError:
    """The problem of a file that has more bytes than is allowed."""
    return PermanentError(problem("file-too-large", file=entry.name, size=size, limit=largest))


def disk_problem(path: Path, error: OSError) -> ProblemError:
    """The problem of a spool that cannot be written."""
    return ProblemError(problem("disk", path=str(path), reason=error.strerror or str(error)))
