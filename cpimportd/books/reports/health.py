"""Figures for monitoring: results of imports, held units, age of the workbooks, content of the books."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.books.journal import memory
from cpimportd.books.publish import held, notices
from cpimportd.books.publish.notices import Outstanding
from cpimportd.core.model import JOB, SUCCEEDED, Kind
from cpimportd.core.problems import Problem
from cpimportd.core.report import FileReport, HeldUnit


@dataclass(frozen=True, slots=True)
class LastRun:
    """The latest import that is over.

    Attributes:
        stages: seconds per stage; empty where it ended without a report.
        problem: what made it fail, in a sentence with its code; None where nothing did.
        way_out: what can be done about that.
    """

    run: int
    status: str
    started_at: datetime
    finished_at: datetime
    seconds: float
    stages: Mapping[str, float]
    problem: str | None
    way_out: str | None


@dataclass(frozen=True, slots=True)
class UndoneJob:
    """A schedule's job, such as a report, that was not done when it was last tried; and since when it has not been."""

    job: str
    state: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Success:
    """When imports last succeeded that one schedule asked for, or somebody by hand, looking for the same kinds.

    Attributes:
        schedule: whose; None by hand.
        kinds: that were looked for.
        at: when the last of them ended.
    """

    schedule: str | None
    kinds: frozenset[str]
    at: datetime


@dataclass(frozen=True, slots=True)
class Health:
    """How the imports fare.

    Attributes:
        last_run: whatever came of it; None before the first.
        last_success: when an import last published something, or found that all was published already.
        files: all of the latest runs.
        runs: how many ended how.
        successes: by schedule; None where nobody asked, so that ``last_success`` has to do for all.
        undone: jobs that import nothing and were not done.
        outstanding: readers who have not been told of runs.
    """

    last_run: LastRun | None
    last_success: datetime | None
    held: tuple[HeldUnit, ...]
    files: tuple[FileReport, ...]
    runs: Mapping[str, int]
    outstanding: tuple[Outstanding, ...] = ()
    successes: tuple[Success, ...] | None = None
    undone: tuple[UndoneJob, ...] = ()

    @property
    def held_files(self) -> tuple[FileReport, ...]:
        """Workbooks that are held and that no held unit tells of."""
        return tuple(file for file in self.files if file.held_for)

    def last_success_of(self, schedule: str, kinds: Collection[str]) -> datetime | None:
        """When a schedule last succeeded, or somebody imported the same kinds by hand.

        What another schedule did does not count: its success must not hide that this one never has any.

        Args:
            schedule: its name.
            kinds: that it imports, a group taken whole.
        """
        if self.successes is None:
            return self.last_success
        return max(
            (
                one.at
                for one in self.successes
                if one.schedule == schedule or (one.schedule is None and one.kinds >= frozenset(kinds))
            ),
            default=None,
        )


@dataclass(frozen=True, slots=True)
class Payments:
    """What an organization's detail lines repay, pay as interest, and pay otherwise."""

    organization: str
    principal: Decimal
    interest: Decimal
    other: Decimal


@dataclass(frozen=True, slots=True)
class Figures:
    """How the imports fare, and rows and sums by organization and kind."""

    health: Health
    books: Mapping[tuple[str, Kind], tuple[int, Decimal]]
    payments: tuple[Payments, ...]


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
        held=tuple(await held.held_units(connection, department_id)),
        files=await latest_files(connection, department_id),
        runs={found["status"]: found["runs"] for found in await connection.fetch(sql("health", "runs"), department_id)},
        successes=successes,
        undone=tuple(
            UndoneJob(**dict(found)) for found in await connection.fetch(sql("health", "jobs"), department_id, JOB)
        ),
        outstanding=tuple(await notices.outstanding(connection, department_id, readers)),
    )


async def latest_files(connection: asyncpg.Connection, department_id: int) -> tuple[FileReport, ...]:
    """The workbooks as the latest run that looked for their kind saw them, by name."""
    rows = await connection.fetch(sql("health", "files", looked=sql("recent", "looked")), department_id)
    stored = [json.loads(row["file"]) for row in rows]
    return tuple(FileReport.of_stored(file, (Problem(**one) for one in file["problems"])) for file in stored)


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
