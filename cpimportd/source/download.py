"""Downloads into the run's private folder: a file gets its final name only when it is complete."""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cpimportd.core.files import open_private, own_folder
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.system import unusable
from cpimportd.core.workbooks import FetchedFile
from cpimportd.source.interface import Entry, FileState, PermanentError
from cpimportd.source.listing import SUFFIXES

OVERLAP: Final = 16 * 1024
"""Bytes that are requested again when a download is resumed."""


class Spool:
    """Where the files of one run are put.

    Args:
        folder: created with mode 0700, because its content is confidential.
        largest: bytes that a file may have.

    Raises:
        ProblemError: disk, state-foreign.
    """

    def __init__(self, folder: Path, largest: int) -> None:
        self._folder = folder
        self._largest = largest
        try:
            own_folder(folder, tighten=True)
        except OSError as error:
            raise disk_problem(folder, error) from error

    def receive(self, number: int, entry: Entry) -> "Incoming":
        """Begin to take a file. It is stored under its number: the server's name is never a path here."""
        return Incoming(self._folder / f"{number:03}{_suffix(entry.wire)}", entry, self._largest)


def _suffix(wire: bytes) -> str:
    """A workbook's suffix, for people who look into the folder; one of ours, whatever the name's encoding."""
    written = wire.lower()
    return next((suffix for suffix in SUFFIXES if written.endswith(suffix.encode())), SUFFIXES[0])


class Incoming:
    """A file that is arriving, as ``….part``, in one try or several; a context manager that removes what was not kept.

    Where a try breaks off, the next one goes on from there, if the file's size and time are known and as they were.
    Time is told in whole seconds only, and a server may take a restart and yet send from the beginning. So the last
    ``OVERLAP`` bytes are asked for once more: what differs in them is another file, and is fetched from its beginning.
    What nobody can see in them (a file that was replaced within a second by one of the same length) the checksums of
    the workbook's zip will tell.
    """

    def __init__(self, final: Path, entry: Entry, largest: int) -> None:
        self._final = final
        self._part = final.with_name(f"{final.name}.part")
        self._entry = entry
        self._largest = largest
        self._file: io.BufferedWriter | None = None
        self._look: FileState | None = None
        self._resumable = True
        self._reset()

    def _reset(self) -> None:
        self._stored = 0
        self._digest = hashlib.sha256()
        self._tail = self._awaited = b""

    def __enter__(self) -> Self:
        return self

    @property
    def size(self) -> int:
        """How many bytes are here, less those that are still to be seen once more."""
        return self._stored - len(self._awaited)

    @contextmanager
    def attempt(self, look: FileState) -> Iterator[int]:
        """One try.

        Args:
            look: the file's state.

        Yields:
            The byte with which the source is to begin.

        Raises:
            ProblemError: disk, machine-exhausted.
        """
        if not self._can_resume(look):
            self._reset()
        self._look, self._awaited = look, self._tail
        self._open()
        try:
            yield self.size
        finally:
            self._close()

    def _can_resume(self, look: FileState) -> bool:
        if look.size is None or look.modified is None or look != self._look:
            return False
        # More than there should be: most likely the server did not begin where it was asked to.
        self._resumable = self._resumable and self._stored <= look.size
        return self._resumable and self._stored > OVERLAP

    def restart(self) -> None:
        """Forget what is here, for the source can only begin at the beginning; for good, so as not to ask it again.

        Raises:
            ProblemError: disk, machine-exhausted.
        """
        self._resumable = False
        self._close()
        self._reset()
        self._open()

    def write(self, block: bytes) -> None:
        """Append bytes.

        Raises:
            ProblemError: file-too-large, disk; download-failed where it is not the file whose beginning is here.
        """
        assert self._file is not None  # noqa: S101 - within an attempt
        block = self._drop_overlap(block)
        if self._stored + len(block) > self._largest:
            raise too_large(self._entry, self._stored + len(block), self._largest)
        try:
            self._file.write(block)
        except OSError as error:
            self._resumable = False
            raise disk_problem(self._part, error) from error
        self._stored += len(block)
        self._digest.update(block)
        self._tail = (self._tail + block)[-OVERLAP:]

    def _drop_overlap(self, block: bytes) -> bytes:
        """What remains of a block beyond the bytes that are here already."""
        again = len(self._awaited)
        if block[:again] != self._awaited[: len(block)]:
            self._resumable = False
            reason = phrase("sent-otherwise")
            raise ProblemError(problem("download-failed", file=self._entry.name, reason=reason))
        self._awaited = self._awaited[len(block) :]
        return block[again:]

    def keep(self, look: FileState) -> FetchedFile:
        """Give the file its final name: call it only when all of it is known to be there.

        Raises:
            ProblemError: disk.
        """
        assert self._file is not None  # noqa: S101 - within an attempt
        try:
            self._file.close()
            self._part.replace(self._final)
        except OSError as error:
            raise disk_problem(self._final, error) from error
        return FetchedFile(self._entry.name, self._final, self._stored, look.modified, self._digest.hexdigest())

    def _open(self) -> None:
        try:
            self._file = os.fdopen(open_private(self._part, "ab" if self._stored else "wb"), "ab")
        except OSError as error:
            raise disk_problem(self._part, error) from error

    def _close(self) -> None:
        try:
            if self._file is not None:
                self._file.close()
        except OSError:
            self._resumable = False  # what could not be written is missing in it
        finally:
            self._file = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._part.unlink(missing_ok=True)


def too_large(entry: Entry, size: int, largest: int) -> ProblemError:
    """The problem of a file that has more bytes than is allowed."""
    return PermanentError(problem("file-too-large", file=entry.name, size=size, limit=largest))


def disk_problem(path: Path, error: OSError) -> ProblemError:
    """The problem of a spool that cannot be written."""
    return ProblemError(unusable(path, error))
