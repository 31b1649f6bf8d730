"""What a cell means: one small pure function per kind of value.

Each takes a cell and gives a value, None where the cell is empty, or raises :class:`UnreadableError` with a reason in
words that an accountant understands. Nothing is guessed: what could mean two things is unreadable.
"""

import math
import re
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Final

from cpimportd.model import Cell, CellError

SPACES: Final = " \u00a0\u202f\u2009\u2007"
"""What 1C and Excel put between thousands: space, no-break, narrow no-break, thin and figure space."""

_GROUPED = re.compile(rf"[+-]?\d{{1,3}}(?:[{SPACES}]\d{{3}})*(?:[.,]\d+)?|[+-]?\d+(?:[.,]\d+)?")
_CENT, _MILLIONTH = Decimal("0.01"), Decimal("0.000001")
_NOISE = Decimal("0.000001")
"""A double that lies this near a number of kopecks is that number: what is left is the double's own error."""
_MOST = {_CENT: Decimal(10) ** 13, _MILLIONTH: Decimal(10) ** 9}
"""numeric(15,2) and numeric(15,6) hold less than this."""

_RUSSIAN = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:\s+\d{1,2}:\d{2}(?::\d{2})?)?")
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?")
_FIRST_YEAR, _LAST_YEAR = 1990, 2100
_EXCEL_EPOCH = date(1899, 12, 30)

_YES, _NO = frozenset({"да", "true", "истина", "1"}), frozenset({"нет", "false", "ложь", "0"})

_CURRENCIES: Final = {
    **dict.fromkeys(("rub", "rur", "руб", "руб.", "643", "810", "рубль", "российский рубль", "₽"), "RUB"),
    **dict.fromkeys(("usd", "840", "долл", "долл.", "доллар", "доллар сша", "$"), "USD"),
    **dict.fromkeys(("eur", "978", "евро", "€"), "EUR"),
    **dict.fromkeys(("cny", "156", "юань", "китайский юань", "¥"), "CNY"),
    **dict.fromkeys(("kzt", "398", "тенге"), "KZT"),
    **dict.fromkeys(("byn", "933", "белорусский рубль"), "BYN"),
}


class UnreadableError(ValueError):
    """A cell that does not mean what its column asks for; the text says why."""


def read_text(cell: Cell) -> str | None:
    """A text, exactly as it stands but for spaces at its ends; a number as it is shown (``51``, not ``51.0``)."""
    if cell is None:
        return None
    if isinstance(cell, CellError):
        raise UnreadableError(f"the cell holds the error {cell}")
    if isinstance(cell, str):
        text = cell.strip()
        if "\x00" in text:
            raise UnreadableError("the text holds a NUL character, which no database can store")
        return text or None
    return _shown(cell)


def _shown(cell: bool | float | datetime | date | time | timedelta) -> str:
    if isinstance(cell, bool):
        return "Да" if cell else "Нет"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else format(Decimal(repr(cell)), "f")
    if isinstance(cell, datetime):
        return f"{cell:%d.%m.%Y}" if cell.time() == time() else f"{cell:%d.%m.%Y %H:%M:%S}"
    return f"{cell:%d.%m.%Y}" if isinstance(cell, date) else str(cell)


def read_money(cell: Cell) -> Decimal | None:
    """An amount: kopecks exactly. A double counts by its shortest decimal form (IEEE 754, as Python's repr gives it)."""
    return _number(cell, _CENT, "2 decimals")


def read_rate(cell: Cell) -> Decimal | None:
    """A rate of exchange: up to six decimals."""
    return _number(cell, _MILLIONTH, "6 decimals")


def _number(cell: Cell, unit: Decimal, most: str) -> Decimal | None:
    if cell is None:
        return None
    if isinstance(cell, CellError):
        raise UnreadableError(f"the cell holds the error {cell}")
    if isinstance(cell, str):
        text = cell.strip()
        return _from_text(text, unit, most) if text else None
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise UnreadableError("is no number")
    if not math.isfinite(cell):
        raise UnreadableError("is no finite number")
    exact = Decimal(repr(cell))
    near = _fitting(exact, unit)
    if abs(exact - near) >= _NOISE:
        raise UnreadableError(f"has more than {most}")
    return near


@lru_cache(maxsize=4096)
def _from_text(text: str, unit: Decimal, most: str) -> Decimal:
    plain = text.replace("\u2212", "-")
    if not _GROUPED.fullmatch(plain):
        raise UnreadableError("is no number")
    exact = Decimal(re.sub(f"[{SPACES}]", "", plain).replace(",", "."))
    near = _fitting(exact, unit)
    if exact != near:
        raise UnreadableError(f"has more than {most}")
    return near


def _fitting(exact: Decimal, unit: Decimal) -> Decimal:
    if abs(exact) >= _MOST[unit]:
        raise UnreadableError("is too large for the database")
    near = exact.quantize(unit, rounding=ROUND_HALF_EVEN)
    return near if near else abs(near)  # the database has no negative zero


def read_date(cell: Cell) -> date | None:
    """A date: ``24.09.2021`` with or without a time, ISO 8601, a real date, or Excel's serial number of one."""
    if cell is None:
        return None
    if isinstance(cell, CellError):
        raise UnreadableError(f"the cell holds the error {cell}")
    if isinstance(cell, str):
        text = cell.strip()
        return _date_from_text(text) if text else None
    if isinstance(cell, datetime):
        return _plausible(cell.date())
    if isinstance(cell, date):
        return _plausible(cell)
    if isinstance(cell, int | float) and not isinstance(cell, bool) and math.isfinite(cell) and 0 < cell < 100_000:
        return _plausible(_EXCEL_EPOCH + timedelta(days=int(cell)))
    raise UnreadableError("is no date")


@lru_cache(maxsize=8192)
def _date_from_text(text: str) -> date:
    if match := _RUSSIAN.fullmatch(text):
        day, month, year = match.groups()
    elif match := _ISO.fullmatch(text):
        year, month, day = match.groups()
    else:
        raise UnreadableError("is no date such as 24.09.2021")
    try:
        return _plausible(date(int(year), int(month), int(day)))
    except ValueError as error:
        raise UnreadableError(str(error) if isinstance(error, UnreadableError) else "is no day of the calendar") from None


def _plausible(day: date) -> date:
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise UnreadableError(f"is outside the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return day


def read_flag(cell: Cell) -> bool | None:
    """``Да`` or ``Нет`` in any case, a real boolean, 1 or 0."""
    text = read_text(cell)
    if text is None:
        return None
    folded = text.casefold()
    if folded in _YES:
        return True
    if folded in _NO:
        return False
    raise UnreadableError("is neither Да nor Нет")


def read_currency(cell: Cell) -> str | None:
    """A currency's ISO 4217 code, from its code, number or Russian name: ``руб.`` is RUB."""
    text = read_text(cell)
    if text is None:
        return None
    known = _CURRENCIES.get(text.casefold())
    if known is None and re.fullmatch(r"[A-Z]{3}", text):
        return text
    if known is None:
        raise UnreadableError("is no currency that we know: write its ISO code, e.g. RUB")
    return known


def keep(cell: Cell) -> str | int | float:
    """A filled cell of a column that we do not map, fit for JSON: nothing that 1C sent is lost."""
    if isinstance(cell, bool | str):
        return str(cell).strip() if isinstance(cell, str) else _shown(cell)
    if isinstance(cell, float):
        if not math.isfinite(cell):
            return str(cell)
        return int(cell) if cell.is_integer() and abs(cell) < 2**53 else cell
    return cell if isinstance(cell, int) else _shown(cell)  # type: ignore[arg-type]
