"""Now and memory → which slot is due, and which ones were missed for good."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from cpimportd.timetable.calendar import SECOND, count_slots, newest_slot, next_slot
from cpimportd.timetable.memory import PlannedSchedule, Remembered

ON_TIME: Final = timedelta(minutes=1)
"""Without ``catch_up`` an older slot is not started: it was missed, and the daemon looks at the clock more often."""

COUNTED_AT_MOST: Final = 1000
"""Missed slots are counted up to here: a year of a schedule by the minute."""


class Due(msgspec.Struct, frozen=True):
    """The newest slot of a schedule that has not been done.

    Attributes:
        slot: the instant, in UTC.
        startable: whether it is young enough to be started; else it was missed for good.
        missed: the number of older slots that it replaces, without a waiting one; at most :data:`COUNTED_AT_MOST`.
    """

    slot: datetime
    startable: bool
    missed: int


def due(
    schedule: PlannedSchedule, remembered: Remembered, now: datetime, waiting: datetime | None = None
) -> Due | None:
    """The newest slot in (last done, now], None if there is none.

    Missed slots before it are coalesced into it: an import brings today's books, however many days were missed. Where
    there is none, a slot that was started and may not be resumed is missed for good, too.

    Args:
        schedule: as it is in force.
        remembered: of this schedule.
        now: the wall clock, in UTC.
        waiting: a slot that was started already and waits for another try; it is not missed.
    """
    after = remembered.counted_after
    newest = newest_slot(schedule.at, schedule.zone, after, now)
    if newest is None:
        lost = remembered.started if waiting is None else None
        return None if lost is None else Due(lost, startable=False, missed=0)
    oldest_startable = schedule.grace if schedule.catch_up else min(schedule.grace, ON_TIME)
    missed = count_slots(schedule.at, schedule.zone, after, newest - SECOND, COUNTED_AT_MOST)
    # It need not be among them: the expression may have been changed since, or a newer one missed for good.
    if waiting is not None and newest_slot(schedule.at, schedule.zone, max(after, waiting - SECOND), waiting):
        missed -= 1
    return Due(newest, startable=now - newest <= oldest_startable, missed=missed)


def resumable(schedule: PlannedSchedule, remembered: Remembered, now: datetime) -> datetime | None:
    """The slot that was started before a restart and may still go on, None if there is none.

    Grace decides whether a slot may start. Once it was started, the time for trying bounds it, with a restart between
    as without one.

    Args:
        schedule: as it is in force.
        remembered: of this schedule.
        now: the wall clock, in UTC.
    """
    started = remembered.started
    if started is None or now - started > max(schedule.grace, schedule.started_grace):
        return None
    return started


def upcoming(schedule: PlannedSchedule, remembered: Remembered, now: datetime) -> datetime | None:
    """The next slot that can become due, None if the expression names none any more."""
    return next_slot(schedule.at, schedule.zone, max(now, remembered.counted_after))
