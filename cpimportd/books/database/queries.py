"""The named queries of ``sql/*.sql``: every statement that a run sends, each with a name and a description.

A query begins with ``-- name: NAME``; the comment lines under it describe it. Identifiers in braces are filled in from
a :class:`Shape`, so that one query serves receipts and expenses; values always travel as
parameters (``$1``).
"""

import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import asyncpg

from cpimportd.core.model import STAGED_COLUMNS, Group, Kind

if TYPE_CHECKING:
    from asyncpg.cursor import Cursor

_HEADER = re.compile(r"^-- name: *(\S+) *$", re.MULTILINE)


class Query(NamedTuple):
    """One named statement: why it is there, and its text."""

    description: str
    text: str


@cache
def queries(page: str) -> Mapping[str, Query]:
    """All queries of ``sql/PAGE.sql`` by name.

    Raises:
        ValueError: a name stands twice on the page, or a query has no description.
    """
    text = (files("cpimportd.books") / "sql" / f"{page}.sql").read_text(encoding="utf-8")
    pieces = _HEADER.split(text)[1:]
    found: dict[str, Query] = {}
    for name, body in zip(pieces[::2], pieces[1::2], strict=True):
        lines = body.strip().splitlines()
        comment = [line[2:].strip() for line in lines if line.startswith("--")]
        if name in found or not comment:
            raise ValueError(f"sql/{page}.sql: query {name} stands twice or has no description")
        found[name] = Query(" ".join(comment), "\n".join(line for line in lines if not line.startswith("--")).strip())
    return found


def sql(page: str, name: str, **identifiers: str) -> str:
    """The text of one query, led by a comment with its name (so that pg_stat_activity says what runs).

    Args:
        page: the file under ``sql/``, without its suffix.
        name: of the query.
        **identifiers: what stands in braces in it: table and column names of ours, or a piece that several queries
            share; never values.
    """
    text = queries(page)[name].text
    return f"/* cpimportd: {name} */ " + (text.format(**identifiers) if identifiers else text)


_REFERENCES = ("organization", "bank_account", "contract")
_PLAIN_REFERENCES = "o.name, b.account_number, k.contract_number"
_NAMED_REFERENCES = "o.name AS organization, b.account_number AS bank_account, k.contract_number AS contract"

DETAIL_COLUMNS = tuple(
    "payment_amount" if column == "amount" else column
    for column in STAGED_COLUMNS[Kind.DETAILS]
    if column not in {"file_no", "row", "operation_id", "organization", "number", "moment", "extra"}
)
"""The columns of a detail line that are compared and shown, in the order of the journal's arrays."""

FROM_JSON = {
    "detail_columns": ", ".join(DETAIL_COLUMNS),
    "record_columns": ", ".join(f"r.{column}" for column in DETAIL_COLUMNS),
}
"""For a query that writes lines from a record ``r`` made of JSON: the columns, and where each comes from."""

LINE_COLUMNS = (*DETAIL_COLUMNS, "department_id")
"""All columns of a detail line that we write, less its key."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of documents as the database knows it.

    Attributes:
        kind: receipts or expenses.
        counterparty: the column that names the other side.
    """

    kind: Kind
    counterparty: str

    @property
    def group(self) -> Group:
        """The group that the kind owns."""
        return self.kind.group

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that go into the table as they were staged: all less the key, the references and ``extra``."""
        skipped = {"file_no", "row", "operation_id", "number", "moment", "extra", *_REFERENCES}
        return tuple(column for column in STAGED_COLUMNS[self.kind] if column not in skipped)

    @property
    def identifiers(self) -> dict[str, str]:
        """What stands in braces in the queries that serve both kinds.

        ``content`` and ``line`` are a document and a detail line as one text, in the order of ``named_content`` and
        ``LINE_COLUMNS``: ``cpimportd.published`` keeps them, so whoever adds a column migrates that table.
        """
        columns = self.columns
        return {
            "kind": self.kind.value,
            "table": self.kind.table,
            "stage": f"stage_{self.kind.value}",
            "counterparty": self.counterparty,
            "columns": ", ".join(columns),
            "stage_columns": ", ".join(f"s.{c}" for c in columns),
            "record_columns": ", ".join(f"r.{c}" for c in columns),
            "table_columns": ", ".join(f"f.{c}" for c in columns),
            "assignments": ", ".join(f"{c} = s.{c}" for c in columns),
            "old_json": ", ".join(f"'{c}', f.{c}" for c in columns),
            "new_json": ", ".join(f"'{c}', s.{c}" for c in columns),
            "named_content": f"{_NAMED_REFERENCES}, f.is_active, {', '.join(f'f.{c}' for c in columns)}",
            "content": f"ROW ({_PLAIN_REFERENCES}, f.is_active, {', '.join(f'f.{c}' for c in columns)})::text",
            "line": f"ROW ({', '.join(f'x.{c}' for c in LINE_COLUMNS)})::text",
        }


RECEIPTS = Shape(Kind.RECEIPTS, "payer")
EXPENSES = Shape(Kind.EXPENSES, "recipient")
SHAPES = (RECEIPTS, EXPENSES)


AT_ONCE: Final = 500
"""Rows that are in memory at the same time."""


def at_one_moment(connection: asyncpg.Connection) -> AbstractAsyncContextManager[object]:
    """A transaction in which everything told is of one moment; nothing more where one is open already."""
    if connection.is_in_transaction():
        return nullcontext()
    moment: AbstractAsyncContextManager[object] = connection.transaction(isolation="repeatable_read", readonly=True)
    return moment


@asynccontextmanager
async def planned_without(connection: asyncpg.Connection, way: Literal["nestloop", "mergejoin"]) -> AsyncIterator[None]:
    """Plan without one way of joining, and then as before.

    Args:
        connection: in a transaction; one that fails within it is rolled back, and the setting with it.
        way: which.
    """
    setting = f"enable_{way}"
    before = await connection.fetchval("SELECT current_setting($1)", setting)
    await connection.execute("SELECT set_config($1, 'off', true)", setting)
    yield
    await connection.execute("SELECT set_config($1, $2, true)", setting, before)


@asynccontextmanager
async def server_cursor(connection: asyncpg.Connection, query: str, *scope: object) -> AsyncIterator["Cursor"]:
    """A cursor on the server, with a statement of its own name; the server keeps neither when it is left.

    asyncpg numbers its statements by process and leaves the last ones to the end of the connection. Behind a pooler in
    transaction mode the server's process goes on to serve others, for whom the same number would be taken.

    Args:
        connection: in a transaction, and at nothing else when the cursor is left: whoever leaves a list of rows early
            closes it first (``contextlib.aclosing``), and all that it is made of.
        query: its text.
        scope: its parameters.
    """
    name = f"cpimportd_{uuid.uuid4().hex}"
    statement = await connection.prepare(query, name=name)
    cursor = await statement.cursor(*scope)
    try:
        yield cursor
    except GeneratorExit:
        # The list may be left because the transaction or the connection has failed: then both are gone with it.
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await _close(connection, cursor, name)
        raise
    await _close(connection, cursor, name)


async def _close(connection: asyncpg.Connection, cursor: "Cursor", statement: str) -> None:
    await cursor._close_portal(None)  # noqa: SLF001 - else the server keeps its rows until the transaction ends
    await connection.execute(f'DEALLOCATE "{statement}"')


async def in_batches(
    connection: asyncpg.Connection, query: str, *scope: object
) -> AsyncGenerator[list[asyncpg.Record], None]:
    """The rows of a query, out of a cursor; between two batches the connection may be used for other things."""
    async with at_one_moment(connection), server_cursor(connection, query, *scope) as cursor:
        while rows := await cursor.fetch(AT_ONCE):
            yield rows
