"""A contract explained: its documents with the cells that they came from, what left it, and its bridges run by run."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.books.database.shapes import SHAPES
from cpimportd.books.journal.names import ambiguous
from cpimportd.books.journal.origins import Origins, Place
from cpimportd.core.folding import fold
from cpimportd.core.model import Kind
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.report import money


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

    def as_json(self) -> dict[str, object]:
        """The document as scripts get it."""
        return {
            "kind": self.kind.value,
            "operation_id": self.operation_id,
            "organization": self.organization,
            "document_date": None if self.document_date is None else self.document_date.isoformat(),
            **{name: money(getattr(self, name)) for name in ("amount", "principal", "interest", "other")},
            "source": None if self.place is None else self.place.as_json(),
        }


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

    def as_json(self) -> dict[str, object]:
        """The document as scripts get it."""
        return {
            "run": self.run,
            "kind": self.kind.value,
            "operation_id": self.operation_id,
            "organization": self.organization,
            "went": self.went,
            "amount": money(self.amount),
            "now": self.now,
        }


@dataclass(frozen=True, slots=True)
class ContractBridge:
    """How a contract's sum moved in one run."""

    run: int
    at: datetime
    organization: str
    kind: Kind
    opening: Decimal
    added: Decimal
    removed: Decimal
    changed: Decimal
    closing: Decimal

    def as_json(self) -> dict[str, object]:
        """The bridge as scripts get it."""
        sums = ("opening", "added", "removed", "changed", "closing")
        return {
            "run": self.run,
            "at": self.at.isoformat(),
            "organization": self.organization,
            "kind": self.kind.value,
            **{name: money(getattr(self, name)) for name in sums},
        }


@dataclass(frozen=True, slots=True)
class ExplainedContract:
    """A contract, its documents and its past.

    Attributes:
        number: its text.
        active: whether it counts as active.
        documents: what it has now, receipts first, by date.
        left: what once was its own, the latest first.
        bridges: how its sums moved, the latest run first.
    """

    number: str
    active: bool
    documents: tuple[ContractDocument, ...]
    left: tuple[Left, ...]
    bridges: tuple[ContractBridge, ...]

    def total(self, name: str, kind: Kind) -> Decimal:
        """The sum over its documents of one kind of ``amount``, ``principal``, ``interest`` or ``other``."""
        return sum((getattr(one, name) for one in self.documents if one.kind is kind), Decimal(0))

    def as_json(self) -> dict[str, object]:
        """The contract as scripts get it; sums are strings with two decimals."""
        return {
            "contract": self.number,
            "active": self.active,
            "receipts": money(self.total("amount", Kind.RECEIPTS)),
            "expenses": money(self.total("amount", Kind.EXPENSES)),
            **{name: money(self.total(name, Kind.EXPENSES)) for name in ("principal", "interest", "other")},
            "documents": [one.as_json() for one in self.documents],
            "left": [one.as_json() for one in self.left],
            "bridges": [one.as_json() for one in self.bridges],
        }


async def explain_contract(connection: asyncpg.Connection, department_id: int, number: str) -> ExplainedContract:
    """Explain a contract.

    Args:
        connection: any; outside a transaction one is opened, so that everything told belongs to one moment.
        department_id: whose books.
        number: its text, or a part of it that fits no other.

    Raises:
        ProblemError: ``nothing-found``, ``name-ambiguous``.
    """
    at_one_moment = connection.transaction(isolation="repeatable_read", readonly=True)
    async with nullcontext() if connection.is_in_transaction() else at_one_moment:
        found = await _find(connection, department_id, number.strip())
        documents = []
        for shape in SHAPES:
            query = sql("explain", "contract_documents", **shape.identifiers)
            documents += await connection.fetch(query, department_id, found["id"])
        origins = Origins(connection)
        await origins.load({"snapshot_id": row["snapshot_id"]} for row in documents)
        left = await connection.fetch(sql("explain", "contract_gone"), department_id, found["contract_number"])
        bridges = await connection.fetch(sql("explain", "contract_bridges"), department_id, found["contract_number"])
    return ExplainedContract(
        number=found["contract_number"],
        active=found["is_active"],
        documents=tuple(_document(row, origins) for row in documents),
        left=tuple(_left(row) for row in left),
        bridges=tuple(
            ContractBridge(row["run_id"], row["at"], row["organization"], Kind(row["kind"]), *_sums(row))
            for row in bridges
        ),
    )


async def _find(connection: asyncpg.Connection, department_id: int, number: str) -> Mapping[str, Any]:
    rows = await connection.fetch(sql("explain", "contracts_named"), department_id, number)
    if not rows and number.strip():
        every = await connection.fetch(sql("explain", "contracts"), department_id)
        rows = [row for row in every if fold(number) in fold(row["contract_number"])]
    if not rows or not number:
        hint = "Give a part of its text as it stands in the column «Договор»."
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


def _sums(row: asyncpg.Record) -> tuple[Decimal, ...]:
    return tuple(row[name] for name in ("opening", "added", "removed", "changed", "closing"))
