"""How runs ended, side by side with others: what was held, and what the books held of each organization afterwards."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.core.model import Kind

_RUNS: Final = """
    SELECT id, status, accepted, report->'units' AS units, report->'files' AS files FROM cpimportd.runs
    WHERE department_id = $1 AND id = ANY ($2::bigint[])
"""

Closings = Mapping[tuple[str, Kind], Decimal]


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run that is over.

    Attributes:
        run: its number.
        status: how it ended.
        accepted: the units that a human accepted.
        units: of each unit by name, whether it was held, and the codes of its problems; empty where the run left none.
        held_files: workbooks that were held, by name.
    """

    run: int
    status: str
    accepted: tuple[str, ...]
    units: Mapping[str, tuple[bool, tuple[str, ...]]]
    held_files: frozenset[str] = frozenset()


async def past_runs(
    connection: asyncpg.Connection, department_id: int, numbers: Collection[int]
) -> Mapping[int, PastRun]:
    """These runs by number; those that the database does not know are left out."""
    rows = await connection.fetch(_RUNS, department_id, list(numbers))
    return {row["id"]: _past(row) for row in rows}


def _past(row: asyncpg.Record) -> PastRun:
    units = json.loads(row["units"]) if row["units"] else []
    return PastRun(
        row["id"],
        row["status"],
        tuple(row["accepted"]),
        {
            unit["unit"]: (unit["status"] == "held", tuple(found["code"] for found in unit["problems"]))
            for unit in units
        },
        frozenset(file["name"] for file in json.loads(row["files"] or "[]") if file["status"] == "held"),
    )


async def closings(connection: asyncpg.Connection, department_id: int, run: int) -> Closings:
    """What the books held of each organization and kind when a run had ended."""
    rows = await connection.fetch(sql("past", "closings", recorded=sql("past", "recorded")), department_id, run)
    return {(row["organization"], Kind(row["kind"])): row["closing"] for row in rows}
