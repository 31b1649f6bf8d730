"""The status document: the daemon writes it into its runtime folder, ``cpimportd status`` reads it."""

import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from cpimportd import __version__
from cpimportd.core.typed import json_text, to_json
from cpimportd.daemon.attempts import NOTIFY, RETRY_PREFIX
from cpimportd.daemon.state import Running, State

FILE: Final = "status.json"
"""In the runtime folder."""


def status_document(state: State, line: str, now: datetime, monotonic: float) -> str:
    """The status as JSON; instants are ISO texts in UTC.

    Args:
        state: the daemon's state.
        line: the one line that systemd shows.
        now: the wall clock.
        monotonic: the monotonic clock, in seconds, in which attempts count.
    """
    plan, running, last = state.plan, state.running, state.last
    if running is not None and running.command.job == NOTIFY:  # internal: no client requested it or waits for it
        running = None
    upcoming = state.slots.upcoming(now)
    tree = {
        "pid": os.getpid(),
        "version": __version__,
        "since": state.since,
        "status": line,
        "configuration": plan.source,
        "state_directory": plan.state_directory,
        "timezone": plan.timezone,
        "schedules": [
            {
                "name": schedule.name,
                "at": schedule.at,
                "rescheduled": schedule.rescheduled,
                "next": upcoming.get(schedule.name),
                "waiting": _waiting(state, schedule.name, now, monotonic),
                "misfired": state.slots.misfired[schedule.name],
                "coalesced": state.slots.coalesced[schedule.name],
            }
            for schedule in plan.schedules
        ],
        "running": running and _running(running, plan.zone, now),
        "refused": state.refusal
        and {
            "at": state.refusal.at,
            "changed": state.refusal.changed,
            "told": state.refusal.describe(plan.zone, now),
            "problems": state.refusal.problems,
        },
        "last": last and {**to_json(last), "good": last.good},
        "last_good": state.record.last_good,
        "undone": tuple(state.record.undone.values()),
        "held": state.record.held,
        "files": [{**to_json(one), "stale": one.name in state.stale} for one in state.record.uploads.values()],
        "answers": state.answers,
        "jobs": state.finished,
    }
    return json_text(tree)


def _running(running: Running, zone: ZoneInfo, now: datetime) -> dict[str, object]:
    return {
        "job": running.job,
        "schedule": running.command.schedule,
        "slot": running.command.slot,
        "began": running.began,
        "progress": str(running.progress),
        "run": running.progress.run,
        "waits": [
            {**to_json(wait), "what": wait.what, "told": wait.describe(zone, now)} for wait in running.progress.waits
        ],
    }


def _waiting(state: State, schedule: str, now: datetime, monotonic: float) -> dict[str, object] | None:
    attempt = state.slots.attempts.get(schedule)
    if attempt is None:
        return None
    found = {"slot": attempt.slot, "runs": attempt.runs, "why": attempt.why, "next": None, "until": None}
    if attempt.why is None:
        running = state.running
        if running is None or running.command.schedule == schedule:  # it begins now, or is under way
            return None
        return {**found, "why": "the run under way to be over", "trouble": False}
    # To the second: otherwise the status would change at every turn.
    again = (now + timedelta(seconds=attempt.next - monotonic)).replace(microsecond=0)
    until = None if attempt.until is None else attempt.until.replace(microsecond=0)
    if state.running is not None and state.running.command.schedule == schedule:  # a retry is in progress
        before = attempt.why.removeprefix(RETRY_PREFIX)
        why = f"the try under way to be over; the one before it ended with: {before}"
        return {**found, "why": why, "until": until, "trouble": True}
    return {**found, "next": again, "until": until, "trouble": True}


def read_status(runtime: Path) -> dict[str, Any] | None:
    """The status that a daemon wrote; None if there is none yet.

    Raises:
        OSError: it cannot be read.
    """
    try:
        found: dict[str, Any] = json.loads((runtime / FILE).read_text("utf-8"))
    except FileNotFoundError:
        return None
    return found
