"""Routes of the runs: the list, one run with its report, and its changes; and the status of the daemon."""

from collections.abc import Mapping
from contextlib import aclosing
from typing import Annotated, Any

import asyncpg
from fastapi import APIRouter, Path, Query

from cpimportd.books.journal.diff import diff as read_diff
from cpimportd.books.journal.diff import movements
from cpimportd.books.publish.held import held_units
from cpimportd.books.publish.notices import outstanding, readers
from cpimportd.books.reports.history import history as read_history
from cpimportd.books.reports.history import show
from cpimportd.books.reports.overview import department_of
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.texts.translation import Language
from cpimportd.core.typed import to_json
from cpimportd.render.fields import title_of
from cpimportd.web.dependencies import Department, Limit, RequestLanguage, Services, Shared, Skip, bounded
from cpimportd.web.problem_details import RESPONSES, all_in_language

router = APIRouter(responses=RESPONSES)

RunNumber = Annotated[int, Path(ge=1, lt=2**63, description="The run's number.")]
OfOrganization = Annotated[str | None, Query(max_length=255, description="Only this organization's documents.")]
Before = Annotated[int | None, Query(ge=1, lt=2**63, description="Only runs with a smaller number: the next page.")]


@router.get("/history", summary="The latest runs")
async def history(
    services: Shared, department: Department, limit: Limit = None, before: Before = None
) -> dict[str, Any]:
    """Runs, the newest first; units and documents are counted, detail lines are not."""
    number = bounded(services, limit, 20)
    async with services.books.reading() as connection:
        found = await read_history(connection, department_id=department, limit=number, before=before)
    return {"runs": to_json(found)}


@router.get("/status", summary="What the daemon does")
async def status(services: Shared) -> dict[str, Any]:
    """As ``cpimportd status --json`` prints it; ``daemon`` is false where none runs."""
    try:
        async with services.books.reading() as connection:
            held = [one.unit.name for one in await held_units(connection, services.settings.department_id)]
            untold = await outstanding(connection, services.settings.department_id, readers(services.settings))
    except ProblemError as error:
        return await services.daemon.told(None, error.problems[0])
    return await services.daemon.told(held, None, [one.explained(services.settings.zone) for one in untold])


@router.get("/runs/{run}", summary="One run and its report")
async def one_run(services: Shared, run: RunNumber, language: RequestLanguage) -> dict[str, Any]:
    """The run's line and its report; each problem has ``sentence`` and ``way_out`` in the language asked for."""
    async with services.books.reading() as connection:
        await _require_department(connection, run, services)
        shown = await show(connection, run)
    return {
        **to_json(shown.line),
        "report": None if shown.report is None else _report_in_language(shown.report, language),
    }


async def _require_department(connection: asyncpg.Connection, run: int, services: Services) -> None:
    if await department_of(connection, run) != services.settings.department_id:
        raise ProblemError(problem("web-not-found", value=phrase("the-run", run=run)))


def _report_in_language(report: Mapping[str, Any], language: Language) -> dict[str, Any]:
    parts = {
        name: [{**one, "problems": all_in_language(one["problems"], language)} for one in report[name]]
        for name in ("files", "units")
    }
    return {**report, **parts, "problems": all_in_language(report["problems"], language)}


@router.get("/runs/{run}/diff", summary="What a run made different")
async def diff(
    services: Shared, run: RunNumber, organization: OfOrganization = None, skip: Skip = 0, limit: Limit = None
) -> dict[str, Any]:
    """Documents added, removed and changed, field by field, with sums that agree with the run's bridges.

    ``documents`` is the page that was asked for, ``counts`` and ``sums`` are those of all of them.
    """
    number = bounded(services, limit)
    async with services.books.reading() as connection:
        await _require_department(connection, run, services)
        found = await read_diff(connection, run, organization=organization)
        async with aclosing(movements(connection, found, skip=skip, limit=number)) as documents:
            page = [one.titled(title_of) async for one in documents]
    return {**found.head(), "documents": page, "skip": skip, "total": found.total}
