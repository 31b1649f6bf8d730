"""What the model goes by: what the daemon has to remember of each schedule, and what is seen of it at one instant."""

from dataclasses import dataclass, field
from datetime import datetime

from cpimportd.daemon.attempts import RunCommand
from tests.support.simulation.hearing import Told
from tests.support.simulation.naive_calendar import Rule, between, following
from tests.support.simulation.runs import Over
from tests.support.simulation.scene import Configured


@dataclass(frozen=True)
class Entry:
    """What the daemon has to remember of a schedule.

    Attributes:
        rule: in force; None where the schedule is not.
        zone: in which it is read.
        since: earlier slots are nobody's business.
        mark: the newest slot that is done with.
        upload: the newest that a slot saw that is done.
        started: the slot that has come and is not done with.
    """

    rule: Rule | None
    zone: str
    since: datetime
    mark: datetime | None = None
    upload: datetime | None = None
    started: datetime | None = None

    @property
    def after(self) -> datetime:
        """Only later slots can come."""
        return self.since if self.mark is None else max(self.since, self.mark)

    def come(self, wall: datetime) -> list[datetime]:
        """The slots that have come and are not done with."""
        if self.rule is None or following(self.rule, self.zone, self.after) > wall:
            return []
        return between(self.rule, self.zone, self.after, wall)


@dataclass
class Instant:
    """Everything that happened at one instant, as seen from outside.

    Attributes:
        wall: what the wall clock showed, if the daemon looked.
        over: the run that was over.
        accepted: the configuration that was read, and found to be right.
        refused: whether one was read that was not.
        launched: the runs that were started.
        told: the lines that were logged.
        saved: how often the memory was saved.
        failed: how often that failed.
    """

    wall: datetime | None = None
    over: Over | None = None
    accepted: Configured | None = None
    refused: bool = False
    launched: list[RunCommand] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    saved: int = 0
    failed: int = 0

    @property
    def looked(self) -> bool:
        """Whether the daemon looked at the clock, which showed ``wall``."""
        return self.wall is not None
