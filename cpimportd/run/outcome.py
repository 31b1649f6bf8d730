"""Makes the parts of a run's report: files, units, the books' totals, and the documents that no file brings."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import TypedDict

import asyncpg

from cpimportd.books.journal import memory
from cpimportd.books.publish.held import held_units
from cpimportd.books.publish.plan import Published
from cpimportd.core.formatting import money
from cpimportd.core.model import Kind
from cpimportd.core.problems import Problem, printable, problem
from cpimportd.core.report import FileReport, FileStatus, HeldUnit, KindTotal, UnitReport, UnitStatus
from cpimportd.core.workbooks import MissedFile, Served, Snapshot
from cpimportd.documents.header import kind_by_name
from cpimportd.run.checking import Intake
from cpimportd.run.request import RunRequest


class Holdings(TypedDict, total=False):
    """What the department's books hold when a run ends, as its report has it; empty where nobody could ask.

    ``totals`` are rows and sum per kind; ``principal``, ``interest`` and ``other`` add up to the sum of the details;
    ``held_now`` are the units that are held.
    """

    totals: dict[Kind, KindTotal]
    principal: Decimal
    interest: Decimal
    other: Decimal
    held_now: tuple[HeldUnit, ...]


async def holdings(connection: asyncpg.Connection, department_id: int) -> Holdings:
    """Read what the books hold now."""
    totals = await memory.totals(connection, department_id)
    return Holdings(
        totals=dict(totals.kinds),
        principal=totals.principal,
        interest=totals.interest,
        other=totals.other,
        held_now=tuple(await held_units(connection, department_id)),
    )


async def unattributed(
    connection: asyncpg.Connection, department_id: int, intake: Intake, request: RunRequest
) -> tuple[Problem, ...]:
    """Documents in the books that no file brings; of kinds that were not asked for, no file was looked for."""
    named = {(unit.organization, unit.group) for unit in intake.verdict.units}
    return tuple(
        problem(
            "not-in-snapshot",
            organization=found.organization or "(no organization)",
            value=found.group.value,
            count=found.documents,
            sum=money(found.total),
        )
        for found in await memory.unattributed_documents(connection, department_id)
        if found.group in request.groups and (found.organization, found.group) not in named
    )


def units(intake: Intake, published: Published) -> tuple[UnitReport, ...]:
    """Every unit of the run, those that did not change included."""
    rows = Counter[tuple[Kind, str]]()
    for entry in intake.read.served:
        rows[entry.kind, entry.organization] += entry.rows
    unchanged = [
        UnitReport(unit=unit, status=UnitStatus.UNCHANGED, unchanged=rows[unit.group.kinds[0], unit.organization])
        for unit, found in intake.verdict.units.items()
        if found.unchanged and not found.held
    ]
    return tuple(sorted([*published.units, *unchanged], key=lambda report: report.unit))


def files(intake: Intake, published: Published) -> tuple[FileReport, ...]:
    """Every workbook that was listed, and how it fared; those that were not fetched come last."""
    reports = []
    remembered: defaultdict[tuple[Kind | None, str], list[Served]] = defaultdict(list)
    for entry in intake.read.served:
        remembered[entry.kind, entry.digest].append(entry)
    for file_no, file in intake.verdict.files.items():
        snapshot = file.snapshot
        fallback = FileStatus.IGNORED if file.ignored else FileStatus.UNCHANGED
        rows, total = _size(snapshot, remembered[file.kind, snapshot.digest])
        reports.append(
            FileReport(
                name=snapshot.file.name,
                kind=file.kind,
                organizations=file.organizations,
                modified=snapshot.file.modified,
                status=published.files.get(file_no, fallback),
                rows=rows,
                control_total=total,
                problems=file.problems,
            )
        )
    return (*reports, *(_missed(missed, intake.read.served) for missed in intake.missed))


def _missed(missed: MissedFile, served: Sequence[Served]) -> FileReport:
    """A workbook that was listed and not fetched: whose it is, only its name can say."""
    own = [entry for entry in served if missed.name in {entry.file, printable(entry.file)}]
    kinds = {entry.kind for entry in own}
    return FileReport(
        name=missed.name,
        kind=kinds.pop() if len(kinds) == 1 else kind_by_name(missed.name),
        organizations=tuple(sorted({entry.organization for entry in own})),
        modified=missed.modified,
        status=FileStatus.HELD,
        problems=(missed.why,),
    )


def _size(snapshot: Snapshot, remembered: Sequence[Served]) -> tuple[int, Decimal | None]:
    """Rows and control total of a file: read today, or, where it did not change, as remembered."""
    if not snapshot.unchanged:
        return len(snapshot.documents), snapshot.main_total
    return sum(entry.rows for entry in remembered), remembered[0].control_total if remembered else None
