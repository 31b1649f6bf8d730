"""A real PostgreSQL for every test that needs one, and fresh databases from templates (tests/support/database.py)."""

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from cpimportd.books.database.embedded import EmbeddedPostgres, PostgresError
from tests.support.database import MakeDatabase, Templates, chosen_postgres, run_apart, run_sql

# Where other processes compute, an example may take longer than 200 ms, and no example is slow for that.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# Whatever this machine says: the many processes that tests start need not compile all modules each.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

pytest_plugins = [
    "tests.support.faults.table",
    "tests.support.parallel",
    "tests.support.secrets",
    "tests.support.two_days",
    "tests.support.workbook.lasting_readers",
]


def pytest_report_header() -> str:
    try:
        return f"database: {chosen_postgres().version}"
    except PostgresError as error:
        return f"database: none ({error})"


@pytest.fixture(scope="session")
def folders_for_all() -> Iterator[Callable[[], Path]]:
    """Makes folders that other users can enter: pytest's own are closed to them, and what lies above is not ours to open."""
    made: list[Path] = []

    def make() -> Path:
        made.append(Path(tempfile.mkdtemp(prefix="cpimportd-test-", dir="/tmp")))
        made[-1].chmod(0o755)
        return made[-1]

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """A running server; it goes with all its data at the end of the session."""
    with chosen_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def templates(postgres_server: EmbeddedPostgres) -> Iterator[Templates]:
    made = Templates(postgres_server)
    yield made
    made.standing.close()


@pytest.fixture
def make_database(templates: Templates) -> Iterator[MakeDatabase]:
    """Make as many databases as the test needs; they are dropped after it.

    ``template``: an existing database's name, copied; ``backend``: with the backend's tables, owned by role
    ``backend``; ``details_index``: with the newer backends' unique index on details, too.
    """
    made: list[str] = []

    def make(template: str | None = None, *, backend: bool = False, details_index: bool = False) -> str:
        owner = "backend" if backend else "cpimportd"
        if backend:
            template = template or templates.backend(details_index=details_index)
        name = templates.fresh(template, owner)
        made.append(name)
        return templates.server.url(name, "cpimportd")

    yield make
    for name in made:
        _search(templates.server.url(name))
    templates.drop(made)


def _search(url: str) -> None:
    """No run of a test has stored a planted password with its report."""
    from tests.support.secrets import look_at  # pytest wants to be the first to import its plugins

    with suppress(OSError, asyncpg.PostgresError):
        for table, row in run_apart(_stored(url)):
            look_at(f"a row of cpimportd.{table}", row)


async def _stored(url: str) -> list[tuple[str, str]]:
    """Every row of our tables that hold texts, whole, with its table's name."""
    connection = await asyncpg.connect(url)
    try:
        return [
            (table, row["whole"])
            for table in ("runs", "condition", "alert")
            if await connection.fetchval(f"SELECT to_regclass('cpimportd.{table}') IS NOT NULL")
            for row in await connection.fetch(f"SELECT r::text AS whole FROM cpimportd.{table} r")
        ]
    finally:
        await connection.close()


@pytest.fixture
def empty_database(make_database: MakeDatabase) -> str:
    """The URL of an empty database that belongs to role ``cpimportd``."""
    return make_database()


@pytest.fixture
def backend_database(make_database: MakeDatabase) -> str:
    """The URL of a database whose ``fin_*`` tables belong to the backend.

    ``cpimportd`` has DML there and USAGE on their sequences, and may create a schema of its own.
    """
    return make_database(backend=True)


@pytest.fixture
def database(make_database: MakeDatabase, templates: Templates) -> str:
    """The URL of a database that belongs to ``cpimportd``, with our migrations applied."""
    return make_database(templates.migrated())


@pytest.fixture
def superuser_url(postgres_server: EmbeddedPostgres) -> Callable[[str], str]:
    """From a test database's URL to the same database as superuser, to look or break things behind our back."""

    def as_superuser(url: str) -> str:
        return url.replace("//cpimportd@", "//postgres@", 1)

    return as_superuser


@pytest.fixture
def sql() -> Callable[..., list[asyncpg.Record]]:
    """``sql(url, *statements)`` executes them and gives the last one's rows; works in sync and async tests."""
    return run_sql


@pytest.fixture
def connect() -> Callable[[str], AbstractAsyncContextManager[asyncpg.Connection]]:
    """``async with connect(url) as connection``: a connection on the test's own loop, closed at the end."""

    @asynccontextmanager
    async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(url)
        try:
            yield connection
        finally:
            await connection.close()

    return connected
