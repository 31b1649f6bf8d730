"""The demo's look into the database, with SQL of its own: a witness that is not the product judging itself."""

from decimal import Decimal

import asyncpg

from cpimportd.core.model import Kind
from cpimportd.demo.exports import Truth

_AMOUNTS = {Kind.RECEIPTS: "amount", Kind.EXPENSES: "amount", Kind.DETAILS: "payment_amount"}
_BY_PAYMENT_TYPE = """
    SELECT coalesce(sum(payment_amount) FILTER (WHERE payment_type = 'Погашение долга'), 0) AS principal,
           coalesce(sum(payment_amount) FILTER (WHERE payment_type = 'Уплата процентов'), 0) AS interest
    FROM fin_expense_details
"""


async def prepare_database(superuser_url: str, database: str, role: str) -> None:
    """Create an empty database that belongs to a role of its own, who is no superuser.

    Args:
        superuser_url: where, and as whom.
        database: its name.
        role: whose it is; created too.
    """
    connection = await asyncpg.connect(superuser_url)
    try:
        await connection.execute(f'CREATE ROLE "{role}" LOGIN')
        await connection.execute(f'CREATE DATABASE "{database}" OWNER "{role}"')
    finally:
        await connection.close()


async def read_books(url: str) -> Truth:
    """What the backend's tables hold, in the words of the truth."""
    connection = await asyncpg.connect(url)
    try:
        rows: dict[Kind, int] = {}
        sums: dict[Kind, Decimal] = {}
        for kind, amount in _AMOUNTS.items():
            query = f"SELECT count(*) AS rows, coalesce(sum({amount}), 0) AS sum FROM {kind.table}"  # noqa: S608  our names
            found = await connection.fetchrow(query)
            rows[kind], sums[kind] = found["rows"], found["sum"]
        by_type = await connection.fetchrow(_BY_PAYMENT_TYPE)
    finally:
        await connection.close()
    return Truth(rows, sums, by_type["principal"], by_type["interest"])
