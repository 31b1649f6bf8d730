"""A few connections that may only read, for a process that answers many questions: the interface over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import asyncpg

from cpimportd.books.database.connection import close_quietly, connect
from cpimportd.books.database.failures import failures_as_problems
from cpimportd.books.schema.upgrade import require_current
from cpimportd.config.settings import Database
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import ProblemError, problem

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
