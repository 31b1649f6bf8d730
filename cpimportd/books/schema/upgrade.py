"""Upgrades our schema, and checks its version: Alembic, run on our connection."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import asyncpg

from cpimportd.books.database.connection import SCHEMA, engine, opened
from cpimportd.books.database.failures import failures_as_problems, translate
from cpimportd.config.settings import Database
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.waiting import report_slow

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

REVISION: Final = "0010"
"""The newest migration: what this program needs."""

_LOCK: Final = int.from_bytes(b"cpimport")
_VERSION_TABLE: Final = f"{SCHEMA}.alembic_version"
_IS_THERE: Final = f"SELECT to_regclass('{_VERSION_TABLE}') IS NOT NULL"
_HAS_TABLES: Final = f"SELECT to_regclass('{SCHEMA}.runs') IS NOT NULL"
_VERSION: Final = f"SELECT version_num FROM {_VERSION_TABLE}"  # noqa: S608 - a constant of ours
# A user who is called as our schema is has it first in his search path ("$user"): the backend's tables, where we create
# them, belong into the schema behind it.
_THEIR_PATH: Final = f"""
    SELECT set_config('search_path', coalesce(string_agg(quote_ident(schema), ', '), 'public'), true)
    FROM unnest(current_schemas(false)) AS path (schema) WHERE schema <> '{SCHEMA}'
"""  # noqa: S608
_ANY_RUN: Final = f"SELECT EXISTS (SELECT FROM {SCHEMA}.runs)"  # noqa: S608


@dataclass(frozen=True, slots=True)
class UpgradeResult:
    """What an upgrade did.

    Attributes:
        before: the revision that was there; None where our schema was not.
        after: the revision that is there now.
        created_backend_tables: the database had none of the backend's tables, so they were made in its shape.
    """

    before: str | None
    after: str
    created_backend_tables: bool

    @property
    def changed(self) -> bool:
        """Whether anything was migrated."""
        return self.before != self.after


async def upgrade(
    database: Database,
    *,
    department_id: int = 8,
    backup: Callable[[], Awaitable[object]] | None = None,
    echo: Callable[[str], object] = lambda _line: None,
) -> UpgradeResult:
    """Bring our schema to :data:`REVISION`; on a database without the backend's tables make those, too.

    All in one transaction: a failed upgrade leaves nothing. A second one at the same moment waits for the first and
    then finds nothing to do.

    Args:
        database: where; ``direct_url`` is preferred.
        department_id: whose books; created where we make ``departments``.
        backup: called before anything changes where our schema is older and holds runs; if it fails, nothing changes.
        echo: told in a sentence what happens.

    Raises:
        ProblemError: ``database-version`` (unknown to this one), ``database-foreign`` (some of the backend's tables are
            missing), ``department-missing``, ``database-rights``, ``backup-failed``, and those of ``connect``.
    """
    connecting = engine(database, direct=True)
    try:
        async with connecting.begin() as connection:
            async with report_slow("upgrade"):
                await _take_lock(connection)
            before = await _revision(connection)
            if before == REVISION:
                return UpgradeResult(before, REVISION, created_backend_tables=False)
            await _refuse_unknown(connection, before)
            if before is not None and backup is not None and await _has_runs(connection):
                echo("backing up")
                await backup()
            echo(f"upgrading {SCHEMA} from {before or 'nothing'} to {REVISION}")
            created = await connection.run_sync(_migrate, before is None, department_id)
            return UpgradeResult(before, REVISION, created_backend_tables=created)
    except ProblemError:
        raise
    except Exception as error:
        raise ProblemError(translate(error, creating=True)) from error
    finally:
        await connecting.dispose()


async def current(database: Database) -> str | None:
    """The revision of our schema; None where there is none.

    Raises:
        ProblemError: those of ``connect``, ``database-rights``.
    """
    async with opened(database, direct=True) as connection:
        return await _found(connection)


async def require_current(connection: asyncpg.Connection) -> None:
    """Make sure that our schema is the one that this program needs.

    Raises:
        ProblemError: ``database-schema``: it is missing or older; ``database-version``; ``database-rights``.
    """
    found = await _found(connection)
    if found is None:
        if await connection.fetchval(_HAS_TABLES):
            raise _without_version()
        raise ProblemError(problem("database-schema", reason=phrase("no-schema", schema=SCHEMA)))
    if found < REVISION:
        reason = phrase("schema-old", schema=SCHEMA, found=found, needed=REVISION)
        raise ProblemError(problem("database-schema", reason=reason))
    if found > REVISION:
        raise _too_new(found)


async def _found(connection: asyncpg.Connection) -> str | None:
    with failures_as_problems():
        if not await connection.fetchval(_IS_THERE):
            return None
        found: str | None = await connection.fetchval(_VERSION)
    return found


def _too_new(found: str) -> ProblemError:
    reason = phrase("schema-new", schema=SCHEMA, found=found, known=REVISION)
    return ProblemError(problem("database-version", reason=reason))


def _without_version() -> ProblemError:
    reason = phrase("schema-unversioned", schema=SCHEMA, table=_VERSION_TABLE)
    return ProblemError(problem("database-version", reason=reason))


async def _take_lock(connection: "AsyncConnection") -> None:
    # Another upgrade may well take longer than lock_timeout allows; statement_timeout still bounds the wait.
    await connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
    await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    await connection.exec_driver_sql("SET LOCAL lock_timeout TO DEFAULT")


async def _revision(connection: "AsyncConnection") -> str | None:
    if not (await connection.exec_driver_sql(_IS_THERE)).scalar():
        return None
    return (await connection.exec_driver_sql(_VERSION)).scalar()


async def _refuse_unknown(connection: "AsyncConnection", before: str | None) -> None:
    if before is None:
        if (await connection.exec_driver_sql(_HAS_TABLES)).scalar():
            raise _without_version()
    elif before > REVISION:
        raise _too_new(before)


async def _has_runs(connection: "AsyncConnection") -> bool:
    return bool((await connection.exec_driver_sql(_ANY_RUN)).scalar())


def _migrate(connection: "Connection", new: bool, department_id: int) -> bool:
    from alembic import command, util  # noqa: PLC0415 - heavy, and a run never needs it

    if new and not connection.exec_driver_sql(f"SELECT to_regnamespace('{SCHEMA}')").scalar():
        connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
    connection.exec_driver_sql(_THEIR_PATH)
    config = alembic_config()
    config.attributes.update(connection=connection, department_id=department_id, created_backend_tables=False)
    try:
        command.upgrade(config, REVISION)
    except util.CommandError as error:
        raise ProblemError(problem("database-version", reason=str(error))) from error
    return bool(config.attributes["created_backend_tables"])


def alembic_config() -> "Config":
    """Alembic's configuration: where the migrations are, and nothing else."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "cpimportd.books.schema:migrations")
    return config
