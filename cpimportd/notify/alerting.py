"""After a run or another job: what is wrong now is compared with what was, and whoever has to know is told.

Where the database is there, what is to be told is queued in the transaction that notes what is wrong, so that neither
is lost without the other; then it is sent. Nothing here can fail a run, or hold up its end for longer than
``alerts.timeout`` and what it takes to find that a database is away.
"""

import asyncio
import io
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
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
from cpimportd.core.texts.telling import spoken
from cpimportd.core.texts.translation import say_in
from cpimportd.notify import delivery
from cpimportd.notify.conditions import Change, Event, Found, Look, Remembered, compare, find, find_of_job
from cpimportd.notify.delivery import AWAY, database, deliver, listed
from cpimportd.notify.differences import lines_of_held
from cpimportd.notify.heartbeat import Beat, beat
from cpimportd.notify.sending import names_of, send
from cpimportd.notify.texts import Message, of_changes
from cpimportd.render.layout import unwrapped
from cpimportd.render.run import render

MARGIN: Final = timedelta(seconds=10)
"""Between the clocks of a run and of the daemon that tries it again: rather one alert too many than one too few."""

_UNDER_WAY: Final = 4
_DONE_ELSEWHERE: Final = 5
_DONE_HELD: Final = "slot-done-held"
_EARLY_LOOK: Final = frozenset({"upload-missing", "source-empty", "nothing-to-import"})


@dataclass(frozen=True, slots=True)
class Occasion:
    """What is known of a run beside its report.

    Attributes:
        dry_run: nothing is told of it.
        elsewhere: it took the workbooks from another folder than the configured source, whose age says nothing.
        kinds: that it was asked to import.
        schedule: whose slot it was.
        slot: the instant that was due; None for a run by hand.
        again_within: a failure that may pass, so soon after the run's beginning, is tried again; None where never.
        known_upload: when the newest workbook was uploaded that was known before a newer one was waited for.
    """

    dry_run: bool = False
    elsewhere: bool = False
    kinds: frozenset[Kind] = frozenset(Kind)
    schedule: str | None = None
    slot: datetime | None = None
    again_within: timedelta | None = None
    known_upload: datetime | None = None


def tried_again(report: RunReport, occasion: Occasion, settings: Settings, now: datetime) -> bool:
    """Whether the daemon will have another try at this slot: then nobody is told of this one."""
    if report.status is not RunStatus.FAILED or occasion.slot is None:
        return False
    codes = {found.code for found in report.failures}
    schedule = settings.schedules.get(occasion.schedule or "")
    waits = schedule is not None and now < occasion.slot + schedule.wait_for_upload
    if (waits and codes <= _EARLY_LOOK) or codes == {"upload-missing"}:
        return True
    passing = report.code == _UNDER_WAY or _may_pass(report.failures)
    return passing and _in_time(report.seconds, occasion.again_within)


def _may_pass(failures: Sequence[Problem]) -> bool:
    """Whether something failed, and nothing that stays as it is."""
    return bool(failures) and all(found.kind.passing for found in failures)


def _in_time(seconds: float, again_within: timedelta | None) -> bool:
    """Whether a failure so soon after the beginning is tried again, if it may pass."""
    return again_within is not None and timedelta(seconds=seconds) + MARGIN <= again_within


async def watched(settings: Settings, occasion: Occasion, run: Coroutine[Any, Any, RunReport]) -> RunReport:
    """Do a run, and tell of it: the dead-man service that it begins and how it ended, people what has changed.

    Returns:
        Its report, with warnings of what could not be told.

    Raises:
        asyncio.CancelledError: the run was stopped; the service hears of the next one.
    """
    secret = settings.alerts.heartbeat_url
    if secret is None or occasion.slot is None:
        return await tell(settings, occasion, await run)
    url = secret.get_secret_value()
    begun = asyncio.ensure_future(beat(url, Beat.START))
    try:
        report = await run
    except BaseException:
        begun.cancel()
        raise
    try:
        # What is told last has to arrive last; a beat is given up soon.
        problems = await begun
        report = await tell(settings, occasion, report)
        if not tried_again(report, occasion, settings, datetime.now(UTC)):
            problems += await _end(settings, url, report)
    except asyncio.CancelledError:
        return report
    return report.with_problems(dict.fromkeys(problems))


async def _end(settings: Settings, url: str, report: RunReport) -> tuple[Problem, ...]:
    held_elsewhere = any(found.code == _DONE_HELD for found in report.problems)
    if report.code in {0, _DONE_ELSEWHERE} and not held_elsewhere:
        return await beat(url, Beat.SUCCESS)
    return await beat(url, Beat.FAIL, as_text(report, settings.zone))


async def tell(settings: Settings, occasion: Occasion, report: RunReport) -> RunReport:
    """Note what is wrong after a run, and tell whoever is to be told.

    Returns:
        The same report, with a warning where something could not be sent. Nothing is ever raised, and a cancellation
        that comes meanwhile comes too late: the run is over.
    """
    now = datetime.now(UTC)
    if occasion.dry_run or _stood_back(report, occasion) or tried_again(report, occasion, settings, now):
        return report
    return report.with_problems(await _harmless(_tell(settings, occasion, report, now)))


async def tell_of_job(
    settings: Settings,
    job: str,
    failures: tuple[Problem, ...],
    *,
    seconds: float = 0.0,
    again_within: timedelta | None = None,
) -> tuple[Problem, ...]:
    """Note how a scheduled job that imports nothing ended, and tell whoever is to be told.

    Args:
        settings: the effective settings.
        job: its name, such as ``reconcile``.
        failures: why it could not be done; empty where it was.
        seconds: how long it took.
        again_within: a failure that may pass, so soon after the job's beginning, is tried again; None where never.

    Returns:
        What could not be told. Nothing is ever raised.
    """
    if _may_pass(failures) and _in_time(seconds, again_within):
        return ()
    return await _harmless(_tell_found(settings, None, find_of_job(job, failures), datetime.now(UTC)))


async def _harmless(telling: Coroutine[Any, Any, Sequence[Problem]]) -> tuple[Problem, ...]:
    try:
        return tuple(await telling)
    except asyncio.CancelledError:
        return ()
    except Exception as error:  # noqa: BLE001 - whatever it is, the run is over and its books are right
        return (problem("alert-unsent", count=phrase("some"), reason=type(error).__name__),)


def _stood_back(report: RunReport, occasion: Occasion) -> bool:
    """Whether it left its work to another run; that one need not do a slot, so a slot that ends so is told of."""
    if report.status is not RunStatus.FAILED:
        return False
    return report.code == _DONE_ELSEWHERE or (report.code == _UNDER_WAY and occasion.slot is None)


async def _tell(settings: Settings, occasion: Occasion, report: RunReport, now: datetime) -> Sequence[Problem]:
    stale_after, known = settings.source.stale_after, occasion.known_upload
    look = Look(now, occasion.kinds, not occasion.elsewhere, stale_after, known, settings.zone)
    return await _tell_found(settings, report, find(report, look), now)


async def _tell_found(settings: Settings, report: RunReport | None, found: Found, now: datetime) -> Sequence[Problem]:
    try:
        async with database(settings) as connection:
            await _note(connection, settings, report, found, now)
            return await deliver(connection, settings)
    except AWAY:
        return await _tell_directly(settings, report, found, now)


async def _note(
    connection: asyncpg.Connection, settings: Settings, report: RunReport | None, found: Found, now: datetime
) -> None:
    """Note what is wrong, and queue what is to be told, in one transaction."""
    run = None if report is None else report.run
    told_without = delivery.read_notified(settings.state_directory)
    async with queue.noting(connection, settings.department_id) as notes:
        stored = await notes.conditions()
        before = {**told_without, **{one.subject: _remembered(one) for one in stored}}
        changes = compare(before, found, now, settings.alerts.remind_every)
        told = bool(settings.alerts.urls)
        if changes and told:
            language = say_in(settings.alerts.language)
            subjects = [change.subject for change in changes]
            differences = await lines_of_held(connection, settings.department_id, subjects, language)
            message = _message(settings, changes, report, differences)
            await notes.queue(message.occasion, message.subject, message.title, message.body, run)
        for change in changes:
            if change.event is Event.OVER:
                await notes.forget(change.subject)
            else:
                at = now if told else None
                await notes.put(queue.StoredCondition(change.subject, change.state, change.since, at, run))
        for subject in told_without.keys() - {one.subject for one in stored} - {c.subject for c in changes}:
            one = told_without[subject]
            await notes.put(queue.StoredCondition(subject, one.state, one.since, one.told_at, run))
    if told_without:
        with suppress(OSError):  # it is noted now; a file that stays is understood again next time
            delivery.write_notified(settings.state_directory, ())


def _remembered(one: queue.StoredCondition) -> Remembered:
    return Remembered(one.subject, one.state, one.since, one.told_at)


async def _tell_directly(
    settings: Settings, report: RunReport | None, found: Found, now: datetime
) -> Sequence[Problem]:
    """Tell without the database; what was told is remembered in a file, until the database is there again."""
    if not settings.alerts.urls:
        return ()
    before = delivery.read_notified(settings.state_directory)
    changes = compare(before, found, now, settings.alerts.remind_every)
    if not changes:
        return ()
    message = _message(settings, changes, report, {})
    urls = names_of([url.get_secret_value() for url in settings.alerts.urls])
    seconds = settings.alerts.timeout.total_seconds()
    try:
        failed = await send(urls, (message.title, message.body), message.occasion, seconds)
    except ProblemError as error:
        return error.problems
    problems = [problem("alert-untold", reason=listed(failed))] if failed else []
    if len(failed) < len(urls):  # somebody knows
        told = {change.subject: Remembered(change.subject, change.state, change.since, now) for change in changes}
        over = {change.subject for change in changes if change.event is Event.OVER}
        try:
            delivery.write_notified(
                settings.state_directory, [one for name, one in {**before, **told}.items() if name not in over]
            )
        except OSError as error:
            problems.append(problem("alert-untold", reason=error.strerror or "disk"))
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
