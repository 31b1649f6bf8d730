"""Where a rehearsal plays: a database beside the books where its user may create one, else an embedded PostgreSQL.

Never the schema of the books. Whatever ends the rehearsal, Ctrl-C too, takes the database or the server with it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from pydantic import SecretStr

from cpimportd.books.database.embedded import EmbeddedPostgres, PostgresError
from cpimportd.books.database.scratch import create_scratch, drop_scratch
from cpimportd.config.settings import Database
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.system import uninterrupted

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scratch:
    """An empty database that nobody else uses.

    Attributes:
        database: how to get there.
        place: what it is, in words for people.
    """

    database: Database
    place: str


@dataclass(frozen=True, slots=True)
class _Made:
    scratch: Scratch
    remove: Callable[[], Awaitable[object]]


@asynccontextmanager
async def scratch(books: Database) -> AsyncIterator[Scratch]:
    """An empty database for a while.

    Args:
        books: beside which it shall be.

    Raises:
        ProblemError: ``scratch-missing``: neither is to be had; those of ``connect``.
    """
    # Shielded: a Ctrl-C while it is being made must not leave it behind.
    making = asyncio.ensure_future(_make(books))
    try:
        yield (await asyncio.shield(making)).scratch
    finally:
        await uninterrupted(_remove(making))


async def _make(books: Database) -> _Made:
    beside = await create_scratch(books)
    if beside is not None:
        return _Made(Scratch(beside, "a database of its own beside the books"), lambda: drop_scratch(books, beside))
    try:
        server = EmbeddedPostgres(fast=True)
        await asyncio.to_thread(server.start)
    except PostgresError as error:
        raise ProblemError(problem("scratch-missing", reason=str(error))) from error
    inside = Database(url=SecretStr(server.url()))
    return _Made(Scratch(inside, "an embedded PostgreSQL"), lambda: asyncio.to_thread(server.stop))


async def _remove(making: "asyncio.Future[_Made]") -> None:
    try:
        made = await making
    except Exception:  # noqa: BLE001 - whoever waits for it is told; there is nothing to remove
        return
    try:
        await made.remove()
    except (ProblemError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, PostgresError) as error:
        logger.warning("%s could not be removed: %s", made.scratch.place, error)
