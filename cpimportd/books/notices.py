"""Which readers of the books are still to be told of a run: noted in its transaction, settled by whoever tells them.

A process may die right behind COMMIT. What it had still to do is then found here by whoever comes next.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum

import asyncpg

from cpimportd.books.queries import sql
from cpimportd.books.session import relying
from cpimportd.problems import Problem
from cpimportd.watched import Outstanding


class Target(StrEnum):
    """Who serves the books to others and has to be told when they change."""

    CACHE = "cache"
    VIEWS = "views"


async def owe(connection: asyncpg.Connection, department_id: int, run_id: int, targets: Collection[str]) -> None:
    """Note that readers are to be told of a run.

    Args:
        connection: in the run's transaction: the note stands if and only if the run does.
        department_id: whose books.
        run_id: the run.
        targets: those that the configuration has.
    """
    await connection.execute(sql("notices", "owe"), run_id, department_id, sorted(targets))


async def outstanding(
    connection: asyncpg.Connection, department_id: int, wanted: Collection[str] = frozenset(Target)
) -> list[Outstanding]:
    """What readers have not been told of, one entry per target; several runs of one target are told at once.

    Args:
        connection: any.
        department_id: whose books.
        wanted: the targets that the configuration has: nothing else is outstanding.
    """
    async with relying(connection):
        rows = await connection.fetch(sql("notices", "outstanding"), department_id)
    found = []
    for target in Target:
        mine = [row for row in rows if row["target"] == target]
        if mine and target in wanted:
            found.append(_of_target(target, mine))
    return found


def _of_target(target: Target, rows: Sequence[asyncpg.Record]) -> Outstanding:
    every = any(row["views"] is None for row in rows)
    return Outstanding(
        target=target.value,
        runs=tuple(row["run_id"] for row in rows),
        since=min(row["since"] for row in rows),
        tries=max(row["tries"] for row in rows),
        views=None if every else tuple(sorted({view for row in rows for view in row["views"]})),
        problems=tuple(dict.fromkeys(Problem(**one) for row in rows for one in json.loads(row["problems"]))),
    )


async def settle(connection: asyncpg.Connection, department_id: int, told: Outstanding) -> None:
    """Note that readers have been told of these runs."""
    await connection.execute(sql("notices", "settle"), department_id, told.target, list(told.runs), "done", 1)


async def drop(connection: asyncpg.Connection, department_id: int, unwanted: Iterable[Outstanding]) -> None:
    """Note that nobody wants these readers to be told any more: the configuration names them no longer."""
    for one in unwanted:
        await connection.execute(sql("notices", "settle"), department_id, one.target, list(one.runs), "dropped", 0)


async def fail(
    connection: asyncpg.Connection, department_id: int, untold: Outstanding, problems: Sequence[Problem]
) -> None:
    """Note why readers could not be told of these runs: they stay outstanding, with the views that are left."""
    left = None if untold.views is None else list(untold.views)
    why = json.dumps([found.as_json() for found in problems], ensure_ascii=False)
    await connection.execute(sql("notices", "fail"), department_id, untold.target, list(untold.runs), left, why)
