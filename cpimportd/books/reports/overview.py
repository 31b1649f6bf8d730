"""What a page for people shows at a glance: runs day by day, what is held and why, workbooks, sums by month."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.core.typed import money


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
        moments = {name: row[name] and row[name].isoformat() for name in ("modified", "read_at", "good_at")}
        total = row["control_total"]
        found.append({**dict(row), **moments, "control_total": None if total is None else money(total), "stale": stale})
    return found


async def days(
    connection: asyncpg.Connection, department_id: int, *, today: date, zone: ZoneInfo, count: int = 30
) -> list[dict[str, object]]:
    """The last days with their runs, the oldest first; a day without a run is there too.

    Args:
        connection: any.
        department_id: whose books.
        today: the last day.
        zone: in which days begin.
        count: how many days.
    """
    first = today - timedelta(days=count - 1)
    begin = datetime(first.year, first.month, first.day, tzinfo=zone)
    by_day: dict[date, list[dict[str, object]]] = {first + timedelta(days=n): [] for n in range(count)}
    rows = await connection.fetch(sql("overview", "runs_since", seconds=sql("runs", "seconds")), department_id, begin)
    for row in reversed(rows):
        moments = {name: row[name] and row[name].isoformat() for name in ("started_at", "finished_at")}
        day = by_day.get(row["started_at"].astimezone(zone).date())
        if day is not None:
            day.append({**dict(row), **moments})
    return [{"day": day.isoformat(), "runs": runs} for day, runs in by_day.items()]


async def month_sums(connection: asyncpg.Connection, department_id: int, months: int) -> list[MonthSum]:
    """Principal and interest of the last months up to the latest expense, by organization.

    Args:
        connection: any.
        department_id: whose books.
        months: how many, counted back from the month of the latest expense.
    """
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
        moment = row["import_date"].isoformat()
        number = None if seconds is None else float(seconds)
        found.append({**dict(row), "import_date": moment, "processing_time_seconds": number})
    return found


async def department_of(connection: asyncpg.Connection, run: int) -> int | None:
    """Whose books a run filled; None where there is no such run."""
    number: int | None = await connection.fetchval(sql("overview", "department_of"), run)
    return number
