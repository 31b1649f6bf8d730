"""Answers that may be as long as the books: fetched some rows at a time, so that nobody holds all of them."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final, TypeVar

import asyncpg

AT_ONCE: Final = 500
"""Rows that are in memory at the same time."""

Item = TypeVar("Item")


def at_one_moment(connection: asyncpg.Connection) -> AbstractAsyncContextManager[object]:
    """A transaction in which everything told is of one moment; nothing more where one is open already."""
    if connection.is_in_transaction():
        return nullcontext()
    moment: AbstractAsyncContextManager[object] = connection.transaction(isolation="repeatable_read", readonly=True)
    return moment


async def in_batches(connection: asyncpg.Connection, query: str, *scope: object) -> AsyncIterator[list[asyncpg.Record]]:
    """The rows of a query, out of a cursor.

    Args:
        connection: any; best :func:`at_one_moment` with what else is told. Between two batches it
            may be used for other things.
        query: its text.
        scope: its parameters.
    """
    async with at_one_moment(connection):
        cursor = await connection.cursor(query, *scope)
        while rows := await cursor.fetch(AT_ONCE):
            yield rows


async def first(items: AsyncIterator[Item], most: int) -> tuple[Item, ...]:
    """The first of what comes, at most so many."""
    found: list[Item] = []
    async for item in items:
        found.append(item)
        if len(found) == most:
            break
    return tuple(found)
