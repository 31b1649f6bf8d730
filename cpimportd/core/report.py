"""The report of a run: filled in by the pipeline, read by the journal, terminals and scripts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec

from cpimportd.core.catalog import CATALOG, Effect, message_id
from cpimportd.core.formatting import money
from cpimportd.core.model import Figure, Kind, Unit, held_alone
from cpimportd.core.problems import Problem
from cpimportd.core.typed import from_tree, json_keys
from cpimportd.core.workbooks import Content, SeenWorkbook


class RunStatus(StrEnum):
    """How a run ended."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    PARTIAL = "partial"
    HELD = "held"
    FAILED = "failed"
    DRY_RUN = "dry-run"


def run_message_id(status: RunStatus) -> str:
    """The journal's MESSAGE_ID (sd-id128(3)) of the line that ends a run with this status."""
    return message_id(f"run {status.value}")


class FileStatus(StrEnum):
    """How one workbook fared."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    HELD = "held"
    IGNORED = "ignored"


class UnitStatus(StrEnum):
    """How one unit fared."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    HELD = "held"


class FileReport(SeenWorkbook, frozen=True):
    """One workbook of a run, and what it held; one that was listed and not fetched is held, with no row."""

    kind: Kind | None
    status: FileStatus
    rows: int = 0
    control_total: Decimal | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def held_for(self) -> tuple[str, ...]:
        """The codes of why it is held, where no held unit tells of it: nobody knows whose it is."""
        if not held_alone(self.status, self.organizations):
            return ()
        return tuple(sorted({found.code for found in _holding(self.problems)})) or ("held",)

    @classmethod
    def of_stored(cls, stored: Mapping[str, Any], problems: Iterable[Problem]) -> "FileReport":
        """A workbook of a report that lies in the database, with its problems as the reader of it understands them."""
        found = from_tree({**stored, "problems": ()}, cls)
        return msgspec.structs.replace(found, problems=tuple(problems))


TERMS: Final = ("opening", "added", "removed", "changed", "closing")
"""Of a bridge, in their order."""


@json_keys(unexplained="unexplained")
@dataclass(frozen=True, slots=True)
class Bridge:
    """From one sum to a later one of one organization or contract: opening + added − removed ± changed = closing.

    ``kind`` is what is summed: receipts, expenses, details, or details by what was paid (principal, interest, other).
    Each term is a sum of its own over documents: one that changes hands is removed here and added there, one that stays
    with its organization, re-timed or not, is changed. Rows are 0 where nobody counts them, as in a contract's bridge.
    """

    kind: Figure
    opening: Decimal
    added: Decimal
    removed: Decimal
    changed: Decimal
    closing: Decimal
    rows_before: int = 0
    rows_after: int = 0
    control_total: Decimal | None = None

    @property
    def gap(self) -> Decimal:
        """What the movements do not explain, with its sign: 0.00."""
        return self.opening + self.added - self.removed + self.changed - self.closing

    @property
    def unexplained(self) -> Decimal:
        """The size of the gap, plus what the control total, where there is one, lacks: 0.00."""
        gap = abs(self.gap)
        return gap if self.control_total is None else gap + abs(self.closing - self.control_total)


@json_keys(
    "bridges",
    unit="unit.name",
    organization="unit.organization",
    kinds="unit.group.kinds",
    foreign="foreign_sums",
    bridge="bridges",
)
@dataclass(frozen=True, slots=True)
class UnitReport:
    """One unit: what changed in the books, in documents. Each counts once, so that the units add up to the run.

    A re-timed document is one, not a removed and an added one. One that came from another organization is ``updated``
    (or ``retimed``) here, and nothing but ``moved_out`` there; ``moved_in`` says how many of these came so.
    """

    unit: Unit
    status: UnitStatus
    inserted: int = 0
    updated: int = 0
    removed: int = 0
    retimed: int = 0
    unchanged: int = 0
    normalised: int = 0
    put_right: int = 0
    moved_in: int = 0
    moved_out: int = 0
    bridges: tuple[Bridge, ...] = ()
    problems: tuple[Problem, ...] = ()
    accepted: tuple[str, ...] = ()
    foreign: Mapping[Kind, tuple[int, Decimal]] = field(default_factory=dict)
    """How many rows, and what of the opening sum, somebody else had written and was put right; below 0: deleted."""

    @property
    def foreign_sums(self) -> dict[Kind, str]:
        """What of the opening sum somebody else had written."""
        return {kind: money(total) for kind, (_, total) in self.foreign.items()}


def run_status(units: Iterable[UnitReport], files: Iterable[FileStatus], problems: Iterable[Problem] = ()) -> RunStatus:
    """How a run ended: the one rule, by which its exit code, its slot, history, alerts and monitors go.

    Args:
        units: how they fared.
        files: how those that were fetched fared.
        problems: of the run as a whole: one that holds says of a file that it was listed and not fetched.
    """
    fared = {report.status for report in units}
    held = UnitStatus.HELD in fared or FileStatus.HELD in set(files) or any(p.effect.holds for p in problems)
    if UnitStatus.PUBLISHED in fared:
        return RunStatus.PARTIAL if held else RunStatus.PUBLISHED
    return RunStatus.HELD if held else RunStatus.UNCHANGED


@json_keys("contents", "undone_run", unit="unit.name", organization="unit.organization", kinds="unit.group.kinds")
@dataclass(frozen=True, slots=True)
class HeldUnit:
    """A unit that is held now: nothing new of it is in the books.

    Attributes:
        run: that held it last, or put it back.
        since_run: that held it first, without one in between that did not.
        since: when that run began.
        problems: why, warnings included.
        contents: of the workbooks that it was held with, which is what a human has seen; none where all are gone.
        undone_run: whose publication a human has undone, where that is why; of several the earliest.
    """

    unit: Unit
    run: int
    since_run: int
    since: datetime
    problems: tuple[Problem, ...]
    contents: tuple[Content, ...] = ()
    undone_run: int | None = None

    @property
    def reasons(self) -> tuple[Problem, ...]:
        """The problems that hold it; a code that an older version stored counts as one."""
        return _holding(self.problems) or self.problems

    @property
    def codes(self) -> tuple[str, ...]:
        """Their codes, sorted."""
        return tuple(sorted({found.code for found in self.reasons}))

    @property
    def state(self) -> str:
        """How it is told of: ``held: shrunk``."""
        return f"held: {', '.join(self.codes)}" if self.codes else "held"

    @property
    def final(self) -> tuple[Problem, ...]:
        """Those of them that nobody can override."""
        return tuple(found for found in self.reasons if _effect(found) in {Effect.INTEGRITY, Effect.FAILS})


def _holding(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(found for found in problems if _effect(found) is not Effect.WARNS)


def _effect(found: Problem) -> Effect | None:
    return found.effect if found.code in CATALOG else None


@dataclass(frozen=True, slots=True)
class KindTotal:
    """What the books hold of one kind after the run, over the whole department."""

    rows: int = 0
    sum: Decimal = Decimal(0)


@json_keys("exit_code", "held_now", totals="all_totals")
@dataclass(frozen=True, slots=True)
class RunReport:
    """What one run did, and as JSON what scripts get (docs/architecture.md lists the keys that they may rely on).

    ``run`` is None where it failed before it had a number, or was a dry run.

    ``stages`` has the seconds that each stage took: fetch, read, check, publish, commit, tell. ``held_now`` are all
    units of the department that are held when it ends, whichever run held them; None where nobody could ask.
    """

    run: int | None
    status: RunStatus
    started_at: datetime
    seconds: float
    files: tuple[FileReport, ...] = ()
    units: tuple[UnitReport, ...] = ()
    totals: dict[Kind, KindTotal] = field(default_factory=dict)
    principal: Decimal | None = None
    interest: Decimal | None = None
    other: Decimal | None = None
    problems: tuple[Problem, ...] = ()
    exit_code: int | None = None
    stages: dict[str, float] = field(default_factory=dict)
    held_now: tuple[HeldUnit, ...] | None = None

    @property
    def all_totals(self) -> dict[Kind, KindTotal]:
        """What the books hold of every kind; of one that nobody asked for, nothing."""
        return {kind: self.totals.get(kind, KindTotal()) for kind in Kind}

    @property
    def all_problems(self) -> tuple[Problem, ...]:
        """Every problem of the run, its files and its units, each once, the gravest first."""
        every = [
            *self.problems,
            *(p for f in self.files for p in f.problems),
            *(p for u in self.units for p in u.problems),
        ]
        order = list(Effect)
        return tuple(sorted(dict.fromkeys(every), key=lambda p: order.index(p.effect)))

    @property
    def failures(self) -> tuple[Problem, ...]:
        """What made the run fail; empty where it did not. Warnings are none, unless there is nothing else."""
        if self.status is not RunStatus.FAILED:
            return ()
        return tuple(found for found in self.problems if found.effect is not Effect.WARNS) or self.problems

    @property
    def held(self) -> bool:
        """Whether it held anything; of a dry run, whether it would."""
        status = self.status
        if status is RunStatus.DRY_RUN:
            status = run_status(self.units, (file.status for file in self.files), self.problems)
        return status in {RunStatus.PARTIAL, RunStatus.HELD}

    @property
    def code(self) -> int:
        """The command's exit code: 0 done, 1 failed, 3 part of it held, or what the failing problem asks for."""
        if self.exit_code is not None:
            return self.exit_code
        if self.status is RunStatus.FAILED:
            return self.problems[0].kind.exit_code if self.problems else 1
        return 3 if self.held else 0

    def with_problems(self, problems: Iterable[Problem]) -> "RunReport":
        """The same report with further problems of the run itself, such as a cache that could not be cleared."""
        return replace(self, problems=(*self.problems, *problems))
