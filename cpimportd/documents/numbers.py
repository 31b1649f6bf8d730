"""Parses amounts and rates in all forms that workbooks use into exact decimals."""

import math
import re
from decimal import Decimal
from typing import NamedTuple

from cpimportd.core.folding import without_format_characters
from cpimportd.core.model import KOPECK, Cell, CellError
from cpimportd.core.phrases import UnfitError


class Precision(NamedTuple):
    """What a number may be.

    Attributes:
        step: its smallest unit.
        decimals: how many digits that leaves behind the point.
        limit: what it must stay below.
        noise: how far any double may lie off a whole number of steps; arithmetic on doubles leaves such traces.
    """

    step: Decimal
    decimals: int
    limit: Decimal
    noise: Decimal


MONEY = Precision(KOPECK, 2, Decimal(10) ** 13, Decimal("1e-6"))
"""PostgreSQL's numeric(15, 2)."""
RATE = Precision(Decimal("0.000001"), 6, Decimal(10) ** 9, Decimal("1e-9"))
"""PostgreSQL's numeric(15, 6)."""
MONEY_TOTAL = MONEY._replace(limit=Decimal(10) ** 18)
RATE_TOTAL = RATE._replace(limit=Decimal(10) ** 18)

_EXACT_DIGITS = 15
"""As many decimal digits survive in any double (IEEE 754; DBL_DIG of float.h), and spreadsheets show no more."""
_HALF_A_STEP = 2.0**-53
"""Of a double's last binary digit, relative to it: the most that one rounding takes away or adds."""
_EXACT_BELOW = 2.0**53
"""From here on a double is one of several whole numbers, and nobody can say which of them was written (IEEE 754)."""

# 1C groups thousands by a no-break space, whole (U+00A0) or narrow (U+202F); U+2007 and U+2009 are their kin.
_NUMBER = re.compile(
    r"([-\u2212]?)([0-9]{1,3}(?:[ \u00a0\u202f\u2007\u2009][0-9]{3}){1,9}|[0-9]{1,30})(?:[.,]([0-9]{1,30}))?"
)
_NOT_A_DIGIT = re.compile(r"[^0-9]")


def parse_money(cell: Cell) -> Decimal | None:
    """Money: a number of kopecks, exactly; zero has no sign.

    Raises:
        ValueError: it is no number, has more than two decimals that are no noise of doubles, or is too large.
    """
    return parse_number(cell, MONEY)


def parse_rate(cell: Cell) -> Decimal | None:
    """A rate of exchange: up to six decimals.

    Raises:
        ValueError: it is no number, has more than six decimals, or is too large.
    """
    return parse_number(cell, RATE)


def parse_number(cell: Cell, precision: Precision) -> Decimal | None:
    """A number of a given precision; None for an empty cell.

    Raises:
        ValueError: it is no such number.
    """
    if cell is None:
        return None
    if type(cell) is str:
        return _number_in_text(cell, precision)
    number = _exact(cell)
    step, decimals, limit, noise = precision
    if not -limit < number < limit:
        raise UnfitError("too-large")
    rounded = number.quantize(step)
    if rounded != number and abs(rounded - number) >= noise and abs(rounded - number) > _noise_of_double(number):
        raise UnfitError("too-many-decimals", decimals=decimals)
    return _within(rounded, limit)


def is_sum_in_doubles(cell: Cell, exact: Decimal, turnover: Decimal, count: int) -> bool:
    """Whether a cell is a sum as a spreadsheet program adds it up: in doubles, in whatever order.

    Each addition takes or adds half of the last binary digit at most; so do the doubles that are added.

    Args:
        cell: the total.
        exact: what the numbers sum to.
        turnover: what they sum to without their signs.
        count: how many they are.

    Returns:
        False also where the cell lies half a kopeck or more off: nothing hides a kopeck.
    """
    if type(cell) is not float or not math.isfinite(cell):
        return False
    number = Decimal(repr(cell))
    off = abs(number - exact)
    most = max(Decimal(_HALF_A_STEP) * (count + 1) * max(turnover, abs(exact)), _noise_of_double(number))
    return off < KOPECK / 2 and off <= most


def plain_number(cell: Cell) -> str:
    """A number as text in its shortest decimal form, without an exponent: ``51`` for the double 51.0.

    Raises:
        ValueError: it is no number, or not surely the one that was written.
    """
    number = _exact(cell)
    if type(cell) is float:
        require_digits(cell)
    if not number:
        return "0"
    whole = number.to_integral_value()
    return f"{whole if whole == number else number:f}"


def require_digits(number: float) -> None:
    """Refuse a double that has lost digits, such as an account of twenty that 1C wrote as a number.

    Raises:
        ValueError: it has.
    """
    if abs(number) >= _EXACT_BELOW:
        raise UnfitError("too-many-digits")


def _noise_of_double(number: Decimal) -> Decimal:
    """Half a unit of the last digit that a double surely keeps."""
    return Decimal(5).scaleb(number.adjusted() - _EXACT_DIGITS)


def _exact(cell: Cell) -> Decimal:
    if type(cell) is float:
        # The shortest text that gives the same double is the decimal that was meant.
        number = Decimal(repr(cell))
        if not number.is_finite():
            raise UnfitError("no-finite-number")
        return number
    if type(cell) is int:
        return Decimal(cell)
    raise UnfitError("error-value" if isinstance(cell, CellError) else "no-number")


def _number_in_text(text: str, precision: Precision) -> Decimal | None:
    stripped = text.strip()
    if not stripped:
        return None
    match = _NUMBER.fullmatch(stripped) or _NUMBER.fullmatch(without_format_characters(text).strip())
    if match is None:
        raise UnfitError("no-number")
    sign, whole, decimals = match.groups("")
    if len(decimals) > precision.decimals:
        # Text has no noise; and `1.500` may as well be one and a half thousand.
        raise UnfitError("too-many-decimals", decimals=precision.decimals)
    number = _within(Decimal(f"{sign and '-'}{_NOT_A_DIGIT.sub('', whole)}.{decimals or 0}"), precision.limit)
    return number.quantize(precision.step)


def _within(number: Decimal, limit: Decimal) -> Decimal:
    if not -limit < number < limit:
        raise UnfitError("too-large")
    return number or abs(number)
