"""Sums and counts as people read them, in tables, sentences, mails and log lines alike: as 1C prints them.

And as scripts get them (:func:`money`).
"""

from decimal import Decimal
from typing import Final

NBSP: Final = "\u00a0"
"""Between thousands: a number is never torn apart at it."""

_DECIMALS: Final = 2


def amount(value: Decimal) -> str:
    """A sum of money: ``1 234 567,89``, with no-break spaces; never rounded.

    The kopecks are always there, fractions of them only where there are any: a control total of rates has some.
    """
    whole, _, part = f"{abs(value):f}".partition(".")
    part = part.rstrip("0").ljust(_DECIMALS, "0")
    return f"{'-' if value < 0 else ''}{count(int(whole))},{part}"


def signed(value: Decimal) -> str:
    """A sum whose direction matters: ``+12,00``, ``-3,50``, ``0,00``."""
    return f"+{amount(value)}" if value > 0 else amount(value)


def count(value: int) -> str:
    """A number of things: ``1 050``, with a no-break space."""
    return f"{value:,}".replace(",", NBSP)


def money(value: Decimal) -> str:
    """A sum as scripts get it: two decimals, a point, no thousands."""
    return f"{value:.2f}"
