"""What the dashboard is made of: its files, one answer with all that it shows at a glance, and what goes on now."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, StreamingResponse

from cpimportd.books.held import held_units
from cpimportd.books.overview import days, workbooks
from cpimportd.books.summary import summary as read_summary
from cpimportd.problems import ProblemError, problem
from cpimportd.web.daemon_view import FRESH, light
from cpimportd.web.languages import all_told
from cpimportd.web.place import Department, Here, Place, Spoken
from cpimportd.web.problem_details import RESPONSES

STATIC: Final = Path(str(files("cpimportd.web") / "static"))
"""The page's own files; it loads no others."""

_MOST_WATCHERS: Final = 16
_QUIET: Final = 15.0
"""Seconds of silence after which a stream says that it is still there: a proxy ends one that says nothing."""

router = APIRouter()
api = APIRouter(responses=RESPONSES)


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """The dashboard; it holds no data, and asks for a token where there is one."""
    return FileResponse(STATIC / "index.html")


@api.get("/import/overview", summary="Everything at a glance")
async def overview(here: Here, department: Department, language: Spoken) -> dict[str, Any]:
    """What the dashboard shows: traffic light, the last 30 days, what is held and why, workbooks, the summary."""
    now, zone = datetime.now(UTC), here.settings.zone
    stale_after = here.settings.source.stale_after
    async with here.books.reading() as connection:
        summary = await read_summary(connection, department)
        held = await held_units(connection, department)
        books = await workbooks(connection, department, now=now, stale_after=stale_after)
        month = await days(connection, department, today=now.astimezone(zone).date(), zone=zone)
    seen = await here.daemon.look()
    last = None if summary.last_run is None else summary.last_run.status
    return {
        "now": now.isoformat(),
        "timezone": here.settings.timezone,
        "department_id": department,
        "light": light(seen, held, books, last),
        "live": {**seen.as_json(), **({"held": [one.unit.name for one in held]} if seen.status else {})},
        "summary": summary.as_json(),
        "days": month,
        "held": [
            {**one.as_json(), "problems": all_told((found.as_json() for found in one.problems), language)}
            for one in held
        ],
        "files": books,
    }


@api.get("/import/events", summary="What goes on now, as server-sent events")
async def events(here: Here, request: Request) -> StreamingResponse:
    """A stream of ``status`` events, one whenever the daemon's status changes; a comment every 15 s otherwise."""
    if here.watchers >= _MOST_WATCHERS:
        raise ProblemError(problem("web-too-many", value=_MOST_WATCHERS))
    return StreamingResponse(_changes(here, request), media_type="text/event-stream")


async def _changes(here: Place, request: Request) -> AsyncIterator[str]:
    here.watchers += 1
    shown, quiet = "", 0.0
    try:
        while not here.stopping.is_set() and not await request.is_disconnected():
            seen = (await here.daemon.look()).as_json()
            line = json.dumps(seen, ensure_ascii=False)
            if line != shown:
                shown, quiet = line, 0.0
                yield f"event: status\ndata: {line}\n\n"
            elif quiet >= _QUIET:
                quiet = 0.0
                yield ": still here\n\n"
            try:
                await asyncio.wait_for(here.stopping.wait(), FRESH)
            except TimeoutError:
                quiet += FRESH
    finally:
        here.watchers -= 1
