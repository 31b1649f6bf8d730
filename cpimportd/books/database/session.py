"""Sets the session settings that a run relies on, so that no default of a role, database or server changes its work.

The settings are sent at the session's start (a startup packet overrides ``ALTER ROLE``), and again at the start of
every transaction, because behind a pooler in transaction mode nothing else has an effect. Some settings keep their
defaults on purpose: ``search_path`` (it finds the backend's tables), ``TimeZone`` (the backend's timestamps are naive
and in this zone), ``default_transaction_read_only`` (somebody froze the database: that is reported, not overridden),
tablespaces.

https://www.postgresql.org/docs/current/runtime-config-client.html
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, cast

import asyncpg
from asyncpg.transaction import Transaction

from cpimportd.books.database.encodings import fitting
from cpimportd.config.settings import Database

SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # A published run has reached the disk: its slot is done. (asynchronous commit loses the last moments)
        "synchronous_commit": "on",
        # A run rests between its stages as long as they take.
        "idle_in_transaction_session_timeout": "0",
        "idle_session_timeout": "0",
        # What isolation the statements were written for.
        "default_transaction_isolation": "read committed",
        "default_transaction_deferrable": "off",
        # A policy that hides rows fails a statement instead of falsifying its sum.
        "row_security": "off",
        # How statements are read, and how texts made of values look.
        "standard_conforming_strings": "on",
        "backslash_quote": "safe_encoding",
        "transform_null_equals": "off",
        "array_nulls": "on",
        "quote_all_identifiers": "off",
        "DateStyle": "ISO, MDY",
        "IntervalStyle": "postgres",
        "extra_float_digits": "1",
        "bytea_output": "hex",
        # An error ends a statement or a savepoint, not the session; tables are those that can be updated.
        "exit_on_error": "off",
        "default_table_access_method": "heap",
    }
)
"""Beside ``database.statement_timeout`` and ``lock_timeout``."""

_SINCE: Final[Mapping[str, tuple[int, str]]] = {"transaction_timeout": (17, "0")}
"""Settings that older servers do not know: they are said when the version is known."""

# A pooler makes up the number that it gives at the login; a setting of the session would stay with it, for others.
_OWN: Final = "SELECT pg_backend_pid() = $1"
_IN_SESSION: Final = """
    SELECT set_config(name, value, false) FROM unnest($2::text[], $3::text[]) AS said (name, value)
    WHERE pg_backend_pid() = $1 AND current_setting(name) <> value
"""

NEWEST: Final = frozenset({"idle_session_timeout"})
"""Of :data:`SETTINGS`, those that a server before PostgreSQL 14 refuses at the start."""

_KEEPALIVE_SETTINGS: Final = ("keepalives_idle", "keepalives_interval", "keepalives_count")


_PATIENT: Final[Mapping[str, int]] = {"statement_timeout": 0, "idle_session_timeout": 14, "transaction_timeout": 17}
"""Limits of a session by the version that brought them; pg_dump lifts none before its first statement."""


def patient(major: int) -> str:
    """The options by which a server of this version lets pg_dump take its time."""
    return " ".join(f"-c {name}=0" for name, since in _PATIENT.items() if major >= since)


def _milliseconds(span: timedelta) -> str:
    return str(max(1, round(span.total_seconds() * 1000)))


def startup_settings(database: Database, keepalives: Mapping[str, int]) -> dict[str, str]:
    """What a session is told when it begins.

    Args:
        database: the timeouts.
        keepalives: in seconds, as of :class:`~cpimportd.books.database.target.Target`.
    """
    return {
        **SETTINGS,
        "statement_timeout": _milliseconds(database.statement_timeout),
        "lock_timeout": _milliseconds(database.lock_timeout),
        **{f"tcp_{name}": str(keepalives[name]) for name in _KEEPALIVE_SETTINGS if name in keepalives},
    }


class Session(asyncpg.Connection):  # type: ignore[misc]
    """A connection whose transactions begin by saying what they rely on."""

    __slots__ = ("_fit", "_own", "_said")

    async def rely_on(self, database: Database) -> None:
        """Say in every transaction what :func:`startup_settings` has, and what this server knows besides."""
        self._fit = fitting(self.get_settings().server_encoding)
        version = self.get_server_version().major
        newer = {name: value for name, (since, value) in _SINCE.items() if version >= since}
        said = {**startup_settings(database, {}), **newer}
        self._said = "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in said.items() if name != "DateStyle")
        self._said += f"; SET LOCAL DateStyle = {SETTINGS['DateStyle']}"
        self._own = await self.fetchval(_OWN, self.get_server_pid())
        if newer and self._own:
            await self.execute(_IN_SESSION, self.get_server_pid(), list(newer), list(newer.values()))

    def transaction(
        self, *, isolation: str | None = None, readonly: bool = False, deferrable: bool = False
    ) -> "SaidTransaction":
        """A transaction, or within one a savepoint; asyncpg's own with what it relies on.

        Args:
            isolation: such as ``repeatable_read``; READ COMMITTED where nobody says it.
            readonly: nothing is written.
            deferrable: as of PostgreSQL.
        """
        self._check_open()
        said = getattr(self, "_said", "")
        # Only in a transaction that nobody gave an isolation does a role's default count.
        told = said if isolation else f"SET TRANSACTION ISOLATION LEVEL READ COMMITTED; {said}"
        return SaidTransaction(self, told, isolation, readonly=readonly, deferrable=deferrable)

    @property
    def is_own(self) -> bool:
        """Whether one server process is ours alone, so that what was said at the start holds; no pooler gives one."""
        return bool(getattr(self, "_own", True))

    def _fitting(self, arguments: Sequence[Any]) -> Sequence[Any]:
        # Before the session is told what to rely on, it is asked nothing that has a text.
        fit = getattr(self, "_fit", None)
        return arguments if fit is None else [fit(argument) for argument in arguments]

    # What is told in these is about workbooks: reports, names of files and units. Documents are copied.

    async def execute(self, query: str, *args: object, **options: Any) -> str:  # noqa: ANN401
        """As asyncpg's own; texts fit into the database's encoding."""
        return cast("str", await super().execute(query, *self._fitting(args), **options))

    async def executemany(self, command: str, args: Iterable[Sequence[Any]], **options: Any) -> None:  # noqa: ANN401
        """As asyncpg's own; texts fit into the database's encoding."""
        await super().executemany(command, (self._fitting(row) for row in args), **options)

    async def fetch(self, query: str, *args: object, **options: Any) -> list[asyncpg.Record]:  # noqa: ANN401
        """As asyncpg's own; texts fit into the database's encoding."""
        return cast("list[asyncpg.Record]", await super().fetch(query, *self._fitting(args), **options))

    async def fetchval(self, query: str, *args: object, **options: Any) -> Any:  # noqa: ANN401
        """As asyncpg's own; texts fit into the database's encoding."""
        return await super().fetchval(query, *self._fitting(args), **options)

    async def fetchrow(self, query: str, *args: object, **options: Any) -> asyncpg.Record | None:  # noqa: ANN401
        """As asyncpg's own; texts fit into the database's encoding."""
        return await super().fetchrow(query, *self._fitting(args), **options)


@asynccontextmanager
async def relying(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Single statements that rely on what is said: as they are, or, behind a pooler, in a transaction that says it."""
    # isinstance() takes any connection of asyncpg's for one of a class made from it.
    if getattr(connection, "is_own", True):
        yield
    else:
        async with connection.transaction():
            yield


class SaidTransaction(Transaction):  # type: ignore[misc]
    """A transaction that says what it relies on before its first statement."""

    __slots__ = ("_told",)

    def __init__(
        self, connection: Session, told: str, isolation: str | None, *, readonly: bool, deferrable: bool
    ) -> None:
        super().__init__(connection, isolation, readonly, deferrable)
        self._told = told

    async def start(self) -> None:
        """Begin it.

        Raises:
            asyncpg.PostgresError: a setting is refused; the transaction is rolled back.
        """
        connection = cast("Session", self._connection)
        outermost = not connection.is_in_transaction()
        await super().start()
        if outermost:
            try:
                await connection.execute(self._told)
            except BaseException:
                if not connection.is_closed():
                    await self.rollback()
                raise
