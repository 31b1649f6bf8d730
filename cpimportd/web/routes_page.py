"""Routes of the dashboard: its files, the overview, live events, and the predecessor's paths."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BeforeValidator
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from cpimportd.books.journal.memory import Period
from cpimportd.books.publish.held import held_units
from cpimportd.books.reports.overview import days, import_logs, month_sums, workbooks
from cpimportd.books.reports.overview import summary as read_summary
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.typed import to_json
from cpimportd.web.daemon_view import FRESH, traffic_light
from cpimportd.web.dependencies import Department, Limit, RequestLanguage, Services, Shared, Skip, bounded
from cpimportd.web.problem_details import RESPONSES, all_in_language, response

STATIC: Final = Path(str(files("cpimportd.web") / "static"))
"""The page's own files; it loads no others."""

MAX_WATCHERS: Final = 16
_QUIET: Final = 15.0
"""Seconds of silence after which a stream says that it is still there: a proxy ends one that says nothing."""
_AS_IT_COMES: Final = {"X-Accel-Buffering": "no", "Cache-Control": "no-store, no-transform"}
"""To proxies: nginx would collect a stream, others would compress it, and so hold it back."""

router = APIRouter()
api = APIRouter(responses=RESPONSES)
portfolio = APIRouter(responses=RESPONSES)
"""The predecessor's: ask for an import, the summary, the log of imports."""

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


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """The dashboard; it holds no data, and asks for a token where there is one."""
    return FileResponse(STATIC / "index.html")


@api.get("/import/overview", summary="Everything at a glance")
async def overview(services: Shared, department: Department, language: RequestLanguage) -> dict[str, Any]:
    """What the dashboard shows: traffic light, the last 30 days, what is held and why, workbooks, the summary."""
    now, zone = datetime.now(UTC), services.settings.zone
    stale_after = services.settings.source.stale_after
    async with services.books.reading() as connection:
        summary = await read_summary(connection, department)
        held = await held_units(connection, department)
        books = await workbooks(connection, department, now=now, stale_after=stale_after)
        month = await days(connection, department, today=now.astimezone(zone).date(), zone=zone)
    seen = await services.daemon.look()
    last = None if summary.last_run is None else summary.last_run.status
    return {
        "now": now.isoformat(),
        "timezone": services.settings.timezone,
        "department_id": department,
        "light": traffic_light(seen, held, books, last),
        "live": {**seen.live, **({"held": [one.unit.name for one in held]} if seen.status else {})},
        "summary": to_json(summary),
        "days": month,
        "held": [{**to_json(one), "problems": all_in_language(to_json(one.problems), language)} for one in held],
        "files": books,
    }


class _Events(StreamingResponse):
    """A stream of ``status`` events, or a refusal where there are enough of them.

    A place is taken when the answer begins and given back when it ends, however it ends.

    Args:
        services: the place.
    """

    media_type = "text/event-stream"

    def __init__(self, services: Services) -> None:
        super().__init__(_changes(services), headers=_AS_IT_COMES)
        self._here = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if self._here.watchers >= MAX_WATCHERS:
            refused = response(Request(scope), problem("web-too-many", value=MAX_WATCHERS))
            await refused(scope, receive, send)
            return
        self._here.watchers += 1  # nothing is awaited in between
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._here.watchers -= 1


async def _changes(services: Services) -> AsyncIterator[str]:
    """One event whenever the daemon's status changes; starlette breaks it off when the watcher goes."""
    shown, quiet = "", 0.0
    while not services.stopping.is_set():
        seen = (await services.daemon.look()).live
        line = json.dumps(seen, ensure_ascii=False)
        if line != shown:
            shown, quiet = line, 0.0
            yield f"event: status\ndata: {line}\n\n"
        elif quiet >= _QUIET:
            quiet = 0.0
            yield ": still here\n\n"
        try:
            await asyncio.wait_for(services.stopping.wait(), FRESH)
        except TimeoutError:
            quiet += FRESH


@api.get("/import/events", summary="What goes on now, as server-sent events", response_class=StreamingResponse)
async def events(services: Shared) -> _Events:
    """A stream of ``status`` events, one whenever the daemon's status changes; a comment every 15 s otherwise."""
    return _Events(services)


@portfolio.post("/import/trigger", status_code=202, summary="Import now")
async def trigger(services: Shared, department: Department) -> dict[str, Any]:
    """Ask the daemon for an import, and return when it has counted that.

    While a run is under way, one more follows it, however often it is asked for (``queued``). 503 where no daemon runs.
    """
    before = await services.daemon.look()
    await services.daemon.trigger()
    after = await services.daemon.look()
    return {
        "status": "accepted",
        "department_id": department,
        "queued": before.running is not None,
        "daemon": None if after.status is None else after.status["status"],
    }


@portfolio.get("/summary", summary="The books in a few figures")
async def summary(
    services: Shared, department: Department, date_from: DateFrom = None, date_to: DateTo = None
) -> dict[str, Any]:
    """Sums over the department's documents of these days, or over all of them where no day is given.

    By the document's own date, both days included; a detail line has the date of its expense, and what has no date
    is in no period. Sums are strings with two decimals, added up without counting anything twice;
    ``total_principal``, ``total_interest`` and ``active_contracts_count`` are the backend's names for ``principal``,
    ``interest`` and ``active_contracts``. Contracts and runs are told as they are now.
    """
    if date_from is not None and date_to is not None and date_from > date_to:
        raise ProblemError(problem("web-request", reason=phrase("dates-reversed", first=date_from, last=date_to)))
    async with services.books.reading() as connection:
        found = await read_summary(connection, department, Period(date_from, date_to))
    return {"department_id": department, **to_json(found)}


@portfolio.get("/import-logs", summary="The backend's log of imports, by its other name")
@portfolio.get("/import/logs", summary="The backend's log of imports")
async def logs(services: Shared, department: Department, skip: Skip = 0, limit: Limit = None) -> list[dict[str, Any]]:
    """Rows of ``fin_import_logs``, one per workbook and run, the latest first."""
    number = bounded(services, limit)
    async with services.books.reading() as connection:
        return await import_logs(connection, department, skip=skip, limit=number)


@portfolio.get("/import/months", summary="Principal and interest by month")
async def by_month(
    services: Shared,
    department: Department,
    months: Annotated[int, Query(ge=1, le=240, description="Back from the month of the latest expense.")] = 24,
) -> dict[str, Any]:
    """What each organization paid in each month: principal and interest by the payment type of the detail lines."""
    async with services.books.reading() as connection:
        found = await month_sums(connection, department, months)
    return {"department_id": department, "months": to_json(found)}
