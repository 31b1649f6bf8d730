"""Slots: from an OnCalendar expression, a time zone and an instant to the instants at which something is due. Pure.

The expressions are those of systemd.time(7), one per line, each with a zone of its own at its end or without. They are
read by :mod:`cpimportd.timetable.grammar`, and the package oncalendar walks through the calendar by them. A local time
that does not exist on a day has no slot; one that exists twice has one slot, the first. So the slots of an expression
do not depend on the instant at which counting begins.

Slots are given in UTC: Python compares two instants of one zone by their wall time, and is wrong where that repeats.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from heapq import merge
from itertools import islice, takewhile
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from oncalendar import MAX_YEAR, BaseIterator

from cpimportd.core.formatting import parse_zone
from cpimportd.timetable.grammar import GrammarError, spelled_out

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)

_BEFORE_ALL: Final = EPOCH - timedelta(days=2)
_AFTER_ALL: Final = datetime(MAX_YEAR + 1, 1, 1, tzinfo=UTC)
"""The local times of systemd's calendar, 1970 to 2199, lie between these in every zone."""

_STEPPED_PAST: Final = 86_400
"""Answers, one a second, that are stepped past; no zone's clock has been set back by a whole day since 1970."""

_END: Final = datetime(MAX_YEAR, 1, 1, tzinfo=UTC)

_TIMESTAMP: Final = re.compile(r"(?a:@(\d+))")
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class ExpressionError(ValueError):
    """What was given is no OnCalendar expression; says why.

    Attributes:
        reason: why, and how it is written.
    """

    def __init__(self, expression: str, reason: str) -> None:
        super().__init__(f"{expression!r} is no OnCalendar expression: {reason}")
        self.reason = reason


class SlotOrderError(RuntimeError):
    """No answer later than the question came: a defect of ours or of oncalendar, never to be waited out in a loop."""


class Line(msgspec.Struct, frozen=True):
    """One OnCalendar expression, and the zone in which its local times are read.

    Attributes:
        expression: without a zone, every value spelled out.
        zone: the one that stood at its end, else the schedule's.
    """

    expression: str
    zone: tzinfo


@lru_cache(maxsize=64)  # the daemon asks for the same few again and again
def parse(expression: str, zone: tzinfo) -> tuple[Line, ...]:
    """Take an expression apart into its lines.

    Args:
        expression: one or more OnCalendar expressions, separated by line feeds.
        zone: for those that name none.

    Raises:
        ExpressionError: one of them cannot be understood.
    """
    return tuple(_parse_line(text.strip(), zone) for text in expression.strip().split("\n"))


def never_matches(expression: str) -> str | None:
    """The first line of an expression that no day from 1970 to 2199 matches; None if each has one.

    Such as a Thursday that is a Friday, or a 30 February. Clock changes are left aside: a local time that does not
    exist on a day is a matter of some zones and years.

    Args:
        expression: one or more OnCalendar expressions, separated by line feeds.

    Raises:
        ExpressionError: one of them cannot be understood.
    """
    for text in expression.strip().split("\n"):
        (line,) = parse(text, UTC)
        if next(BaseIterator(line.expression, _BEFORE_ALL), None) is None:
            return text.strip()
    return None


def clear_rule_cache() -> None:
    """Clear the cache of time zone rules, whose files may have changed."""
    ZoneInfo.clear_cache()
    parse.cache_clear()


def _parse_line(text: str, zone: tzinfo) -> Line:
    try:
        head, _, last = text.rpartition(" ")
        own = _zone(last) if head else None
        local = text if own is None else head.rstrip(" ")
        if match := _TIMESTAMP.fullmatch(local):  # an instant is one in every zone
            return Line(_of_timestamp(int(match[1])), UTC)
        return Line(spelled_out(local), own or zone)
    except GrammarError as error:
        raise ExpressionError(text, str(error)) from None


def _zone(word: str) -> tzinfo | None:
    """The zone that the last word of an expression names; None if it is no zone's place to stand.

    Raises:
        GrammarError: it stands where a zone does and is none.
    """
    if word.lower() == "utc":
        return UTC
    if not word[0].isalpha():
        return None
    try:
        return parse_zone(word)
    except ValueError as error:
        if word[:3].lower() in _WEEKDAYS and "/" not in word:
            return None
        raise GrammarError(f"unknown time zone {word!r}: {error}") from error


def _of_timestamp(second: int) -> str:
    """The expression of an instant, in UTC.

    Raises:
        GrammarError: it lies after the end of systemd's calendar.
    """
    if second >= seconds_since_epoch(_END):
        raise GrammarError(f"@{second} is after 2199, where systemd's calendar ends")
    return f"{EPOCH + second * SECOND:%Y-%m-%d %H:%M:%S}"


def slots(expression: str, zone: tzinfo, after: datetime) -> Iterator[datetime]:
    """All slots after an instant, in their order, computed as they are asked for.

    Args:
        expression: one or more OnCalendar expressions, separated by line feeds.
        zone: for those that name none.
        after: an aware instant.

    Returns:
        Strictly increasing instants in UTC, the last one before 2200, where systemd's calendar ends.

    Raises:
        ExpressionError: the expression cannot be understood.
        SlotOrderError: while iterating, see there.
        ValueError: ``after`` is not aware.
    """
    return _slots(parse(expression, zone), in_utc(after))


def next_slot(expression: str, zone: tzinfo, after: datetime) -> datetime | None:
    """The first slot after an instant, None if none comes before 2200; arguments as for :func:`slots`."""
    return next(slots(expression, zone, after), None)


def newest_slot(expression: str, zone: tzinfo, after: datetime, until: datetime) -> datetime | None:
    """The newest slot in (after, until], None if there is none.

    It is found by bisecting the seconds between, so thirty years of a schedule by the minute take some thirty looks.

    Args:
        expression: one or more OnCalendar expressions, separated by line feeds.
        zone: for those that name none.
        after: an aware instant.
        until: an aware instant.

    Raises:
        ExpressionError: the expression cannot be understood.
        SlotOrderError: see there.
        ValueError: an instant is not aware.
    """
    lines, last = parse(expression, zone), in_utc(until)
    begin, end = seconds_since_epoch(in_utc(after)), seconds_since_epoch(last)
    if end <= begin:
        return None

    def is_past_all(second: int) -> bool:
        slot = next(_slots(lines, EPOCH + second * SECOND), None)
        return slot is None or slot > last

    if is_past_all(begin):
        return None
    # Slots are whole seconds, and the first second after which none is left is the newest slot itself.
    return EPOCH + (begin + bisect_left(range(begin, end), True, key=is_past_all)) * SECOND


def count_slots(expression: str, zone: tzinfo, after: datetime, until: datetime, at_most: int) -> int:
    """How many slots lie in (after, until]; counting stops at ``at_most``.

    Raises:
        ExpressionError: the expression cannot be understood.
        SlotOrderError: see there.
        ValueError: an instant is not aware.
    """
    last = in_utc(until)
    within = takewhile(lambda slot: slot <= last, slots(expression, zone, after))
    return sum(1 for _ in islice(within, at_most))


def seconds_since_epoch(instant: datetime) -> int:
    """Whole seconds since 1970, UTC; a part of a second is cut off."""
    return (instant - EPOCH) // SECOND


def in_utc(instant: datetime) -> datetime:
    """An instant in UTC; one that is far from all slots is moved nearer to them, to where zones can be computed.

    Raises:
        ValueError: it is not aware.
    """
    if instant.utcoffset() is None:
        raise ValueError("an instant needs a time zone")
    wall = instant.replace(tzinfo=UTC)
    if wall < _BEFORE_ALL:
        return _BEFORE_ALL
    return _AFTER_ALL if wall > _AFTER_ALL else instant.astimezone(UTC)


def _slots(lines: tuple[Line, ...], after: datetime) -> Iterator[datetime]:
    latest, steps = after, 0
    for slot in merge(*(_answers(line, after) for line in lines)):
        if slot > latest:
            yield slot
            latest, steps = slot, 0
            continue
        # Two lines named one instant, or a local time came again and oncalendar answered with its first instant.
        steps += 1
        if steps > _STEPPED_PAST:
            named = ", ".join(f"{line.expression!r} in {line.zone}" for line in lines)
            raise SlotOrderError(f"{named}: no slot after {latest.isoformat()} was found")


def _answers(line: Line, after: datetime) -> Iterator[datetime]:
    return (local.astimezone(UTC) for local in BaseIterator(line.expression, after.astimezone(line.zone)))
