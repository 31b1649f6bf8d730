"""Explains a sum: every document or detail line that it counts, each with its cell.

It is counted as the backend counts it (``sql/memory.sql`` has the same sums over all organizations and months): by the
document's own date, principal and interest by the payment type of the lines.
"""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

import asyncpg

from cpimportd.books.database.queries import at_one_moment, in_batches, sql
from cpimportd.books.journal.names import find_organization
from cpimportd.books.journal.origins import Origins, Place
from cpimportd.books.journal.states import shape_of
from cpimportd.core.formatting import money
from cpimportd.core.model import Figure, Kind
from cpimportd.core.typed import json_keys

_MONTH: Final = re.compile(r"([0-9]{4})-([0-9]{2})")
_OLDEST_YEAR: Final = 1900
"""Nothing in the books is older: a year before it is a slip."""


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> "Month":
        """Read ``2024-05``.

        Raises:
            ValueError: it is no month.
        """
        match = _MONTH.fullmatch(text.strip())
        if match is None or not 1 <= int(match[2]) <= 12 or not _OLDEST_YEAR <= int(match[1]) < 9999:
            raise ValueError(f"expected a month such as 2024-05, not {text!r}")
        return cls(int(match[1]), int(match[2]))

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, self.month, 1)

    @property
    def next(self) -> date:
        """The first day after it."""
        return date(self.year + self.month // 12, self.month % 12 + 1, 1)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"


@json_keys("place", source="place")
@dataclass(frozen=True, slots=True)
class Part:
    """One document or detail line of a figure.

    Attributes:
        document_date: by which it is counted.
        payment_type: of a detail line.
        amount: what it adds.
        place: where it came from; None where nobody knows.
    """

    operation_id: str
    organization: str | None
    document_date: date | None
    payment_type: str | None
    amount: Decimal
    place: Place | None


@dataclass(frozen=True, slots=True)
class ExplainedFigure:
    """A figure and all that it counts.

    Attributes:
        organization: whose; None: everybody's.
        month: when; None: ever.
        count: of how many documents or lines.
        parts: the first of them, by date; :func:`figure_parts` gives all.
    """

    figure: Figure
    organization: str | None
    month: Month | None
    total: Decimal
    count: int
    parts: tuple[Part, ...]

    def head(self) -> dict[str, object]:
        """All but the parts, as scripts get it; sums are strings with two decimals."""
        return {
            "figure": self.figure.value,
            "organization": self.organization,
            "month": None if self.month is None else str(self.month),
            "total": money(self.total),
        }


async def explain_figure(
    connection: asyncpg.Connection,
    department_id: int,
    figure: Figure,
    *,
    organization: str | None = None,
    month: Month | None = None,
    most: int = 500,
) -> ExplainedFigure:
    """Explain a figure.

    Args:
        connection: any; outside a transaction one is opened, so that everything told belongs to one moment.
        department_id: whose books.
        figure: what is summed.
        organization: only this one's documents; a part of its name will do where it fits no other.
        month: only documents with a date in it.
        most: how many parts to give.

    Raises:
        ProblemError: ``nothing-found`` or ``name-ambiguous``: the organization.
    """
    async with at_one_moment(connection):
        if organization is not None:
            organization = await find_organization(connection, department_id, organization)
        query, scope = _query(department_id, figure, organization, month)
        row = await connection.fetchrow(sql("explain", "figure_total", parts=query), *scope)
        rows = await connection.fetch(f"{query} LIMIT {most:d}", *scope)
        parts = await _parts(Origins(connection), rows)
    return ExplainedFigure(figure, organization, month, row["total"], row["count"], tuple(parts))


async def figure_parts(
    connection: asyncpg.Connection, department_id: int, found: ExplainedFigure
) -> AsyncGenerator[Part, None]:
    """Every document or line that a figure counts, by date, fetched some at a time: that may be all of the books."""
    query, scope = _query(department_id, found.figure, found.organization, found.month)
    origins = Origins(connection)
    async with aclosing(in_batches(connection, query, *scope)) as batches:
        async for rows in batches:
            for part in await _parts(origins, rows):
                yield part


def _query(
    department_id: int, figure: Figure, organization: str | None, month: Month | None
) -> tuple[str, tuple[object, ...]]:
    """The question for a figure's parts, and its parameters."""
    scope = (department_id, organization, month and month.first, month and month.next)
    if figure.kind is Kind.DETAILS:
        return sql("explain", "figure_lines", paid=sql("account", "paid")).rstrip(";"), (*scope, figure.value)
    identifiers = shape_of(Kind(figure.value)).identifiers
    return sql("explain", "figure_documents", **identifiers).rstrip(";"), scope


async def _parts(origins: Origins, rows: Sequence[asyncpg.Record]) -> list[Part]:
    await origins.load({"snapshot_id": number} for number in {row["snapshot_id"] for row in rows})
    fields = ("operation_id", "organization", "document_date", "payment_type", "amount")
    return [
        Part(**{name: row[name] for name in fields}, place=origins.place(row["snapshot_id"], row["source_row"]))
        for row in rows
    ]
