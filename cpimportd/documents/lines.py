"""What a row below the header is: a document, a total, a group's heading, nothing, or something else."""

import re
from collections.abc import Sequence
from enum import Enum, auto

from cpimportd.core.folding import fold
from cpimportd.core.identity import NOTHING, parse_identity
from cpimportd.core.model import Cell, CellError
from cpimportd.documents.columns import IDENTIFYING
from cpimportd.documents.header import Layout
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

        Args:
            cells: of the row, at least as many as the header has.
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
