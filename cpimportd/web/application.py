"""The application: routes, errors and the guard put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import Depends, FastAPI, Security
from fastapi.security import HTTPBearer
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from cpimportd.books.reports.reader import BooksReader
from cpimportd.config.settings import Database, Settings
from cpimportd.daemon.client import Client
from cpimportd.web import health, problem_details, routes_metrics, routes_page, routes_portfolio, routes_runs
from cpimportd.web.daemon_view import DaemonView
from cpimportd.web.guard import Guard
from cpimportd.web.methods import Methods
from cpimportd.web.parameters import refuse_unknown
from cpimportd.web.place import Place

PREFIX: Final = "/api/v1/credit-portfolio"
_DAEMON_ANSWERS_WITHIN: Final = 10.0


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


def make_place(settings: Settings) -> Place:
    """What the routes work with."""
    books = BooksReader(read_only_database(settings), settings.database.connect_timeout)
    jobs = {name: schedule.job for name, schedule in settings.schedules.items()}
    return Place(settings, books, DaemonView(Client(settings.state_directory, _DAEMON_ANSWERS_WITHIN), jobs))


def make_application(place: Place) -> ASGIApp:
    """Everything behind its guard, ready for a server."""

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        yield
        await place.books.close()

    app = FastAPI(
        title="cpimportd",
        version="1",
        summary="The credit portfolio's import from 1C into PostgreSQL",
        # Pages that describe the interface would load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=living,
        dependencies=[Depends(refuse_unknown)],
    )
    app.state.place = place
    app.state.health = health.Health(place.books)
    # It says in the description what the guard asks for; the guard has asked by then.
    known = [Security(HTTPBearer(auto_error=False, description="The token that web.token holds."))]
    for router in (routes_portfolio.router, routes_page.api):
        app.include_router(router, prefix=PREFIX, dependencies=known)
    app.include_router(routes_runs.router, prefix=f"{PREFIX}/import", dependencies=known)
    app.include_router(routes_runs.router, include_in_schema=False)
    app.include_router(routes_metrics.router, dependencies=known)
    app.include_router(health.router)
    app.include_router(routes_page.router)
    app.mount("/static", StaticFiles(directory=routes_page.STATIC), name="static")
    problem_details.install(app)
    return Guard(Methods(app, app.routes), place.settings.web)
