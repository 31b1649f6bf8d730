"""Alerts after a run or another job: present problems are compared with earlier ones, and changes are reported.

Alerts are queued in the transaction that records the problems, so that neither is lost without the other; then they
are sent. Nothing here can fail a run, or delay its end for longer than ``alerts.timeout`` and the time to find that a
database is unreachable.
"""

import asyncio
import io
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

import asyncpg
from rich.console import Console

from cpimportd.books.reports import alerts as queue
from cpimportd.config.settings import Settings
from cpimportd.core.model import Kind
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.report import RunReport, RunStatus
from cpimportd.core.texts.translation import say_in, spoken
from cpimportd.notify import delivery
from cpimportd.notify.assessment import Assessment, Change, Event, Scope, assess_job, assess_run, compare
from cpimportd.notify.delivery import DATABASE_ERRORS, database, deliver
from cpimportd.notify.differences import lines_of_held
from cpimportd.notify.sending import Beat, beat, labelled_urls, send
from cpimportd.notify.texts import Message, of_changes
from cpimportd.render.layout import unwrapped
from cpimportd.render.run import render

CLOCK_MARGIN: Final = timedelta(seconds=10)
"""Tolerance between the clocks of a run and of the daemon that retries it: rather one alert too many than too few."""

_RUN_IN_PROGRESS: Final = 4
_DONE_ELSEWHERE: Final = 5
_DONE_HELD: Final = "slot-done-held"
_NOT_YET_UPLOADED: Final = frozenset({"upload-missing", "source-empty", "nothing-to-import"})


@dataclass(frozen=True, slots=True)
class Occasion:
    """What is known of a run beside its report.

    Attributes:
        dry_run: whether it was one; then nothing is reported.
        elsewhere: it read workbooks from another folder than the configured source, whose age means nothing.
        kinds: requested kinds.
        schedule: of its slot.
        slot: the instant that was due; None for a manual run.
        again_within: the daemon retries a transient failure this soon after the start; None: never.
        known_upload: upload time of the newest workbook known before, if the run waited for a newer one.
    """

    dry_run: bool = False
    elsewhere: bool = False
    kinds: frozenset[Kind] = frozenset(Kind)
    schedule: str | None = None
    slot: datetime | None = None
    again_within: timedelta | None = None
    known_upload: datetime | None = None


def will_be_retried(report: RunReport, occasion: Occasion, settings: Settings, now: datetime) -> bool:
    """Whether the daemon will retry this slot: then the failure is not reported."""
    if report.status is not RunStatus.FAILED or occasion.slot is None:
        return False
    codes = {found.code for found in report.failures}
    schedule = settings.schedules.get(occasion.schedule or "")
    waits = schedule is not None and now < occasion.slot + schedule.wait_for_upload
    if (waits and codes <= _NOT_YET_UPLOADED) or codes == {"upload-missing"}:
        return True
    passing = report.code == _RUN_IN_PROGRESS or _all_transient(report.failures)
    return passing and _within_retry_time(report.seconds, occasion.again_within)


def _all_transient(failures: Sequence[Problem]) -> bool:
    """Whether there are failures, all of them transient."""
    return bool(failures) and all(found.kind.passing for found in failures)


def _within_retry_time(seconds: float, again_within: timedelta | None) -> bool:
    """Whether a transient failure after so many seconds is retried."""
    return again_within is not None and timedelta(seconds=seconds) + CLOCK_MARGIN <= again_within


async def run_with_notifications(
    settings: Settings, occasion: Occasion, run: Coroutine[Any, Any, RunReport]
) -> RunReport:
    """Do a run; notify the dead-man service of its start and end, and send alerts of changes.

    Returns:
        Its report, with a warning for each failed notification.

    Raises:
        asyncio.CancelledError: the run was stopped; the service is notified of the next one.
    """
    secret = settings.alerts.heartbeat_url
    if secret is None or occasion.slot is None:
        return await notify_after_run(settings, occasion, await run)
    url = secret.get_secret_value()
    start_beat = asyncio.ensure_future(beat(url, Beat.START))
    try:
        report = await run
    except BaseException:
        start_beat.cancel()
        raise
    try:
        # Keep the order of the beats; a beat has a short timeout.
        problems = await start_beat
        report = await notify_after_run(settings, occasion, report)
        if not will_be_retried(report, occasion, settings, datetime.now(UTC)):
            problems += await _send_final_beat(settings, url, report)
    except asyncio.CancelledError:
        return report
    return report.with_problems(dict.fromkeys(problems))


async def _send_final_beat(settings: Settings, url: str, report: RunReport) -> tuple[Problem, ...]:
    held_elsewhere = any(found.code == _DONE_HELD for found in report.problems)
    if report.code in {0, _DONE_ELSEWHERE} and not held_elsewhere:
        return await beat(url, Beat.SUCCESS)
    return await beat(url, Beat.FAIL, as_text(report, settings.zone))


async def notify_after_run(settings: Settings, occasion: Occasion, report: RunReport) -> RunReport:
    """Record what is wrong after a run, and send the alerts.

    Returns:
        The same report, with a warning for each failed notification. Never raises; a cancellation meanwhile is
        ignored, because the run is over.
    """
    now = datetime.now(UTC)
    if occasion.dry_run or _was_skipped(report, occasion) or will_be_retried(report, occasion, settings, now):
        return report
    return report.with_problems(await _without_errors(_notify_run(settings, occasion, report, now)))


async def notify_after_job(
    settings: Settings,
    job: str,
    failures: tuple[Problem, ...],
    *,
    seconds: float = 0.0,
    again_within: timedelta | None = None,
) -> tuple[Problem, ...]:
    """Record the result of a scheduled job other than an import, and send the alerts.

    Args:
        settings: the effective settings.
        job: its name, such as ``reconcile``.
        failures: why it failed; empty if it succeeded.
        seconds: its duration.
        again_within: the daemon retries a transient failure this soon after the start; None: never.

    Returns:
        The failed notifications. Never raises.
    """
    if _all_transient(failures) and _within_retry_time(seconds, again_within):
        return ()
    return await _without_errors(_notify_conditions(settings, None, assess_job(job, failures), datetime.now(UTC)))


async def _without_errors(notification: Coroutine[Any, Any, Sequence[Problem]]) -> tuple[Problem, ...]:
    try:
        return tuple(await notification)
    except asyncio.CancelledError:
        return ()
    except Exception as error:  # noqa: BLE001 - the run is over and its books are right
        return (problem("alert-unsent", count=phrase("some"), reason=type(error).__name__),)


def _was_skipped(report: RunReport, occasion: Occasion) -> bool:
    """Whether it left its work to another run; a slot that ended so is reported, as the other run may do none."""
    if report.status is not RunStatus.FAILED:
        return False
    return report.code == _DONE_ELSEWHERE or (report.code == _RUN_IN_PROGRESS and occasion.slot is None)


async def _notify_run(settings: Settings, occasion: Occasion, report: RunReport, now: datetime) -> Sequence[Problem]:
    stale_after, known = settings.source.stale_after, occasion.known_upload
    scope = Scope(now, occasion.kinds, not occasion.elsewhere, stale_after, known, settings.zone)
    return await _notify_conditions(settings, report, assess_run(report, scope), now)


async def _notify_conditions(
    settings: Settings, report: RunReport | None, found: Assessment, now: datetime
) -> Sequence[Problem]:
    try:
        async with database(settings) as connection:
            await _record_and_queue(connection, settings, report, found, now)
            return await deliver(connection, settings)
    except DATABASE_ERRORS:
        return await _notify_without_database(settings, report, found, now)


async def _record_and_queue(
    connection: asyncpg.Connection, settings: Settings, report: RunReport | None, found: Assessment, now: datetime
) -> None:
    """Record what is wrong, and queue the alerts, in one transaction."""
    run = None if report is None else report.run
    notified_without_database = delivery.read_notified(settings.state_directory)
    async with queue.locked_conditions(connection, settings.department_id) as notes:
        stored = await notes.conditions()
        before = {**notified_without_database, **{one.subject: one for one in stored}}
        changes = compare(before, found, now, settings.alerts.remind_every)
        has_urls = bool(settings.alerts.urls)
        if changes and has_urls:
            language = say_in(settings.alerts.language)
            subjects = [change.subject for change in changes]
            differences = await lines_of_held(connection, settings.department_id, subjects, language)
            message = _message(settings, changes, report, differences)
            await notes.queue(message.occasion, message.subject, message.title, message.body, run)
        for change in changes:
            if change.event is Event.OVER:
                await notes.forget(change.subject)
            else:
                told_at = now if has_urls else None
                await notes.put(queue.StoredCondition(change.subject, change.state, change.since, told_at, run))
        for subject in (
            notified_without_database.keys() - {one.subject for one in stored} - {c.subject for c in changes}
        ):
            await notes.put(replace(notified_without_database[subject], run_id=run))
    if notified_without_database:
        with suppress(OSError):  # it is in the database now; a file that stays is read again next time
            delivery.write_notified(settings.state_directory, ())


async def _notify_without_database(
    settings: Settings, report: RunReport | None, found: Assessment, now: datetime
) -> Sequence[Problem]:
    """Send alerts without the database; a file records what was sent, until the database is reachable again."""
    if not settings.alerts.urls:
        return ()
    before = delivery.read_notified(settings.state_directory)
    changes = compare(before, found, now, settings.alerts.remind_every)
    if not changes:
        return ()
    message = _message(settings, changes, report, {})
    urls = labelled_urls([url.get_secret_value() for url in settings.alerts.urls])
    seconds = settings.alerts.timeout.total_seconds()
    try:
        failed = await send(urls, (message.title, message.body), message.occasion, seconds)
    except ProblemError as error:
        return error.problems
    problems = [problem("alert-untold", reason=delivery.untold(failed))] if failed else []
    if len(failed) < len(urls):  # at least one address has it
        sent = {
            change.subject: queue.StoredCondition(change.subject, change.state, change.since, now, None)
            for change in changes
        }
        over = {change.subject for change in changes if change.event is Event.OVER}
        try:
            delivery.write_notified(
                settings.state_directory, [one for name, one in {**before, **sent}.items() if name not in over]
            )
        except OSError as error:
            problems.append(problem("alert-untold", reason=error.strerror or phrase("disk-said")))
    return problems


def _message(
    settings: Settings,
    changes: Sequence[Change],
    report: RunReport | None,
    differences: Mapping[str, Sequence[str]],
) -> Message:
    return of_changes(
        changes,
        "" if report is None else as_text(report, settings.zone),
        say=say_in(settings.alerts.language),
        department=settings.department_id,
        zone=settings.zone,
        explain=lambda found: spoken(found, settings.alerts.language),
        differences=differences,
    )


def as_text(report: RunReport, zone: tzinfo | None = None) -> str:
    """The report as people read it, plain; instants in the given zone, else in that of the report's own."""
    stream = io.StringIO()
    console = Console(file=stream, highlight=False, markup=False, emoji=False, force_terminal=False, no_color=True)
    with unwrapped(console):
        render(report, console, zone=zone)
    return stream.getvalue().strip()
