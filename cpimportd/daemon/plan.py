"""The daemon's plan, the copies of accepted configurations, and the record of a refused one."""

import hashlib
import json
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from cpimportd.core.formatting import clock
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


class ConfigCopies:
    """Counts the users of each copy, and removes a superseded copy when its last user has ended."""

    def __init__(self) -> None:
        self._users: Counter[Path] = Counter()
        self._superseded: set[Path] = set()

    def acquire(self, plan: Plan) -> None:
        """Count a user, before it starts: no other plan can come into force in between."""
        self._users[plan.copy] += 1

    def release(self, plan: Plan) -> None:
        """Count a user off."""
        self._users[plan.copy] -= 1
        self._remove_if_unused(plan)

    def supersede(self, plan: Plan) -> None:
        """Mark a plan with which nothing more will be started."""
        self._superseded.add(plan.copy)
        self._remove_if_unused(plan)

    def _remove_if_unused(self, plan: Plan) -> None:
        if plan.copy in self._superseded and self._users[plan.copy] <= 0:
            remove_copy(plan)
            self._superseded.discard(plan.copy)
            del self._users[plan.copy]


def remove_copy(plan: Plan) -> None:
    """Remove a plan's copy of the configuration, which may hold a password."""
    with suppress(OSError):
        plan.copy.unlink(missing_ok=True)
        env_copy(plan.copy).unlink(missing_ok=True)


_BLOCK: Final = 64 * 1024


class Refusal(msgspec.Struct, frozen=True):
    """What was refused.

    Attributes:
        at: when, in UTC; the first of several refusals of the same text.
        problems: the reasons.
        file: the digest of the refused file; None if it could not be read.
        differed: whether the file differed from the one in force; otherwise the problem lies outside the file.
        changed: whether the file was written since, so that its validity is unknown.
    """

    at: datetime
    problems: tuple[Problem, ...]
    file: bytes | None
    differed: bool
    changed: bool = False

    def describe(self, zone: tzinfo, now: datetime) -> str:
        """One sentence, without a full stop."""
        at = clock(self.at.replace(second=0), zone, now)
        if self.changed:
            return f"the file on the disk was refused at {at}, and changed since: have it read by `cpimportd reload`"
        what = "the file on the disk" if self.differed else "the configuration"
        return f"{what} was refused at {at}; a restart would fail"


def record_refusal(before: Refusal | None, problems: tuple[Problem, ...], in_force: Plan, now: datetime) -> Refusal:
    """The refusal of a reload.

    Args:
        before: an earlier refusal that was not corrected since.
        problems: the reasons.
        in_force: the plan that stays.
        now: the wall clock, in UTC.
    """
    file = _digest(Path(in_force.source))
    at = before.at if before is not None and before.file == file else now
    return Refusal(at, problems, file, file != _digest(in_force.copy))


def recheck(refusal: Refusal, in_force: Plan) -> Refusal | None:
    """The refusal after another look at the file; None if the file is again the one in force."""
    file = _digest(Path(in_force.source))
    if refusal.differed and file is not None and file == _digest(in_force.copy):
        return None
    return replace(refusal, changed=file != refusal.file)


def _digest(path: Path) -> bytes | None:
    """The digest of a file without its carriage returns; its secrets do not stay in memory."""
    found, block = hashlib.sha256(), bytearray(_BLOCK)
    try:
        with path.open("rb", buffering=0) as stream, memoryview(block) as view:
            while length := stream.readinto(view):
                begin = 0
                while (end := block.find(b"\r", begin, length)) >= 0:  # the copy of what was loaded has none
                    found.update(view[begin:end])
                    begin = end + 1
                found.update(view[begin:length])
    except OSError:
        return None
    finally:
        block[:] = bytes(_BLOCK)
    return found.digest()
