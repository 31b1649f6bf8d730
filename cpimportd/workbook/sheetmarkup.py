"""Parses the XML of worksheets: cells as calamine returns them, and those that it does not show."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from cpimportd.core.model import Cell, CellError, UncalculatedFormula
from cpimportd.core.phrases import UnfitError
from cpimportd.workbook.markup import Shown, Target, TextCollector, decoded, local_names, parser_for
from cpimportd.workbook.sheets import LAST_COLUMN, LAST_ROW, Row, cell_of_serial, column_number

_NAMES = local_names({"row", "c", "v", "f", "is", "t", "rPh"})
_ADDRESS = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")
_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE)
_ISO = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})?(?P<between>T)?(?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?)?"
)
_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}
_XML_BLANKS = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Styles:
    """What a number in a cell may be: as what each cell format shows it, and the day that days are counted from."""

    formats: Sequence[Shown]
    since_1904: bool

    def shown(self, style: str | None, number: float) -> Cell:
        """A number as a cell of that style shows it; a cell without style shows a number."""
        place = int(style) if style is not None and style.isdecimal() else -1
        shown = self.formats[place] if 0 <= place < len(self.formats) else Shown.NUMBER
        if shown is Shown.NUMBER:
            return number
        return cell_of_serial(number, since_1904=self.since_1904, elapsed=shown is Shown.SPAN)


class SheetError(UnfitError):
    """A worksheet says what no worksheet can, or says it twice."""


class SheetParser:
    """Takes the XML of one worksheet piece by piece and gives its rows, less those that hold nothing.

    Args:
        texts: the workbook's shared texts.
        styles: its cell formats.
    """

    def __init__(self, texts: Sequence[str], styles: Styles) -> None:
        self._target = _SheetTarget(texts, styles)
        self._parser = parser_for(self._target)

    def feed(self, piece: bytes) -> list[Row]:
        """The rows that end within the next piece.

        Raises:
            ParseError: it is no XML.
            SheetError: rows out of order, two cells at one place, a value that is none.
        """
        self._parser.feed(piece)
        return self._target.taken()

    def end_of_part(self) -> list[Row]:
        """The rows that were left.

        Raises:
            ParseError: the part is cut off.
            SheetError: as :meth:`feed` does.
        """
        self._parser.close()
        return self._target.taken()


class _SheetTarget(Target):
    def __init__(self, texts: Sequence[str], styles: Styles) -> None:
        self._texts, self._styles = texts, styles
        self._inline = TextCollector()
        self._done: list[Row] = []
        self._row, self._numbered = 0, True
        self._column = 0
        self._cells: dict[int, Cell] = {}
        self._in_cell = self._in_row = self._is_inline = False
        self._attributes: Mapping[str, str] = {}
        self._value: list[str] | None = None
        self._formula: list[str] | None = None
        self._take: Callable[[str], None] | None = None

    def taken(self) -> list[Row]:
        """The rows that ended since this was asked last."""
        done, self._done = self._done, []
        return done

    def start(self, name: str, attributes: dict[str, str]) -> None:
        local = _NAMES.get(name)
        if self._in_cell:
            self._start_inside(name, local, attributes)
        elif local == "c" and self._in_row:
            self._start_cell(attributes)
        elif local == "row":
            self._start_row(attributes)

    def data(self, text: str) -> None:
        if self._take is not None:
            self._take(text)

    def _start_inside(self, name: str, local: str | None, attributes: dict[str, str]) -> None:
        if local == "v":
            self._value = []
            self._take = self._value.append
        elif local == "f":
            self._formula = []
            self._take = self._formula.append
        elif local == "is" or self._is_inline:
            self._is_inline = True
            self._inline.start(name, attributes)
            self._take = self._inline.data

    def end(self, name: str) -> None:
        local = _NAMES.get(name)
        if local is None:
            return
        if self._in_cell:
            if local == "c":
                self._end_cell()
            elif self._is_inline:
                self._inline.end(name)
            self._take = None
        elif local == "row":
            self._end_row()

    def _start_row(self, attributes: Mapping[str, str]) -> None:
        written = attributes.get("r")
        self._in_row, self._numbered = True, written is not None
        row = self._row + 1 if written is None else self._parse_whole(written, "row number")
        self._set_row(row, self._row)
        self._column, self._cells = 0, {}

    def _set_row(self, row: int, last: int) -> None:
        if not last < row <= LAST_ROW:
            raise SheetError("row-after", row=row, other=last)
        self._row = row

    def _start_cell(self, attributes: Mapping[str, str]) -> None:
        self._in_cell, self._is_inline, self._attributes = True, False, attributes
        self._value = self._formula = None
        self._column += 1
        address = attributes.get("r")
        if address is not None:
            self._go_to(address)

    def _go_to(self, address: str) -> None:
        match = _ADDRESS.fullmatch(address)
        if match is None:
            raise SheetError("cell-called", row=self._row, address=address)
        self._column = column_number(match[1])
        row = int(match[2])
        if row != self._row:
            if self._numbered or self._cells:
                raise SheetError("cell-of-other-row", row=self._row, address=address)
            self._set_row(row, self._row - 1)
        self._numbered = True

    def _end_cell(self) -> None:
        self._in_cell = False
        if self._column > LAST_COLUMN:
            name = self._attributes.get("r", "a cell")
            raise SheetError("cell-too-far", name=name, row=self._row)
        if self._column in self._cells:
            raise SheetError("two-cells", row=self._row, column=self._column)
        self._cells[self._column] = self._cell_value()

    def _end_row(self) -> None:
        self._in_row = False
        cells = self._cells
        if any(cell is not None for cell in cells.values()):
            self._done.append((self._row, tuple(map(cells.get, range(1, max(cells) + 1)))))

    def _cell_value(self) -> Cell:
        kind = self._attributes.get("t", "")
        if self._is_inline:
            return self._inline.text() or None
        written = None if self._value is None else "".join(self._value)
        if self._formula is not None and not written and (written is None or kind != "str"):
            return UncalculatedFormula(f"={''.join(self._formula)}")
        if not written or kind == "inlineStr":
            return None
        if kind == "str":
            return decoded(written)
        return self._typed(kind, written)

    def _typed(self, kind: str, written: str) -> Cell:
        value = written.strip(_XML_BLANKS)
        if not value and kind in {"s", "e", "n", "b"}:
            return None
        if kind == "s":
            return self._shared(value)
        if kind == "e":
            return CellError(value)
        if kind == "b" and value in _BOOLEANS:
            return _BOOLEANS[value]
        if kind in {"", "n"} and _NUMBER.fullmatch(value):
            return self._styles.shown(self._attributes.get("s"), float(value))
        if kind in {"", "d"}:
            return (_moment(value) if kind else None) or written
        raise SheetError("value-of-no-type", text=written[:40], row=self._row, kind=kind)

    def _shared(self, value: str) -> str | None:
        place = self._parse_whole(value, "place of a shared text")
        if place >= len(self._texts):
            raise SheetError("no-shared-text", row=self._row, place=place, count=len(self._texts))
        return self._texts[place] or None

    def _parse_whole(self, text: str, what: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise SheetError("place-is", what=what, row=self._row, text=text[:40])
        return int(text)


def _moment(text: str) -> datetime | date | time | None:
    """What a cell of type ``d`` says, where it has no zone; None if it is nothing of the kind."""
    match = _ISO.fullmatch(text)
    if match is None or (match["between"] is None) == (match["day"] is not None and match["time"] is not None):
        return None
    try:
        if match["time"] is None:
            return date.fromisoformat(match["day"])
        clock = match["time"][:15]
        return datetime.fromisoformat(f"{match['day']}T{clock}") if match["day"] else time.fromisoformat(clock)
    except ValueError:
        return None
