"""What monitoring watches, as frozen values: read from the books, told to Prometheus and Nagios."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal

from cpimportd.instants import moment
from cpimportd.model import Kind
from cpimportd.problems import Problem, problem
from cpimportd.settings import Settings


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
class Outstanding:
    """Readers of the books who have not been told of runs that changed them.

    Attributes:
        target: who: ``cache`` or ``views``.
        runs: of which they have not been told, the oldest first.
        since: when the first of them was committed, to the second.
        tries: how often somebody tried to tell them.
        views: of views, those still to be refreshed, by name; None: all.
        problems: why the last try failed; empty where nobody has tried yet.
    """

    target: str
    runs: tuple[int, ...]
    since: datetime
    tries: int = 0
    views: tuple[str, ...] | None = None
    problems: tuple[Problem, ...] = ()

    def explained(self, zone: tzinfo) -> Problem:
        """What is outstanding as a problem: of which runs, since when, why, and the way out."""
        why = "".join(f": {found.message}" for found in self.problems[:1])
        remedy = "".join(f" {found.way_out}" for found in self.problems[:1])
        runs = ", ".join(map(str, self.runs))
        return problem(f"{self.target}-outstanding", runs=runs, since=moment(self.since, zone), why=why, remedy=remedy)


def readers(settings: Settings) -> tuple[str, ...]:
    """Who is to be told after COMMIT, by the configuration: ``cache``, ``views``."""
    wanted = {"cache": settings.cache.url is not None, "views": settings.tell.refresh_views}
    return tuple(target for target, yes in wanted.items() if yes)


@dataclass(frozen=True, slots=True)
class Workbook:
    """A workbook as it was last seen; ``modified`` is None where the server did not tell, ``kind`` may be empty."""

    name: str
    kind: str
    modified: datetime | None


@dataclass(frozen=True, slots=True)
class Health:
    """How the imports fare.

    Attributes:
        last_run: whatever came of it; None before the first.
        last_success: when an import last published something, or found that all was published already.
        held: what is held.
        files: all of the latest runs.
        runs: how many ended how.
        outstanding: readers who have not been told of runs.
    """

    last_run: LastRun | None
    last_success: datetime | None
    held: tuple[Held, ...]
    files: tuple[Workbook, ...]
    runs: Mapping[str, int]
    outstanding: tuple[Outstanding, ...] = ()


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
