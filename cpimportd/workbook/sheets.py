"""What an engine gives: worksheets, and their rows of cells."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from cpimportd.model import Cell, CellError

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


@dataclass(frozen=True, slots=True)
class Sheet:
    """One worksheet; ``rows`` begins anew each time it is called."""

    name: str
    rows: Callable[[], Iterator[Row]]


def error_value(code: int) -> CellError:
    """The error value that a binary workbook writes as a number ([MS-XLS] 2.5.10, [MS-XLSB] 2.5.97.2)."""
    return CellError(_ERROR_VALUES.get(code, f"#ERROR{code}!"))
