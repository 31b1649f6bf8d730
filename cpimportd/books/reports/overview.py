"""The overview for the dashboard: runs day by day, held units with reasons, workbooks, sums by month."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import asyncpg

from cpimportd.books.database.queries import at_one_moment, sql
from cpimportd.books.journal import memory
from cpimportd.books.journal.memory import EVER, Period
from cpimportd.books.reports.history import RunLine, history
from cpimportd.core.formatting import money
from cpimportd.core.model import PUBLISHED, Kind
from cpimportd.core.report import KindTotal
from cpimportd.core.typed import json_keys, to_json


@dataclass(frozen=True, slots=True)
class MonthSum:
    """What was paid in one month by one organization; ``month`` is ``2024-05``, None where no date is known."""

    organization: str
    month: str | None
    principal: Decimal
    interest: Decimal


async def workbooks(
    connection: asyncpg.Connection, department_id: int, *, now: datetime, stale_after: timedelta
) -> list[dict[str, object]]:
    """Each workbook as it was last read, and whether 1C should have uploaded it anew since."""
    found = []
    for row in await connection.fetch(sql("overview", "files", looked=sql("recent", "looked")), department_id):
        modified = row["modified"]
        stale = modified is not None and now - modified > stale_after
        total = None if row["control_total"] is None else money(row["control_total"])
        found.append(to_json({**dict(row), "control_total": total, "stale": stale}))
    return found


async def days(
    connection: asyncpg.Connection, department_id: int, *, today: date, zone: ZoneInfo, count: int = 30
) -> list[dict[str, object]]:
    """The last ``count`` days of a zone with their runs, the oldest first; a day without a run is there, too."""
    first = today - timedelta(days=count - 1)
    begin = datetime(first.year, first.month, first.day, tzinfo=zone)
    by_day: dict[date, list[dict[str, object]]] = {first + timedelta(days=n): [] for n in range(count)}
    rows = await connection.fetch(sql("overview", "runs_since", seconds=sql("runs", "seconds")), department_id, begin)
    for row in reversed(rows):
        if (day := by_day.get(row["started_at"].astimezone(zone).date())) is not None:
            day.append(to_json(dict(row)))
    return [{"day": day.isoformat(), "runs": runs} for day, runs in by_day.items()]


async def month_sums(connection: asyncpg.Connection, department_id: int, months: int) -> list[MonthSum]:
    """Principal and interest of so many months, up to that of the latest expense, by organization."""
    last: date | None = await connection.fetchval(sql("overview", "last_month"), department_id)
    if last is None:
        return []
    year, month = divmod(last.year * 12 + last.month - months, 12)
    rows = await connection.fetch(sql("overview", "months"), department_id, date(max(year, 1), month + 1, 1))
    return [MonthSum(**dict(row)) for row in rows]


async def import_logs(
    connection: asyncpg.Connection, department_id: int, *, skip: int, limit: int
) -> list[dict[str, object]]:
    """A page of the backend's log of imports, the latest first."""
    found = []
    for row in await connection.fetch(sql("overview", "import_logs"), department_id, skip, limit):
        seconds = row["processing_time_seconds"]
        number = None if seconds is None else float(seconds)
        found.append(to_json({**dict(row), "processing_time_seconds": number}))
    return found


async def department_of(connection: asyncpg.Connection, run: int) -> int | None:
    """Whose books a run filled; None where there is no such run."""
    number: int | None = await connection.fetchval(sql("overview", "department_of"), run)
    return number


_RUNS: Final = """
    SELECT id, status, accepted, report->'units' AS units, report->'files' AS files FROM cpimportd.runs
    WHERE department_id = $1 AND id = ANY ($2::bigint[])
"""

Closings = Mapping[tuple[str, Kind], Decimal]


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run that is over.

    Attributes:
        units: of each unit by name, whether it was held, and the codes of its problems; empty where the run left none.
        held_files: workbooks that were held, by name.
    """

    run: int
    status: str
    accepted: tuple[str, ...]
    units: Mapping[str, tuple[bool, tuple[str, ...]]]
    held_files: frozenset[str] = frozenset()


async def past_runs(
    connection: asyncpg.Connection, department_id: int, numbers: Collection[int]
) -> Mapping[int, PastRun]:
    """These runs by number; those that the database does not know are left out."""
    rows = await connection.fetch(_RUNS, department_id, list(numbers))
    return {row["id"]: _past(row) for row in rows}


def _past(row: asyncpg.Record) -> PastRun:
    units = json.loads(row["units"]) if row["units"] else []
    return PastRun(
        row["id"],
        row["status"],
        tuple(row["accepted"]),
        {
            unit["unit"]: (unit["status"] == "held", tuple(found["code"] for found in unit["problems"]))
            for unit in units
        },
        frozenset(file["name"] for file in json.loads(row["files"] or "[]") if file["status"] == "held"),
    )


async def closings(connection: asyncpg.Connection, department_id: int, run: int) -> Closings:
    """What the books held of each organization and kind when a run had ended."""
    rows = await connection.fetch(sql("past", "closings", recorded=sql("past", "recorded")), department_id, run)
    return {(row["organization"], Kind(row["kind"])): row["closing"] for row in rows}


@dataclass(frozen=True, slots=True)
class CurrencyTotals:
    """Receipts and expenses in one currency; "" where the backend's rows name none."""

    currency: str
    receipts: Decimal
    expenses: Decimal


@json_keys(
    "period", date_from="period.first", date_to="period.last", total_receipts="total_receipts",
    total_expenses="total_expenses", net_balance="net_balance", total_principal="principal", total_interest="interest",
    active_contracts_count="active_contracts", currencies="by_currency",
)  # fmt: skip
@dataclass(frozen=True, slots=True)
class Summary:
    """The department's books; every sum is over all rows, in whatever currency they are (``currencies`` tells).

    Attributes:
        period: which documents are counted; contracts and runs are told as they are now, whatever the period.
        principal: of the detail lines with payment type ``Погашение долга``.
        interest: of those with ``Уплата процентов``.
        other: of all others; the three add up to the details.
        active_contracts: contracts with ``is_active``.
        unconfirmed: expenses that the bank's statement does not confirm; they are among the expenses.
        last_run: the latest run, whatever came of it; None before the first.
        last_published: the latest run that published something.
    """

    documents: Mapping[Kind, KindTotal]
    principal: Decimal
    interest: Decimal
    other: Decimal
    active_contracts: int
    unconfirmed: KindTotal
    currencies: tuple[CurrencyTotals, ...]
    last_run: RunLine | None
    last_published: RunLine | None
    period: Period = EVER

    @property
    def total_receipts(self) -> Decimal:
        """Sum of all receipts."""
        return self.documents[Kind.RECEIPTS].sum

    @property
    def total_expenses(self) -> Decimal:
        """Sum of all expenses."""
        return self.documents[Kind.EXPENSES].sum

    @property
    def net_balance(self) -> Decimal:
        """Receipts less expenses."""
        return self.total_receipts - self.total_expenses

    @property
    def by_currency(self) -> dict[str, dict[str, str]]:
        """Receipts and expenses of each currency, as scripts get them."""
        return {
            one.currency: {"receipts": money(one.receipts), "expenses": money(one.expenses)} for one in self.currencies
        }


async def summary(connection: asyncpg.Connection, department_id: int, period: Period = EVER) -> Summary:
    """Add up the department's books as they are at one moment.

    Args:
        connection: any; outside a transaction one is opened, so that all figures belong together.
        department_id: whose books.
        period: only documents of these days.
    """
    async with at_one_moment(connection):
        totals = await memory.totals(connection, department_id, period)
        unconfirmed = await connection.fetchrow(sql("memory", "unconfirmed"), department_id, *period)
        currencies = await connection.fetch(sql("memory", "currencies"), department_id, *period)
        return Summary(
            documents=totals.kinds,
            principal=totals.principal,
            interest=totals.interest,
            other=totals.other,
            active_contracts=await connection.fetchval(
                "SELECT count(*)::int FROM fin_contracts WHERE department_id = $1 AND is_active", department_id
            ),
            unconfirmed=KindTotal(unconfirmed["rows"], unconfirmed["total"]),
            currencies=tuple(CurrencyTotals(**dict(row)) for row in currencies),
            last_run=await _latest(connection, department_id),
            last_published=await _latest(connection, department_id, published=True),
            period=period,
        )


async def _latest(connection: asyncpg.Connection, department_id: int, *, published: bool = False) -> RunLine | None:
    lines = await history(connection, department_id=department_id, limit=1, statuses=PUBLISHED if published else None)
    return lines[0] if lines else None
