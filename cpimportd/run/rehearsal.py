"""A rehearsal: imports the archived days again, with another configuration, into a separate database.

The books, 1C's server, the cache, the alerts and the daemon are not affected. Only the judging parts of the proposed
configuration are used (department, time zone, reader, guards). All other keys have defaults that contact no system.
"""

import asyncio
import logging
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import asyncpg
from pydantic import SecretStr

from cpimportd.books.database.connection import create_scratch, drop_scratch, opened
from cpimportd.books.database.embedded import EmbeddedPostgres, PostgresError
from cpimportd.books.reports.overview import Closings, PastRun, closings, past_runs
from cpimportd.books.schema.upgrade import require_current, upgrade
from cpimportd.config.settings import Database, Retry, Settings, Source
from cpimportd.core.catalog import CATALOG, Effect
from cpimportd.core.files import make_folder
from cpimportd.core.model import Kind, Progress, Unit, held_alone
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.rehearsed import Rehearsal, RehearsedRun, SumDiffers
from cpimportd.core.report import RunReport, RunStatus, UnitStatus
from cpimportd.core.spool_locks import temporary_folder
from cpimportd.core.system import uninterrupted, unusable
from cpimportd.run.pipeline import run_once
from cpimportd.run.request import RunRequest
from cpimportd.run.spool import ArchivedRun, archived_runs

logger = logging.getLogger(__name__)

_STAGE: Final = "rehearse"
_NAME: Final = "cpimportd rehearse"

_Past = tuple[PastRun, Closings]


async def rehearse(
    present: Settings, proposed: Settings, days: int | None, progress: Callable[[Progress], None]
) -> Rehearsal:
    """Go through the archived days by the proposed configuration, oldest first.

    Args:
        present: whose spool and books are looked at; both are only read.
        proposed: what is to be judged by.
        days: the latest so many; None takes all that the spool has.
        progress: called with how far it is.

    Raises:
        ProblemError: ``scratch-missing``; the spool or the database cannot be read.
    """
    try:
        archived = _latest(archived_runs(present.spool_directory), present, days)
    except FileNotFoundError:
        archived = ()
    except OSError as error:
        raise ProblemError(unusable(present.spool_directory, error)) from error
    past = await _past(present, archived)
    known = [run for run in archived if run.run in past]
    if not known:
        return Rehearsal((), None)
    async with scratch(present.database) as found:
        with temporary_folder("cpimportd-rehearsal-") as folder:
            settings = _only_what_judges(proposed, found.database, folder)
            await upgrade(found.database, department_id=proposed.department_id)
            stage = _Stage(settings, folder / "upload", progress)
            played = []
            for number, run in enumerate(known):
                progress(Progress(_STAGE, done=number, total=len(known)))
                played.append(await stage.play(run, past[run.run], _day(run, present)))
            progress(Progress(_STAGE, finished=True))
            return Rehearsal(tuple(played), found.place)


def _latest(archived: Sequence[ArchivedRun], present: Settings, days: int | None) -> tuple[ArchivedRun, ...]:
    if days is None:
        return tuple(archived)
    every = sorted({_day(run, present) for run in archived})
    return tuple(run for run in archived if _day(run, present) in every[-days:])


def _day(run: ArchivedRun, present: Settings) -> date:
    return run.began.astimezone(present.zone).date()


async def _past(present: Settings, archived: Sequence[ArchivedRun]) -> Mapping[int, _Past]:
    """What became of these runs, and what the books held after each."""
    async with (
        opened(present.database, application_name=_NAME) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await require_current(connection)
        found = await past_runs(connection, present.department_id, [run.run for run in archived])
        return {
            number: (run, await closings(connection, present.department_id, number)) for number, run in found.items()
        }


def _only_what_judges(proposed: Settings, database: Database, folder: Path) -> Settings:
    """Settings that reach no other system; a new key of the configuration has no effect until it is added here."""
    return Settings(
        department_id=proposed.department_id,
        timezone=proposed.timezone,
        state_directory=folder / "state",
        database=database,
        source=Source(stable_for=timedelta(0), max_file_size=proposed.source.max_file_size),
        retry=Retry(within=timedelta(0)),
        reader=proposed.reader,
        guards=proposed.guards,
    )


@dataclass(slots=True)
class _Stage:
    """Where the days are played, one after the other; ``held_…`` are the units that are held at this moment."""

    settings: Settings
    upload: Path
    progress: Callable[[Progress], None]
    first: bool = True
    held_then: set[str] = field(default_factory=set)
    held_now: set[str] = field(default_factory=set)

    async def play(self, archived: ArchivedRun, past: _Past, day: date) -> RehearsedRun:
        """Import an archived run's files, and compare with what became of them then."""
        try:
            await asyncio.to_thread(_lay_out, archived, self.upload)
        except OSError as error:  # no room, or a run has removed what was older than spool.keep meanwhile
            raise ProblemError(unusable(error.filename or self.upload, error)) from error
        request = RunRequest(
            from_folder=self.upload,
            only=frozenset(Kind(kind) for kind in archived.only),
            accepted=past[0].accepted,
            alone=archived.alone,
        )
        report = await run_once(self.settings, request, self.progress)
        compared = await self._compare(report, past, day)
        self.first = self.first and report.status is RunStatus.FAILED
        return compared

    async def _compare(self, report: RunReport, past: _Past, day: date) -> RehearsedRun:
        then, closed_then = past
        held = {unit.unit.name: unit.problems for unit in report.units if unit.status is UnitStatus.HELD}
        self.held_then = _updated(self.held_then, {name: held for name, (held, _) in then.units.items()})
        self.held_now = _updated(self.held_now, {unit.unit.name: unit.unit.name in held for unit in report.units})
        failed = report.status is RunStatus.FAILED
        return RehearsedRun(
            run=then.run,
            day=day,
            then=then.status,
            now=report.status.value,
            first=self.first,
            now_held={name: held[name] for name in sorted(held.keys() - self.held_then)},
            now_held_files={
                file.name: file.problems
                for file in report.files
                if held_alone(file.status.value, file.organizations) and file.name not in then.held_files
            },
            no_longer_held={} if failed else self._no_longer_held(then),
            sums=() if failed else await self._sums(report, closed_then),
            problems=report.problems if failed else (),
        )

    def _no_longer_held(self, then: PastRun) -> dict[str, tuple[str, ...]]:
        found = {}
        for name, (held, codes) in sorted(then.units.items()):
            # Before the first run nothing is in the books, so no guard has anything to compare with. Nor is an undo
            # played: what a guard said then of the files that had been undone, it said of other books than these.
            silent = (self.first or "undone" in codes) and _only_guards(codes)
            if held and name not in self.held_now and not silent:
                found[name] = codes
        return found

    async def _sums(self, report: RunReport, then: Closings) -> tuple[SumDiffers, ...]:
        if report.run is None:
            return ()
        async with opened(self.settings.database, application_name=_NAME) as connection:
            now = await closings(connection, self.settings.department_id, report.run)
        held = self.held_then | self.held_now
        return tuple(
            SumDiffers(organization, kind, then[organization, kind], now[organization, kind])
            for organization, kind in sorted(then.keys() & now.keys())
            if Unit(organization, kind.group).name not in held and then[organization, kind] != now[organization, kind]
        )


def _updated(held: set[str], units: Mapping[str, bool]) -> set[str]:
    """Which units are held after a run that judged these; a run of some kinds says nothing of the others."""
    return (held - units.keys()) | {name for name, now in units.items() if now}


def _only_guards(codes: Sequence[str]) -> bool:
    """Whether nothing but a guard, or another unit's hold, held the unit."""
    kinds = [CATALOG[code] for code in codes if code in CATALOG and code != "strict"]
    return all(kind.effect is not Effect.INTEGRITY for kind in kinds)


def _lay_out(run: ArchivedRun, folder: Path) -> None:
    """The folder as the server had it that day: the same names, contents and times."""
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    for file in run.files:
        path = folder / Path(file.name).name
        shutil.copyfile(file.path, path)
        if file.modified is not None:
            os.utime(path, (file.modified.timestamp(),) * 2)


@dataclass(frozen=True, slots=True)
class Scratch:
    """An empty database that nobody else uses.

    Attributes:
        database: how to get there.
        place: what it is, in words for people.
        remove: removes it.
    """

    database: Database
    place: str
    remove: Callable[[], Awaitable[object]]


@asynccontextmanager
async def scratch(books: Database) -> AsyncIterator[Scratch]:
    """An empty database for a while, beside the books or embedded.

    Raises:
        ProblemError: ``scratch-missing``: neither is to be had; those of ``connect``.
    """
    # Shielded: a Ctrl-C while it is being made must not leave it behind.
    making = asyncio.ensure_future(_make(books))
    try:
        yield await asyncio.shield(making)
    finally:
        await uninterrupted(_remove(making))


async def _make(books: Database) -> Scratch:
    beside = await create_scratch(books)
    if beside is not None:
        return Scratch(beside, "a database of its own beside the books", lambda: drop_scratch(books, beside))
    try:
        server = EmbeddedPostgres(fast=True)
        await asyncio.to_thread(server.start)
    except PostgresError as error:
        raise ProblemError(problem("scratch-missing", reason=error.phrase)) from error
    inside = Database(url=SecretStr(server.url()))
    return Scratch(inside, "an embedded PostgreSQL", lambda: asyncio.to_thread(server.stop))


async def _remove(making: "asyncio.Future[Scratch]") -> None:
    try:
        made = await making
    except Exception:  # noqa: BLE001 - whoever waits for it gets the error; there is nothing to remove
        return
    try:
        await made.remove()
    except (ProblemError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, PostgresError) as error:
        logger.warning("%s could not be removed: %s", made.place, error)
