"""The summary of a period: runs, changes per organization, problems, sums by month, age of the workbooks."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.books.reports.alerts import StoredCondition, wrong_now
from cpimportd.books.reports.health import latest_files
from cpimportd.core.model import Figure
from cpimportd.core.report import TERMS, Bridge, FileReport
from cpimportd.core.typed import json_keys

MONTHS = 12
_COUNTS = ("inserted", "updated", "removed", "retimed", "moved_in", "moved_out")


@dataclass(frozen=True, slots=True)
class PeriodRun:
    """One run of the period."""

    run: int
    status: str
    schedule: str | None
    started_at: datetime


@json_keys(
    "bridge",
    kind="bridge.kind",
    opening="bridge.opening",
    added="bridge.added",
    removed_sum="bridge.removed",
    changed="bridge.changed",
    closing="bridge.closing",
)
@dataclass(frozen=True, slots=True)
class PeriodChange:
    """What the publications of the period did to one organization's documents of one kind, and to their sum.

    Documents are counted in the rows of receipts and expenses; the others have sums alone.
    """

    organization: str
    bridge: Bridge
    inserted: int
    updated: int
    removed: int
    retimed: int
    moved_in: int
    moved_out: int


@dataclass(frozen=True, slots=True)
class Month:
    """Sums of the documents of one month, such as ``2026-11``; empty for documents without a date."""

    month: str
    receipts: Decimal
    expenses: Decimal
    principal: Decimal
    interest: Decimal


@json_keys("moved", "uploads", runs="outcomes", failed="failed", organizations="moved", files="files")
@dataclass(frozen=True, slots=True)
class Weekly:
    """What the period from ``since`` on brought."""

    since: datetime
    runs: tuple[PeriodRun, ...]
    moved: tuple[PeriodChange, ...]
    wrong: tuple[StoredCondition, ...]
    months: tuple[Month, ...]
    uploads: tuple[FileReport, ...]

    @property
    def failed(self) -> tuple[int, ...]:
        """The runs that published nothing because something went wrong."""
        return tuple(run.run for run in self.runs if run.status in {"failed", "abandoned"})

    @property
    def outcomes(self) -> dict[str, int]:
        """How many runs ended in which way."""
        return dict(Counter(run.status for run in self.runs).most_common())

    @property
    def files(self) -> list[dict[str, object]]:
        """The workbooks as scripts get them here."""
        return [{name: getattr(one, name) for name in ("name", "kind", "modified", "status")} for one in self.uploads]


async def weekly(connection: asyncpg.Connection, department_id: int, since: datetime, now: datetime) -> Weekly:
    """Read it, as it is at one moment.

    Args:
        connection: any, outside a transaction.
        department_id: whose books.
        since: when the period begins.
        now: in whose month the sums by month end.
    """
    first = now.year * 12 + now.month - MONTHS
    begin = datetime(first // 12, first % 12 + 1, 1).date()  # noqa: DTZ001 - the backend's dates have no zone
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        runs = await connection.fetch(sql("jobs", "runs"), department_id, since)
        moved = await connection.fetch(sql("jobs", "movements", recorded=sql("past", "recorded")), department_id, since)
        wrong = await wrong_now(connection, department_id)
        months = await connection.fetch(sql("jobs", "months"), department_id, begin)
        uploads = await latest_files(connection, department_id)
    return Weekly(
        since,
        tuple(PeriodRun(**dict(row)) for row in runs),
        tuple(map(_change, moved)),
        tuple(wrong),
        tuple(Month(**dict(row)) for row in months),
        uploads,
    )


def _change(row: asyncpg.Record) -> PeriodChange:
    terms = {name: row["removed_sum" if name == "removed" else name] for name in TERMS}
    return PeriodChange(
        row["organization"], Bridge(Figure(row["kind"]), **terms), **{name: row[name] for name in _COUNTS}
    )
