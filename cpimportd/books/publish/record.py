"""Records a publication: snapshots, served files, bridges, logs, fingerprints."""

import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import asyncpg

from cpimportd.books.database.queries import EXPENSES, SHAPES, sql
from cpimportd.books.journal.memory import NOTHING, Fingerprints, fingerprints
from cpimportd.books.publish.plan import Publication
from cpimportd.core.formatting import money
from cpimportd.core.model import PAYMENTS, Figure, Group, Kind, Unit
from cpimportd.core.problems import Problem
from cpimportd.core.report import Bridge, FileStatus, UnitReport, UnitStatus
from cpimportd.core.typed import json_text

_LOG_STATUS = {FileStatus.PUBLISHED: "success", FileStatus.HELD: "failed"}


async def add_snapshots(connection: asyncpg.Connection, publication: Publication, run_id: int) -> dict[int, int]:
    """Record today's workbooks; their status is set when it is known.

    Returns:
        ``file_no`` → the snapshot's id.
    """
    ids: dict[int, int] = {}
    for file_no, plan in publication.files.items():
        snapshot = plan.snapshot
        totals = {title: money(total) for title, total in snapshot.control_totals.items()}
        ids[file_no] = await connection.fetchval(
            sql("record", "add_snapshot"),
            run_id,
            snapshot.file.name,
            snapshot.file.sha256,
            snapshot.digest,
            snapshot.file.size,
            snapshot.file.modified,
            plan.kind.value if plan.kind else None,
            len(snapshot.documents),
            snapshot.main_total,
            json.dumps(totals, ensure_ascii=False),
            snapshot.engine,
            "ignored" if plan.ignored else "read",
            _json((*snapshot.problems, *plan.found_by_checks)),
            list(plan.organizations),
            snapshot.sheet,
            json.dumps(dict(snapshot.columns)),
        )
    return ids


async def set_status(connection: asyncpg.Connection, ids: Mapping[int, int], status: Mapping[int, FileStatus]) -> None:
    """Record how each workbook fared."""
    await connection.executemany(
        "UPDATE cpimportd.snapshot SET status = $2 WHERE id = $1",
        [(ids[file_no], outcome.value) for file_no, outcome in status.items() if file_no in ids],
    )


async def remember(
    connection: asyncpg.Connection, publication: Publication, units: Iterable[UnitReport], unknown: Iterable[Unit] = ()
) -> None:
    """Remember from which files the published units are served now, their documents, and what identifies their rows.

    Args:
        connection: in the publishing transaction, at its end.
        publication: what was asked.
        units: how they fared.
        unknown: those of which not every document was remembered so far.
    """
    published = [report for report in units if report.status is UnitStatus.PUBLISHED]
    await connection.execute(sql("record", "forget_served"))
    await connection.execute(sql("record", "forget_undone"))
    staged = await connection.fetch(sql("record", "staged_rows"))
    rows = {(row["file_no"], row["organization"]): row["rows"] for row in staged}
    await connection.executemany(
        sql("record", "add_served"),
        [
            (kind.value, report.unit.organization, file_no, rows.get((file_no, report.unit.organization), 0))
            for report in published
            for file_no in sorted(publication.units[report.unit].file_nos)
            if (kind := publication.files[file_no].kind) is not None
        ],
    )
    await remember_contents(connection, undone=False, units=unknown)
    await connection.execute(sql("record", "forget_fingerprints"))
    await mark(connection, publication.department_id, [report.unit for report in published])


async def remember_contents(connection: asyncpg.Connection, *, undone: bool, units: Iterable[Unit] = ()) -> None:
    """Remember how each document that the run wrote stands in the books now.

    Args:
        connection: in the run's transaction, at its end.
        undone: whether the run is an undo.
        units: of which every document is looked at.
    """
    await connection.execute(sql("published", "create"))
    if undone:
        await connection.execute(sql("published", "of_undo"))
    else:
        for shape in SHAPES:
            await connection.execute(sql("published", "of_merge", **shape.identifiers))
    for unit in units:
        await connection.execute(sql("published", "of_unit"), unit.group.value, unit.organization)
    await connection.execute("ANALYZE written_document")
    await connection.execute(sql("published", "gather_lines", **EXPENSES.identifiers))
    await connection.execute("ANALYZE written_lines (operation_id)")
    await connection.execute(sql("published", "forget"))
    for shape in SHAPES:
        await connection.execute(sql("published", "remember", **shape.identifiers))


async def mark(connection: asyncpg.Connection, department_id: int, units: Iterable[Unit]) -> None:
    """Remember what identifies the rows of these units now."""
    present = await fingerprints(connection, department_id)
    run_id = await connection.fetchval("SELECT run_id FROM stage_scope")
    marks = {
        (kind, unit.organization): present.get((kind, unit.organization), NOTHING)
        for unit in units
        for kind in unit.group.kinds
    }
    await add_fingerprints(connection, department_id, run_id, marks)


async def add_fingerprints(
    connection: asyncpg.Connection, department_id: int, run_id: int, marks: Fingerprints
) -> None:
    """Remember what identifies the rows that a run leaves."""
    await connection.executemany(
        sql("record", "add_fingerprint"),
        [
            (department_id, kind.value, organization, run_id, mark.rows, mark.total, mark.marks)
            for (kind, organization), mark in marks.items()
        ],
    )


async def add_units(
    connection: asyncpg.Connection,
    run_id: int,
    publication: Publication,
    units: Iterable[UnitReport],
    snapshot_ids: Mapping[int, int],
) -> None:
    """Record each unit's bridge, counts and problems: what undo and reconciliation aim at."""

    def snapshots(_kind: Kind, unit: Unit) -> list[int]:
        plan = publication.units.get(unit)
        file_nos = plan.file_nos if plan else publication.today.file_nos.get(unit, frozenset())
        return sorted(snapshot_ids[n] for n in file_nos if n in snapshot_ids)

    await add_run_units(connection, run_id, units, snapshots)


async def add_run_units(
    connection: asyncpg.Connection,
    run_id: int,
    units: Iterable[UnitReport],
    snapshots: Callable[[Kind, Unit], list[int]],
) -> None:
    """Record units of any run.

    Args:
        connection: in the run's transaction.
        run_id: the run.
        units: how they fared.
        snapshots: the workbooks that one kind of a unit is served from, or that were refused.
    """
    for report in units:
        bridges = {bridge.kind: bridge for bridge in report.bridges}
        for kind in report.unit.group.kinds:
            bridge = bridges.get(Figure(kind.value))
            sums = (*_sums(bridge), bridge.control_total) if bridge else (None,) * 8
            owner = kind is not Kind.DETAILS
            changed = (report.inserted, report.updated, report.removed, report.retimed, report.unchanged,
                       report.normalised, report.put_right) if owner else (0,) * 7  # fmt: skip
            moved = (report.moved_in, report.moved_out) if owner else (0, 0)
            await connection.execute(
                sql("record", "add_run_unit"),
                run_id,
                report.unit.organization,
                kind.value,
                report.status.value,
                *sums,
                *changed,
                list(report.accepted),
                snapshots(kind, report.unit),
                _json(report.problems),
                *moved,
                *report.foreign.get(kind, (0, Decimal(0))),
            )
        for figure in PAYMENTS:
            if bridge := bridges.get(figure):
                at = (run_id, report.unit.organization, figure.value)
                await connection.execute(sql("record", "add_run_payment"), *at, *_sums(bridge))


def _sums(bridge: Bridge) -> tuple[object, ...]:
    return (bridge.rows_before, bridge.rows_after, bridge.opening, bridge.added, bridge.removed, bridge.changed,
            bridge.closing)  # fmt: skip


async def add_undo_logs(
    connection: asyncpg.Connection, department_id: int, told: str, units: Iterable[UnitReport], seconds: float
) -> tuple[int, ...]:
    """One line per kind of documents in the backend's own import log, for an undo has no workbooks.

    Returns:
        Their ids.
    """
    ids = []
    for group in Group:
        rows = [report for report in units if report.unit.group is group]
        if not rows:
            continue
        inserted = sum(report.inserted + report.retimed for report in rows)
        updated = sum(report.updated for report in rows)
        ids.append(
            await connection.fetchval(
                sql("record", "add_import_log"), told, group.kinds[0].table, inserted, updated, 0, "success", None,
                round(seconds, 2), department_id,
            )
        )  # fmt: skip
    return tuple(ids)


async def add_import_logs(
    connection: asyncpg.Connection, publication: Publication, status: Mapping[int, FileStatus]
) -> tuple[int, ...]:
    """One line per workbook in the backend's own import log.

    Returns:
        Their ids.
    """
    ids = []
    written: dict[int, tuple[int, int]] = {}
    pages = [("by_file", shape.identifiers) for shape in SHAPES] + [("by_file_details", {})]
    for name, identifiers in pages:
        for row in await connection.fetch(sql("account", name, **identifiers)):
            written[row["file_no"]] = (row["inserted"], row["updated"])
    for file_no, outcome in status.items():
        plan = publication.files.get(file_no)
        if plan is None or outcome not in _LOG_STATUS or plan.kind is None:
            continue
        problems = (*plan.found_by_checks, *plan.snapshot.problems)
        inserted, updated = written.get(file_no, (0, 0)) if outcome is FileStatus.PUBLISHED else (0, 0)
        ids.append(
            await connection.fetchval(
                sql("record", "add_import_log"),
                plan.snapshot.file.name,
                plan.kind.table,
                inserted,
                updated,
                plan.snapshot.rejected,
                _LOG_STATUS[outcome],
                str(problems[0]) if problems and outcome is FileStatus.HELD else None,
                round(publication.seconds(), 2),
                publication.department_id,
            )
        )
    return tuple(ids)


def _json(problems: Iterable[Problem]) -> str:
    return json_text(tuple(problems))
