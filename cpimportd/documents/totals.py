"""The last ``Итого`` and the sums beside it."""

from collections.abc import Iterator
from decimal import Decimal

from cpimportd.core.model import Cell
from cpimportd.core.phrases import reason_of
from cpimportd.core.problems import Problem
from cpimportd.documents.columns import Meaning
from cpimportd.documents.faults import Fault
from cpimportd.documents.header import Layout
from cpimportd.documents.items import Totals
from cpimportd.documents.numbers import MONEY_TOTAL, RATE_TOTAL, is_sum_in_doubles, parse_number
from cpimportd.documents.rows import RowReader

Row = tuple[int, tuple[Cell, ...]]
"""A sheet's row: its number, from 1, and its cells."""


def totals(layout: Layout, reader: RowReader, total: Row | None, file: str) -> Iterator[Problem | Totals]:
    """What the rows sum to, and what the last ``Итого`` says of it.

    An empty cell is no total. One that was added up in doubles counts as the exact sum. Columns without a field are
    told only where the total is filled and every cell is a number.

    Args:
        layout: what the header says.
        reader: through with all rows.
        total: the last ``Итого``; None where there is none.
        file: the workbook's name.

    Yields:
        A reject for each total that is no number, then the totals.
    """
    control: dict[str, Decimal] = {}
    sums = {known.title: added for known, added in zip(layout.numeric, reader.sums, strict=True)}
    if total is not None:
        row, cells = total
        for place, known in enumerate(layout.numeric):
            cell = cells[known.index]
            precision = MONEY_TOTAL if known.column.meaning is Meaning.MONEY else RATE_TOTAL
            try:
                if is_sum_in_doubles(cell, reader.sums[place], reader.turnovers[place], reader.rows):
                    said: Decimal | None = reader.sums[place]
                else:
                    said = parse_number(cell, precision)
            except ValueError as error:
                yield Fault(known.title, cell, reason_of(error)).reject(file, row)
                continue
            if said is not None:
                control[known.title] = said
        for index, title in layout.others:
            both = reader.extra.control_total(index, cells[index], reader.rows)
            if both is not None:
                control[title], sums[title] = both
    yield Totals(control, sums, reader.rows, reader.rejected)
