"""Finds obstacles in the backend's database: policies, triggers, rules, unusual tables, its encoding."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg

from cpimportd.books.database.failures import translate
from cpimportd.books.database.queries import SHAPES, sql
from cpimportd.core.model import BACKEND_TABLES, Kind
from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.problems import Problem, ProblemError, problem

_SORTS: Final = "rpvmf"
_WRITABLE: Final = ("r", "p")
_READ: Final = "departments"

# What it looks like when a row did not become what was written: our own comparisons, a constraint, or what somebody's
# function raises.
_OUR_COMPARISONS: Final = frozenset({"sums-differ", "undo-differs", "row-rewritten"})
_THEIR_DOING: Final = (
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.PLPGSQLError,
    asyncpg.TriggeredActionError,
    asyncpg.TriggeredDataChangeViolationError,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A table that we write, or a part of one.

    Attributes:
        table: the table.
        relation: itself, or its partition or child, with its schema.
        sort: ``pg_class.relkind``.
        hidden: row-level security is in force for us.
        policies: by which policies.
        changing: triggers that see rows before they are written, and rules.
        following: triggers that come after.
    """

    table: str
    relation: str
    sort: str
    hidden: bool
    policies: Sequence[str]
    changing: Sequence[str]
    following: Sequence[str]


async def look(connection: asyncpg.Connection) -> tuple[Standing, ...]:
    """How each table that we write stands, each of its parts, and ``departments``, which we read."""
    return tuple(
        Standing(**row) for row in await connection.fetch(sql("obstacles", "tables"), [*BACKEND_TABLES, _READ])
    )


async def blocking(connection: asyncpg.Connection) -> tuple[Problem, ...]:
    """What no run can work under: rows that are hidden from it, tables that are none, foreign keys switched off."""
    session = await connection.fetchrow(sql("obstacles", "session"))
    found: list[Problem] = []
    for one in await look(connection):
        if one.sort not in _WRITABLE and one.table != _READ:
            found.append(
                problem("database-foreign", reason=phrase("relation-is", relation=one.relation, sort=_sort(one.sort)))
            )
        if one.hidden:
            policies = _named(one.policies) or phrase("no-policy")
            found.append(problem("database-row-security", value=one.relation, reason=policies, user=session["user"]))
    if (role := session["replication_role"]) != "origin":
        found.append(problem("database-replication-role", value=role, user=session["user"]))
    return tuple(found)


def _sort(relkind: str) -> Phrase:
    return phrase(f"sort-{relkind}") if relkind in _SORTS else phrase("sort-other", sort=relkind)


def _named(found: Sequence[str]) -> list[Phrase]:
    """Policies, triggers and rules, each of which begins with what it is."""
    return [phrase(f"pg-{sort}", name=name) for sort, _, name in (one.partition(" ") for one in found)]


async def noteworthy(connection: asyncpg.Connection) -> tuple[Problem, ...]:
    """What a run can work with, and what may yet spoil one: code on our writes, an encoding without all characters."""
    session = await connection.fetchrow(sql("obstacles", "session"))
    found = [
        problem("database-triggers", value=one.relation, reason=_named(one.changing))
        for one in await look(connection)
        if one.changing and one.table != _READ
    ]
    if (encoding := session["encoding"]) not in {"UTF8", "SQL_ASCII"}:
        found.append(problem("database-encoding", value=encoding, reason=phrase("encoding-incomplete")))
    elif encoding == "SQL_ASCII":
        found.append(problem("database-encoding", value=encoding, reason=phrase("encoding-bytes")))
    return tuple(found)


async def compare_written(connection: asyncpg.Connection) -> None:
    """After the merge, where triggers or rules run on a table of documents: is each row what was written to it?

    The sums are compared anyway; a text, a date or a payment type that somebody's code replaces is in no sum, and would
    be written anew by every run.

    Raises:
        ProblemError: ``row-rewritten``; whose code it was says :func:`naming_interference`.
    """
    touched = {one.table for one in await look(connection) if one.changing or one.following}
    questions = {shape.kind.table: sql("obstacles", "rewritten", **shape.identifiers) for shape in SHAPES}
    questions[Kind.DETAILS.table] = sql("obstacles", "rewritten_line")
    for table, question in questions.items():
        if table in touched and (found := await connection.fetchval(question)) is not None:
            raise ProblemError(problem("row-rewritten", value=found, table=table))


def described(standing: Sequence[Standing]) -> str:
    """What is unusual about the tables and does no harm, in a few words."""
    parts: dict[str, int] = {}
    for one in standing:
        if one.relation.rpartition(".")[2] != one.table:
            parts[one.table] = parts.get(one.table, 0) + 1
    words = [f"{table} in {count} parts" for table, count in parts.items()]
    words += [f"{one.relation}: {', '.join(one.following)}" for one in standing if one.following]
    return "; ".join(words)


@asynccontextmanager
async def naming_interference(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Do a transaction's work; where the database then holds something else than was written, name whose code ran.

    Raises:
        ProblemError: what was raised within, with ``database-triggers`` for each table that has triggers or rules.
    """
    try:
        yield
    except (ProblemError, *_THEIR_DOING) as error:
        ours = isinstance(error, ProblemError)
        if connection.is_closed() or (ours and not _OUR_COMPARISONS & {found.code for found in error.problems}):
            raise
        found = tuple(
            problem("database-interference", value=one.relation, reason=_named([*one.changing, *one.following]))
            for one in await look(connection)
            if (one.changing or one.following) and one.table != _READ
        )
        if not found:
            raise
        raise ProblemError(*(error.problems if ours else (translate(error),)), *found) from error
