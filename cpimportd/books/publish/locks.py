"""The locks of the publishing transaction; whoever keeps us waiting for one is named."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.books.publish import runs
from cpimportd.books.schema.rights import check_tables
from cpimportd.core.model import BACKEND_TABLES
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.waiting import Wait, Waiting, silence, waiting

LOCK_TRIES: Final = 3
"""How often a lock held by somebody else is waited for, each time as long as database.lock_timeout."""


@asynccontextmanager
async def naming_holders(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Do something on a connection, outside any transaction; where a lock does not come, say who holds it.

    Raises:
        ProblemError: ``database-locked``.
    """
    try:
        yield
    except asyncpg.LockNotAvailableError as error:
        holders = None
        if not connection.is_closed() and not connection.is_in_transaction():
            holders = await _holders(connection)
        reason = holders or "the holder has gone meanwhile"
        raise ProblemError(problem("database-locked", value="what we need", reason=reason)) from error


async def fence(connection: asyncpg.Connection, run_id: int) -> None:
    """Only a run that nobody has declared abandoned goes on; its row stays locked until COMMIT.

    Raises:
        ProblemError: ``run-superseded``.
    """
    if await connection.fetchval(sql("runs", "fence"), run_id) is None:
        raise ProblemError(problem("run-superseded", value=str(run_id)))


async def _holders(connection: asyncpg.Connection) -> str | None:
    """Who else holds locks on what we work with; None where nobody does any more."""
    found: str | None = await connection.fetchval(sql("runs", "lock_holders"), [*BACKEND_TABLES, "departments"])
    return found


async def lock_books(connection: asyncpg.Connection, department_id: int, run_id: int) -> None:
    """From here to COMMIT we alone write; whoever reads is never blocked.

    Raises:
        ProblemError: ``run-superseded``; those of :func:`~cpimportd.books.schema.rights.check_tables`.
        asyncpg.LockNotAvailableError: somebody else held the tables all the while.
    """
    async with silence("lock", "another run publishes, or was killed and its transaction is not over yet"):
        await connection.execute(sql("runs", "serialize"), runs.LOCK_CLASS, department_id)
        await fence(connection, run_id)
    with waiting() as somebody:
        for tries_left in reversed(range(LOCK_TRIES)):
            try:
                async with connection.transaction():
                    await connection.execute(sql("runs", "lock_tables"))
            except asyncpg.LockNotAvailableError:
                if not tries_left:
                    raise
                await _say(connection, somebody, tries_left)
            else:
                break
    # What was checked at the start of the run may have been migrated since; from here on nobody can.
    await check_tables(connection)


async def _say(connection: asyncpg.Connection, somebody: Waiting, tries_left: int) -> None:
    """Say who holds what we wait for, and how long we go on."""
    each = timedelta(milliseconds=await connection.fetchval(sql("runs", "lock_timeout")))
    holders = await _holders(connection) or "the holder has gone meanwhile"
    somebody.says(Wait("lock", holders, until=datetime.now(UTC) + tries_left * each))
