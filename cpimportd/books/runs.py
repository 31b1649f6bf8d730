"""The ``runs`` table and its locks: one run at once, each slot once, and an answer to "was it committed?"."""

import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from cpimportd import __version__
from cpimportd.books.queries import sql
from cpimportd.problems import ProblemError, problem

LOCK_CLASS = 0x6370696D
"""First key of our advisory locks ("cpim"); the second is the department."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """Why a run takes place: by hand, or for a slot of a schedule; ``accepted`` are units that a human accepts."""

    schedule: str | None = None
    slot: datetime | None = None
    accepted: Sequence[str] = ()

    @property
    def name(self) -> str:
        """``schedule`` or ``manual``, as stored with the run."""
        return "schedule" if self.schedule else "manual"


async def lock(connection: asyncpg.Connection, department_id: int) -> None:
    """Take the session's advisory lock: it answers a second run at once.

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
    await connection.execute(sql("runs", "abandon"), department_id)
    try:
        run_id: int = await connection.fetchval(sql("runs", "begin"), *_row(department_id, trigger))
    except asyncpg.UniqueViolationError:
        done = await connection.fetchrow(sql("runs", "slot"), department_id, trigger.schedule, trigger.slot)
        raise ProblemError(
            problem("slot-done", value=str(trigger.slot), schedule=trigger.schedule, run=done["id"] if done else "?")
        ) from None
    return run_id


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
    )


async def finish(connection: asyncpg.Connection, run_id: int, status: str, report: object) -> None:
    """Write how the run ended, with its report as JSON."""
    await connection.execute(sql("runs", "finish"), run_id, status, json.dumps(report, ensure_ascii=False))


async def withdraw(connection: asyncpg.Connection, run_id: int) -> None:
    """Remove the row of a run that only looked and wrote nothing: ``history`` tells of imports, not of looks."""
    await connection.execute(sql("runs", "withdraw"), run_id)


async def was_committed(connection: asyncpg.Connection, run_id: int) -> bool:
    """Whether the run's publishing transaction took place: its row says so, because it was written in it."""
    return await connection.fetchval(sql("runs", "status"), run_id) in {"published", "partial", "held"}
