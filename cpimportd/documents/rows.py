"""Turns a document's row of cells into the values to stage, or into all of its errors."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, cast
from zoneinfo import ZoneInfo

from cpimportd.core.identity import NOTHING, parse_identity
from cpimportd.core.model import KEY_COLUMNS, STAGED_COLUMNS, Cell, Value
from cpimportd.core.phrases import phrase, reason_of
from cpimportd.core.problems import Problem
from cpimportd.documents.columns import column_letter
from cpimportd.documents.header import Layout
from cpimportd.documents.items import DocumentRow, Fault, Tallies
from cpimportd.documents.numbers import RATE_TOTAL, is_sum_in_doubles, parse_number
from cpimportd.documents.rules import Values, places, rules_for
from cpimportd.documents.values import is_blank, json_value, parsers_in

_EXTRA_TEXTS_REMEMBERED = 16_384


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
            if type(cell) is str and len(self._texts) < _EXTRA_TEXTS_REMEMBERED:
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


_NO_LIMIT = 2**31
# Most columns repeat few texts. Where all differ, remembering more of them would only cost memory.
_REMEMBERED = 4_096
_ROW_NO, _OPERATION_ID, _NUMBER, _MOMENT = (
    KEY_COLUMNS.index(field) for field in ("row", "operation_id", "number", "moment")
)


class _Step(NamedTuple):
    """What to do with one cell of each row; ``memory`` holds what texts were understood to mean."""

    cell: int
    place: int
    parse: Callable[[Cell], Value]
    limit: int
    key: bool
    title: str
    memory: dict[str, Value]


class RowReader:
    """Reads the rows of one sheet and adds up what they hold.

    Args:
        layout: of the sheet.
        file: the workbook's name, for problems.
        file_no: the file's place among today's.
        zone: in which 1C writes its moments.
        limits: per staged column, how many characters fit.
        since_1904: whether a date's serial number counts from 1904.

    Attributes:
        rows: how many were understood.
        rejected: how many were not.
        sums: per numeric column of the layout, the sum over the understood rows.
        turnovers: the same without the numbers' signs.
        extra: the columns that have no field.
        tallies: what is worth a warning.
    """

    def __init__(
        self, layout: Layout, *, file: str, file_no: int, zone: ZoneInfo, limits: Mapping[str, int], since_1904: bool
    ) -> None:
        at = places(layout.kind)
        parsers = parsers_in(zone, since_1904=since_1904)
        self._file, self._zone = file, zone
        self._steps = [
            _Step(
                known.index,
                at[known.column.field],
                parsers[known.column.meaning],
                limits.get(known.column.field, _NO_LIMIT),
                known.column.key,
                known.title,
                {},
            )
            for known in layout.known
        ]
        self._filled = [(at[known.column.field], known.title) for known in layout.known if known.column.filled]
        self._numeric = [at[known.column.field] for known in layout.numeric]
        defaults: dict[str, Value] = {"file_no": file_no, "unconfirmed_by_bank": False}
        self._empty: Values = [defaults.get(field) for field in STAGED_COLUMNS[layout.kind]]
        self._extra = at["extra"]
        self.tallies = Tallies(layout, file)
        self._rules = rules_for(layout, self.tallies)
        self.extra = ExtraColumns(layout.extra, len(layout.titles))
        self.sums = [Decimal(0)] * len(self._numeric)
        self.turnovers = self.sums.copy()
        self.rows = self.rejected = 0

    def read(self, row: int, cells: Sequence[Cell]) -> DocumentRow | list[Problem]:
        """Understand one document.

        Args:
            row: the sheet's row, from 1.
            cells: at least as many as the header has.

        Returns:
            The row; or, for each of its cells that cannot be understood, a reject.
        """
        values = self._empty.copy()
        values[_ROW_NO] = row
        faults: list[Fault] = []
        too_long = self._parse(cells, values, faults)
        # Taken before the rules fill in what is absent: 1C adds up what stands in its cells.
        numbers = [values[place] for place in self._numeric]
        name = values[_OPERATION_ID]
        identity = parse_identity(name) if isinstance(name, str) else NOTHING
        values[_NUMBER], values[_MOMENT] = identity.number, identity.moment_in(self._zone)
        faulty = {fault.title for fault in faults}
        faults += [
            Fault(title, None, phrase("empty"))
            for place, title in self._filled
            if values[place] is None and title not in faulty
        ]
        faults += self._rules.complete(values, identity, faulty)
        extra = self.extra.read(cells, faults)
        if faults:
            self.rejected += 1
            return [fault.reject(self._file, row) for fault in faults]
        values[self._extra] = extra
        for step in too_long:
            self._cut(row, values, step, extra)
        self._rules.note(row, values)
        for place, number in enumerate(numbers):
            if number:
                self.sums[place] += cast("Decimal", number)
                self.turnovers[place] += abs(cast("Decimal", number))
        self.rows += 1
        return DocumentRow(row, tuple(values))

    def _parse(self, cells: Sequence[Cell], values: Values, faults: list[Fault]) -> list[_Step]:
        """Read the cells that have a field; gives the steps whose text is to be cut."""
        too_long = []
        for step in self._steps:
            index, place, parse, limit, key, title, memory = step
            cell = cells[index]
            if cell is None:
                continue
            try:
                # Only text is looked up: to a dict, 1, 1.0 and True are the same.
                if type(cell) is not str:
                    value = parse(cell)
                elif cell in memory:
                    value = memory[cell]
                else:
                    value = parse(cell)
                    if len(memory) < _REMEMBERED:
                        memory[cell] = value
            except ValueError as error:
                faults.append(Fault(title, cell, reason_of(error)))
                continue
            if value is None:
                continue
            values[place] = value
            if type(value) is str and len(value) > limit:
                if key:
                    faults.append(Fault(title, cell, phrase("too-long", length=len(value), limit=limit)))
                else:
                    too_long.append(step)
        return too_long

    def _cut(self, row: int, values: Values, step: _Step, extra: dict[str, object]) -> None:
        text = cast("str", values[step.place])
        values[step.place] = text[: step.limit]
        extra[step.title] = text
        self.tallies.text_cut(row, step.title, text, step.limit)
