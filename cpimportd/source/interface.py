"""The interface of every source of workbooks, and its types."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cpimportd.core.phrases import PhraseError, UnfitError
from cpimportd.core.problems import Problem, ProblemError


@dataclass(frozen=True, slots=True)
class FileState:
    """The state of a file at one moment.

    Attributes:
        size: bytes; None if the server does not say.
        modified: when it was last written, in UTC; None if the server does not say.
    """

    size: int | None
    modified: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A workbook in the source's folder.

    Attributes:
        name: as people read it.
        wire: the bytes by which the source itself calls it.
        look: what the listing showed of it.
    """

    name: str
    wire: bytes
    look: FileState


@dataclass(frozen=True, slots=True)
class Listing:
    """The workbooks of a folder, sorted by name, and what was refused."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...] = ()


class Session(Protocol):
    """One conversation with a source: one thing at a time.

    Every method raises ProblemError with a code of the catalog.
    """

    async def list(self) -> Listing:
        """The workbooks in the folder."""

    async def look(self, entry: Entry) -> FileState:
        """The file's current state."""

    async def download(self, entry: Entry, write: Callable[[bytes], None], start: int = 0) -> None:
        """Hand over the file's bytes in order, as many as come: the caller judges whether that was the whole file.

        Args:
            entry: which file.
            write: takes the bytes.
            start: how many bytes at its beginning are left out.

        Raises:
            InUseError: another program holds the file, most likely the one that writes it.
            NotResumedError: the source can only begin at the beginning; nothing was handed over.
        """


class Source(Protocol):
    """Where 1C uploads. A new kind of source is a class like this and a line in ``fetch.open_source``."""

    @property
    def label(self) -> str:
        """How problems name it."""

    @property
    def folder(self) -> str:
        """How problems name its folder."""

    def session(self) -> AbstractAsyncContextManager[Session]:
        """A conversation; waits while as many as allowed are under way. Raises ProblemError."""

    async def close(self) -> None:
        """End all conversations. Never raises."""


class FileTooLargeError(UnfitError):
    """An answer of the source is too large; ``str`` of this names it."""


class PermanentError(ProblemError):
    """A failure that trying again cannot cure, though others with its code may pass."""

    @property
    def passing(self) -> bool:
        """Never."""
        return False


class InUseError(PhraseError):
    """The file cannot be read because it is in use; ``str`` of this says how that was detected."""


class NotResumedError(PhraseError):
    """A download cannot be resumed; ``str`` of this says why."""
