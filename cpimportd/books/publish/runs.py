"""The ``runs`` table and its locks: one run at a time, each slot once, and the query whether a run was committed."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

from cpimportd import __version__
from cpimportd.books.database.queries import sql
from cpimportd.books.database.session import relying
from cpimportd.core.model import WELL, Kind
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.typed import json_text
from cpimportd.core.waiting import report_slow

LOCK_CLASS = 0x6370696D
"""First key of our advisory locks ("cpim"); the second is the department."""


_ROWS = "somebody else has rows of cpimportd.runs locked, such as a run that was killed a moment ago"


@dataclass(frozen=True, slots=True)
class Trigger:
    """Why a run takes place: by hand, or for a slot of a schedule.

    Attributes:
        requested_by: the human, where one asked for it.
        undoes: the runs that it takes back, where it is an undo.
        kinds: the kinds that it looks for, a group taken whole.
        began: when it began, as its report says; None: now, by the database's clock.
    """

    schedule: str | None = None
    slot: datetime | None = None
    accepted: Sequence[str] = ()
    requested_by: str | None = None
    undoes: Sequence[int] = ()
    kinds: Collection[Kind] = frozenset(Kind)
    began: datetime | None = None

    @property
    def name(self) -> str:
        """``schedule``, ``undo`` or ``manual``, as stored with the run."""
        if self.schedule:
            return "schedule"
        return "undo" if self.undoes else "manual"


@asynccontextmanager
async def locked(
    connection: asyncpg.Connection,
    department_id: int,
    another: Callable[[], AbstractAsyncContextManager[asyncpg.Connection]],
    patience: timedelta,
) -> AsyncIterator[None]:
    """Hold the lock that answers a second run at once: the session's, or, behind a pooler, a transaction's.

    Behind a pooler in transaction mode a session's lock would stay, after the run, with a server process that the
    pooler keeps, and later runs would be refused. A pooler is known by the process number that it made up at login.

    Args:
        connection: the run's own.
        department_id: whose books.
        another: opens a connection that holds the lock where the run's own cannot.
        patience: how long a pooler may take to serve both.

    Raises:
        ProblemError: ``run-under-way``, ``database-pool-small``, and those of ``another``.
    """
    if await connection.fetchval("SELECT pg_backend_pid()") == connection.get_server_pid():
        await lock(connection, department_id)
        yield
        return
    async with another() as holder, holder.transaction():
        await holder.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        # Another key than the publishing transaction's: it must not wait for its own run.
        if not await holder.fetchval(sql("runs", "lock_in_transaction"), LOCK_CLASS + 1, department_id):
            raise ProblemError(problem("run-under-way", value=department_id))
        await _still_served(connection, patience)
        yield


async def _still_served(connection: asyncpg.Connection, patience: timedelta) -> None:
    """Make sure that the pooler has a server process for the run besides the one that holds its lock.

    From a pool of one it would wait for itself until the pooler loses patience, and keep everybody else out meanwhile.
    """
    try:
        async with asyncio.timeout(patience.total_seconds()):
            await connection.fetchval("SELECT 1")
    except TimeoutError:
        connection.terminate()
        raise ProblemError(problem("database-pool-small", limit=patience)) from None


async def lock(connection: asyncpg.Connection, department_id: int) -> None:
    """Take the session's advisory lock.

    Raises:
        ProblemError: ``run-under-way``.
    """
    if not await connection.fetchval(sql("runs", "lock"), LOCK_CLASS, department_id):
        raise ProblemError(problem("run-under-way", value=department_id))


async def begin(connection: asyncpg.Connection, department_id: int, trigger: Trigger) -> int:
    """Open a run's row. The caller holds the lock, so a row that still says ``running`` is that of a dead process.

    Returns:
        The run's number.

    Raises:
        ProblemError: ``slot-done`` where the slot was done already, by us or by another host.
    """
    await abandon(connection, department_id)
    try:
        async with relying(connection), report_slow("lock", _ROWS):
            run_id: int = await connection.fetchval(sql("runs", "begin"), *_row(department_id, trigger))
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "runs_slot":
            raise
        done = await connection.fetchrow(sql("runs", "slot"), department_id, trigger.schedule, trigger.slot)
        slot = "?" if trigger.slot is None else trigger.slot.astimezone(trigger.slot.tzinfo or UTC)
        status = "published" if done is None else done["status"]
        code = "slot-done" if status in WELL | {"running"} else "slot-done-held"
        run = "?" if done is None else done["id"]
        raise ProblemError(problem(code, value=slot, schedule=trigger.schedule, run=run, status=status)) from None
    return run_id


async def abandon(connection: asyncpg.Connection, department_id: int) -> None:
    """Note of runs whose process is gone that they are under way no more; the caller holds the lock, so none lives."""
    async with relying(connection), report_slow("lock", _ROWS):
        await connection.execute(sql("runs", "abandon"), department_id)


async def begin_rehearsal(connection: asyncpg.Connection, department_id: int) -> int:
    """Open a row for a dry run inside its transaction, to be rolled back with it."""
    run_id: int = await connection.fetchval(sql("runs", "begin"), *_row(department_id, Trigger()))
    return run_id


def _row(department_id: int, trigger: Trigger) -> tuple[object, ...]:
    return (
        department_id,
        trigger.schedule,
        trigger.slot,
        trigger.name,
        socket.gethostname(),
        os.getpid(),
        __version__,
        list(trigger.accepted),
        trigger.requested_by,
        list(trigger.undoes),
        [kind.value for kind in Kind if kind.group in {one.group for one in trigger.kinds}],
        trigger.began,
    )


async def finish(connection: asyncpg.Connection, run_id: int, status: str, report: object) -> None:
    """Write how the run ended, with its report as JSON."""
    async with relying(connection):
        await connection.execute(sql("runs", "finish"), run_id, status, json_text(report))


async def log_seconds(connection: asyncpg.Connection, run_id: int, logs: Sequence[int]) -> None:
    """Let the backend's import log say how long the run, whose report is stored, took in the end."""
    async with relying(connection):
        await connection.execute(sql("runs", "log_seconds"), run_id, list(logs))


async def withdraw(connection: asyncpg.Connection, run_id: int) -> None:
    """Remove the row of a run that only looked and wrote nothing: ``history`` tells of imports, not of looks."""
    async with relying(connection):
        await connection.execute(sql("runs", "withdraw"), run_id)


async def was_committed(connection: asyncpg.Connection, run_id: int) -> bool:
    """Whether the run's publishing transaction took place: its row says so, because it was written in it."""
    return await connection.fetchval(sql("runs", "status"), run_id) in {"published", "partial", "held"}


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
