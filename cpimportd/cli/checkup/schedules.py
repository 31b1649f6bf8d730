"""The schedules: whether each has a slot, and whether the coming year's clock changes touch one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from cpimportd.cli.checkup.line import CheckLine, bad, good
from cpimportd.config.settings import Settings
from cpimportd.core.problems import problem
from cpimportd.core.time import day
from cpimportd.timetable.calendar import next_slot
from cpimportd.timetable.irregular import irregular_dates

COMING: Final = timedelta(days=365)
"""How far the check looks ahead."""

_NAME: Final = "slots"


def regular_slots(settings: Settings, now: datetime) -> Sequence[CheckLine]:
    """A warning for each schedule without any slot, and for each coming date on which a local time is none or two.

    Args:
        settings: whose enabled schedules are looked at.
        now: an aware instant, from which a year is looked at.
    """
    until = now + COMING
    over = [
        bad(_NAME, problem("slot-none", schedule=name, at=schedule.at))
        for name, schedule in settings.schedules.items()
        if schedule.enabled and next_slot(schedule.at, settings.zone, now) is None
    ]
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
    return [*over, *irregular] or (good(_NAME, f"no clock change until {day(until, settings.zone)} touches one"),)
