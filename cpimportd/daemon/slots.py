"""The slots: which one is due, which waits for another try, which were missed; each is told of when it changes."""

import logging
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec.structs import replace

from cpimportd.core.phrases import phrase
from cpimportd.core.problems import problem
from cpimportd.core.time import moment
from cpimportd.daemon.attempts import Again, Attempt
from cpimportd.daemon.journal import tell, tell_problem
from cpimportd.daemon.plan import Plan
from cpimportd.timetable.due import Due, due, resumable, upcoming
from cpimportd.timetable.memory import Memory, PlannedSchedule, disbelieve, put_in_force


class Slots:
    """The timetable's state while the daemon lives.

    Args:
        memory: what was remembered of the slots.

    Attributes:
        misfired: how many slots were missed for good since the start, by schedule.
        coalesced: how many others stand for, which were missed or still waited, by schedule.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.misfired: Counter[str] = Counter()
        self.coalesced: Counter[str] = Counter()
        self._schedules: Mapping[str, PlannedSchedule] = {}
        self._attempts: dict[str, Attempt] = {}
        self._slotless: frozenset[tuple[str, str]] = frozenset()

    @property
    def attempts(self) -> Mapping[str, Attempt]:
        """The slots that were started and are not done, by schedule."""
        return self._attempts

    def enforce(self, plan: Plan, now: datetime) -> None:
        """Put the plan's schedules in force; what waits for a schedule that is gone is given up."""
        self._schedules = {schedule.name: schedule for schedule in plan.schedules}
        for name in [name for name in self._attempts if name not in self._schedules]:
            given_up = self._attempts.pop(name)
            text = f"slot {moment(given_up.slot, plan.zone)} of {name} is given up: the schedule is no longer in force"
            tell(logging.WARNING, "slot-given-up", text, schedule=name, slot=given_up.slot.isoformat())
        self.memory = put_in_force(self.memory, self._schedules.values(), now)

    def upcoming(self, now: datetime) -> dict[str, datetime]:
        """The next slot of each schedule that has one, by schedule."""
        found = {name: upcoming(schedule, self.memory.of(name), now) for name, schedule in self._schedules.items()}
        return {name: slot for name, slot in found.items() if slot is not None}

    def look(self, now: datetime, monotonic: float, running: str | None) -> None:
        """Look at the clock: note slots that have come, and those that were missed for good.

        Args:
            now: the wall clock, in UTC.
            monotonic: the monotonic clock, in seconds.
            running: the schedule whose slot a run is doing right now; what came since is looked at when it is over.
        """
        self.memory, disbelieved = disbelieve(self.memory, now)
        for name, slot in disbelieved.items():
            zone = self._schedules[name].zone if name in self._schedules else UTC
            tell_problem(problem("state-future", schedule=name, value=slot.astimezone(zone)), schedule=name)
        for name, schedule in self._schedules.items():
            if name == running:
                continue
            self._resume(schedule, now, monotonic)
            attempt = self._attempts.get(name)
            found = due(schedule, self.memory.of(name), now, attempt.slot if attempt else None)
            if found is None or (attempt is not None and found.slot <= attempt.slot):
                continue
            if found.startable:
                self._come(schedule, found, attempt, monotonic)
            else:
                self._missed(schedule, found, now)
        self._look_ahead(now, running)

    def _look_ahead(self, now: datetime, running: str | None) -> None:
        """Tell once of each schedule that nothing starts any more; its last slot is let come to its end."""
        busy = {running, *self._attempts, *self.upcoming(now)}
        over = frozenset((name, schedule.at) for name, schedule in self._schedules.items() if name not in busy)
        for name, at in sorted(over - self._slotless):
            tell_problem(problem("slot-none", schedule=name, at=at), schedule=name)
        self._slotless = over

    def _resume(self, schedule: PlannedSchedule, now: datetime, monotonic: float) -> None:
        """Go on with a slot that was started by the daemon before this one."""
        remembered = self.memory.of(schedule.name)
        slot = None if schedule.name in self._attempts else resumable(schedule, remembered, now)
        if slot is None:
            return
        newest = remembered.newest_upload
        self._attempts[schedule.name] = Attempt(slot, monotonic, monotonic, newest_upload=newest)
        text = f"slot {moment(slot, schedule.zone)} of {schedule.name}, which was under way before the restart, goes on"
        tell(logging.INFO, "slot-due", text, schedule=schedule.name, slot=slot.isoformat())

    def _come(self, schedule: PlannedSchedule, found: Due, waiting: Attempt | None, monotonic: float) -> None:
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
        tell(logging.WARNING if found.missed > 0 else logging.INFO, "slot-due", text, **facts)

    def _missed(self, schedule: PlannedSchedule, found: Due, now: datetime) -> None:
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
        tell_problem(
            misfired, schedule=schedule.name, slot=found.slot.isoformat(), age=round((now - found.slot).total_seconds())
        )
        self.misfired[schedule.name] += found.missed + 1
        self.memory = self.memory.done(schedule.name, found.slot)
        if schedule.name not in self._attempts:
            self.memory = self.memory.start(schedule.name, None)

    def ready(self, monotonic: float) -> PlannedSchedule | None:
        """The schedule for whose slot a run is to be started now, that of the oldest slot first."""
        waiting = [(attempt.slot, name) for name, attempt in self._attempts.items() if attempt.next <= monotonic]
        if not waiting:
            return None
        return self._schedules[min(waiting)[1]]  # enforce() gives up what is in no plan

    def started(self, name: str, monotonic: float) -> Attempt:
        """A run for the schedule's slot was started.

        Args:
            name: of the schedule.
            monotonic: the monotonic clock, in seconds; the time for trying counts from the first run, which may have
                waited long for another one to be over.
        """
        attempt = self._attempts[name]
        first = attempt.first if attempt.runs else monotonic
        self._attempts[name] = replace(attempt, first=first, runs=attempt.runs + 1)
        return self._attempts[name]

    def again(self, name: str, attempt: Attempt, verdict: Again, monotonic: float) -> None:
        """The slot waits for another try."""
        self._attempts[name] = replace(attempt, next=monotonic + verdict.seconds, why=verdict.why, until=verdict.until)

    def done(self, name: str, slot: datetime, newest_upload: datetime | None) -> None:
        """The slot is done, for good or ill."""
        self._attempts.pop(name, None)
        self.memory = self.memory.done(name, slot, newest_upload)

    def pause(self, now: datetime, monotonic: float) -> float | None:
        """Seconds until something is to be started, as far as the clocks tell now; None where nothing is."""
        pauses = [(slot - now).total_seconds() for slot in self.upcoming(now).values()]
        pauses += [attempt.next - monotonic for attempt in self._attempts.values()]
        return max(0.0, min(pauses)) if pauses else None
