"""A transaction that takes place or does not, and never leaves anybody guessing which."""

from collections.abc import Awaitable, Callable

import asyncpg

from cpimportd.books.publish.plan import Published
from cpimportd.core.system import uninterrupted


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
