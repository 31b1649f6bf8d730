"""Finds the row with the titles, the kind of documents, and the meaning of every column below."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cpimportd.core.folding import fold, fold_case, visible, with_code_points
from cpimportd.core.model import MAIN_AMOUNT, Cell, Kind
from cpimportd.core.problems import Problem, problem
from cpimportd.documents.columns import COLUMNS, IDENTIFYING, Column, Meaning, Presence, column_letter
from cpimportd.documents.values import is_blank

_STEMS = (
    (Kind.RECEIPTS, ("postupleni", "поступлени")),
    (Kind.DETAILS, ("rasshifrovk", "расшифровк")),
    (Kind.EXPENSES, ("spisani", "списани")),
)


def kind_by_name(name: str) -> Kind | None:
    """The kind that a file's name speaks of, transliterated or in Cyrillic, in any case.

    Args:
        name: such as ``Most - spisanie(rasshifrovka) XLSX.xlsx``. Details of expenses name both words.

    Returns:
        The kind; None where the name says nothing, or both receipts and something else.
    """
    folded = fold(name)
    kinds = [kind for kind, stems in _STEMS if any(fold(stem) in folded for stem in stems)]
    if Kind.RECEIPTS in kinds and len(kinds) > 1:
        return None
    return kinds[0] if kinds else None


HEADER_WITHIN = 50
"""In how many of a sheet's first rows the header is looked for."""

_KNOWN: Mapping[Kind, Mapping[str, Column]] = {
    kind: {fold(title): column for column in columns for title in column.titles} for kind, columns in COLUMNS.items()
}
_IDENTIFYING = {kind: fold(title) for kind, title in IDENTIFYING.items()}
_AMOUNT = {kind: fold(title) for kind, title in MAIN_AMOUNT.items()}
# A row that names the document and so many more of its columns is a header, even if the amount was forgotten.
_ENOUGH_TITLES = 4
_NUMERIC = (Meaning.MONEY, Meaning.RATE)


@dataclass(frozen=True, slots=True)
class KnownColumn:
    """A column of this sheet that goes into a field: its place from 0, its title here, and what is known of it."""

    index: int
    title: str
    column: Column


@dataclass(frozen=True, slots=True)
class Layout:
    """What stands where in a sheet.

    Attributes:
        row: the header's row, from 1.
        titles: as the workbook shows them; "" where a column has none.
        written: the same with every character that the workbook writes, invisible ones too.
        known: the columns that go into fields, in the sheet's order.
        extra: the columns that go into ``extra``: place, and title there, which no two have in common.
    """

    kind: Kind
    row: int
    titles: tuple[str, ...]
    written: tuple[str, ...]
    known: tuple[KnownColumn, ...]
    extra: tuple[tuple[int, str], ...]

    def find(self, field: str) -> KnownColumn | None:
        """The column of a field; None where this sheet has none."""
        return next((known for known in self.known if known.column.field == field), None)

    def title_of(self, field: str) -> str:
        """A field's title here; where this sheet has no such column, the one that 1C gives it."""
        known = self.find(field)
        if known is not None:
            return known.title
        return next(column.titles[0] for column in COLUMNS[self.kind] if column.field == field)

    @property
    def letters(self) -> dict[str, str]:
        """Per field, the letters of its column; ``extra`` is many columns and not among them."""
        return {known.column.field: column_letter(known.index) for known in self.known if known.column.field != "extra"}

    @property
    def numeric(self) -> tuple[KnownColumn, ...]:
        """The columns of amounts and rates, which 1C may add up in its last row."""
        return tuple(known for known in self.known if known.column.meaning in _NUMERIC)


def kind_of_header(cells: Sequence[Cell]) -> Kind | None:
    """The kind of documents whose header a row is; None if it is no header.

    A header names the document, and the amount or several more columns. Expenses and their details name the document
    alike: the kind of which more titles are there wins.
    """
    titles = {fold(cell) for cell in cells if isinstance(cell, str)}
    best: tuple[int, Kind] | None = None
    for kind in (Kind.DETAILS, Kind.EXPENSES, Kind.RECEIPTS):
        count = len(titles & _KNOWN[kind].keys())
        if _IDENTIFYING[kind] not in titles or not (_AMOUNT[kind] in titles or count >= _ENOUGH_TITLES):
            continue
        if best is None or count > best[0]:
            best = (count, kind)
    return best[1] if best else None


def has_header(rows: Sequence[tuple[Cell, ...]]) -> Kind | None:
    """The kind of the first header among a sheet's first fifty rows; None where there is none."""
    return next((kind for cells in rows[:HEADER_WITHIN] if (kind := kind_of_header(cells))), None)


def lay_out(kind: Kind, row: int, cells: Sequence[Cell]) -> Layout:
    """Say of every column where it goes.

    Args:
        kind: of the documents, by :func:`kind_of_header`.
        row: the header's row, from 1.
        cells: its cells.
    """
    written = tuple("" if is_blank(cell) else " ".join(str(cell).split()) for cell in cells)
    titles = tuple(map(visible, written))
    known, extra, unused = [], [], _UnusedTitles()
    for index, title in enumerate(titles):
        column = _KNOWN[kind].get(fold(title))
        if column is not None:
            known.append(KnownColumn(index, title, column))
        if column is None or column.field == "extra":
            extra.append((index, unused.like(title or f"({column_letter(index)})")))
    return Layout(kind, row, titles, written, tuple(known), tuple(extra))


def layout_problems(layout: Layout, file: str) -> list[Problem]:
    """Columns that are missing, there twice, or called by a title that only looks right: each a problem of its own."""
    found = []
    for known in layout.known:
        written = layout.written[known.index]
        if not _is_plain(written, known.column):
            found.append(_lookalike(written, known, file, layout.row))
    seen: set[str] = set()
    for known in layout.known:
        if known.column.field in seen:
            found.append(problem("column-twice", file=file, row=layout.row, column=known.title))
        seen.add(known.column.field)
    absent = [column for column in COLUMNS[layout.kind] if column.field not in seen]
    found += [
        problem("column-missing", file=file, row=layout.row, column=column.titles[0])
        for column in absent
        if column.presence is Presence.REQUIRED
    ]
    unfilled = [column.titles[0] for column in absent if column.presence is Presence.EXPECTED]
    if unfilled:
        names = ", ".join(f"«{title}»" for title in unfilled)
        found.append(problem("column-absent", file=file, row=layout.row, value=names))
    return found


def _is_plain(written: str, column: Column) -> bool:
    """Whether a title is one that 1C writes, whatever its case, its ``ё``, its spaces, a BOM or composed marks."""
    return fold_case(written) in {fold_case(title) for title in column.titles}


def _lookalike(written: str, known: KnownColumn, file: str, row: int) -> Problem:
    expected = next(title for title in known.column.titles if fold(title) == fold(written))
    return problem(
        "title-lookalike",
        file=file,
        row=row,
        column=known.title,
        value=with_code_points(written, expected),
        letter=column_letter(known.index),
        title=expected,
    )


class _UnusedTitles:
    """Titles made different by a number, in a time that does not grow with how many are alike."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def like(self, title: str) -> str:
        candidate, count = title, self._next.get(title, 1)
        while candidate in self._taken:
            count += 1
            candidate = f"{title} ({count})"
        self._taken.add(candidate)
        self._next[title] = count
        return candidate
