"""What the daemon goes by: the schedules in force and a few spans, read from the configuration by a child process.

The daemon itself loads no configuration: what validates it is heavy, and the daemon, which lives for months, shall hold
no secret. :mod:`cpimportd.run.planner` is the child; what it prints and what the daemon reads stand on this page.
"""

import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.timetable.memory import Timed

RESCHEDULED: Final = "reschedule.json"
"""In the runtime folder: expressions that somebody gave schedules until the next start, by schedule."""

COPY_PREFIX: Final = "configuration-"
"""In the runtime folder: what was accepted of the configuration, word for word."""


def env_copy(copy: Path) -> Path:
    """Where what was accepted of a ``.env`` lies, beside the copy of the configuration, so that runs find it there."""
    return copy.with_suffix(".env")


@dataclass(frozen=True, slots=True)
class PlannedSchedule:
    """One schedule that is enabled.

    Attributes:
        name: of its section under ``schedules``.
        at: OnCalendar expressions.
        grace: how old a slot may be and still be started.
        catch_up: whether a missed slot is made up for.
        only: the kinds to import; empty means all.
        wait_for_upload: from the slot on, how long to look again while 1C has uploaded nothing.
        rescheduled: whether ``at`` was changed by hand until the next start.
        job: import, report or reconcile.
    """

    name: str
    at: str
    grace: timedelta
    catch_up: bool
    only: tuple[str, ...]
    wait_for_upload: timedelta
    rescheduled: bool = False
    job: str = "import"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the daemon goes by.

    Attributes:
        source: where the configuration stands, in words for people.
        copy: what was accepted of it, word for word: runs are given this and never what was written since.
        state_directory: for the daemon's memory.
        runtime_directory: for what need not outlive the daemon.
        timezone: in which schedules are computed and instants are told.
        schedules: those in force.
        retry_within: how long passing faults are tried again, from the start of a slot's first run.
        wait_first: before the second try; doubled each time.
        wait_longest: between two tries.
        look_again: between two looks at a server on which nothing new is.
        run_time_limit: a run that takes longer is stopped.
        stale_after: a workbook that was not uploaded anew for so long is told of.
        warnings: what is remarkable about the configuration.
    """

    source: str
    copy: Path
    state_directory: Path
    runtime_directory: Path
    timezone: str
    schedules: tuple[PlannedSchedule, ...]
    retry_within: timedelta
    wait_first: timedelta
    wait_longest: timedelta
    look_again: timedelta
    run_time_limit: timedelta
    stale_after: timedelta
    warnings: tuple[Problem, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which schedules are computed."""
        return ZoneInfo(self.timezone)

    @property
    def timed(self) -> tuple[Timed, ...]:
        """The schedules as the timetable knows them."""
        return tuple(
            Timed(s.name, s.at, self.zone, s.grace, s.catch_up, max(s.wait_for_upload, *self._trying))
            for s in self.schedules
        )

    @property
    def _trying(self) -> tuple[timedelta, ...]:
        """How long a slot may be under way, whatever its schedule."""
        return self.retry_within, self.run_time_limit

    def schedule(self, name: str) -> PlannedSchedule | None:
        """A schedule in force, None where there is none of that name."""
        return next((schedule for schedule in self.schedules if schedule.name == name), None)


def encode(plan: Plan) -> str:
    """The plan as one JSON document: spans in seconds, paths as text."""
    return json.dumps({"plan": asdict(plan)}, default=_plain, ensure_ascii=False)


def encode_problems(problems: tuple[Problem, ...]) -> str:
    """Why there is no plan, as one JSON document."""
    return json.dumps({"problems": [found.as_json() for found in problems]}, ensure_ascii=False)


def _plain(value: object) -> object:
    return value.total_seconds() if isinstance(value, timedelta) else str(value)


def decode(text: str) -> Plan:
    """Read the document back.

    Raises:
        ProblemError: the configuration is wrong: everything that the child found.
        ValueError: it is no such document: the child failed otherwise.
    """
    found = json.loads(text)
    if "problems" in found:
        raise ProblemError(*(Problem(**one) for one in found["problems"]))
    plan: dict[str, Any] = found["plan"]
    spans = ("retry_within", "wait_first", "wait_longest", "look_again", "run_time_limit", "stale_after")
    paths = ("copy", "state_directory", "runtime_directory")
    return Plan(
        **{
            **plan,
            **{name: timedelta(seconds=plan[name]) for name in spans},
            **{name: Path(plan[name]) for name in paths},
            "schedules": tuple(_schedule(one) for one in plan["schedules"]),
            "warnings": tuple(Problem(**one) for one in plan["warnings"]),
        }
    )


def _schedule(found: dict[str, Any]) -> PlannedSchedule:
    spans = {name: timedelta(seconds=found[name]) for name in ("grace", "wait_for_upload")}
    return PlannedSchedule(**{**found, **spans, "only": tuple(found["only"])})


def read_rescheduled(file: Path) -> dict[str, str]:
    """The expressions that were given until the next start, by schedule; none where the file is not there.

    Raises:
        ProblemError: ``config-unreadable``.
    """
    try:
        found = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise ProblemError(problem("config-unreadable", path=str(file), reason=str(error))) from error
    if not isinstance(found, dict) or not all(isinstance(at, str) for at in found.values()):
        reason = "expected a JSON object of expressions by schedule"
        raise ProblemError(problem("config-unreadable", path=str(file), reason=reason))
    return found
