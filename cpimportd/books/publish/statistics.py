"""What the planner knows of the books: brought up to date where a large import has outrun autovacuum.

Autovacuum looks at a table within minutes of a large change. A run that comes sooner (a corrected file, an undo, a
department's first days) would be planned for the tables as they were, and read whole ones once per document.
"""

from collections.abc import Mapping
from typing import Final

import asyncpg

from cpimportd.books.database.queries import sql

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

    Args:
        connection: the run's own, outside any transaction.
    """
    for row in await connection.fetch(sql("stage", "outgrown"), list(_JOINED)):
        await connection.execute(f"ANALYZE (SKIP_LOCKED) {row['name']} ({_JOINED[row['name']]})")
