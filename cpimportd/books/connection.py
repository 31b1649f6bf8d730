"""Getting into the database: any libpq URL, timeouts for every statement, and failures as problems of the catalog."""

import os
import re
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import asyncpg

from cpimportd.books.failures import connecting_failed
from cpimportd.problems import ProblemError, problem
from cpimportd.settings import Database

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

SCHEMA: Final = "cpimportd"
"""Where our own tables are; the backend's are found by the search path."""

# libpq's connection keywords that concern only libpq; asyncpg would send them to the server, which refuses them.
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_LIBPQ_ONLY: Final = frozenset(
    {
        "channel_binding",
        "connect_timeout",
        "fallback_application_name",
        "gssencmode",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "load_balance_hosts",
        "sslcompression",
        "sslsni",
        "tcp_user_timeout",
    }
)

_KEEPALIVE: Final = {"idle": 30, "interval": 10, "count": 3}
"""Seconds of silence, seconds between two questions, and how many may stay unanswered before a peer counts as gone.

Both ends ask. A host that was cut off in the middle of a run would else hold the run's lock for as long as its server's
kernel pleases, which is two hours, and no standby could take over; and its own run would wait as long for an answer.
"""

_KEYWORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


def _milliseconds(span: timedelta) -> str:
    return str(max(1, round(span.total_seconds() * 1000)))


def _url(database: Database, *, direct: bool) -> str:
    chosen = (database.direct_url if direct else None) or database.url
    if chosen is None:
        raise ProblemError(
            problem(
                "config-incomplete",
                key="database.url",
                place="the configuration file",
                variable="CPIMPORTD_DATABASE__URL",
            )
        )
    scheme, separator, rest = chosen.get_secret_value().partition("://")
    return scheme.partition("+")[0] + separator + rest


class Target:
    """Where a connection goes: the URL taken apart, so that no secret travels in it.

    Attributes:
        url: as libpq's programs understand it, without a password.
        dsn: the same as asyncpg understands it.
        password: the URL's own, else ``database.password``; None leaves it to ``PGPASSWORD`` and ``~/.pgpass``.
        ssl: where the URL asks for the system's authorities; None leaves it to the URL.
        place: host and database, for messages.

    Args:
        database: the settings.
        direct: past the pooler, where ``database.direct_url`` is set.

    Raises:
        ProblemError: ``config-incomplete``, ``config-value``.
    """

    def __init__(self, database: Database, *, direct: bool) -> None:
        scheme, login, host, path, query = _taken_apart(_url(database, direct=direct))
        if query.get("channel_binding") == "require":
            raise _refused("channel_binding=require is beyond our driver; sslmode=verify-full does as much")
        _check_files(query)
        user, _, password = login.partition(":")
        configured = None if database.password is None else database.password.get_secret_value()
        in_query = query.pop("password", "")
        self.password = unquote(password) or in_query or configured
        start = f"{scheme}://{user}@{host}{path}?" if user else f"{scheme}://{host}{path}?"
        # A key file's own password has no place but a command line there: pg_dump has to do without.
        self.url = start + _encoded({name: value for name, value in query.items() if name != "sslpassword"})
        self.ssl: ssl.SSLContext | None = None
        if query.get("sslrootcert") == "system":  # libpq 16: any authority that the system trusts, host name checked
            query.pop("sslrootcert")
            query.pop("sslmode", None)
            self.ssl = ssl.create_default_context()
        kept = {name: value for name, value in query.items() if name not in _LIBPQ_ONLY}
        self.dsn = start + _encoded(kept)
        name = kept.get("dbname") or unquote(path.lstrip("/")) or "of the user's name"
        self.place = f"{kept.get('host') or unquote(host) or 'the local server'}, database {name}"


def _taken_apart(url: str) -> tuple[str, str, str, str, dict[str, str]]:
    """Scheme, user and password, host and port, path, and the query's keywords.

    What looks as if a bare ``/``, ``?`` or ``#`` of a password had cut the URL is refused: its rest would be shown as
    the name of a host or database.
    """
    unreadable = _refused("it cannot be read: special characters of a password must be percent-encoded (/ as %2F)")
    try:
        parts = urlsplit(url)
        # To libpq a plus sign is a plus sign.
        query = dict(parse_qsl(parts.query.replace("+", "%2B"), keep_blank_values=True))
    except ValueError:
        raise unreadable from None
    login, _, host = parts.netloc.rpartition("@")
    if "@" in parts.path or parts.fragment or not all(_KEYWORD.fullmatch(name) for name in query):
        raise unreadable
    return parts.scheme, login, host, parts.path, query


def _encoded(query: Mapping[str, str]) -> str:
    return urlencode(query, quote_via=quote)


def _check_files(query: Mapping[str, str]) -> None:
    # The driver's own error would not say which file.
    for name in ("sslrootcert", "sslcert", "sslkey", "sslcrl"):
        file = query.get(name)
        if file and not (name == "sslrootcert" and file == "system") and not os.access(file, os.R_OK):
            raise _refused(f"{name}: {file} cannot be read")


def _refused(reason: str) -> ProblemError:
    return ProblemError(problem("config-value", key="database.url", place="the configuration", reason=reason))


async def connect(
    database: Database, *, direct: bool = False, application_name: str = "cpimportd", read_only: bool = False
) -> asyncpg.Connection:
    """Log in, with the configured timeouts in force for every statement of the session.

    Whatever libpq understands works: Unix sockets (``?host=/run/postgresql``), ``sslmode`` and its certificates,
    several hosts, ``~/.pgpass``, ``PG*`` variables. The session's time zone is the server's: the backend's timestamps
    are naive and mean that. No statement is prepared by name, so that a pooler in transaction mode may stand between;
    one that refuses timeouts as startup parameters gets none (the server's own are in force then).

    Args:
        database: url, password and timeouts.
        direct: past the pooler, where ``database.direct_url`` is set.
        application_name: what ``pg_stat_activity`` shows.
        read_only: the session's transactions may not write, unless they say otherwise.

    Raises:
        ProblemError: ``database-unreachable``, ``database-login``, ``database-tls``, ``config-incomplete``,
            ``config-value``; no text of theirs holds a password.
    """
    target = Target(database, direct=direct)
    settings = {
        "statement_timeout": _milliseconds(database.statement_timeout),
        "lock_timeout": _milliseconds(database.lock_timeout),
        "idle_in_transaction_session_timeout": "0",
        **{f"tcp_keepalives_{name}": str(value) for name, value in _KEEPALIVE.items()},
        **({"default_transaction_read_only": "on"} if read_only else {}),
    }
    try:
        try:
            return await _open(target, database, {"application_name": application_name, **settings})
        except asyncpg.ProtocolViolationError as error:
            if "startup parameter" not in str(error):
                raise
            return await _open(target, database, {"application_name": application_name})
    except Exception as error:
        raise ProblemError(connecting_failed(error, target.place)) from error


async def _open(target: Target, database: Database, settings: Mapping[str, str]) -> asyncpg.Connection:
    connection = await asyncpg.connect(
        target.dsn,
        password=target.password,
        ssl=target.ssl,
        timeout=database.connect_timeout.total_seconds(),
        statement_cache_size=0,
        server_settings=dict(settings),
    )
    _keep_alive(connection._transport.get_extra_info("socket"))  # noqa: SLF001 - the driver offers no other way
    return connection


def _keep_alive(connected: socket.socket) -> None:
    """Let the kernel ask a silent server whether it is still there (tcp(7)); libpq does so of itself."""
    if connected.family == socket.AF_UNIX:
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, name in (
        (socket.TCP_KEEPIDLE, "idle"),
        (socket.TCP_KEEPINTVL, "interval"),
        (socket.TCP_KEEPCNT, "count"),
    ):
        connected.setsockopt(socket.IPPROTO_TCP, option, _KEEPALIVE[name])


async def let_go(connection: asyncpg.Connection) -> None:
    """Close a connection of which nothing more is wanted; never raises for what becomes of it."""
    with suppress(OSError, asyncpg.InterfaceError, asyncpg.PostgresError, TimeoutError):
        await connection.close(timeout=5)


@asynccontextmanager
async def still_open(connection: asyncpg.Connection, database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection, or, where it was lost meanwhile, another one for a while.

    Raises:
        ProblemError: as of :func:`connect`.
    """
    if not connection.is_closed():
        yield connection
        return
    other = await connect(database, direct=True)
    try:
        yield other
    finally:
        await let_go(other)


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
