"""Reads today's workbooks: changed ones at once, unchanged ones only if one of their units needs them."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import asyncpg

from cpimportd.books.database import encodings
from cpimportd.books.journal import memory
from cpimportd.books.schema.rights import text_limits
from cpimportd.checks.attribution import KnownExpenses, unknown_expenses
from cpimportd.checks.units import files_to_parse
from cpimportd.config.settings import Settings
from cpimportd.core.model import Kind, Progress, Unit
from cpimportd.core.problems import ProblemError
from cpimportd.core.workbooks import FetchedFile, Served, Snapshot
from cpimportd.render.fields import title_of
from cpimportd.run.request import Run
from cpimportd.workbook.openfile import is_current
from cpimportd.workbook.reading import ReadJob, opened
from cpimportd.workbook.sample import SUSPICIOUS, sample_problem


@dataclass(frozen=True, slots=True)
class ReadFiles:
    """Today's workbooks as they were read, and what the books knew of them then.

    Attributes:
        snapshots: one per fetched file, by ``file_no``.
        served: what the books serve.
        foreign: units to whose rows somebody else has written since our last publication.
        known_expenses: what the books know of expenses that details name and today's expenses do not.
        similar_expenses: ids of expenses in the books that one of those that they do not know may only look like.
    """

    snapshots: tuple[Snapshot, ...]
    served: tuple[Served, ...] = ()
    foreign: frozenset[Unit] = frozenset()
    known_expenses: KnownExpenses = field(default_factory=dict)
    similar_expenses: Collection[str] = ()


async def read_workbooks(
    run: Run, connection: asyncpg.Connection, files: tuple[FetchedFile, ...], rows: Path
) -> ReadFiles:
    """Read what was fetched, as far as it is not what the books serve already.

    Args:
        run: whose files these are.
        connection: any; the books are asked what they remember.
        files: the workbooks.
        rows: the folder for their rows on the way to the database.

    Raises:
        ProblemError: ``library-wrong``: no workbook can be read here; the engine cannot be had.
    """
    settings = run.settings
    served = await memory.served(connection, settings.department_id)
    foreign = await memory.foreign_writes(connection, settings.department_id)
    job = ReadJob(timezone=settings.timezone, lengths=_narrowest(await text_limits(connection)))
    reader = Reader(files, job, settings, rows, run.progress)
    snapshots = await reader.changed(served)
    await _suspect_the_library(snapshots, settings, rows)
    while True:
        unknown = unknown_expenses(snapshots)
        known = await memory.known_expenses(connection, settings.department_id, unknown)
        needed = files_to_parse(snapshots, served, foreign, known_expenses=known)
        if not needed:
            break
        snapshots = await reader.also(snapshots, needed)
    similar = await memory.similar_expenses(connection, settings.department_id, unknown - known.keys())
    snapshots = await encodings.checked(connection, snapshots, settings.reader.max_problems, title_of)
    return ReadFiles(snapshots, served, foreign, known, similar)


async def _suspect_the_library(snapshots: Sequence[Snapshot], settings: Settings, folder: Path) -> None:
    """Where a file could not be read, make sure that it is the file.

    Raises:
        ProblemError: ``library-wrong``: no workbook can be read here.
    """
    if settings.engine.executor != "local":
        return
    if any(found.code in SUSPICIOUS for snapshot in snapshots for found in snapshot.problems):
        fault = await sample_problem(settings.reader, folder)
        if fault is not None and fault.code == "library-wrong":
            raise ProblemError(fault)


@dataclass(frozen=True, slots=True)
class Reader:
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
        as_they_lie = {entry.sha256: entry.digest for entry in known if is_current(entry.digest)}
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

        async with opened(self.settings) as read, asyncio.TaskGroup() as group:
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
