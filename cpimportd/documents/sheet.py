"""Below the header: documents go on as they come, everything else waits until it is clear what it was.

A total is the last one only when no other follows; a group's heading is one only when its rows follow; and what stands
below the last total may be a leftover or the beginning of something cut off.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from cpimportd.core.model import Cell
from cpimportd.core.problems import Problem, problem
from cpimportd.documents.groups import Groups, Waiting
from cpimportd.documents.header import Layout
from cpimportd.documents.items import DocumentRow, Totals
from cpimportd.documents.lines import Classifier, LineKind, first_text
from cpimportd.documents.numbers import MONEY_TOTAL, parse_number
from cpimportd.documents.rows import RowReader
from cpimportd.documents.tallies import Tally
from cpimportd.documents.totals import Row, totals

_Found = DocumentRow | Problem | Totals


class SheetReader:
    """Reads everything below one header.

    Args:
        layout: what the header says.
        reader: of the documents' rows.
        file: the workbook's name.
    """

    def __init__(self, layout: Layout, reader: RowReader, file: str) -> None:
        self._layout, self._reader, self._file = layout, reader, file
        self._classifier = Classifier(layout)
        amount = next(place for place, known in enumerate(layout.numeric) if known.column.field == "amount")
        self._amount, self._amount_index = amount, layout.numeric[amount].index
        self._groups = Groups()
        self._waiting: list[Waiting] = []
        self._total: Row | None = None
        self._below = Tally()

    def read(self, rows: Iterable[Row]) -> Iterator[_Found]:
        """Understand the rows below the header; the last item is their totals."""
        width = len(self._layout.titles)
        for row, short in rows:
            cells = short if len(short) >= width else (*short, *[None] * (width - len(short)))
            line = self._classifier.classify(cells)
            if line is LineKind.DOCUMENT:
                yield from self._document(row, cells)
            elif line in (LineKind.TOTAL, LineKind.SUBTOTAL):
                yield from self._end_of_block(row, cells, line)
            elif line is LineKind.GROUP:
                self._group(row, cells)
            elif line is LineKind.OTHER:
                self._waiting.append((row, first_text(cells)))
        yield from self._end()

    def _document(self, row: int, cells: Sequence[Cell]) -> Iterator[_Found]:
        yield from self._unrecognized()
        self._groups.document()
        if self._total is not None:
            self._below.add(row)
        found = self._reader.read(row, cells)
        if isinstance(found, DocumentRow):
            yield found
        else:
            yield from found

    def _end_of_block(self, row: int, cells: tuple[Cell, ...], line: LineKind) -> Iterator[_Found]:
        self._waiting += self._groups.end_of_block(self._sum)
        yield from self._unrecognized()
        if line is LineKind.TOTAL:
            self._total, self._below = (row, cells), Tally()

    def _group(self, row: int, cells: Sequence[Cell]) -> None:
        text = first_text(cells)
        try:
            amount = parse_number(cells[self._amount_index], MONEY_TOTAL)
        except ValueError:
            self._waiting.append((row, text))
        else:
            self._groups.heading(row, text, amount, self._sum)

    @property
    def _sum(self) -> Decimal:
        return self._reader.sums[self._amount]

    def _end(self) -> Iterator[_Found]:
        end = self._total[0] if self._total else None
        unproved = self._groups.end(self._sum)
        if self._reader.rejected:
            # Rows are missing from the sums, so that a group's amount cannot be found in them.
            unproved = [group for group in unproved if end is not None and group[0] > end]
        left = sorted([*self._waiting, *unproved])
        self._waiting = [waiting for waiting in left if end is None or waiting[0] < end]
        yield from self._unrecognized()
        below = left[len(left) - sum(end is not None and row > end for row, _ in left) :]
        if below:
            row, text = below[0]
            yield problem("rows-below-total", file=self._file, row=row, value=text, count=len(below))
        if self._below.count:
            yield problem("documents-below-total", file=self._file, row=self._below.row, count=self._below.count)
        yield from self._reader.tallies.problems()
        yield from totals(self._layout, self._reader, self._total, self._file)

    def _unrecognized(self) -> Iterator[Problem]:
        if self._waiting:
            for row, text in sorted(self._waiting):
                yield problem("row-unrecognized", file=self._file, row=row, value=text)
            self._waiting.clear()
