"""Parses dates in all forms that workbooks use, and extracts the date of a contract from its name."""

import math
import re
from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from cpimportd.core.folding import without_format_characters
from cpimportd.core.formatting import FIRST_YEAR, LAST_YEAR, in_years
from cpimportd.core.model import Cell, CellError
from cpimportd.core.phrases import UnfitError

_MONTHS = (
    "января", "февраля", "марта", "апреля", "мая", "июня",
    "июля", "августа", "сентября", "октября", "ноября", "декабря",
)  # fmt: skip
# `7/2020` is a number, and so is `1.2.23.09.2021`; `28.07.2020г.` is a date.
_FIGURES = re.compile(r"(?<![0-9.])([0-9]{1,2})\.([0-9]{2})\.([0-9]{4})(?![0-9]|\.[0-9])")
_WORDS = re.compile(rf"(?<![0-9])([0-9]{{1,2}})\s+({'|'.join(_MONTHS)})\s+([0-9]{{4}})(?![0-9])", re.IGNORECASE)


@lru_cache(maxsize=16_384)
def date_in_contract(text: str) -> date | None:
    """The date inside a contract's text: 28 July 2020 in ``Договор займа № 7/2020 от 28.07.2020г.``, in words too.

    Returns:
        The date where the text holds exactly one; with several, nobody can say which is the contract's.
    """
    figures = [(match[1], int(match[2]), match[3]) for match in _FIGURES.finditer(text)]
    words = [(match[1], _MONTHS.index(match[2].lower()) + 1, match[3]) for match in _WORDS.finditer(text)]
    found = {found for parts in (*figures, *words) if (found := _day(*parts))}
    return found.pop() if len(found) == 1 else None


def _day(day: str, month: int, year: str) -> date | None:
    try:
        found = date(int(year), month, int(day))
    except ValueError:
        return None
    return found if in_years(found) else None


_DAY = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})(?:\s?г\.?)?(?:\s+([0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?))?")
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T].+)?")
# How 1C shows a date that was never filled in: as its first day, or as the mask "  .  .       :  :  ".
_EMPTY_DAY = re.compile(
    r"01\.01\.0001(?:\s+0?0:00(?::00)?)?|\.[ \u00a0]*\.(?:[ \u00a0]*:(?:[ \u00a0]*:)?)?"
    # With a zone it is the midnight of somewhere, which may have been a day earlier elsewhere.
    r"|0001-01-01(?:[ T]00:00(?::00(?:\.0+)?)?)?|(?:0001-01-01|0000-12-31)T[0-9:.]+(?:Z|[-+][0-9:]{2,8})"
)
_NO_DAY = datetime(1, 1, 1)  # noqa: DTZ001 - moments in a workbook have no zone
# Day 0 of spreadsheet programs, in their default date system.
_SERIAL_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - the same
_MILLISECONDS = 86_400_000
_LAST_SERIAL = 100_000
_DAYS_TO_1904 = 1462
"""From day 0 of the default date system to that of the other one, 1904-01-01 (ECMA-376 part 1, 18.17.4.1)."""


def parse_day(cell: Cell, zone: tzinfo, *, since_1904: bool = False) -> date | None:
    """A date between 1990 and 2100; a time is dropped.

    Args:
        cell: text (``24.09.2021``, ISO), a date cell, or its serial number.
        zone: whose day it is where a text has an offset from UTC, or ``Z``: such a text is an instant.
        since_1904: whether the workbook counts its days from 1904, as those of Excel for Mac do.

    Returns:
        None where the cell is empty, or holds 1C's empty date, 1 January 0001.

    Raises:
        ValueError: it is no date.
    """
    if cell is None:
        return None
    if type(cell) is str:
        return _day_in_text(cell, zone)
    if isinstance(cell, date):
        return None if cell in (_NO_DAY, _NO_DAY.date()) else _in_range(cell)
    if type(cell) is float or type(cell) is int:
        serial = cell + _DAYS_TO_1904 if since_1904 else cell
        if math.isfinite(serial) and 0 < serial < _LAST_SERIAL:
            # To the millisecond, as a cell that is formatted as a date is read: less is noise of arithmetic on doubles.
            return _in_range(_SERIAL_ZERO + timedelta(milliseconds=round(serial * _MILLISECONDS)))
    raise UnfitError("error-value" if isinstance(cell, CellError) else "no-date")


def _day_in_text(text: str, zone: tzinfo) -> date | None:
    stripped = text.strip() if text.isprintable() else without_format_characters(text).strip()
    if not stripped or _EMPTY_DAY.fullmatch(stripped):
        return None
    try:
        found = _calendar_day(stripped, zone)
    except (ValueError, OverflowError):
        raise UnfitError("no-date") from None
    return _in_range(found)


def _calendar_day(text: str, zone: tzinfo) -> date:
    if match := _DAY.fullmatch(text):
        day, month, year, clock = match.groups()
        if clock:
            time.fromisoformat(clock if clock[2] == ":" else f"0{clock}")
        return date(int(year), int(month), int(day))
    if _ISO_DAY.fullmatch(text):
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo is None else moment.astimezone(zone)).date()
    raise ValueError(text)


def _in_range(day: date) -> date:
    plain = day.date() if isinstance(day, datetime) else day
    if not in_years(plain):
        raise UnfitError("no-date-of-years", first=FIRST_YEAR, last=LAST_YEAR)
    return plain
