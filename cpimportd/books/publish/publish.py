"""The steps of the publishing transaction in order: a whole day becomes visible in one COMMIT, or nothing does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace

import asyncpg

from cpimportd.books.database.obstacles import compare_written, naming_interference
from cpimportd.books.database.queries import sql
from cpimportd.books.journal import memory
from cpimportd.books.publish import account, facts, foreign, held, merge, notices, record, runs, stage
from cpimportd.books.publish.foreign import Foreign
from cpimportd.books.publish.plan import Publication, Published, Today
from cpimportd.books.publish.transaction import distrust_estimates, fence, in_one_transaction, lock_books
from cpimportd.books.publish.trial import HeldDifference, held_differences, may_be_accepted
from cpimportd.books.schema.rights import details_unique_index
from cpimportd.core.model import Figure, Unit
from cpimportd.core.problems import problem
from cpimportd.core.report import Bridge, FileStatus, UnitReport, UnitStatus, run_status
from cpimportd.core.unit_facts import UnitFacts
from cpimportd.core.verdicts import Judgement, UnitVerdict


async def publish(
    connection: asyncpg.Connection, publication: Publication, committing: Callable[[], None] = lambda: None
) -> Published:
    """Publish the units of a plan, or, where it has no run number, find out what that would do and roll it back.

    Args:
        connection: the run's own, holding the session lock, outside any transaction.
        publication: what to do.
        committing: called right before COMMIT: from here on the run is finished rather than stopped.

    Raises:
        ProblemError: nothing was published: the tables, the sums, or another process that took over.
        asyncpg.PostgresError: the database failed before COMMIT, or a lock did not come; nothing was published.
        CommitUncertainError: the connection was lost during COMMIT; ask :func:`runs.was_committed`.
    """
    async with naming_interference(connection):
        return await in_one_transaction(
            connection, lambda: _publish(connection, publication), committing, rehearsal=publication.run_id is None
        )


async def _publish(connection: asyncpg.Connection, publication: Publication) -> Published:
    run_id = publication.run_id
    if run_id is None:
        run_id = await runs.begin_rehearsal(connection, publication.department_id)
    await stage.create(connection, publication, run_id)
    snapshot_ids = await record.add_snapshots(connection, publication, run_id)
    judgements: Mapping[Unit, Judgement] = {}
    differences: Mapping[Unit, HeldDifference] = {}
    written: Mapping[Unit, Foreign] = {}
    units: tuple[UnitReport, ...] = ()
    if publication.units:
        await stage.fill(connection, publication, snapshot_ids)
    if (
        publication.units
        or await memory.foreign_writes(connection, publication.department_id) & publication.held.keys()
    ):
        await lock_books(connection, publication.department_id, run_id)
        journal = merge.Journal(connection)
        index = await details_unique_index(connection)
        concerned = publication.units.keys() | publication.held.keys()
        written = await foreign.correct(connection, journal, publication.department_id, concerned, index)
        if publication.units:
            await distrust_estimates(connection)
            judgements, differences = await _judge(connection, publication, written, index)
            publication = _with_old_names(publication, judgements)
            units = await _merge(connection, publication, journal, judgements, written)
    else:
        await fence(connection, run_id)
    staying = _held(publication, judgements, written)
    units = tuple(sorted([*units, *staying], key=lambda report: report.unit))
    await _mark_held(connection, publication, staying, written)
    files = _file_status(publication, units)
    status = run_status(units, files.values(), publication.problems)
    await record.set_status(connection, snapshot_ids, files)
    await record.add_units(connection, run_id, publication, units, snapshot_ids)
    await held.note(connection, publication.department_id, run_id, publication.today, units)
    await held.keep_differences(connection, publication.department_id, differences)
    logs = await record.add_import_logs(connection, publication, files)
    published = Published(status, units, files, logs)
    if published.changed_books:
        await notices.owe(connection, publication.department_id, run_id, publication.readers)
    await connection.execute(sql("runs", "notify"), publication.channel, str(run_id))
    await connection.execute(sql("runs", "conclude"), run_id, status.value)
    return published


async def settle(connection: asyncpg.Connection, department_id: int, run_id: int, today: Today) -> None:
    """The transaction of a run that found nothing new: what it saw is held no more, and goes by today's names.

    Args:
        connection: the run's own, outside any transaction.
        department_id: whose books.
        run_id: the run.
        today: what it saw.

    Raises:
        ProblemError: ``run-superseded``.
    """
    async with connection.transaction():
        await connection.execute(sql("runs", "serialize"), runs.LOCK_CLASS, department_id)
        await fence(connection, run_id)
        await held.note(connection, department_id, run_id, today, ())


async def _merge(
    connection: asyncpg.Connection,
    publication: Publication,
    journal: merge.Journal,
    judgements: Mapping[Unit, Judgement],
    written: Mapping[Unit, Foreign],
) -> tuple[UnitReport, ...]:
    """Write the difference of the units that stay in, and see that it adds up."""
    going_on = {unit: judgement for unit, judgement in judgements.items() if not judgement.held}
    await merge.merge(connection, journal, going_on)
    bridges = await account.bridges(connection)
    await compare_written(connection)
    await account.bridge_contracts(connection, foreign=bool(written))
    counts = await account.counts(connection)
    if written:
        counts = await foreign.counts(connection, counts)
    units = tuple(
        _unit_report(
            publication, judgement, counts.get(unit, account.Counts()), bridges, written.get(unit, Foreign(unit))
        )
        for unit, judgement in going_on.items()
    )
    units = _with_names_left(units, judgements, await merge.left_active(connection, going_on))
    unknown = [unit for unit, theirs in written.items() if unit in going_on and not theirs.known]
    await record.remember(connection, publication, units, unknown)
    return units


def _with_names_left(
    units: tuple[UnitReport, ...], judgements: Mapping[Unit, Judgement], left: frozenset[str]
) -> tuple[UnitReport, ...]:
    """Say of a renamed organization, once, that its old name stays in the backend's list of active ones."""
    told: set[str] = set()
    found = []
    for unit in units:
        judgement = judgements.get(unit.unit)
        old = None if judgement is None else judgement.renamed_from
        if old is not None and old in left - told:
            told.add(old)
            note = problem("old-name-active", organization=unit.unit.organization, value=old)
            found.append(replace(unit, problems=(*unit.problems, note)))
        else:
            found.append(unit)
    return tuple(found)


async def _judge(
    connection: asyncpg.Connection, publication: Publication, written: Mapping[Unit, Foreign], index: str | None
) -> tuple[Mapping[Unit, Judgement], Mapping[Unit, HeldDifference]]:
    """Let the guards judge how the snapshot stands to what we published; what they hold leaves the stage.

    Returns:
        The judgements, and what the held units would change; nothing of that in a dry run.
    """

    async def ask() -> tuple[Sequence[UnitFacts], dict[Unit, Judgement]]:
        gathered = await facts.gather(connection, publication.closed_before, index, publication.older)
        found = publication.judge(gathered)
        stuck = {unit: found.get(unit, Judgement()) for unit, foreign in written.items() if foreign.stuck}
        return gathered, {**found, **{unit: replace(judgement, stuck=True) for unit, judgement in stuck.items()}}

    await facts.compare(connection)
    gathered, judgements = await ask()
    if old_names := _old_names(judgements) - publication.units.keys():
        await facts.join(connection, old_names)
        gathered, judgements = await ask()
    for unit in publication.units:
        judgements.setdefault(unit, Judgement())
    differences: dict[Unit, HeldDifference] = {}
    if publication.run_id is not None and publication.judge_if_accepted is not None:
        acceptable = [unit for unit, judgement in judgements.items() if may_be_accepted(judgement)]
        accepted = publication.judge_if_accepted(gathered, acceptable) if acceptable else {}
        for unit, found in (await held_differences(connection, publication.run_id, judgements, accepted)).items():
            if isinstance(found, HeldDifference):
                differences[unit] = found
            else:
                judgements[unit] = replace(judgements[unit], problems=(*judgements[unit].problems, found))
    await facts.forget(connection, [unit for unit, judgement in judgements.items() if judgement.held])
    await facts.mark_accepted(connection, [unit for unit, judgement in judgements.items() if judgement.accepted])
    staying = {
        unit: judgement for unit, judgement in judgements.items() if unit in publication.units or not judgement.held
    }
    return staying, differences


def _old_names(judgements: Mapping[Unit, Judgement]) -> set[Unit]:
    """Units without a file whose documents come under another name now: what is left of them goes with the renaming."""
    return {
        Unit(judgement.renamed_from, unit.group)
        for unit, judgement in judgements.items()
        if judgement.renamed_from is not None
    }


def _with_old_names(publication: Publication, judgements: Mapping[Unit, Judgement]) -> Publication:
    """An organization that goes on under another name comes to its end under the old one, and is waited for no more."""
    ended = {unit: UnitVerdict(unit, frozenset()) for unit in judgements.keys() - publication.units.keys()}
    held = {unit: problems for unit, problems in publication.held.items() if unit not in ended}
    return replace(publication, units={**publication.units, **ended}, held=held)


def _unit_report(
    publication: Publication,
    judgement: Judgement,
    counts: account.Counts,
    bridges: Mapping[tuple[Figure, str], Bridge],
    foreign: Foreign,
) -> UnitReport:
    unit = foreign.unit
    plan = publication.units[unit]
    told = (*plan.problems, *judgement.problems, *foreign.problems(publication.run_id))
    return UnitReport(
        unit=unit,
        status=UnitStatus.PUBLISHED,
        bridges=tuple(foreign.in_bridge(bridges[figure, unit.organization]) for figure in unit.group.figures),
        problems=told,
        foreign=foreign.of_opening,
        accepted=(*plan.accepted, *judgement.accepted),
        **asdict(counts),
    )


def _held(
    publication: Publication, judgements: Mapping[Unit, Judgement], written: Mapping[Unit, Foreign]
) -> list[UnitReport]:
    """Units that stay out, by the integrity checks or by the guards; what somebody else wrote to them does not stay."""
    late = {unit: judgement.problems for unit, judgement in judgements.items() if judgement.held}
    reports = []
    for unit, problems in {**publication.held, **late}.items():
        theirs = written.get(unit, Foreign(unit))
        told = (*problems, *theirs.problems(publication.run_id, held=True))
        put_right = theirs.documents - theirs.stuck
        reports.append(
            UnitReport(unit=unit, status=UnitStatus.HELD, put_right=put_right, problems=told, foreign=theirs.of_opening)
        )
    return reports


async def _mark_held(
    connection: asyncpg.Connection,
    publication: Publication,
    held: Sequence[UnitReport],
    written: Mapping[Unit, Foreign],
) -> None:
    """Of units that stay out, the rows are ours again; where they are not, the next run shall look once more."""
    ours = [
        report.unit for report in held
        if (theirs := written.get(report.unit)) is not None and theirs.known and not theirs.stuck
    ]  # fmt: skip
    if ours:
        await record.mark(connection, publication.department_id, ours)


def _file_status(publication: Publication, units: tuple[UnitReport, ...]) -> dict[int, FileStatus]:
    """A file is held if any unit that it belongs to is; what is wrong with it, or with its partner, says the report."""
    held = {report.unit for report in units if report.status is UnitStatus.HELD}
    status: dict[int, FileStatus] = {}
    for file_no, plan in publication.files.items():
        own = {Unit(organization, plan.kind.group) for organization in plan.organizations} if plan.kind else set()
        if plan.ignored:
            status[file_no] = FileStatus.IGNORED
        elif own & held or not own & set(publication.units):
            status[file_no] = FileStatus.HELD
        else:
            status[file_no] = FileStatus.PUBLISHED
    return status
