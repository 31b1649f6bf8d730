"""One undo, start to end: a run that restores the books as they were before another run."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg

from cpimportd.books.database.connection import reconnect_if_closed
from cpimportd.books.publish import runs
from cpimportd.books.publish.notices import readers
from cpimportd.books.publish.transaction import catch_up, naming_holders
from cpimportd.books.publish.undo import Undo, runs_to_undo, undo
from cpimportd.config.load import require_database
from cpimportd.config.settings import Settings
from cpimportd.core.model import Progress
from cpimportd.core.problems import Problem, problem
from cpimportd.core.report import RunReport, RunStatus
from cpimportd.core.system import uninterrupted
from cpimportd.run.notifying import notify_readers
from cpimportd.run.outcome import holdings
from cpimportd.run.session import (
    UNREAD,
    confirm_commit,
    open_books,
    problems_from_exception,
    store_report,
    totals_unread,
)


async def undo_once(
    settings: Settings,
    run_id: int,
    *,
    through: bool = False,
    requested_by: str | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> RunReport:
    """Take a run back and report it. A failure is a report too, as of a run.

    Args:
        settings: the effective settings.
        run_id: the run that is to be undone.
        through: later runs that published the same units are undone with it.
        requested_by: the human who asks for it, for the history.
        progress: called with how far it is.

    Raises:
        asyncio.CancelledError: it was stopped before COMMIT; nothing was changed.
    """
    started, began = datetime.now(UTC), time.monotonic()
    try:
        require_database(settings)
        async with open_books(settings) as connection:
            which = await runs_to_undo(connection, settings.department_id, run_id, through=through)
            trigger = runs.Trigger(undoes=which, requested_by=requested_by, began=started)
            request = Undo(
                await runs.begin(connection, settings.department_id, trigger),
                settings.department_id,
                which,
                settings.timezone,
                settings.tell.channel,
                readers(settings),
                seconds=lambda: time.monotonic() - began,
            )
            return await _recorded(settings, connection, request, progress, started)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is reported as a problem)
        problems = problems_from_exception(error)
        return RunReport(None, RunStatus.FAILED, started, time.monotonic() - began, problems=problems)


async def _recorded(
    settings: Settings,
    connection: asyncpg.Connection,
    request: Undo,
    progress: Callable[[Progress], None],
    started: datetime,
) -> RunReport:
    """The undo with its row in ``runs``, which says in the end how it went, whatever happened."""

    def failed(*problems: Problem) -> RunReport:
        return RunReport(request.run_id, RunStatus.FAILED, started, request.seconds(), problems=problems)

    logs: tuple[int, ...] = ()
    try:
        async with naming_holders(connection):
            report, logs = await _undone(settings, connection, request, progress, started)
    except asyncio.CancelledError:
        await uninterrupted(store_report(connection, settings.database, failed(problem("interrupted"))))
        raise
    except Exception as error:  # noqa: BLE001 (as above)
        report = failed(*problems_from_exception(error))
    await uninterrupted(store_report(connection, settings.database, report, logs))
    return report


async def _undone(
    settings: Settings,
    connection: asyncpg.Connection,
    request: Undo,
    progress: Callable[[Progress], None],
    started: datetime,
) -> tuple[RunReport, tuple[int, ...]]:
    """The report, and the lines of the backend's import log that were written."""
    progress(Progress("publish"))
    await catch_up(connection)
    undoing = undo(connection, request, lambda: progress(Progress("commit")))
    done = await confirm_commit(undoing, settings, request.run_id)
    progress(Progress("commit", finished=True))
    notifying = notify_readers(connection, settings, run=request.run_id, changed=True, progress=progress)
    problems = await uninterrupted(notifying)
    report = RunReport(request.run_id, done.status, started, request.seconds(), units=done.units, problems=problems)
    report = await uninterrupted(_with_totals(settings, connection, report))
    return replace(report, seconds=request.seconds()), done.logs


async def _with_totals(settings: Settings, connection: asyncpg.Connection, report: RunReport) -> RunReport:
    """What the books hold now; that they cannot be asked does not undo the undo."""
    try:
        async with reconnect_if_closed(connection, settings.database) as usable:
            return replace(report, **await holdings(usable, settings.department_id))
    except UNREAD as error:
        return report.with_problems((totals_unread(error),))
