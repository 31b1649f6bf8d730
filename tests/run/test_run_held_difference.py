"""What a held unit would change is kept while it is held, and is what its acceptance changes."""

import pytest

from cpimportd.books.database.connection import connect
from cpimportd.books.database.queries import at_one_moment
from cpimportd.books.journal.diff import diff, movements
from cpimportd.books.publish.held import held_difference, held_documents, held_units
from cpimportd.core.model import Group, Unit
from tests.support.run.workbooks import shrink

UNIT = Unit("ЛОТОС ООО", Group.RECEIPTS)


async def asked(workplace, work):
    connection = await connect(workplace.settings.database)
    try:
        async with at_one_moment(connection):
            return await work(connection)
    finally:
        await connection.close()


async def kept(workplace, unit=UNIT):
    """The numbers and the documents of a held unit's difference."""

    async def work(connection):
        found = await held_difference(connection, 8, unit)
        documents = [one async for one in held_documents(connection, 8, unit)]
        return found, documents

    return await asked(workplace, work)


async def of_run(workplace, run, unit=UNIT):
    async def work(connection):
        found = await diff(connection, run, organization=unit.organization, group=unit.group)
        return found, [one async for one in movements(connection, found)]

    return await asked(workplace, work)


async def hold(workplace):
    workplace.sample("day1")
    await workplace.run()
    shrink(workplace.file("Lotos - Postuplenie"), keep=20)
    return await workplace.run()


@pytest.mark.asyncio
async def test_what_is_shown_before_is_what_acceptance_changes(workplace):
    report = await hold(workplace)
    (found, count), documents = await kept(workplace)
    assert count == len(documents) == found.total > 0
    assert (found.run, found.status) == (report.run, "held")
    accepted = await workplace.run(accepted=(UNIT.name,))
    after, changed = await of_run(workplace, accepted.run)
    assert found.movements == after.movements
    assert [(one.organization, one.kind, one.added, one.removed, one.changed) for one in found.sums] == [
        (one.organization, one.kind, one.added, one.removed, one.changed) for one in after.sums
    ]
    assert [one.bridge.closing for one in found.sums] == [one.bridge.closing for one in after.sums]
    assert not found.unexplained
    told = [(one.what, one.key, one.amount_before, one.amount_after, one.differences) for one in documents]
    assert told == [(one.what, one.key, one.amount_before, one.amount_after, one.differences) for one in changed]
    assert (await kept(workplace)) == (None, [])
    assert await asked(workplace, lambda connection: held_units(connection, 8)) == []


@pytest.mark.asyncio
async def test_holding_a_unit_leaves_no_trace_of_its_trial(workplace):
    report = await hold(workplace)

    async def work(connection):
        runs = [row["id"] for row in await connection.fetch("SELECT id FROM cpimportd.runs ORDER BY id")]
        journal = await connection.fetchval("SELECT count(*) FROM cpimportd.change WHERE run_id = $1", report.run)
        return runs, journal, await connection.fetchval("SELECT max(first_run) FROM cpimportd.lineage")

    assert await asked(workplace, work) == ([report.run - 1, report.run], 0, report.run - 1)
    again = await workplace.run()
    assert again.run == report.run + 1
