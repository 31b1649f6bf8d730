"""One run, start to end: the page to read first.

    fetch   → read     → check  → publish → notify → report
    source    workbook   checks   books     notify   core.report

:func:`_import` is that line: each step is one call, and each call leads to the room that does the work.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import asyncpg

from cpimportd.books.database.backup import backup
from cpimportd.books.database.connection import reconnect_if_closed
from cpimportd.books.journal import memory
from cpimportd.books.publish import runs
from cpimportd.books.publish.plan import Published
from cpimportd.books.publish.publish import publish, settle
from cpimportd.books.publish.transaction import catch_up, naming_holders
from cpimportd.config.load import require_database, require_source
from cpimportd.config.settings import Settings
from cpimportd.core.model import Progress
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.report import RunReport, RunStatus
from cpimportd.core.system import uninterrupted
from cpimportd.notify.metrics import leave_metrics
from cpimportd.run import outcome
from cpimportd.run.checking import Intake, check_workbooks, other_half_expected
from cpimportd.run.notifying import notify_readers
from cpimportd.run.planning import plan_publication, today
from cpimportd.run.reading import read_workbooks
from cpimportd.run.request import Run, RunRequest, StageTimes
from cpimportd.run.session import (
    UNREAD,
    confirm_commit,
    open_books,
    problems_from_exception,
    store_report,
    totals_unread,
)
from cpimportd.run.spool import SpoolFolder, open_spool
from cpimportd.source.fetch import fetch

logger = logging.getLogger(__name__)


async def run_once(
    settings: Settings, request: RunRequest, progress: Callable[[Progress], None] = lambda _: None
) -> RunReport:
    """Do one run and report it. A failure is a report too: nothing is raised for bad input, servers or databases.

    Raises:
        asyncio.CancelledError: the run was stopped before COMMIT; nothing was published, the slot stays due.
    """
    if request.from_folder is not None:
        here = settings.source.model_copy(update={"url": request.from_folder.resolve().as_uri()})
        settings = settings.model_copy(update={"source": here})
    run = Run(settings, request, StageTimes(progress))
    try:
        require_database(settings)
        require_source(settings)
        async with open_books(settings) as connection:
            if request.dry_run:
                report = await _import(run, connection)
                return report if report.status is RunStatus.FAILED else replace(report, status=RunStatus.DRY_RUN)
            return await _recorded(run, connection)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is reported as a problem)
        return run.report(RunStatus.FAILED, problems=problems_from_exception(error))


async def _recorded(run: Run, connection: asyncpg.Connection) -> RunReport:
    """The run with its row in ``runs``, which says in the end how it went, whatever happened."""
    request = run.request
    slot = None if request.slot is None else request.slot.astimezone(run.settings.zone)
    trigger = runs.Trigger(
        request.schedule, slot, request.accepted, request.requested_by, kinds=request.only, began=run.started_at
    )
    try:
        run.run_id = await runs.begin(connection, run.settings.department_id, trigger)
    except ProblemError as error:  # another run did the slot, and may have died before it notified anybody
        raise ProblemError(*error.problems, *await _notify(run, connection)) from error
    run.progress(Progress("fetch", run=run.run_id))
    try:
        async with naming_holders(connection):
            report = await _import(run, connection)
    except Exception as error:  # noqa: BLE001 (as above)
        problems = (*problems_from_exception(error), *await _notify(run, connection))
        report = run.report(RunStatus.FAILED, problems=problems)
    except asyncio.CancelledError:
        stopped = run.report(RunStatus.FAILED, problems=(problem("interrupted"),))
        await uninterrupted(store_report(connection, run.settings.database, stopped))
        raise
    if any(found.code == "upload-missing" for found in report.problems):
        await uninterrupted(runs.withdraw(connection, run.run_id))
        return replace(report, run=None)
    await uninterrupted(store_report(connection, run.settings.database, report, run.logs))
    return report.with_problems(await uninterrupted(leave_metrics(connection, run.settings)))


async def _import(run: Run, connection: asyncpg.Connection) -> RunReport:
    """Fetch, read, check, publish, notify, report."""
    spool = open_spool(run.settings.spool_directory, run.settings.spool.keep)
    kept: Intake | None = None
    try:
        intake = await _fetch_read_check(run, connection, spool)
        if intake.nothing_new:
            published = await _settle(run, connection, intake)
            kept = intake
            return await _notify_and_report(run, connection, intake, published)
        published = await _publish(run, connection, intake)
        kept = intake
        return await uninterrupted(_notify_and_report(run, connection, intake, published))
    finally:
        await uninterrupted(asyncio.to_thread(_close_spool, run, spool, kept))


async def _fetch_read_check(run: Run, connection: asyncpg.Connection, spool: SpoolFolder) -> Intake:
    """Today's workbooks and what is thought of them; once more where 1C is still uploading.

    Raises:
        ProblemError: the source failed as a whole; ``upload-missing``, ``accept-outdated``.
    """
    settings, request = run.settings, run.request
    deadline = time.monotonic() + settings.retry.within.total_seconds()
    for look in count():
        folder = spool.files / f"{look:02}"
        fetched = await fetch(settings.source, settings.retry, folder, only_names=request.wants, progress=run.progress)
        read = await read_workbooks(run, connection, fetched.files, spool.rows)
        intake = await check_workbooks(run, connection, read, fetched.missed)
        if not await other_half_expected(run, intake, deadline - time.monotonic()):
            break
    if request.uploaded_after is not None:
        intake.require_upload(request.uploaded_after, settings.zone)
    intake.require_files(request.accepted_files)
    return intake


async def _settle(run: Run, connection: asyncpg.Connection, intake: Intake) -> Published:
    """Nothing is new: what was held is held no more."""
    if run.run_id is not None:
        seen = today(run.request, intake)
        await uninterrupted(settle(connection, run.settings.department_id, run.run_id, seen))
    return Published(RunStatus.UNCHANGED, (), {})


async def _publish(run: Run, connection: asyncpg.Connection, intake: Intake) -> Published:
    """The publishing transaction; where its COMMIT is in doubt, the database is asked."""
    publication = plan_publication(run, intake)
    if publication.units and not intake.read.served and not run.request.dry_run:
        await _back_up_first(run, connection)
    run.progress(Progress("publish"))
    await catch_up(connection)
    publishing = publish(connection, publication, lambda: run.progress(Progress("commit")))
    published = await confirm_commit(publishing, run.settings, run.run_id)
    run.progress(Progress("publish" if run.request.dry_run else "commit", finished=True))
    return published


async def _back_up_first(run: Run, connection: asyncpg.Connection) -> None:
    """Before the first publication into books that another program filled, keep a copy of them.

    That run corrects whatever the predecessor left behind, and may be the largest change that the books ever see.

    Raises:
        ProblemError: ``backup-failed``; nothing was changed.
    """
    totals = await memory.totals(connection, run.settings.department_id)
    if any(kind.rows for kind in totals.kinds.values()):
        file = await backup(run.settings.database, run.settings.state_directory / "backups")
        logger.info("the books as they were found are kept in %s", file)


async def _notify(run: Run, connection: asyncpg.Connection, *, changed: bool = False) -> tuple[Problem, ...]:
    """Notify readers of the books of every change that they have not been notified of, whatever became of this run."""
    if connection.is_closed() and not changed:  # the database is away: whoever comes when it is back will
        return ()
    return await uninterrupted(
        notify_readers(connection, run.settings, run=run.run_id, changed=changed, progress=run.progress)
    )


async def _notify_and_report(
    run: Run, connection: asyncpg.Connection, intake: Intake, published: Published
) -> RunReport:
    """After COMMIT: nothing here can undo the import or call it failed."""
    settings, run.logs = run.settings, published.logs
    notified: tuple[Problem, ...] = ()
    if not run.request.dry_run:
        notified = await _notify(run, connection, changed=published.changed_books)
    files, units = outcome.files(intake, published), outcome.units(intake, published)
    try:
        async with reconnect_if_closed(connection, settings.database) as usable:
            unattributed = await outcome.unattributed(usable, settings.department_id, intake, run.request)
            holdings = await outcome.holdings(usable, settings.department_id)
    except UNREAD as error:
        unattributed, holdings = (), outcome.Holdings()
        notified = (*notified, totals_unread(error))
    problems = (*intake.verdict.problems, *unattributed, *notified)
    return run.report(published.status, files=files, units=units, problems=problems, **holdings)


def _close_spool(run: Run, spool: SpoolFolder, kept: Intake | None) -> None:
    """The end of the run's folder: the files of a run that ended in order stay, also of one that published nothing."""
    keep = kept is not None and bool(kept.read.snapshots) and not run.request.dry_run
    if kept is not None and keep:
        try:
            files = [snapshot.file for snapshot in kept.read.snapshots]
            spool.archive(run.run_id, files, run.request.only, alone=run.request.alone)
        except OSError as error:
            logger.warning("the workbooks of run %s could not be archived: %s", run.run_id, error)
    spool.close(keep_files=keep)
