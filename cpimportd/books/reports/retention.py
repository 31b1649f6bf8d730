"""How long the journal of changes is kept."""

from datetime import datetime
from typing import Final

import asyncpg

from cpimportd.books.database.queries import sql

_BATCH: Final = 10_000


async def prune_changes(connection: asyncpg.Connection, department_id: int, before: datetime) -> int:
    """Remove the journal entries of runs that ended before an instant; the runs and their bridges stay.

    Args:
        connection: outside a transaction: each batch is committed by itself.
        department_id: whose books.
        before: entries of runs that ended earlier go.

    Returns:
        How many entries were removed.
    """
    removed = 0
    while True:
        status = await connection.execute(sql("retention", "prune_changes"), department_id, before, _BATCH)
        batch = int(status.rpartition(" ")[2])  # "DELETE 123"
        removed += batch
        if batch < _BATCH:
            return removed
