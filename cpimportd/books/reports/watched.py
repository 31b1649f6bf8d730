"""What monitoring watches, as frozen values: read from the books, told to Prometheus and Nagios."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cpimportd.books.publish.notices import Outstanding
from cpimportd.core.model import Kind


@dataclass(frozen=True, slots=True)
class LastRun:
    """The latest import that is over.

    Attributes:
        run: its number.
        status: how it ended.
        started_at: when it began.
        finished_at: when it ended.
        seconds: how long it took.
        stages: seconds per stage; empty where it ended without a report.
        problem: what made it fail, in a sentence with its code; None where nothing did.
        way_out: what can be done about that.
    """

    run: int
    status: str
    started_at: datetime
    finished_at: datetime
    seconds: float
    stages: Mapping[str, float]
    problem: str | None
    way_out: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """A unit of which nothing new is published, and the codes of why."""

    unit: str
    organization: str
    codes: tuple[str, ...]

    @property
    def group(self) -> str:
        """``receipts`` or ``expenses``."""
        return self.unit.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Workbook:
    """A workbook as it was last seen.

    Attributes:
        name: as the server has it.
        kind: may be empty.
        modified: when it was uploaded; None where the server did not tell.
        held_for: the codes of why it is held, where no held unit tells of it: nobody knows whose it is.
    """

    name: str
    kind: str
    modified: datetime | None
    held_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UndoneJob:
    """A schedule's job, such as a report, that was not done when it was last tried; and since when it has not been."""

    job: str
    state: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Success:
    """When imports last succeeded that one schedule asked for, or somebody by hand, looking for the same kinds.

    Attributes:
        schedule: whose; None by hand.
        kinds: that were looked for.
        at: when the last of them ended.
    """

    schedule: str | None
    kinds: frozenset[str]
    at: datetime


@dataclass(frozen=True, slots=True)
class Health:
    """How the imports fare.

    Attributes:
        last_run: whatever came of it; None before the first.
        last_success: when an import last published something, or found that all was published already.
        held: what is held.
        files: all of the latest runs.
        runs: how many ended how.
        successes: by schedule; None where nobody asked, so that ``last_success`` has to do for all.
        undone: jobs that import nothing and were not done.
        outstanding: readers who have not been told of runs.
    """

    last_run: LastRun | None
    last_success: datetime | None
    held: tuple[Held, ...]
    files: tuple[Workbook, ...]
    runs: Mapping[str, int]
    outstanding: tuple[Outstanding, ...] = ()
    successes: tuple[Success, ...] | None = None
    undone: tuple[UndoneJob, ...] = ()

    @property
    def held_files(self) -> tuple[Workbook, ...]:
        """Workbooks that are held and that no held unit tells of."""
        return tuple(file for file in self.files if file.held_for)

    def last_success_of(self, schedule: str, kinds: Collection[str]) -> datetime | None:
        """When a schedule last succeeded, or somebody imported the same kinds by hand.

        What another schedule did does not count: its success must not hide that this one never has any.

        Args:
            schedule: its name.
            kinds: that it imports, a group taken whole.
        """
        if self.successes is None:
            return self.last_success
        return max(
            (
                one.at
                for one in self.successes
                if one.schedule == schedule or (one.schedule is None and one.kinds >= frozenset(kinds))
            ),
            default=None,
        )


@dataclass(frozen=True, slots=True)
class Payments:
    """What an organization's detail lines repay, pay as interest, and pay otherwise."""

    organization: str
    principal: Decimal
    interest: Decimal
    other: Decimal


@dataclass(frozen=True, slots=True)
class Figures:
    """How the imports fare, and rows and sums by organization and kind."""

    health: Health
    books: Mapping[tuple[str, Kind], tuple[int, Decimal]]
    payments: tuple[Payments, ...]
