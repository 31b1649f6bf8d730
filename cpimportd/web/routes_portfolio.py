"""The predecessor's paths: ask for an import, the summary, the log of imports."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from cpimportd.books.overview import import_logs, month_sums
from cpimportd.books.summary import summary as read_summary
from cpimportd.web.place import Department, Here, Limit, Skip, bounded
from cpimportd.web.problem_details import RESPONSES

router = APIRouter(responses=RESPONSES)


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
async def summary(here: Here, department: Department) -> dict[str, Any]:
    """Sums over all rows of the department; strings with two decimals, added up without counting anything twice."""
    async with here.books.reading() as connection:
        found = await read_summary(connection, department)
    return {"department_id": department, **found.as_json()}


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
    return {"department_id": department, "months": [one.as_json() for one in found]}
