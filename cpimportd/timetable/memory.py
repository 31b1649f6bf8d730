"""The record of the schedules between two starts, and the slot that is due according to it."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from cpimportd.core.typed import Instant
from cpimportd.timetable.calendar import SECOND, count_slots, newest_slot, next_slot

AHEAD: Final = timedelta(days=1)
"""A last slot further in the future than this was written under a wrong clock, and is dropped."""


class PlannedSchedule(msgspec.Struct, frozen=True):
    """One schedule that is enabled, as the configuration in force has it.

    Attributes:
        name: of its section under ``schedules``.
        at: one or more OnCalendar expressions, see systemd.time(7).
        zone: in which they are read.
        grace: how old a slot may be and still be started.
        catch_up: whether a slot that was missed is made up for within ``grace``.
        only: the kinds to import; empty means all.
        wait_for_upload: from the slot on, how long to look again while 1C has uploaded nothing.
        rescheduled: whether ``at`` was changed by hand until the next start.
        job: import, report or reconcile.
        started_grace: how old a slot may be that was started before a restart and still go on, where that is longer
            than ``grace``.
    """

    name: str
    at: str
    zone: ZoneInfo
    grace: timedelta
    catch_up: bool = True
    only: tuple[str, ...] = ()
    wait_for_upload: timedelta = timedelta(0)
    rescheduled: bool = False
    job: str = "import"
    started_grace: timedelta = timedelta(0)


class Remembered(msgspec.Struct, frozen=True):
    """What is remembered of one schedule; instants are in UTC.

    Attributes:
        at: its expression when ``counting_from`` was set; None if the schedule was switched off since.
        timezone: its zone then.
        counting_from: slots at or before it do not count: the schedule was not in force yet.
        last_done: the newest slot that was done, or was missed for good.
        newest_upload: when the newest workbook was uploaded that a done slot has seen, by the server's clock.
        started: the slot that has come and is not done yet; None if none is. Grace was asked when it came, and
            is not asked again.
    """

    at: str | None
    timezone: str
    counting_from: Instant
    last_done: Instant | None = None
    newest_upload: Instant | None = None
    started: Instant | None = None

    @property
    def counted_after(self) -> datetime:
        """Only later slots can be due."""
        return self.counting_from if self.last_done is None else max(self.counting_from, self.last_done)


class Memory(msgspec.Struct, frozen=True):
    """What is remembered of all schedules, by their names."""

    schedules: Mapping[str, Remembered] = msgspec.field(default_factory=dict)

    def of(self, schedule: str) -> Remembered:
        """What is remembered of a schedule in force.

        Raises:
            KeyError: it was never put in force: a defect of ours.
        """
        return self.schedules[schedule]

    def put(self, schedule: str, remembered: Remembered) -> "Memory":
        """The memory with one schedule's part replaced."""
        return Memory({**self.schedules, schedule: remembered})

    def start(self, schedule: str, slot: datetime | None) -> "Memory":
        """The memory after a slot was started; None: the one that was started is given up."""
        return self.put(schedule, replace(self.of(schedule), started=slot))

    def done(self, schedule: str, slot: datetime, newest_upload: datetime | None = None) -> "Memory":
        """The memory after a slot was done; a slot older than the last done one changes nothing.

        Args:
            schedule: whose slot.
            slot: the instant, in UTC.
            newest_upload: when the newest workbook that its run saw was uploaded; None if no run told.
        """
        before = self.of(schedule)
        last = slot if before.last_done is None else max(before.last_done, slot)
        newest = newest_upload or before.newest_upload
        # A newer slot that was missed for good changes nothing: the older one, which was started, continues.
        started = None if before.started == slot else before.started
        return self.put(schedule, replace(before, last_done=last, newest_upload=newest, started=started))


def put_in_force(memory: Memory, schedules: Iterable[PlannedSchedule], now: datetime) -> Memory:
    """The memory once these schedules, and no others, are in force.

    A schedule that is new, came back, or has another expression or zone counts from now: no run starts for a slot
    that lay before anybody asked for it. The last done slot stays: a clock that is set back does not repeat it. A slot
    that was started goes on under another expression, and is given up where its schedule is gone.

    Args:
        memory: before.
        schedules: those in force from now on.
        now: the wall clock, in UTC.
    """
    inforce = {schedule.name: schedule for schedule in schedules}
    kept = {
        name: entry if name in inforce else replace(entry, at=None, started=None)
        for name, entry in memory.schedules.items()
    }
    for name, schedule in inforce.items():
        before = kept.get(name)
        if before is None:
            kept[name] = Remembered(schedule.at, schedule.zone.key, now)
        elif (before.at, before.timezone) != (schedule.at, schedule.zone.key):
            kept[name] = replace(before, at=schedule.at, timezone=schedule.zone.key, counting_from=now)
    return Memory(kept)


def drop_future_slots(memory: Memory, now: datetime) -> tuple[Memory, Mapping[str, datetime]]:
    """Correct what was written under a clock that ran ahead.

    Slots never begin to count in the future: whatever is still to come was not in the past of any schedule. A last
    slot more than :data:`AHEAD` in the future is forgotten and slots count from now; a nearer one stays, because a
    clock that was set back a little must not repeat what was done. A slot that was started so far in the future is
    forgotten, too: it comes by itself.

    Returns:
        The memory, and per schedule whose last slot was not believed that slot.
    """
    wrong: dict[str, datetime] = {}
    corrected: dict[str, Remembered] = {}
    for name, found in memory.schedules.items():
        entry = found
        if entry.started is not None and entry.started - now > AHEAD:
            entry = replace(entry, started=None)
        if entry.last_done is not None and entry.last_done - now > AHEAD:
            wrong[name] = entry.last_done
            entry = replace(entry, last_done=None, counting_from=now)
        elif entry.counting_from > now:
            entry = replace(entry, counting_from=now)
        corrected[name] = entry
    return (Memory(corrected), wrong) if corrected != memory.schedules else (memory, wrong)


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
