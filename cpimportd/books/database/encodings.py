"""Texts in a database that is not in UTF-8: finds characters that its encoding lacks, and replaces them in reports.

A text of a workbook is never changed: a character that the database cannot store holds its workbook. Reports, names of
files and other texts about a workbook show such a character by its number.
https://www.postgresql.org/docs/current/multibyte.html
"""

import asyncio
import codecs
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import asyncpg

from cpimportd.core.folding import character_name
from cpimportd.core.model import KEY_COLUMNS, STAGED_COLUMNS, Kind
from cpimportd.core.problems import Problem, problem
from cpimportd.core.workbooks import Snapshot

UNIVERSAL: Final = frozenset({"UTF8", "SQL_ASCII"})
"""Encodings that take every text that we send: the second one looks at none."""

Title = Callable[[Kind, str], str]

# As Python calls what PostgreSQL calls otherwise.
_CODECS: Final = {
    **{f"LATIN{n}": f"iso8859_{n}" for n in range(1, 5)},
    **{f"LATIN{n}": f"iso8859_{n + 4}" for n in (5, 6)},
    **{f"LATIN{n}": f"iso8859_{n + 6}" for n in (7, 8, 9)},
    "LATIN10": "iso8859_16",
    "KOI8R": "koi8_r",
    "KOI8U": "koi8_u",
    "WIN866": "cp866",
    "WIN874": "cp874",
}
_WITHIN_THE_ID: Final = ("number", "moment")
_ROW: Final = KEY_COLUMNS.index("row")
_ASK: Final = "SELECT octet_length($1::text)"


async def checked(
    connection: asyncpg.Connection, snapshots: Sequence[Snapshot], told: int, title: Title
) -> tuple[Snapshot, ...]:
    """The same snapshots; those with a character that the database cannot hold say where it is.

    Costs nothing where the database is in UTF-8. Elsewhere the files are looked through for what is not ASCII, and the
    database is asked once for each character that no earlier file had.

    Args:
        connection: outside any transaction.
        snapshots: today's files.
        told: how many places of one file are told.
        title: how a workbook calls a field, or ``extra.`` and a column's title.

    Raises:
        asyncpg.PostgresError: the database failed.
    """
    encoding = connection.get_settings().server_encoding
    if encoding in UNIVERSAL:
        return tuple(snapshots)
    seen = {n: await asyncio.to_thread(_beyond_ascii, s.rows_path) for n, s in enumerate(snapshots) if s.rows_path}
    lacking = await lacking_characters(connection, "".join(sorted(frozenset[str]().union(*seen.values()))))
    found = []
    for number, snapshot in enumerate(snapshots):
        if seen.get(number, frozenset()) & lacking:
            places = await asyncio.to_thread(_places, snapshot, lacking, told)
            problems = (_not_storable(snapshot, place, encoding, title) for place in places)
            found.append(replace(snapshot, problems=(*snapshot.problems, *problems)))
        else:
            found.append(snapshot)
    return tuple(found)


async def lacking_characters(connection: asyncpg.Connection, characters: str) -> frozenset[str]:
    """Those characters that the database's encoding has not: halves are asked for until one is alone."""
    if not characters:
        return frozenset()
    try:
        await asyncpg.Connection.fetchval(connection, _ASK, characters)  # as it is: a session of ours would make it fit
    except (asyncpg.UntranslatableCharacterError, asyncpg.CharacterNotInRepertoireError):
        if len(characters) == 1:
            return frozenset(characters)
        middle = len(characters) // 2
        left = await lacking_characters(connection, characters[:middle])
        return left | await lacking_characters(connection, characters[middle:])
    return frozenset()


def _beyond_ascii(rows: Path) -> frozenset[str]:
    found: set[str] = set()
    with rows.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            if not line.isascii():
                found.update(line)
    return frozenset(character for character in found if character > "\x7f")


def _places(snapshot: Snapshot, lacking: frozenset[str], told: int) -> list[tuple[int, str, str]]:
    """Row, field and character of the first places in a file that cannot be stored."""
    if snapshot.rows_path is None or snapshot.kind is None:
        return []
    columns = STAGED_COLUMNS[snapshot.kind]
    pattern = re.compile("[" + re.escape("".join(sorted(lacking))) + "]")
    found: list[tuple[int, str, str]] = []
    with snapshot.rows_path.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            if not pattern.search(line):
                continue
            fields = line.rstrip("\n").split("\t")
            for column, field in zip(columns, fields, strict=True):
                match = pattern.search(field)
                if match and column not in _WITHIN_THE_ID:
                    found.append(
                        (int(fields[_ROW]), _further(field, pattern) if column == "extra" else column, match[0])
                    )
            if len(found) >= told:
                break
    return found[:told]


def _further(field: str, pattern: re.Pattern[str]) -> str:
    """Which of the columns without a field: ``extra.`` and its title."""
    extra = json.loads(field.replace("\\\\", "\\"))
    return next((f"extra.{title}" for title, value in extra.items() if pattern.search(f"{title}{value}")), "extra")


def _not_storable(snapshot: Snapshot, place: tuple[int, str, str], encoding: str, title: Title) -> Problem:
    row, field, character = place
    column = title(snapshot.kind, field) if snapshot.kind else field
    return problem(
        "text-not-storable",
        file=snapshot.file.name,
        row=row,
        column=column,
        value=character_name(character),
        encoding=encoding,
    )


def fitting(encoding: str) -> Callable[[object], object] | None:
    """What makes texts fit into an encoding: a character that it has not becomes its number, ``<U+20BD>``.

    For what is told about workbooks, and lists of it; what is no text stays. None where every text fits.
    """
    if encoding in UNIVERSAL:
        return None
    codec = _CODECS.get(encoding) or encoding.replace("WIN", "cp").lower()
    try:
        codecs.lookup(codec)
    except LookupError:
        codec = "ascii"

    def fit(value: object) -> object:
        if isinstance(value, str):
            return (
                value if _fits(value, codec) else "".join(c if _fits(c, codec) else f"<U+{ord(c):04X}>" for c in value)
            )
        if isinstance(value, (list, tuple)):
            return type(value)(fit(one) for one in value)
        return value

    return fit


def _fits(text: str, codec: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True
