"""What monitoring asks: how the imports fare, what is held, how fresh the workbooks are, what the books hold."""

import json
from collections.abc import Collection

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.books.journal import memory
from cpimportd.books.publish import held, notices
from cpimportd.books.reports.watched import Figures, Health, Held, LastRun, Payments, Success, UndoneJob, Workbook
from cpimportd.core.catalog import CATALOG
from cpimportd.core.outcomes import JOB, SUCCEEDED, held_alone


async def health(
    connection: asyncpg.Connection, department_id: int, readers: Collection[str] = frozenset(notices.Target)
) -> Health:
    """How a department's imports fare; only cpimportd's own schema is asked.

    Args:
        connection: any.
        department_id: whose books.
        readers: who is to be told after COMMIT, by the configuration.
    """
    row = await connection.fetchrow(sql("health", "last_run", seconds=sql("runs", "seconds")), department_id)
    succeeded = await connection.fetch(sql("health", "successes"), department_id, sorted(SUCCEEDED))
    successes = tuple(Success(found["schedule"], frozenset(found["kinds"]), found["at"]) for found in succeeded)
    return Health(
        last_run=None if row is None else _last_run(row),
        last_success=max((one.at for one in successes), default=None),
        held=tuple(
            Held(one.unit.name, one.unit.organization, one.codes)
            for one in await held.held_units(connection, department_id)
        ),
        files=tuple(
            Workbook(found["name"], found["kind"], found["modified"], _held_for(found))
            for found in await connection.fetch(sql("health", "files", looked=sql("recent", "looked")), department_id)
        ),
        runs={found["status"]: found["runs"] for found in await connection.fetch(sql("health", "runs"), department_id)},
        successes=successes,
        undone=tuple(
            UndoneJob(**dict(found)) for found in await connection.fetch(sql("health", "jobs"), department_id, JOB)
        ),
        outstanding=tuple(await notices.outstanding(connection, department_id, readers)),
    )


def _held_for(found: asyncpg.Record) -> tuple[str, ...]:
    """Why a workbook is held that no unit tells of; whatever else, nobody knows whose it is."""
    if not held_alone(found["status"], found["organizations"]):
        return ()
    problems = (one["code"] for one in json.loads(found["problems"]))
    codes = {code for code in problems if code not in CATALOG or CATALOG[code].effect.holds}
    return tuple(sorted(codes)) or ("held",)


def _last_run(row: asyncpg.Record) -> LastRun:
    problems = json.loads(row["problems"]) if row["problems"] and row["status"] == "failed" else []
    first = problems[0] if problems else None
    return LastRun(
        row["run"],
        row["status"],
        row["started_at"],
        row["finished_at"],
        row["seconds"],
        json.loads(row["stages"]) if row["stages"] else {},
        first and f"{first['message']} [{first['code']}]",
        first and first["way_out"],
    )


async def figures(
    connection: asyncpg.Connection, department_id: int, readers: Collection[str] = frozenset(notices.Target)
) -> Figures:
    """Everything that monitoring counts, of one moment.

    Args:
        connection: within a transaction whose isolation is repeatable read, or it may be of several moments.
        department_id: whose books.
        readers: who is to be told after COMMIT, by the configuration.
    """
    present = await memory.fingerprints(connection, department_id)
    return Figures(
        health=await health(connection, department_id, readers),
        books={(organization, kind): (found.rows, found.total) for (kind, organization), found in present.items()},
        payments=tuple(
            Payments(**dict(row)) for row in await connection.fetch(sql("health", "payments"), department_id)
        ),
    )
