"""Finds dates on which a local time of an expression does not exist, or exists twice. Pure.

Clocks are put forward and back. Like systemd, our slots leave out a local time that is skipped. A local time that comes
twice has one slot, the first.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from itertools import takewhile
from typing import Final

from oncalendar import BaseIterator, is_imaginary

from cpimportd.core.phrases import Phrase, Reason, phrase
from cpimportd.core.typed import json_keys
from cpimportd.timetable.calendar import EPOCH, SECOND, Line, in_utc, parse, seconds_since_epoch

_DAY: Final = 86_400
"""Seconds. Two changes of one zone's clock are never nearer: the nearest in the tz database 2025b are a week apart."""

_NAMED: Final = 3
"""More local times of one date are described as a span."""


class Irregularity(StrEnum):
    """What is irregular about a local time."""

    MISSING = "missing"
    """The clock is put forward past it: there is no slot."""
    REPEATED = "repeated"
    """The clock is put back to before it: the slot is the first one."""


@json_keys("day", "zone", date="day", timezone="zone")
@dataclass(frozen=True, slots=True)
class IrregularDate:
    """A date on which local times that an expression names are irregular.

    Attributes:
        day: by the zone's calendar.
        times: the irregular local times that the expression names, in their order; at least one.
        kind: what is irregular about them.
        zone: the name of the zone whose clock is changed.
        slotless: whether the expression has no slot at all on that day because of it.
    """

    day: date
    times: tuple[time, ...]
    kind: Irregularity
    zone: str
    slotless: bool

    def describe(self, zone: str) -> str:
        """What becomes of the local times, in words: ``02:30 does not exist: no slot on that day``.

        Args:
            zone: the reader's; another is named.
        """
        return str(self.told(zone))

    def told(self, zone: str) -> Phrase:
        """The same as a fact of a problem."""
        verb = "exist" if len(self.times) > 1 else "exists"
        times = _clocks(self.times)
        if self.zone != zone:
            times = phrase("times-of-zone", times=times, zone=self.zone)
        if self.kind is Irregularity.REPEATED:
            return phrase(f"{verb}-twice", times=times)
        return phrase(f"{verb}-not-no-slot" if self.slotless else f"{verb}-not", times=times)


def _clocks(times: tuple[time, ...]) -> Reason:
    texts = [f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}" for local in times]
    if len(texts) <= _NAMED:
        return ", ".join(texts)
    return phrase("local-times", count=len(texts), first=texts[0], last=texts[-1])


def irregular_dates(expression: str, zone: tzinfo, start: datetime, end: datetime) -> tuple[IrregularDate, ...]:
    """The dates with irregular local times in (start, end], in their order.

    A local time that does not exist is counted as if the clock were not yet put forward.

    Args:
        expression: one or more OnCalendar expressions, separated by line feeds.
        zone: for those that name none.
        start: an aware instant.
        end: an aware instant.

    Raises:
        ExpressionError: the expression cannot be understood.
        ValueError: an instant is not aware.
    """
    lines, first, last = parse(expression, zone), in_utc(start), in_utc(end)
    found: dict[tuple[date, tzinfo, Irregularity], set[time]] = defaultdict(set)
    for line in lines:
        for low, high, kind in _changes(line.zone, first, last):
            for local in _local_times(line, low, high):
                if first < local.replace(tzinfo=line.zone).astimezone(UTC) <= last:
                    found[local.date(), line.zone, kind].add(local.time())
    dates = (
        IrregularDate(
            day,
            tuple(sorted(times)),
            kind,
            str(where),
            kind is Irregularity.MISSING and _is_slotless(lines, where, day),
        )
        for (day, where, kind), times in found.items()
    )
    return tuple(sorted(dates, key=lambda one: (one.day, one.times)))


def _changes(zone: tzinfo, first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime, Irregularity]]:
    """The local times, naive, from and until which a zone's clock skips or repeats; a day more at either end."""

    def offset(second: int) -> timedelta | None:
        return (EPOCH + second * SECOND).astimezone(zone).utcoffset()

    for second in range(seconds_since_epoch(first) - _DAY, seconds_since_epoch(last) + _DAY, _DAY):
        before, after = offset(second), offset(second + _DAY)
        if before == after or before is None or after is None:
            continue
        at = second + bisect_left(range(second, second + _DAY), True, key=lambda one: offset(one) != before)
        low, high = sorted(EPOCH.replace(tzinfo=None) + at * SECOND + shift for shift in (before, after))
        yield low, high, Irregularity.MISSING if after > before else Irregularity.REPEATED


def _local_times(line: Line, low: datetime, high: datetime) -> Iterator[datetime]:
    """What a line names in [low, high), by a clock that nobody ever changes."""
    return takewhile(lambda local: local < high, BaseIterator(line.expression, low - SECOND))


def _is_slotless(lines: tuple[Line, ...], zone: tzinfo, day: date) -> bool:
    """Whether nothing that an expression names on a day exists; lines of another zone count as if something did."""
    midnight = datetime.combine(day, time())
    return all(
        line.zone == zone
        and all(
            is_imaginary(local.replace(tzinfo=zone))
            for local in _local_times(line, midnight, midnight + timedelta(days=1))
        )
        for line in lines
    )
