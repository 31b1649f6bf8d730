"""The words that cross the doors between the rooms: frozen values, no behaviour beyond naming things.

A workbook that was downloaded is a *snapshot*: it holds every document of its organizations since 2020, every day
anew. What is published together or not at all is a *unit*: an organization's receipts, or its expenses with their
details.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from cpimportd.core.beside import NOTHING_BESIDE, Beside
from cpimportd.core.folding import fold
from cpimportd.core.problems import Problem

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
        """What a detail line pays: told by its payment type alone, never by an account (``account.sql``, ``paid``)."""
        return next((figure for figure, name in PAYMENT_TYPES.items() if name == payment_type), cls.OTHER)


PAYMENT_TYPES: Final[Mapping[Figure, str]] = {
    Figure.PRINCIPAL: "Погашение долга",
    Figure.INTEREST: "Уплата процентов",
}
"""1C's payment types of what is not ``other``."""

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
class FetchedFile:
    """A workbook that lies whole in the spool.

    Attributes:
        name: the name that the server gave it.
        path: where it lies.
        size: bytes.
        modified: when the server says it was last written; None where it does not say.
        sha256: of the bytes as they lie.
    """

    name: str
    path: Path
    size: int
    modified: datetime | None
    sha256: str


@dataclass(frozen=True, slots=True)
class MissedFile:
    """A workbook that the source listed and that was not fetched.

    Attributes:
        name: as the server has it; of one whose name was refused, as it may be shown.
        why: it did not come.
        modified: when the server says it was last written; None where it does not say, or nobody asked.
    """

    name: str
    why: Problem
    modified: datetime | None = None


class Content(NamedTuple):
    """What is in a workbook, whatever it is called.

    Attributes:
        digest: of the content, by the version of the reader that took it; "" where it could not be read.
        sha256: of its bytes.
    """

    digest: str
    sha256: str

    def among(self, others: Collection["Content"]) -> bool:
        """Whether it is one of these, by its digest, or by its bytes, which another version of the reader read."""
        return any((self.digest and self.digest == one.digest) or self.sha256 == one.sha256 for one in others)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One workbook, read and understood.

    Attributes:
        file: what was fetched.
        file_no: its place among today's files, from 0; the first column of its staged rows.
        digest: of the content: every part less ``docProps``, and the reader's version; "" where it could not be read.
        kind: by header, else by name; None where neither speaks.
        documents: the keys of the understood rows, in file order.
        control_totals: per amount column (its title in the workbook), what the ``Итого`` row says.
        sums: per amount column, the sum over the understood rows.
        problems: everything that was noticed while reading, rejects and warnings included.
        rows_path: the understood rows in PostgreSQL's COPY text format, columns as in STAGED_COLUMNS.
        unchanged: the content is what was published last time, so nothing was read beyond the digest.
        engine: what read it: ``calamine``, ``expat`` (our second engine), ``xlrd`` or ``xlsb`` (our own reader).
        rejected: how many rows were not understood; not all of them need have a problem of their own.
        sheet: the name of the sheet that was read.
        columns: field → letters of the column that it came from.
    """

    file: FetchedFile
    file_no: int
    digest: str = ""
    kind: Kind | None = None
    documents: Sequence[Document] = ()
    control_totals: Mapping[str, Decimal] = field(default_factory=dict)
    sums: Mapping[str, Decimal] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    rows_path: Path | None = None
    unchanged: bool = False
    engine: str = ""
    rejected: int = 0
    sheet: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> Content:
        """What is in it."""
        return Content(self.digest, self.file.sha256)

    @property
    def main_title(self) -> str:
        """The main amount column's title as this workbook writes it; the one that 1C gives it where it has none.

        Raises:
            ValueError: nobody knows the kind.
        """
        if self.kind is None:
            raise ValueError("a file of unknown kind has no main column")
        expected = MAIN_AMOUNT[self.kind]
        return next((title for title in self.control_totals if fold(title) == fold(expected)), expected)

    @property
    def main_total(self) -> Decimal | None:
        """The control total of the main amount column; None where it is missing or the kind is unknown."""
        return None if self.kind is None else self.control_totals.get(self.main_title)


@dataclass(frozen=True, slots=True)
class Served:
    """One line of memory: from which file the books serve an organization's documents of one kind.

    Attributes:
        kind: of the documents.
        organization: whose they are.
        file: the file's name when it was published.
        digest: of its content.
        sha256: of its bytes.
        rows: how many of the organization's rows it held.
        control_total: its ``Итого`` for the main amount column.
        whole: whether it serves every organization whose documents it holds; not where one of them is held.
    """

    kind: Kind
    organization: str
    file: str
    digest: str
    sha256: str
    rows: int
    control_total: Decimal
    whole: bool = True


class DocumentFact(NamedTuple):
    """What the books know of a document that comes or goes.

    Attributes:
        operation_id: its key.
        number: of the document.
        year: in which the number is unique.
        amount: its sum.
        document_date: its own date.
        shown: of one in a closed period, what else a report shows of it (organization, contract, lines by what was paid
            with them), as one text to be compared; else None.
    """

    operation_id: str
    number: str | None
    year: int | None
    amount: Decimal
    document_date: date | None
    shown: str | None = None


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """How today's snapshot of a unit stands to the books, before anything is written.

    Documents are counted, not detail lines. ``gone`` are documents of the unit's organization that the books hold and
    the snapshot does not; ``new`` the reverse.

    Attributes:
        unit: which unit.
        before: documents in the books.
        after: documents in the snapshot.
        sum_before: their sum in the books.
        gone: documents that would be removed.
        new: documents that would be added.
        amount_changed: documents in both whose amount differs.
        first_date: the oldest document date in the snapshot.
        negative: documents with an amount below zero.
        elsewhere: per organization, how many of the snapshot's documents the books hold under it instead.
        other_departments: operation ids that another department owns.
        closed: documents of a closed period that would come, go, or change in a way that a report shows.
        equal_lines: documents with two equal detail lines, which the backend's unique index forbids.
        differs: whether anything would change at all; asked only where a content is known that was superseded.
        beside: what the books hold beside its new documents.
    """

    unit: Unit
    before: int
    after: int
    sum_before: Decimal
    gone: tuple[DocumentFact, ...] = ()
    new: tuple[DocumentFact, ...] = ()
    amount_changed: int = 0
    first_date: date | None = None
    negative: tuple[DocumentFact, ...] = ()
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    other_departments: tuple[str, ...] = ()
    closed: tuple[DocumentFact, ...] = ()
    equal_lines: tuple[Problem, ...] = ()
    differs: bool = True
    beside: Beside = NOTHING_BESIDE


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
        run: the run's number, told once, when it has its row in the database.
    """

    stage: str
    file: str | None = None
    done: int = 0
    total: int | None = None
    finished: bool = False
    run: int | None = None
