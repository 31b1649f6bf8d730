"""The columns that have no field: kept as they are, so that nothing that 1C sent is lost."""

from collections.abc import Sequence
from decimal import Decimal

from cpimportd.core.model import Cell
from cpimportd.core.phrases import reason_of
from cpimportd.documents.faults import Fault
from cpimportd.documents.numbers import RATE_TOTAL, is_sum_in_doubles, parse_number
from cpimportd.documents.titles import column_letter
from cpimportd.documents.values import is_blank, json_value

_REMEMBERED = 16_384


class ExtraColumns:
    """Reads the columns without a field, and adds up those that hold nothing but numbers.

    Args:
        columns: place and title of each; no two titles are the same.
        width: how many columns the header has. Cells to the right of it are named by their column's letter.
    """

    def __init__(self, columns: Sequence[tuple[int, str]], width: int) -> None:
        self._columns = columns
        self._width = width
        # Texts that were found fit to be stored: most columns repeat few.
        self._texts: set[str] = set()
        self._sums: dict[int, Decimal] = {}
        self._no_amounts: set[int] = set()

    def read(self, cells: Sequence[Cell], faults: list[Fault]) -> dict[str, object]:
        """What stands in these columns, empty cells left out; what cannot be stored is added to the faults."""
        extra: dict[str, object] = {}
        for index, title in self._columns:
            cell = cells[index]
            if type(cell) is str and cell in self._texts:
                extra[title] = cell
                self._no_amounts.add(index)
            elif cell is not None:
                self._keep(extra, index, title, cell, faults)
        if len(cells) > self._width:
            for index in range(self._width, len(cells)):
                self._keep(extra, index, f"({column_letter(index)})", cells[index], faults)
        return extra

    def control_total(self, index: int, cell: Cell, count: int) -> tuple[Decimal, Decimal] | None:
        """What the last row says of a column, and what its cells sum to; None where either is not a number.

        Args:
            index: the column's place.
            cell: of the last row.
            count: how many rows there are above.
        """
        if index in self._no_amounts or is_blank(cell):
            return None
        added = self._sums.get(index, Decimal(0))
        if is_sum_in_doubles(cell, added, added, count):
            return added, added
        try:
            total = parse_number(cell, RATE_TOTAL)
        except ValueError:
            return None
        return None if total is None else (total, added)

    def _keep(self, extra: dict[str, object], index: int, title: str, cell: Cell, faults: list[Fault]) -> None:
        if is_blank(cell):
            return
        try:
            extra[title] = json_value(cell)
        except ValueError as error:
            faults.append(Fault(title, cell, reason_of(error)))
        else:
            if type(cell) is str and len(self._texts) < _REMEMBERED:
                self._texts.add(cell)
        if index not in self._no_amounts:
            self._add(index, cell)

    def _add(self, index: int, cell: Cell) -> None:
        # Text may be an amount too, or a number of something; only doubles are surely what 1C adds up.
        if not isinstance(cell, float | int) or isinstance(cell, bool):
            self._no_amounts.add(index)
        elif cell:
            try:
                self._sums[index] = self._sums.get(index, Decimal(0)) + (parse_number(cell, RATE_TOTAL) or 0)
            except ValueError:
                self._no_amounts.add(index)
