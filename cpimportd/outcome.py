"""What is told of a run: its files, its units, what the books hold now, and what nobody's file accounts for."""

from dataclasses import dataclass
from decimal import Decimal

import asyncpg

from cpimportd.books import memory
from cpimportd.books.plan import Published
from cpimportd.intake import Intake
from cpimportd.model import Kind, Snapshot, Unit
from cpimportd.problems import Problem, problem
from cpimportd.report import FileReport, FileStatus, KindTotal, UnitReport, UnitStatus


@dataclass(frozen=True, slots=True)
class Books:
    """What the department's books hold when a run ends.

    Attributes:
        totals: rows and sum per kind.
        principal: of the details; with interest and other it makes up their sum. None where nobody could ask.
        interest: as above.
        other: as above.
        problems: documents that no file accounts for.
    """

    totals: dict[Kind, KindTotal]
    principal: Decimal | None = None
    interest: Decimal | None = None
    other: Decimal | None = None
    problems: tuple[Problem, ...] = ()


async def books(connection: asyncpg.Connection, department_id: int, intake: Intake) -> Books:
    """Read what the books hold now, and what in them belongs to organizations that nobody's file names."""
    totals = await memory.totals(connection, department_id)
    named = {unit.organization for unit in intake.verdict.units}
    strangers = [s for s in await memory.strangers(connection, department_id) if s.organization not in named]
    return Books(
        totals={kind: KindTotal(rows, total) for kind, (rows, total) in totals.kinds.items()},
        principal=totals.principal,
        interest=totals.interest,
        other=totals.other,
        problems=tuple(_stranger(stranger) for stranger in strangers),
    )


def _stranger(stranger: memory.Stranger) -> Problem:
    return problem(
        "not-in-snapshot",
        organization=stranger.organization or "(no organization)",
        count=stranger.documents,
        sum=f"{stranger.total:.2f}",
    )


def units(intake: Intake, published: Published) -> tuple[UnitReport, ...]:
    """Every unit of the run, those that did not change included."""
    unchanged = [
        UnitReport(unit=unit, status=UnitStatus.UNCHANGED, unchanged=_served_rows(intake, unit))
        for unit, found in intake.verdict.units.items()
        if found.unchanged and not found.held
    ]
    return tuple(sorted([*published.units, *unchanged], key=lambda report: report.unit))


def _served_rows(intake: Intake, unit: Unit) -> int:
    """How many documents an unchanged unit has, as remembered."""
    owner = unit.group.kinds[0]
    return sum(s.rows for s in intake.served if s.kind is owner and s.organization == unit.organization)


def files(intake: Intake, published: Published) -> tuple[FileReport, ...]:
    """Every workbook that was fetched, and how it fared."""
    reports = []
    for file_no, file in intake.verdict.files.items():
        snapshot = intake.snapshots[file_no]
        fallback = FileStatus.IGNORED if file.ignored else FileStatus.UNCHANGED
        rows, total = _size(intake, snapshot, file.kind)
        reports.append(
            FileReport(
                name=snapshot.file.name,
                kind=file.kind,
                organizations=file.organizations,
                rows=rows,
                control_total=total,
                status=published.files.get(file_no, fallback),
                problems=file.problems,
                modified=snapshot.file.modified,
            )
        )
    return tuple(reports)


def _size(intake: Intake, snapshot: Snapshot, kind: Kind | None) -> tuple[int, Decimal | None]:
    """Rows and control total of a file: read today, or, where it did not change, as remembered."""
    if not snapshot.unchanged:
        return len(snapshot.documents), snapshot.main_total
    entries = [s for s in intake.served if s.kind is kind and s.digest == snapshot.digest]
    return sum(s.rows for s in entries), entries[0].control_total if entries else None
