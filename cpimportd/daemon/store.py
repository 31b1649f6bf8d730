"""The daemon's memory on disk: which slots were done, how the last runs ended, when each workbook was uploaded."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import asdict, replace

from cpimportd.core.files import write_whole
from cpimportd.core.outcomes import JUDGED, SUCCEEDED, WELL
from cpimportd.core.phrases import exception
from cpimportd.core.problems import Problem, problem
from cpimportd.core.seen import SeenWorkbook
from cpimportd.core.typed import Instant, from_json, in_utc, json_text
from cpimportd.daemon.messages import Result
from cpimportd.timetable.memory import Memory, Remembered

FILE: Final = "daemon.json"
"""In the state folder."""

_VERSION: Final = 1

NOT_UNDERSTOOD: Final = (ValueError, OverflowError, RecursionError)
"""What :func:`decode` raises of a file that is damaged."""

_NO_UPLOAD: Final = "no-upload"
_DONE_ELSEWHERE: Final = "done-elsewhere"

GROUPS: Final = {"receipts": "receipts", "expenses": "expenses", "details": "expenses"}
"""Kinds and their groups, as :class:`Kind` has them, whose page costs the daemon's start too much."""


class Finished(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run that is over; instants are in UTC.

    Attributes:
        job: its number since the daemon started; 0 where it was not the daemon's.
        schedule: whose slot it did; None where somebody asked for it.
        slot: the instant that was due.
        began: when its process was started.
        ended: when it was over.
        status: of the run, see :class:`RunStatus`; or ``no-upload``, ``done-elsewhere``, ``crashed``.
        code: the exit code.
        run: its number in the database.
        summary: one sentence.
        held: all units that were held when it ended; None where nobody knew.
        problem: what was the matter, in a sentence; None where nothing was.
        way_out: what can be done about it.
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
        """Whether nobody has to look."""
        return self.status in WELL | {_DONE_ELSEWHERE}

    @classmethod
    def of(cls, result: Result, status: str, *, job: int, work: "tuple[str | None, datetime | None]",
           began: datetime, ended: datetime) -> "Finished":  # fmt: skip
        """What is remembered of a run's own account of itself."""
        return cls(
            job, *work, began, ended, status, result.code, result.run, result.summary, result.held, result.problem,
            result.way_out,
        )  # fmt: skip


class Upload(SeenWorkbook, frozen=True, forbid_unknown_fields=True):
    """A workbook as it was last seen on the server; instants are in UTC.

    Attributes:
        seen: when that was.
        good: when its content was last served: published, or unchanged.
    """

    seen: Instant
    good: Instant | None = None


class Record(msgspec.Struct, frozen=True):
    """Everything that outlives the daemon.

    Attributes:
        memory: of the slots.
        last: the last run.
        last_good: the last run after which nobody had to look.
        held: the units that are held, as the last run said that knew.
        uploads: the workbooks that the last run of their group saw, by name.
        undone: the last job of a schedule where it did not succeed, whatever others did since, by schedule.
    """

    memory: Memory = msgspec.field(default_factory=Memory)
    last: Finished | None = None
    last_good: Finished | None = None
    held: tuple[str, ...] = ()
    uploads: Mapping[str, Upload] = msgspec.field(default_factory=dict)
    undone: Mapping[str, Finished] = msgspec.field(default_factory=dict)

    def ended(self, finished: Finished, same: Collection[str] = ()) -> "Record":
        """The record after a run.

        Args:
            finished: the run.
            same: schedules that import nothing else: where somebody asked for the run, its success is theirs, too.
        """
        judged = finished.status in JUDGED | {_NO_UPLOAD}
        held = finished.held if judged and finished.held is not None else self.held
        good = finished if finished.good else self.last_good
        succeeded = finished.status in SUCCEEDED | {_DONE_ELSEWHERE}
        return replace(
            self, last=finished, last_good=good, held=held, undone=self._undone(finished, well=succeeded, same=same)
        )

    def did(self, finished: Finished) -> "Record":
        """The record after a schedule's job that imports nothing."""
        return replace(self, undone=self._undone(finished, well=finished.status not in {"failed", "crashed"}))

    def _undone(self, finished: Finished, *, well: bool, same: Collection[str] = ()) -> Mapping[str, Finished]:
        over = {finished.schedule} if finished.schedule is not None else set(same) if well else set()
        others = {name: one for name, one in self.undone.items() if name not in over}
        return others if well or finished.schedule is None else {**others, finished.schedule: finished}

    def saw(self, seen: tuple[SeenWorkbook, ...], now: datetime, only: tuple[str, ...] = ()) -> "Record":
        """The record after a run that listed the server; a workbook that is there no more is forgotten.

        Args:
            seen: the workbooks.
            now: the wall clock, in UTC.
            only: the kinds that it asked for, a group taken whole; empty means all. It says nothing of others.
        """
        if not seen:
            return self
        groups = groups_of(only)
        others = {name: one for name, one in self.uploads.items() if _is_of_others(one.kind, groups)}
        # A name that does not tell its kind is fetched by every run, and ignored by one that did not ask for its kind.
        asked_for = (one for one in seen if one.name not in others or not _is_of_others(one.kind, groups))
        found = {one.name: _upload(one, self.uploads.get(one.name), now) for one in asked_for}
        return replace(self, uploads={**others, **found})


def groups_of(only: tuple[str, ...]) -> frozenset[str]:
    """The groups of these kinds; of none, all of them."""
    return frozenset(GROUPS[kind] for kind in only or GROUPS)


def _is_of_others(kind: str | None, groups: frozenset[str]) -> bool:
    return kind in GROUPS and GROUPS[kind] not in groups


def _upload(seen: SeenWorkbook, before: Upload | None, now: datetime) -> Upload:
    good = now if seen.status in WELL else before.good if before else None
    if before is not None:  # a workbook of 0 bytes names nobody; what it named last time counts
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
        """What was kept, and what is to be said about it.

        A file that cannot be understood is set aside, never overwritten: somebody may want to look at it.

        Raises:
            OSError: the file is there and cannot be read.
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
            OSError: it could not be written; what was kept before is still there.
        """
        write_whole(self.path, encode(record))


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    """The record as it lies in its file; older daemons kept no ``undone``."""

    version: int
    schedules: dict[str, Remembered]
    last: Finished | None
    last_good: Finished | None
    held: tuple[str, ...]
    uploads: tuple[Upload, ...]
    undone: dict[str, Finished] = {}


def encode(record: Record) -> str:
    """The record as one JSON document, readable by people too."""
    uploads = tuple(record.uploads.values())
    schedules, undone = dict(record.memory.schedules), dict(record.undone)
    document = _Document(_VERSION, schedules, record.last, record.last_good, record.held, uploads, undone)
    return json_text(document, indent=1) + "\n"


def decode(text: str | bytes) -> Record:
    """Read the document back.

    Raises:
        ValueError: it is none, or of another version, or something in it is missing or of another type.
        OverflowError: an instant lies before or after all time.
        RecursionError: it is nested deeper than any of ours.
    """
    found = in_utc(from_json(text, _Document))
    if found.version != _VERSION:
        raise ValueError(f"version {found.version!r} is not {_VERSION}")
    uploads = {one.name: one for one in found.uploads}
    return Record(Memory(found.schedules), found.last, found.last_good, found.held, uploads, found.undone)
