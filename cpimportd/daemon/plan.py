"""What the daemon goes by: the schedules in force and a few spans, read from the configuration by a child process.

The daemon itself loads no configuration: what validates it is heavy, and the daemon, which lives for months, shall hold
no secret. :mod:`cpimportd.run.planner` is the child; what it prints and what the daemon reads stand on this page.
"""

import json
from datetime import timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.typed import from_json, json_text
from cpimportd.timetable.memory import PlannedSchedule

RESCHEDULED: Final = "reschedule.json"
"""In the runtime folder: expressions that somebody gave schedules until the next start, by schedule."""

COPY_PREFIX: Final = "configuration-"
"""In the runtime folder: what was accepted of the configuration, word for word."""


def env_copy(copy: Path) -> Path:
    """Where what was accepted of a ``.env`` lies, beside the copy of the configuration, so that runs find it there."""
    return copy.with_suffix(".env")


class Plan(msgspec.Struct, frozen=True):
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

    def schedule(self, name: str) -> PlannedSchedule | None:
        """A schedule in force, None where there is none of that name."""
        return next((schedule for schedule in self.schedules if schedule.name == name), None)

    def with_zones_read_anew(self) -> "Plan":
        """The same plan by the rules of time zones that are on the disk now: it was read by those that were known."""
        return replace(self, schedules=tuple(replace(one, zone=ZoneInfo(one.zone.key)) for one in self.schedules))


class _Answer(msgspec.Struct):
    """What the child prints: a plan, or why there is none."""

    plan: Plan | None = None
    problems: tuple[Problem, ...] = ()


def encode(plan: Plan) -> str:
    """The plan as one JSON document: spans in seconds, paths as text."""
    return json_text({"plan": plan})


def encode_problems(problems: tuple[Problem, ...]) -> str:
    """Why there is no plan, as one JSON document."""
    return json_text({"problems": problems})


def decode(text: str) -> Plan:
    """Read the document back.

    Raises:
        ProblemError: the configuration is wrong: everything that the child found.
        ValueError: it is no such document: the child failed otherwise.
    """
    found = from_json(text, _Answer, lax=True)
    if found.problems:
        raise ProblemError(*found.problems)
    if found.plan is None:
        raise ValueError("it has neither a plan nor a problem")
    return found.plan


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
        reason = phrase("expected-expressions")
        raise ProblemError(problem("config-unreadable", path=str(file), reason=reason))
    return found
