"""What the dashboard is made of: its files, one answer with all that it shows at a glance, and what goes on now."""

from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import FileResponse, StreamingResponse

from cpimportd.books.publish.held import held_units
from cpimportd.books.reports.overview import days, workbooks
from cpimportd.books.reports.summary import summary as read_summary
from cpimportd.core.typed import to_json
from cpimportd.web.daemon_view import light
from cpimportd.web.events import Events
from cpimportd.web.languages import all_told
from cpimportd.web.place import Department, Here, Spoken
from cpimportd.web.problem_details import RESPONSES

STATIC: Final = Path(str(files("cpimportd.web") / "static"))
"""The page's own files; it loads no others."""

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
        "live": {**seen.live, **({"held": [one.unit.name for one in held]} if seen.status else {})},
        "summary": to_json(summary),
        "days": month,
        "held": [{**to_json(one), "problems": all_told(to_json(one.problems), language)} for one in held],
        "files": books,
    }


@api.get("/import/events", summary="What goes on now, as server-sent events", response_class=StreamingResponse)
async def events(here: Here) -> Events:
    """A stream of ``status`` events, one whenever the daemon's status changes; a comment every 15 s otherwise."""
    return Events(here)
