"""What the books say in a few figures, added up without a join that could count an amount twice."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import asyncpg

from cpimportd.books.database.cursors import at_one_moment
from cpimportd.books.database.queries import sql
from cpimportd.books.journal.period import EVER, Period
from cpimportd.books.reports.history import RunLine, history
from cpimportd.core.model import Kind
from cpimportd.core.outcomes import PUBLISHED
from cpimportd.core.report import KindTotal
from cpimportd.core.typed import json_keys, money


@dataclass(frozen=True, slots=True)
class CurrencyTotals:
    """Receipts and expenses in one currency; "" where the backend's rows name none."""

    currency: str
    receipts: Decimal
    expenses: Decimal


@json_keys(
    "period", date_from="period.first", date_to="period.last", total_receipts="total_receipts",
    total_expenses="total_expenses", net_balance="net_balance", total_principal="principal", total_interest="interest",
    active_contracts_count="active_contracts", currencies="by_currency",
)  # fmt: skip
@dataclass(frozen=True, slots=True)
class Summary:
    """The department's books; every sum is over all rows, in whatever currency they are (``currencies`` tells).

    Attributes:
        period: which documents are counted; contracts and runs are told as they are now, whatever the period.
        documents: rows and sum per kind.
        principal: of the detail lines with payment type ``Погашение долга``.
        interest: of those with ``Уплата процентов``.
        other: of all others; the three add up to the details.
        active_contracts: contracts with ``is_active``.
        unconfirmed: expenses that the bank's statement does not confirm; they are among the expenses.
        currencies: receipts and expenses by currency.
        last_run: the latest run, whatever came of it; None before the first.
        last_published: the latest run that published something.
    """

    documents: Mapping[Kind, KindTotal]
    principal: Decimal
    interest: Decimal
    other: Decimal
    active_contracts: int
    unconfirmed: KindTotal
    currencies: tuple[CurrencyTotals, ...]
    last_run: RunLine | None
    last_published: RunLine | None
    period: Period = EVER

    @property
    def total_receipts(self) -> Decimal:
        """Sum of all receipts."""
        return self.documents[Kind.RECEIPTS].sum

    @property
    def total_expenses(self) -> Decimal:
        """Sum of all expenses."""
        return self.documents[Kind.EXPENSES].sum

    @property
    def net_balance(self) -> Decimal:
        """Receipts less expenses."""
        return self.total_receipts - self.total_expenses

    @property
    def by_currency(self) -> dict[str, dict[str, str]]:
        """Receipts and expenses of each currency, as scripts get them."""
        return {
            one.currency: {"receipts": money(one.receipts), "expenses": money(one.expenses)} for one in self.currencies
        }


async def summary(connection: asyncpg.Connection, department_id: int, period: Period = EVER) -> Summary:
    """Add up the department's books as they are at one moment.

    Args:
        connection: any; outside a transaction one is opened, so that all figures belong together.
        department_id: whose books.
        period: only documents of these days.
    """
    async with at_one_moment(connection):
        totals = await connection.fetch(sql("memory", "totals"), department_id, *period)
        payments = await connection.fetchrow(sql("memory", "payments"), department_id, *period)
        unconfirmed = await connection.fetchrow(sql("memory", "unconfirmed"), department_id, *period)
        currencies = await connection.fetch(sql("memory", "currencies"), department_id, *period)
        return Summary(
            documents={Kind(row["kind"]): KindTotal(row["rows"], row["total"]) for row in totals},
            **dict(payments),
            active_contracts=await connection.fetchval(
                "SELECT count(*)::int FROM fin_contracts WHERE department_id = $1 AND is_active", department_id
            ),
            unconfirmed=KindTotal(unconfirmed["rows"], unconfirmed["total"]),
            currencies=tuple(CurrencyTotals(**dict(row)) for row in currencies),
            last_run=await _latest(connection, department_id),
            last_published=await _latest(connection, department_id, published=True),
            period=period,
        )


async def _latest(connection: asyncpg.Connection, department_id: int, *, published: bool = False) -> RunLine | None:
    lines = await history(connection, department_id=department_id, limit=1, statuses=PUBLISHED if published else None)
    return lines[0] if lines else None
