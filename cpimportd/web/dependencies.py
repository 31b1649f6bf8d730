"""The dependencies of all routes: the settings, the books, the daemon, and the common checks of requests."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Final

import asyncpg
from fastapi import Depends, Query, Request

from cpimportd.books.database.connection import close_quietly, connect
from cpimportd.books.database.failures import failures_as_problems
from cpimportd.books.schema.upgrade import require_current
from cpimportd.config.settings import Database, Settings
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.texts.translation import Language
from cpimportd.web.daemon_view import DaemonView
from cpimportd.web.problem_details import language_of

_AT_ONCE: Final = 4
_IDLE: Final = 60.0
"""Seconds after which a connection that nobody needs is closed."""


class BooksReader:
    """Opens connections when they are needed, keeps them for a while, and lets nothing be written through them.

    Every session begins with ``default_transaction_read_only``, and every question is a transaction that is READ ONLY
    itself: also where a pooler refused the first, and whatever the role might do.

    Args:
        database: url, password and timeouts.
        timeout: how long a question waits for a connection to become free.
    """

    def __init__(self, database: Database, timeout: timedelta) -> None:
        self._database = database
        self._timeout = timeout.total_seconds()
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    async def _connect(self, *_: object, **__: object) -> asyncpg.Connection:
        connection = await connect(self._database, application_name="cpimportd web", read_only=True)
        try:
            await require_current(connection)
        except BaseException:
            await close_quietly(connection)
            raise
        return connection

    async def _opened(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                options: dict[str, Any] = {"min_size": 0, "max_size": _AT_ONCE, "connect": self._connect}
                self._pool = await asyncpg.create_pool(max_inactive_connection_lifetime=_IDLE, **options)
        return self._pool

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection for one question; all that it reads is of one moment.

        Raises:
            ProblemError: the database is away, not ready, busy, or refuses.
        """
        with failures_as_problems():
            try:
                pool = await self._opened()
                async with (
                    pool.acquire(timeout=self._timeout) as connection,
                    connection.transaction(isolation="repeatable_read", readonly=True),
                ):
                    milliseconds = round(self._database.statement_timeout.total_seconds() * 1000)
                    await connection.execute(f"SET LOCAL statement_timeout = {milliseconds}")
                    yield connection
            except TimeoutError as error:
                reason = phrase("no-connection-free")
                raise ProblemError(problem("database-unreachable", reason=reason)) from error

    async def close(self) -> None:
        """Close all connections; questions under way are broken off."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None


@dataclass
class Services:
    """Made once, when the process starts.

    Attributes:
        settings: the configuration.
        books: connections that may only read.
        daemon: the way to the daemon.
        stopping: set when the process is about to end, so that streams end first.
        watchers: how many streams are open.
    """

    settings: Settings
    books: BooksReader
    daemon: DaemonView
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    watchers: int = 0


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Shared = Annotated[Services, Depends(_services)]
"""The services, as a parameter of a route."""

RequestLanguage = Annotated[Language, Depends(language_of)]
"""The language that the client asks for."""


def _department(
    services: Shared,
    department_id: Annotated[int | None, Query(ge=1, lt=2**31, description="Ours, or none.")] = None,
) -> int:
    ours = services.settings.department_id
    if department_id not in {None, ours}:
        raise ProblemError(problem("web-not-found", value=phrase("department", department=department_id)))
    return ours


Department = Annotated[int, Depends(_department)]
"""The department; a request that names another one than ours is refused."""

Skip = Annotated[int, Query(ge=0, le=10_000_000, description="How many entries to leave out at the beginning.")]
Limit = Annotated[int | None, Query(ge=1, le=10_000, description="How many entries; web.page_limit is the most.")]


def bounded(services: Services, limit: int | None, usual: int = 100) -> int:
    """How many entries to give: as many as asked for, where web.page_limit allows it.

    Raises:
        ProblemError: ``web-request``: more are asked for.
    """
    most = services.settings.web.page_limit
    if limit is None:
        return min(usual, most)
    if limit > most:
        raise ProblemError(problem("web-request", reason=phrase("limit-too-large", limit=limit, most=most)))
    return limit


def refuse_unknown(request: Request) -> None:
    """Check, before any route runs, that each query parameter is known and given once.

    An answer that leaves a filter out looks just like one that has it.

    Raises:
        ProblemError: ``web-request``.
    """
    if not request.query_params:
        return
    known = sorted(set(_known(request.scope["route"].dependant)))
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            reason = phrase("no-such-parameter" if known else "no-parameters", name=name, known=known)
            raise ProblemError(problem("web-request", reason=reason))
        if name in seen:
            raise ProblemError(problem("web-request", reason=phrase("parameter-twice", name=name)))
        seen.add(name)


def _known(dependant: Any) -> Iterator[str]:  # noqa: ANN401 - FastAPI does not export its type
    """The names of a route's query parameters, its dependencies' included."""
    yield from (field.alias for field in dependant.query_params)
    for one in dependant.dependencies:
        yield from _known(one)
