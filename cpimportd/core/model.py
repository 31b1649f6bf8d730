"""The frozen values that rooms exchange. They have no behaviour except their names.

A downloaded workbook is a *snapshot*: it holds every document of its organizations since 2020, every day anew. A *unit*
is published together or not at all: an organization's receipts, or its expenses with their details.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

BACKEND_TABLES: Final = (
    "fin_organizations",
    "fin_bank_accounts",
    "fin_contracts",
    "fin_receipts",
    "fin_expenses",
    "fin_expense_details",
    "fin_import_logs",
)
"""The backend's tables that we write."""


class Kind(StrEnum):
    """The three kinds of documents that 1C exports; one workbook holds one kind."""

    RECEIPTS = "receipts"
    EXPENSES = "expenses"
    DETAILS = "details"

    @property
    def table(self) -> str:
        """The backend's table for this kind."""
        return {"receipts": "fin_receipts", "expenses": "fin_expenses", "details": "fin_expense_details"}[self]

    @property
    def group(self) -> "Group":
        """The group of kinds that is published together with this one."""
        return Group.RECEIPTS if self is Kind.RECEIPTS else Group.EXPENSES


class Group(StrEnum):
    """Kinds that stand or fall together: expenses cannot be published without their details."""

    RECEIPTS = "receipts"
    EXPENSES = "expenses"

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds in this group, the one that owns the documents first."""
        return (Kind.RECEIPTS,) if self is Group.RECEIPTS else (Kind.EXPENSES, Kind.DETAILS)

    @property
    def figures(self) -> "tuple[Figure, ...]":
        """What is summed of it, the documents first."""
        kinds = tuple(Figure(kind.value) for kind in self.kinds)
        return kinds if self is Group.RECEIPTS else (*kinds, *PAYMENTS)


class Figure(StrEnum):
    """What is summed: the documents of a kind, and detail lines by what was paid with them."""

    RECEIPTS = "receipts"
    EXPENSES = "expenses"
    DETAILS = "details"
    """All detail lines; the next three add up to it."""
    PRINCIPAL = "principal"
    INTEREST = "interest"
    OTHER = "other"
    """Detail lines that are neither."""

    @property
    def kind(self) -> Kind:
        """Of which rows it is the sum."""
        return Kind(self.value) if self in {Figure.RECEIPTS, Figure.EXPENSES} else Kind.DETAILS

    @classmethod
    def of_payment(cls, payment_type: str | None) -> "Figure":
        """What a detail line pays: known by its payment type alone, never by an account (``account.sql``, ``paid``)."""
        return next((figure for figure, name in PAYMENT_TYPES.items() if name == payment_type), cls.OTHER)


PAYMENT_TYPES: Final[Mapping[Figure, str]] = {
    Figure.PRINCIPAL: "Погашение долга",
    Figure.INTEREST: "Уплата процентов",
}
"""1C's payment types of what is not ``other``; reports compare the texts exactly."""

PAYMENTS: Final = (Figure.PRINCIPAL, Figure.INTEREST, Figure.OTHER)
"""The figures that add up to the details."""


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """What is published together or not at all."""

    organization: str
    group: Group

    @property
    def name(self) -> str:
        """How a human names the unit, as in ``--accept "ЛОТОС ООО/expenses"``."""
        return f"{self.organization}/{self.group.value}"


class CellError(str):
    """An error value in a cell, such as ``#REF!``: neither empty nor text."""

    __slots__ = ()


class UncalculatedFormula(CellError):  # noqa: N818 - a cell, not an exception
    """A formula, ``=`` and its text, whose value the workbook does not hold: whoever wrote it calculates nothing."""

    __slots__ = ()


Cell = str | float | int | bool | datetime | date | time | timedelta | CellError | None
"""What a workbook's cell can hold; None is an empty cell."""

Value = str | Decimal | date | datetime | bool | int | Mapping[str, object] | None
"""What a cell means once it is understood; a mapping is the ``extra`` column."""

KEY_COLUMNS = ("file_no", "row", "operation_id", "organization", "amount", "number", "moment")
"""The first columns of every staged row, whatever its kind: what the checks need. ``organization`` is empty for
details, ``amount`` is ``Сумма`` or ``Сумма платежа``; ``number`` and ``moment`` are those inside ``operation_id``."""

STAGED_COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    Kind.RECEIPTS: (
        *KEY_COLUMNS,
        "operation_type",
        "bank_account",
        "accounting_account",
        "document_number",
        "document_date",
        "payer",
        "payer_account",
        "settlement_account",
        "contract",
        "contract_date",
        "currency",
        "commission",
        "payment_purpose",
        "responsible_person",
        "comment",
        "extra",
    ),
    Kind.EXPENSES: (
        *KEY_COLUMNS,
        "operation_type",
        "bank_account",
        "accounting_account",
        "document_number",
        "document_date",
        "recipient",
        "recipient_account",
        "debit_account",
        "contract",
        "contract_date",
        "currency",
        "expense_article",
        "payment_purpose",
        "responsible_person",
        "comment",
        "tax_period",
        "unconfirmed_by_bank",
        "extra",
    ),
    Kind.DETAILS: (
        *KEY_COLUMNS,
        "contract_number",
        "repayment_type",
        "settlement_account",
        "advance_account",
        "payment_type",
        "settlement_rate",
        "settlement_amount",
        "vat_amount",
        "expense_amount",
        "vat_in_expense",
        "extra",
    ),
}
"""The columns of an understood row, in the order in which it travels to the temporary table of its kind. For details
``operation_id`` is the expense's and ``amount`` goes to ``payment_amount``."""


MAIN_AMOUNT: Mapping[Kind, str] = {Kind.RECEIPTS: "Сумма", Kind.EXPENSES: "Сумма", Kind.DETAILS: "Сумма платежа"}
"""The title of the column whose control total stands for the whole file."""


KOPECK: Final = Decimal("0.01")


class Document(NamedTuple):
    """The key of one understood row: what checks need to know of it; the rest travels past them.

    A day may have a million of them, so the amount is a plain number.

    Attributes:
        row: in the sheet, from 1.
        operation_id: which document it is, or belongs to.
        organization: as the row names it; None where it names none.
        kopecks: its amount, in hundredths of the currency's unit.
    """

    row: int
    operation_id: str
    organization: str | None
    kopecks: int

    @property
    def amount(self) -> Decimal:
        """Its amount, with two decimals."""
        return amount_of_kopecks(self.kopecks)


def amount_of_kopecks(kopecks: int) -> Decimal:
    """An amount with two decimals."""
    return KOPECK * kopecks


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage of a run is.

    Attributes:
        stage: ``fetch``, ``read``, ``check``, ``publish`` or ``tell``.
        file: the file being worked on; None where the stage as a whole is meant.
        done: of a file bytes while fetching, rows while reading; of the stage, files while fetching and reading, else
            steps.
        total: of the same; None where nobody knows.
        finished: whether this file or stage is through.
        run: the run's number, given once, when it has its row in the database.
    """

    stage: str
    file: str | None = None
    done: int = 0
    total: int | None = None
    finished: bool = False
    run: int | None = None


WELL: Final = frozenset({"published", "unchanged"})
"""Nothing was held: nothing needs attention."""

SUCCEEDED: Final = WELL | {"partial"}
"""The books are those of that day, except for held units, which are reported separately."""

JUDGED: Final = SUCCEEDED | {"held"}
"""It came so far as to say what is held; another try would change nothing, so that its slot is done."""

PUBLISHED: Final = ("published", "partial")
"""It published something."""

ENDED: Final = ("published", "unchanged", "partial", "held", "failed", "abandoned")
"""All that a run's row may say once the run is over, in the order in which they are listed."""

JOB: Final = "job:"
"""What the subject of a scheduled job that was not done begins with, among what is wrong; its name follows."""


def held_alone(status: str, organizations: Collection[str]) -> bool:
    """Whether a workbook of unknown organization is held: it belongs to no unit, so it is reported separately.

    Args:
        status: of the file, see :class:`cpimportd.core.report.FileStatus`.
        organizations: whose documents it holds.
    """
    return status == "held" and not organizations
