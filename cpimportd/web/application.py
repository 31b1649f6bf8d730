"""The application: combines routes, errors and the guard; health and metrics for monitoring."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import APIRouter, Depends, FastAPI, Request, Security
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPBearer
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from cpimportd.config.settings import Database, Settings
from cpimportd.core.problems import ProblemError
from cpimportd.daemon.client import Client
from cpimportd.web import problem_details, routes_page, routes_runs
from cpimportd.web.daemon_view import DaemonView
from cpimportd.web.dependencies import BooksReader, Services, Shared, refuse_unknown
from cpimportd.web.guard import Guard
from cpimportd.web.methods import Methods

PREFIX: Final = "/api/v1/credit-portfolio"
_DAEMON_ANSWERS_WITHIN: Final = 10.0
_LOOK_SERVES: Final = 5.0
"""Seconds for which one look at the database serves all who ask, however many."""

routes = APIRouter(responses=problem_details.RESPONSES)
open_routes = APIRouter()
"""Without a token."""


def read_only_database(settings: Settings) -> Database:
    """The database for questions: ``web.database_url`` and its password where they are set, and a shorter patience."""
    web, usual = settings.web, settings.database
    own = web.database_url is not None
    return usual.model_copy(
        update={
            "url": web.database_url if own else usual.url,
            "direct_url": None,
            "password": web.database_password if own or web.database_password else usual.password,
            "statement_timeout": web.statement_timeout,
        }
    )


def make_services(settings: Settings) -> Services:
    """What the routes work with."""
    books = BooksReader(read_only_database(settings), settings.database.connect_timeout)
    jobs = {name: schedule.job for name, schedule in settings.schedules.items()}
    return Services(settings, books, DaemonView(Client(settings.state_directory, _DAEMON_ANSWERS_WITHIN), jobs))


def make_application(services: Services) -> ASGIApp:
    """Everything behind its guard, ready for a server."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await services.books.close()

    app = FastAPI(
        title="cpimportd",
        version="1",
        summary="The credit portfolio's import from 1C into PostgreSQL",
        # Pages that describe the interface would load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        dependencies=[Depends(refuse_unknown)],
    )
    app.state.services = services
    app.state.health = _Health(services.books)
    # It says in the description what the guard asks for; the guard has asked by then.
    known = [Security(HTTPBearer(auto_error=False, description="The token that web.token holds."))]
    for router in (routes_page.portfolio, routes_page.api):
        app.include_router(router, prefix=PREFIX, dependencies=known)
    app.include_router(routes_runs.router, prefix=f"{PREFIX}/import", dependencies=known)
    app.include_router(routes_runs.router, include_in_schema=False)
    app.include_router(routes, dependencies=known)
    app.include_router(open_routes)
    app.include_router(routes_page.router)
    app.mount("/static", StaticFiles(directory=routes_page.STATIC), name="static")
    problem_details.install(app)
    return Guard(Methods(app, app.routes), services.settings.web)


class _Health:
    """Asks the database for nothing, now and then.

    Args:
        books: the way there.
    """

    def __init__(self, books: BooksReader) -> None:
        self._books = books
        self._lock = asyncio.Lock()
        self._well = False
        self._at = float("-inf")

    async def well(self) -> bool:
        """Whether the database answers."""
        async with self._lock:
            if time.monotonic() - self._at > _LOOK_SERVES:
                try:
                    async with self._books.reading() as connection:
                        self._well = await connection.fetchval("SELECT true")
                except ProblemError:
                    self._well = False
                self._at = time.monotonic()
        return self._well


@open_routes.get("/healthz", summary="Whether all is well", responses={503: {"description": "The database is away."}})
async def healthz(request: Request) -> JSONResponse:
    """``ok`` or ``unwell``, and nothing else."""
    health: _Health = request.app.state.health
    well = await health.well()
    return JSONResponse({"status": "ok" if well else "unwell"}, 200 if well else 503)


@routes.get("/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
async def metrics(services: Shared) -> PlainTextResponse:
    """What ``cpimportd metrics`` prints, of this moment."""
    from prometheus_client import CONTENT_TYPE_LATEST  # noqa: PLC0415 - only a scrape needs it

    from cpimportd.books.publish.notices import readers  # noqa: PLC0415
    from cpimportd.notify.metrics import metrics_text  # noqa: PLC0415

    seen = await services.daemon.look()
    async with services.books.reading() as connection:
        told = readers(services.settings)
        text = await metrics_text(connection, services.settings.department_id, seen.status, told)
    return PlainTextResponse(text, media_type=CONTENT_TYPE_LATEST)
