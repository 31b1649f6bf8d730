"""The check for Nagios and Icinga: the state of the imports from the database, the source and the daemon."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from cpimportd.books.database.connection import opened
from cpimportd.books.publish.notices import readers
from cpimportd.books.reports.health import Health, UndoneJob
from cpimportd.books.reports.health import health as read_health
from cpimportd.books.schema.upgrade import require_current
from cpimportd.config.load import Loaded, require_database, require_source
from cpimportd.config.settings import Schedule, Settings
from cpimportd.core.formatting import moment, span
from cpimportd.core.model import Group, Kind
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.daemon.client import waits_needing_attention, with_rescheduled
from cpimportd.daemon.lock import LOCK, holder
from cpimportd.daemon.store import FILE as MEMORY
from cpimportd.daemon.store import NOT_UNDERSTOOD, decode
from cpimportd.notify.metrics import daemon_status
from cpimportd.notify.nagios_answer import Answer, Finding, Level, wrong_configuration
from cpimportd.source.probe import probe
from cpimportd.timetable.calendar import newest_slot, next_slot

CHECK_TIMEOUT: Final = timedelta(seconds=9)
"""Time limit for the database and the source: Nagios gives a plugin ten seconds."""

MOST_OF_A_KIND: Final = 10
"""At most so many held units or stale workbooks are named: a plugin's output is cut off after some kilobytes."""

_FAR_BACK: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits for the age of the last success; None: by the schedules."""

    warning: timedelta | None = None
    critical: timedelta | None = None


async def check_imports(loaded: Loaded, thresholds: Thresholds, now: datetime) -> Answer:
    """Check the database, the source and the daemon.

    Args:
        loaded: the configuration.
        thresholds: of the last success.
        now: an aware instant.
    """
    settings = with_rescheduled(loaded.settings)
    try:
        require_database(settings, loaded.path)
        require_source(settings, loaded.path)
    except ProblemError as error:
        return wrong_configuration(error.problems)
    health, reachable = await asyncio.gather(_health(settings), _source(settings))
    findings = [*reachable, *_daemon(settings.state_directory)]
    performance: tuple[str, ...] = ()
    if isinstance(health, Health):
        findings += findings_of_runs(settings, health, thresholds, now, counting_from(settings))
        performance = _performance(health, thresholds, now)
    else:
        findings += health
    order = (Level.CRITICAL, Level.WARNING, Level.UNKNOWN, Level.OK)
    return Answer(tuple(sorted(findings, key=lambda found: order.index(found.level))), performance)


async def _health(settings: Settings) -> Health | list[Finding]:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT.total_seconds()):
            async with opened(settings.database, application_name="cpimportd check", read_only=True) as connection:
                await require_current(connection)
                return await read_health(connection, settings.department_id, readers(settings))
    except ProblemError as error:
        return [_critical(found) for found in error.problems]
    except TimeoutError:
        return [_critical(problem("database-unreachable", reason=phrase("no-answer-within", limit=CHECK_TIMEOUT)))]


async def _source(settings: Settings) -> list[Finding]:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT.total_seconds()):
            steps = await probe(settings.source, read=False)
    except ProblemError as error:
        return [_critical(found) for found in error.problems]
    except TimeoutError:
        return [_critical(problem("check-timeout", value=CHECK_TIMEOUT))]
    failed = [_critical(step.problem) for step in steps if step.problem]
    return failed or [Finding(Level.OK, "the source can be reached")]


def _critical(found: Problem) -> Finding:
    level = Level.UNKNOWN if found.code.startswith("config-") else Level.CRITICAL
    return Finding(level, str(found), found.way_out)


def _daemon(state: Path) -> list[Finding]:
    """Whether the daemon runs, if this user may know and the daemon is on this machine."""
    try:
        if holder(state) is not None:
            return [Finding(Level.OK, "the daemon runs"), *_daemon_findings(daemon_status(state))]
        if not (state / LOCK).exists():
            return []
    except (ProblemError, OSError):
        return [Finding(Level.OK, f"the daemon was not asked: this user may not look into {state}")]
    return [Finding(Level.WARNING, "the daemon does not run", "Start it: systemctl start cpimportd")]


def _daemon_findings(status: Mapping[str, Any] | None) -> Iterator[Finding]:
    """A crashed run, waits of the current one, a refused configuration; nothing if the daemon is silent."""
    if status is None:
        return
    last = status["last"]
    if last is not None and last["status"] == "crashed":
        yield Finding(Level.WARNING, f"the last run: {last['summary']}", last["way_out"])
    for wait in waits_needing_attention(status):
        yield Finding(Level.WARNING, f"the run under way waits for {wait['told']}", "Look: cpimportd status")
    if status.get("refused") is not None:
        first = status["refused"]["problems"][0]
        yield Finding(Level.WARNING, f"{status['refused']['told']}: {first['message']}", first["way_out"])


def counting_from(settings: Settings) -> dict[str, datetime]:
    """The time from which the slots of each schedule count: the daemon's record of when it loaded the schedule.

    Returns:
        By schedule; without those that the daemon has not loaded in their present form. Empty if the daemon runs on
        another machine, or if this user may not read its record.
    """
    try:
        known = decode((settings.state_directory / MEMORY).read_text("utf-8")).memory.schedules
    except (OSError, *NOT_UNDERSTOOD):
        return {}
    return {
        name: known[name].counting_from
        for name, one in _imports(settings)
        if name in known and (known[name].at, known[name].timezone) == (one.at, settings.timezone)
    }


def findings_of_runs(
    settings: Settings,
    health: Health,
    thresholds: Thresholds,
    now: datetime,
    counting: Mapping[str, datetime] = MappingProxyType({}),
) -> list[Finding]:
    """Findings of the runs: the last success, the last run, held units, missing uploads.

    Args:
        settings: the effective settings.
        health: of the imports, by the database.
        thresholds: of the last success.
        now: an aware instant.
        counting: by schedule, the time from which its slots count; all slots count if it is missing.
    """
    findings = [_last_success(settings, health, thresholds, now, counting)]
    last = health.last_run
    if last is not None and last.status in {"failed", "abandoned"}:
        why = f": {last.problem}" if last.problem else ""
        findings.append(Finding(Level.WARNING, f"run {last.run} {last.status}{why}", last.way_out))
    held = [_held(one.unit.name, one.codes) for one in health.held]
    held_files = [_held(file.name, file.held_for, ", and nobody knows whose it is") for file in health.held_files]
    stale = [
        Finding(Level.WARNING, f"1C has not uploaded {file.name} for {span(now - file.modified)}")
        for file in health.files
        if file.modified is not None and now - file.modified > settings.source.stale_after
    ]
    outstanding = [one.explained(settings.zone) for one in health.outstanding]
    findings += [Finding(Level.WARNING, str(found), found.way_out) for found in outstanding]
    findings += _limited(held, "units are held") + _limited(held_files, "workbooks are held")
    findings += [_warning(found) for found in _without_slot(settings, now)]
    findings += [_not_done(job, settings) for job in health.undone]
    findings += _limited(stale, "workbooks were not uploaded")
    return findings


def _held(what: str, codes: Sequence[str], more: str = "") -> Finding:
    way_out = "See why: cpimportd history, cpimportd show RUN"
    return Finding(Level.WARNING, f"{what} is held ({', '.join(codes)}){more}", way_out)


def _not_done(job: UndoneJob, settings: Settings) -> Finding:
    text = f"the job {job.job} is not done since {moment(job.since, settings.zone)}: {job.state}"
    return Finding(Level.WARNING, text, f"See why: cpimportd alerts; do it now: cpimportd {job.job} --send")


def _limited(findings: list[Finding], what: str) -> list[Finding]:
    """The first findings of a kind, and the number of the others."""
    more = len(findings) - MOST_OF_A_KIND
    rest = [Finding(Level.WARNING, f"{more} more {what}", "See all: cpimportd status --json")] if more > 0 else []
    return findings[:MOST_OF_A_KIND] + rest


def _last_success(
    settings: Settings, health: Health, thresholds: Thresholds, now: datetime, counting: Mapping[str, datetime]
) -> Finding:
    success = health.last_success
    if success is None:
        level = Level.WARNING if health.last_run is None else Level.CRITICAL
        return Finding(level, "no import has succeeded yet", "Import now: cpimportd trigger --wait")
    last = f"last success {span(now - success)} ago ({moment(success, settings.zone)})"
    limits = ((Level.CRITICAL, thresholds.critical), (Level.WARNING, thresholds.warning))
    for level, longest in limits:
        if longest is not None and now - success > longest:
            return Finding(level, f"{last}, older than {span(longest)}", "Look: cpimportd status, cpimportd history")
        if overdue := _overdue_slot(settings, health, _allowed_delay(settings, level, longest), now, counting):
            return Finding(level, f"{overdue}; {last}", "Look: cpimportd status, then cpimportd trigger --wait")
    return Finding(Level.OK, last)


def _allowed_delay(settings: Settings, level: Level, longest: timedelta | None) -> Callable[[Schedule], timedelta]:
    """The permitted delay of a success after its slot: the threshold, if given.

    Otherwise a slot is late (WARNING) when all waits and retries of its run have passed, and lost (CRITICAL) when it
    would not even be started any more.
    """

    def allowed_delay(schedule: Schedule) -> timedelta:
        if longest is not None:
            return longest
        retry_span = schedule.wait_for_upload + settings.retry.within
        return retry_span + schedule.grace if level is Level.CRITICAL else retry_span

    return allowed_delay


def _overdue_slot(
    settings: Settings,
    health: Health,
    allowed_delay: Callable[[Schedule], timedelta],
    now: datetime,
    counting: Mapping[str, datetime],
) -> str | None:
    """The slot that should be done by now and is not, in words; None if there is none."""
    for name, schedule in _imports(settings):
        after = max(now - _FAR_BACK, counting.get(name, now - _FAR_BACK))
        slot = newest_slot(schedule.at, settings.zone, after, now - allowed_delay(schedule))
        success = health.last_success_of(name, _kinds(schedule))
        if slot is not None and (success is None or success < slot):
            return f"slot {moment(slot, settings.zone)} of {name} is not done"
    return None


def _without_slot(settings: Settings, now: datetime) -> Iterator[Problem]:
    """Schedules of any job without further slots."""
    for name, one in settings.schedules.items():
        if one.enabled and next_slot(one.at, settings.zone, now) is None:
            yield problem("slot-none", schedule=name, at=one.at)


def _warning(found: Problem) -> Finding:
    return Finding(Level.WARNING, str(found), found.way_out)


def _imports(settings: Settings) -> Iterator[tuple[str, Schedule]]:
    yield from ((name, one) for name, one in settings.schedules.items() if one.enabled and one.job == "import")


def _kinds(schedule: Schedule) -> frozenset[str]:
    """The kinds that a schedule imports, by whole groups."""
    groups = {Kind(name).group for name in schedule.only} or set(Group)
    return frozenset(kind.value for kind in Kind if kind.group in groups)


def _performance(health: Health, thresholds: Thresholds, now: datetime) -> tuple[str, ...]:
    data = []
    if health.last_success is not None:
        age = (now - health.last_success).total_seconds()
        data.append(f"age={age:.0f}s;{_limit(thresholds.warning)};{_limit(thresholds.critical)};0")
    data.append(f"held={len(health.held) + len(health.held_files)};0;;0")
    if health.last_run is not None:
        data.append(f"duration={health.last_run.seconds:.1f}s;;;0")
    uploads = [file.modified for file in health.files if file.modified is not None]
    if uploads:
        data.append(f"oldest_upload={(now - min(uploads)).total_seconds():.0f}s;;;0")
    return tuple(data)


def _limit(longest: timedelta | None) -> str:
    return "" if longest is None else f"{longest.total_seconds():.0f}"
