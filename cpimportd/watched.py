"""What monitoring watches, as frozen values: read from the books, told to Prometheus and Nagios."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cpimportd.model import Kind


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
    """

    last_run: LastRun | None
    last_success: datetime | None
    held: tuple[Held, ...]
    files: tuple[Workbook, ...]
    runs: Mapping[str, int]


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
