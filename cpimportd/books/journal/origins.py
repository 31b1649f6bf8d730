"""The origin of a document's content: run, workbook, sheet, row, and the cell of each field."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.books.journal.states import State, Values, parse
from cpimportd.core.typed import json_keys


@dataclass(frozen=True, slots=True)
class Workbook:
    """A workbook that a run read.

    Attributes:
        run: the run that read it.
        sheet: the sheet that was read; None where an old version of ours read it.
        columns: field → letters of its column; empty likewise.
        sha256: of its bytes.
        modified: when it was uploaded, as far as the server tells.
        at: when that run was.
    """

    run: int
    file: str
    sheet: str | None
    columns: Mapping[str, str]
    sha256: str
    modified: datetime | None
    at: datetime


@json_keys(
    "workbook",
    run="workbook.run",
    run_at="workbook.at",
    file="workbook.file",
    sheet="workbook.sheet",
    cell="amount_cell",
)
@dataclass(frozen=True, slots=True)
class Place:
    """A row of a workbook's sheet."""

    workbook: Workbook
    row: int

    def cell(self, field: str) -> str | None:
        """The cell of a field, such as ``C17``; None where its column is not known."""
        letters = self.workbook.columns.get(_STAGED.get(field, field))
        return f"{letters}{self.row}" if letters else None

    @property
    def amount_cell(self) -> str | None:
        """The cell of its sum."""
        return self.cell("amount")


_STAGED = {"payment_amount": "amount"}
"""Fields of the backend's tables that workbooks' columns are listed under another name for."""


@json_keys("since", since_run="since")
@dataclass(frozen=True, slots=True)
class Origin:
    """Where a document's content came from.

    Attributes:
        since: the run that brought it so into the books; 0: it was there before our first run.
        document: the row of the document itself; None where nobody knows.
        lines: the rows of its detail lines, in file order; empty where it has none or nobody knows.
    """

    since: int | None
    document: Place | None
    lines: tuple[Place, ...] = ()


UNKNOWN = Origin(None, None)


class Origins:
    """Looks up where documents came from; each workbook is asked for once."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._books: dict[int, Workbook] = {}

    async def load(self, lineages: Iterable[Values | None]) -> None:
        """Fetch the workbooks that rows of lineage name."""
        wanted = {
            number
            for lineage in lineages
            if lineage is not None
            for number in (lineage.get("snapshot_id"), lineage.get("detail_snapshot_id"))
            if number is not None
        } - self._books.keys()
        if not wanted:
            return
        for row in await self._connection.fetch(sql("past", "snapshots"), sorted(wanted)):
            self._books[row["id"]] = Workbook(
                row["run_id"], row["file"], row["sheet"], parse(row["columns"]) or {}, row["sha256"], row["modified"],
                row["at"],
            )  # fmt: skip

    def of(self, lineage: Values | None) -> Origin:
        """Where the content came from that had this row of lineage, once it is loaded."""
        if lineage is None:
            return UNKNOWN
        details = self._books.get(lineage.get("detail_snapshot_id") or 0)
        document = self._books.get(lineage.get("snapshot_id") or 0)
        rows = lineage.get("detail_rows") or ()
        return Origin(
            lineage.get("last_run"),
            None if document is None else Place(document, lineage["source_row"]),
            tuple(Place(details, row) for row in rows) if details is not None else (),
        )

    def place(self, snapshot_id: int | None, row: int | None) -> Place | None:
        """A row of a workbook that is loaded; None where either is not known."""
        book = self._books.get(snapshot_id or 0)
        return None if book is None or row is None else Place(book, row)

    async def of_states(self, states: Iterable[State | None]) -> None:
        """Fetch the workbooks of states."""
        await self.load(state.lineage for state in states if state is not None)
