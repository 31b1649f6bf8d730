"""Dates, however a workbook writes them."""

import math
import re
from datetime import date, datetime, time, timedelta

from cpimportd.core.years import FIRST_YEAR, LAST_YEAR, in_years
from cpimportd.model import Cell, CellError

_DAY = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})(?:\s?г\.?)?(?:\s+([0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?))?")
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T].+)?")
# How 1C shows a date that was never filled in: as its first day, or as the mask "  .  .       :  :  ".
_EMPTY_DAY = re.compile(r"01\.01\.0001(?:\s+0?0:00:00)?|\.[ \u00a0]*\.(?:[ \u00a0]*:(?:[ \u00a0]*:)?)?")
# Day 0 of spreadsheet programs, in their default date system.
_SERIAL_ZERO = date(1899, 12, 30)
_LAST_SERIAL = 100_000
_DAYS_TO_1904 = 1462
"""From day 0 of the default date system to that of the other one, 1904-01-01 (ECMA-376 part 1, 18.17.4.1)."""


def parse_day(cell: Cell) -> date | None:
    """A date between 1990 and 2100: text (``24.09.2021``, ISO), a date cell, or its serial number; a time is dropped.

    Raises:
        ValueError: it is no date.
    """
    if cell is None:
        return None
    if type(cell) is str:
        return _day_in_text(cell)
    if isinstance(cell, datetime):
        return _in_range(cell.date())
    if isinstance(cell, date):
        return _in_range(cell)
    if (type(cell) is float or type(cell) is int) and math.isfinite(cell) and 0 < cell < _LAST_SERIAL:
        return _in_range(_SERIAL_ZERO + timedelta(days=int(cell)))
    raise ValueError("is an error value" if isinstance(cell, CellError) else "is no date")


def parse_day_since_1904(cell: Cell) -> date | None:
    """As :func:`parse_day`, in a workbook that counts its days from 1904, as those of Excel for Mac do.

    Raises:
        ValueError: it is no date.
    """
    return parse_day(cell + _DAYS_TO_1904 if type(cell) is float or type(cell) is int else cell)


def _day_in_text(text: str) -> date | None:
    stripped = text.strip()
    if not stripped or _EMPTY_DAY.fullmatch(stripped):
        return None
    try:
        found = _calendar_day(stripped)
    except ValueError:
        raise ValueError("is no date") from None
    return _in_range(found)


def _calendar_day(text: str) -> date:
    if match := _DAY.fullmatch(text):
        day, month, year, clock = match.groups()
        if clock:
            time.fromisoformat(clock if clock[2] == ":" else f"0{clock}")
        return date(int(year), int(month), int(day))
    if _ISO_DAY.fullmatch(text):
        return datetime.fromisoformat(text).date()
    raise ValueError(text)


def _in_range(day: date) -> date:
    if not in_years(day):
        raise ValueError(f"is no date between {FIRST_YEAR} and {LAST_YEAR}")
    return day
