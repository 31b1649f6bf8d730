"""What a backup has to hold, and whether a dump holds it: an exit code of 0 does not say so.

``pg_dump --table=PARENT`` dumps no partition, and no child that inherits: each is named.
https://www.postgresql.org/docs/current/app-pgdump.html
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.core.phrases import Reason, phrase
from cpimportd.core.problems import ProblemError, printable, problem

_SORTS: Final = {
    "r": "TABLE",
    "p": "TABLE",
    "v": "VIEW",
    "m": "MATERIALIZED VIEW",
    "f": "FOREIGN TABLE",
    "S": "SEQUENCE",
}
"""What pg_restore calls each kind of relation (``pg_class.relkind``)."""

_TOLD: Final = 10


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, partition or sequence that a backup has to hold.

    Attributes:
        schema: where it is.
        name: what it is called there.
        sort: ``pg_class.relkind``.
        owner: its role.
        asked: it is a table that we write, or a part of one.
        readable: a sequence's value can be read by us.
    """

    schema: str
    name: str
    sort: str
    owner: str
    asked: bool
    readable: bool

    @property
    def quoted(self) -> str:
        """Its name as a pattern of pg_dump that fits nothing else."""
        return ".".join('"' + part.replace('"', '""') + '"' for part in (self.schema, self.name))

    @property
    def entries(self) -> tuple[str, ...]:
        """What pg_restore has to list of it: its definition, and its rows or value."""
        where = " ".join(printable_line(part) for part in (self.schema, self.name, self.owner))
        sort = _SORTS[self.sort]
        data = {"r": "TABLE DATA", "S": "SEQUENCE SET" if self.readable else ""}.get(self.sort)
        return (f"{sort} {where}", *([f"{data} {where}"] if data else []))


def printable_line(text: str) -> str:
    """A name as pg_restore lists it: on one line."""
    return text.replace("\n", " ").replace("\r", " ")


async def relations(connection: asyncpg.Connection, schema: str, tables: Sequence[str]) -> tuple[Relation, ...]:
    """Everything of a schema, some tables found by the search path, their partitions, children and sequences.

    Args:
        connection: to the database that is backed up.
        schema: whose relations are all wanted.
        tables: names of further tables.

    Raises:
        ProblemError: ``backup-incomplete``: one of the tables is not there.
    """
    if absent := await connection.fetch(sql("backup", "absent"), list(tables)):
        names = ", ".join(row["name"] for row in absent)
        raise ProblemError(problem("backup-incomplete", reason=phrase("path-leads-to-no", names=names)))
    return tuple(Relation(**row) for row in await connection.fetch(sql("backup", "relations"), schema, list(tables)))


def require_rows(wanted: Sequence[Relation]) -> None:
    """Make sure that what we write are tables: of a foreign table or a view a dump has the definition, not the rows.

    Raises:
        ProblemError: ``backup-incomplete``.
    """
    hollow = [
        phrase("rows-of", name=found.quoted, sort=_SORTS[found.sort].lower())
        for found in wanted
        if found.asked and found.sort in "vmf"
    ]
    if hollow:
        raise ProblemError(problem("backup-incomplete", reason=phrase("would-lack", missing=hollow)))


def selection(wanted: Sequence[Relation]) -> list[str]:
    """pg_dump's options that select exactly these."""
    unread = [f"--exclude-table-data={found.quoted}" for found in wanted if not found.readable]
    return ["--strict-names", *(f"--table={found.quoted}" for found in wanted), *unread]


def missing(wanted: Sequence[Relation], listed: str) -> tuple[Reason, ...]:
    """What was wanted and is not in a dump; the first ones, and how many more.

    Args:
        wanted: what was asked for.
        listed: what ``pg_restore --list`` says: ``3525; 0 16389 TABLE DATA public fin_receipts owner``.
    """
    entries = {
        line.split(" ", 3)[3] for line in listed.splitlines() if not line.startswith(";") and line.count(" ") > 2
    }
    absent = [entry for found in wanted for entry in found.entries if entry not in entries]
    more = [phrase("and-more", more=len(absent) - _TOLD)] if len(absent) > _TOLD else []
    return (*(printable(entry) for entry in absent[:_TOLD]), *more)
