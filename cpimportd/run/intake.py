"""From the source to a verdict: fetch, read, check; and once more where 1C is still uploading.

The first half of the pipeline's line. It asks the books what they remember and writes nothing to them.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import asyncpg

from cpimportd.books.database import encodings
from cpimportd.books.journal import memory
from cpimportd.books.schema.rights import text_limits
from cpimportd.checks.attribution import unknown_expenses
from cpimportd.checks.earlier import Earlier
from cpimportd.checks.integrity import integrity
from cpimportd.checks.rereading import files_to_parse
from cpimportd.config.settings import Settings
from cpimportd.core.catalog import Effect
from cpimportd.core.model import Content, FetchedFile, Kind, MissedFile, Progress, Served, Snapshot, Unit
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.time import moment
from cpimportd.core.verdicts import UnitVerdict, Verdict
from cpimportd.core.waiting import Wait, waiting
from cpimportd.documents.names import kind_by_name
from cpimportd.render.titles import title_of
from cpimportd.run.earlier import earlier
from cpimportd.run.spool import SpoolFolder
from cpimportd.source.fetch import fetch, open_source
from cpimportd.workbook import digests, engine
from cpimportd.workbook.reading import ReadJob
from cpimportd.workbook.sample import SUSPICIOUS, sample_fault

logger = logging.getLogger(__name__)

LOOK_AGAIN = 30.0
"""Seconds between two looks at a server where expenses and details do not match yet."""

_NO_MATCH = "expenses and details do not match yet, and were uploaded a moment ago"


@dataclass(frozen=True, slots=True)
class Intake:
    """What today's files say, and what is thought of it.

    Attributes:
        snapshots: one per fetched file, by ``file_no``.
        verdict: of the integrity checks.
        served: what the books served when the checks ran.
        foreign: units in whose rows somebody else has written since our last publication.
        undone: units whose files of today are those that a human has undone, with the run that was undone.
        earlier: what workbooks of earlier days have to do with those of today.
        missed: workbooks that the source listed and that were not fetched.
    """

    snapshots: tuple[Snapshot, ...]
    verdict: Verdict
    served: tuple[Served, ...]
    foreign: frozenset[Unit]
    undone: Mapping[Unit, int] = field(default_factory=dict)
    earlier: Mapping[Unit, Earlier] = field(default_factory=dict)
    missed: tuple[MissedFile, ...] = ()

    @property
    def nothing_new(self) -> bool:
        """Every unit is what the books serve already, and nothing is held, not even a file that was not fetched."""
        verdict = self.verdict
        return all(unit.unchanged for unit in verdict.units.values()) and not verdict.anything_held

    def require_upload(self, after: datetime, zone: tzinfo) -> None:
        """Whether it is worth going on: something can be published, or 1C has uploaded something, be it the same again.

        Args:
            after: when the newest workbook was uploaded that is known already.
            zone: in which that instant is told.

        Raises:
            ProblemError: ``upload-missing``.
        """
        publishable = any(not unit.unchanged and not unit.held for unit in self.verdict.units.values())
        uploads = (snapshot.file.modified for snapshot in self.snapshots)
        if not publishable and not any(uploaded is not None and uploaded > after for uploaded in uploads):
            raise ProblemError(problem("upload-missing", value=moment(after, zone)))

    def contents(self, unit: Unit) -> tuple[Content, ...]:
        """What is in the workbooks that a unit is made of today, whether it is right or held."""
        return tuple(self.snapshots[file_no].content for file_no in sorted(self.verdict.units[unit].file_nos))

    def require_files(self, accepted: Mapping[str, Sequence[Content]]) -> None:
        """Whether today's files are those that a human has seen and accepted.

        Args:
            accepted: per name of a unit, what is in its files.

        Raises:
            ProblemError: ``accept-outdated``.
        """
        names = {unit.name: unit for unit in self.verdict.units}
        outdated = [
            problem("accept-outdated", unit=name, organization=names[name].organization)
            for name, seen in accepted.items()
            if name in names and not _same(self.contents(names[name]), seen)
        ]
        if outdated:
            raise ProblemError(*outdated)


def _same(today: Sequence[Content], seen: Sequence[Content]) -> bool:
    return len(today) == len(seen) and all(content.among(seen) for content in today)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller wants of the intake.

    Attributes:
        only: the kinds.
        accepted: units that a human accepts.
        strict: one held unit holds all.
        wait: whether the other half of an upload is waited for; whoever asked for the run is told at once.
    """

    only: frozenset[Kind] = frozenset(Kind)
    accepted: frozenset[str] = frozenset()
    strict: bool = False
    wait: bool = False


async def take_in(
    connection: asyncpg.Connection,
    settings: Settings,
    asked: Asked,
    spool: SpoolFolder,
    progress: Callable[[Progress], None],
) -> Intake:
    """Fetch, read and check, until it adds up or waiting is of no more use.

    Expenses and details that were exported at different hours do not match; where that is all that is wrong and the
    upload is fresh, its other half may be on its way, so the server is looked at again within ``retry.within``, if the
    caller wants to wait.

    Raises:
        ProblemError: the source failed as a whole.
    """
    deadline = time.monotonic() + settings.retry.within.total_seconds()
    attempt = 0
    while True:
        folder = spool.files / f"{attempt:02}"
        intake = await _look(connection, settings, asked, (folder, spool.rows), progress)
        remaining = deadline - time.monotonic()
        if remaining <= 0 or not _upload_under_way(intake, settings):
            return intake
        if not asked.wait:
            logger.warning("%s; `cpimportd run --wait` waits for the other half", _NO_MATCH)
            return intake
        await _pause(min(LOOK_AGAIN, remaining), remaining)
        attempt += 1


async def _pause(seconds: float, remaining: float) -> None:
    logger.warning("%s: looking again in %.0f s, for at most %.0f s more", _NO_MATCH, seconds, remaining)
    now = datetime.now(UTC)
    again, until = now + timedelta(seconds=seconds), now + timedelta(seconds=remaining)
    with waiting(Wait("other-half", "expenses and details do not match yet", again, until)):
        await asyncio.sleep(seconds)


def _upload_under_way(intake: Intake, settings: Settings) -> bool:
    """Whether the only fault is that two exports do not match yet, and 1C uploaded a moment ago, at different times."""
    held = [unit for unit in intake.verdict.units.values() if unit.held and not _only_strict(unit)]
    if not held or not all(unit.exports_disagree for unit in held):
        return False
    times = {
        intake.snapshots[file_no].file.modified
        for unit in held
        for file_no in unit.file_nos
        if intake.snapshots[file_no].file.modified is not None
    }
    newest = max((moment for moment in times if moment is not None), default=None)
    return newest is not None and len(times) > 1 and datetime.now(UTC) - newest < settings.retry.within


def _only_strict(unit: UnitVerdict) -> bool:
    """Whether the unit is right in itself, and held only because another one is."""
    return all(found.code == "strict" or found.effect is Effect.WARNS for found in unit.problems)


async def _look(
    connection: asyncpg.Connection,
    settings: Settings,
    asked: Asked,
    folders: tuple[Path, Path],
    progress: Callable[[Progress], None],
) -> Intake:
    groups = {kind.group for kind in asked.only}

    def wanted(name: str) -> bool:
        kind = kind_by_name(name)
        return kind is None or kind.group in groups

    fetched = await fetch(settings.source, settings.retry, folders[0], only_names=wanted, progress=progress)
    served = await memory.served(connection, settings.department_id)
    foreign = await memory.foreign_writes(connection, settings.department_id)
    job = ReadJob(timezone=settings.timezone, lengths=_narrowest(await text_limits(connection)))
    reader = _Reader(fetched.files, job, settings, folders[1], progress)
    snapshots = await reader.changed(served)
    await _suspect_the_library(snapshots, settings, folders[1])
    while True:
        unknown = unknown_expenses(snapshots)
        known = await memory.known_expenses(connection, settings.department_id, unknown)
        needed = files_to_parse(snapshots, served, foreign, known_expenses=known)
        if not needed:
            break
        snapshots = await reader.also(snapshots, needed)
    similar = await memory.similar_expenses(connection, settings.department_id, unknown - known.keys())
    snapshots = await encodings.checked(connection, snapshots, settings.reader.max_problems, title_of)
    progress(Progress("check"))
    verdict = integrity(
        snapshots,
        served,
        known_expenses=known,
        similar_expenses=similar,
        fetch_problems=fetched.problems,
        only=asked.only,
        strict=asked.strict,
        accepted=asked.accepted,
    )
    progress(Progress("check", finished=True))
    if not verdict.units and not verdict.anything_held:
        raise ProblemError(_nothing_to_import(settings, asked, len(snapshots)))
    undone = {
        unit: found.undone_run
        for unit, found in (await memory.undone(connection, settings.department_id)).items()
        if unit in verdict.units
        and {snapshots[file_no].digest for file_no in verdict.units[unit].file_nos} <= found.digests
    }
    found = await earlier(connection, settings, snapshots, verdict, served, undone=undone)
    return Intake(snapshots, verdict, served, foreign, undone, found, fetched.missed)


def _nothing_to_import(settings: Settings, asked: Asked, files: int) -> Problem:
    """Nobody's documents came and none ever did: such a run has seen nothing, which is no success."""
    place = open_source(settings.source)
    kinds = ", ".join(kind.value for kind in Kind if kind.group in {one.group for one in asked.only})
    return problem("nothing-to-import", server=place.label, folder=place.folder, count=files, kinds=kinds)


async def _suspect_the_library(snapshots: Sequence[Snapshot], settings: Settings, folder: Path) -> None:
    """Where a file could not be read, make sure that it is the file.

    Raises:
        ProblemError: ``library-wrong``: no workbook can be read here.
    """
    if settings.engine.executor != "local":
        return
    if any(found.code in SUSPICIOUS for snapshot in snapshots for found in snapshot.problems):
        fault = await sample_fault(settings.reader, folder)
        if fault is not None and fault.code == "library-wrong":
            raise ProblemError(fault)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads today's files: what changed at once, the rest only where one of its units needs it."""

    files: tuple[FetchedFile, ...]
    job: ReadJob
    settings: Settings
    rows: Path
    progress: Callable[[Progress], None]

    async def changed(self, served: tuple[Served, ...]) -> tuple[Snapshot, ...]:
        """All files; one whose content the books serve already is recognised and not parsed.

        By its bytes alone only where this version of the reader has read them: another may have read them otherwise.
        One of which an organization is held is parsed: the books know nothing of that one's documents in it.
        """
        known = [entry for entry in served if entry.whole]
        job = replace(self.job, known_digests=frozenset(entry.digest for entry in known))
        as_they_lie = {entry.sha256: entry.digest for entry in known if digests.is_current(entry.digest)}
        changed = [file for file in self.files if file.sha256 not in as_they_lie]
        read_now = dict(zip(changed, await self._read(changed, job), strict=True))
        return tuple(
            read_now[file]
            if file in read_now
            else Snapshot(file, file_no, digest=as_they_lie[file.sha256], unchanged=True)
            for file_no, file in enumerate(self.files)
        )

    async def also(self, snapshots: tuple[Snapshot, ...], needed: frozenset[int]) -> tuple[Snapshot, ...]:
        """The same snapshots, with these files read in full."""
        wanted = [self.files[file_no] for file_no in sorted(needed)]
        read_now = dict(zip(sorted(needed), await self._read(wanted, self.job), strict=True))
        return tuple(read_now.get(file_no, snapshot) for file_no, snapshot in enumerate(snapshots))

    async def _read(self, files: Sequence[FetchedFile], job: ReadJob) -> tuple[Snapshot, ...]:
        if not files:
            return ()
        numbers = {file: file_no for file_no, file in enumerate(self.files)}
        limits = self.settings.reader
        # A group: where one cannot go on, the others are ended, not left to a folder that is removed meanwhile.
        through = 0
        self.progress(Progress("read", None, 0, len(files)))

        def one_more(_: asyncio.Task[Snapshot]) -> None:
            nonlocal through
            through += 1
            self.progress(Progress("read", None, through, len(files), finished=through == len(files)))

        async with engine.opened(self.settings) as read, asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(read(file, numbers[file], job, limits, self.rows, progress=self.progress))
                for file in files
            ]
            for task in tasks:
                task.add_done_callback(one_more)
        return tuple(task.result() for task in tasks)


def _narrowest(limits: Mapping[Kind, Mapping[str, int]]) -> dict[str, int]:
    """One limit per field: the smallest of all kinds, since a file's kind is known only when it is read."""
    narrowest: dict[str, int] = {}
    for fields in limits.values():
        for name, limit in fields.items():
            narrowest[name] = min(limit, narrowest.get(name, limit))
    return narrowest
