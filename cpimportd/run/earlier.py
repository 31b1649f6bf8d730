"""What today's workbooks have to do with those of earlier days: the books are asked, the guards judge."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo

import asyncpg

from cpimportd.books.journal import memory
from cpimportd.checks.earlier import Earlier
from cpimportd.config.settings import Settings
from cpimportd.core.model import Content, Served, Snapshot, Unit
from cpimportd.core.problems import Problem, problem
from cpimportd.core.time import day
from cpimportd.core.verdicts import Verdict


async def earlier(
    connection: asyncpg.Connection,
    settings: Settings,
    snapshots: Sequence[Snapshot],
    verdict: Verdict,
    served: Sequence[Served],
    *,
    undone: Mapping[Unit, int],
) -> Mapping[Unit, Earlier]:
    """Of each unit: which of its workbooks were published before and superseded, and which came no more.

    Args:
        connection: any.
        settings: the effective settings.
        snapshots: today's workbooks.
        verdict: of the integrity checks.
        served: what the books serve.
        undone: units whose workbooks of today a human has undone: they are refused for that.
    """
    changed = [snapshot for snapshot in snapshots if snapshot.digest and not snapshot.unchanged]
    contents = {snapshot.content for snapshot in changed}
    superseded = await memory.superseded(connection, settings.department_id, contents) if contents else {}
    found = {}
    for unit, judged in verdict.units.items():
        own = [snapshot for snapshot in changed if snapshot.file_no in judged.file_nos and unit not in undone]
        serving = [
            Content(entry.digest, entry.sha256)
            for entry in served
            if (entry.organization, entry.kind.group) == (unit.organization, unit.group)
        ]
        older = tuple(
            _older(unit, snapshot, known, settings.zone)
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
