"""What the cells of a column mean: one small function per meaning.

Each takes a cell and gives the value, or None where the cell is empty. What cannot be understood raises a ValueError
whose text goes on a sentence that begins with the cell: «abc» *is no number*.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from functools import partial

from cpimportd.core.folding import fold
from cpimportd.core.model import Cell, CellError, Value
from cpimportd.core.phrases import UnfitError
from cpimportd.documents.columns import Meaning
from cpimportd.documents.currencies import currency_code
from cpimportd.documents.dates import parse_day
from cpimportd.documents.numbers import parse_money, parse_rate, plain_number, require_digits

_FLAGS = {fold("да"): True, fold("нет"): False, "1": True, "0": False}


def parse_text(cell: Cell) -> str | None:
    """Text, stripped at the ends only; a number in its shortest decimal form, a date as 1C prints it.

    Raises:
        ValueError: it is an error value or a number that has lost digits, or PostgreSQL could not store it.
    """
    if type(cell) is str:
        return _stripped(cell)
    return None if cell is None else _as_text(cell)


def parse_flag(cell: Cell) -> bool | None:
    """``Да`` or ``Нет``, in any case; true, false, 1 and 0 too.

    Raises:
        ValueError: it is something else.
    """
    if cell is None or isinstance(cell, bool):
        return cell
    text = parse_text(cell)
    if text is None:
        return None
    flag = _FLAGS.get(fold(text))
    if flag is None:
        raise UnfitError("no-yes-or-no")
    return flag


def parse_currency(cell: Cell) -> str | None:
    """An ISO 4217 code; ``руб.``, ``долл.`` and the like are names of theirs, ``643`` and ``840`` their numbers.

    Raises:
        ValueError: no such currency is known.
    """
    text = parse_text(cell)
    return None if text is None else currency_code(text)


def parsers_in(zone: tzinfo, *, since_1904: bool = False) -> Mapping[Meaning, Callable[[Cell], Value]]:
    """What reads the cells of each meaning.

    Args:
        zone: whose days count where a cell names an instant.
        since_1904: whether a date's serial number counts from 1904.
    """
    return {
        Meaning.TEXT: parse_text,
        Meaning.MONEY: parse_money,
        Meaning.RATE: parse_rate,
        Meaning.DATE: partial(parse_day, zone=zone, since_1904=since_1904),
        Meaning.FLAG: parse_flag,
        Meaning.CURRENCY: parse_currency,
    }


def is_blank(cell: Cell) -> bool:
    """Whether a cell holds nothing, or nothing but spaces."""
    return cell is None or (isinstance(cell, str) and (not cell or cell.isspace()))


def json_value(cell: Cell) -> object:
    """A filled cell as ``extra`` keeps it: text as it is, whole numbers without a point, dates in ISO's form.

    Raises:
        ValueError: PostgreSQL could not store it, or it is a number that has lost digits.
    """
    if isinstance(cell, str):
        _storable(cell)
        return str(cell)
    if isinstance(cell, float):
        if cell.is_integer():
            require_digits(cell)
            return int(cell)
        # JSON knows neither NaN nor infinity.
        return cell if abs(cell) < float("inf") else str(cell)
    if isinstance(cell, date | time):
        return cell.isoformat()
    return cell if isinstance(cell, int) else str(cell)


def _stripped(text: str) -> str | None:
    _storable(text)
    return text.strip() or None


def _storable(text: str) -> None:
    if "\x00" in text:
        raise UnfitError("nul-character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnfitError("half-character") from error


def _as_text(cell: Cell) -> str:
    if isinstance(cell, CellError):
        raise UnfitError("error-value")
    if isinstance(cell, bool):
        return "Да" if cell else "Нет"
    if isinstance(cell, datetime):
        day = f"{cell:%d.%m.}{cell.year:04}"
        return day if cell.time() == time() else f"{day} {cell.hour}:{cell:%M:%S}"
    if isinstance(cell, date):
        return f"{cell:%d.%m.}{cell.year:04}"
    if isinstance(cell, time):
        return f"{cell.hour}:{cell:%M:%S}"
    return str(cell) if isinstance(cell, timedelta) else plain_number(cell)
