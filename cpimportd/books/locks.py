"""Whoever keeps us waiting is named."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from cpimportd.books.queries import sql
from cpimportd.model import BACKEND_TABLES
from cpimportd.problems import ProblemError, problem


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
            holders = await connection.fetchval(sql("runs", "lock_holders"), [*BACKEND_TABLES, "departments"])
        reason = holders or "the holder has gone meanwhile"
        raise ProblemError(problem("database-locked", value="what we need", reason=reason)) from error
