"""What an engine gives: worksheets, and their rows of cells."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from cpimportd.core.model import Cell, CellError

Row = tuple[int, tuple[Cell, ...]]
"""A sheet's row: its number, from 1 as a spreadsheet program shows it, and its cells from column A on."""


_ERROR_VALUES: Mapping[int, str] = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}

LAST_ROW, LAST_COLUMN = 1_048_576, 16_384
"""Of a worksheet (Excel's specifications and limits)."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One worksheet; ``rows`` begins anew each time it is called."""

    name: str
    rows: Callable[[], Iterator[Row]]


class MayBeShown(Protocol):
    """A sheet of a workbook that a human sees, or does not."""

    @property
    def shown(self) -> bool:
        """Whether a human sees it."""


_Page = TypeVar("_Page", bound=MayBeShown)


def shown_sheets(sheets: Sequence[_Page]) -> Sequence[_Page]:
    """The sheets that are read: those that are shown, or the hidden one where it is the only one."""
    return [sheet for sheet in sheets if sheet.shown] or (sheets if len(sheets) == 1 else ())


def column_number(letters: str) -> int:
    """The number of a column from its letters: 1 for A, 27 for AA."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def error_value(code: int) -> CellError:
    """The error value that a binary workbook writes as a number ([MS-XLS] 2.5.10, [MS-XLSB] 2.5.97.2)."""
    return CellError(_ERROR_VALUES.get(code, f"#ERROR{code}!"))
