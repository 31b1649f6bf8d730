"""The daemon's state for the page: its status, the progress of a run, and what needs attention."""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.concurrency import run_in_threadpool

from cpimportd.core.model import held_alone
from cpimportd.core.problems import Problem, ProblemError
from cpimportd.core.typed import to_json
from cpimportd.daemon.client import (
    Client,
    failed_jobs,
    schedules_without_slots,
    waiting_needs_attention,
    waits_needing_attention,
    with_attention,
    with_database_facts,
)

FRESH: Final = 0.4
"""Seconds for which a look at the daemon serves everybody who asks."""

_IMPORT: Final = "import"
_PROGRESS: Final = re.compile(r"(?P<stage>[a-z ]+?)(?: (?P<done>\d+)/(?P<files>\d+) files, (?P<percent>\d+) %)?")
"""As cpimportd.daemon.messages writes it."""


@dataclass(frozen=True, slots=True)
class DaemonState:
    """The daemon at one moment: its status, or why there is none; and which job each of its schedules does."""

    status: Mapping[str, Any] | None
    problem: Problem | None
    jobs: Mapping[str, str]

    @property
    def running(self) -> dict[str, Any] | None:
        """The import under way: ``began``, ``schedule``, and how far it is; of other jobs nothing."""
        found = None if self.status is None else self.status["running"]
        if found is None or self._job(found["schedule"]) != _IMPORT:
            return None
        return {**found, "progress": progress(str(found["progress"]))}

    def _job(self, schedule: str | None) -> str:
        return _IMPORT if schedule is None else self.jobs.get(schedule, _IMPORT)

    @property
    def live(self) -> dict[str, Any]:
        """What the page needs of it, and nothing of the machine's folders."""
        if self.status is None:
            return {"daemon": False, "code": self.problem and self.problem.code, "running": None, "schedules": []}
        names = ("status", "since", "last", "last_good", "held")
        refused = self.status.get("refused")
        jobs = [one["job"] for one in self.status["jobs"]]
        return {
            "daemon": True,
            **{name: self.status[name] for name in names},
            "schedules": [{**one, "job": self._job(one["name"])} for one in self.status["schedules"]],
            "running": self.running,
            "refused": refused and {name: refused[name] for name in ("at", "changed", "told")},
            "last_job": jobs[-1] if jobs else None,
        }


def progress(text: str) -> dict[str, Any]:
    """How far a run is, taken apart: ``stage``, and in stages that go file by file ``done``, ``files``, ``percent``."""
    found = _PROGRESS.fullmatch(text)
    if found is None:
        return {"stage": text, "done": None, "files": None, "percent": None}
    numbers = {name: found[name] and int(found[name]) for name in ("done", "files", "percent")}
    return {"stage": found["stage"], **numbers}


class DaemonView:
    """Looks at the daemon's status, once for all who ask at the same time.

    Args:
        client: the way to the daemon.
        jobs: which job each schedule does.
    """

    def __init__(self, client: Client, jobs: Mapping[str, str]) -> None:
        self._client = client
        self._jobs = jobs
        self._lock = asyncio.Lock()
        self._seen = DaemonState(None, None, jobs)
        self._at = float("-inf")

    async def look(self) -> DaemonState:
        """The daemon as it is now, or was less than half a second ago."""
        async with self._lock:
            if time.monotonic() - self._at > FRESH:
                try:
                    self._seen = DaemonState(await run_in_threadpool(self._client.status), None, self._jobs)
                except ProblemError as error:
                    self._seen = DaemonState(None, error.problems[0], self._jobs)
                self._at = time.monotonic()
        return self._seen

    async def trigger(self) -> None:
        """Ask for a run, see :meth:`cpimportd.daemon.client.Client.trigger`."""
        await run_in_threadpool(self._client.trigger)
        self._at = float("-inf")

    async def told(
        self, held: list[str] | None, unasked: Problem | None, outstanding: Sequence[Problem] = ()
    ) -> dict[str, Any]:
        """The status as ``cpimportd status --json`` prints it.

        Args:
            held: the units that the books hold now; None if they could not be asked.
            unasked: why not.
            outstanding: problems of notifications that were not sent, by the database.
        """
        seen = await self.look()
        if seen.status is None:
            problems = [] if seen.problem is None else [to_json(seen.problem)]
            return {"daemon": False, "running": False, "problems": problems}
        return with_attention(with_database_facts(dict(seen.status), held, unasked, outstanding))


def traffic_light(
    seen: DaemonState, held: Sequence[object], files: Sequence[Mapping[str, Any]], last: str | None
) -> dict[str, Any]:
    """The traffic light: one colour, and why.

    Args:
        seen: the daemon.
        held: the units that are held.
        files: the workbooks.
        last: how the latest run ended; None before the first.

    Returns:
        ``state`` (``green``, ``yellow``, ``red``) and ``reasons``: each a ``code`` and where it fits a ``count``.
    """
    red: list[dict[str, Any]] = []
    yellow: list[dict[str, Any]] = []
    if seen.status is None:
        red.append({"code": seen.problem.code if seen.problem else "daemon-not-running"})
    if last in {"failed", "abandoned"}:
        red.append({"code": "last-failed"})
    if seen.status is not None and (failed := len(failed_jobs(seen.status))):
        red.append({"code": "schedule-failed", "count": failed})
    if last is None:
        yellow.append({"code": "no-run"})
    if held:
        yellow.append({"code": "held", "count": len(held)})
    if alone := sum(held_alone(str(one["status"]), one["organizations"]) for one in files):
        yellow.append({"code": "held-files", "count": alone})
    if stale := sum(bool(one["stale"]) for one in files):
        yellow.append({"code": "stale", "count": stale})
    if seen.status is not None:
        yellow += _daemon_problems(seen.status)
    state = "red" if red else "yellow" if yellow else "green"
    return {"state": state, "reasons": [*red, *yellow] or [{"code": "all-well"}]}


def _daemon_problems(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the daemon itself says that needs attention."""
    counted = {
        "waiting": sum(map(waiting_needs_attention, status["schedules"])),
        "slotless": len(schedules_without_slots(status)),
    }
    found: list[dict[str, Any]] = [{"code": code, "count": count} for code, count in counted.items() if count]
    if waits_needing_attention(status):
        found.append({"code": "run-waiting"})
    if status.get("refused") is not None:
        found.append({"code": "refused"})
    return found
