"""Notifications of a run that are still outstanding: recorded in its transaction, marked as sent by the sender.

A process may die directly after COMMIT. The next process then finds its outstanding notifications here.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Final

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.books.database.session import relying
from cpimportd.config.settings import Settings
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, problem
from cpimportd.core.typed import from_json, json_text


class Target(StrEnum):
    """Who serves the books to others and has to be told when they change."""

    CACHE = "cache"
    VIEWS = "views"


_DONE: Final = {"cache": "cleared", "views": "refreshed"}


@dataclass(frozen=True, slots=True)
class Outstanding:
    """Readers of the books who have not been told of runs that changed them.

    Attributes:
        target: who: ``cache`` or ``views``.
        runs: of which they have not been told, the oldest first.
        since: when the first of them was committed, to the second.
        tries: how often somebody tried to tell them.
        views: of views, those still to be refreshed, by name; None: all.
        problems: why the last try failed; empty where nobody has tried yet.
    """

    target: str
    runs: tuple[int, ...]
    since: datetime
    tries: int = 0
    views: tuple[str, ...] | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def done(self) -> str:
        """What is said once it has been done, such as ``cache: cleared for run 2, 3``."""
        of = f" for run {', '.join(map(str, self.runs))}" if self.runs else ""
        return f"{self.target}: {_DONE[self.target]}{of}"

    def explained(self, zone: tzinfo) -> Problem:
        """What is outstanding as a problem: of which runs, since when, why, and the way out."""
        why = [phrase("because", problem=found) for found in self.problems[:1]]
        remedy = [phrase("and-its-way-out", problem=found) for found in self.problems[:1]]
        since = self.since.astimezone(zone)
        return problem(f"{self.target}-outstanding", runs=self.runs, since=since, why=why, remedy=remedy)


def readers(settings: Settings) -> tuple[str, ...]:
    """Who is to be told after COMMIT, by the configuration: ``cache``, ``views``."""
    wanted = {"cache": settings.cache.url is not None, "views": settings.tell.refresh_views}
    return tuple(target for target, yes in wanted.items() if yes)


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
        problems=tuple(dict.fromkeys(one for row in rows for one in from_json(row["problems"], tuple[Problem, ...]))),
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
    why = json_text(tuple(problems))
    await connection.execute(sql("notices", "fail"), department_id, untold.target, list(untold.runs), left, why)
