"""Slots as a child would compute them: every local date, every time of day, left out where no clock ever showed it.

Independent of the code under test: no OnCalendar, no bisection, only dates and zoneinfo.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EVERY_DAY = tuple(range(7))


@dataclass(frozen=True)
class Rule:
    """Times of day, on some days of the week (0 is Monday)."""

    times: tuple[time, ...]
    weekdays: tuple[int, ...] = EVERY_DAY

    @property
    def expression(self) -> str:
        """The same as OnCalendar expressions: one for all hours with the same minute."""
        days = "" if self.weekdays == EVERY_DAY else ",".join(WEEKDAYS[day] for day in self.weekdays) + " "
        hours: dict[str, list[str]] = {}
        for at in self.times:
            hours.setdefault(f"{at:%M:%S}", []).append(f"{at:%H}")
        return "\n".join(f"{days}*-*-* {','.join(which)}:{minute}" for minute, which in hours.items())

    def __repr__(self) -> str:
        times = ", ".join(repr(f"{at:%H:%M}") for at in self.times)
        return f"daily({times})" if self.weekdays == EVERY_DAY else f"daily({times}, weekdays={self.weekdays})"


def daily(*times: str, weekdays: tuple[int, ...] = EVERY_DAY) -> Rule:
    """A rule from times such as ``06:00``."""
    return Rule(tuple(sorted(time.fromisoformat(text) for text in times)), weekdays)


def between(rule: Rule, zone: str, after: datetime, until: datetime) -> list[datetime]:
    """The slots in (after, until], in UTC and in their order."""
    found: list[datetime] = []
    for year in range(after.year - 1, until.year + 2) if after < until else ():
        slots = _of_year(rule, zone, year)
        found += slots[bisect_right(slots, after) : bisect_right(slots, until)]
    return found


def following(rule: Rule, zone: str, after: datetime) -> datetime:
    """The first slot after an instant."""
    years = (_of_year(rule, zone, year) for year in range(after.year - 1, after.year + 3))
    return next(slots[place] for slots in years if (place := bisect_right(slots, after)) < len(slots))


@cache
def _of_year(rule: Rule, zone: str, year: int) -> list[datetime]:
    days = (date(year, 1, 1) + timedelta(days=number) for number in range(366))
    return sorted(
        slot
        for day in days
        if day.year == year and day.weekday() in rule.weekdays
        for at in rule.times
        if (slot := _instant(datetime.combine(day, at), ZoneInfo(zone))) is not None
    )


def _instant(local: datetime, zone: ZoneInfo) -> datetime | None:
    slot = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return slot if slot.astimezone(zone).replace(tzinfo=None) == local else None
