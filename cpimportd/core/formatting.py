"""Formats values for people: sums, counts, instants, days, zones, spans, and words of a shell."""

import shlex
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

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


def moment(instant: datetime, zone: tzinfo | None) -> str:
    """``2026-11-24 06:00 MSK``; seconds are shown where there are any. Without a zone it is that of the machine."""
    local = instant.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S %Z}" if local.second else f"{local:%Y-%m-%d %H:%M %Z}"


def zoned_text(instant: datetime) -> str:
    """``2026-11-24T06:00:00+03:00[Europe/Moscow]``: an aware instant in its zone (RFC 9557), or by its offset alone."""
    zone = instant.tzinfo
    return f"{instant.isoformat()}[{zone.key}]" if isinstance(zone, ZoneInfo) else instant.isoformat()


def from_zoned_text(text: str) -> datetime | None:
    """An instant of :func:`zoned_text`, in its zone; None where a text is none."""
    written, _, name = text.removesuffix("]").partition("[")
    try:
        instant = datetime.fromisoformat(written)
        zone = ZoneInfo(name) if name else instant.tzinfo
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return None
    return None if instant.tzinfo is None else instant.astimezone(zone)


def clock(instant: datetime, zone: tzinfo | None, now: datetime) -> str:
    """``06:20``, ``06:12:07``: an instant of today by the clock alone; of another day as of :func:`moment`.

    Args:
        instant: an aware instant.
        zone: time zone of the text; None means the machine's.
        now: the wall clock.
    """
    local = instant.astimezone(zone)
    if local.date() != now.astimezone(zone).date():
        return moment(instant, zone)
    return f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"


def day(instant: datetime, zone: tzinfo) -> str:
    """``2026-11-24``: the day of an instant in a zone."""
    return f"{instant.astimezone(zone):%Y-%m-%d}"


def document_day(value: date) -> str:
    """``24.11.2026``: a date of the books, as 1C writes it."""
    return f"{value:%d.%m.%Y}"


def span(length: timedelta) -> str:
    """``5 h 12 min``: the two largest units, as people say it."""
    seconds = max(0, round(length.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if hours < 1:
        return f"{minutes} min"
    if days < 2:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"


def parse_zone(name: str) -> ZoneInfo:
    """A time zone by its name.

    Raises:
        ValueError: unknown name, or a machine without a time zone database.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        from cpimportd.core.folding import nearest  # noqa: PLC0415 - the daemon does without
        from cpimportd.core.phrases import UnfitError  # noqa: PLC0415 - it writes instants by this module

        if not available_timezones():
            raise UnfitError("no-tzdata") from error

        meant = nearest(name, available_timezones(), likeness=0.8) or "Europe/Moscow"
        raise UnfitError("expected-zone", zone=meant) from error


FIRST_YEAR: Final = 1990
LAST_YEAR: Final = 2100
"""Years outside of this range are typing errors."""


def in_years(day: date) -> bool:
    """Whether a date lies in the plausible years."""
    return FIRST_YEAR <= day.year <= LAST_YEAR


OURS = "cpimportd"


def command(*words: str) -> str:
    """Our command with its words, as any POSIX shell takes it: ``cpimportd accept 'ООО "Рога"/expenses'``.

    ``--`` ends the options, so that a word with a leading dash is not parsed as one.
    """
    verb, *rest = words
    ends_options = ["--"] if any(word.startswith("-") for word in rest) else []
    return shlex.join([OURS, verb, *ends_options, *rest])
