"""Undoes runs: restores the books before them from the journal, in one transaction.

An undo is itself a run, with a journal, a bridge and a row in the backend's import log; so it can be undone, too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from itertools import count

import asyncpg

from cpimportd.books.database.obstacles import naming_interference
from cpimportd.books.database.queries import FROM_JSON, SHAPES, sql
from cpimportd.books.journal import memory
from cpimportd.books.publish import account, held, merge, notices, record, stage
from cpimportd.books.publish.merge import Journal
from cpimportd.books.publish.plan import Published
from cpimportd.books.publish.transaction import in_one_transaction, lock_books
from cpimportd.core.formatting import money
from cpimportd.core.model import PUBLISHED, Kind, Unit
from cpimportd.core.phrases import Phrase, Reason, phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.report import RunStatus, UnitReport, UnitStatus


@dataclass(frozen=True, slots=True)
class Undo:
    """What is to be taken back.

    Attributes:
        runs: what is taken back, the latest first.
        zone: in which 1C writes its moments.
        channel: of the NOTIFY.
        readers: who is to be told after COMMIT, by :data:`cpimportd.books.publish.notices.Target`.
        seconds: how long the undo has lasted so far, for the backend's import log.
    """

    run_id: int
    department_id: int
    runs: tuple[int, ...]
    zone: str
    channel: str
    readers: tuple[str, ...] = ()
    seconds: Callable[[], float] = lambda: 0.0


@dataclass(frozen=True, slots=True)
class _Before:
    """What one kind of one organization held before the first of the runs that are taken back, and which that was."""

    rows: int
    total: Decimal
    run: int


async def undo(
    connection: asyncpg.Connection, request: Undo, committing: Callable[[], None] = lambda: None
) -> Published:
    """Take runs back in one transaction, and see that the sums are those of that time.

    Args:
        connection: the run's own, holding the lock of the department, outside any transaction.
        request: what is to be taken back.
        committing: called right before COMMIT.

    Raises:
        ProblemError: ``undo-refused``, ``undo-differs``, ``run-superseded``; nothing was changed.
        CommitUncertainError: the connection was lost during COMMIT.
    """
    async with naming_interference(connection):
        return await in_one_transaction(connection, lambda: _undo(connection, request), committing)


async def _undo(connection: asyncpg.Connection, request: Undo) -> Published:
    await _stage(connection, request)
    await lock_books(connection, request.department_id, request.run_id)
    before = await _before(connection, request)
    await _require_ours(connection, request, before)
    await merge.remember(connection)
    journal = Journal(connection)
    steps = count(1)
    for run_id in request.runs:
        for row in await connection.fetch(sql("undo", "steps"), run_id):
            await _collect(connection, request, run_id, row["step"])
            await _take_back(connection, journal, next(steps))
        was_undo = await connection.fetchval("SELECT undoes <> '{}' FROM cpimportd.runs WHERE id = $1", run_id)
        await connection.execute(sql("undo", "forget_undone" if was_undo else "remember_undone"), run_id)
    await journal.write("references", "deactivate_contracts")
    await journal.write("references", "reactivate_organizations")
    closing = await _booked(connection)
    _require_equal(before, closing)
    await merge.match(connection, request.run_id)
    await account.bridge_contracts(connection)
    await _remember(connection, request, before)
    undone = {Unit(organization, kind.group) for kind, organization in before}
    await held.note_undo(connection, request.department_id, request.run_id, undone)
    units = await _reports(connection, before)
    logs = await _record(connection, request, units)
    return Published(RunStatus.PUBLISHED, units, {}, logs)


async def _stage(connection: asyncpg.Connection, request: Undo) -> None:
    await stage.lay_out(connection, request.department_id, request.run_id, request.zone)
    await connection.execute(sql("undo", "create"))
    await connection.executemany("INSERT INTO undo_run VALUES ($1)", [(run,) for run in request.runs])


async def _before(connection: asyncpg.Connection, request: Undo) -> Mapping[tuple[Kind, str], _Before]:
    """What the units held before the first of the runs; they become the units of this one."""
    rows = await connection.fetch(sql("undo", "units"), list(request.runs))
    before = {
        (Kind(row["kind"]), row["organization"]): _Before(row["rows_before"], row["opening"], row["run_id"])
        for row in rows
    }
    await connection.executemany(
        "INSERT INTO stage_unit (organization, kind) VALUES ($1, $2)",
        [(organization, kind.value) for kind, organization in before if kind is not Kind.DETAILS],
    )
    await connection.execute(sql("facts", "find_organizations"))
    return before


async def _require_ours(
    connection: asyncpg.Connection, request: Undo, before: Mapping[tuple[Kind, str], _Before]
) -> None:
    """Somebody else's writes are not in our journal: taking back ours would mix the two."""
    foreign = await memory.foreign_writes(connection, request.department_id)
    units = {Unit(organization, kind.group) for kind, organization in before}
    if touched := sorted(unit.name for unit in foreign & units):
        reason = phrase("written-by-others", units=touched)
        raise ProblemError(refused(request.runs[-1], reason, phrase("way-run-then-undo")))


async def _booked(connection: asyncpg.Connection) -> Mapping[tuple[Kind, str], tuple[int, Decimal]]:
    kinds = {kind.value: kind for kind in Kind}
    return {
        (kinds[figure.value], organization): found
        for shape in SHAPES
        for (figure, organization), found in (await account.booked(connection, shape)).items()
        if figure.value in kinds
    }


async def _collect(connection: asyncpg.Connection, request: Undo, run_id: int, step: int | None) -> None:
    """What one step of a run did.

    Raises:
        ProblemError: ``undo-refused``: a document that it brought is another organization's by now.
    """
    await connection.execute(sql("undo", "forget_collected"))
    await connection.execute(sql("undo", "collect_changes"), run_id, step)
    await connection.execute(sql("undo", "collect_brought"), run_id, request.department_id)
    for shape in SHAPES:
        if strayed := await connection.fetch(sql("undo", "strayed", **shape.identifiers)):
            names = ", ".join(row["name"] for row in strayed)
            raise ProblemError(refused(request.runs[-1], phrase("documents-moved-on", run=run_id, names=names)))


async def _take_back(connection: asyncpg.Connection, journal: Journal, step: int) -> None:
    """What was collected, as the merge did it, the other way round: all deletions come before any insertion."""
    for name in ("journal_brought", "journal_rekeyed", "journal_changed", "journal_removed"):
        for shape in SHAPES:
            await journal.write("undo", name, step, **shape.identifiers)
    await connection.execute(sql("undo", "drop_lineage"))
    await connection.execute(sql("undo", "delete_details"))
    await journal.write("undo", "journal_references", step)
    await connection.execute(sql("undo", "restore_references"))
    await connection.execute(sql("undo", "restore_deactivations"))
    for name in ("delete_documents", "restore_columns", "restore_keys", "restore_documents"):
        for shape in SHAPES:
            await connection.execute(sql("undo", name, **shape.identifiers))
    await connection.execute(sql("undo", "restore_details", **FROM_JSON))
    await connection.execute(sql("undo", "restore_lineage"))


def _require_equal(
    before: Mapping[tuple[Kind, str], _Before], closing: Mapping[tuple[Kind, str], tuple[int, Decimal]]
) -> None:
    differing = [
        problem(
            "undo-differs",
            organization=organization,
            value=kind.table,
            rows=closing[kind, organization][0],
            sum=money(closing[kind, organization][1]),
            expected_rows=then.rows,
            expected=money(then.total),
            run=then.run,
        )
        for (kind, organization), then in before.items()
        if closing[kind, organization] != (then.rows, then.total)
    ]
    if differing:
        raise ProblemError(*differing)


async def _remember(connection: asyncpg.Connection, request: Undo, before: Mapping[tuple[Kind, str], _Before]) -> None:
    """What serves the units now, and what identifies their rows."""
    await connection.execute(sql("record", "forget_served"))
    await connection.execute(sql("undo", "restore_served"))
    await record.remember_contents(connection, undone=True)
    await connection.execute(sql("record", "forget_fingerprints"))
    served = {(entry.kind, entry.organization) for entry in await memory.served(connection, request.department_id)}
    present = await memory.fingerprints(connection, request.department_id)
    await record.add_fingerprints(
        connection,
        request.department_id,
        request.run_id,
        {key: present.get(key, memory.NOTHING) for key in before if key in served},
    )


async def _reports(
    connection: asyncpg.Connection, before: Mapping[tuple[Kind, str], _Before]
) -> tuple[UnitReport, ...]:
    """What the undo made of each unit, net of all runs that it took back; no workbook's total vouches for it."""
    bridges, counts = await account.bridges(connection), await account.counts(connection)
    return tuple(
        UnitReport(
            unit,
            UnitStatus.PUBLISHED,
            bridges=tuple(
                replace(bridges[figure, unit.organization], control_total=None) for figure in unit.group.figures
            ),
            **asdict(counts.get(unit, account.Counts())),
        )
        for unit in sorted({Unit(organization, kind.group) for kind, organization in before})
    )


async def _record(connection: asyncpg.Connection, request: Undo, units: Sequence[UnitReport]) -> tuple[int, ...]:
    served = await connection.fetch(
        "SELECT kind, organization, array_agg(snapshot_id ORDER BY snapshot_id) AS snapshots FROM cpimportd.served"
        " WHERE department_id = $1 GROUP BY 1, 2",
        request.department_id,
    )
    snapshots = {(Kind(row["kind"]), row["organization"]): row["snapshots"] for row in served}
    await record.add_run_units(
        connection, request.run_id, units, lambda kind, unit: snapshots.get((kind, unit.organization), [])
    )
    told = f"undo of run {', '.join(str(run) for run in sorted(request.runs))}"
    logs = await record.add_undo_logs(connection, request.department_id, told, units, request.seconds())
    await notices.owe(connection, request.department_id, request.run_id, request.readers)
    await connection.execute(sql("runs", "notify"), request.channel, str(request.run_id))
    await connection.execute(sql("runs", "conclude"), request.run_id, RunStatus.PUBLISHED.value)
    return logs


async def runs_to_undo(
    connection: asyncpg.Connection, department_id: int, run_id: int, *, through: bool
) -> tuple[int, ...]:
    """Which runs have to be taken back so that a run's books are as they were before it, the latest first.

    Args:
        connection: any.
        department_id: whose books.
        run_id: the run.
        through: later runs that published the same units may be taken back with it.

    Raises:
        ProblemError: ``undo-refused``, with the reason.
    """
    runs = [row["run_id"] for row in await connection.fetch(sql("undo", "closure"), run_id, department_id)]
    for one in reversed(runs):
        await _require_undoable(connection, department_id, one)
    if len(runs) > 1 and not through:
        later = ", ".join(str(run) for run in sorted(runs)[1:])
        raise ProblemError(
            refused(run_id, phrase("run-published-since", runs=later), f"cpimportd undo {run_id} --through")
        )
    return tuple(runs)


async def _require_undoable(connection: asyncpg.Connection, department_id: int, run_id: int) -> None:
    known = await connection.fetchrow(sql("undo", "about"), run_id, department_id)
    if known is None:
        raise ProblemError(refused(run_id, phrase("no-such-run")))
    if known["status"] not in PUBLISHED:
        raise ProblemError(refused(run_id, phrase("published-nothing", status=known["status"])))
    if known["before_this_version"]:
        raise ProblemError(refused(run_id, phrase("made-by-older-version")))
    if known["without_steps"]:
        raise ProblemError(refused(run_id, phrase("undo-by-older-version")))
    if known["pruned"]:
        raise ProblemError(refused(run_id, phrase("journal-pruned")))
    if known["renamed"]:
        raise ProblemError(refused(run_id, phrase("renamed-by-human"), phrase("way-rename-back")))


def refused(run_id: int, reason: Phrase, way_out: Reason = "cpimportd history") -> Problem:
    """Why a run cannot be undone, and what to do next."""
    return problem("undo-refused", run=run_id, reason=reason, way=way_out)
