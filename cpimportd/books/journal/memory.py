"""Reads what earlier runs recorded: the served files, and whether somebody else has written since."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.core.model import Group, Kind, Unit
from cpimportd.core.report import KindTotal
from cpimportd.core.workbooks import Content, Served


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What identifies the rows of one organization and kind: how many, their sum, and who wrote them last."""

    rows: int
    total: Decimal
    marks: Decimal


NOTHING = Fingerprint(0, Decimal(0), Decimal(0))
"""The fingerprint of no rows."""

Fingerprints = Mapping[tuple[Kind, str], Fingerprint]


async def served(connection: asyncpg.Connection, department_id: int) -> tuple[Served, ...]:
    """From which files the books serve each organization today."""
    rows = await connection.fetch(sql("memory", "served", whole=sql("memory", "whole")), department_id)
    return tuple(Served(**{**dict(row), "kind": Kind(row["kind"])}) for row in rows)


async def known_expenses(
    connection: asyncpg.Connection, department_id: int, operation_ids: Iterable[str]
) -> Mapping[str, tuple[str, Decimal]]:
    """Organization and amount of the expenses among these operation ids that the books hold."""
    wanted = list(operation_ids)
    if not wanted:
        return {}
    rows = await connection.fetch(sql("memory", "known_expenses"), department_id, wanted)
    return {row["operation_id"]: (row["organization"], row["amount"]) for row in rows}


async def similar_expenses(
    connection: asyncpg.Connection, department_id: int, operation_ids: Iterable[str]
) -> tuple[str, ...]:
    """Ids of the books' expenses that hold the same digits in the same order as one of these: some may look like it."""
    wanted = list(operation_ids)
    if not wanted:
        return ()
    rows = await connection.fetch(sql("memory", "similar_expenses"), department_id, wanted)
    return tuple(row["operation_id"] for row in rows)


async def fingerprints(connection: asyncpg.Connection, department_id: int) -> Fingerprints:
    """What identifies the present rows of every organization."""
    return _keyed(await connection.fetch(sql("memory", "fingerprints"), department_id))


async def foreign_writes(connection: asyncpg.Connection, department_id: int) -> frozenset[Unit]:
    """Units whose rows are not those that our last publication left: somebody else wrote, deleted or added some."""
    then = _keyed(await connection.fetch(sql("memory", "last_fingerprints"), department_id))
    now = await fingerprints(connection, department_id)
    return frozenset(
        Unit(organization, kind.group)
        for (kind, organization), fingerprint in then.items()
        if now.get((kind, organization), NOTHING) != fingerprint
    )


class Period(NamedTuple):
    """From a day to a day, both included; None is without a bound: parameters 2 and 3 of queries over the books.

    A document without a date belongs to no period but the one without any bound. A detail line has the date of its
    expense.
    """

    first: date | None = None
    last: date | None = None


EVER: Final = Period()
"""All documents, also those without a date."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a department's books hold: rows and sum per kind, and the details by what was paid."""

    kinds: Mapping[Kind, KindTotal]
    principal: Decimal
    interest: Decimal
    other: Decimal


async def totals(connection: asyncpg.Connection, department_id: int, period: Period = EVER) -> Totals:
    """Rows and sums of each kind over the whole department, or of its documents of some days."""
    rows = await connection.fetch(sql("memory", "totals"), department_id, *period)
    payments = await connection.fetchrow(sql("memory", "payments"), department_id, *period)
    return Totals({Kind(row["kind"]): KindTotal(row["rows"], row["total"]) for row in rows}, **dict(payments))


@dataclass(frozen=True, slots=True)
class Undone:
    """What a human has undone of one unit: the run, and the digests of the workbooks that it published."""

    undone_run: int
    digests: frozenset[str]


async def undone(connection: asyncpg.Connection, department_id: int) -> Mapping[Unit, Undone]:
    """Units that an undo put back and that no other file has been published for since."""
    rows = await connection.fetch(sql("memory", "undone"), department_id)
    return {
        Unit(row["organization"], Group(row["kind"])): Undone(row["undone_run"], frozenset(row["digests"]))
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class Superseded:
    """Where a content was published before, and what went on from there.

    Attributes:
        content: of the workbook as it was read then.
        run: that published it.
        at: when that run began.
        later: the latest run that published the unit.
    """

    content: Content
    run: int
    at: datetime
    later: int


async def superseded(
    connection: asyncpg.Connection, department_id: int, contents: Collection[Content]
) -> Mapping[Unit, tuple[Superseded, ...]]:
    """Of which units these contents were published, and are no longer what was published last; as far as is known.

    Bytes count as content, too: another version of the reader took another digest of them.
    """
    found = defaultdict[Unit, list[Superseded]](list)
    digests = [content.digest for content in contents if content.digest]
    sums = [content.sha256 for content in contents]
    for row in await connection.fetch(sql("memory", "superseded"), department_id, digests, sums):
        found[Unit(row["organization"], Group(row["kind"]))].append(
            Superseded(Content(row["digest"], row["sha256"]), row["run"], row["at"], row["later"])
        )
    return {unit: tuple(entries) for unit, entries in found.items()}


@dataclass(frozen=True, slots=True)
class Unattributed:
    """Documents of one kind in the books that no file brings; None stands for those without an organization."""

    organization: str | None
    group: Group
    documents: int
    total: Decimal


async def unattributed_documents(connection: asyncpg.Connection, department_id: int) -> tuple[Unattributed, ...]:
    """Documents in the books that no file accounts for: left untouched, but never unsaid."""
    rows = await connection.fetch(sql("memory", "unattributed_documents"), department_id)
    return tuple(
        Unattributed(row["organization"], Group(row["kind"]), row["documents"], row["total"] or Decimal(0))
        for row in rows
    )


def _keyed(rows: Iterable[asyncpg.Record]) -> Fingerprints:
    return {
        (Kind(row["kind"]), row["organization"]): Fingerprint(row["rows"], row["total"], row["marks"]) for row in rows
    }
