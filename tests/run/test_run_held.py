"""What is held now is one table: everybody who is asked says the same, whatever ran since and however it came about."""

import json
import shutil

import pytest

from cpimportd.books.database.connection import connect
from cpimportd.books.publish.held import held_units, to_accept
from cpimportd.books.reports.alerts import wrong_now
from cpimportd.books.reports.health import health
from cpimportd.core.model import Kind
from cpimportd.core.problems import ProblemError
from cpimportd.core.report import RunStatus
from cpimportd.daemon.messages import RunResult
from cpimportd.demo.workbook import write_workbook
from cpimportd.render.progress import messages_of_report
from cpimportd.run.undoing import undo_once
from tests.support.run.workbooks import hold_a_unit, rows_of, shrink

UNIT = "ЛОТОС ООО/receipts"


async def asked(workplace, question, *arguments):
    connection = await connect(workplace.settings.database)
    try:
        return await question(connection, 8, *arguments)
    finally:
        await connection.close()


async def told(workplace):
    """What each of those who read the books says is held."""
    units = await asked(workplace, held_units)
    wrong = [one for one in await asked(workplace, wrong_now) if one.is_unit]
    run_with_notifications = (await asked(workplace, health)).held
    answers = [
        [one.unit.name for one in units],
        [one.subject for one in wrong],
        [one.unit.name for one in run_with_notifications],
    ]
    assert [one.codes for one in units] == [one.codes for one in run_with_notifications]
    assert [one.state for one in units] == [one.state for one in wrong]
    assert [one.since for one in units] == [one.since for one in wrong]
    assert answers[0] == answers[1] == answers[2]
    return answers[0]


def heard(report):
    """What the daemon hears of a run."""
    (result,) = (one for one in messages_of_report(report) if isinstance(one, RunResult))
    return result.held


@pytest.mark.asyncio
async def test_a_unit_stays_held_through_any_number_of_runs_of_another_kind(workplace):
    report = await hold_a_unit(workplace)
    before = await asked(workplace, held_units)
    for _ in range(25):
        last = await workplace.run(only=frozenset({Kind.EXPENSES}))
        assert last.status is RunStatus.UNCHANGED
    assert await asked(workplace, held_units) == before
    assert await told(workplace) == [UNIT] == list(heard(last))
    assert before[0].run == report.run
    (accepted,) = await asked(workplace, to_accept, [UNIT])
    assert accepted.contents == before[0].contents
    assert len((await asked(workplace, health)).files) == 6  # nor is any workbook forgotten
    answer = workplace.command("check", "--nagios")
    assert (answer.returncode, UNIT in answer.stdout) == (1, True)
    assert workplace.command("accept").stdout.splitlines() == [UNIT]


@pytest.mark.asyncio
async def test_since_when_it_is_held_stays_and_why_is_the_latest(workplace):
    await hold_a_unit(workplace)
    (first,) = await asked(workplace, held_units)
    assert (first.codes, first.since_run, len(first.contents)) == (("shrunk",), 2, 1)
    workplace.file("Lotos - Postuplenie").write_bytes(b"no workbook")
    await workplace.run()
    (second,) = await asked(workplace, held_units)
    assert (second.run, second.since_run, second.since) == (3, 2, first.since)
    assert second.codes != first.codes
    workplace.sample("day1")
    await workplace.run()
    assert await told(workplace) == []
    shrink(workplace.file("Lotos - Postuplenie"), keep=20)
    await workplace.run()
    (again,) = await asked(workplace, held_units)
    assert (again.since_run, again.since > first.since) == (5, True)


@pytest.mark.asyncio
async def test_neither_a_dry_run_nor_one_that_fails_says_what_is_held(workplace):
    await hold_a_unit(workplace)
    before = await asked(workplace, held_units)
    workplace.sample("day1")
    assert (await workplace.run(dry_run=True)).status is RunStatus.DRY_RUN
    assert await asked(workplace, held_units) == before
    shutil.rmtree(workplace.upload)
    assert (await workplace.run()).status is RunStatus.FAILED
    assert await asked(workplace, held_units) == before
    workplace.upload.mkdir()
    workplace.sample("day1")
    workplace.file("Severnaya - Postuplenie").write_bytes(b"no workbook")
    assert (await workplace.run(dry_run=True)).code == 3
    assert await asked(workplace, held_units) == before


@pytest.mark.asyncio
async def test_an_accept_clears_it_everywhere_at_once(workplace):
    await hold_a_unit(workplace)
    workplace.command("run")  # who watches over runs notes it for the alerts, too
    assert workplace.sql(workplace.url, "SELECT subject FROM cpimportd.condition")[0][0] == UNIT
    assert workplace.command("accept", UNIT, "--yes").returncode == 0
    assert await told(workplace) == []
    assert not workplace.sql(workplace.url, "SELECT * FROM cpimportd.condition")
    assert workplace.command("accept").stdout == "no unit is held\n"
    assert workplace.command("check", "--nagios").returncode == 0
    for verb in ("alerts", "report"):
        assert "Nothing is wrong" in workplace.command(verb).stdout


@pytest.mark.asyncio
async def test_what_runs_held_that_nobody_watched_over_is_told_by_every_verb(workplace):
    await hold_a_unit(workplace)  # as the demo imports: no alerts, no daemon
    for verb in ("alerts", "report"):
        assert UNIT in workplace.command(verb).stdout, verb
        (wrong,) = json.loads(workplace.command(verb, "--json").stdout)["wrong"]
        assert (wrong["subject"], wrong["state"], wrong["run"]) == (UNIT, "held: shrunk", 2)
    found = json.loads(workplace.command("accept", "--json").stdout)
    assert (found["held"], found["units"][0]["problems"][0]["code"]) == ([UNIT], "shrunk")


@pytest.mark.asyncio
async def test_what_is_undone_is_held_at_once_and_no_more_when_the_undo_is_undone(workplace):
    workplace.sample("day1")
    await workplace.run()
    workplace.sample("day2")
    second = await workplace.run()
    report = await undo_once(workplace.settings, second.run)
    undone = [unit.unit.name for unit in report.units]
    assert await told(workplace) == undone == list(heard(report))
    assert {(one.codes, one.run, one.undone_run) for one in await asked(workplace, held_units)} == {
        (("undone",), report.run, second.run)
    }
    back = await undo_once(workplace.settings, report.run)
    assert await told(workplace) == [] == list(heard(back))


@pytest.mark.asyncio
async def test_a_unit_that_was_held_when_its_books_were_put_back_stays_held_for_that(workplace):
    workplace.sample("day1")
    await workplace.run()
    workplace.sample("day2")
    shrink(workplace.file("Lotos - Postuplenie"), keep=39)
    second = await workplace.run()
    shrink(workplace.file("Lotos - Postuplenie"), keep=20)
    await workplace.run()
    (before,) = await asked(workplace, held_units)
    undo = await undo_once(workplace.settings, second.run)
    held = {one.unit.name: one for one in await asked(workplace, held_units)}
    assert (held[UNIT].codes, held[UNIT].undone_run) == (("shrunk",), second.run)
    assert len(held) > 1
    await undo_once(workplace.settings, undo.run)
    assert await asked(workplace, held_units) == [before]


@pytest.mark.asyncio
async def test_an_undo_taken_back_after_a_run_held_its_units_leaves_none_of_them_held(workplace):
    workplace.sample("day1")
    await workplace.run()
    workplace.sample("day2")
    second = await workplace.run()
    undo = await undo_once(workplace.settings, second.run)
    assert (await workplace.run()).code == 3
    assert {one.codes for one in await asked(workplace, held_units)} == {("undone",)}
    await undo_once(workplace.settings, undo.run)
    assert await told(workplace) == []


@pytest.mark.asyncio
async def test_what_no_file_names_and_nothing_serves_is_held_no_more_where_every_file_was_seen(workplace):
    workplace.sample("day1")
    file = workplace.file("Lotos - Postuplenie")
    titles, rows = rows_of(file)
    rows[0][titles.index("Сумма")] = "сто"
    write_workbook(file, titles, rows, {"Сумма": 1.0})
    assert UNIT in [unit.unit.name for unit in (await workplace.run()).units if unit.status == "held"]
    file.unlink()
    nobodys = workplace.upload / "Postuplenie other.xlsx"
    nobodys.write_bytes(b"no workbook")
    await workplace.run()
    assert await told(workplace) == [UNIT]  # it may be what cannot be read
    nobodys.unlink()
    await workplace.run()
    assert await told(workplace) == []


@pytest.mark.asyncio
async def test_an_organization_that_ended_is_held_no_more(workplace):
    workplace.sample("day1")
    await workplace.run()
    for part in ("Postuplenie", "Spisanie kredity", "Spisanie(rasshifrovka)"):
        workplace.file(f"Lotos - {part}").unlink()
    units = ("ЛОТОС ООО/expenses", UNIT)
    await workplace.run()
    assert await told(workplace) == list(units)
    seen = {one.unit.name: one.contents for one in await asked(workplace, to_accept, units)}
    assert seen == dict.fromkeys(units, ())
    report = await workplace.run(accepted=units, accepted_files=seen)
    assert report.status is RunStatus.PUBLISHED, report.all_problems
    assert await told(workplace) == [] == list(heard(report))


@pytest.mark.asyncio
async def test_a_lost_journal_of_reports_takes_nothing_with_it(workplace):
    await hold_a_unit(workplace)
    workplace.sql(workplace.url, "UPDATE cpimportd.runs SET report = NULL")
    assert await told(workplace) == [UNIT]


@pytest.mark.asyncio
async def test_a_run_asked_for_by_number_is_one_that_held_it(workplace):
    await hold_a_unit(workplace)
    with pytest.raises(ProblemError, match="run 1 did not hold it"):
        await asked(workplace, to_accept, [UNIT], 1)
    (found,) = await asked(workplace, to_accept, [UNIT], 2)
    assert found.run == 2
