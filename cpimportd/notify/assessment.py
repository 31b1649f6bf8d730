"""Assesses what is wrong after a run, and which changes to report: appeared, changed, lasting, over. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final, Protocol

from cpimportd.core.catalog import Effect
from cpimportd.core.model import JOB, Group, Kind, held_alone
from cpimportd.core.problems import Problem, problem
from cpimportd.core.report import FileStatus, RunReport, RunStatus, UnitStatus

RUN: Final = "run"
"""The subject of a run that failed."""

UPLOAD: Final = "upload"
"""The subject of what 1C has not uploaded; of a group's workbooks its name follows, as in ``upload/receipts``."""

_NOT_UPLOADED: Final = frozenset({"upload-missing"})
_REMINDER_TOLERANCE: Final = 10
"""A reminder comes up to one part in so many early: a daily run is never on the second."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong: what it concerns, how it is (``held: shrunk``), and the problems that say why."""

    subject: str
    state: str
    problems: tuple[Problem, ...] = ()


class StoredCondition(Protocol):
    """A condition of an earlier run, see :class:`cpimportd.books.reports.alerts.StoredCondition`."""

    @property
    def state(self) -> str:
        """How it was."""

    @property
    def since(self) -> datetime:
        """Its start."""

    @property
    def told_at(self) -> datetime | None:
        """When it was last reported; None if never."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run can judge, beside its report.

    Attributes:
        now: the wall clock.
        kinds: imported kinds; conditions of others are left unchanged.
        uploads: whether it listed the folder of 1C's uploads.
        stale_after: a workbook that was not uploaded again for this long is missing.
        known_upload: upload time of the newest workbook known before, if the run waited for a newer one in vain.
        zone: time zone of the instants.
    """

    now: datetime
    kinds: frozenset[Kind] = frozenset(Kind)
    uploads: bool = True
    stale_after: timedelta = timedelta.max
    known_upload: datetime | None = None
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is wrong after a run or another job, and which subjects it covers.

    Attributes:
        conditions: what is wrong.
        failed: the run failed as a whole, and covers only itself and what it names.
        kinds: requested kinds; the whole groups of these kinds are covered.
        uploads: whether it listed the folder of 1C's uploads.
        job: the subject of the job; None for a run. A job covers only itself.
        all_held: whether it covers every unit of the department, not only the units that it checked.
        files: names of the workbooks that it checked.
    """

    conditions: tuple[Condition, ...]
    failed: bool
    kinds: frozenset[Kind]
    uploads: bool
    job: str | None = None
    all_held: bool = False
    files: frozenset[str] = frozenset()

    def covers(self, subject: str) -> bool:
        """Whether the run can tell that nothing is wrong any more with a subject."""
        if self.job is not None or subject.startswith(JOB):
            return subject == self.job
        if subject == RUN:
            return not self.failed
        if (self.all_held and is_unit(subject)) or subject in self.files:
            return True
        if self.failed or (is_upload(subject) and not self.uploads):
            return False
        group = subject.rpartition("/")[2]
        if group in set(Group):
            return Group(group) in _groups(self.kinds)
        # Every run checks a workbook of unknown kind; only a run of all kinds can tell that it no longer exists.
        return subject == UPLOAD or self.kinds == frozenset(Kind)


def is_upload(subject: str) -> bool:
    """Whether it is the subject of a missing upload."""
    return subject == UPLOAD or subject in {_upload_of(group) for group in Group}


def is_unit(subject: str) -> bool:
    """Whether it is a unit, which is named ``ORGANIZATION/receipts`` or ``ORGANIZATION/expenses``."""
    return not is_upload(subject) and subject.rpartition("/")[2] in set(Group)


def _upload_of(group: Group | None) -> str:
    return UPLOAD if group is None else f"{UPLOAD}/{group.value}"


def _groups(kinds: Iterable[Kind]) -> frozenset[Group]:
    return frozenset(kind.group for kind in kinds)


def assess_run(report: RunReport, scope: Scope) -> Assessment:
    """Assess a run by its report."""
    failed = report.status is RunStatus.FAILED
    conditions = [*_run_conditions(report), *_unit_conditions(report), *_file_conditions(report)]
    if scope.uploads:
        conditions += _upload_conditions(report, scope)
    uploads = scope.uploads and bool(report.files)
    seen = frozenset(file.name for file in report.files if file.status is not FileStatus.IGNORED)
    held = report.held_now is not None
    return Assessment(tuple(conditions), failed, scope.kinds, uploads=uploads, all_held=held, files=seen)


def assess_job(job: str, failures: tuple[Problem, ...]) -> Assessment:
    """Assess a scheduled job: only its own failure can be wrong."""
    subject = JOB + job
    conditions = (Condition(subject, _state_text("failed", failures), failures),) if failures else ()
    return Assessment(conditions, bool(failures), frozenset(), uploads=False, job=subject)


def _state_text(prefix: str, problems: Iterable[Problem]) -> str:
    codes = sorted({found.code for found in problems})
    return f"{prefix}: {', '.join(codes)}" if codes else prefix


def _run_conditions(report: RunReport) -> Iterator[Condition]:
    wrong = tuple(found for found in report.problems if found.effect is Effect.FAILS)
    if report.status is RunStatus.FAILED and not {found.code for found in wrong} & _NOT_UPLOADED:
        yield Condition(RUN, _state_text("failed", wrong), wrong)


def _unit_conditions(report: RunReport) -> Iterator[Condition]:
    """All units held now if the database could be queried; otherwise those that this run held."""
    if report.held_now is not None:
        yield from (Condition(one.unit.name, one.state, one.reasons) for one in report.held_now)
        return
    for unit in report.units:
        if unit.status is UnitStatus.HELD:
            wrong = tuple(found for found in unit.problems if found.effect is not Effect.WARNS) or unit.problems
            yield Condition(unit.unit.name, _state_text("held", wrong), wrong)


def _file_conditions(report: RunReport) -> Iterator[Condition]:
    """Held workbooks of unknown organization."""
    reported = {found for unit in report.units for found in unit.problems}
    for file in report.files:
        wrong = tuple(found for found in file.problems if found.effect is not Effect.WARNS)
        if held_alone(file.status.value, file.organizations) and not set(wrong) & reported:
            yield Condition(file.name, _state_text("held", wrong), wrong)


def _upload_conditions(report: RunReport, scope: Scope) -> Iterator[Condition]:
    """Missing uploads, by group: another schedule may import the other group."""
    waited = _missing_uploads(report, scope)
    groups = _groups(scope.kinds)
    old = defaultdict[Group | None, dict[str, datetime]](dict)
    for file in report.files:
        if file.modified is not None and scope.now - file.modified > scope.stale_after:
            old[file.kind.group if file.kind else None][file.name] = file.modified
    for group in (None, *Group):
        if group is not None and group not in groups:  # seen only because its name does not say whose it is
            continue
        stale = dict(sorted(old[group].items()))
        wrong = [
            *(waited if group else ()),
            *(_stale_upload(name, uploaded, scope.zone) for name, uploaded in stale.items()),
        ]
        if wrong:
            # Another missing workbook is a change, too.
            yield Condition(_upload_of(group), ", ".join([_state_text("missing", wrong), *stale]), tuple(wrong))


def _stale_upload(name: str, uploaded: datetime, zone: tzinfo) -> Problem:
    return problem("file-stale", file=name, value=uploaded.astimezone(zone))


def _missing_uploads(report: RunReport, scope: Scope) -> list[Problem]:
    wrong = [found for found in report.problems if found.code in _NOT_UPLOADED]
    newest = max((file.modified for file in report.files if file.modified is not None), default=None)
    known = scope.known_upload
    if known is not None and newest is not None and newest <= known and report.status is RunStatus.UNCHANGED:
        wrong.append(problem("upload-missing", value=newest.astimezone(scope.zone)))
    return wrong


class Event(StrEnum):
    """Why something is reported."""

    APPEARED = "appeared"
    CHANGED = "changed"
    LASTS = "lasts"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to report.

    Attributes:
        event: the reason.
        subject: of the condition.
        state: now; for a condition that is over, the last one.
        since: its start.
        problems: the causes; none if it is over.
    """

    event: Event
    subject: str
    state: str
    since: datetime
    problems: tuple[Problem, ...] = ()


def compare(
    stored: Mapping[str, StoredCondition], found: Assessment, now: datetime, remind_every: timedelta
) -> tuple[Change, ...]:
    """The changes to report: appeared, changed, over; and lasting ones once per ``remind_every`` (0: never)."""
    return tuple(_changes(stored, found, now, remind_every))


def _changes(
    stored: Mapping[str, StoredCondition], found: Assessment, now: datetime, remind_every: timedelta
) -> Iterator[Change]:
    present = {one.subject: one for one in found.conditions}
    for subject, one in present.items():
        before = stored.get(subject)
        if before is None:
            yield Change(Event.APPEARED, subject, one.state, now, one.problems)
        elif before.state != one.state:
            yield Change(Event.CHANGED, subject, one.state, before.since, one.problems)
        elif _due(before, now, remind_every):
            yield Change(Event.LASTS, subject, one.state, before.since, one.problems)
    for subject, before in stored.items():
        if subject not in present and found.covers(subject):
            yield Change(Event.OVER, subject, before.state, before.since)


def _due(before: StoredCondition, now: datetime, remind_every: timedelta) -> bool:
    if before.told_at is None:  # found while no alerts were configured
        return True
    return bool(remind_every) and now - before.told_at >= remind_every - remind_every / _REMINDER_TOLERANCE
