"""Notifies systemd (sd_notify(3)): ready, the watchdog, and the status line of ``systemctl status``."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final

from sdnotify import SystemdNotifier

from cpimportd.core.formatting import clock, moment, span
from cpimportd.core.waiting import describe_waits
from cpimportd.daemon.attempts import NOTIFY, Attempt

if TYPE_CHECKING:
    from cpimportd.daemon.state import Running, State
    from cpimportd.daemon.store import FinishedRun

_EXTENSION: Final = 30_000_000
"""Microseconds by which a stop is extended at a time."""


class Supervisor:
    """Notifies systemd, if the environment names a socket.

    Args:
        environ: the environment: ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` are read.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._notifier = SystemdNotifier() if environ.get("NOTIFY_SOCKET") else None
        self._status: str | None = None
        # sd_watchdog_enabled(3): the variables may be meant for another process
        module_command = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = environ.get("WATCHDOG_USEC", "")
        self.watchdog: float | None = (
            int(usec) / 1_000_000 if module_command and usec.isdigit() and int(usec) > 0 else None
        )
        """The watchdog interval in seconds; None if systemd asks for none."""

    def ready(self, status: str) -> None:
        """The daemon is ready, or a reload is over, accepted or refused."""
        self._status = status
        self._send("READY=1", f"STATUS={status}")

    def keep_alive(self, status: str) -> None:
        """Feed the watchdog; the status is sent if it has changed."""
        lines = ["WATCHDOG=1"] if self.watchdog else []
        if status != self._status:
            self._status = status
            lines.append(f"STATUS={status}")
        self._send(*lines)

    def set_status(self, status: str) -> None:
        """Send the status alone, such as the reason why the daemon does not start."""
        self._status = status
        self._send(f"STATUS={status}")

    def reloading(self) -> None:
        """A reload begins; systemd counts from this instant of the monotonic clock."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """The daemon is stopping."""
        self._status = status
        self._send("STOPPING=1", f"STATUS={status}")

    def extend_stop_timeout(self) -> None:
        """Extend the stop timeout: a run is past COMMIT and has to finish."""
        self._send(f"EXTEND_TIMEOUT_USEC={_EXTENSION}")

    def _send(self, *lines: str) -> None:
        if self._notifier is None or not lines:
            return
        # The package encodes as Latin-1 and drops what does not fit; systemd wants UTF-8.
        self._notifier.notify("\n".join(lines).encode("utf-8", "replace").decode("latin-1"))


_LONGEST = 240
"""Characters of the line; a terminal shows little more."""

_SHORTEST_REASON = 40


def last_run(finished: "FinishedRun", zone: tzinfo) -> str:
    """``last 2026-11-23 06:00 MSK published 1 050 documents of 6 files in 1.3 s``."""
    return f"last {moment(finished.slot or finished.began, zone)} {finished.summary}"


def status_line(state: "State", now: datetime, monotonic: float) -> str:
    """What the daemon does or waits for, and the last run.

    Args:
        state: the daemon's state.
        now: the wall clock, in UTC.
        monotonic: the monotonic clock, in seconds, in which attempts count.
    """
    zone, running = state.plan.zone, state.running
    ends = [] if state.refusal is None else [state.refusal.describe(zone, now)]
    if running is not None and running.command.job != NOTIFY:  # internal, and takes seconds
        if state.answers.triggers_served < state.answers.triggers_asked:
            ends.append("a run that was asked for follows")
        return _join_and_shorten(_running_text(running, zone, now), ends)
    waiting = {name: attempt for name, attempt in state.slots.attempts.items() if attempt.why is not None}
    if waiting:
        first = _waiting_text(waiting, now, monotonic, zone, _LONGEST - sum(2 + len(end) for end in ends))
    elif upcoming := state.slots.upcoming(now):
        name, slot = min(upcoming.items(), key=lambda entry: entry[1])
        first = f"Next {name} {moment(slot, zone)} in {span(slot - now)}"
    else:
        none = "No schedule has a slot any more" if state.plan.schedules else "No schedule is enabled"
        first = f"{none}; `cpimportd trigger` imports now"
    if state.last is None:
        return _join_and_shorten(first, ends)
    return shorten(f"{_join_and_shorten(first, ends)}; {last_run(state.last, zone)}")


def _join_and_shorten(first: str, ends: Sequence[str]) -> str:
    """One line of limited length; only the first part is shortened."""
    rest = "".join(f"; {end}" for end in ends)
    return shorten(first, _LONGEST - len(rest)) + rest


def _running_text(running: "Running", zone: tzinfo, now: datetime) -> str:
    """What the run in progress does or waits for."""
    job, schedule = running.command.job, running.command.schedule
    waits = running.progress.waits
    owner = "" if schedule in {None, "import"} else f" for {schedule}"
    if waits and waits[0].trouble:
        return f"{job.capitalize()}{owner} waits for {describe_waits(waits, zone, now)}"
    doing = f"Doing {job}{owner}" if job != "import" else f"Importing{owner}: {running.progress}"
    return f"{doing}; waits for {describe_waits(waits, zone, now)}" if waits else doing


def stopping_line(running: "Running", zone: tzinfo, now: datetime) -> str:
    """The status line of a stop that waits for a run."""
    waits = running.progress.waits
    waiting_for = f"; it waits for {describe_waits(waits, zone, now)}" if waits else ""
    return f"Stopping; the run under way is {running.progress}{waiting_for}"


def _waiting_text(waiting: Mapping[str, Attempt], now: datetime, monotonic: float, zone: tzinfo, longest: int) -> str:
    name, attempt = min(waiting.items(), key=lambda entry: entry[1].next)
    again = now + timedelta(seconds=attempt.next - monotonic)
    gives_up = "" if attempt.until is None else f", gives up {clock(attempt.until, zone, again)}"
    others = sorted(waiting.keys() - {name})
    also = f"; {', '.join(others)} {'waits' if len(others) == 1 else 'wait'}, too" if others else ""
    head = f"Slot {moment(attempt.slot, zone)} of {name} waits for "
    tail = f"; next try {moment(again, zone)}{gives_up}{also}"
    # The reason may be long: shorten it, never the time of the next try.
    return head + shorten(attempt.why or "", max(_SHORTEST_REASON, longest - len(head) - len(tail))) + tail


def status_lines(state: "State", first: str, now: datetime) -> Iterator[str]:
    """The full status in lines: schedules, the last good run, held units, every workbook."""
    zone, upcoming = state.plan.zone, state.slots.upcoming(now)
    yield first
    if state.refusal is not None:
        yield state.refusal.describe(zone, now)
        yield from (f"refused: {found}" for found in state.refusal.problems)
    for schedule in state.plan.schedules:
        slot = upcoming.get(schedule.name)
        when = "never again" if slot is None else f"{moment(slot, zone)}, in {span(slot - now)}"
        yield f"schedule {schedule.name} at {schedule.at}: next {when}"
    if state.record.last_good is not None:
        yield f"last good run: {last_run(state.record.last_good, zone)}"
    for one in state.record.undone.values():
        yield f"not done: the last job of {one.schedule}: {last_run(one, zone)}"
    for unit in state.record.held:
        yield f"held: {unit}"
    for upload in state.record.uploads.values():
        age = "at an unknown time" if upload.modified is None else f"{span(now - upload.modified)} ago"
        yield f"workbook {upload.name}: {upload.status}, uploaded {age}"


def shorten(text: str, longest: int = _LONGEST) -> str:
    """The text on one line, at most ``longest`` characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= longest else f"{flat[: longest - 1]}…"
