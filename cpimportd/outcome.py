"""What is told of a run: its files, its units, what the books hold now, and what nobody's file accounts for."""

from decimal import Decimal
from typing import TypedDict

import asyncpg

from cpimportd.books import memory
from cpimportd.books.plan import Published
from cpimportd.intake import Intake
from cpimportd.model import Kind, Snapshot, Unit
from cpimportd.problems import Problem, problem
from cpimportd.report import FileReport, FileStatus, KindTotal, UnitReport, UnitStatus


class Parts(TypedDict):
    """The parts of a RunReport that the books and the files tell."""

    files: tuple[FileReport, ...]
    units: tuple[UnitReport, ...]
    totals: dict[Kind, KindTotal]
    principal: Decimal
    interest: Decimal
    other: Decimal
    problems: tuple[Problem, ...]


async def describe(connection: asyncpg.Connection, department_id: int, intake: Intake, published: Published) -> Parts:
    """Put together what a run's report says of files, units and books."""
    totals = await memory.totals(connection, department_id)
    named = {unit.organization for unit in intake.verdict.units}
    strangers = [s for s in await memory.strangers(connection, department_id) if s.organization not in named]
    return Parts(
        files=_files(intake, published),
        units=_units(intake, published),
        totals={kind: KindTotal(rows, total) for kind, (rows, total) in totals.kinds.items()},
        principal=totals.principal,
        interest=totals.interest,
        other=totals.other,
        problems=(*intake.verdict.problems, *(_stranger(s) for s in strangers)),
    )


def _stranger(stranger: memory.Stranger) -> Problem:
    return problem(
        "not-in-snapshot",
        organization=stranger.organization or "(no organization)",
        count=stranger.documents,
        sum=f"{stranger.total:.2f}",
    )


def _units(intake: Intake, published: Published) -> tuple[UnitReport, ...]:
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


def _files(intake: Intake, published: Published) -> tuple[FileReport, ...]:
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
            )
        )
    return tuple(reports)


def _size(intake: Intake, snapshot: Snapshot, kind: Kind | None) -> tuple[int, Decimal | None]:
    """Rows and control total of a file: read today, or, where it did not change, as remembered."""
    if not snapshot.unchanged:
        return len(snapshot.documents), snapshot.main_total
    entries = [s for s in intake.served if s.kind is kind and s.digest == snapshot.digest]
    return sum(s.rows for s in entries), entries[0].control_total if entries else None
