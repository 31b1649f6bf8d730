"""Checks whether today's workbooks may be trusted, alone and compared with earlier days.

If expenses and details were exported at different hours, the run may wait for the rest of the upload.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

import asyncpg

from cpimportd.books.journal import memory
from cpimportd.checks.guards import Earlier
from cpimportd.checks.integrity import integrity
from cpimportd.core.catalog import Effect
from cpimportd.core.formatting import day
from cpimportd.core.model import Kind, Progress, Unit
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.verdicts import UnitVerdict, Verdict
from cpimportd.core.waiting import Wait, waiting
from cpimportd.core.workbooks import Content, MissedFile, Snapshot
from cpimportd.run.reading import ReadFiles
from cpimportd.run.request import Run
from cpimportd.source.fetch import open_source

logger = logging.getLogger(__name__)

LOOK_AGAIN: Final = 30.0
"""Seconds between two looks at a server where expenses and details do not match yet."""

_NO_MATCH: Final = "expenses and details do not match yet, and were uploaded a moment ago"


@dataclass(frozen=True, slots=True)
class Intake:
    """What today's files say, and what is thought of it.

    Attributes:
        read: the files.
        verdict: of the integrity checks.
        undone: units whose files of today are those that a human has undone, with the run that was undone.
        earlier: what workbooks of earlier days have to do with those of today.
        missed: workbooks that the source listed and that were not fetched.
    """

    read: ReadFiles
    verdict: Verdict
    undone: Mapping[Unit, int] = field(default_factory=dict)
    earlier: Mapping[Unit, Earlier] = field(default_factory=dict)
    missed: tuple[MissedFile, ...] = ()

    @property
    def nothing_new(self) -> bool:
        """Every unit is what the books serve already, and nothing is held, not even a file that was not fetched."""
        verdict = self.verdict
        return all(unit.unchanged for unit in verdict.units.values()) and not verdict.anything_held

    def snapshots(self, unit: Unit) -> tuple[Snapshot, ...]:
        """The workbooks that a unit is made of today, whether it is right or held."""
        return tuple(self.read.snapshots[file_no] for file_no in sorted(self.verdict.units[unit].file_nos))

    def contents(self, unit: Unit) -> tuple[Content, ...]:
        """What is in them."""
        return tuple(snapshot.content for snapshot in self.snapshots(unit))

    def require_upload(self, after: datetime, zone: tzinfo) -> None:
        """Whether it is worth going on: something can be published, or 1C has uploaded something, be it the same again.

        Args:
            after: when the newest workbook was uploaded that is known already.
            zone: in which that instant is shown.

        Raises:
            ProblemError: ``upload-missing``.
        """
        publishable = any(not unit.unchanged and not unit.held for unit in self.verdict.units.values())
        uploads = (snapshot.file.modified for snapshot in self.read.snapshots)
        if not publishable and not any(uploaded is not None and uploaded > after for uploaded in uploads):
            raise ProblemError(problem("upload-missing", value=after.astimezone(zone)))

    def require_files(self, accepted: Mapping[str, Sequence[Content]]) -> None:
        """Whether today's files are those that a human has seen and accepted, unit by unit.

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


async def check_workbooks(
    run: Run, connection: asyncpg.Connection, read: ReadFiles, missed: tuple[MissedFile, ...]
) -> Intake:
    """Decide about every file and unit, before they are compared with the books.

    Args:
        run: whose files these are.
        connection: any.
        read: the workbooks.
        missed: those that were listed and not fetched.

    Raises:
        ProblemError: ``nothing-to-import``.
    """
    request = run.request
    run.progress(Progress("check"))
    verdict = integrity(
        read.snapshots,
        read.served,
        known_expenses=read.known_expenses,
        similar_expenses=read.similar_expenses,
        fetch_problems=[one.why for one in missed],
        only=request.only,
        strict=request.is_strict(run.settings) and not request.alone,
        accepted=frozenset(request.accepted),
    )
    if request.alone:
        verdict = replace(verdict, units={unit: found for unit, found in verdict.units.items() if found.file_nos})
    run.progress(Progress("check", finished=True))
    if not verdict.units and not verdict.anything_held:
        raise ProblemError(_nothing_to_import(run, len(read.snapshots)))
    undone = {
        unit: found.undone_run
        for unit, found in (await memory.undone(connection, run.settings.department_id)).items()
        if unit in verdict.units
        and {read.snapshots[file_no].digest for file_no in verdict.units[unit].file_nos} <= found.digests
    }
    intake = Intake(read, verdict, undone, missed=missed)
    return replace(intake, earlier=await _earlier(run, connection, intake))


def _nothing_to_import(run: Run, files: int) -> Problem:
    """Nobody's documents came and none ever did: such a run has seen nothing, which is no success."""
    place = open_source(run.settings.source)
    kinds = [kind.value for kind in Kind if kind.group in run.request.groups]
    return problem("nothing-to-import", server=place.label, folder=place.folder, count=files, kinds=kinds)


async def _earlier(run: Run, connection: asyncpg.Connection, intake: Intake) -> Mapping[Unit, Earlier]:
    """Of each unit: which of its workbooks were published before and superseded, and which came no more.

    Units whose workbooks of today a human has undone are held for that.
    """
    changed = [snapshot for snapshot in intake.read.snapshots if snapshot.digest and not snapshot.unchanged]
    contents = {snapshot.content for snapshot in changed}
    superseded = await memory.superseded(connection, run.settings.department_id, contents) if contents else {}
    found = {}
    for unit, judged in intake.verdict.units.items():
        own = [snapshot for snapshot in changed if snapshot.file_no in judged.file_nos and unit not in intake.undone]
        serving = [
            Content(entry.digest, entry.sha256)
            for entry in intake.read.served
            if (entry.organization, entry.kind.group) == (unit.organization, unit.group)
        ]
        older = tuple(
            _older(unit, snapshot, known, run.settings.zone)
            for snapshot in own
            if not snapshot.content.among(serving)
            and (known := _latest(snapshot, superseded.get(unit, ()))) is not None
        )
        if older or judged.gone:
            found[unit] = Earlier(older, judged.gone)
    return found


def _latest(snapshot: Snapshot, superseded: Sequence[memory.Superseded]) -> memory.Superseded | None:
    """The last time that a content was published; it may be known by several digests of the same bytes."""
    known = [one for one in superseded if snapshot.content.among((one.content,))]
    return max(known, key=lambda one: one.run, default=None)


def _older(unit: Unit, snapshot: Snapshot, known: memory.Superseded, zone: tzinfo) -> Problem:
    return problem(
        "older-file",
        file=snapshot.file.name,
        organization=unit.organization,
        unit=unit.name,
        run=known.run,
        day=day(known.at, zone),
        later=known.later,
    )


async def other_half_expected(run: Run, intake: Intake, remaining: float) -> bool:
    """Whether the server is looked at again, after a while: the rest of an upload may be on its way.

    Expenses and details that were exported at different hours do not match; only where that is all that is wrong, the
    upload is fresh, and the caller wants to wait.

    Args:
        run: which run.
        intake: what it found so far.
        remaining: seconds of ``retry.within`` that are left.
    """
    if remaining <= 0 or not _upload_under_way(intake, run.settings.retry.within):
        return False
    if not run.request.waits:
        logger.warning("%s; `cpimportd run --wait` waits for the other half", _NO_MATCH)
        return False
    seconds = min(LOOK_AGAIN, remaining)
    logger.warning("%s: looking again in %.0f s, for at most %.0f s more", _NO_MATCH, seconds, remaining)
    now = datetime.now(UTC)
    again, until = now + timedelta(seconds=seconds), now + timedelta(seconds=remaining)
    with waiting(Wait("other-half", "expenses and details do not match yet", again, until)):
        await asyncio.sleep(seconds)
    return True


def _upload_under_way(intake: Intake, within: timedelta) -> bool:
    """Whether the only fault is that two exports do not match yet, and 1C uploaded a moment ago, at different times."""
    held = [unit for unit in intake.verdict.units.values() if unit.held and not _only_strict(unit)]
    if not held or not all(unit.exports_disagree for unit in held):
        return False
    files = [snapshot.file for one in held for snapshot in intake.snapshots(one.unit)]
    times = {file.modified for file in files if file.modified is not None}
    return len(times) > 1 and datetime.now(UTC) - max(times) < within


def _only_strict(unit: UnitVerdict) -> bool:
    """Whether the unit is right in itself, and held only because another one is."""
    return all(found.code == "strict" or found.effect is Effect.WARNS for found in unit.problems)
