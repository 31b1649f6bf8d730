"""After a connection lost during COMMIT: ask the database how it ended, never guess."""

from datetime import UTC, datetime, timedelta

import asyncpg
import tenacity

from cpimportd.books import runs
from cpimportd.books.connection import connect
from cpimportd.problems import ProblemError, problem
from cpimportd.settings import Database, Retry
from cpimportd.waiting import Wait, waiting


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
        retry=tenacity.retry_if_exception_type((ProblemError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)),
        wait=tenacity.wait_random_exponential(retry.wait_first.total_seconds(), retry.wait_longest.total_seconds()),
        stop=tenacity.stop_after_delay(retry.within.total_seconds()),
        before_sleep=say,
    )

    async def ask() -> bool:
        connection = await connect(database, direct=True)
        try:
            return await runs.was_committed(connection, run_id)
        finally:
            await connection.close()

    with waiting() as somebody:
        try:
            committed: bool = await attempts(ask)
        except tenacity.RetryError as error:
            raise ProblemError(problem("commit-unknown")) from error
    return committed
