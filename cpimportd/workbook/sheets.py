"""The result of an engine: worksheets, and their rows of cells."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
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


class MaybeVisible(Protocol):
    """A sheet of a workbook, visible or hidden."""

    @property
    def shown(self) -> bool:
        """Whether it is visible."""


_Page = TypeVar("_Page", bound=MaybeVisible)


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


_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - a workbook's moments have no zone
_DAYS_TO_1904 = 1462
# The default date system has a 29 February 1900 that never was (ECMA-376 part 1, 18.17.4.1).
_LEAP_DAY_1900 = 60
_MILLISECONDS = 86_400_000
_LAST_SERIAL = 2_958_465
"""9999-12-31 in the default date system."""


def cell_of_serial(number: float, *, since_1904: bool, elapsed: bool) -> Cell:
    """The date, moment or time of day of a serial number; the number itself if it is none.

    Args:
        number: as the cell holds it.
        since_1904: whether the workbook counts its days from 1904.
        elapsed: whether the format shows a duration, as ``[h]:mm`` does.

    Returns:
        A timedelta for a duration. Else a time for what is less than a day, a date for whole days, a datetime for the
        rest, and the number as it came where it is negative, beyond 9999 or no number.
    """
    if not math.isfinite(number) or abs(number) > _LAST_SERIAL * 100:
        return number
    if elapsed:
        return timedelta(milliseconds=_milliseconds(number))
    if not 0 <= number <= _LAST_SERIAL + 1:
        return number
    try:
        return _moment(number, since_1904)
    except OverflowError:
        return number


def _moment(number: float, since_1904: bool) -> datetime | date | time:
    days = number + _DAYS_TO_1904 if since_1904 else number + (number < _LEAP_DAY_1900)
    moment = _ZERO + timedelta(milliseconds=_milliseconds(days))
    if number < 1:
        return moment.time()
    return moment.date() if number == int(number) else moment


def _milliseconds(number: float) -> int:
    """The nearest whole number, a half away from zero, as calamine rounds; Python's ``round`` goes to even."""
    exact = number * _MILLISECONDS
    return math.floor(exact + 0.5) if exact >= 0 else math.ceil(exact - 0.5)
