"""The daemon as the verbs see it: asked by signals, its answers read from the status that it writes."""

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
from cpimportd.core.outcomes import held_alone
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.typed import from_tree, to_json
from cpimportd.core.waiting import SHOWN_AFTER, Wait
from cpimportd.daemon.lock import Holder, holder
from cpimportd.daemon.plan import RESCHEDULED, read_rescheduled
from cpimportd.daemon.run_notice import RunNotice, leave
from cpimportd.daemon.status import read
from cpimportd.daemon.store import FILE as MEMORY

if TYPE_CHECKING:
    from cpimportd.config.settings import Settings

ANSWER_WITHIN: Final = 60.0
"""Seconds until a daemon that does not answer is given up; reading a configuration takes less than one."""

_LOOK_EVERY: Final = 0.1

Status = dict[str, Any]

Life = tuple[int, str]
"""One daemon from its start to its end: its PID, and since when; a PID alone may come again."""


class Client:
    """Talks to the daemon that works on a state folder.

    Args:
        state: the state folder.
        answer_within: seconds until a daemon that does not answer is given up.
        say: told where the daemon does not answer at once.
    """

    def __init__(
        self, state: Path, answer_within: float = ANSWER_WITHIN, say: Callable[[Wait], None] = lambda _: None
    ) -> None:
        self._state = state
        self._say = say
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
            ProblemError: ``daemon-not-running``; ``daemon-permission``; ``daemon-silent``: it says nothing.
        """
        deadline = time.monotonic() + self._answer_within
        while True:
            found = self._holder()
            try:
                status = read(found.runtime)
            except PermissionError:
                raise ProblemError(problem("daemon-permission", pid=found.pid)) from None
            if status is not None and status["pid"] == found.pid:
                return status
            self._wait_for_answer(deadline, found)

    def _status_of(self, life: Life) -> Status:
        """The status of the daemon that was asked; one that took its place knows nothing of that.

        Raises:
            ProblemError: as :meth:`status`; ``daemon-not-running`` also where another one lives by now.
        """
        status = self.status()
        if _life(status) != life:
            raise ProblemError(problem("daemon-not-running", path=str(self._state)))
        return status

    def _wait_for_answer(self, deadline: float, daemon: Holder) -> None:
        left = deadline - time.monotonic()
        if left < 0:
            raise ProblemError(problem("daemon-silent", pid=daemon.pid, value=timedelta(seconds=self._answer_within)))
        if self._deadline != deadline and self._answer_within - left > SHOWN_AFTER:
            self._deadline = deadline  # it is said once of each question
            self._say(Wait("daemon", f"PID {daemon.pid}", until=datetime.now(UTC) + timedelta(seconds=left)))
        time.sleep(_LOOK_EVERY)

    def _signal(self, number: signal.Signals) -> None:
        found = self._holder()
        try:
            os.kill(found.pid, number)
        except PermissionError:
            raise ProblemError(problem("daemon-permission", pid=found.pid)) from None
        except ProcessLookupError:
            raise ProblemError(problem("daemon-not-running", path=str(self._state))) from None

    def trigger(self) -> None:
        """Ask for a run.

        Raises:
            ProblemError: as :meth:`status`.
        """
        self._ask(signal.SIGUSR1, "triggers_asked")

    def trigger_and_wait(self, show: Callable[[str], None]) -> Status:
        """Ask for a run, and wait until it is over.

        Args:
            show: told what the daemon does, whenever that changes.

        Returns:
            What is known of the run: ``code``, ``status``, ``summary``, ``problem``, ``way_out``.

        Raises:
            ProblemError: as :meth:`status`, also where the daemon ends meanwhile.
        """
        life, number = self._ask(signal.SIGUSR1, "triggers_asked")
        job = None
        while True:
            status = self._status_of(life)
            show(status["status"])
            if job is None and status["answers"]["triggers_served"] >= number:
                job = status["answers"]["trigger_job"]  # later ones are others': with many of them it would never end
            if over := [one for one in status["jobs"] if one["job"] == job and one["schedule"] is None]:
                return dict(over[-1])
            time.sleep(_LOOK_EVERY)

    def reload(self) -> tuple[Problem, ...]:
        """Let the daemon read its configuration again, and wait for its answer.

        Returns:
            Why it refused; empty where it accepted.

        Raises:
            ProblemError: as :meth:`status`.
        """
        life, number = self._ask(signal.SIGHUP, "reloads_asked")
        deadline = time.monotonic() + self._answer_within
        while True:
            answers = self._status_of(life)["answers"]
            if answers["reloads_answered"] >= number:
                return from_tree(answers["refused"], tuple[Problem, ...])
            self._wait_for_answer(deadline, self._holder())

    def reschedule(self, name: str, expression: str | None) -> tuple[Problem, ...]:
        """Give a schedule another expression until the daemon's next start; None takes that back.

        Returns:
            Why the daemon refused; then what was in force before stays.

        Raises:
            ProblemError: as :meth:`status`; ``config-value`` for an expression that is none; ``disk``.
        """
        from cpimportd.config.faults import check_expression  # noqa: PLC0415 - with pydantic; others need none

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

    def leave_notice(self, word: RunNotice) -> None:
        """Let the daemon know of a run that was not its own: at once where it lives, else when it starts.

        Where no daemon ever worked on the state folder, nobody wants to know.

        Raises:
            ProblemError: ``daemon-untold``.
        """
        found = holder(self._state)
        if found is None and not (self._state / MEMORY).exists():
            return
        try:
            leave(self._state, word)
        except OSError as error:
            raise ProblemError(
                problem("daemon-untold", reason=phrase("file-said", file=error.filename, said=error.strerror))
            ) from error
        if found is not None:
            with suppress(ProcessLookupError, PermissionError):  # it looks by itself within half a minute
                os.kill(found.pid, signal.SIGCONT)

    @staticmethod
    def _write(file: Path, rescheduled: dict[str, str]) -> None:
        try:
            write_whole(file, json.dumps(rescheduled, ensure_ascii=False), lasting=False)
        except OSError as error:
            raise ProblemError(problem("disk", path=str(file), reason=error.strerror)) from error

    def _ask(self, number: signal.Signals, counter: str) -> tuple[Life, int]:
        """Send a signal, and wait until the daemon has counted it.

        Returns:
            Which daemon was asked, and the count that an answer has to reach.
        """
        status = self.status()
        life, before = _life(status), int(status["answers"][counter])
        self._signal(number)
        deadline = time.monotonic() + self._answer_within
        while int(self._status_of(life)["answers"][counter]) <= before:
            self._wait_for_answer(deadline, self._holder())
        return life, before + 1


def _life(status: Status) -> Life:
    return status["pid"], status["since"]


def with_held(
    status: Status, held: list[str] | None, unasked: Problem | None, outstanding: Sequence[Problem] = ()
) -> Status:
    """The daemon's status with what the books say is held: the daemon asks no database, and may be new to its folder.

    Args:
        status: the daemon's.
        held: by the books; None where they could not be asked, then it is what the daemon remembers.
        unasked: why not; it goes with the status as ``held_unasked``.
        outstanding: that readers have not been told of runs, by the books.
    """
    told = to_json(unasked)
    untold = to_json(outstanding)
    held = status["held"] if held is None else held
    return {**status, "held": held, "held_unasked": told, "outstanding": untold}


def as_told(status: Status) -> Status:
    """The status for scripts, with what somebody should look at."""
    wrong = verdict(status)
    return {"daemon": True, "well": not wrong, "wrong": wrong, **status}


def rescheduled(state: Path) -> dict[str, str]:
    """The expressions that somebody gave schedules until the daemon's next start, by schedule; none where none lives.

    Args:
        state: the state folder.

    Raises:
        ProblemError: ``daemon-permission``: this user may not look.
    """
    found = holder(state)
    try:
        return {} if found is None else read_rescheduled(found.runtime / RESCHEDULED)
    except ProblemError as error:
        pid = "unknown" if found is None else found.pid
        raise ProblemError(problem("daemon-permission", pid=pid)) from error


def as_rescheduled(settings: "Settings") -> "Settings":
    """The settings with the expressions that hold until the daemon's next start, as far as this user may know."""
    try:
        changed = rescheduled(settings.state_directory)
    except (ProblemError, OSError):
        return settings
    schedules = {
        name: one.model_copy(update={"at": changed[name]}) if name in changed else one
        for name, one in settings.schedules.items()
    }
    return settings.model_copy(update={"schedules": schedules})


def trouble_of_run(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the run under way waits for and somebody should look at; an older daemon tells of nothing."""
    running = status["running"]
    return [] if running is None else [wait for wait in running.get("waits", ()) if wait["trouble"]]


def waits_in_trouble(schedule: Mapping[str, Any]) -> bool:
    """Whether a slot of the schedule waits for what somebody should look at, and not only for another run's end."""
    return schedule["waiting"] is not None and bool(schedule["waiting"].get("trouble", True))


def undone(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The last job of each schedule that did not succeed, whatever others did since, less the last run of all.

    Args:
        status: the daemon's; an older one tells of none.
    """
    present = {one["name"] for one in status["schedules"]}
    ended = status["last"] and status["last"]["ended"]
    return [one for one in status.get("undone", ()) if one["schedule"] in present and one["ended"] != ended]


def slotless(status: Mapping[str, Any]) -> list[str]:
    """Schedules that nothing starts any more, and that nothing of is under way."""
    doing = status["running"] and status["running"]["schedule"]
    schedules = status["schedules"]
    return [one["name"] for one in schedules if not one["next"] and not one["waiting"] and one["name"] != doing]


def verdict(status: Status) -> list[str]:
    """What somebody should look at, a sentence each; empty where all is well."""
    wrong = []
    last = status["last"]
    if last is not None and not last["good"]:
        wrong.append(f"the last run: {last['summary']}")
    wrong += [f"the last job of {one['schedule']}: {one['summary']}" for one in undone(status)]
    wrong += [f"{unit} is held: nothing new of it is in the books" for unit in status["held"]]
    wrong += [one["message"] for one in status.get("outstanding", ())]
    alone = [one["name"] for one in status["files"] if held_alone(one["status"], one["organizations"])]
    wrong += [f"{name} is held: nothing of it is in the books, and nobody knows whose it is" for name in alone]
    wrong += [f"{name} has no slot any more: nothing starts it by itself" for name in slotless(status)]
    wrong += [f"the run under way waits for {wait['told']}" for wait in trouble_of_run(status)]
    waiting = [one for one in status["schedules"] if waits_in_trouble(one)]
    wrong += [f"{one['name']} waits for {one['waiting']['why']}" for one in waiting]
    if status.get("refused") is not None:
        wrong.append(status["refused"]["told"])
    wrong += [f"{one['name']} is stale: 1C has not uploaded it anew" for one in status["files"] if one["stale"]]
    return wrong
