"""After a connection lost during COMMIT: ask the database how it ended, never guess."""

from datetime import UTC, datetime, timedelta

import asyncpg
import tenacity

from cpimportd.books.database.connection import opened
from cpimportd.books.database.queries import sql
from cpimportd.books.database.session import relying
from cpimportd.books.publish import runs
from cpimportd.books.publish.locks import LOCK_TRIES
from cpimportd.config.settings import Database, Retry
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.waiting import Wait, waiting


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
                        problem("database-locked", value=f"run {run_id}", reason="its transaction is not over yet")
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
        somebody.says(Wait("commit", why, again, until))

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
