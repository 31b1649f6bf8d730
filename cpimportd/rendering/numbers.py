"""Numbers and texts as people read them: sums as a Russian accountant writes them, foreign texts made harmless."""

from datetime import datetime, tzinfo
from decimal import Decimal

from cpimportd.problems import printable

NBSP = "\u00a0"
"""Between thousands: a number is never torn apart at it."""

_LONGEST = 10_000


def amount(value: Decimal) -> str:
    """A sum of money: ``1 234 567,89``, with no-break spaces; never rounded to anything but the kopeck."""
    return f"{value:,.2f}".replace(",", NBSP).replace(".", ",")


def signed(value: Decimal) -> str:
    """A sum whose direction matters: ``+12,00``, ``-3,50``, ``0,00``."""
    return f"+{amount(value)}" if value > 0 else amount(value)


def count(value: int) -> str:
    """A number of things: ``1 050``, with a no-break space."""
    return f"{value:,}".replace(",", NBSP)


def clean(text: object) -> str:
    """A text from a file or a server, whole, on one line, its control characters escaped."""
    return printable(text, limit=_LONGEST)


def moment(value: datetime, zone: tzinfo | None = None) -> str:
    """An instant to the second with its offset, in a zone or in the machine's own: ``2025-03-01 06:00:04 +0300``."""
    return f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S %z}"
