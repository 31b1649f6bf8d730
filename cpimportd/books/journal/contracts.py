"""Explains a contract: its documents with their cells, the documents that left it, and its bridges run by run."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import asyncpg

from cpimportd.books.database.queries import SHAPES, at_one_moment, in_batches, sql
from cpimportd.books.journal.names import ambiguous
from cpimportd.books.journal.origins import Origins, Place
from cpimportd.core.folding import fold
from cpimportd.core.formatting import money
from cpimportd.core.lists import each, first
from cpimportd.core.model import Figure, Kind
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.report import Bridge
from cpimportd.core.typed import json_keys, to_json


@json_keys("place", source="place")
@dataclass(frozen=True, slots=True)
class ContractDocument:
    """One document of a contract; principal, interest and other are of an expense's detail lines."""

    kind: Kind
    operation_id: str
    organization: str | None
    document_date: date | None
    amount: Decimal
    principal: Decimal
    interest: Decimal
    other: Decimal
    place: Place | None


@dataclass(frozen=True, slots=True)
class Left:
    """A document that once was the contract's: it went, or names another contract now."""

    run: int
    kind: Kind
    operation_id: str
    organization: str | None
    went: bool
    amount: Decimal
    now: str | None


@json_keys("contract", "rows_before", "rows_after", "control_total")
@dataclass(frozen=True, slots=True, kw_only=True)
class ContractBridge(Bridge):
    """How one sum of one contract of one organization moved in one run.

    What documents of another contract became adds to it, and what became another's is removed from it, with their
    lines: those count for the contract of their document, as in :class:`ContractDocument`.

    Attributes:
        at: when the run ended.
        contract: its number; empty for documents without one.

    Its JSON is that among those of its contract.
    """

    run: int
    at: datetime
    organization: str
    contract: str

    def of_run(self) -> dict[str, object]:
        """Its JSON among those of its run."""
        keys: dict[str, object] = to_json(self)
        del keys["run"], keys["at"]
        return {**keys, "contract": self.contract}


class Totals(NamedTuple):
    """What a contract's documents of one kind add up to; principal, interest and other are of detail lines."""

    documents: int
    amount: Decimal
    principal: Decimal
    interest: Decimal
    other: Decimal


@dataclass(frozen=True, slots=True)
class ExplainedContract:
    """A contract in numbers; :func:`documents_of`, :func:`left_of` and :func:`bridges_of` list what is behind them.

    Attributes:
        id: its row in the backend's table.
        active: whether it counts as active.
        totals: of the documents that it has now, by their kind.
    """

    department_id: int
    id: int
    number: str
    active: bool
    totals: Mapping[Kind, Totals]

    def head(self) -> dict[str, object]:
        """All but the lists, as scripts get it; sums are strings with two decimals."""
        expenses = self.totals[Kind.EXPENSES]
        return {
            "contract": self.number,
            "active": self.active,
            "receipts": money(self.totals[Kind.RECEIPTS].amount),
            "expenses": money(expenses.amount),
            **{name: money(getattr(expenses, name)) for name in ("principal", "interest", "other")},
        }


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a contract's lists begin with, and how long those are of which its totals say nothing.

    Attributes:
        documents: what it has now.
        left: what once was its own.
        bridges: how its sums moved.
        all_left: how many documents once were its own.
        all_bridges: how many bridges it has.
    """

    documents: tuple[ContractDocument, ...]
    left: tuple[Left, ...]
    bridges: tuple[ContractBridge, ...]
    all_left: int
    all_bridges: int


async def explain_contract(connection: asyncpg.Connection, department_id: int, number: str) -> ExplainedContract:
    """Explain a contract.

    Args:
        connection: any; best :func:`cpimportd.books.database.queries.at_one_moment` with what is asked of it next.
        department_id: whose books.
        number: its text, or a part of it that fits no other.

    Raises:
        ProblemError: ``nothing-found``, ``name-ambiguous``.
    """
    async with at_one_moment(connection):
        found = await _find(connection, department_id, number.strip())
        totals = {}
        for shape in SHAPES:
            query = sql("explain", "contract_totals", documents=_plain("contract_documents", **shape.identifiers))
            totals[shape.kind] = Totals(**dict(await connection.fetchrow(query, department_id, found["id"])))
    return ExplainedContract(department_id, found["id"], found["contract_number"], found["is_active"], totals)


async def documents_of(
    connection: asyncpg.Connection, found: ExplainedContract
) -> AsyncGenerator[ContractDocument, None]:
    """What a contract has now, receipts first, by date; some are fetched at a time, it may be all of the books."""
    origins = Origins(connection)
    for shape in SHAPES:
        query = sql("explain", "contract_documents", **shape.identifiers)
        async with aclosing(in_batches(connection, query, found.department_id, found.id)) as batches:
            async for rows in batches:
                await origins.load({"snapshot_id": row["snapshot_id"]} for row in rows)
                for row in rows:
                    yield _document(row, origins)


def left_of(connection: asyncpg.Connection, found: ExplainedContract) -> AsyncGenerator[Left, None]:
    """What once was a contract's own, the latest first; some are fetched at a time."""
    batches = in_batches(connection, sql("explain", "contract_gone"), found.department_id, found.number)
    return each(lambda rows: map(_left, rows), batches)


def bridges_of(connection: asyncpg.Connection, found: ExplainedContract) -> AsyncGenerator[ContractBridge, None]:
    """How a contract's sums moved, the latest run first; some are fetched at a time."""
    return _bridges(connection, "runs_of_contract", found.department_id, found.number)


def bridges_of_run(
    connection: asyncpg.Connection, run_id: int, *, organization: str | None = None
) -> AsyncGenerator[ContractBridge, None]:
    """The sums of contracts that a run moved, by organization and number; a first run moved every one.

    Args:
        connection: any; it may be used for other things between two bridges.
        run_id: of which run.
        organization: only its contracts.
    """
    return _bridges(connection, "contracts_of_run", run_id, organization)


async def how_many(connection: asyncpg.Connection, run_id: int, *, organization: str | None = None) -> int:
    """How many :func:`bridges_of_run` there are."""
    return int(await connection.fetchval(sql("past", "how_many_contracts"), run_id, organization))


def _bridges(connection: asyncpg.Connection, query: str, *scope: object) -> AsyncGenerator[ContractBridge, None]:
    return each(lambda rows: map(_bridge, rows), in_batches(connection, _bridges_query(query), *scope))


def _bridge(row: asyncpg.Record) -> ContractBridge:
    return ContractBridge(**{**dict(row), "kind": Figure(row["kind"])})


def _bridges_query(name: str) -> str:
    return sql("past", name, contract_bridges=sql("past", "contract_bridges"))


async def beginning(connection: asyncpg.Connection, found: ExplainedContract, most: int = 500) -> Beginning:
    """The first of each list, for people.

    Args:
        connection: any; best :func:`cpimportd.books.database.queries.at_one_moment` with what the contract was asked.
        found: the contract.
        most: how many of each.
    """
    query = sql(
        "explain", "contract_past", gone=_plain("contract_gone"), bridges=_bridges_query("runs_of_contract").rstrip(";")
    )
    async with at_one_moment(connection):
        past = await connection.fetchrow(query, found.department_id, found.number)
        return Beginning(
            documents=await first(documents_of(connection, found), most),
            left=await first(left_of(connection, found), most),
            bridges=await first(bridges_of(connection, found), most),
            all_left=past["gone"],
            all_bridges=past["bridges"],
        )


def _plain(name: str, **identifiers: str) -> str:
    """A query as it stands within another one."""
    return sql("explain", name, **identifiers).rstrip(";")


async def _find(connection: asyncpg.Connection, department_id: int, number: str) -> Mapping[str, Any]:
    rows = await connection.fetch(sql("explain", "contracts_named"), department_id, number)
    if not rows and number.strip():
        every = await connection.fetch(sql("explain", "contracts"), department_id)
        rows = [row for row in every if fold(number) in fold(row["contract_number"])]
    if not rows or not number:
        hint = phrase("hint-contract")
        raise ProblemError(problem("nothing-found", what="contract", value=number, hint=hint))
    if len(rows) > 1 and rows[0]["contract_number"] != number:
        raise ProblemError(ambiguous("contracts", number, [row["contract_number"] for row in rows]))
    return dict(rows[0])


def _document(row: asyncpg.Record, origins: Origins) -> ContractDocument:
    names = ("operation_id", "organization", "document_date", "amount", "principal", "interest", "other")
    place = origins.place(row["snapshot_id"], row["source_row"])
    return ContractDocument(kind=Kind(row["kind"]), place=place, **{name: row[name] for name in names})


def _left(row: asyncpg.Record) -> Left:
    amount = row["amount_before"] or Decimal(0)
    head = (row["run_id"], Kind(row["kind"]), row["operation_id"], row["organization"])
    return Left(*head, row["op"] == "delete", amount, row["paired_with"])
