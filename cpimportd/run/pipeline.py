"""One run, start to end.

    source → workbook → documents → checks → books → tell
    fetch    read       understand   trust    keep

Whoever opens this page sees the whole run; every other module is a room off it.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from cpimportd.books.database.backup import backup
from cpimportd.books.database.connection import reconnect_if_closed
from cpimportd.books.journal import memory
from cpimportd.books.publish import runs
from cpimportd.books.publish.plan import Publication, Published
from cpimportd.books.publish.publish import publish, settle
from cpimportd.books.publish.transaction import catch_up, naming_holders
from cpimportd.config.load import require_database, require_source
from cpimportd.config.settings import Settings
from cpimportd.core.model import Content, Kind, Progress
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.report import RunReport, RunStatus
from cpimportd.core.system import uninterrupted
from cpimportd.notify.metrics import leave_metrics
from cpimportd.run import outcome
from cpimportd.run.failure import problems_from_exception
from cpimportd.run.intake import Asked, Intake, fetch_and_check
from cpimportd.run.notifying import notify_readers
from cpimportd.run.planning import plan_publication, today
from cpimportd.run.session import UNREAD, confirm_commit, open_books, store_report, totals_unread
from cpimportd.run.spool import SpoolFolder, open_spool
from cpimportd.run.stages import Stages

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
        accepted_files: per such unit, what is in the workbooks that the human has seen; others are not taken for them.
        requested_by: the human who asks for the run, for the history.
        schedule: whose slot this is; None for a run by hand.
        slot: the instant that was due.
        uploaded_after: where nothing is new and no workbook was uploaded after this instant, the run fails with
            ``upload-missing`` and leaves no trace in ``runs``: somebody looks again later.
        wait: the other half of an upload is waited for, as it is for a slot; whoever asked for the run is told at once.
    """

    from_folder: Path | None = None
    dry_run: bool = False
    only: frozenset[Kind] = frozenset(Kind)
    strict: bool | None = None
    accepted: tuple[str, ...] = ()
    accepted_files: Mapping[str, tuple[Content, ...]] = field(default_factory=dict)
    requested_by: str | None = None
    schedule: str | None = None
    slot: datetime | None = None
    uploaded_after: datetime | None = None
    wait: bool = False


@dataclass(slots=True)
class _Run:
    """One run under way."""

    settings: Settings
    request: RunRequest
    progress: Stages
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=time.monotonic)
    run_id: int | None = None
    logs: tuple[int, ...] = ()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def report(self, status: RunStatus, **parts: object) -> RunReport:
        stages = self.progress.seconds
        return RunReport(self.run_id, status, self.started_at, self.seconds, stages=stages, **parts)  # type: ignore[arg-type]


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
    run = _Run(settings, request, Stages(progress))
    try:
        require_database(settings)
        require_source(settings)
        async with open_books(settings) as connection:
            return await _with_row(run, connection)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is told as a problem)
        return run.report(RunStatus.FAILED, problems=problems_from_exception(error))


async def _with_row(run: _Run, connection: asyncpg.Connection) -> RunReport:
    """The run with its row in ``runs``, which says in the end how it went, whatever happened."""
    request = run.request
    if request.dry_run:
        report = await _import(run, connection)
        return replace(report, status=RunStatus.DRY_RUN) if report.status is not RunStatus.FAILED else report
    slot = None if request.slot is None else request.slot.astimezone(run.settings.zone)
    trigger = runs.Trigger(
        request.schedule, slot, request.accepted, request.requested_by, kinds=request.only, began=run.started_at
    )
    try:
        run.run_id = await runs.begin(connection, run.settings.department_id, trigger)
    except ProblemError as error:  # another run did the slot, and may have died before it told anybody
        raise ProblemError(*error.problems, *await _notify(run, connection)) from error
    run.progress(Progress("fetch", run=run.run_id))
    try:
        async with naming_holders(connection):
            report = await _import(run, connection)
    except Exception as error:  # noqa: BLE001 (as above)
        report = run.report(
            RunStatus.FAILED, problems=(*problems_from_exception(error), *await _notify(run, connection))
        )
    except asyncio.CancelledError:
        stopped = run.report(RunStatus.FAILED, problems=(problem("interrupted"),))
        await uninterrupted(store_report(connection, run.settings.database, stopped))
        raise
    if any(found.code == "upload-missing" for found in report.problems):
        await uninterrupted(runs.withdraw(connection, run.run_id))
        return replace(report, run=None)
    await uninterrupted(store_report(connection, run.settings.database, report, run.logs))
    return report.with_problems(await uninterrupted(leave_metrics(connection, run.settings)))


async def _import(run: _Run, connection: asyncpg.Connection) -> RunReport:
    """Fetch, read, check, publish, tell."""
    settings, request = run.settings, run.request
    strict = settings.guards.strict if request.strict is None else request.strict
    wait = request.wait or request.slot is not None
    asked = Asked(request.only, frozenset(request.accepted), strict, wait)
    spool = open_spool(settings.spool_directory, settings.spool.keep)
    kept: Intake | None = None
    try:
        intake = await fetch_and_check(connection, settings, asked, spool, run.progress)
        if request.uploaded_after is not None:
            intake.require_upload(request.uploaded_after, settings.zone)
        intake.require_files(request.accepted_files)
        if intake.nothing_new:
            if run.run_id is not None:
                await uninterrupted(settle(connection, settings.department_id, run.run_id, today(asked, intake)))
            kept = intake
            return await _told(run, connection, intake, Published(RunStatus.UNCHANGED, (), {}))
        publication = plan_publication(settings, asked, intake, run.run_id, lambda: run.seconds)
        if publication.units and not intake.served and not request.dry_run:
            await _back_up_first(run, connection)
        run.progress(Progress("publish"))
        await catch_up(connection)
        published = await _publish(run, connection, publication)
        run.progress(Progress("publish" if request.dry_run else "commit", finished=True))
        kept = intake
        return await uninterrupted(_told(run, connection, intake, published))
    finally:
        await uninterrupted(asyncio.to_thread(_put_away, run, spool, kept))


def _put_away(run: _Run, spool: SpoolFolder, kept: Intake | None) -> None:
    """The end of the run's folder: the files of a run that ended in order stay, also of one that published nothing."""
    keep = kept is not None and bool(kept.snapshots) and not run.request.dry_run
    if kept is not None and keep:
        try:
            spool.archive(run.run_id, [snapshot.file for snapshot in kept.snapshots], run.request.only)
        except OSError as error:
            logger.warning("the workbooks of run %s could not be archived: %s", run.run_id, error)
    spool.close(keep_files=keep)


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
    publishing = publish(connection, publication, lambda: run.progress(Progress("commit")))
    return await confirm_commit(publishing, run.settings, run.run_id)


async def _notify(run: _Run, connection: asyncpg.Connection, *, changed: bool = False) -> tuple[Problem, ...]:
    """Tell readers of what they have not been told of, whatever became of this run."""
    if connection.is_closed() and not changed:  # the database is away: whoever comes when it is back will
        return ()
    return await uninterrupted(
        notify_readers(connection, run.settings, run=run.run_id, changed=changed, progress=run.progress)
    )


async def _told(run: _Run, connection: asyncpg.Connection, intake: Intake, published: Published) -> RunReport:
    """After COMMIT: tell who reads the books, then report; nothing here can undo the import or call it failed."""
    settings, run.logs = run.settings, published.logs
    told: tuple[Problem, ...] = ()
    if not run.request.dry_run:
        told = await _notify(run, connection, changed=published.changed_books)
    files, units = outcome.files(intake, published), outcome.units(intake, published)
    try:
        async with reconnect_if_closed(connection, settings.database) as usable:
            books = await outcome.books(usable, settings.department_id, intake, run.request.only)
    except UNREAD as error:
        told = (*told, totals_unread(error))
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
        held_now=books.held,
    )
