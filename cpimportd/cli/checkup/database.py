"""Checks of the database: connection, rights, schema, department, pooler, the predecessor, the clock."""

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

import asyncpg

from cpimportd.books.database import obstacles, programs
from cpimportd.books.database.connection import opened
from cpimportd.books.database.failures import translate
from cpimportd.books.publish.notices import outstanding, readers
from cpimportd.books.schema import rights
from cpimportd.books.schema.upgrade import require_current
from cpimportd.cli.checkup.line import CheckLine, attempt, bad, good, skipped
from cpimportd.config.load import Loaded, require_database
from cpimportd.config.settings import Database, Settings
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import ProblemError, problem

_CLOCKS_APART: Final = timedelta(seconds=5)

# import_date is naive, in the server's zone, which is our session's too.
_PREDECESSOR: Final = """
    SELECT max(l.import_date)::timestamptz FROM fin_import_logs l
    WHERE l.department_id = $1 AND l.processed_by = 'auto_importer'
      AND l.import_date > (SELECT min(started_at)::timestamp FROM cpimportd.runs WHERE department_id = $1)
"""

Step = Callable[[asyncpg.Connection], Awaitable[Sequence[CheckLine]]]


async def database(loaded: Loaded, within: timedelta) -> tuple[CheckLine, ...]:
    """Everything about the database, each thing by itself; where it cannot be reached the rest is not tried."""
    settings = loaded.settings
    steps: dict[str, Step] = {
        "database schema": _schema,
        "database rights": _rights,
        "database tables": _tables,
        "department": lambda connection: _department(connection, settings.department_id),
        "detail lines": _details_index,
        "old importer": lambda connection: _predecessor(connection, settings.department_id, settings.zone),
        "readers": lambda connection: _readers(connection, settings),
        "clock": _clock,
        "pg_dump": _pg_dump,
    }
    names = (*steps, "pooler")
    async with AsyncExitStack() as stack:
        connection: list[asyncpg.Connection] = []

        async def reach() -> Sequence[CheckLine]:
            require_database(settings, loaded.path)
            connection.append(await stack.enter_async_context(_connected(settings.database, direct=True)))
            return (await _server(connection[0]),)

        lines = await attempt("database", reach(), within)
        if not connection:
            return (*lines, *(skipped(name, "the database cannot be reached") for name in names))
        upgrade_first = await _waiting_for_upgrade(connection[0])
        for name, step in steps.items():
            if name in upgrade_first:
                lines += (skipped(name, "run `cpimportd db upgrade` first"),)
            else:
                lines += await attempt(name, _translated(_looked_at(step, connection[0])), within)
        return (*lines, *await attempt("pooler", _translated(_pooler(settings.database)), within))


def _connected(settings: Database, *, direct: bool) -> AbstractAsyncContextManager[asyncpg.Connection]:
    return opened(settings, direct=direct, application_name="cpimportd check")


async def _looked_at(step: Step, connection: asyncpg.Connection) -> Sequence[CheckLine]:
    """One step in a transaction, as in a run, with the same session settings, also behind a pooler."""
    async with connection.transaction(readonly=True):
        return await step(connection)


async def _translated(work: Awaitable[Sequence[CheckLine]]) -> Sequence[CheckLine]:
    try:
        return await work
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError) as error:
        raise ProblemError(translate(error)) from error


async def _waiting_for_upgrade(connection: asyncpg.Connection) -> frozenset[str]:
    """The steps that mean nothing before ``db upgrade``: it makes our schema, and in an empty database all tables."""
    ours, theirs = await connection.fetchrow(
        """SELECT to_regclass('cpimportd.notice') IS NOT NULL,
                  to_regclass('departments') IS NOT NULL OR to_regclass('fin_expenses') IS NOT NULL"""
    )
    if theirs:
        return frozenset() if ours else frozenset({"old importer", "readers"})
    return frozenset({"database tables", "department", "detail lines", "old importer", "readers"})


async def _server(connection: asyncpg.Connection) -> CheckLine:
    row = await connection.fetchrow(
        """SELECT current_setting('server_version') AS version, current_database() AS name, current_user AS user,
                  pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'on' AS read_only"""
    )
    server = phrase("the-server", version=row["version"], name=row["name"], user=row["user"])
    if row["standby"] or row["read_only"]:
        reason = phrase("standby" if row["standby"] else "read-only-on", server=server)
        return bad("database", problem("database-read-only", reason=reason))
    return good("database", str(server))


async def _rights(connection: asyncpg.Connection) -> Sequence[CheckLine]:
    missing = await rights.missing_rights(connection)
    name = "database rights"
    return [bad(name, found) for found in missing] or [good(name, "all that a run needs")]


async def _tables(connection: asyncpg.Connection) -> Sequence[CheckLine]:
    name = "database tables"
    blocking = [bad(name, found) for found in await obstacles.blocking(connection)]
    noteworthy = [bad(name, found) for found in await obstacles.noteworthy(connection)]
    if blocking:
        return [*blocking, *noteworthy]
    await rights.check_tables(connection)
    more = obstacles.described(await obstacles.look(connection))
    return [good(name, "the backend's tables are as expected" + (f" ({more})" if more else "")), *noteworthy]


async def _schema(connection: asyncpg.Connection) -> Sequence[CheckLine]:
    await require_current(connection)
    return (good("database schema", "up to date"),)


async def _department(connection: asyncpg.Connection, department_id: int) -> Sequence[CheckLine]:
    row = await connection.fetchrow("SELECT name, is_active FROM departments WHERE id = $1", department_id)
    if row is None:
        return (bad("department", problem("department-missing", value=str(department_id))),)
    if not row["is_active"]:
        return (bad("department", problem("department-inactive", value=f"{department_id} ({row['name']})")),)
    return (good("department", f"{department_id} ({row['name']})"),)


async def _details_index(connection: asyncpg.Connection) -> Sequence[CheckLine]:
    index = await rights.details_unique_index(connection)
    if index is None:
        return (good("detail lines", "equal lines of one document can be stored"),)
    text = f"the backend's unique index {index} forbids equal lines of one document; a unit that has any is held"
    return (good("detail lines", text),)


async def _predecessor(connection: asyncpg.Connection, department_id: int, zone: tzinfo) -> Sequence[CheckLine]:
    latest = await connection.fetchval(_PREDECESSOR, department_id)
    if latest is not None:
        return (bad("old importer", problem("old-importer", value=latest.astimezone(zone))),)
    return (good("old importer", "it has not written since our first run"),)


async def _readers(connection: asyncpg.Connection, settings: Settings) -> Sequence[CheckLine]:
    """Whether caches and views were notified of every run that changed the books."""
    untold = await outstanding(connection, settings.department_id, readers(settings))
    found = [bad("readers", one.explained(settings.zone)) for one in untold]
    return found or [good("readers", "cache and views are up to date with every run that changed the books")]


async def _clock(connection: asyncpg.Connection) -> Sequence[CheckLine]:
    before = time.monotonic()
    ours = datetime.now(UTC)
    theirs = await connection.fetchval("SELECT clock_timestamp()")
    took = timedelta(seconds=time.monotonic() - before)
    apart = theirs - (ours + took / 2)
    if abs(apart) > _CLOCKS_APART + took / 2:
        return (bad("clock", problem("clock-apart", value=apart)),)
    return (good("clock", f"the database's is {apart.total_seconds():+.1f} s apart from ours"),)


async def _pg_dump(connection: asyncpg.Connection) -> Sequence[CheckLine]:
    """Whether a pg_dump is at hand that is not older than the server: an older one refuses."""
    server = connection.get_server_version().major
    chosen, found = await programs.not_older(programs.found("pg_dump"), server)
    if chosen is not None:
        return (good("pg_dump", f"{chosen.path}, version {chosen.major}"),)
    there = [one.told for one in found]
    reason = phrase("pg-dump-older", needed=server, found=there) if found else phrase("pg-dump-nowhere")
    return (bad("pg_dump", problem("pg-dump-missing", reason=reason)),)


async def _pooler(settings: Database) -> Sequence[CheckLine]:
    """Whether a pooler gives every transaction another server process, as one in transaction mode may do.

    While the first connection rests between two transactions, a second one begins its own: it takes the process that
    became free, and the first gets another.
    """
    async with _connected(settings, direct=False) as first, _connected(settings, direct=False) as second:
        processes = set()
        for _ in range(2):
            processes.add(await _process(first))
            async with second.transaction():
                await second.fetchval("SELECT 1")
                processes.add(await _process(first))
    if len(processes) == 1:
        return (good("pooler", "none, or one that keeps a session together"),)
    if settings.direct_url is not None:
        return (good("pooler", "in transaction mode; runs and migrations go past it by database.direct_url"),)
    return (bad("pooler", problem("pooler")),)


async def _process(connection: asyncpg.Connection) -> int:
    async with connection.transaction():
        process: int = await connection.fetchval("SELECT pg_backend_pid()")
        return process
