"""The items read from a workbook: header, rows, totals, problems; and warnings given once per file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from cpimportd.core.folding import fold
from cpimportd.core.formatting import money
from cpimportd.core.model import PAYMENT_TYPES, Cell, Kind, UncalculatedFormula, Value
from cpimportd.core.phrases import MOST_ROWS, Phrase, phrase
from cpimportd.core.problems import Problem, problem
from cpimportd.documents.columns import KNOWN_OPERATION_TYPES
from cpimportd.documents.header import Layout
from cpimportd.documents.values import is_blank


@dataclass(frozen=True, slots=True)
class Header:
    """The row with the titles.

    Attributes:
        kind: of the documents, by the titles.
        row: the sheet's row, from 1.
        titles: as the workbook writes them, from column A on; "" where a column has none.
        columns: field → letters of the column that it comes from.
    """

    kind: Kind
    row: int
    titles: tuple[str, ...]
    sheet: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


class DocumentRow(NamedTuple):
    """One understood row: ``values`` stand in the order of ``STAGED_COLUMNS`` of its kind."""

    row: int
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """What the workbook adds up to.

    Attributes:
        control_totals: per amount column (its title in the workbook), what the last ``Итого`` says; empty cells left
            out.
        sums: per amount column, the sum over the understood rows.
        rows: how many rows were understood.
        rejected: how many were not.
        row: where the last ``Итого`` stands; None where there is none.
    """

    control_totals: Mapping[str, Decimal]
    sums: Mapping[str, Decimal]
    rows: int
    rejected: int = 0
    row: int | None = None


_SHOWN = 80


class Fault(NamedTuple):
    """A cell that cannot be understood: its column's title, the cell, and what is wrong with it.

    ``reason`` goes on a sentence that begins with the cell: «abc» *is no number*.
    """

    title: str
    cell: Cell
    reason: Phrase | str

    def reject(self, file: str, row: int) -> Problem:
        """The fault as a problem of its row."""
        if is_blank(self.cell):
            return problem("reject", file=file, row=row, column=self.title, cell="", reason=self.reason)
        text = str(self.cell)
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        if isinstance(self.cell, UncalculatedFormula):
            code = "formula-without-value"
            return problem(code, file=file, row=row, column=self.title, value=text, formula=shown)
        cell = phrase("cell", text=shown)
        return problem("reject", file=file, row=row, column=self.title, value=text, cell=cell, reason=self.reason)


LISTED = 20
"""As many of one kind are listed one by one; the rest is counted."""

_KNOWN_TYPES = frozenset(fold(text) for text in KNOWN_OPERATION_TYPES)
_NO_TEXT = "(empty)"


@dataclass(slots=True)
class Tally:
    """How often something was seen, in which rows (the first of them, where there are many), and for how much."""

    count: int = 0
    rows: list[int] = field(default_factory=list)
    sum: Decimal = Decimal(0)

    def add(self, row: int, amount: Decimal = Decimal(0)) -> None:
        """Count one more."""
        if self.count < MOST_ROWS:
            self.rows.append(row)
        self.count += 1
        self.sum += amount

    @property
    def facts(self) -> dict[str, object]:
        """Row, number and rows, as a problem tells them."""
        return {"row": self.rows[0], "count": self.count, "every_row": self.rows}


class Tallies:
    """What one file's rows gave reason to mention.

    Attributes:
        undated: documents whose date was empty, so that their own moment's was taken.
        zero: documents with an amount of 0.
        unconfirmed: documents that the bank's statement does not confirm.
    """

    def __init__(self, layout: Layout, file: str) -> None:
        self.undated, self.zero, self.unconfirmed = Tally(), Tally(), Tally()
        self._layout, self._file = layout, file
        self._operation_types: dict[str, Tally] = {}
        self._payment_types: dict[str, Tally] = {}
        self._listed: dict[str, list[Problem]] = {}
        self._unlisted: dict[str, Tally] = {}

    def operation_type(self, text: str | None, row: int, amount: Decimal) -> None:
        """Count a document by its kind of operation, unless that is a known one."""
        if text not in KNOWN_OPERATION_TYPES and fold(text or _NO_TEXT) not in _KNOWN_TYPES:
            self._operation_types.setdefault(text or _NO_TEXT, Tally()).add(row, amount)

    def payment_type(self, text: str | None, row: int, amount: Decimal) -> None:
        """Count a detail line that is neither principal nor interest; reports compare these texts exactly."""
        if text not in PAYMENT_TYPES.values():
            self._payment_types.setdefault(text or _NO_TEXT, Tally()).add(row, amount)

    def settlement(self, row: int, column: str, value: Decimal, expected: Decimal) -> None:
        """Mention a settlement amount that does not follow from payment and rate."""
        code = "settlement-mismatch"
        if self._has_room(code, row):
            found = problem(code, file=self._file, row=row, column=column, value=value, expected=money(expected))
            self._listed[code].append(found)

    def text_cut(self, row: int, column: str, text: str, limit: int) -> None:
        """Mention a text that was cut."""
        code = "text-cut"
        if self._has_room(code, row):
            found = problem(code, file=self._file, row=row, column=column, value=text, length=len(text), limit=limit)
            self._listed[code].append(found)

    def problems(self) -> Iterator[Problem]:
        """Everything that was seen, as warnings."""
        for code, tally, column in (
            ("date-from-document", self.undated, "document_date"),
            ("amount-zero", self.zero, "amount"),
            ("unconfirmed", self.unconfirmed, "unconfirmed_by_bank"),
        ):
            if tally.count:
                yield self._warning(code, tally, self._layout.title_of(column))
        for code, types, column in (
            ("operation-type-new", self._operation_types, "operation_type"),
            ("payment-type-other", self._payment_types, "payment_type"),
        ):
            every = list(types.items())
            for text, tally in every[:LISTED]:
                yield self._warning(code, tally, self._layout.title_of(column), text)
            if len(every) > LISTED:
                yield problem("and-more", file=self._file, value=code, count=len(every) - LISTED)
        for code, listed in self._listed.items():
            yield from listed
            if rest := self._unlisted.get(code):
                yield problem("and-more", file=self._file, value=code, count=rest.count, every_row=rest.rows)

    def _warning(self, code: str, tally: Tally, column: str | None = None, value: str | None = None) -> Problem:
        total = money(tally.sum)
        return problem(code, file=self._file, column=column, value=value, sum=total, **tally.facts)  # type: ignore[arg-type] # its row is one

    def _has_room(self, code: str, row: int) -> bool:
        """Whether one more of a code is listed one by one; else it is counted here."""
        if len(self._listed.setdefault(code, [])) < LISTED:
            return True
        self._unlisted.setdefault(code, Tally()).add(row)
        return False
