"""The queue of alerts and the problems that they report: the tables ``condition`` and ``alert``."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.books.publish.held import held_units
from cpimportd.books.publish.runs import LOCK_CLASS
from cpimportd.core.model import Group
from cpimportd.core.typed import json_keys


@json_keys("run_id", run="run_id")
@dataclass(frozen=True, slots=True)
class StoredCondition:
    """Something that is wrong: since when, when an alert last reported it, and which run found it."""

    subject: str
    state: str
    since: datetime
    told_at: datetime | None
    run_id: int | None

    @property
    def is_unit(self) -> bool:
        """Whether it is a unit that was held when it was noted."""
        return self.state.startswith("held") and self.subject.rpartition("/")[2] in set(Group)


@dataclass(frozen=True, slots=True)
class UnsentAlert:
    """An alert that is still to be sent; ``error`` has the recipients that a try did not reach, a line each."""

    id: int
    created_at: datetime
    occasion: str
    title: str
    body: str
    tries: int
    error: str | None


@json_keys("run_id", run="run_id")
@dataclass(frozen=True, slots=True)
class QueuedAlert:
    """An alert in a list, sent or not."""

    id: int
    created_at: datetime
    occasion: str
    subject: str
    title: str
    run_id: int | None
    sent_at: datetime | None
    tries: int
    error: str | None


class LockedConditions:
    """What is wrong in one department, to be changed within one transaction that nobody else shares."""

    def __init__(self, connection: asyncpg.Connection, department_id: int) -> None:
        self._connection = connection
        self._department_id = department_id

    async def conditions(self) -> list[StoredCondition]:
        """What earlier runs found."""
        return await conditions(self._connection, self._department_id)

    async def put(self, condition: StoredCondition) -> None:
        """Something is wrong, or still is."""
        await self._connection.execute(
            sql("alerts", "put_condition"), self._department_id, condition.subject, condition.state, condition.since,
            condition.told_at, condition.run_id,
        )  # fmt: skip

    async def forget(self, subject: str) -> None:
        """It is over."""
        await self._connection.execute(sql("alerts", "forget_condition"), self._department_id, subject)

    async def queue(self, occasion: str, subject: str, title: str, body: str, run_id: int | None) -> None:
        """Something is to be told."""
        await self._connection.execute(
            sql("alerts", "queue"), self._department_id, occasion, subject, title, body, run_id
        )


@asynccontextmanager
async def locked_conditions(connection: asyncpg.Connection, department_id: int) -> AsyncIterator[LockedConditions]:
    """One transaction in which nobody else changes conditions: what is found and what is queued come together."""
    async with connection.transaction():
        await connection.execute(sql("alerts", "lock"), LOCK_CLASS + 2, department_id)
        yield LockedConditions(connection, department_id)


async def conditions(connection: asyncpg.Connection, department_id: int) -> list[StoredCondition]:
    """What runs have found, by subject, and when it was reported."""
    rows = await connection.fetch(sql("alerts", "conditions"), department_id)
    return [StoredCondition(**dict(row)) for row in rows]


async def wrong_now(connection: asyncpg.Connection, department_id: int) -> list[StoredCondition]:
    """What is wrong now, by subject, for people: what runs found, and what is held, reported or not."""
    noted = {one.subject: one for one in await conditions(connection, department_id)}
    held = [
        StoredCondition(
            one.unit.name,
            one.state,
            one.since,
            noted[one.unit.name].told_at if one.unit.name in noted else None,
            one.run,
        )
        for one in await held_units(connection, department_id)
    ]
    not_units = [one for one in noted.values() if not one.is_unit]
    return sorted([*not_units, *held], key=lambda one: one.subject)


async def latest(connection: asyncpg.Connection, department_id: int) -> list[QueuedAlert]:
    """What waits, then what was sent last, the newest first; twenty in all."""
    rows = await connection.fetch(sql("alerts", "latest"), department_id, 20)
    return [QueuedAlert(**dict(row)) for row in rows]


@asynccontextmanager
async def claimed_alerts(connection: asyncpg.Connection, department_id: int) -> AsyncIterator[Sequence[UnsentAlert]]:
    """The unsent alerts, for whoever sends them within: nobody else claims them meanwhile.

    They are free again when it ends, however it ends: what was sent and not marked yet may be sent twice, never lost.
    """
    async with connection.transaction():
        await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        rows = await connection.fetch(sql("alerts", "unsent"), department_id)
        yield [UnsentAlert(**dict(row)) for row in rows]


async def mark_sent(connection: asyncpg.Connection, department_id: int, ids: Sequence[int]) -> None:
    """Mark alerts that reached every recipient; those that were sent a year ago are deleted."""
    await connection.execute(sql("alerts", "sent"), list(ids))
    await connection.execute(sql("alerts", "forget_sent"), department_id)


async def mark_unsent(connection: asyncpg.Connection, alert_id: int, error: str) -> None:
    """Mark an alert that did not reach some recipient."""
    await connection.execute(sql("alerts", "not_sent"), alert_id, error)
