"""The predecessor's paths: ask for an import, the summary, the log of imports."""

import re
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import BeforeValidator

from cpimportd.books.journal.period import Period
from cpimportd.books.reports.overview import import_logs, month_sums
from cpimportd.books.reports.summary import summary as read_summary
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.typed import to_json
from cpimportd.web.place import Department, Here, Limit, Skip, bounded
from cpimportd.web.problem_details import RESPONSES

router = APIRouter(responses=RESPONSES)

_ISO_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _day(text: object) -> object:
    """Nothing but ``2024-05-31``: pydantic would take a number for seconds since 1970."""
    if not isinstance(text, str) or not _ISO_DAY.fullmatch(text):
        raise ValueError("expected a date such as 2024-05-31")
    return text


DateFrom = Annotated[
    date | None, BeforeValidator(_day), Query(description="Only documents of this day or later, as 2024-05-01.")
]
DateTo = Annotated[
    date | None, BeforeValidator(_day), Query(description="Only documents of this day or earlier, as 2024-05-31.")
]


@router.post("/import/trigger", status_code=202, summary="Import now")
async def trigger(here: Here, department: Department) -> dict[str, Any]:
    """Ask the daemon for an import, and return when it has counted that.

    While a run is under way, one more follows it, however often it is asked for (``queued``). 503 where no daemon runs.
    """
    before = await here.daemon.look()
    await here.daemon.trigger()
    after = await here.daemon.look()
    return {
        "status": "accepted",
        "department_id": department,
        "queued": before.running is not None,
        "daemon": None if after.status is None else after.status["status"],
    }


@router.get("/summary", summary="The books in a few figures")
async def summary(
    here: Here, department: Department, date_from: DateFrom = None, date_to: DateTo = None
) -> dict[str, Any]:
    """Sums over the department's documents of these days, or over all of them where no day is given.

    By the document's own date, both days included; a detail line has the date of its expense, and what has no date
    is in no period. Sums are strings with two decimals, added up without counting anything twice;
    ``total_principal``, ``total_interest`` and ``active_contracts_count`` are the backend's names for ``principal``,
    ``interest`` and ``active_contracts``. Contracts and runs are told as they are now.
    """
    if date_from is not None and date_to is not None and date_from > date_to:
        raise ProblemError(problem("web-request", reason=f"date_from: {date_from} is after date_to, {date_to}"))
    async with here.books.reading() as connection:
        found = await read_summary(connection, department, Period(date_from, date_to))
    return {"department_id": department, **to_json(found)}


@router.get("/import-logs", summary="The backend's log of imports, by its other name")
@router.get("/import/logs", summary="The backend's log of imports")
async def logs(here: Here, department: Department, skip: Skip = 0, limit: Limit = None) -> list[dict[str, Any]]:
    """Rows of ``fin_import_logs``, one per workbook and run, the latest first."""
    number = bounded(here, limit)
    async with here.books.reading() as connection:
        return await import_logs(connection, department, skip=skip, limit=number)


@router.get("/import/months", summary="Principal and interest by month")
async def by_month(
    here: Here,
    department: Department,
    months: Annotated[int, Query(ge=1, le=240, description="Back from the month of the latest expense.")] = 24,
) -> dict[str, Any]:
    """What each organization paid in each month: principal and interest by the payment type of the detail lines."""
    async with here.books.reading() as connection:
        found = await month_sums(connection, department, months)
    return {"department_id": department, "months": to_json(found)}
