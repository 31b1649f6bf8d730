"""One run, start to end.

    source → workbook → documents → checks → books → tell
    fetch    read       understand   trust    keep

Whoever opens this page sees the whole run; every other module is a room off it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import tenacity

from cpimportd import checks, tell
from cpimportd.books import memory, rights, runs
from cpimportd.books.connection import connect
from cpimportd.books.failures import translate
from cpimportd.books.plan import FilePlan, Judge, Judgement, Publication, Published, UnitPlan
from cpimportd.books.publish import CommitUncertainError, publish
from cpimportd.books.upgrade import require_current
from cpimportd.configuration import require_database, require_source
from cpimportd.intake import Asked, Intake, take_in
from cpimportd.model import Kind, Progress, Snapshot, Unit, UnitFacts
from cpimportd.problems import Problem, ProblemError, problem
from cpimportd.report import FileReport, FileStatus, KindTotal, RunReport, RunStatus, UnitReport, UnitStatus
from cpimportd.settings import Settings
from cpimportd.spool import SpoolFolder, open_spool
from cpimportd.uninterrupted import uninterrupted

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What one run is asked to do.

    Attributes:
        from_folder: take the workbooks from this folder instead of the configured source.
        dry_run: do everything but COMMIT.
        only: the kinds to import; a group is taken whole.
        strict: one held unit holds all; None for what the settings say.
        accepted: names of units whose plausibility problems a human accepts.
        schedule: whose slot this is; None for a run by hand.
        slot: the instant that was due.
    """

    from_folder: Path | None = None
    dry_run: bool = False
    only: frozenset[Kind] = frozenset(Kind)
    strict: bool | None = None
    accepted: tuple[str, ...] = ()
    schedule: str | None = None
    slot: datetime | None = None


@dataclass(slots=True)
class _Run:
    """One run under way."""

    settings: Settings
    request: RunRequest
    progress: Callable[[Progress], None]
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=time.monotonic)
    run_id: int | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def report(self, status: RunStatus, **parts: object) -> RunReport:
        return RunReport(self.run_id, status, self.started_at, self.seconds, **parts)  # type: ignore[arg-type]


async def run_once(
    settings: Settings, request: RunRequest, progress: Callable[[Progress], None] = lambda _: None
) -> RunReport:
    """Do one run and report it. A failure is a report too: nothing is raised for bad input, servers or databases.

    Args:
        settings: the effective settings.
        request: what is asked of this run.
        progress: told how far it is.

    Raises:
        asyncio.CancelledError: the run was stopped before COMMIT; nothing was published, the slot stays due.
    """
    if request.from_folder is not None:
        here = settings.source.model_copy(update={"url": request.from_folder.resolve().as_uri()})
        settings = settings.model_copy(update={"source": here})
    run = _Run(settings, request, progress)
    try:
        require_database(settings)
        require_source(settings)
        async with _books(run) as connection:
            return await _with_row(run, connection)
    except* ProblemError as group:
        return run.report(RunStatus.FAILED, problems=_problems(group))
    except* (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as group:
        return run.report(RunStatus.FAILED, problems=tuple(translate(e) for e in _leaves(group)))


@asynccontextmanager
async def _books(run: _Run) -> AsyncIterator[asyncpg.Connection]:
    """The run's own connection: the schema is right, the rights are there, and no other run is under way."""
    connection = await connect(run.settings.database, direct=True)
    try:
        await require_current(connection)
        if missing := await rights.missing_rights(connection):
            raise ProblemError(*missing)
        await rights.check_tables(connection)
        if not await rights.department_exists(connection, run.settings.department_id):
            raise ProblemError(problem("department-missing", value=str(run.settings.department_id)))
        await runs.lock(connection, run.settings.department_id)
        yield connection
    finally:
        with suppress(OSError, asyncpg.InterfaceError, asyncpg.PostgresError, TimeoutError):
            await connection.close(timeout=5)


async def _with_row(run: _Run, connection: asyncpg.Connection) -> RunReport:
    """The run with its row in ``runs``, which says in the end how it went, whatever happened."""
    request = run.request
    if request.dry_run:
        report = await _import(run, connection)
        return replace(report, status=RunStatus.DRY_RUN) if report.status is not RunStatus.FAILED else report
    trigger = runs.Trigger(request.schedule, request.slot, request.accepted)
    run.run_id = await runs.begin(connection, run.settings.department_id, trigger)
    try:
        report = await _import(run, connection)
    except* ProblemError as group:
        report = run.report(RunStatus.FAILED, problems=_problems(group))
    except* (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as group:
        report = run.report(RunStatus.FAILED, problems=tuple(translate(e) for e in _leaves(group)))
    except* asyncio.CancelledError:
        stopped = run.report(RunStatus.FAILED, problems=(problem("interrupted"),))
        await uninterrupted(_write_report(run, connection, stopped))
        raise
    await uninterrupted(_write_report(run, connection, report))
    return report


async def _write_report(run: _Run, connection: asyncpg.Connection, report: RunReport) -> None:
    """Store the report with the run; a database that is away meanwhile leaves the row to the next run to set right."""
    if run.run_id is None:
        return
    try:
        if connection.is_closed():
            connection = await connect(run.settings.database, direct=True)
        await runs.finish(connection, run.run_id, report.status.value, report.as_json())
    except (ProblemError, OSError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
        logger.warning("the report of run %s could not be stored: %s", run.run_id, error)


async def _import(run: _Run, connection: asyncpg.Connection) -> RunReport:
    """Fetch, read, check, publish, tell."""
    settings, request = run.settings, run.request
    strict = settings.guards.strict if request.strict is None else request.strict
    asked = Asked(request.only, frozenset(request.accepted), strict)
    spool = open_spool(settings.spool_directory, settings.spool.keep)
    kept = False
    try:
        intake = await take_in(connection, settings, asked, spool, run.progress)
        if intake.nothing_new:
            return await _told(run, connection, intake, Published(RunStatus.UNCHANGED, (), {}))
        run.progress(Progress("publish"))
        published = await _publish(run, connection, _publication(run, intake, asked))
        run.progress(Progress("publish", finished=True))
        kept = not request.dry_run
        return await uninterrupted(_told(run, connection, intake, published))
    finally:
        await asyncio.to_thread(spool.close, keep_files=kept)


def _publication(run: _Run, intake: Intake, asked: Asked) -> Publication:
    """What the checks let through becomes what the books are asked to do."""
    verdict = intake.verdict
    files = {
        file_no: FilePlan(intake.snapshots[file_no], file.kind, file.organizations, _own(file, intake), file.ignored)
        for file_no, file in verdict.files.items()
        if not intake.snapshots[file_no].unchanged
    }
    units = {
        unit: UnitPlan(unit, found.file_nos, _only_put_right(intake, unit), found.problems, found.accepted)
        for unit, found in verdict.units.items()
        if not found.held and not found.unchanged
    }
    return Publication(
        run_id=run.run_id,
        department_id=run.settings.department_id,
        zone=run.settings.zone,
        files=files,
        units=units,
        held={unit: found.problems for unit, found in verdict.units.items() if found.held},
        judge=_judge(run.settings, asked, intake),
        channel=run.settings.tell.channel,
        seconds=lambda: run.seconds,
    )


def _own(file: checks.FileVerdict, intake: Intake) -> tuple[Problem, ...]:
    """A file's problems less those that its reader found, which its snapshot holds."""
    read = {p for snapshot in intake.snapshots for p in snapshot.problems}
    return tuple(p for p in file.problems if p not in read)


def _only_put_right(intake: Intake, unit: Unit) -> bool:
    """Whether the unit is published only because somebody else wrote to it: its files are those of last time."""
    then = {entry.digest for entry in intake.served if entry.organization == unit.organization
            and entry.kind.group is unit.group}  # fmt: skip
    today = {intake.snapshots[n].digest for n in intake.verdict.units[unit].file_nos}
    return unit in intake.foreign and today == then


def _judge(settings: Settings, asked: Asked, intake: Intake) -> Judge:
    """The guards, in the form in which the books ask them."""
    organizations = frozenset(unit.organization for unit in intake.verdict.units)

    def judge(facts: Sequence[UnitFacts]) -> dict[Unit, Judgement]:
        found = checks.plausibility(facts, settings.guards, asked.accepted, organizations_today=organizations)
        if asked.strict:
            found = checks.strictly(found)
        return {
            unit: Judgement(v.held, v.problems, v.accepted, v.retimed, {} if v.held else v.rekeyed)
            for unit, v in found.items()
        }

    return judge


async def _publish(run: _Run, connection: asyncpg.Connection, publication: Publication) -> Published:
    """Publish; where the connection is lost during COMMIT, ask the database how it ended, never guess."""
    try:
        return await publish(connection, publication)
    except CommitUncertainError as error:
        if run.run_id is not None and await uninterrupted(_was_committed(run, run.run_id)):
            return error.published
        raise ProblemError(problem("database-failed", reason="the connection was lost, COMMIT did not take place")) from error


async def _was_committed(run: _Run, run_id: int) -> bool:
    retry = run.settings.retry
    attempts = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type((ProblemError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)),
        wait=tenacity.wait_exponential_jitter(retry.wait_first.total_seconds(), retry.wait_longest.total_seconds()),
        stop=tenacity.stop_after_delay(retry.within.total_seconds()),
    )
    try:
        async for attempt in attempts:
            with attempt:
                connection = await connect(run.settings.database, direct=True)
                try:
                    return await runs.was_committed(connection, run_id)
                finally:
                    await connection.close()
    except tenacity.RetryError as error:
        raise ProblemError(problem("commit-unknown")) from error
    raise AssertionError("tenacity ends in a result or in RetryError")


async def _told(run: _Run, connection: asyncpg.Connection, intake: Intake, published: Published) -> RunReport:
    """After COMMIT: tell who reads the books, then report; nothing here can undo the import."""
    settings = run.settings
    if connection.is_closed():
        connection = await connect(settings.database, direct=True)
    problems = list(intake.verdict.problems)
    if published.status in {RunStatus.PUBLISHED, RunStatus.PARTIAL} and not run.request.dry_run:
        run.progress(Progress("tell"))
        cache, views = await asyncio.gather(
            tell.clear_cache(settings.cache),
            tell.refresh_views(lambda: connect(settings.database, direct=True), settings.tell),
        )
        problems += [*cache, *views]
    totals = await memory.totals(connection, settings.department_id)
    for stranger in await memory.strangers(connection, settings.department_id) if intake.served or published.units else ():
        problems.append(
            problem(
                "not-in-snapshot",
                organization=stranger.organization or "(no organization)",
                count=stranger.documents,
                sum=f"{stranger.total:.2f}",
            )
        )
    return run.report(
        published.status,
        files=_file_reports(intake, published),
        units=_unit_reports(intake, published),
        totals={kind: KindTotal(rows, total) for kind, (rows, total) in totals.kinds.items()},
        principal=totals.principal,
        interest=totals.interest,
        other=totals.other,
        problems=tuple(problems),
    )


def _unit_reports(intake: Intake, published: Published) -> tuple[UnitReport, ...]:
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


def _file_reports(intake: Intake, published: Published) -> tuple[FileReport, ...]:
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


def _size(intake: Intake, snapshot: Snapshot, kind: Kind | None) -> tuple[int, object]:
    """Rows and control total of a file: read today, or, where it did not change, as remembered."""
    if not snapshot.unchanged:
        return len(snapshot.documents), snapshot.main_total
    entries = [s for s in intake.served if s.kind is kind and s.digest == snapshot.digest]
    return sum(s.rows for s in entries), entries[0].control_total if entries else None


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves


def _problems(group: BaseExceptionGroup[ProblemError]) -> tuple[Problem, ...]:
    return tuple(p for error in _leaves(group) if isinstance(error, ProblemError) for p in error.problems)
