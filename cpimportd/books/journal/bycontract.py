"""The bridge of one run per contract: opening + added − removed ± changed = closing, of those whose sum moved."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal

import asyncpg

from cpimportd.books.database.cursors import in_batches
from cpimportd.books.database.queries import sql
from cpimportd.core.model import Kind


@dataclass(frozen=True, slots=True)
class ContractBridge:
    """From yesterday's sum to today's for one contract of one organization.

    Attributes:
        organization: whose documents.
        kind: receipts or expenses.
        contract: its number; empty for documents without one.
        opening: their sum before the run.
        added: of documents that came, also from another contract.
        removed: of documents that went, also to another contract.
        changed: by how much documents in both differ.
        closing: their sum after it.
    """

    organization: str
    kind: Kind
    contract: str
    opening: Decimal
    added: Decimal
    removed: Decimal
    changed: Decimal
    closing: Decimal


async def contract_bridges(
    connection: asyncpg.Connection, run_id: int, *, organization: str | None = None
) -> AsyncIterator[ContractBridge]:
    """The contracts whose sum a run moved, by organization, kind and number; a first run moved every one.

    Args:
        connection: any; it may be used for other things between two bridges.
        run_id: of which run.
        organization: only its contracts.
    """
    async for rows in in_batches(connection, sql("past", "contract_bridges"), run_id, organization):
        for row in rows:
            yield ContractBridge(**{**dict(row), "kind": Kind(row["kind"])})


async def how_many(connection: asyncpg.Connection, run_id: int, *, organization: str | None = None) -> int:
    """How many :func:`contract_bridges` there are."""
    return int(await connection.fetchval(sql("past", "how_many_contracts"), run_id, organization))
