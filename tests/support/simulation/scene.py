"""What a story is set in: configurations, and how runs go."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

from cpimportd.daemon.plan import Plan
from cpimportd.timetable.memory import PlannedSchedule
from tests.support.simulation.naive_calendar import Rule

NOWHERE = Path("/nonexistent/cpimportd")
"""Status files and copies of the configuration are not this room's subject, and thirty years write many."""


@dataclass(frozen=True)
class Scheduled:
    """One schedule of a configuration."""

    name: str
    rule: Rule
    grace: timedelta = timedelta(hours=1)
    catch_up: bool = True
    wait_for_upload: timedelta = timedelta(0)


@dataclass(frozen=True)
class Configured:
    """A configuration, as far as it matters for when something runs."""

    zone: str
    schedules: tuple[Scheduled, ...]
    retry_within: timedelta = timedelta(hours=1)
    wait_first: timedelta = timedelta(minutes=1)
    wait_longest: timedelta = timedelta(minutes=15)
    look_again: timedelta = timedelta(minutes=10)
    run_time_limit: timedelta = timedelta(minutes=30)

    def of(self, name: str) -> Scheduled | None:
        return next((one for one in self.schedules if one.name == name), None)

    def plan(self) -> Plan:
        """The same for the daemon."""
        return Plan(
            source="a story",
            copy=NOWHERE / "configuration",
            state_directory=NOWHERE,
            runtime_directory=NOWHERE,
            timezone=self.zone,
            schedules=tuple(
                PlannedSchedule(
                    one.name,
                    one.rule.expression,
                    ZoneInfo(self.zone),
                    one.grace,
                    one.catch_up,
                    (),
                    one.wait_for_upload,
                    started_grace=max(one.wait_for_upload, self.retry_within, self.run_time_limit),
                )
                for one in self.schedules
            ),
            retry_within=self.retry_within,
            wait_first=self.wait_first,
            wait_longest=self.wait_longest,
            look_again=self.look_again,
            run_time_limit=self.run_time_limit,
            stale_after=timedelta(hours=36),
        )


class Way(StrEnum):
    """How a run goes, if nobody stops it."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    PARTIAL = "partial"
    HELD = "held"
    PASSING = "fails in passing"
    FAILING = "fails for good"
    CRASHED = "is killed"
    CRASHED_AFTER_COMMIT = "is killed after COMMIT"
    HANGS = "hangs"
    DEAF = "hangs, and does not heed SIGTERM"
    COMMITTING = "is past COMMIT all the time"
    NOT_UPLOADED = "finds nothing that was uploaded"
    SOURCE_EMPTY = "finds an empty folder"


@dataclass(frozen=True)
class Outcome:
    """What the next run comes to, and how long it takes, in seconds."""

    way: Way = Way.PUBLISHED
    seconds: int = 3


PUBLISHED = Outcome()
"""How nearly every run goes."""
