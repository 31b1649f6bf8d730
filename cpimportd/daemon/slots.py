"""Tracks the slots: which is due, which waits for a retry, which were missed. Logs the changes."""

import logging
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec.structs import replace

from cpimportd.core.formatting import moment
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import problem
from cpimportd.daemon.attempts import Attempt, Retry
from cpimportd.daemon.log import log_event, log_problem
from cpimportd.daemon.plan import Plan
from cpimportd.timetable.memory import (
    Due,
    Memory,
    PlannedSchedule,
    drop_future_slots,
    due,
    put_in_force,
    resumable,
    upcoming,
)


class Slots:
    """The state of the timetable.

    Args:
        memory: of earlier slots.

    Attributes:
        misfired: by schedule, the number of slots since the start that were missed for good.
        coalesced: by schedule, the number of missed or waiting slots that a later slot replaced.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.misfired: Counter[str] = Counter()
        self.coalesced: Counter[str] = Counter()
        self._schedules: Mapping[str, PlannedSchedule] = {}
        self._attempts: dict[str, Attempt] = {}
        self._reported_slotless: frozenset[tuple[str, str]] = frozenset()

    @property
    def attempts(self) -> Mapping[str, Attempt]:
        """The started slots that are not done, by schedule."""
        return self._attempts

    def apply_plan(self, plan: Plan, now: datetime) -> None:
        """Put the plan's schedules in force; slots of removed schedules are given up."""
        self._schedules = {schedule.name: schedule for schedule in plan.schedules}
        for name in [name for name in self._attempts if name not in self._schedules]:
            given_up = self._attempts.pop(name)
            text = f"slot {moment(given_up.slot, plan.zone)} of {name} is given up: the schedule is no longer in force"
            log_event(logging.WARNING, "slot-given-up", text, schedule=name, slot=given_up.slot.isoformat())
        self.memory = put_in_force(self.memory, self._schedules.values(), now)

    def upcoming(self, now: datetime) -> dict[str, datetime]:
        """The next slot of each schedule that has one, by schedule."""
        found = {name: upcoming(schedule, self.memory.of(name), now) for name, schedule in self._schedules.items()}
        return {name: slot for name, slot in found.items() if slot is not None}

    def check_clock(self, now: datetime, monotonic: float, running: str | None) -> None:
        """Start slots that are due, and record those that were missed for good.

        Args:
            now: the wall clock, in UTC.
            monotonic: the monotonic clock, in seconds.
            running: the schedule with a run in progress; its next slot is considered when that run is over.
        """
        self.memory, dropped = drop_future_slots(self.memory, now)
        for name, slot in dropped.items():
            zone = self._schedules[name].zone if name in self._schedules else UTC
            log_problem(problem("state-future", schedule=name, value=slot.astimezone(zone)), schedule=name)
        for name, schedule in self._schedules.items():
            if name == running:
                continue
            self._resume(schedule, now, monotonic)
            attempt = self._attempts.get(name)
            found = due(schedule, self.memory.of(name), now, attempt.slot if attempt else None)
            if found is None or (attempt is not None and found.slot <= attempt.slot):
                continue
            if found.startable:
                self._start_slot(schedule, found, attempt, monotonic)
            else:
                self._record_missed(schedule, found, now)
        self._report_slotless(now, running)

    def _report_slotless(self, now: datetime, running: str | None) -> None:
        """Report once each schedule without further slots; its last slot may still finish."""
        has_work = {running, *self._attempts, *self.upcoming(now)}
        slotless = frozenset((name, schedule.at) for name, schedule in self._schedules.items() if name not in has_work)
        for name, at in sorted(slotless - self._reported_slotless):
            log_problem(problem("slot-none", schedule=name, at=at), schedule=name)
        self._reported_slotless = slotless

    def _resume(self, schedule: PlannedSchedule, now: datetime, monotonic: float) -> None:
        """Continue a slot that was started before the daemon's restart."""
        remembered = self.memory.of(schedule.name)
        slot = None if schedule.name in self._attempts else resumable(schedule, remembered, now)
        if slot is None:
            return
        newest = remembered.newest_upload
        self._attempts[schedule.name] = Attempt(slot, monotonic, monotonic, newest_upload=newest)
        text = f"slot {moment(slot, schedule.zone)} of {schedule.name}, which was under way before the restart, goes on"
        log_event(logging.INFO, "slot-due", text, schedule=schedule.name, slot=slot.isoformat())

    def _start_slot(self, schedule: PlannedSchedule, found: Due, waiting: Attempt | None, monotonic: float) -> None:
        zone, facts = schedule.zone, {"schedule": schedule.name, "slot": found.slot.isoformat()}
        newest = self.memory.of(schedule.name).newest_upload
        self.memory = self.memory.start(schedule.name, found.slot)
        self._attempts[schedule.name] = Attempt(found.slot, monotonic, monotonic, newest_upload=newest)
        text = f"slot {moment(found.slot, zone)} of {schedule.name} is due"
        if waiting is not None:
            what = f"still waited for {waiting.why}" if waiting.why else "was not over yet"
            text += f"; the run for {moment(waiting.slot, zone)}, which {what}, goes on as this one"
        self.coalesced[schedule.name] += found.missed + (waiting is not None)
        if found.missed > 0:
            text += f"; it stands for {found.missed} older slots, which were missed"
        log_event(logging.WARNING if found.missed > 0 else logging.INFO, "slot-due", text, **facts)

    def _record_missed(self, schedule: PlannedSchedule, found: Due, now: datetime) -> None:
        if self.memory.of(schedule.name).started == found.slot:
            reason = phrase("tried-long-enough", grace=max(schedule.grace, schedule.started_grace))
        elif schedule.catch_up:
            reason = phrase("older-than-grace", grace=schedule.grace)
        else:
            reason = phrase("no-catch-up")
        misfired = problem(
            "misfired",
            schedule=schedule.name,
            count=found.missed + 1,
            value=found.slot.astimezone(schedule.zone),
            reason=reason,
        )
        log_problem(
            misfired, schedule=schedule.name, slot=found.slot.isoformat(), age=round((now - found.slot).total_seconds())
        )
        self.misfired[schedule.name] += found.missed + 1
        self.memory = self.memory.done(schedule.name, found.slot)
        if schedule.name not in self._attempts:
            self.memory = self.memory.start(schedule.name, None)

    def ready(self, monotonic: float) -> PlannedSchedule | None:
        """The schedule whose slot needs a run now; the oldest slot first."""
        waiting = [(attempt.slot, name) for name, attempt in self._attempts.items() if attempt.next <= monotonic]
        if not waiting:
            return None
        return self._schedules[min(waiting)[1]]  # apply_plan() gives up slots of removed schedules

    def started(self, name: str, monotonic: float) -> Attempt:
        """A run for the schedule's slot was started.

        Args:
            name: of the schedule.
            monotonic: the monotonic clock, in seconds; the time for retries counts from the first run, which may have
                waited long for another run.
        """
        attempt = self._attempts[name]
        first = attempt.first if attempt.runs else monotonic
        self._attempts[name] = replace(attempt, first=first, runs=attempt.runs + 1)
        return self._attempts[name]

    def schedule_retry(self, name: str, attempt: Attempt, retry: Retry, monotonic: float) -> None:
        """The slot waits for a retry."""
        self._attempts[name] = replace(attempt, next=monotonic + retry.seconds, why=retry.why, until=retry.until)

    def done(self, name: str, slot: datetime, newest_upload: datetime | None) -> None:
        """The slot is done, successfully or not."""
        self._attempts.pop(name, None)
        self.memory = self.memory.done(name, slot, newest_upload)

    def seconds_until_next(self, now: datetime, monotonic: float) -> float | None:
        """Seconds until the next slot or retry; None if there is none."""
        delays = [(slot - now).total_seconds() for slot in self.upcoming(now).values()]
        delays += [attempt.next - monotonic for attempt in self._attempts.values()]
        return max(0.0, min(delays)) if delays else None
