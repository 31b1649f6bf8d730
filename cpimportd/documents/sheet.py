"""Below the header: documents go on as they come, everything else waits until it is clear what it was.

A total is the last one only when no other follows; a group's heading is one only when its rows follow; and what stands
below the last total may be a leftover or the beginning of something cut off.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from cpimportd.documents.groups import Groups
from cpimportd.documents.header import Layout
from cpimportd.documents.items import DocumentRow, Totals
from cpimportd.documents.lines import Classifier, LineKind, first_text
from cpimportd.documents.rows import RowReader
from cpimportd.documents.tallies import Tally
from cpimportd.documents.values import is_blank, parse_money, parse_total
from cpimportd.model import Cell
from cpimportd.problems import Problem, problem

Row = tuple[int, tuple[Cell, ...]]
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
        self._amount = next(place for place, known in enumerate(layout.numeric) if known.column.field == "amount")
        self._groups = Groups()
        self._waiting: list[tuple[int, str]] = []
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
        if self._waiting:
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
            amount = parse_money(cells[self._layout.numeric[self._amount].index])
        except ValueError:
            self._waiting.append((row, text))
        else:
            self._groups.heading(row, text, amount, self._sum)

    @property
    def _sum(self) -> Decimal:
        return self._reader.sums[self._amount]

    def _end(self) -> Iterator[_Found]:
        last_total = self._total[0] if self._total else None
        unproved = self._groups.end(self._sum)
        if self._reader.rejected:
            # Rows are missing from the sums, so that a group's amount cannot be found in them.
            unproved = [group for group in unproved if last_total is not None and group[0] > last_total]
        self._waiting = sorted({*self._waiting, *unproved})
        below = [waiting for waiting in self._waiting if last_total is not None and waiting[0] > last_total]
        self._waiting = [waiting for waiting in self._waiting if waiting not in below]
        yield from self._unrecognized()
        if below:
            row, text = below[0]
            yield problem("rows-below-total", file=self._file, row=row, value=text, count=len(below))
        if self._below.count:
            yield problem("documents-below-total", file=self._file, row=self._below.row, count=self._below.count)
        title = self._layout.title_of
        flag = title("unconfirmed_by_bank")
        yield from self._reader.tallies.problems(title("document_date"), title("amount"), flag)
        yield from self._totals()

    def _unrecognized(self) -> Iterator[Problem]:
        for row, text in self._waiting:
            yield problem("row-unrecognized", file=self._file, row=row, value=text)
        self._waiting.clear()

    def _totals(self) -> Iterator[Problem | Totals]:
        """The last ``Итого`` against the sums; of columns without a field only those that it fills are told."""
        control: dict[str, Decimal] = {}
        sums: dict[str, Decimal] = {}
        for known, total in zip(self._layout.numeric, self._reader.sums, strict=True):
            sums[known.title] = total
            cell = self._total[1][known.index] if self._total else None
            try:
                said = None if is_blank(cell) else parse_total(cell, known.column.meaning)
            except ValueError as error:
                row = self._total[0] if self._total else None
                yield problem(
                    "reject", file=self._file, row=row, column=known.title, value=cell, reason=f"the total {error}"
                )
            else:
                if said is not None:
                    control[known.title] = said
        for index, title in self._layout.others:
            both = self._reader.extra.control_total(index, self._total[1][index]) if self._total else None
            if both is not None:
                control[title], sums[title] = both
        yield Totals(control, sums, self._reader.rows)
