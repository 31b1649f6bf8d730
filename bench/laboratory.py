"""The same ground for all: one PostgreSQL, a fresh database for each contestant and round, and files that the system has in memory."""

import asyncio
import compileall
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg
from pydantic import SecretStr

import cpimportd
from cpimportd.books.database.embedded import EmbeddedPostgres
from cpimportd.books.schema.upgrade import upgrade
from cpimportd.config.settings import Database

SETTINGS = {"max_wal_size": "16GB", "checkpoint_timeout": "1h", "min_wal_size": "4GB"}
"""A checkpoint comes when the benchmark asks for one, before each run, and leaves segments of the WAL to be used again, as a
server in use has them (a new cluster fills each with zeros first); all else is PostgreSQL's own default."""
TEMPLATE = "template_migrated"


class Laboratory:
    """An embedded PostgreSQL and its databases; a context manager."""

    def __init__(self) -> None:
        self.server = EmbeddedPostgres(configuration=SETTINGS)

    def __enter__(self) -> Self:
        # As pip does when it installs the package: where Python may write no bytecode, every start would compile it anew.
        compileall.compile_dir(Path(cpimportd.__file__).parent, quiet=1)
        self.server.start()
        self.sql(f"CREATE DATABASE {TEMPLATE}")
        asyncio.run(upgrade(Database(url=SecretStr(self.server.url(TEMPLATE)))))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.stop()

    @property
    def postmaster(self) -> int:
        """The process id of PostgreSQL's first process."""
        return int((self.server.folder / "data" / "postmaster.pid").read_text().split()[0])

    def url(self, database: str) -> str:
        return self.server.url(database)

    def fresh(self, database: str, template: str = TEMPLATE) -> str:
        """A new database over any old one of its name; with the backend's tables, empty. Gives its URL."""
        self.sql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)", f"CREATE DATABASE {database} TEMPLATE {template}")
        return self.url(database)

    def drop(self, *databases: str) -> None:
        self.sql(*(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)" for name in databases))

    def sql(self, *statements: str, database: str = "postgres") -> list[asyncpg.Record]:
        """Execute statements in order; gives the last one's rows."""
        return asyncio.run(self._sql(database, statements))

    def value(self, statement: str, database: str = "postgres") -> Any:
        return self.sql(statement, database=database)[0][0]

    async def _sql(self, database: str, statements: Iterable[str]) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.url(database))
        try:
            rows: list[asyncpg.Record] = []
            for statement in statements:
                rows = await connection.fetch(statement)
            return rows
        finally:
            await connection.close()

    def ready(self, *folders: Path) -> None:
        """Before a run: what earlier ones left to be written is written, and the files are in the page cache."""
        self.settle()
        self.sql("CHECKPOINT")
        for folder in folders:
            for path in folder.iterdir():
                path.read_bytes()

    def settle(self) -> None:
        """Wait until the server has put away the sessions of a program that ended, with their statistics."""
        ours = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        deadline = time.monotonic() + 30
        while self.value(ours) and time.monotonic() < deadline:
            time.sleep(0.02)

    def written(self) -> int:
        """The place in the WAL, in bytes, up to which something was written."""
        return int(self.value("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))

    def set(self, **settings: str) -> None:
        """Change settings of the running server."""
        self.sql(
            *(f"ALTER SYSTEM SET {name} = '{value}'" for name, value in settings.items()), "SELECT pg_reload_conf()"
        )
        time.sleep(0.2)
