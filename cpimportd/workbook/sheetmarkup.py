"""The XML of worksheets and shared texts: cells as calamine gives them, and what it does not show."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from cpimportd.model import Cell, CellError, UncalculatedFormula
from cpimportd.workbook.markup import local_names, parser
from cpimportd.workbook.numberformats import Shown
from cpimportd.workbook.serials import cell_of_serial
from cpimportd.workbook.sheets import Row, column_number
from cpimportd.workbook.texts import decoded, text_of

LAST_ROW, LAST_COLUMN = 1_048_576, 16_384
"""Of a worksheet (ECMA-376 part 1, 18.3.1.73; Excel's specifications and limits)."""

_SPACE = "http://www.w3.org/XML/1998/namespace space"
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


class SheetError(ValueError):
    """A worksheet says what no worksheet can, or says it twice."""


def shared_texts(content: bytes) -> list[str]:
    """The shared texts of a workbook, in their order; hints of how to pronounce them are no part of them.

    Raises:
        ExpatError: it is no XML.
    """
    names = local_names({"si", "t", "rPh"})
    texts: list[str] = []
    collector = _TextCollector(names)
    made = parser()

    def start(name: str, attributes: dict[str, str]) -> None:
        if names.get(name) == "si":
            collector.begin()
        made.CharacterDataHandler = collector.start(name, attributes)

    def end(name: str) -> None:
        collector.end(name)
        made.CharacterDataHandler = None
        if names.get(name) == "si":
            texts.append(collector.text())

    made.StartElementHandler, made.EndElementHandler = start, end
    made.Parse(content, True)
    return texts


class _TextCollector:
    """The ``t`` elements of a shared or inline text, less those of phonetic runs, each decoded by itself."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self.begin()

    def begin(self) -> None:
        self._texts: list[str] = []
        self._pieces: list[str] = []
        self._phonetic = self._preserved = self._inside = False

    def start(self, name: str, attributes: Mapping[str, str]) -> Callable[[str], None] | None:
        """What takes the characters that follow; None where they do not matter."""
        local = self._names.get(name)
        if local == "rPh":
            self._phonetic = True
        if local != "t" or self._phonetic:
            return None
        self._pieces, self._inside = [], True
        self._preserved = attributes.get(_SPACE) == "preserve"
        return self._pieces.append

    def end(self, name: str) -> None:
        local = self._names.get(name)
        if local == "rPh":
            self._phonetic = False
        elif local == "t" and self._inside:
            self._inside = False
            self._texts.append(text_of("".join(self._pieces), preserved=self._preserved))

    def text(self) -> str:
        return "".join(self._texts)


class SheetParser:
    """Takes the XML of one worksheet piece by piece and gives its rows, less those that hold nothing.

    Args:
        texts: the workbook's shared texts.
        styles: its cell formats.
    """

    def __init__(self, texts: Sequence[str], styles: Styles) -> None:
        self._texts, self._styles = texts, styles
        self._names = local_names({"row", "c", "v", "f", "is", "t", "rPh"})
        self._parser = parser()
        self._parser.StartElementHandler, self._parser.EndElementHandler = self._start, self._end
        self._inline = _TextCollector(self._names)
        self._done: list[Row] = []
        self._row, self._numbered = 0, True
        self._column = 0
        self._cells: dict[int, Cell] = {}
        self._in_cell = self._in_row = self._is_inline = False
        self._attributes: Mapping[str, str] = {}
        self._value: list[str] | None = None
        self._formula: list[str] | None = None

    def feed(self, piece: bytes, *, final: bool = False) -> list[Row]:
        """The rows that end within the next piece.

        Raises:
            ExpatError: it is no XML.
            SheetError: rows out of order, two cells at one place, a value that is none.
        """
        self._done = []
        self._parser.Parse(piece, final)
        return self._done

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = self._names.get(name)
        if self._in_cell:
            self._start_inside(name, local, attributes)
        elif local == "c" and self._in_row:
            self._start_cell(attributes)
        elif local == "row":
            self._start_row(attributes)

    def _start_inside(self, name: str, local: str | None, attributes: dict[str, str]) -> None:
        if local == "v":
            self._value = []
            self._parser.CharacterDataHandler = self._value.append
        elif local == "f":
            self._formula = []
            self._parser.CharacterDataHandler = self._formula.append
        elif local == "is":
            self._is_inline = True
            self._inline.begin()
        elif self._is_inline:
            self._parser.CharacterDataHandler = self._inline.start(name, attributes)

    def _end(self, name: str) -> None:
        local = self._names.get(name)
        if local is None:
            return
        if self._in_cell:
            self._parser.CharacterDataHandler = None
            if local == "c":
                self._end_cell()
            elif self._is_inline:
                self._inline.end(name)
        elif local == "row":
            self._end_row()

    def _start_row(self, attributes: Mapping[str, str]) -> None:
        written = attributes.get("r")
        self._in_row, self._numbered = True, written is not None
        row = self._row + 1 if written is None else self._whole(written, "row number")
        self._set_row(row)
        self._column, self._cells = 0, {}

    def _set_row(self, row: int, than: int | None = None) -> None:
        last = self._row if than is None else than
        if not last < row <= LAST_ROW:
            raise SheetError(f"row {row} stands after row {last}")
        self._row = row

    def _start_cell(self, attributes: Mapping[str, str]) -> None:
        self._in_cell, self._is_inline, self._attributes = True, False, attributes
        self._value = self._formula = None
        self._column += 1
        address = attributes.get("r")
        if address is None:
            return
        match = _ADDRESS.fullmatch(address)
        if match is None:
            raise SheetError(f"a cell in row {self._row} is called {address!r}")
        self._column = column_number(match[1])
        row = int(match[2])
        if row != self._row:
            if self._numbered or self._cells:
                raise SheetError(f"row {self._row} holds the cell {address}")
            self._set_row(row, self._row - 1)
        self._numbered = True

    def _end_cell(self) -> None:
        self._in_cell = False
        if self._column > LAST_COLUMN:
            raise SheetError(f"row {self._row} has more than {LAST_COLUMN} columns")
        if self._column in self._cells:
            raise SheetError(f"row {self._row} has two cells in its column {self._column}")
        self._cells[self._column] = self._meaning()

    def _end_row(self) -> None:
        self._in_row = False
        cells = self._cells
        if any(cell is not None for cell in cells.values()):
            self._done.append((self._row, tuple(map(cells.get, range(1, max(cells) + 1)))))

    def _meaning(self) -> Cell:
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
        raise SheetError(f"the value {written[:40]!r} in row {self._row} is none of type {kind!r}")

    def _shared(self, value: str) -> str | None:
        place = self._whole(value, "place of a shared text")
        if place >= len(self._texts):
            raise SheetError(f"row {self._row} refers to the shared text {place}, there are {len(self._texts)}")
        return self._texts[place] or None

    def _whole(self, text: str, what: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise SheetError(f"a {what} after row {self._row} is {text[:40]!r}")
        return int(text)


def _moment(text: str) -> datetime | date | time | None:
    """What a cell of type ``d`` says, where it has no zone; None where it is nothing of the kind."""
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
