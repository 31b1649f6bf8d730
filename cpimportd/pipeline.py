"""One run, start to end.

    source → workbook → documents → checks → books → tell
    fetch    read       understand   trust    keep

Whoever opens this page sees the whole run; every other module is a room off it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from cpimportd import outcome, tell
from cpimportd.books import memory, rights, runs
from cpimportd.books.backup import backup
from cpimportd.books.certainty import was_committed
from cpimportd.books.connection import connect, let_go, still_open
from cpimportd.books.failures import translate
from cpimportd.books.locks import naming_holders
from cpimportd.books.plan import Publication, Published
from cpimportd.books.publish import CommitUncertainError, publish
from cpimportd.books.upgrade import require_current
from cpimportd.configuration import require_database, require_source
from cpimportd.failure import told_of
from cpimportd.intake import Asked, Intake, take_in
from cpimportd.model import Kind, Progress
from cpimportd.planning import plan_publication
from cpimportd.problems import Problem, ProblemError, problem
from cpimportd.report import RunReport, RunStatus
from cpimportd.settings import Settings
from cpimportd.spool import open_spool
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
        uploaded_after: where nothing is new and no workbook was uploaded after this instant, the run fails with
            ``upload-missing`` and leaves no trace in ``runs``: somebody looks again later.
    """

    from_folder: Path | None = None
    dry_run: bool = False
    only: frozenset[Kind] = frozenset(Kind)
    strict: bool | None = None
    accepted: tuple[str, ...] = ()
    schedule: str | None = None
    slot: datetime | None = None
    uploaded_after: datetime | None = None


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
    except Exception as error:  # noqa: BLE001 (whatever it is, it is told as a problem)
        return run.report(RunStatus.FAILED, problems=told_of(error))


@asynccontextmanager
async def _books(run: _Run) -> AsyncIterator[asyncpg.Connection]:
    """The run's own connection: the schema is right, the rights are there, and no other run is under way."""
    connection = await connect(run.settings.database, direct=True)
    try:
        async with naming_holders(connection):
            await require_current(connection)
            if missing := await rights.missing_rights(connection):
                raise ProblemError(*missing)
            await rights.check_tables(connection)
            if not await rights.department_exists(connection, run.settings.department_id):
                raise ProblemError(problem("department-missing", value=str(run.settings.department_id)))
            database = run.settings.database
            async with runs.locked(
                connection,
                run.settings.department_id,
                another=lambda: connect(database, direct=True),
                patience=database.connect_timeout,
            ):
                yield connection
    finally:
        await let_go(connection)


async def _with_row(run: _Run, connection: asyncpg.Connection) -> RunReport:
    """The run with its row in ``runs``, which says in the end how it went, whatever happened."""
    request = run.request
    if request.dry_run:
        report = await _import(run, connection)
        return replace(report, status=RunStatus.DRY_RUN) if report.status is not RunStatus.FAILED else report
    trigger = runs.Trigger(request.schedule, request.slot, request.accepted)
    run.run_id = await runs.begin(connection, run.settings.department_id, trigger)
    try:
        async with naming_holders(connection):
            report = await _import(run, connection)
    except Exception as error:  # noqa: BLE001 (as above)
        report = run.report(RunStatus.FAILED, problems=told_of(error))
    except asyncio.CancelledError:
        stopped = run.report(RunStatus.FAILED, problems=(problem("interrupted"),))
        await uninterrupted(_write_report(run, connection, stopped))
        raise
    if any(found.code == "upload-missing" for found in report.problems):
        await uninterrupted(runs.withdraw(connection, run.run_id))
        return replace(report, run=None)
    await uninterrupted(_write_report(run, connection, report))
    return report


async def _write_report(run: _Run, connection: asyncpg.Connection, report: RunReport) -> None:
    """Store the report with the run; a database that is away meanwhile leaves the row to the next run to set right."""
    if run.run_id is None:
        return
    for last in (False, True):  # that a connection is lost may turn out only here
        try:
            async with still_open(connection, run.settings.database) as usable:
                await runs.finish(usable, run.run_id, report.status.value, report.as_json())
        except (ProblemError, OSError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
            if last or not connection.is_closed():
                logger.warning("the report of run %s could not be stored: %s", run.run_id, error)
                return
        else:
            return


async def _import(run: _Run, connection: asyncpg.Connection) -> RunReport:
    """Fetch, read, check, publish, tell."""
    settings, request = run.settings, run.request
    strict = settings.guards.strict if request.strict is None else request.strict
    asked = Asked(request.only, frozenset(request.accepted), strict)
    spool = open_spool(settings.spool_directory, settings.spool.keep)
    kept = False
    try:
        intake = await take_in(connection, settings, asked, spool, run.progress)
        if request.uploaded_after is not None:
            intake.require_upload(request.uploaded_after, settings.zone)
        if intake.nothing_new:
            return await _told(run, connection, intake, Published(RunStatus.UNCHANGED, (), {}))
        publication = plan_publication(settings, asked, intake, run.run_id, lambda: run.seconds)
        if publication.units and not intake.served and not request.dry_run:
            await _back_up_first(run, connection)
        run.progress(Progress("publish"))
        published = await _publish(run, connection, publication)
        run.progress(Progress("publish" if request.dry_run else "commit", finished=True))
        kept = not request.dry_run
        return await uninterrupted(_told(run, connection, intake, published))
    finally:
        await asyncio.to_thread(spool.close, keep_files=kept)


async def _back_up_first(run: _Run, connection: asyncpg.Connection) -> None:
    """Before the first publication into books that somebody else filled, keep a copy of them.

    That run puts right whatever the predecessor left behind, and may be the largest change that the books ever see.

    Raises:
        ProblemError: ``backup-failed``; nothing was changed.
    """
    totals = await memory.totals(connection, run.settings.department_id)
    if any(rows for rows, _ in totals.kinds.values()):
        file = await backup(run.settings.database, run.settings.state_directory / "backups")
        logger.info("the books as they were found are kept in %s", file)


async def _publish(run: _Run, connection: asyncpg.Connection, publication: Publication) -> Published:
    """Publish; where the connection is lost during COMMIT, ask the database how it ended, never guess."""
    try:
        return await publish(connection, publication, lambda: run.progress(Progress("commit")))
    except CommitUncertainError as error:
        if run.run_id is not None and await uninterrupted(
            was_committed(run.settings.database, run.settings.retry, run.run_id)
        ):
            return error.published
        raise ProblemError(
            problem("database-failed", reason="the connection was lost, COMMIT did not take place")
        ) from error


async def _told(run: _Run, connection: asyncpg.Connection, intake: Intake, published: Published) -> RunReport:
    """After COMMIT: tell who reads the books, then report; nothing here can undo the import or call it failed."""
    settings = run.settings
    told: tuple[Problem, ...] = ()
    if published.status in {RunStatus.PUBLISHED, RunStatus.PARTIAL} and not run.request.dry_run:
        run.progress(Progress("tell"))
        cache, views = await asyncio.gather(
            tell.clear_cache(settings.cache),
            tell.refresh_views(lambda: connect(settings.database, direct=True), settings.tell),
        )
        told = (*cache, *views)
        run.progress(Progress("tell", finished=True))
    files, units = outcome.files(intake, published), outcome.units(intake, published)
    try:
        async with still_open(connection, settings.database) as usable:
            books = await outcome.books(usable, settings.department_id, intake)
    except (ProblemError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        reason = str(error.problems[0]) if isinstance(error, ProblemError) else translate(error).message
        told = (*told, problem("totals-unread", reason=reason))
        books = outcome.Books(totals={})
    return run.report(
        published.status,
        files=files,
        units=units,
        totals=books.totals,
        principal=books.principal,
        interest=books.interest,
        other=books.other,
        problems=(*intake.verdict.problems, *books.problems, *told),
    )
