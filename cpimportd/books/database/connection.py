"""Opens and closes database connections: any libpq URL, timeouts for every statement, failures as problems."""

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import asyncpg

from cpimportd.books.database import remedies
from cpimportd.books.database.failures import connecting_failed, failures_as_problems
from cpimportd.books.database.session import NEWEST, Session, startup_settings
from cpimportd.books.database.target import Target
from cpimportd.config.settings import Database
from cpimportd.core.problems import ProblemError
from cpimportd.core.waiting import report_slow

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine
import logging
import secrets
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

SCHEMA: Final = "cpimportd"
"""Where our own tables are; the backend's are found by the search path."""

_CLOSING: Final = 2.0
"""Seconds that a server may take to close a connection."""


async def connect(
    database: Database, *, direct: bool = False, application_name: str = "cpimportd", read_only: bool = False
) -> asyncpg.Connection:
    """Log in, with the configured timeouts in force for every statement of the session.

    Whatever libpq understands works, as :class:`~cpimportd.books.database.target.Target` has it: Unix sockets
    (``?host=/run/postgresql``), ``sslmode`` and its certificates, several hosts, services, ``~/.pgpass``, ``PG*``
    variables. The session says what it relies on (:mod:`session`); its time zone is the server's: the
    backend's timestamps are naive and mean that. No statement is prepared by name, so that a pooler in transaction mode
    may stand between; one that refuses settings at the start gets none, and is told in each transaction.

    Args:
        database: url, password and timeouts.
        direct: past the pooler, where ``database.direct_url`` is set.
        application_name: what ``pg_stat_activity`` shows, unless the URL says something else.
        read_only: the session's transactions may not write, unless they say otherwise.

    Raises:
        ProblemError: ``database-unreachable``, ``database-login``, ``database-tls``, ``config-incomplete``,
            ``config-value``, ``database-option``; no text of theirs holds a password.
    """
    target = Target.of(database, direct=direct)
    remedies.logged_in_as(target.user)
    settings = startup_settings(database, target.keepalives)
    if read_only:
        settings["default_transaction_read_only"] = "on"
    limit = target.connect_timeout(database.connect_timeout)
    try:
        async with report_slow("database", f"no answer yet from {target.place}", limit):
            return await _begin(target, database, target.application_name or application_name, settings)
    except Exception as error:
        raise ProblemError(connecting_failed(error, target.place)) from error


async def _begin(target: Target, database: Database, name: str, settings: Mapping[str, str]) -> Session:
    called = {"application_name": name} | ({"options": said} if (said := target.options.get("options")) else {})
    try:
        return await _open(target, database, {**called, **settings})
    except asyncpg.UndefinedObjectError:  # an older server
        older = {key: value for key, value in settings.items() if key not in NEWEST}
        return await _open(target, database, {**called, **older})
    except asyncpg.ProtocolViolationError as error:
        if "startup parameter" not in str(error):
            raise
        return await _open(target, database, called)


async def _open(target: Target, database: Database, settings: Mapping[str, str]) -> Session:
    connection: Session = await asyncpg.connect(
        **target.driver_arguments(),
        timeout=target.connect_timeout(database.connect_timeout),
        statement_cache_size=0,
        server_settings=dict(settings),
        connection_class=Session,
    )
    await connection.rely_on(database)
    connected = connection._transport.get_extra_info("socket")  # noqa: SLF001 - the driver offers no other way
    _keep_alive(connected, target)
    return connection


def _keep_alive(connected: socket.socket, target: Target) -> None:
    """Let the kernel ask a silent server whether it is still there (tcp(7)); libpq does so of itself."""
    if connected.family == socket.AF_UNIX:
        return
    asked = target.keepalives
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1 if asked else 0)
    for option, name in (
        (socket.TCP_KEEPIDLE, "keepalives_idle"),
        (socket.TCP_KEEPINTVL, "keepalives_interval"),
        (socket.TCP_KEEPCNT, "keepalives_count"),
    ):
        if name in asked:
            connected.setsockopt(socket.IPPROTO_TCP, option, asked[name])
    if report_slow := int(target.options.get("tcp_user_timeout", "0")):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, report_slow)


@asynccontextmanager
async def opened(
    database: Database, *, direct: bool = False, application_name: str = "cpimportd", read_only: bool = False
) -> AsyncIterator[asyncpg.Connection]:
    """A connection that is closed at the end, and whose failures are problems: everybody's way into the database.

    Args:
        database: url, password and timeouts.
        direct: past the pooler, as of :func:`connect`.
        application_name: as of :func:`connect`.
        read_only: as of :func:`connect`.

    Raises:
        ProblemError: as of :func:`connect`; of what is done on the connection, as of
            :func:`~cpimportd.books.database.failures.failures_as_problems`.
    """
    connection = await connect(database, direct=direct, application_name=application_name, read_only=read_only)
    try:
        with failures_as_problems():
            yield connection
    finally:
        await close_quietly(connection)


async def close_quietly(connection: asyncpg.Connection) -> None:
    """Close a connection that is no longer needed; a failure to close it is ignored, for nothing depends on it."""
    with suppress(OSError, asyncpg.InterfaceError, asyncpg.PostgresError, TimeoutError):
        await connection.close(timeout=_CLOSING)


@asynccontextmanager
async def reconnect_if_closed(connection: asyncpg.Connection, database: Database) -> AsyncIterator[asyncpg.Connection]:
    """The same connection, or another one for a while where it was lost.

    Raises:
        ProblemError: as of :func:`opened`, on another one.
    """
    if not connection.is_closed():
        yield connection
        return
    async with opened(database, direct=True) as other:
        yield other


def engine(database: Database, *, direct: bool = False) -> "AsyncEngine":
    """SQLAlchemy on top of :func:`connect`: no pool, no prepared statements by name.

    Args:
        database: url, password and timeouts.
        direct: past the pooler, where ``database.direct_url`` is set.
    """
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - a run never needs it, and it is heavy
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    async def creator() -> asyncpg.Connection:
        return await connect(database, direct=direct)

    return create_async_engine(
        "postgresql+asyncpg://?prepared_statement_cache_size=0", async_creator=creator, poolclass=NullPool
    )


logger = logging.getLogger(__name__)

PREFIX: Final = "cpimportd_rehearsal_"
"""How the names of these databases begin; the moment in which they were made follows, in UTC."""

_STAMP: Final = "%Y%m%dt%H%M%S"
_FORGOTTEN_AFTER: Final = timedelta(days=1)

_MAY: Final = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
_LIKE_THE_BOOKS: Final = """
    SELECT pg_encoding_to_char(encoding) AS encoding, datcollate, datctype FROM pg_database
    WHERE datname = current_database()
"""
# Those of a rehearsal whose process was killed.
_LEFT: Final = """
    SELECT datname FROM pg_database WHERE starts_with(datname, $1) AND pg_get_userbyid(datdba) = current_user
"""


async def create_scratch(database: Database) -> Database | None:
    """Create an empty database beside the books; what an earlier process left there goes.

    Returns:
        How to get there; None where the server does not let us.

    Raises:
        ProblemError: those of ``connect``.
    """
    async with opened(database, direct=True, application_name="cpimportd rehearse") as connection:
        try:
            if not await connection.fetchval(_MAY):
                return None
            await _drop_forgotten(connection)
            name = f"{PREFIX}{datetime.now(UTC):{_STAMP}}_{secrets.token_hex(3)}"
            like = await connection.fetchrow(_LIKE_THE_BOOKS)
            await connection.execute(
                f"CREATE DATABASE {name} TEMPLATE template0 ENCODING {_literal(like['encoding'])} "
                f"LC_COLLATE {_literal(like['datcollate'])} LC_CTYPE {_literal(like['datctype'])}"
            )
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            logger.info("no database could be created beside the books: %s", error)
            return None
    return _beside(database, name)


async def drop_scratch(database: Database, scratch: Database) -> None:
    """Remove what :func:`create_scratch` made beside the books, whoever is still connected to it.

    Raises:
        ProblemError: those of ``connect``; it could not be dropped.
    """
    async with opened(database, direct=True, application_name="cpimportd rehearse") as connection:
        await connection.execute(f"DROP DATABASE IF EXISTS {_name(scratch)} WITH (FORCE)")


async def _drop_forgotten(connection: asyncpg.Connection) -> None:
    for row in await connection.fetch(_LEFT, PREFIX):
        name = row["datname"]
        try:
            made = datetime.strptime(name.removeprefix(PREFIX).partition("_")[0], _STAMP).replace(tzinfo=UTC)
        except ValueError:
            continue  # none of ours
        if datetime.now(UTC) - made > _FORGOTTEN_AFTER:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _beside(database: Database, name: str) -> Database:
    """The same server and login, another database."""
    target = Target.of(database, direct=True)
    url = target.url_of(name)
    password = None if target.password is None else SecretStr(target.password)
    return database.model_copy(update={"url": SecretStr(url), "direct_url": None, "password": password})


def _name(scratch: Database) -> str:
    if scratch.url is None:
        raise ValueError("a scratch database has a url")
    name = Target.of(scratch, direct=True).database
    if not name.startswith(PREFIX):
        raise ValueError("only a scratch database may be dropped")
    return name
