"""A workbook at each stage: fetched or missed, read and understood, and recorded by an earlier run."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec

from cpimportd.core.folding import fold
from cpimportd.core.model import MAIN_AMOUNT, Document, Kind
from cpimportd.core.problems import Problem
from cpimportd.core.typed import Instant


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A workbook that lies whole in the spool.

    Attributes:
        name: the name that the server gave it.
        size: bytes.
        modified: when the server says it was last written; None where it does not say.
        sha256: of the bytes as they lie.
    """

    name: str
    path: Path
    size: int
    modified: datetime | None
    sha256: str


@dataclass(frozen=True, slots=True)
class MissedFile:
    """A workbook that the source listed and that was not fetched.

    Attributes:
        name: as the server has it; of one whose name was refused, as it may be shown.
        why: it did not come.
        modified: when the server says it was last written; None where it does not say, or nobody asked.
    """

    name: str
    why: Problem
    modified: datetime | None = None


class Content(NamedTuple):
    """What is in a workbook, whatever it is called.

    Attributes:
        digest: of the content, by the version of the reader that took it; "" where it could not be read.
        sha256: of its bytes.
    """

    digest: str
    sha256: str

    def among(self, others: Collection["Content"]) -> bool:
        """Whether it is one of these, by its digest, or by its bytes, which another version of the reader read."""
        return any((self.digest and self.digest == one.digest) or self.sha256 == one.sha256 for one in others)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One workbook, read and understood.

    Attributes:
        file_no: its place among today's files, from 0; the first column of its staged rows.
        digest: of the content: every part less ``docProps``, and the reader's version; "" where it could not be read.
        kind: by header, else by name; None where neither speaks.
        documents: the keys of the understood rows, in file order.
        control_totals: per amount column (its title in the workbook), what the ``Итого`` row says.
        sums: per amount column, the sum over the understood rows.
        total_row: where the ``Итого`` row stands; None where there is none, or nothing was read.
        problems: everything that was noticed while reading, rejects and warnings included.
        rows_path: the understood rows in PostgreSQL's COPY text format, columns as in STAGED_COLUMNS.
        unchanged: the content is what was published last time, so nothing was read beyond the digest.
        engine: what read it: ``calamine``, ``expat`` (our second engine), ``xlrd`` or ``xlsb`` (our own reader).
        rejected: how many rows were not understood; not all of them need have a problem of their own.
        columns: field → letters of the column that it came from.
    """

    file: FetchedFile
    file_no: int
    digest: str = ""
    kind: Kind | None = None
    documents: Sequence[Document] = ()
    control_totals: Mapping[str, Decimal] = field(default_factory=dict)
    sums: Mapping[str, Decimal] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    rows_path: Path | None = None
    unchanged: bool = False
    engine: str = ""
    rejected: int = 0
    sheet: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    total_row: int | None = None

    @property
    def content(self) -> Content:
        """What is in it."""
        return Content(self.digest, self.file.sha256)

    @property
    def main_title(self) -> str:
        """The main amount column's title as this workbook writes it; the one that 1C gives it where it has none.

        Raises:
            ValueError: nobody knows the kind.
        """
        if self.kind is None:
            raise ValueError("a file of unknown kind has no main column")
        expected = MAIN_AMOUNT[self.kind]
        return next((title for title in self.control_totals if fold(title) == fold(expected)), expected)

    @property
    def main_total(self) -> Decimal | None:
        """The control total of the main amount column; None where it is missing or the kind is unknown."""
        return None if self.kind is None else self.control_totals.get(self.main_title)


@dataclass(frozen=True, slots=True)
class Served:
    """One line of memory: from which file the books serve an organization's documents of one kind.

    Attributes:
        organization: whose they are.
        file: the file's name when it was published.
        digest: of its content.
        sha256: of its bytes.
        rows: how many of the organization's rows it held.
        control_total: its ``Итого`` for the main amount column.
        whole: whether it serves every organization whose documents it holds; not where one of them is held.
    """

    kind: Kind
    organization: str
    file: str
    digest: str
    sha256: str
    rows: int
    control_total: Decimal
    whole: bool = True


class SeenWorkbook(msgspec.Struct, frozen=True):
    """A workbook as a run saw it on the server.

    What else somebody knows of it stands in a class of his own that builds on this one: a run its rows and problems
    (:class:`cpimportd.core.report.FileReport`), the daemon when it saw it (:class:`cpimportd.daemon.store.Upload`).

    Attributes:
        name: as the server has it.
        kind: receipts, expenses or details; None where nothing tells.
        organizations: whose documents it holds, as far as it could be read.
        modified: when it was uploaded, by the server's clock; None where the server does not tell.
        status: how it fared, see :class:`cpimportd.core.report.FileStatus`.
    """

    name: str
    kind: str | None
    organizations: tuple[str, ...]
    modified: Instant | None
    status: str
