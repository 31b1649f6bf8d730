"""What only a human may decide: taking a run back, accepting what was held, changing a closed period."""

import json
from datetime import date
from decimal import Decimal

import pytest

from cpimportd.books.database.connection import connect
from cpimportd.books.journal.movements import What
from cpimportd.books.publish.held import held_units, to_accept
from cpimportd.config.settings import Guards
from cpimportd.core.problems import ProblemError
from cpimportd.core.report import RunStatus
from cpimportd.run.undoing import undo_once
from tests.support.books.whole_diff import diff
from tests.support.run.workbooks import rename, shrink

UNIT = "ЛОТОС ООО/receipts"
AMOUNTS = ("receipts", "expenses", "details", "receipts_sum", "expenses_sum", "details_sum")


def amounts(workplace):
    return {name: value for name, value in workplace.books.items() if name in AMOUNTS}


async def two_days(workplace):
    workplace.sample("day1")
    await workplace.run()
    first = amounts(workplace)
    workplace.sample("day2")
    second = await workplace.run()
    assert second.status is RunStatus.PUBLISHED
    assert amounts(workplace) != first
    return first, amounts(workplace), second.run


@pytest.mark.asyncio
async def test_an_undone_day_stays_away_until_another_file_comes_or_a_human_takes_it(workplace):
    first, second, run = await two_days(workplace)
    report = await undo_once(workplace.settings, run, requested_by="olga@office")
    assert (report.status, report.code) == (RunStatus.PUBLISHED, 0)
    assert amounts(workplace) == first
    assert report.principal is not None
    again = await workplace.run()
    assert again.code == 3
    found = {problem.code for problem in again.all_problems}
    assert "undone" in found
    assert amounts(workplace) == first
    held = [unit.unit.name for unit in again.units if unit.status == "held"]
    taken = await workplace.run(accepted=tuple(held))
    assert taken.status is RunStatus.PUBLISHED
    assert amounts(workplace) == second
    assert (await workplace.run()).status is RunStatus.UNCHANGED


@pytest.mark.asyncio
async def test_another_file_is_taken_after_an_undo(workplace):
    first, _, run = await two_days(workplace)
    await undo_once(workplace.settings, run)
    workplace.sample("day1")
    report = await workplace.run()
    assert report.status is RunStatus.UNCHANGED
    assert amounts(workplace) == first


def test_undo_and_accept_as_a_user_runs_them(workplace):
    workplace.sample("day1")
    assert workplace.command("run").returncode == 0
    shrink(workplace.file("Lotos - Postuplenie"), keep=20)
    assert workplace.command("run").returncode == 3
    listed = workplace.command("accept")
    assert listed.stdout.splitlines() == [UNIT]
    assert workplace.command("accept", "nobody/receipts").returncode == 2
    accepted = workplace.command("accept", UNIT, "--yes")
    assert accepted.returncode == 0, accepted.stderr
    assert workplace.books["receipts"] == 60
    (run,) = workplace.sql(workplace.url, "SELECT * FROM cpimportd.runs ORDER BY id DESC LIMIT 1")
    assert run["accepted"] == [UNIT]
    assert "@" in run["requested_by"]
    assert "say --yes" in workplace.command("undo", str(run["id"]), stdin=-3).stderr
    undone = workplace.command("undo", str(run["id"]), "--yes")
    assert undone.returncode == 0, undone.stderr
    assert workplace.books["receipts"] == 80
    shown = workplace.command("show", str(run["id"]), "--contracts")
    assert f"who accepted {UNIT}" in shown.stdout
    assert "The bridge per contract" in shown.stdout
    bridges = json.loads(workplace.command("show", str(run["id"]), "--json").stdout)["contracts"]
    moved = sum(Decimal(bridge["closing"]) - Decimal(bridge["opening"]) for bridge in bridges)
    assert moved == -sum(Decimal(bridge["removed"]) for bridge in bridges) != 0
    assert f"undo of {run['id']}" in workplace.command("history").stdout
    refused = workplace.command("undo", "77", "--yes")
    assert refused.returncode == 2
    assert "there is no run 77" in refused.stderr


@pytest.mark.asyncio
async def test_only_the_files_that_were_seen_can_be_accepted(workplace):
    workplace.sample("day1")
    await workplace.run()
    shrink(workplace.file("Lotos - Postuplenie"), keep=20)
    await workplace.run()
    connection = await connect(workplace.settings.database)
    try:
        (seen,) = await to_accept(connection, 8, [UNIT])
    finally:
        await connection.close()
    workplace.sample("day1")
    shrink(workplace.file("Lotos - Postuplenie"), keep=30)
    books = workplace.books
    report = await workplace.run(accepted=(UNIT,), accepted_files={UNIT: seen.contents})
    assert report.problems[0].code == "accept-outdated"
    assert workplace.books == books


@pytest.mark.asyncio
async def test_a_unit_whose_files_are_those_of_before_again_is_held_no_more(workplace):
    workplace.sample("day1")
    await workplace.run()
    shrink(workplace.file("Lotos - Postuplenie"), keep=20)
    await workplace.run()
    workplace.sample("day1")
    assert (await workplace.run()).status is RunStatus.UNCHANGED
    connection = await connect(workplace.settings.database)
    try:
        assert not await held_units(connection, 8)
        with pytest.raises(ProblemError, match="a later one did not"):
            await to_accept(connection, 8, [UNIT])
    finally:
        await connection.close()


@pytest.mark.asyncio
async def test_what_an_integrity_check_holds_is_nothing_to_accept(workplace):
    workplace.sample("day1")
    await workplace.run()
    file = workplace.file("Lotos - Postuplenie")
    file.write_bytes(file.read_bytes()[:5000])
    await workplace.run()
    connection = await connect(workplace.settings.database)
    try:
        with pytest.raises(ProblemError, match="nobody can override"):
            await to_accept(connection, 8, [UNIT])
        with pytest.raises(ProblemError, match="no unit is called so"):
            await to_accept(connection, 8, ["ЛОТОС ООО"])
    finally:
        await connection.close()


@pytest.mark.asyncio
async def test_after_a_renaming_nothing_is_left_under_the_old_name(workplace):
    workplace.sample("day1")
    await workplace.run()
    first = amounts(workplace)
    rename(workplace.file("Lotos - Postuplenie"), changed=True)
    rename(workplace.file("Lotos - Spisanie kredity"))
    report = await workplace.run()
    assert report.status is RunStatus.HELD
    assert {problem.code for problem in report.all_problems} >= {"renamed", "file-missing"}
    accepted = await workplace.run(accepted=("ЛОТОС ПЛЮС ООО/receipts", "ЛОТОС ПЛЮС ООО/expenses"))
    assert accepted.status is RunStatus.PUBLISHED
    unit = {unit.unit.name: unit for unit in accepted.units}
    assert (unit[UNIT].removed, unit[UNIT].moved_out, unit[UNIT].bridges[0].closing) == (1, 39, 0)
    new = unit["ЛОТОС ПЛЮС ООО/receipts"]
    assert (new.inserted, new.updated, new.retimed, new.moved_in) == (0, 38, 1, 39)
    (file,) = [file for file in accepted.files if file.organizations == ("ЛОТОС ПЛЮС ООО",) and file.rows == 39]
    totals = workplace.sql(
        workplace.url,
        "SELECT o.name, count(f.id) AS rows, coalesce(sum(f.amount), 0) AS total FROM fin_organizations o "
        "LEFT JOIN fin_receipts f ON f.organization_id = o.id WHERE o.name LIKE 'ЛОТОС%' GROUP BY 1 ORDER BY 1",
    )
    assert [tuple(row) for row in totals] == [("ЛОТОС ООО", 0, 0), ("ЛОТОС ПЛЮС ООО", 39, file.control_total)]
    whys = workplace.sql(workplace.url, "SELECT DISTINCT why FROM cpimportd.change WHERE kind <> 'contract'")
    assert [row["why"] for row in whys] == ["accepted"]
    connection = await connect(workplace.settings.database)
    try:
        told = await diff(connection, accepted.run)
    finally:
        await connection.close()
    assert not any(sums.unexplained for sums in told.sums)
    assert len(told.of(What.RETIMED)) == len(told.of(What.REMOVED)) == 1
    assert amounts(workplace)["expenses_sum"] == first["expenses_sum"]
    assert (await workplace.run()).status is RunStatus.UNCHANGED


@pytest.mark.asyncio
async def test_an_old_name_does_not_end_while_nobody_says_whose_its_documents_are_now(workplace):
    workplace.sample("day1")
    await workplace.run()
    first = workplace.books
    rename(workplace.file("Lotos - Postuplenie"))
    rename(workplace.file("Lotos - Spisanie kredity"))
    report = await workplace.run(accepted=(UNIT, "ЛОТОС ООО/expenses"))
    assert report.status is RunStatus.HELD
    assert "move-incomplete" in {problem.code for problem in report.all_problems}
    assert workplace.books == first


@pytest.mark.asyncio
async def test_a_closed_period_changes_only_if_a_human_accepts_it(workplace):
    workplace.sample("day1")
    closed = workplace.settings.model_copy(update={"guards": Guards(closed_before=date(2100, 1, 1))})
    assert (await workplace.run(closed)).status is RunStatus.PUBLISHED  # a first import closes nothing
    first = workplace.books
    workplace.sample("day2")
    report = await workplace.run(closed)
    assert report.code == 3
    found = [problem for problem in report.all_problems if problem.code == "period-closed"]
    assert workplace.books == first
    held = tuple(unit.unit.name for unit in report.units if unit.status == "held")
    accepted = await workplace.run(closed, accepted=held, requested_by="olga@office")
    assert accepted.status is RunStatus.PUBLISHED
    moved = {unit.unit.name for unit in accepted.units if unit.inserted or unit.removed or unit.retimed or unit.updated}
    assert set(held) == moved
    assert len(found) == len(held)
    whys = workplace.sql(workplace.url, "SELECT DISTINCT c.why, r.requested_by FROM cpimportd.change c "
                                        "JOIN cpimportd.runs r ON r.id = c.run_id WHERE c.kind <> 'contract'")  # fmt: skip
    assert [tuple(row) for row in whys] == [("accepted", "olga@office")]


@pytest.mark.asyncio
async def test_an_open_period_changes_as_before(workplace):
    workplace.sample("day1")
    opened = workplace.settings.model_copy(update={"guards": Guards(closed_before=date(1991, 1, 1))})
    await workplace.run(opened)
    workplace.sample("day2")
    assert (await workplace.run(opened)).status is RunStatus.PUBLISHED
