"""Turns a sheet's cells into documents: the entry point of this room."""

from collections.abc import Iterable, Iterator, Mapping
from zoneinfo import ZoneInfo

from cpimportd.core.catalog import Effect
from cpimportd.core.model import Cell, Kind
from cpimportd.core.problems import Problem, problem
from cpimportd.documents.columns import IDENTIFYING
from cpimportd.documents.header import HEADER_WITHIN, Layout, kind_by_name, kind_of_header, lay_out, layout_problems
from cpimportd.documents.items import DocumentRow, Header, Totals
from cpimportd.documents.rows import RowReader
from cpimportd.documents.sheet import Row, SheetReader


def understand(
    cells: Iterable[tuple[int, tuple[Cell, ...]]],
    *,
    file: str,
    sheet: str,
    file_no: int,
    zone: ZoneInfo,
    limits: Mapping[str, int],
    since_1904: bool = False,
) -> Iterator[Header | DocumentRow | Problem | Totals]:
    """Understand one sheet, row by row, in the memory of a few.

    Args:
        cells: the sheet's rows in order: row number from 1, cells from column A on.
        file: the workbook's name, for problems; where it speaks of a kind, the header must agree.
        sheet: the sheet's name, for problems.
        file_no: the file's place among today's, the first of every row's values.
        zone: in which 1C writes its moments.
        limits: per staged column, how many characters fit; a column that is not named has no limit.
        since_1904: whether the workbook counts its days from 1904.

    Yields:
        The header first, where there is one. Then a row for each document that was understood, and for each that was
        not a reject per cell; warnings, and whatever else is wrong. Last, if there was a header, the totals. Where
        required columns are missing, nothing below the header is read.
    """
    rows = iter(cells)
    looked_at = 0
    for row, titles in rows:
        if row > HEADER_WITHIN:
            break
        looked_at = row
        kind = kind_of_header(titles)
        if kind is not None:
            layout = lay_out(kind, row, titles)
            yield Header(kind, row, layout.titles, sheet, layout.letters)
            reader = RowReader(layout, file=file, file_no=file_no, zone=zone, limits=limits, since_1904=since_1904)
            yield from _below(layout, reader, rows, file)
            return
    example = IDENTIFYING[kind_by_name(file) or Kind.RECEIPTS]
    yield problem("no-header", file=file, sheet=sheet, rows=looked_at, example=example)


def _below(
    layout: Layout, reader: RowReader, rows: Iterable[Row], file: str
) -> Iterator[DocumentRow | Problem | Totals]:
    by_name = kind_by_name(file)
    if by_name not in (None, layout.kind):
        yield problem("kind-disagrees", file=file, by_name=str(by_name), by_header=str(layout.kind))
    found = layout_problems(layout, file)
    yield from found
    if any(one.effect is Effect.INTEGRITY for one in found):
        yield Totals({}, {}, 0)
    else:
        yield from SheetReader(layout, reader, file).read(rows)
