"""A real PostgreSQL, and fresh databases from templates.

CPIMPORTD_TEST_POSTGRES chooses it: ``16`` (the default) or ``18`` from the wheel, or a folder with programs, such as
``/usr/lib/postgresql/15/bin``. Roles: ``postgres`` (superuser), ``backend`` (owns the ``fin_*`` tables where the
backend made them), ``cpimportd`` (our own, never a superuser).
"""

import asyncio
import itertools
import os
import shutil
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

import asyncpg

from cpimportd.books.database.embedded import EmbeddedPostgres
from cpimportd.config.settings import Database

BACKEND_SQL = Path(__file__).parent / "backend.sql"

# Newer backends have this index; two equal lines of one document cannot be stored under it.
DETAILS_INDEX = """
    CREATE UNIQUE INDEX uq_fin_expense_details_line
    ON fin_expense_details (expense_operation_id, payment_type, payment_amount, department_id)
"""

Result = TypeVar("Result")


# Hundreds of databases are copied and dropped: in memory, where it has room, that is several times as fast.
MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 2 << 30  # bytes


def in_memory() -> Path | None:
    """A folder in memory for a server's data; None where there is none, or little room."""
    usable = os.access(MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED
    return MEMORY if usable else None


SMALL_AND_BRIEF = {"shared_buffers": "16MB", "autovacuum": "off", "wal_level": "minimal", "max_wal_senders": "0"}
"""For databases that are small and soon dropped: a seventh of the server's processor time less."""


def chosen_postgres() -> EmbeddedPostgres:
    choice = os.environ.get("CPIMPORTD_TEST_POSTGRES", "16")
    if choice.isdigit():
        return EmbeddedPostgres(in_memory(), version=int(choice), fast=True, configuration=SMALL_AND_BRIEF)
    return EmbeddedPostgres(in_memory(), bindir=Path(choice), fast=True, configuration=SMALL_AND_BRIEF)


def run_apart(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end on a loop of its own, in a thread: from sync fixtures and within async tests alike."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()


async def _execute(url: str, statements: tuple[str, ...]) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        rows: list[asyncpg.Record] = []
        for statement in statements[:-1]:
            await connection.execute(statement)
        for statement in statements[-1:]:
            # A script of several statements cannot be fetched from; whatever gives rows is a single one.
            if ";" in statement.strip().rstrip(";"):
                await connection.execute(statement)
            else:
                rows = await connection.fetch(statement)
        return rows
    finally:
        await connection.close()


def run_sql(url: str, *statements: str) -> list[asyncpg.Record]:
    """Execute statements in order on a connection of their own; gives the last one's rows."""
    return run_apart(_execute(url, statements))


class MakeDatabase(Protocol):
    """Gives the URL of a fresh database, logged in as ``cpimportd``."""

    def __call__(self, template: str | None = None, *, backend: bool = False, details_index: bool = False) -> str: ...


class Standing:
    """A superuser's connection that stays open, for what every test needs: its databases are made and dropped."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="standing connection", daemon=True)
        self._thread.start()
        self._connection: asyncpg.Connection | None = None

    def execute(self, *statements: str) -> None:
        asyncio.run_coroutine_threadsafe(self._execute(statements), self._loop).result()

    async def _execute(self, statements: tuple[str, ...]) -> None:
        if self._connection is None or self._connection.is_closed():  # some tests end all connections
            self._connection = await asyncpg.connect(self._server.url())
        for statement in statements:
            await self._connection.execute(statement)

    def close(self) -> None:
        if self._connection is not None:
            asyncio.run_coroutine_threadsafe(self._connection.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Templates:
    """Databases that are made once and copied for every test; each is made when it is first asked for."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server
        self.standing = Standing(server)
        self._made: set[str] = set()
        self._numbers = itertools.count(1)
        self.standing.execute("CREATE ROLE backend LOGIN", "CREATE ROLE cpimportd LOGIN")

    def create(self, name: str, template: str | None, owner: str) -> None:
        source = template or "template0"
        self.standing.execute(
            f'CREATE DATABASE "{name}" TEMPLATE "{source}" OWNER "{owner}" STRATEGY FILE_COPY',
            f'GRANT CREATE ON DATABASE "{name}" TO cpimportd',
        )

    def fresh(self, template: str | None, owner: str) -> str:
        name = f"test_{next(self._numbers)}"
        self.create(name, template, owner)
        return name

    def backend(self, *, details_index: bool) -> str:
        name = "template_backend_index" if details_index else "template_backend"
        if name not in self._made:
            self.create(name, None, "backend")
            run_sql(self.server.url(name, "backend"), BACKEND_SQL.read_text(encoding="utf-8"))
            if details_index:
                run_sql(self.server.url(name, "backend"), DETAILS_INDEX)
            run_sql(
                self.server.url(name, "backend"),
                "GRANT USAGE ON SCHEMA public TO cpimportd",
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO cpimportd",
                "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO cpimportd",
            )
            self._made.add(name)
        return name

    def migrated(self) -> str:
        name = "template_migrated"
        if name not in self._made:
            from cpimportd.books.schema.upgrade import upgrade

            self.create(name, None, "cpimportd")
            run_apart(upgrade(Database(url=self.server.url(name, "cpimportd"))))
            self._made.add(name)
        return name

    def drop(self, names: list[str]) -> None:
        self.standing.execute(*(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for name in names))
