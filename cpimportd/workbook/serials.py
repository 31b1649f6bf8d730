"""What a number means in a cell that is formatted as a date: the same whichever engine reads the workbook.

In XLSX and XLSB calamine does this conversion itself; these are its rules, where it has not lost the number on the way.
"""

import math
from datetime import date, datetime, time, timedelta

from cpimportd.core.model import Cell

_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - a workbook's moments have no zone
_DAYS_TO_1904 = 1462
# The default date system has a 29 February 1900 that never was (ECMA-376 part 1, 18.17.4.1).
_LEAP_DAY_1900 = 60
_MILLISECONDS = 86_400_000
_LAST_SERIAL = 2_958_465
"""9999-12-31 in the default date system."""


def cell_of_serial(number: float, *, since_1904: bool, elapsed: bool) -> Cell:
    """The date, moment or time of day that a serial number stands for; the number itself where it stands for none.

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
