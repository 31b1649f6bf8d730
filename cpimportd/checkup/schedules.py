"""The schedules: whether clock changes of the coming year touch a local time that they name."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from cpimportd.checkup.line import CheckLine, bad, good
from cpimportd.instants import day
from cpimportd.problems import problem
from cpimportd.settings import Settings
from cpimportd.timetable import irregular_dates

COMING: Final = timedelta(days=365)
"""How far the check looks ahead."""

_NAME: Final = "slots"


def regular_slots(settings: Settings, now: datetime) -> Sequence[CheckLine]:
    """A warning for each coming date on which a schedule's local time does not exist or exists twice.

    Args:
        settings: whose enabled schedules are looked at.
        now: an aware instant, from which a year is looked at.
    """
    until = now + COMING
    irregular = [
        bad(
            _NAME,
            problem(
                "slot-irregular", schedule=name, value=found.day.isoformat(), reason=found.describe(settings.timezone)
            ),
        )
        for name, schedule in settings.schedules.items()
        if schedule.enabled
        for found in irregular_dates(schedule.at, settings.zone, now, until)
    ]
    return irregular or (good(_NAME, f"no clock change until {day(until, settings.zone)} touches one"),)
