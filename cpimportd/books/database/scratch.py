"""A database of its own for a while, on the server of the books: for trying things out without touching them."""

import logging
import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
from pydantic import SecretStr

from cpimportd.books.database.connection import opened
from cpimportd.books.database.target import Target
from cpimportd.config.settings import Database

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
