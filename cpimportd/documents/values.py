"""Parsers for the cells of a column: one small function for each type of value.

Each takes a cell and returns the value, or None if the cell is empty. An invalid cell raises a ValueError whose text
continues a sentence that begins with the cell: «abc» *is no number*.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from functools import partial

from cpimportd.core.folding import fold
from cpimportd.core.model import Cell, CellError, Value
from cpimportd.core.phrases import UnfitError
from cpimportd.documents.columns import Meaning
from cpimportd.documents.dates import parse_day
from cpimportd.documents.numbers import parse_money, parse_rate, plain_number, require_digits

ROUBLE = "RUB"

_CODES = frozenset(
    re.findall(
        "[A-Z]{3}",
        """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
    CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF
    IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK
    MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR
    SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED
    VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG
    """,
    )
)
"""ISO 4217, list one, less funds and metals."""

_OTHER_NAMES = {
    # 810 and RUR were the rouble's before 1998; bank account numbers and old 1C databases keep them.
    ROUBLE: "руб рубль рубли рублей р ₽ rur 643 810, российский рубль, рос руб, рубль рф",
    "USD": "$ 840 долл доллар доллары, доллар сша, доллары сша, долл сша",
    "EUR": "€ 978 евро",
    "CNY": "156 юань юани, китайский юань, юань ренминби",
    "GBP": "£ 826, фунт стерлингов",
    "CHF": "756, швейцарский франк",
    "JPY": "392 иена йена, японская иена",
    "KZT": "398 тенге, казахстанский тенге",
    "BYN": "933, белорусский рубль, бел руб",
    "TRY": "949, турецкая лира",
    "AED": "784 дирхам, дирхам оаэ",
    "HKD": "344, гонконгский доллар",
    "INR": "356, индийская рупия",
    "AMD": "051, армянский драм",
    "KGS": "417, киргизский сом",
    "UZS": "860, узбекский сум",
}
_BY_NAME: Mapping[str, str] = {fold(code): code for code in _CODES} | {
    fold(name): code
    for code, names in _OTHER_NAMES.items()
    for words, *phrases in [names.split(",")]
    for name in (*words.split(), *phrases)
}


def currency_code(text: str) -> str:
    """The ISO 4217 code of a currency, by its code, number, name or abbreviation in any case.

    Raises:
        ValueError: no such currency is known.
    """
    name = " ".join(fold(text).replace(".", " ").split())
    code = _BY_NAME.get(name.zfill(3) if name.isdecimal() else name)
    if code is None:
        raise UnfitError("no-currency")
    return code


def is_rouble_account(account: str | None) -> bool:
    """Whether an accounting account holds roubles: 51 in the Russian chart of accounts (52 holds other currencies)."""
    return account is not None and (account == "51" or account.startswith("51."))


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
