"""The verbs' client of the daemon: it sends signals and reads the answers from the status file."""

import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cpimportd.core.files import write_whole
from cpimportd.core.model import held_alone
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.typed import from_tree, to_json
from cpimportd.core.waiting import SHOWN_AFTER, Wait
from cpimportd.daemon.lock import Holder, holder
from cpimportd.daemon.plan import RESCHEDULED, read_rescheduled
from cpimportd.daemon.run_notice import RunNotice, leave
from cpimportd.daemon.status import read_status
from cpimportd.daemon.store import FILE as MEMORY

if TYPE_CHECKING:
    from cpimportd.config.settings import Settings

ANSWER_WITHIN: Final = 60.0
"""Seconds until a daemon that does not answer is given up; reading a configuration takes less than one second."""

_POLL_INTERVAL: Final = 0.1

Status = dict[str, Any]

Instance = tuple[int, str]
"""One daemon process: its PID and its start time, as a PID alone may be reused."""


class Client:
    """Talks to the daemon that works on a state folder.

    Args:
        state: the state folder.
        answer_within: seconds until a daemon that does not answer is given up.
        on_wait: called if the daemon does not answer at once.
    """

    def __init__(
        self, state: Path, answer_within: float = ANSWER_WITHIN, on_wait: Callable[[Wait], None] = lambda _: None
    ) -> None:
        self._state = state
        self._on_wait = on_wait
        self._deadline: float | None = None
        self._answer_within = answer_within

    def _holder(self) -> Holder:
        found = holder(self._state)
        if found is None:
            raise ProblemError(problem("daemon-not-running", path=str(self._state)))
        return found

    def status(self) -> Status:
        """The daemon's status.

        Raises:
            ProblemError: ``daemon-not-running``; ``daemon-permission``; ``daemon-silent``.
        """
        deadline = time.monotonic() + self._answer_within
        while True:
            found = self._holder()
            try:
                status = read_status(found.runtime)
            except PermissionError:
                raise ProblemError(problem("daemon-permission", pid=found.pid)) from None
            if status is not None and status["pid"] == found.pid:
                return status
            self._wait_for_answer(deadline, found)

    def _status_of(self, instance: Instance) -> Status:
        """The status of this daemon process; a successor knows nothing of earlier requests.

        Raises:
            ProblemError: as :meth:`status`; ``daemon-not-running`` also if another daemon runs by now.
        """
        status = self.status()
        if _instance_of(status) != instance:
            raise ProblemError(problem("daemon-not-running", path=str(self._state)))
        return status

    def _wait_for_answer(self, deadline: float, daemon: Holder) -> None:
        left = deadline - time.monotonic()
        if left < 0:
            raise ProblemError(problem("daemon-silent", pid=daemon.pid, value=timedelta(seconds=self._answer_within)))
        if self._deadline != deadline and self._answer_within - left > SHOWN_AFTER:
            self._deadline = deadline  # report once per request
            self._on_wait(Wait("daemon", f"PID {daemon.pid}", until=datetime.now(UTC) + timedelta(seconds=left)))
        time.sleep(_POLL_INTERVAL)

    def _signal(self, number: signal.Signals) -> None:
        found = self._holder()
        try:
            os.kill(found.pid, number)
        except PermissionError:
            raise ProblemError(problem("daemon-permission", pid=found.pid)) from None
        except ProcessLookupError:
            raise ProblemError(problem("daemon-not-running", path=str(self._state))) from None

    def trigger(self) -> None:
        """Request a run.

        Raises:
            ProblemError: as :meth:`status`.
        """
        self._signal_and_await_count(signal.SIGUSR1, "triggers_asked")

    def trigger_and_wait(self, on_status: Callable[[str], None]) -> Status:
        """Request a run, and wait until it is over.

        Args:
            on_status: receives the daemon's status line at each poll.

        Returns:
            The run's ``code``, ``status``, ``summary``, ``problem`` and ``way_out``.

        Raises:
            ProblemError: as :meth:`status`, also if the daemon ends meanwhile.
        """
        instance, number = self._signal_and_await_count(signal.SIGUSR1, "triggers_asked")
        job = None
        while True:
            status = self._status_of(instance)
            on_status(status["status"])
            if job is None and status["answers"]["triggers_served"] >= number:
                job = status["answers"]["trigger_job"]  # later runs serve other requests: do not wait for them
            if over := [one for one in status["jobs"] if one["job"] == job and one["schedule"] is None]:
                return dict(over[-1])
            time.sleep(_POLL_INTERVAL)

    def reload(self) -> tuple[Problem, ...]:
        """Have the daemon reload its configuration, and wait for its answer.

        Returns:
            The problems of a refused configuration; empty if it was accepted.

        Raises:
            ProblemError: as :meth:`status`.
        """
        instance, number = self._signal_and_await_count(signal.SIGHUP, "reloads_asked")
        deadline = time.monotonic() + self._answer_within
        while True:
            answers = self._status_of(instance)["answers"]
            if answers["reloads_answered"] >= number:
                return from_tree(answers["refused"], tuple[Problem, ...])
            self._wait_for_answer(deadline, self._holder())

    def reschedule(self, name: str, expression: str | None) -> tuple[Problem, ...]:
        """Change a schedule's expression until the daemon's next start; None restores the configured one.

        Returns:
            The problems if the daemon refused; then the previous expression stays in force.

        Raises:
            ProblemError: as :meth:`status`; ``config-value`` for an invalid expression; ``disk``.
        """
        from cpimportd.config.load import check_expression  # noqa: PLC0415 - with pydantic; others need none

        if expression is not None:
            check_expression(expression, "the command line")
        daemon = self._holder()
        file = daemon.runtime / RESCHEDULED
        before = read_rescheduled(file)
        after = {key: at for key, at in before.items() if key != name}
        if expression is not None:
            after[name] = expression
        self._write(file, after)
        refused = self.reload()
        if refused:
            self._write(file, before)
        return refused

    def leave_notice(self, notice: RunNotice) -> None:
        """Notify the daemon of a run that it did not start: at once if it runs, else at its next start.

        If no daemon ever worked on the state folder, nothing is written.

        Raises:
            ProblemError: ``daemon-untold``.
        """
        found = holder(self._state)
        if found is None and not (self._state / MEMORY).exists():
            return
        try:
            leave(self._state, notice)
        except OSError as error:
            raise ProblemError(
                problem("daemon-untold", reason=phrase("file-said", file=error.filename, said=error.strerror))
            ) from error
        if found is not None:
            with suppress(ProcessLookupError, PermissionError):  # it polls by itself within half a minute
                os.kill(found.pid, signal.SIGCONT)

    @staticmethod
    def _write(file: Path, rescheduled: dict[str, str]) -> None:
        try:
            write_whole(file, json.dumps(rescheduled, ensure_ascii=False), lasting=False)
        except OSError as error:
            raise ProblemError(problem("disk", path=str(file), reason=error.strerror)) from error

    def _signal_and_await_count(self, number: signal.Signals, counter: str) -> tuple[Instance, int]:
        """Send a signal, and wait until the daemon has counted it.

        Returns:
            The daemon's process, and the count that the answer has to reach.
        """
        status = self.status()
        instance, before = _instance_of(status), int(status["answers"][counter])
        self._signal(number)
        deadline = time.monotonic() + self._answer_within
        while int(self._status_of(instance)["answers"][counter]) <= before:
            self._wait_for_answer(deadline, self._holder())
        return instance, before + 1


def _instance_of(status: Status) -> Instance:
    return status["pid"], status["since"]


def with_database_facts(
    status: Status, held: list[str] | None, query_problem: Problem | None, outstanding: Sequence[Problem] = ()
) -> Status:
    """The daemon's status with what the database says is held; the daemon itself queries no database.

    Args:
        status: the daemon's.
        held: units held by the database; None if the query failed: then the daemon's own list stays.
        query_problem: why the query failed; becomes ``held_unasked``.
        outstanding: problems of notifications that were not sent, by the database.
    """
    held = status["held"] if held is None else held
    return {**status, "held": held, "held_unasked": to_json(query_problem), "outstanding": to_json(outstanding)}


def with_attention(status: Status) -> Status:
    """The status for scripts, with what needs attention."""
    reasons = needing_attention(status)
    return {"daemon": True, "well": not reasons, "wrong": reasons, **status}


def rescheduled(state: Path) -> dict[str, str]:
    """The rescheduled expressions, by schedule; empty if no daemon runs.

    Args:
        state: the state folder.

    Raises:
        ProblemError: ``daemon-permission``: this user may not read them.
    """
    found = holder(state)
    try:
        return {} if found is None else read_rescheduled(found.runtime / RESCHEDULED)
    except ProblemError as error:
        pid = "unknown" if found is None else found.pid
        raise ProblemError(problem("daemon-permission", pid=pid)) from error


def with_rescheduled(settings: "Settings") -> "Settings":
    """The settings with the rescheduled expressions, if this user may read them."""
    try:
        changed = rescheduled(settings.state_directory)
    except (ProblemError, OSError):
        return settings
    schedules = {
        name: one.model_copy(update={"at": changed[name]}) if name in changed else one
        for name, one in settings.schedules.items()
    }
    return settings.model_copy(update={"schedules": schedules})


def waits_needing_attention(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The waits of the current run that need attention; an older daemon reports none."""
    running = status["running"]
    return [] if running is None else [wait for wait in running.get("waits", ()) if wait["trouble"]]


def waiting_needs_attention(schedule: Mapping[str, Any]) -> bool:
    """Whether a slot of the schedule waits for something that needs attention, not only for another run's end."""
    return schedule["waiting"] is not None and bool(schedule["waiting"].get("trouble", True))


def failed_jobs(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The last job of each schedule whose last job failed, except the daemon's last run.

    Args:
        status: the daemon's; an older daemon reports none.
    """
    present = {one["name"] for one in status["schedules"]}
    ended = status["last"] and status["last"]["ended"]
    return [one for one in status.get("undone", ()) if one["schedule"] in present and one["ended"] != ended]


def schedules_without_slots(status: Mapping[str, Any]) -> list[str]:
    """Schedules without a next slot and without a run that is waiting or in progress."""
    doing = status["running"] and status["running"]["schedule"]
    schedules = status["schedules"]
    return [one["name"] for one in schedules if not one["next"] and not one["waiting"] and one["name"] != doing]


def needing_attention(status: Status) -> list[str]:
    """What needs attention, one sentence each; empty if all is well."""
    reasons = []
    last = status["last"]
    if last is not None and not last["good"]:
        reasons.append(f"the last run: {last['summary']}")
    reasons += [f"the last job of {one['schedule']}: {one['summary']}" for one in failed_jobs(status)]
    reasons += [f"{unit} is held: nothing new of it is in the books" for unit in status["held"]]
    reasons += [one["message"] for one in status.get("outstanding", ())]
    alone = [one["name"] for one in status["files"] if held_alone(one["status"], one["organizations"])]
    reasons += [f"{name} is held: nothing of it is in the books, and nobody knows whose it is" for name in alone]
    reasons += [f"{name} has no slot any more: nothing starts it by itself" for name in schedules_without_slots(status)]
    reasons += [f"the run under way waits for {wait['told']}" for wait in waits_needing_attention(status)]
    waiting = [one for one in status["schedules"] if waiting_needs_attention(one)]
    reasons += [f"{one['name']} waits for {one['waiting']['why']}" for one in waiting]
    if status.get("refused") is not None:
        reasons.append(status["refused"]["told"])
    reasons += [f"{one['name']} is stale: 1C has not uploaded it anew" for one in status["files"] if one["stale"]]
    return reasons
