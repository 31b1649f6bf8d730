"""One document's row: from cells to the values that are staged, or to everything that is wrong with it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cpimportd.documents.contracts import date_in_contract
from cpimportd.documents.currencies import ROUBLE, is_rouble_account
from cpimportd.documents.extra import ExtraColumns
from cpimportd.documents.header import Layout
from cpimportd.documents.identity import Identity, parse_identity
from cpimportd.documents.items import DocumentRow
from cpimportd.documents.tallies import Tallies
from cpimportd.documents.values import KOPECK, PARSERS
from cpimportd.model import STAGED_COLUMNS, Cell, Kind, Value
from cpimportd.problems import Problem, problem

_NO_LIMIT = 2**31
_SHOWN = 80


class _Step(NamedTuple):
    """What to do with one cell of a row."""

    index: int
    place: int
    parse: Callable[[Cell], Value]
    limit: int
    key: bool
    title: str


class _Fault(NamedTuple):
    title: str
    cell: Cell
    reason: str


class RowReader:
    """Reads the rows of one sheet and adds up what they hold.

    Attributes:
        sums: per numeric column of the layout, the sum over the understood rows.
        rows: how many were understood.
        rejected: how many were not.
        extra: the columns that have no field.
        tallies: what is worth a warning.
    """

    def __init__(
        self, layout: Layout, *, file: str, file_no: int, zone: ZoneInfo, limits: Mapping[str, int]
    ) -> None:
        self.rows = self.rejected = 0
        self.extra = ExtraColumns(layout.others)
        self.tallies = Tallies(file)
        self._file, self._zone = file, zone
        self._layout = layout
        places = {field: place for place, field in enumerate(STAGED_COLUMNS[layout.kind])}
        self._places = places
        self._steps = [
            _Step(
                known.index,
                places[known.column.field],
                PARSERS[known.column.meaning],
                limits.get(known.column.field, _NO_LIMIT),
                known.column.key,
                known.title,
            )
            for known in layout.known
        ]
        self._filled = [(places[k.column.field], k.title) for k in layout.known if k.column.filled]
        self._numeric = [places[known.column.field] for known in layout.numeric]
        self._sums = [Decimal(0)] * len(self._numeric)
        defaults: dict[str, Value] = {"file_no": file_no, "unconfirmed_by_bank": False, "settlement_rate": Decimal(1)}
        self._empty: list[Value] = [defaults.get(field) for field in STAGED_COLUMNS[layout.kind]]
        self._finish = self._finish_detail if layout.kind is Kind.DETAILS else self._finish_document

    @property
    def sums(self) -> list[Decimal]:
        """Per numeric column of the layout, the sum over the understood rows."""
        return self._sums

    @property
    def main_sum(self) -> Decimal:
        """The sum of the main amount column so far."""
        return self._sums[self._numeric.index(self._places["amount"])]

    def read(self, row: int, cells: Sequence[Cell]) -> DocumentRow | list[Problem]:
        """Understand one document.

        Args:
            row: the sheet's row, from 1.
            cells: at least as many as the header has.

        Returns:
            The row; or, for each of its columns that cannot be understood, a reject.
        """
        values = self._empty.copy()
        values[self._places["row"]] = row
        faults: list[_Fault] = []
        long: list[_Step] = []
        for step in self._steps:
            index, place, parse, limit, _, title = step
            cell = cells[index]
            if cell is None:
                continue
            try:
                value = parse(cell)
            except ValueError as error:
                faults.append(_Fault(title, cell, str(error)))
                continue
            if value is not None:
                values[place] = value
                if type(value) is str and len(value) > limit:
                    long.append(step)
