"""What comes out of a workbook: its header, its rows, its totals; problems stand between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from cpimportd.core.model import Kind, Value


@dataclass(frozen=True, slots=True)
class Header:
    """The row with the titles.

    Attributes:
        kind: of the documents, by the titles.
        row: the sheet's row, from 1.
        titles: as the workbook writes them, from column A on; "" where a column has none.
        sheet: the sheet's name.
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
