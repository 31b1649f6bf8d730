"""Common parts of imports and undos: connection, lock, the run's row, confirmation of COMMIT, causes of failures."""

import logging
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from cpimportd.books.database import obstacles
from cpimportd.books.database.connection import opened, reconnect_if_closed
from cpimportd.books.database.failures import translate
from cpimportd.books.database.session import relying
from cpimportd.books.publish import runs
from cpimportd.books.publish.plan import Published
from cpimportd.books.publish.transaction import CommitUncertainError, naming_holders, was_committed
from cpimportd.books.schema import rights
from cpimportd.books.schema.upgrade import require_current
from cpimportd.config.settings import Database, Settings
from cpimportd.core.phrases import exception, phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.report import RunReport
from cpimportd.core.system import exhausted, uninterrupted, unusable
from cpimportd.core.waiting import report_slow

logger = logging.getLogger(__name__)


@asynccontextmanager
async def open_books(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """The run's own connection: the schema is right, the rights are there, and no other run is under way.

    Raises:
        ProblemError: the database is away or not ready, ``department-missing``, ``run-under-way``.
    """
    async with opened(settings.database, direct=True) as connection, naming_holders(connection):
        async with relying(connection), report_slow("database", "no answer yet to what a run begins with"):
            await _require_ready(connection, settings)
        async with runs.locked(
            connection,
            settings.department_id,
            another=lambda: opened(settings.database, direct=True),
            patience=settings.database.connect_timeout,
        ):
            yield connection


async def _require_ready(connection: asyncpg.Connection, settings: Settings) -> None:
    await require_current(connection)
    if missing := await rights.missing_rights(connection):
        raise ProblemError(*missing)
    if blocking := await obstacles.blocking(connection):
        raise ProblemError(*blocking)
    await rights.check_tables(connection)
    if not await rights.department_exists(connection, settings.department_id):
        raise ProblemError(problem("department-missing", value=str(settings.department_id)))


async def store_report(
    connection: asyncpg.Connection, database: Database, report: RunReport, logs: Sequence[int] = ()
) -> None:
    """Store the report with the run; a database that is away meanwhile leaves the row to the next run to set right.

    The lines of the backend's import log that the run wrote get the report's duration.
    """
    number = report.run
    if number is None:
        return
    for last in (False, True):  # that a connection is lost may turn out only here
        try:
            async with reconnect_if_closed(connection, database) as usable:
                await runs.finish(usable, number, report.status.value, report)
                await _log_seconds(usable, number, logs)
        except (ProblemError, OSError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
            if last or not connection.is_closed():
                logger.warning("the report of run %s could not be stored: %s", number, error)
                return
        else:
            return


async def _log_seconds(connection: asyncpg.Connection, run: int, logs: Sequence[int]) -> None:
    """Until here the import log says how long it took up to its COMMIT; where it cannot be written, that stays."""
    if not logs:
        return
    try:
        await runs.log_seconds(connection, run, logs)
    except asyncpg.PostgresError as error:
        logger.warning("the import log of run %s keeps the time up to its COMMIT: %s", run, error)


async def confirm_commit(publishing: Awaitable[Published], settings: Settings, run_id: int | None) -> Published:
    """Wait for a publication; where the connection is lost during COMMIT, ask the database how it ended, never guess.

    Raises:
        ProblemError: ``database-failed``: COMMIT did not take place; those of ``publishing``.
    """
    try:
        return await publishing
    except CommitUncertainError as error:
        if run_id is not None and await uninterrupted(was_committed(settings.database, settings.retry, run_id)):
            return error.published
        raise ProblemError(problem("database-failed", reason=phrase("commit-did-not-happen"))) from error


UNREAD: Final = (ProblemError, OSError, asyncpg.InterfaceError, asyncpg.PostgresError)
"""What it looks like when the books cannot be read after COMMIT."""


def totals_unread(error: Exception) -> Problem:
    """That the books could not be read afterwards undoes nothing; it is a warning."""
    found = error.problems[0] if isinstance(error, ProblemError) else translate(error)
    return problem("totals-unread", reason=found)


def problems_from_exception(error: BaseException) -> tuple[Problem, ...]:
    """The problems that an exception, or a group of them, stands for, each once.

    A defect of ours is a problem too, ``internal``; its traceback is logged.
    """
    return tuple(dict.fromkeys(found for leaf in _leaves(error) for found in _problems(leaf)))


def _problems(leaf: BaseException) -> tuple[Problem, ...]:
    if isinstance(leaf, ProblemError):
        return leaf.problems
    if isinstance(leaf, OSError) and leaf.filename:  # a file of ours, no connection
        return (unusable(leaf.filename, leaf),)
    if (found := exhausted(leaf)) is not None:
        return (found,)
    if isinstance(leaf, asyncpg.PostgresError | asyncpg.InterfaceError | OSError):
        return (translate(leaf),)
    logger.error("an unexpected error ended the run", exc_info=leaf)
    return (problem("internal", reason=exception(leaf)),)


def _leaves(error: BaseException) -> list[BaseException]:
    """The exceptions in a group of groups."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
