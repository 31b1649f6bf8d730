"""Reads the rows below the header: documents are passed on at once, other rows wait until their meaning is clear.

A total is the last one only if no other follows. A row is a group's heading only if the group's rows follow. Rows below
the last total may be a leftover or the beginning of something cut off.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from enum import Enum, auto
from typing import NamedTuple

from cpimportd.core.folding import fold
from cpimportd.core.identity import NOTHING, parse_identity
from cpimportd.core.model import Cell, CellError
from cpimportd.core.phrases import reason_of
from cpimportd.core.problems import Problem, problem
from cpimportd.documents.columns import IDENTIFYING, Meaning
from cpimportd.documents.header import Layout
from cpimportd.documents.items import DocumentRow, Fault, Tally, Totals
from cpimportd.documents.numbers import MONEY_TOTAL, RATE_TOTAL, is_sum_in_doubles, parse_number
from cpimportd.documents.rows import RowReader
from cpimportd.documents.values import is_blank

_TOTAL = re.compile(r"(?:общ(?:ий|ая|ее) )?(?:итого?|всего)\b[\s:.,(]*(.*?)[\s:.,)]*", re.DOTALL)
# Words that name everything, and no part of it: whose total a row with them is, is not in doubt.
_OF_EVERYTHING = re.compile(
    r"(?:в целом )?по (?:всему |данному |настоящему )?отчету\b.*"
    r"|по (?:всей )?(?:выгрузке|таблице)|по (?:всему )?(?:реестру|списку)"
    r"|по (?:всем|всей) .+|в целом|за весь период|общ(?:ий|ая|ее)"
    rf"|(?:в )?(?:руб|рублях|рублей|{fold('rub')})",
    re.DOTALL,
)


class LineKind(Enum):
    """What a row is."""

    DOCUMENT = auto()
    TOTAL = auto()
    """``Итого``, ``Итого:`` or ``Всего``, and nothing more but that it is of everything: ``Итого по отчету``."""
    SUBTOTAL = auto()
    """The same with other words behind it: the total of something. A file that ends with one may be cut off."""
    GROUP = auto()
    """Something named, without anything but amounts: what 1C writes above the rows of a group."""
    EMPTY = auto()
    OTHER = auto()


class Classifier:
    """Tells the rows of one sheet apart."""

    def __init__(self, layout: Layout) -> None:
        name, amount = layout.find("operation_id"), layout.find("amount")
        if name is None or amount is None:
            raise ValueError("a layout without document or amount")
        self._name, self._amount = name.index, amount.index
        self._written = name.title
        self._title = fold(IDENTIFYING[layout.kind])
        self._not_telling = {self._name, *(known.index for known in layout.numeric)}

    def classify(self, cells: Sequence[Cell]) -> LineKind:
        """What a row is.

        A document is a row whose name begins as 1C's names do and holds a number and a date, whatever else it lacks;
        or one with an amount and more than amounts, if its name is text, empty or an error value.
        """
        name = cells[self._name]
        if type(name) is str and self._is_document_name(name):
            return LineKind.DOCUMENT
        filled = [index for index, cell in enumerate(cells) if not is_blank(cell)]
        if not filled:
            return LineKind.EMPTY
        unnamed = is_blank(name)
        first = cells[filled[0]] if unnamed else name
        label = _TOTAL.fullmatch(fold(first)) if isinstance(first, str) else None
        if label:
            return LineKind.TOTAL if not label[1] or _OF_EVERYTHING.fullmatch(label[1]) else LineKind.SUBTOTAL
        return self._unlabelled(name, unnamed, cells, filled)

    def _unlabelled(self, name: Cell, unnamed: bool, cells: Sequence[Cell], filled: list[int]) -> LineKind:
        if not unnamed and not isinstance(name, str):
            return LineKind.OTHER
        if not any(index not in self._not_telling for index in filled):
            return LineKind.OTHER if unnamed or isinstance(name, CellError) else LineKind.GROUP
        if is_blank(cells[self._amount]) or (isinstance(name, str) and fold(name) == self._title):
            return LineKind.OTHER
        return LineKind.DOCUMENT

    def _is_document_name(self, name: str) -> bool:
        if not name.lstrip().startswith(self._written) and not fold(name).startswith(self._title):
            return False
        return parse_identity(name) is not NOTHING


def first_text(cells: Sequence[Cell]) -> str:
    """What a human would look for to find a row: its first cell that is not empty."""
    return next((str(cell).strip() for cell in cells if not is_blank(cell)), "")


PendingRow = tuple[int, str]
"""A row and its text."""


class _Open(NamedTuple):
    row: int
    text: str
    documents: int


class Groups:
    """The headings of one sheet whose rows have not all been seen yet."""

    def __init__(self) -> None:
        self._headings: list[PendingRow] = []
        # By what the running sum must come to; so that no number of headings makes it slow.
        self._open: dict[Decimal, list[_Open]] = {}
        self._documents = 0

    def heading(self, row: int, text: str, amount: Decimal | None, running: Decimal) -> None:
        """Remember a heading.

        Args:
            row: the sheet's row.
            text: what it says.
            amount: the group's total, where it has one.
            running: the sum of all documents so far.
        """
        self._close(running)
        if amount is None:
            self._headings.append((row, text))
        else:
            self._open.setdefault(running + amount, []).append(_Open(row, text, self._documents))

    def document(self) -> None:
        """A document: what stands above it was a heading."""
        self._documents += 1
        if self._headings:
            self._headings.clear()

    def end_of_block(self, running: Decimal) -> list[PendingRow]:
        """A total: gives the headings without an amount that no document followed."""
        self._close(running)
        lost, self._headings = self._headings, []
        return lost

    def end(self, running: Decimal) -> list[PendingRow]:
        """The end of the sheet: gives every heading that turned out to be none."""
        lost = self.end_of_block(running)
        return lost + [(one.row, one.text) for several in self._open.values() for one in several]

    def _close(self, running: Decimal) -> None:
        closing = self._open.pop(running, [])
        still_open = [one for one in closing if one.documents == self._documents]
        if still_open:
            self._open[running] = still_open


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
                    stated: Decimal | None = reader.sums[place]
                else:
                    stated = parse_number(cell, precision)
            except ValueError as error:
                yield Fault(known.title, cell, reason_of(error)).reject(file, row)
                continue
            if stated is not None:
                control[known.title] = stated
        for index, title in layout.extra:
            both = reader.extra.control_total(index, cells[index], reader.rows)
            if both is not None:
                control[title], sums[title] = both
    yield Totals(control, sums, reader.rows, reader.rejected, None if total is None else total[0])


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
        self._pending: list[PendingRow] = []
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
                self._pending.append((row, first_text(cells)))
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
        self._pending += self._groups.end_of_block(self._sum)
        yield from self._unrecognized()
        if line is LineKind.TOTAL:
            self._total, self._below = (row, cells), Tally()

    def _group(self, row: int, cells: Sequence[Cell]) -> None:
        text = first_text(cells)
        try:
            amount = parse_number(cells[self._amount_index], MONEY_TOTAL)
        except ValueError:
            self._pending.append((row, text))
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
        left = sorted([*self._pending, *unproved])
        self._pending = [pending for pending in left if end is None or pending[0] < end]
        yield from self._unrecognized()
        below = left[len(left) - sum(end is not None and row > end for row, _ in left) :]
        if below:
            rows, texts = zip(*below, strict=True)
            count = len(below)
            yield problem("rows-below-total", file=self._file, row=rows[0], value=texts[0], count=count, every_row=rows)
        if self._below.count:
            yield problem("documents-below-total", file=self._file, **self._below.facts)  # type: ignore[arg-type]
        yield from self._reader.tallies.problems()
        yield from totals(self._layout, self._reader, self._total, self._file)

    def _unrecognized(self) -> Iterator[Problem]:
        if self._pending:
            for row, text in sorted(self._pending):
                yield problem("row-unrecognized", file=self._file, row=row, value=text)
            self._pending.clear()
