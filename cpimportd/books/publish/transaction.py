"""The publishing transaction: its locks, statistics for the query planner, its COMMIT, and whether that took place."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import tenacity

from cpimportd.books.database.connection import opened
from cpimportd.books.database.queries import sql
from cpimportd.books.database.session import relying
from cpimportd.books.publish import runs
from cpimportd.books.publish.plan import Published
from cpimportd.books.schema.rights import check_tables
from cpimportd.config.settings import Database, Retry
from cpimportd.core.model import BACKEND_TABLES
from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.system import uninterrupted
from cpimportd.core.waiting import Wait, WaitReporter, report_slow, waiting


class CommitUncertainError(Exception):
    """The connection was lost during COMMIT: only the run's row can say whether it took place.

    Attributes:
        published: what was done if it did.
    """

    def __init__(self, published: Published) -> None:
        super().__init__("the connection was lost during COMMIT")
        self.published = published


async def in_one_transaction(
    connection: asyncpg.Connection,
    work: Callable[[], Awaitable[Published]],
    committing: Callable[[], None] = lambda: None,
    *,
    rehearsal: bool = False,
) -> Published:
    """Do some work and commit it; whatever it raises rolls all of it back.

    Args:
        connection: outside any transaction.
        work: what is to be done.
        committing: called right before COMMIT: from here on the work is finished rather than stopped.
        rehearsal: roll back all the same.

    Raises:
        CommitUncertainError: the connection was lost during COMMIT; ask :func:`runs.was_committed`.
        Exception: what ``work`` raised.
    """
    transaction = connection.transaction()
    await transaction.start()
    try:
        done = await work()
    except BaseException:
        if not connection.is_closed():
            await transaction.rollback()
        raise
    if rehearsal:
        await transaction.rollback()
        return done
    committing()
    try:
        await uninterrupted(transaction.commit())
    except (OSError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
        if isinstance(error, asyncpg.PostgresError) and not connection.is_closed():
            raise
        raise CommitUncertainError(done) from error
    return done


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
        reason = holders or phrase("holder-gone")
        raise ProblemError(problem("database-locked", value=phrase("what-we-need"), reason=reason)) from error


async def fence(connection: asyncpg.Connection, run_id: int) -> None:
    """Only a run that nobody has declared abandoned goes on; its row stays locked until COMMIT.

    Raises:
        ProblemError: ``run-superseded``.
    """
    if await connection.fetchval(sql("runs", "fence"), run_id) is None:
        raise ProblemError(problem("run-superseded", value=str(run_id)))


async def _holders(connection: asyncpg.Connection) -> Phrase | None:
    """Who else holds locks on what we work with; None where nobody does any more."""
    found = await connection.fetch(sql("runs", "lock_holders"), [*BACKEND_TABLES, "departments"])
    return phrase("several", all=[_holder(row) for row in found]) if found else None


def _holder(row: asyncpg.Record) -> Phrase:
    tables = ", ".join(row["tables"])
    if row["pid"] is None:
        return phrase("prepared-transaction", tables=tables)
    application, since = row["application"] or phrase("no-application-name"), row["since"] or phrase("hidden-from-us")
    return phrase(
        "lock-holder", pid=row["pid"], user=row["user"] or "?", application=application, since=since, tables=tables
    )


async def lock_books(connection: asyncpg.Connection, department_id: int, run_id: int) -> None:
    """From here to COMMIT we alone write; whoever reads is never blocked.

    Raises:
        ProblemError: ``run-superseded``; those of :func:`~cpimportd.books.schema.rights.check_tables`.
        asyncpg.LockNotAvailableError: somebody else held the tables all the while.
    """
    async with report_slow("lock", "another run publishes, or was killed and its transaction is not over yet"):
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


async def _say(connection: asyncpg.Connection, somebody: WaitReporter, tries_left: int) -> None:
    """Say who holds what we wait for, and how long we go on."""
    each = timedelta(milliseconds=await connection.fetchval(sql("runs", "lock_timeout")))
    holders = await _holders(connection) or phrase("holder-gone")
    somebody.report(Wait("lock", str(holders), until=datetime.now(UTC) + tries_left * each))


async def settled(database: Database, department_id: int, run_id: int) -> str | None:
    """The status of a run whose process is dead, once its publishing transaction is over, if it had begun one.

    A server notices only after a while that a client is gone, and may be carrying out its COMMIT meanwhile: that
    transaction has the run's row locked, and is waited for.

    Args:
        database: where the run's row is.
        department_id: whose books.
        run_id: the run.

    Returns:
        ``running`` means that it did not publish, as does any status that no publication writes; None: it has no row.

    Raises:
        ProblemError: as of :func:`~cpimportd.books.database.connection.opened`; ``database-locked``.
    """
    async with opened(database, direct=True) as connection:
        for tries_left in reversed(range(LOCK_TRIES)):
            try:
                async with relying(connection):
                    status: str | None = await connection.fetchval(sql("runs", "settled"), run_id, department_id)
            except asyncpg.LockNotAvailableError:
                if not tries_left:
                    raise ProblemError(
                        problem(
                            "database-locked",
                            value=phrase("run-locked", run=run_id),
                            reason=phrase("transaction-not-over"),
                        )
                    ) from None
            else:
                return status
    raise AssertionError("unreachable: the last try returns or raises")


async def was_committed(database: Database, retry: Retry, run_id: int) -> bool:
    """Whether the run's publishing transaction took place; asked until the database answers.

    Args:
        database: where the run's row is.
        retry: how long, and at what intervals, to ask.
        run_id: the run.

    Raises:
        ProblemError: ``commit-unknown`` where the database did not come back in time.
    """
    until = datetime.now(UTC) + retry.within

    def say(state: tenacity.RetryCallState) -> None:
        error = None if state.outcome is None else state.outcome.exception()
        why = error.problems[0].message if isinstance(error, ProblemError) else str(error)
        again = datetime.now(UTC) + timedelta(seconds=state.upcoming_sleep)
        somebody.report(Wait("commit", why, again, until))

    attempts = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type((ProblemError, OSError)),
        wait=tenacity.wait_random_exponential(retry.wait_first.total_seconds(), retry.wait_longest.total_seconds()),
        stop=tenacity.stop_after_delay(retry.within.total_seconds()),
        before_sleep=say,
    )

    async def ask() -> bool:
        async with opened(database, direct=True) as connection:
            return await runs.was_committed(connection, run_id)

    with waiting() as somebody:
        try:
            committed: bool = await attempts(ask)
        except tenacity.RetryError as error:
            raise ProblemError(problem("commit-unknown")) from error
    return committed


_JOINED: Final[Mapping[str, str]] = {
    "cpimportd.lineage": "department_id, kind, operation_id",
    "cpimportd.published": "department_id, kind, operation_id",
    "fin_receipts": "department_id, operation_id, organization_id",
    "fin_expenses": "department_id, operation_id, organization_id",
    "fin_expense_details": "department_id, expense_operation_id",
}
"""Per table, the columns by which it is joined. Autovacuum's own count goes on: it starts anew only where all columns
are looked at (analyze.c of PostgreSQL)."""


async def catch_up(connection: asyncpg.Connection) -> None:
    """Look anew at the tables that have grown by half or more since the planner knows them.

    Another role's tables are left to their owner, and one that somebody else has locked to him: only time is at stake.
    So is one that has grown by rows that were rolled back, and holds none: the planner would take it for empty until it
    is looked at again.

    Args:
        connection: the run's own, outside any transaction.
    """
    for row in await connection.fetch(sql("stage", "outgrown"), list(_JOINED)):
        if await connection.fetchval(sql("stage", "holds_rows", table=row["name"])):
            await connection.execute(f"ANALYZE (SKIP_LOCKED) {row['name']} ({_JOINED[row['name']]})")


async def distrust_estimates(connection: asyncpg.Connection) -> None:
    """Plan without nested loops where the planner takes a table for empty that the stage is about to fill.

    A table with pages in which ANALYZE or VACUUM found hardly a row has no density: whatever is inserted, the planner
    expects next to nothing, and a join of a hundred thousand rows with each other takes hours. An import that was
    rolled back leaves such tables, a dry run among them.

    Args:
        connection: in the publishing transaction, once the stage is filled.
    """
    if await connection.fetchval(sql("stage", "underestimated"), list(_JOINED)):
        await connection.execute("SET LOCAL enable_nestloop = off")
