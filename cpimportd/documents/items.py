"""What comes out of a workbook: its header, its rows, its totals; problems stand between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from cpimportd.core.model import Cell, Kind, UncalculatedFormula, Value
from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.problems import Problem, problem
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
    """

    control_totals: Mapping[str, Decimal]
    sums: Mapping[str, Decimal]
    rows: int
    rejected: int = 0


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
