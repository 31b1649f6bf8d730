"""The daemon's record on disk: the done slots, the results of the last runs, the upload time of each workbook."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import asdict, replace

from cpimportd.core.files import write_whole
from cpimportd.core.model import JUDGED, SUCCEEDED, WELL
from cpimportd.core.phrases import exception
from cpimportd.core.problems import Problem, problem
from cpimportd.core.typed import Instant, from_json, in_utc, json_text
from cpimportd.core.workbooks import SeenWorkbook
from cpimportd.daemon.messages import RunResult
from cpimportd.timetable.memory import Memory, Remembered

FILE: Final = "daemon.json"
"""In the state folder."""

_VERSION: Final = 1

NOT_UNDERSTOOD: Final = (ValueError, OverflowError, RecursionError)
"""What :func:`decode` raises for a damaged file."""

_NO_UPLOAD: Final = "no-upload"
_DONE_ELSEWHERE: Final = "done-elsewhere"

GROUPS: Final = {"receipts": "receipts", "expenses": "expenses", "details": "expenses"}
"""Kinds and their groups, as in :class:`Kind`, whose module would slow down the daemon's start."""


class FinishedRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run that is over; instants are in UTC.

    Attributes:
        job: its number since the daemon started; 0 if it was not the daemon's.
        schedule: of its slot; None if it was triggered.
        slot: the instant that was due.
        began: when its process was started.
        ended: when it was over.
        status: see :class:`RunStatus`; or ``no-upload``, ``done-elsewhere``, ``crashed``.
        code: the exit code.
        run: its number in the database.
        summary: one sentence.
        held: all units that were held at its end; None if unknown.
        problem: in a sentence; None if there was none.
        way_out: the remedy.
    """

    job: int
    schedule: str | None
    slot: Instant | None
    began: Instant
    ended: Instant
    status: str
    code: int
    run: int | None
    summary: str
    held: tuple[str, ...] | None = ()
    problem: str | None = None
    way_out: str | None = None

    @property
    def good(self) -> bool:
        """Whether nothing needs attention."""
        return self.status in WELL | {_DONE_ELSEWHERE}

    @classmethod
    def from_result(cls, result: RunResult, status: str, *, job: int, work: "tuple[str | None, datetime | None]",
           began: datetime, ended: datetime) -> "FinishedRun":  # fmt: skip
        """The entry for a run's result."""
        return cls(
            job, *work, began, ended, status, result.code, result.run, result.summary, result.held, result.problem,
            result.way_out,
        )  # fmt: skip


class Upload(SeenWorkbook, frozen=True, forbid_unknown_fields=True):
    """A workbook as it was last seen on the server; instants are in UTC.

    Attributes:
        seen: when that was.
        good: when its content was last in the books: published, or unchanged.
    """

    seen: Instant
    good: Instant | None = None


class Record(msgspec.Struct, frozen=True):
    """Everything that outlives the daemon.

    Attributes:
        memory: of the slots.
        last: the last run.
        last_good: the last run after which nothing needed attention.
        held: the held units, by the last run that knew them.
        uploads: the workbooks in the last listing of their group, by name.
        undone: by schedule, its last job if that failed, whatever other schedules did since.
    """

    memory: Memory = msgspec.field(default_factory=Memory)
    last: FinishedRun | None = None
    last_good: FinishedRun | None = None
    held: tuple[str, ...] = ()
    uploads: Mapping[str, Upload] = msgspec.field(default_factory=dict)
    undone: Mapping[str, FinishedRun] = msgspec.field(default_factory=dict)

    def ended(self, finished: FinishedRun, same_schedules: Collection[str] = ()) -> "Record":
        """The record after a run.

        Args:
            finished: the run.
            same_schedules: the schedules of the same kinds: a triggered run's success counts for them, too.
        """
        judged = finished.status in JUDGED | {_NO_UPLOAD}
        held = finished.held if judged and finished.held is not None else self.held
        good = finished if finished.good else self.last_good
        succeeded = finished.status in SUCCEEDED | {_DONE_ELSEWHERE}
        return replace(
            self,
            last=finished,
            last_good=good,
            held=held,
            undone=self._failed_jobs_after(finished, succeeded=succeeded, same_schedules=same_schedules),
        )

    def after_job(self, finished: FinishedRun) -> "Record":
        """The record after a schedule's job that imports nothing."""
        return replace(
            self, undone=self._failed_jobs_after(finished, succeeded=finished.status not in {"failed", "crashed"})
        )

    def _failed_jobs_after(
        self, finished: FinishedRun, *, succeeded: bool, same_schedules: Collection[str] = ()
    ) -> Mapping[str, FinishedRun]:
        settled = {finished.schedule} if finished.schedule is not None else set(same_schedules) if succeeded else set()
        others = {name: one for name, one in self.undone.items() if name not in settled}
        return others if succeeded or finished.schedule is None else {**others, finished.schedule: finished}

    def after_listing(self, seen: tuple[SeenWorkbook, ...], now: datetime, only: tuple[str, ...] = ()) -> "Record":
        """The record after a run that listed the server; workbooks missing in the listing are dropped.

        Args:
            seen: the workbooks.
            now: the wall clock, in UTC.
            only: the kinds of the run, whole groups; empty means all. Workbooks of other groups stay.
        """
        if not seen:
            return self
        groups = groups_of(only)
        others = {name: one for name, one in self.uploads.items() if _in_other_group(one.kind, groups)}
        # A name that does not tell its kind is fetched by every run, and ignored by one that did not ask for its kind.
        asked_for = (one for one in seen if one.name not in others or not _in_other_group(one.kind, groups))
        found = {one.name: _upload(one, self.uploads.get(one.name), now) for one in asked_for}
        return replace(self, uploads={**others, **found})


def groups_of(only: tuple[str, ...]) -> frozenset[str]:
    """The groups of these kinds; of none, all of them."""
    return frozenset(GROUPS[kind] for kind in only or GROUPS)


def _in_other_group(kind: str | None, groups: frozenset[str]) -> bool:
    return kind in GROUPS and GROUPS[kind] not in groups


def _upload(seen: SeenWorkbook, before: Upload | None, now: datetime) -> Upload:
    good = now if seen.status in WELL else before.good if before else None
    if before is not None:  # an empty workbook names no organization: keep those of the last time
        kind, organizations = seen.kind or before.kind, seen.organizations or before.organizations
        seen = replace(seen, kind=kind, organizations=organizations)
    return Upload(**asdict(seen), seen=now, good=good)


class Store:
    """Keeps the record in a file of the state folder.

    Args:
        folder: the state folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def load(self) -> tuple[Record, Problem | None]:
        """The saved record, and the problem with it if there is one.

        A damaged file is renamed, never overwritten, so that it can be examined.

        Raises:
            OSError: the file exists and cannot be read.
        """
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return Record(), None
        try:
            return decode(text), None
        except NOT_UNDERSTOOD as error:
            aside = self.path.with_name(f"{FILE}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
            self.path.replace(aside)
            reason = exception(error)
            return Record(), problem("state-damaged", path=str(self.path), reason=reason, aside=aside.name)

    def save(self, record: Record) -> None:
        """Keep the record.

        Raises:
            OSError: it could not be written; the previous record is still there.
        """
        write_whole(self.path, encode(record))


class _RecordDocument(msgspec.Struct, forbid_unknown_fields=True):
    """The record as it lies in its file; older daemons kept no ``undone``."""

    version: int
    schedules: dict[str, Remembered]
    last: FinishedRun | None
    last_good: FinishedRun | None
    held: tuple[str, ...]
    uploads: tuple[Upload, ...]
    undone: dict[str, FinishedRun] = {}


def encode(record: Record) -> str:
    """The record as one JSON document, readable by people too."""
    uploads = tuple(record.uploads.values())
    schedules, undone = dict(record.memory.schedules), dict(record.undone)
    document = _RecordDocument(_VERSION, schedules, record.last, record.last_good, record.held, uploads, undone)
    return json_text(document, indent=1) + "\n"


def decode(text: str | bytes) -> Record:
    """Read the document back.

    Raises:
        ValueError: no such document, another version, or a missing or mistyped field.
        OverflowError: an instant out of range.
        RecursionError: it is nested too deeply.
    """
    found = in_utc(from_json(text, _RecordDocument))
    if found.version != _VERSION:
        raise ValueError(f"version {found.version!r} is not {_VERSION}")
    uploads = {one.name: one for one in found.uploads}
    return Record(Memory(found.schedules), found.last, found.last_good, found.held, uploads, found.undone)
