"""The daemon's plan: the schedules in force and a few spans, read from the configuration by a child process.

The daemon itself loads no configuration: the validating library is heavy, and a process that lives for months must hold
no secret. The child is :mod:`cpimportd.run.planner`. Both directions of its output are defined here.
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
"""In the runtime folder: expressions of `cpimportd reschedule`, by schedule; they expire at the next start."""

COPY_PREFIX: Final = "configuration-"
"""In the runtime folder: the accepted configuration, word for word."""


def env_copy(copy: Path) -> Path:
    """The accepted ``.env``: it lies beside the copy of the configuration, where runs look for it."""
    return copy.with_suffix(".env")


class Plan(msgspec.Struct, frozen=True):
    """The part of the configuration that the daemon needs.

    Attributes:
        source: the path of the configuration, as people read it.
        copy: the accepted text: runs read this, never a later version of the file.
        state_directory: for the daemon's record.
        runtime_directory: for files that need not outlive the daemon.
        timezone: in which schedules are computed and instants are shown.
        schedules: those in force.
        retry_within: how long transient failures are retried, from the start of a slot's first run.
        wait_first: before the first retry; doubled each time.
        wait_longest: the longest wait between two retries.
        look_again: between two checks of a server without new uploads.
        run_time_limit: a run that takes longer is stopped.
        stale_after: a workbook that was not uploaded again for this long is reported.
        warnings: of the configuration.
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
        """The schedule of that name, if it is in force."""
        return next((schedule for schedule in self.schedules if schedule.name == name), None)

    def with_reloaded_zones(self) -> "Plan":
        """The same plan with time zone rules read from the disk again: this process may have older ones cached."""
        return replace(self, schedules=tuple(replace(one, zone=ZoneInfo(one.zone.key)) for one in self.schedules))


class _Answer(msgspec.Struct):
    """The planner's output: a plan, or problems."""

    plan: Plan | None = None
    problems: tuple[Problem, ...] = ()


def encode(plan: Plan) -> str:
    """The plan as one JSON document: spans in seconds, paths as text."""
    return json_text({"plan": plan})


def encode_problems(problems: tuple[Problem, ...]) -> str:
    """The problems as one JSON document."""
    return json_text({"problems": problems})


def decode(text: str) -> Plan:
    """Read the document back.

    Raises:
        ProblemError: the configuration is wrong; all problems.
        ValueError: no such document: the planner itself failed.
    """
    found = from_json(text, _Answer, lax=True)
    if found.problems:
        raise ProblemError(*found.problems)
    if found.plan is None:
        raise ValueError("it has neither a plan nor a problem")
    return found.plan


def read_rescheduled(file: Path) -> dict[str, str]:
    """The rescheduled expressions, by schedule; empty if there is no such file.

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
