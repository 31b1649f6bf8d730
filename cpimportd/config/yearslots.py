"""The coming year's slots of two configurations, side by side."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from cpimportd.config.settings import Settings
from cpimportd.core.typed import json_keys
from cpimportd.timetable.calendar import count_slots, slots
from cpimportd.timetable.irregular import IrregularDate, irregular_dates

YEAR: Final = timedelta(days=365)
_MOST: Final = 10_000
"""Slots that are counted one by one: a little more than one an hour."""


@json_keys("zone", timezone="zone", more="many", slots="local_slots")
@dataclass(frozen=True, slots=True)
class YearOfSlots:
    """What is to come of one schedule within a year.

    Attributes:
        at: its expression.
        job: what it starts.
        zone: in which it is computed.
        slots: the first of them.
        count: how many there are; no more than were counted.
        irregular: dates on which a local time does not exist or comes twice.
    """

    at: str
    job: str
    zone: ZoneInfo
    slots: tuple[datetime, ...]
    count: int
    irregular: tuple[IrregularDate, ...]

    @property
    def local_slots(self) -> tuple[datetime, ...]:
        """The first of them by the clock of their zone."""
        return tuple(slot.astimezone(self.zone) for slot in self.slots)

    @property
    def many(self) -> bool:
        """Whether there are more than were counted."""
        return self.count >= _MOST


@json_keys(change="change")
@dataclass(frozen=True, slots=True)
class ComparedSchedule:
    """A schedule as it is and as it would be; None if it is not enabled."""

    name: str
    present: YearOfSlots | None
    proposed: YearOfSlots | None

    @property
    def change(self) -> str:
        """``same``, ``changed``, ``new`` or ``gone``."""
        if self.present is None or self.proposed is None:
            return "new" if self.present is None else "gone"
        return "same" if self.present == self.proposed else "changed"


def compare_schedules(
    present: Settings, proposed: Settings, now: datetime, shown: int = 5
) -> tuple[ComparedSchedule, ...]:
    """Look a year ahead.

    Args:
        present: the configuration in force.
        proposed: the other one.
        now: an aware instant, from which the year counts.
        shown: how many slots of each schedule are listed.
    """
    before, after = dict(_years(present, now, shown)), dict(_years(proposed, now, shown))
    return tuple(ComparedSchedule(name, before.get(name), after.get(name)) for name in sorted(before | after))


def _years(settings: Settings, now: datetime, shown: int) -> Iterator[tuple[str, YearOfSlots]]:
    zone, until = settings.zone, now + YEAR
    for name, schedule in settings.schedules.items():
        if schedule.enabled:
            coming = tuple(slot for slot in islice(slots(schedule.at, zone, now), shown) if slot <= until)
            count = count_slots(schedule.at, zone, now, until, _MOST)
            yield (
                name,
                YearOfSlots(
                    schedule.at, schedule.job, zone, coming, count, irregular_dates(schedule.at, zone, now, until)
                ),
            )
