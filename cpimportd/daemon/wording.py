"""The one true line of ``systemctl status``, and the status in full."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from cpimportd.daemon.attempts import NOTIFY, Attempt
from cpimportd.instants import moment, span

if TYPE_CHECKING:
    from cpimportd.daemon.state import State
    from cpimportd.daemon.store import Finished

_LONGEST = 240
"""Characters of the line: a terminal shows little more of it."""


def last(finished: "Finished", zone: tzinfo) -> str:
    """``last 2026-11-23 06:00 MSK published 1 050 documents of 6 files in 1.3 s``."""
    return f"last {moment(finished.slot or finished.began, zone)} {finished.summary}"


def line(state: "State", now: datetime, monotonic: float) -> str:
    """What the daemon does, or waits for, and how the last run went.

    Args:
        state: what the daemon knows.
        now: the wall clock, in UTC.
        monotonic: the monotonic clock, in seconds, in which attempts count.
    """
    zone, running = state.plan.zone, state.running
    if running is not None and running.order.job != NOTIFY:  # that takes seconds, and says nothing of the books
        schedule = running.order.schedule
        doing = "Importing" if schedule in {None, "import"} else f"Importing for {schedule}"
        if running.order.job != "import":
            return shorten(f"Doing {running.order.job} for {schedule}")
        return shorten(f"{doing}: {running.progress}")
    waiting = {name: attempt for name, attempt in state.slots.attempts.items() if attempt.why is not None}
    if waiting:
        first = _waits(waiting, now, monotonic, zone)
    elif upcoming := state.slots.upcoming(now):
        name, slot = min(upcoming.items(), key=lambda entry: entry[1])
        first = f"Next {name} {moment(slot, zone)} in {span(slot - now)}"
    else:
        first = "No schedule is enabled; `cpimportd trigger` imports now"
    return shorten(first if state.last is None else f"{first}; {last(state.last, zone)}")


def _waits(waiting: Mapping[str, Attempt], now: datetime, monotonic: float, zone: tzinfo) -> str:
    name, attempt = min(waiting.items(), key=lambda entry: entry[1].next)
    again = now + timedelta(seconds=attempt.next - monotonic)
    return f"Slot {moment(attempt.slot, zone)} of {name} waits for {attempt.why}; next try {moment(again, zone)}"


def status_lines(state: "State", first: str, now: datetime) -> Iterator[str]:
    """The status in full, a line each: schedules, the last good run, what is held, every workbook."""
    zone, upcoming = state.plan.zone, state.slots.upcoming(now)
    yield first
    for schedule in state.plan.schedules:
        slot = upcoming.get(schedule.name)
        when = "never again" if slot is None else f"{moment(slot, zone)}, in {span(slot - now)}"
        yield f"schedule {schedule.name} at {schedule.at}: next {when}"
    if state.record.last_good is not None:
        yield f"last good run: {last(state.record.last_good, zone)}"
    for unit in state.record.held:
        yield f"held: {unit}"
    for upload in state.record.uploads.values():
        age = "at an unknown time" if upload.modified is None else f"{span(now - upload.modified)} ago"
        yield f"workbook {upload.name}: {upload.status}, uploaded {age}"


def shorten(text: str) -> str:
    """One line that fits, whatever summaries say."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 1]}…"
