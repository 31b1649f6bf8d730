"""What a held unit would change is kept while it is held, and is what its acceptance changes."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from python_calamine import load_workbook

from cpimportd.books.database.connection import connect
from cpimportd.books.database.queries import at_one_moment
from cpimportd.books.journal.diff import diff, movements
from cpimportd.books.publish.held import held_units
from cpimportd.books.reports.decisions import decisions, held_documents
from cpimportd.core.model import Group, Unit
from cpimportd.core.report import RunStatus
from cpimportd.demo.workbook import write_workbook
from cpimportd.run.undoing import undo_once
from tests.support.run.terminal import answered
from tests.support.run.workbooks import aged, hold_a_unit, rename, rows_of, shrink

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
        (one,) = await decisions(connection, 8, [unit.name])
        documents = [movement async for movement in held_documents(connection, 8, unit)]
        return (one.difference, one.kept), documents

    return await asked(workplace, work)


async def of_run(workplace, run, unit=UNIT):
    async def work(connection):
        found = await diff(connection, run, organization=unit.organization, group=unit.group)
        return found, [one async for one in movements(connection, found)]

    return await asked(workplace, work)


@pytest.mark.asyncio
async def test_what_is_shown_before_is_what_acceptance_changes(workplace):
    report = await hold_a_unit(workplace)
    (found, count), documents = await kept(workplace)
    assert count == len(documents) == found.total == 20
    assert (found.run, found.status) == (report.run, "held")
    closings = [one.bridge.closing for one in found.sums]
    (now,) = await same_as_accepted(workplace, UNIT.name)
    assert [one.bridge.closing for one in now.sums] == closings
    assert await asked(workplace, lambda connection: held_units(connection, 8)) == []


@pytest.mark.asyncio
async def test_holding_a_unit_leaves_no_trace_of_its_trial(workplace):
    report = await hold_a_unit(workplace)

    async def work(connection):
        runs = [row["id"] for row in await connection.fetch("SELECT id FROM cpimportd.runs ORDER BY id")]
        journal = await connection.fetchval("SELECT count(*) FROM cpimportd.change WHERE run_id = $1", report.run)
        return runs, journal, await connection.fetchval("SELECT max(first_run) FROM cpimportd.lineage")

    assert await asked(workplace, work) == ([report.run - 1, report.run], 0, report.run - 1)
    again = await workplace.run()
    assert again.run == report.run + 1


@pytest.mark.asyncio
async def test_a_user_sees_what_would_change_before_he_is_asked(workplace):
    report = await hold_a_unit(workplace)
    refused = workplace.command("accept", UNIT.name)
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    before = workplace.books
    code, said = answered(workplace, b"n\n", "accept", UNIT.name)
    assert (code, workplace.books) == (1, before)
    for wanted in ("shrunk", "Would be removed: 20", "Поступление на расчетный счет", "Nothing was published"):
        assert wanted in said
    code, said = answered(workplace, b"y\n", "accept", UNIT.name)
    assert code == 0, said
    assert workplace.books["receipts"] == before["receipts"] - 20
    gone = workplace.command("diff", str(report.run), "--held")
    assert (gone.returncode, "there is no held unit" in gone.stderr) == (2, True)


@pytest.mark.asyncio
async def test_diff_shows_held_units_as_text_json_and_workbook(workplace, tmp_path):
    report = await hold_a_unit(workplace)
    run = str(report.run)
    text = workplace.command("diff", run, "--held", UNIT.name).stdout
    assert "Would be removed: 20" in text
    (one,) = json.loads(workplace.command("diff", run, "--held", "--json").stdout)["held"]
    removed = [Decimal(document["amount_before"]) for document in one["documents"]]
    (sums,) = (total for total in one["difference"]["sums"] if total["kind"] == "receipts")
    assert (one["unit"], one["kept"], len(removed)) == (UNIT.name, 20, 20)
    assert Decimal(sums["removed"]) == sum(removed)
    assert Decimal(sums["opening"]) - Decimal(sums["closing"]) == sum(removed)
    file = tmp_path / "held.xlsx"
    assert workplace.command("diff", run, "--held", UNIT.name, "--xlsx", str(file)).returncode == 0
    sheet = load_workbook(str(file)).get_sheet_by_name("Удалено").to_python()
    assert len(sheet) == 21
    other = workplace.command("diff", str(report.run - 1), "--held")
    assert (other.returncode, "--held" in other.stderr) == (2, True)


@pytest.mark.asyncio
async def test_of_what_nobody_can_accept_the_rows_that_were_not_read_are_shown(workplace):
    workplace.sample("day1")
    await workplace.run()
    file = workplace.file("Lotos - Postuplenie")
    titles, rows = rows_of(file)
    amount = titles.index("Сумма")
    total = sum(row[amount] for row in rows)
    rows[3][amount], rows[7][amount] = "много", "не знаю"
    write_workbook(file, titles, rows, {"Сумма": total})
    aged(file)
    report = await workplace.run()
    shown = workplace.command("diff", str(report.run), "--held", UNIT.name)
    assert shown.returncode == 0, shown.stderr
    assert "Nobody can accept it" in shown.stdout
    for wanted in ("row 5", "много", "row 9", "не знаю"):
        assert wanted in shown.stdout


def told(documents):
    return [
        (one.what, one.key, one.was, one.organization_before, one.amount_before, one.amount_after, one.differences)
        for one in documents
    ]


async def same_as_accepted(workplace, *names):
    """What is kept of held units, and that their acceptance changes just that."""
    units = [Unit(organization, Group(group)) for organization, group in (name.split("/") for name in names)]
    before = [await kept(workplace, unit) for unit in units]
    accepted = await workplace.run(accepted=names)
    assert accepted.code == 0, accepted.all_problems
    for unit, ((found, count), documents) in zip(units, before, strict=True):
        after, changed = await of_run(workplace, accepted.run, unit)
        assert count == found.total == after.total
        assert told(documents) == told(changed)
        assert [replace(one, bridge=None) for one in found.sums] == [replace(one, bridge=None) for one in after.sums]
        assert not found.unexplained
    return [found for (found, _), _ in before]


@pytest.mark.asyncio
async def test_an_organization_that_goes_on_under_another_name(workplace):
    workplace.sample("day1")
    await workplace.run()
    rename(workplace.file("Lotos - Postuplenie"), changed=True)
    rename(workplace.file("Lotos - Spisanie kredity"))
    await workplace.run()
    receipts, expenses = await same_as_accepted(workplace, "ЛОТОС ПЛЮС ООО/receipts", "ЛОТОС ПЛЮС ООО/expenses")
    assert (receipts.moved, expenses.moved) == (39, 200)


@pytest.mark.asyncio
async def test_what_an_undo_took_back(workplace):
    workplace.sample("day1")
    await workplace.run()
    workplace.sample("day2")
    second = await workplace.run()
    await undo_once(workplace.settings, second.run)
    await workplace.run()
    held = [one.unit.name for one in await asked(workplace, lambda connection: held_units(connection, 8))]
    assert held
    await same_as_accepted(workplace, *held)


@pytest.mark.asyncio
async def test_a_table_that_takes_no_trial_costs_the_difference_and_nothing_else(workplace, sql):
    workplace.sample("day1")
    await workplace.run()
    sql(
        workplace.url,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'keep it'; END $$",
    )
    sql(
        workplace.url,
        "CREATE TRIGGER refuse BEFORE DELETE ON fin_receipts FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    workplace.sample("day2")
    shrink(workplace.file("Lotos - Postuplenie"), keep=20)
    report = await workplace.run()
    assert report.status is RunStatus.PARTIAL
    (found,) = (one for one in report.all_problems if one.code == "difference-unknown")
    assert "keep it" in found.message
    shown = workplace.command("diff", str(report.run), "--held", UNIT.name)
    assert (shown.returncode, "not known" in shown.stdout) == (0, True)
